"""The whole run: every contender's time and memory, the kernels and the gradients, into one record."""

import re
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numba
import torch

from gsrgnn import circuits
from gsrgnn.kernels.gpu import gpu_missing
from gsrgnn.lab import measure
from gsrgnn.lab.bench.as_run import as_run
from gsrgnn.lab.bench.contenders import rows
from gsrgnn.lab.bench.floor import speeds
from gsrgnn.lab.bench.gradients import gradients
from gsrgnn.lab.bench.kernels import profile, top_k
from gsrgnn.lab.bench.memory import measure_memory
from gsrgnn.lab.bench.record import FORMAT, earlier
from gsrgnn.lab.bench.timing import measure_times, timed
from gsrgnn.lab.bench.trainer import graphs_of, on
from gsrgnn.lab.files import check_writable, write_or_keep
from gsrgnn.lab.records import write
from gsrgnn.lab.window import ENDLESS, Closed, Window
from gsrgnn.provenance import provenance

NOT_REACHED = {"state": "not reached", "note": "the run ended before"}
LONGER = 1.25  # times as long as they were given in vain: what the times of all rows are then expected to take


def run(
    *,
    circuit: str = "synthetic/5000",
    hidden: int = 128,
    layers: int = 4,
    k: Sequence[int] = (4, 8, 16, 32, 64),
    steps: int = 5,
    only: str | None = None,
    memory_layers: Sequence[int] | None = None,
    gradient_layers: Sequence[int] = (10, 100),
    limit: float = 30.0,
    device: str = "cpu",
    output: Path | str | None = None,
    window: Window = ENDLESS,
    say: Callable[[str], None] = print,
) -> dict:
    """Measure every row of `rows` and write the record; returns it.

    Times: after a warm-up, ``steps`` rounds in which each contender makes one step of training (forward, backward,
    Adam) in turn, all in this process; the medians are reported, all times kept. Freed memory is used again
    (`memory.keep_freed_memory`), but for rows whose messages take more than 1 GiB. Memory: a step for each row and
    depth, Adam's state being there, as in every step but the first: in a process of its own on a CPU, in one for all on
    a GPU. Gradients: how far GSR-GNN's recomputed float32 gradient is from one in float64 that keeps everything, on a
    small circuit (`exactness.gradient_error`).

    Args:
        circuit: a name that `circuits.load` knows.
        hidden, layers: width and depth of all models.
        k: of the GSR rows, those below half the width.
        steps: rounds, at least 5.
        only: rows to run, see `rows`.
        memory_layers: depths for the memory, which may be none; ``layers`` if not given.
        gradient_layers: depths for the gradients' error; may be empty.
        limit: a row is left out where its step is expected to take longer, in seconds. What is expected is the depth
            times a step with one layer.
        device: "cpu" or "cuda". On a GPU memory is what torch's allocator counts there, by default and with expandable
            segments, and GSR-GNN's step is also timed as one CUDA graph; top k and gradients are left out:
            `kernel_table` has the kernels, and the gradients are the CPU's.
        output: where the record is written; ``results/bench-<circuit>-<hidden>-<layers>.json`` if not given. It is
            written when complete. What there is when an exception or Ctrl-C ends it is kept as ``...partial.json``.
        window: where it has an end, no part is begun that is not expected to fit into what is left, and each that is
            finished is written to the partial record. A part is what one call measures in one go: the times of all
            rows, which take turns; the memory of a row at a depth; a step by kernel; top k for a k; the gradient at a
            depth. A call with such a window goes on from a partial record of the same parameters, code, versions and
            machine, and "calls" in the record says which measured what; a whole record of that kind is returned. What
            is there when the window closes is returned too, ``complete`` being False.
        say: called with a line for each thing done.

    Raises ValueError for an argument out of range, for another device and for a GPU that is missing; OSError where
    nothing can be written, before anything is measured or with what was measured kept elsewhere (`files.Kept`).
    """
    memory_layers = sorted(set([layers] if memory_layers is None else memory_layers))
    parameters = {
        "circuit": circuit,
        "hidden": hidden,
        "layers": layers,
        "k": list(k),
        "steps": steps,
        "only": only,
        "memory_layers": memory_layers,
        "gradient_layers": list(gradient_layers),
        "limit": limit,
        "device": device,
    }
    _check(parameters)
    contenders = rows(hidden, k, only)
    name = "bench-" + "cuda-" * (device == "cuda") + f"{re.sub('[^A-Za-z0-9]+', '-', circuit)}-{hidden}-{layers}.json"
    output = Path(output or Path("results") / name)
    if output.suffix != ".json":
        raise ValueError(f"output is {output}: a record's name ends in .json")

    check_writable(output)
    if window.bounded and (whole := earlier(output, parameters)):
        say(f"complete already: {output}")
        return whole
    data = circuits.load(circuit)
    inputs = on({"x": data.x, "y": data.y, "cell": data.cell, "net": data.net}, device)
    graphs = graphs_of(inputs)
    measure_speeds = partial(speeds, len(data.x), hidden, device)
    unfinished = output.with_suffix(".partial.json")
    goes_on = earlier(unfinished, parameters) if window.bounded else None
    record = goes_on or _begun(parameters, graphs["mean"], data, contenders, measure_speeds())
    measured: list[str] = []
    if window.bounded:
        record.setdefault("calls", []).append({"date": provenance()["date"], "measured": measured})

    def keep(part):
        measured.append(part)
        if window.bounded:
            write(record, unfinished, write_or_keep)

    def times():
        for entry in record["rows"]:  # what was left of rounds that were not finished
            for name in ("seconds", "times", "layer_seconds", "kept_bytes", "captured_seconds"):
                entry.pop(name, None)
            entry |= NOT_REACHED
        start = time.monotonic()
        try:
            with measure.bounded_memory() if device == "cpu" else nullcontext():
                measure_times(record, contenders, inputs, graphs, measure_speeds, window, say)
        except Closed:
            if not window.left:
                record["had"] = LONGER * (time.monotonic() - start)
            raise
        keep("times")

    def rest():
        narrow = sorted(x for x in set(k) if x < hidden / 2)
        middle = f"GSR k={narrow[len(narrow) // 2]} nets" if device == "cpu" and narrow else None
        for row, entry in zip(contenders, record["rows"], strict=True):
            if row.name == middle and entry["state"] == "measured" and not record["profile"]:
                record["profile"] = profile(row, inputs, graphs, hidden, layers, steps)
                keep("a step by kernel")
                say(f"{row.name}: a step by kernel")
            if row.name == middle and entry["state"] == "measured" and not record["as_run"]:
                record["as_run"] = as_run(row, data, inputs, graphs, hidden, layers, steps)
                keep("as a user runs it")
                say(f"{row.name}: as a user runs it")
        measure_memory(record, contenders, inputs, window, say, keep)
        if device == "cuda":
            return
        there = {entry["k"] for entry in record["top_k"]}
        for entry in top_k(len(data.x), hidden // 2, [x for x in narrow if x not in there], steps):
            record["top_k"].append(entry)
            keep(f"top {entry['k']}")
            say(f"top {entry['k']}: {entry['torch.topk'] / entry['group_sparse']:.1f} times as fast as torch.topk")
        there = {entry["num_layers"] for entry in record["gradient"]}
        for depth in [depth for depth in gradient_layers if depth not in there]:
            found = list(gradients([depth]))
            record["gradient"] += found
            keep(f"gradient of {depth} layers")
            for entry in found:
                say(f"gradient of {depth} layers, {entry['residual']}: off by {entry['same choices']:.1e}")

    try:
        with window.closing():
            if not timed(record):
                times()
            rest()
        record["complete"] = True
    except Closed as closed:
        say(f"{closed}: the same command goes on")
    finally:
        written = output if record["complete"] else unfinished
        write(record, written, write_or_keep)
        say(f"{'written' if record['complete'] else 'ended early, what was measured is kept'}: {written}")
    if window.bounded and record["complete"]:
        unfinished.unlink(missing_ok=True)
    return record


def _begun(parameters, graph, data, contenders, speeds) -> dict[str, Any]:
    """A record in which nothing but the machine's speeds has been measured."""
    through_nets = graph.through("nets")
    return {
        "format": FORMAT,
        "complete": False,
        "parameters": parameters,
        "graph": {
            "nodes": graph.num_nodes,
            "edges": graph.num_edges,
            "nets": graph.num_nets,
            "pins": len(data.cell),
            "features": data.num_features,
            "summed_nets": through_nets.num_summed_nets,
            "entries": sum(len(part.indices) for part in through_nets.operator()),
        },
        "threads": {"torch": torch.get_num_threads(), "numba": numba.get_num_threads()},
        "provenance": provenance(),
        "speeds": speeds,
        "rows": [{"name": row.name, "ours": row.ours, **NOT_REACHED, "memory": {}} for row in contenders],
        "profile": [],
        "as_run": [],
        "top_k": [],
        "gradient": [],
    }


def _check(parameters: dict) -> None:
    """Raises ValueError where one is out of range."""
    device, hidden, limit = (parameters[name] for name in ("device", "hidden", "limit"))
    if device not in ("cpu", "cuda"):
        raise ValueError(f"device is {device!r}: the bench runs on 'cpu' or 'cuda'")
    if device == "cuda" and (why := gpu_missing()):
        raise ValueError(f"device is 'cuda' and no GPU can be used: {why}")
    for name, least in {"hidden": 2, "layers": 1, "steps": 5, "k": 1, "memory_layers": 1, "gradient_layers": 1}.items():
        given = parameters[name]
        for value in given if isinstance(given, list) else [given]:
            if int(value) != value or value < least:
                raise ValueError(f"{name} is {value}: it takes a whole number, at least {least}")
    if hidden % 2:
        raise ValueError(f"hidden is {hidden}: the reversible models split it into 2 groups, so it must be even")
    if not limit > 0:
        raise ValueError(f"limit is {limit}: it takes seconds above 0")
