"""The memory: one step of each contender and depth, in a process for that alone."""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from gsrgnn.lab import measure
from gsrgnn.lab.bench.contenders import Row
from gsrgnn.lab.bench.timing import LeftOut, within
from gsrgnn.lab.bench.trainer import Trainer, graphs_of, on
from gsrgnn.lab.window import Window

START = 20.0  # seconds: of a first measurement, beside its steps


def measure_memory(
    record: dict,
    contenders: list[Row],
    inputs: dict[str, Tensor],
    window: Window,
    say: Callable[[str], None],
    keep: Callable[[str], None],
) -> None:
    """Put into the record's rows the memory of a step at each depth, Adam's state being there, or why there is none.

    What is there already stays. ``keep`` is called with the name of each as it is measured. Raises `Closed` where the
    next is not expected to fit into the window.
    """
    parameters, beside = record["parameters"], START
    measure.give_back()  # what the times have left
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inputs.pt"
        torch.save(inputs, path)
        try:
            for row, entry in zip(contenders, record["rows"], strict=True):
                for depth in parameters["memory_layers"]:
                    if str(depth) in entry["memory"]:
                        continue
                    steps = 3 * depth * entry.get("layer_seconds", 0.0)
                    window.need(beside + steps, name := f"memory of {row.name}, {depth} layers")
                    start = time.monotonic()
                    entry["memory"][str(depth)] = _peak(row, entry, depth, parameters, path)
                    beside = max(beside, time.monotonic() - start - steps)
                    keep(name)
                say(f"memory: {row.name}")
        finally:
            measure.end_gpu_processes()


def _peak(row, entry, depth, parameters, path):
    try:
        within(entry, depth, parameters["limit"])
        if parameters["device"] == "cuda":
            task = _prepare, _train_once, path, row, parameters["hidden"], depth, "cuda"
            memory = measure.gpu_memory(*task)
            growing = measure.gpu_memory(*task, expandable=True)
            return {**memory, "peak": memory["allocated"], "reserved, expandable": growing["reserved"]}
        peak = measure.peak_memory(_prepare, _train_once, path, row, parameters["hidden"], depth)
    except (LeftOut, MemoryError, RuntimeError) as error:
        return {"note": str(error)}
    return {"before": peak.before, "peak": peak.peak}


def _prepare(path, row, hidden, depth, device="cpu"):
    """What is there before the model: the circuit, the graph as this row reads it, compiled kernels."""
    inputs = on(torch.load(path), device)
    graphs = graphs_of(inputs)
    Trainer(row, inputs, graphs, hidden, 1).step()
    return partial(Trainer, row, inputs, graphs, hidden, depth)


def _train_once(make):
    trainer = make()
    trainer.make_moments()
    trainer.step()
