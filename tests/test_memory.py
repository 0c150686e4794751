import resource
import subprocess
import sys

import pytest

from gsrgnn import memory

PAGES = 40 * 2**20 // resource.getpagesize()  # of an array that glibc would ask of the system each time


BLOCK = """
import resource
import torch
from gsrgnn.memory import freed_memory_kept

def touched():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(40 * 2**20, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(touched())
with freed_memory_kept():
    with freed_memory_kept():
        pass
    # What is cut off to align an array goes to the thread's cache; until its 7 places are full, arrays lie end to end.
    print(max([touched() for _ in range(20)][12:]))
print(touched())
"""


def printed(code, *arguments):
    """What the code prints in a process of its own: where memory lies depends on all that was asked for before."""
    ran = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stderr
    return [int(line) for line in ran.stdout.split()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="page faults are counted on Linux")
def test_what_a_step_frees_the_next_one_has():
    before, within, after = printed(BLOCK)
    assert before >= PAGES
    assert within < PAGES / 10
    assert after >= PAGES


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
@pytest.mark.slow
@pytest.mark.parametrize("where", ["script", "thread", "refused"])
def test_training_touches_few_new_pages(where):
    (faults,) = printed(TRAINING, where)
    assert faults < 2000


def test_free_memory_is_asked_before_much_is_taken():
    with pytest.raises(MemoryError, match="all of it takes .* GB are free: take less"):
        memory.check_memory(2**60, "all of it", "take less")
