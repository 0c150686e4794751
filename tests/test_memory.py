import resource
import subprocess
import sys

import pytest
import torch

from gsrgnn import memory
from gsrgnn.memory import freed_memory_kept

PAGES = 40 * 2**20 // resource.getpagesize()  # of an array that glibc would ask of the system each time


@pytest.fixture(autouse=True)
def given_back():
    memory.keep_freed_memory(False)  # the bench keeps it


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
        with freed_memory_kept():
            pass
        assert min(touched() for _ in range(6)) < PAGES / 10  # glibc may choose another free place at first
    assert touched() >= PAGES


TRAINING = """
import resource, sys, threading
from statistics import median
import torch
from gsrgnn import GSRGNN, CircuitGraph, circuits
from gsrgnn.training import train

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def run():
    data = circuits.load("synthetic/5000", label="rudy")
    model = GSRGNN(data.num_features, 2200, num_layers=1, k=4)  # its stream takes 44 MB, 10,700 pages
    counts = []
    train(model, data, CircuitGraph.from_data(data), epochs=24, progress=lambda row: counts.append(faults()))
    print(int(median(later - sooner for sooner, later in zip(counts[10:], counts[11:]))))

if sys.argv[1] == "refused":  # glibc serves this thread from another arena then
    try:
        torch.empty(2**50)
    except RuntimeError:
        pass
if sys.argv[1] == "thread":
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
else:
    run()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="page faults are counted on Linux")
@pytest.mark.parametrize("where", ["script", "thread", "refused"])
def test_training_touches_few_new_pages(where):
    ran = subprocess.run([sys.executable, "-c", TRAINING, where], capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < 2000


def test_free_memory_is_asked_before_much_is_taken():
    with pytest.raises(MemoryError, match="all of it takes .* GB are free: take less"):
        memory.check_memory(2**60, "all of it", "take less")
