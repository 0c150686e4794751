import resource
import sys

import pytest
import torch

from gsrgnn import GSRGNN, CircuitGraph, circuits, memory
from gsrgnn.memory import freed_memory_kept
from gsrgnn.training import train

PAGES = 40 * 2**20 // resource.getpagesize()  # of an array that glibc would ask of the system each time


def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def touched():
    before = faults()
    torch.ones(40 * 2**20, dtype=torch.uint8)
    return faults() - before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="page faults are counted on Linux")
def test_what_a_step_frees_the_next_one_has():
    assert touched() >= PAGES
    with freed_memory_kept():
        touched()
        with freed_memory_kept():
            pass
        assert touched() < PAGES / 10
    assert touched() >= PAGES


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="page faults are counted on Linux")
def test_training_touches_few_new_pages():
    data = circuits.load("synthetic/5000", label="rudy")
    model = GSRGNN(data.num_features, 2200, num_layers=1, k=4)  # its stream takes 44 MB
    counts = []
    train(model, data, CircuitGraph.from_data(data), epochs=5, progress=lambda row: counts.append(faults()))
    assert max(later - sooner for sooner, later in zip(counts[2:], counts[3:], strict=False)) < 2000
    assert touched() >= PAGES


def test_free_memory_is_asked_before_much_is_taken():
    with pytest.raises(MemoryError, match="all of it takes .* GB are free: take less"):
        memory.check_memory(2**60, "all of it", "take less")
