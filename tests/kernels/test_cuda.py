"""The CUDA kernels without a GPU: against the reference, in the simulator and as PTX; compiled for two chips; divided
among warps.

`test_cuda_gpu.py` runs them on one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numba_cuda", reason="numba-cuda is not installed: pip install 'gsrgnn[cuda]'")

from gsrgnn.kernels.cuda import plan, report, sum_kept

CHECKS = Path(__file__).with_name("kernel_checks.py")
WAYS = {
    "as PTX": ([], "0"),
    "as PTX, in a random order": (["--seed", "1"], "0"),
    "as PTX, at size": (["--at-size"], "0"),
    "in the simulator": (["--part", "0"], "1"),
    "in the simulator, the others": (["--part", "1"], "1"),
}


@pytest.fixture(scope="module", autouse=True)
def checks(request):
    """Beside the other tests, each in a process of its own, since numba chooses the simulator when it is imported."""
    agree = test_every_kernel_agrees_with_the_reference
    asked = {item.callspec.params["way"] for item in request.session.items if item.function is agree}
    started = {
        way: subprocess.Popen(
            [sys.executable, CHECKS, *options],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"NUMBA_ENABLE_CUDASIM": simulator},
        )
        for way, (options, simulator) in WAYS.items()
        if way in asked
    }
    yield started
    for process in started.values():
        process.kill()


@pytest.mark.slow
def test_the_bounds_count_what_the_kernels_do():
    """Sectors and bank conflicts of the compiled kernels, in a process of its own: beside those of `limits`."""
    done = subprocess.run(
        [sys.executable, CHECKS.with_name("count_compiled.py")], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 9
    for line in lines:
        for what in ("sectors", "wavefronts"):
            counted, bound = line[what]
            assert 0.85 * bound <= counted <= 1.15 * bound, (what, line)


@pytest.mark.slow
@pytest.mark.skipif(report.ptxas() is None, reason="ptxas is not installed: pip install nvidia-cuda-nvcc")
@pytest.mark.parametrize(
    ("width", "ks", "capability"),
    [
        (width, ks, capability)
        for width, ks in [(128, (4, 64)), (192, (8,)), (1024, (128,))]
        for capability in report.CAPABILITIES
    ],
)
def test_every_kernel_compiles_without_spills_local_memory_and_slow_operations(width, ks, capability):
    for kernel in report.compile_all(capability, width, ks):
        assert (kernel.spills, kernel.stack, kernel.slow) == (0, 0, 0), kernel
        assert kernel.registers * kernel.threads <= 65536, kernel
        assert kernel.cubin > 0


@given(st.lists(st.sampled_from([0, 1, 2, 31, 32, 33, 64, 65, 1000]), min_size=1), st.sampled_from([1, 32, 64, None]))
def test_a_plan_takes_every_entry_once(lengths, span):
    indptr = torch.cat([torch.zeros(1, dtype=torch.int64), torch.tensor(lengths).cumsum(0)])
    made = plan.make(indptr, span)
    entries = torch.cat(
        [
            torch.arange(start, start + length)
            for start, length in zip(made.start.tolist(), made.length.tolist(), strict=True)
        ]
    )
    assert entries.sort().values.equal(torch.arange(int(indptr[-1])))
    assert set(made.row.tolist()) == set(range(len(lengths)))
    for row, start, length in zip(made.row.tolist(), made.start.tolist(), made.length.tolist(), strict=True):
        assert indptr[row] <= start <= start + length <= indptr[row + 1]
    if span:
        assert made.length.max() <= span


def test_a_plan_keeps_the_pieces_of_a_row_together_and_in_order():
    made = plan.make(torch.tensor([0, 5, 5, 305, 306]), span=100)
    assert made.split.tolist() == [[2, 0, 3]]
    pieces = {slot: start for slot, start in zip(made.slot.tolist(), made.start.tolist(), strict=True) if slot >= 0}
    assert pieces == {0: 5, 1: 105, 2: 205}
    assert made.slots == 3


def test_a_plan_is_made_once_for_a_graph():
    from gsrgnn import CircuitGraph

    graph = CircuitGraph.from_pins([0, 1, 2, 2], [0, 0, 1, 1], 3).through("edges")
    assert plan.of(graph.adjacency()) is plan.of(graph.adjacency(transposed=True))
    assert not plan.scaled(graph.adjacency())
    assert plan.scaled(graph.adjacency(transposed=True))


@pytest.mark.parametrize("width", [1, 33, 192, 1024])
@pytest.mark.parametrize("k", [1, 4, 5, 32, 128])
def test_the_sums_of_a_block_fit_the_shared_memory(width, k):
    groups = sum_kept.groups(width, k)
    assert groups >= 1
    assert groups * min(k, 32) <= 32
    assert 4 * groups * width * sum_kept.WARPS <= 48 * 1024


@pytest.mark.parametrize("way", [way if way == "as PTX" else pytest.param(way, marks=pytest.mark.slow) for way in WAYS])
def test_every_kernel_agrees_with_the_reference(checks, way):
    printed, _ = checks[way].communicate(timeout=900)
    assert checks[way].returncode == 0, printed
    assert printed.count("ok     ") > 10
