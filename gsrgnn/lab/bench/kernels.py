"""The CPU kernels: what a step of GSR-GNN spends in each, and row-wise top k beside PyTorch's."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from statistics import median
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from gsrgnn.graph import CircuitGraph
from gsrgnn.kernels import Scale, cpu, index_dtype, reference
from gsrgnn.lab import measure
from gsrgnn.lab.bench.contenders import Row
from gsrgnn.lab.bench.trainer import Trainer


def profile(
    row: Row,
    inputs: dict[str, Tensor],
    graphs: dict[str, CircuitGraph],
    hidden: int,
    layers: int,
    rounds: int,
) -> list[dict]:
    """Where a training step of a GSR-GNN `Row` through the nets goes, kernel by kernel: a list, the costliest first.

    Each entry has the ``row``, a kernel's ``name``, its ``calls`` and median ``seconds`` in a step, and the
    ``moved_bytes`` that these calls read and write at least once; what no kernel takes is ``"everything else"``, with
    ``moved_bytes`` 0.
    """
    trainer = Trainer(row, inputs, graphs, hidden, layers)
    names = [name for name in cpu.__all__ if callable(getattr(cpu, name)) and name != "prepare"]
    taken: dict[str, list[float]] = {name: [] for name in names}

    def timed(name, call):
        def run(*arguments, **options):
            start = time.perf_counter()
            result = call(*arguments, **options)
            taken[name].append(time.perf_counter() - start)
            return result

        return run

    trainer.timed_step()
    steps: dict[str, list[tuple[int, float]]] = {name: [] for name in (*names, "everything else")}
    with patch.multiple(cpu, **{name: timed(name, getattr(cpu, name)) for name in names}):
        for _ in range(rounds):
            seconds = trainer.step()["step"]
            for name in names:
                steps[name].append((len(taken[name]), sum(taken[name])))
                seconds -= sum(taken[name])
                taken[name].clear()
            steps["everything else"].append((1, seconds))
    stream = 4 * len(inputs["x"]) * (hidden // 2)
    kept = len(inputs["x"]) * row.options["k"] * (4 + index_dtype(hidden // 2).itemsize)
    nets = 8 * trainer.graph.num_summed_nets * (hidden // 2)
    moved = {
        "magnitudes": 2 * stream,
        "to_fixed": 2 * stream,
        "from_fixed": 2 * stream,
        "group_sparse_fixed": stream + kept,
        "product": kept + stream,
        "add_layer_norm": 3 * stream + nets,
        "undo_layer_norm": 5 * stream + nets,
        "aggregate_dense": 2 * stream + nets,
        "aggregate": kept + stream + nets,
        "aggregate_backward": stream + 2 * kept + nets,
        "product_backward": stream + nets + 2 * kept,  # the sum over neighbours made on the way
        "scatter_fixed": kept + stream,
        "scatter_add": kept + 2 * stream,
        "scatter_over": 2 * kept + 2 * stream,
    }
    entries = [
        {
            "row": row.name,
            "name": name,
            "calls": times[0][0],
            "seconds": median(t for _, t in times),
            "moved_bytes": times[0][0] * moved.get(name, 0),
        }
        for name, times in steps.items()
        if times[0][0]
    ]
    return sorted(entries, key=lambda entry: -entry["seconds"])


def top_k(num_rows: int, width: int, ks: Sequence[int], rounds: int) -> Iterator[dict]:
    """Median seconds of the row-wise top k of ``[num_rows, width]``: of floats, of fixed-point numbers, PyTorch's."""
    x = torch.randn(num_rows, width)
    scale = Scale(*(np.full(size, 2.0**20, np.float32) for size in (num_rows, width, width)))
    fixed = reference.to_fixed(x.numpy(), 2.0**20)
    for k in ks:
        values, indices = np.empty((num_rows, k), np.float32), np.empty((num_rows, k), index_dtype(width))
        calls = {
            "group_sparse": partial(cpu.group_sparse, x.numpy(), values, indices),
            "group_sparse_fixed": partial(cpu.group_sparse_fixed, fixed, scale, values, indices),
            "torch.topk": partial(torch.topk, x, k, dim=1),
        }
        times: dict[str, list[float]] = {name: [] for name in calls}
        for name, seconds in measure.in_turn({name: partial(_seconds, call) for name, call in calls.items()}, rounds):
            times[name].append(seconds)
        yield {"k": k, "rows": num_rows, "width": width, **{name: median(taken) for name, taken in times.items()}}


def _seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
