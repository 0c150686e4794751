import os
import signal
import time

import numpy as np
import pytest
import torch

from gsrgnn import GSRGNN, CircuitGraph, baselines
from gsrgnn.circuits import load
from gsrgnn.lab import measure

MB = 2**20
N, WIDTH = 64, 16
STREAM = N * WIDTH * 4  # bytes of one float32 matrix of the stream


def test_contenders_take_turns_and_a_failing_one_leaves():
    calls = []

    def contender(name, fails_at=99):
        def call():
            calls.append(name)
            if calls.count(name) == fails_at:
                raise RuntimeError("broken")
            return calls.count(name)

        return call

    names = {"a": contender("a"), "b": contender("b", fails_at=3), "c": contender("c", fails_at=1)}
    got = list(measure.in_turn(names, rounds=3))
    assert calls == list("abc") + list("ab") * 2 + ["a"]
    assert [(name, str(result)) for name, result in got] == [
        ("c", "broken"),
        ("a", "2"),
        ("b", "2"),
        ("a", "3"),
        ("b", "broken"),
        ("a", "4"),
    ]


def test_an_interrupt_ends_the_turns():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(measure.in_turn({"a": interrupted}, rounds=1))


class Aside(torch.autograd.Function):
    """Keeps one matrix with autograd, one aside of it, and empties a third."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x + 1)
        ctx.aside = x + 2
        ctx.emptied = x + 3
        ctx.emptied.untyped_storage().resize_(0)
        return x.sum()


def test_kept_bytes_are_what_is_alive_or_saved():
    x = torch.randn(100, 10, requires_grad=True)
    buffer = torch.empty(50, 10)

    class Reused(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            buffer.detach().numpy()[:] = 1
            ctx.save_for_backward(buffer[:20])
            return x.sum()

    assert measure.kept_bytes(lambda: Aside.apply(x)) == 2 * x.nbytes
    assert measure.kept_bytes(lambda: (x * 2 + 1).sum()) == 0
    assert measure.kept_bytes(lambda: (x * 2).exp().sum()) == x.nbytes
    assert measure.kept_bytes(lambda: x.exp().view(-1).square().sum()) == x.nbytes, "a view is no second storage"
    assert measure.kept_bytes(lambda: (x * x).sum(), [x]) == 0
    assert measure.kept_bytes(lambda: Reused.apply(x)) == buffer.nbytes
    assert measure.kept_bytes(lambda: Reused.apply(x), [buffer]) == 0
    with torch.no_grad():
        assert measure.kept_bytes(lambda: (x * 2).exp().sum()) == 0


def kept(kind, num_layers, aggregation=None, **options):
    data = load(f"synthetic/{N}")
    graph = CircuitGraph.from_data(data, norm=getattr(kind, "graph_norm", "mean"))
    if aggregation:
        options["aggregation"] = aggregation
    model = kind(data.num_features, WIDTH, num_layers=num_layers, **options)
    model(data.x, graph)
    apart = [data.x, *model.parameters(), *baselines.graph_tensors(graph)]
    return measure.kept_bytes(lambda: model(data.x, graph), apart)


@pytest.mark.parametrize("aggregation", ["edge_index", "csr", "kernels"])
@pytest.mark.parametrize(
    ("kind", "options", "streams_a_layer"),
    [
        (baselines.RevGNN, {}, 0),
        (baselines.FusedRevGNN, {}, 0),
        (baselines.CheckpointSAGE, {}, 1),
        (baselines.CheckpointSAGE, {"segment": 2}, 1 / 2),
        (baselines.GCN, {}, 1),
    ],
)
def test_what_the_baselines_keep_by_layer(kind, options, streams_a_layer, aggregation):
    more, less = (kept(kind, depth, aggregation, **options) for depth in (8, 4))
    assert more - less == 4 * streams_a_layer * STREAM


@pytest.mark.parametrize(("residual", "bytes_a_layer"), [("sparse", N * 4 * (4 + 1)), ("dense", 0)])
def test_what_gsr_keeps_by_layer(residual, bytes_a_layer):
    more, less = (kept(GSRGNN, depth, k=4, residual=residual) for depth in (10, 3))
    assert more - less == 7 * bytes_a_layer


def prepare(size):
    return size


def fill(size):
    kept = np.ones(size * MB // 8)
    np.ones(size * MB // 8)  # dropped at once
    return len(kept)


def fail(size):
    raise ValueError("no\ngood")


def leave(size):
    os._exit(3)


def be_killed(size):
    os.kill(os.getpid(), signal.SIGKILL)


def take_everything(size):
    return torch.empty(2**50, dtype=torch.uint8)


def test_peak_memory_is_the_process_own():
    ballast = np.ones(300 * MB // 8)  # of the parent
    small, large = (measure.peak_memory(prepare, fill, size) for size in (10, 60))
    assert large.growth - small.growth == pytest.approx(100 * MB, rel=0.1)
    assert large.growth == pytest.approx(120 * MB, rel=0.1)
    assert large.peak == large.before + large.growth
    assert ballast.any()


@pytest.mark.parametrize(
    ("work", "error", "match"),
    [
        (fail, RuntimeError, "ValueError: no good"),
        (leave, RuntimeError, r"without an answer \(exit code 3\)"),
        (be_killed, RuntimeError, r"without an answer \(killed by SIGKILL from outside\)"),
        (take_everything, MemoryError, "out of memory"),
    ],
)
def test_a_process_that_fails_says_why(work, error, match):
    with pytest.raises(error, match=match):
        measure.peak_memory(prepare, work, 1)


def pretend(fails):
    """In the process that measures: a GPU whose peak is the number of that process."""
    torch.cuda.is_initialized = lambda: True
    for name in ("synchronize", "empty_cache", "reset_peak_memory_stats"):
        setattr(torch.cuda, name, lambda: None)
    torch.cuda.memory_allocated = lambda: 1
    peaks = dict.fromkeys((f"{name}_bytes.all.peak" for name in ("allocated", "active", "reserved")), os.getpid())
    torch.cuda.memory_stats = lambda: peaks
    return fails


def work_on_gpu(fails):
    if fails:
        raise MemoryError


@pytest.mark.slow
def test_the_process_that_measures_a_gpu_is_kept_until_an_error():
    first, second = (measure.gpu_memory(pretend, work_on_gpu, False)["reserved"] for _ in range(2))
    assert first == second != os.getpid()
    with pytest.raises(MemoryError, match="out of memory"):
        measure.gpu_memory(pretend, work_on_gpu, True)
    assert measure.gpu_memory(pretend, work_on_gpu, False)["reserved"] != first
    ((process, _),) = measure._gpu_processes.values()
    measure.end_gpu_processes()
    assert not process.is_alive()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="the bound needs Linux")
def test_more_memory_than_there_is_raises_and_the_bound_is_lifted(monkeypatch):
    with measure.bounded_memory():
        assert torch.ones(MB).sum() == MB
    free = measure.psutil.virtual_memory()._replace(available=100 * MB)
    monkeypatch.setattr(measure.psutil, "virtual_memory", lambda: free)
    with measure.bounded_memory(), pytest.raises(RuntimeError) as raised:
        torch.ones(400 * MB)
    assert measure.describe(raised.value).startswith("out of memory: ")
    assert torch.ones(100 * MB).sum() == 100 * MB


def test_errors_in_one_line():
    assert measure.describe(KeyError("a\nb")) == r"KeyError: 'a\nb'"
    assert measure.describe(MemoryError()) == "out of memory"
    assert measure.describe(MemoryError("out of memory: x")) == "out of memory: x"
    assert measure.describe(RuntimeError("can't allocate memory: 5")) == "out of memory: can't allocate memory: 5"


def test_speeds_are_those_of_work_done(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock) * 0.5)
    assert measure.copy_speed(size=4000) == 2 * 4000 / 0.5
    assert measure.product_seconds(3, 4, 5) == 0.5
