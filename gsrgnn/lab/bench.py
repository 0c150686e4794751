"""The side by side: a training step of GSR-GNN and of every baseline, in time and memory, as one record.

A record is a dict, written as JSON: `run` makes it, `read` checks it, `table` shows it.
"""

import math
import re
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from statistics import median
from unittest.mock import patch

import numba
import numpy as np
import pandas as pd
import torch
from torch.nn.functional import mse_loss
from torch_geometric import seed_everything

from gsrgnn import baselines, circuits
from gsrgnn.cuda_graph import captured
from gsrgnn.graph import CircuitGraph
from gsrgnn.kernels import Scale, cpu, index_dtype, reference
from gsrgnn.kernels.gpu import gpu_missing
from gsrgnn.lab import measure
from gsrgnn.lab.exactness import gradient_error
from gsrgnn.lab.files import check_writable, shown, write_or_keep
from gsrgnn.lab.records import checksum, load, read_each, write
from gsrgnn.models import GSRGNN
from gsrgnn.provenance import machine, provenance
from gsrgnn.reversible import RESIDUALS, ReversibleStack

FORMAT = "gsrgnn bench 1"
PHASES = ("forward", "backward", "step")
STATES = ("measured", "left out", "not installed", "failed", "not reached")
REFERENCE = "RevGNN edge_index"
FLOOR = "floor"
LARGE = 2**30  # bytes: freed memory is not kept for a row that makes larger arrays
NOT_INSTALLED = "make baselines, or pip install --no-build-isolation gsrgnn[baselines]"


@dataclass(frozen=True)
class Row:
    """A contender: a model and the route by which it aggregates.

    Attributes:
        name: as the table shows it.
        model: "GSRGNN" or the name of a class of `baselines`.
        route: "edge_index", "segment_csr", "csr", or "edges" or "nets" for `aggregate`.
        options: further arguments of the model.
    """

    name: str
    model: str
    route: str
    options: dict = field(default_factory=dict)

    @property
    def ours(self):
        return self.model == "GSRGNN"

    def make(self, in_channels, hidden_channels, num_layers):
        """The model, with the same parameters each time. Raises as its class does."""
        seed_everything(0)
        if self.ours:
            return GSRGNN(in_channels, hidden_channels, num_layers=num_layers, **self.options)
        options = dict(self.options)
        if options.pop("checkpoints", None) == "sqrt":
            options["segment"] = max(1, round(math.sqrt(num_layers)))
        aggregation = "kernels" if self.route in ("edges", "nets") else self.route
        return getattr(baselines, self.model)(
            in_channels, hidden_channels, num_layers=num_layers, aggregation=aggregation, **options
        )

    def graph(self, graphs):
        """Of `graphs`, by norm, the one this row's model takes, through its route."""
        graph = graphs["sym" if self.model == "GCN" else "mean"]
        return graph.through(self.route) if self.route in ("edges", "nets") else graph

    def message_bytes(self, graph, hidden):
        """Size of the messages, one an edge, that it makes in a layer; 0 where it makes none."""
        width = hidden // 2 if self.model == "RevGNN" else hidden
        return 4 * graph.num_edges * width if self.route in ("edge_index", "segment_csr") else 0


def rows(hidden, k, only=None):
    """The contenders, in the table's order.

    Args:
        hidden: width of the stream; a k that is not below half of it has no row.
        k: the k of the GSR rows; the middle one of those that are left is also run with the dense residual.
        only: patterns, comma-separated; a row stays whose name contains one, or matches it where it has ``*`` or
            ``?``.

    Raises ValueError where no row stays.
    """
    ks = sorted(x for x in set(k) if x < hidden / 2)
    routes = ("edge_index", "segment_csr", "csr", "edges", "nets")
    every = [Row(f"{model} {route}", model, route) for model in ("GCN", "GraphSAGE", "RevGNN") for route in routes]
    every += [Row(f"FusedRevGNN {route}", "FusedRevGNN", route) for route in ("csr", "edges", "nets")]
    every += [
        Row(f"CheckpointSAGE {name} {route}", "CheckpointSAGE", route, options)
        for name, options in (("each layer", {}), ("sqrt(L)", {"checkpoints": "sqrt"}))
        for route in ("csr", "nets")
    ]
    every += [Row(f"GSR k={x} {route}", "GSRGNN", route, {"k": x}) for x in ks for route in ("edges", "nets")]
    for x in ks[len(ks) // 2 :][:1]:
        every += [
            Row(f"GSR aggregate first k={x} {route}", "GSRGNN", route, {"k": x, "first": "aggregate"})
            for route in ("edges", "nets")
        ]
        every.append(Row(f"GSR dense k={x} nets", "GSRGNN", "nets", {"k": x, "residual": "dense"}))
    if only is None:
        return every
    patterns = [text.strip() for text in only.split(",")]
    patterns = [text if set("*?") & set(text) else f"*{text}*" for text in patterns]
    kept = [row for row in every if any(fnmatchcase(row.name, pattern) for pattern in patterns)]
    if not kept:
        raise ValueError(f"no row matches {only!r}: there are {', '.join(row.name for row in every)}")
    return kept


def run(
    *,
    circuit="synthetic/5000",
    hidden=128,
    layers=4,
    k=(4, 8, 16, 32, 64),
    steps=5,
    only=None,
    memory_layers=None,
    gradient_layers=(10, 100),
    limit=30.0,
    device="cpu",
    output=None,
    say=print,
):
    """Measure every row of `rows` and write the record; returns it.

    Times: after a warm-up, ``steps`` rounds in which each contender makes one step of training (forward, backward,
    Adam) in turn, all in this process; the medians are reported, all times kept. Freed memory is used again
    (`measure.keep_freed_memory`), but for rows whose messages take more than 1 GiB. Memory: a step in a process of its
    own for each row and depth, Adam's state being there, as in every step but the first. Gradients: how far GSR-GNN's
    recomputed float32 gradient is from one in float64 that keeps everything, on a small circuit
    (`exactness.gradient_error`).

    Args:
        circuit: a name that `circuits.load` knows.
        hidden, layers: width and depth of all models.
        k: of the GSR rows, those below half the width.
        steps: rounds, at least 5.
        only: rows to run, see `rows`.
        memory_layers: depths for the memory; ``layers`` if not given.
        gradient_layers: depths for the gradients' error; may be empty.
        limit: a row is left out where its step is expected to take longer, in seconds. What is expected is the depth
            times a step with one layer.
        device: "cpu" or "cuda". On a GPU memory is what torch's allocator counts there, by default and with expandable
            segments, and GSR-GNN's step is also timed as one CUDA graph; top k and gradients are left out:
            `kernel_table` has the kernels, and the gradients are the CPU's.
        output: where the record is written; ``results/bench-<circuit>-<hidden>-<layers>.json`` if not given. It is
            written when complete. What there is when an exception or Ctrl-C ends it is kept as ``...partial.json``.
        say: called with a line for each thing done.

    Raises ValueError for an argument out of range, for another device and for a GPU that is missing; OSError where
    nothing can be written, before anything is measured or with what was measured kept elsewhere (`files.Kept`).
    """
    if device not in ("cpu", "cuda"):
        raise ValueError(f"device is {device!r}: the bench runs on 'cpu' or 'cuda'")
    if device == "cuda" and (why := gpu_missing()):
        raise ValueError(f"device is 'cuda' and no GPU can be used: {why}")
    memory_layers = sorted(set(memory_layers or [layers]))
    for name, value, least in (
        ("hidden", hidden, 2),
        ("layers", layers, 1),
        ("steps", steps, 5),
        *(("k", x, 1) for x in k),
        *(("memory_layers", x, 1) for x in memory_layers),
        *(("gradient_layers", x, 1) for x in gradient_layers),
    ):
        if int(value) != value or value < least:
            raise ValueError(f"{name} is {value}: it takes a whole number, at least {least}")
    if hidden % 2:
        raise ValueError(f"hidden is {hidden}: the reversible models split it into 2 groups, so it must be even")
    if not limit > 0:
        raise ValueError(f"limit is {limit}: it takes seconds above 0")
    contenders = rows(hidden, k, only)
    name = "bench-" + "cuda-" * (device == "cuda") + f"{re.sub('[^A-Za-z0-9]+', '-', circuit)}-{hidden}-{layers}.json"
    output = Path(output or Path("results") / name)
    if output.suffix != ".json":
        raise ValueError(f"output is {output}: a record's name ends in .json")

    check_writable(output)
    data = circuits.load(circuit)
    inputs = {"x": data.x, "y": data.y, "cell": data.cell, "net": data.net}
    inputs = _on(inputs, device)
    graphs = _graphs(inputs)
    record = {
        "format": FORMAT,
        "complete": False,
        "parameters": {
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
        },
        "graph": {
            "nodes": graphs["mean"].num_nodes,
            "edges": graphs["mean"].num_edges,
            "nets": graphs["mean"].num_nets,
            "pins": len(data.cell),
            "features": data.num_features,
        },
        "threads": {"torch": torch.get_num_threads(), "numba": numba.get_num_threads()},
        "provenance": provenance(),
        "floor": _floor(data, hidden, layers, device),
        "rows": [
            {"name": row.name, "ours": row.ours, "state": "not reached", "note": "the run ended before", "memory": {}}
            for row in contenders
        ],
        "profile": [],
        "top_k": [],
        "gradient": [],
    }
    try:
        with measure.bounded_memory() if device == "cpu" else nullcontext():
            _times(record, contenders, inputs, graphs, say, partial(_floor, data, hidden, layers, device))
        narrow = sorted(x for x in set(k) if x < hidden / 2)
        middle = f"GSR k={narrow[len(narrow) // 2]} nets" if device == "cpu" and narrow else None
        for row, entry in zip(contenders, record["rows"], strict=True):
            if row.name == middle and entry["state"] == "measured":
                record["profile"] = profile(row, inputs, graphs, hidden, layers, steps)
                say(f"{row.name}: a step by kernel")
        _memory(record, contenders, inputs, say)
        for entry in () if device == "cuda" else _top_k(len(data.x), hidden // 2, narrow, steps):
            record["top_k"].append(entry)
            say(f"top {entry['k']}: {entry['torch.topk'] / entry['group_sparse']:.1f} times as fast as torch.topk")
        for entry in () if device == "cuda" else _gradients(gradient_layers):
            record["gradient"].append(entry)
            say(f"gradient of {entry['num_layers']} layers, {entry['residual']}: off by {entry['same choices']:.1e}")
        record["complete"] = True
    finally:
        written = output if record["complete"] else output.with_suffix(".partial.json")
        write(record, written, write_or_keep)
        say(f"{'written' if record['complete'] else 'ended early, what was measured is kept'}: {written}")
    return record


def floor(nodes, features, hidden, layers, pins, device="cpu"):
    """The least a training step of GSR-GNN can take on this machine, whatever k and however well its kernels do.

    Its dense products and its streams, measured apart, added; `run` takes the lowest of one a round. With N nodes,
    F features, width D, d = D / 2 and L layers, each with two blocks:

    products
        A block multiplies ``[N, d] @ [d, d]`` three times, forward, recomputed going back, and for the gradient
        of its input, and ``[d, N] @ [N, d]`` once, for the gradient of its weight: 8 products a layer. The encoder
        adds ``[N, F] @ [F, D]`` and, for its weight, ``[F, N] @ [N, D]``; the head's are N D each and left out. Each
        is timed with ``torch.mm(..., out=)``, which reads its operands and writes its result.
    streams
        Bytes that pass through memory at least once beside those, over the speed of a large copy. Both groups of
        the stream are read and written once a layer going forward (2 N D) and once going back, with their
        gradients (4 N D); Adam reads parameter, gradient and two moments and writes three of them (7 a
        parameter); the features are read once and so are the pins, 4 bytes each, by net and by cell. CBSR, which
        depends on k, is not counted, nor is a second pass over anything.

    Returns a dict of ``products_seconds``, ``multiplications`` in them, ``streamed_bytes``,
    ``copy_bytes_per_second`` and ``seconds``, the floor itself.
    """
    d = hidden // 2
    shapes = {
        (nodes, d, d): 6 * layers,
        (d, nodes, d): 2 * layers,
        (nodes, features, hidden): 1,
        (features, nodes, hidden): 1,
    }
    products = sum(times * measure.product_seconds(*shape, device=device) for shape, times in shapes.items())
    multiplications = sum(times * math.prod(shape) for shape, times in shapes.items())
    parameters = layers * 2 * (d * d + 3 * d) + hidden * (features + 1) + 3 * hidden + 1
    streamed = 4 * (6 * nodes * hidden * layers + 7 * parameters + nodes * features + 2 * pins)
    speed = measure.copy_speed(2**30 if device == "cuda" else 2**27, device=device)
    return {
        "products_seconds": products,
        "multiplications": multiplications,
        "streamed_bytes": streamed,
        "copy_bytes_per_second": speed,
        "seconds": products + streamed / speed,
    }


def _on(inputs, device):
    return {name: tensor.to(device) if name in ("x", "y") else tensor for name, tensor in inputs.items()}


def _graphs(inputs):
    device = inputs["x"].device
    return {
        norm: CircuitGraph.from_pins(inputs["cell"], inputs["net"], len(inputs["x"]), norm=norm).to(device)
        for norm in ("mean", "sym")
    }


class _Trainer:
    """A row's model with its optimiser on preallocated data."""

    def __init__(self, row, inputs, graphs, hidden, layers):
        self.x, self.y, self.graph = inputs["x"], inputs["y"], row.graph(graphs)
        self.keeps_freed = row.message_bytes(self.graph, hidden) <= LARGE
        self.model = row.make(self.x.shape[1], hidden, layers).to(self.x.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, capturable=self.x.is_cuda)

    def step(self):
        """One step; seconds of each of `PHASES`, the step being all of it."""
        measure.wait()
        start = time.perf_counter()
        self.optimizer.zero_grad()
        loss = mse_loss(self.model(self.x, self.graph), self.y)
        measure.wait()
        between = time.perf_counter()
        loss.backward()
        measure.wait()
        after = time.perf_counter()
        self.optimizer.step()
        measure.wait()
        return {"forward": between - start, "backward": after - between, "step": time.perf_counter() - start}

    def timed_step(self):
        """`step`, freed memory being kept or given back as the row needs it."""
        measure.keep_freed_memory(self.keeps_freed)
        return self.step()

    def captured_seconds(self, rounds):
        """Median seconds of the step replayed as one CUDA graph. Raises RuntimeError where it cannot be captured."""

        def step():
            self.optimizer.zero_grad()
            loss = mse_loss(self.model(self.x, self.graph), self.y)
            loss.backward()
            self.optimizer.step()
            return loss.detach()

        replay, seconds = captured(step, self.model, self.optimizer), []
        for _ in range(rounds):
            measure.wait()
            start = time.perf_counter()
            replay()
            measure.wait()
            seconds.append(time.perf_counter() - start)
        return median(seconds)

    def make_moments(self):
        """Adam's state, as a first step would leave it."""
        for parameter in self.model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def kept(self):
        measure.keep_freed_memory(self.keeps_freed)
        apart = [self.x, *self.model.parameters(), *self.model.buffers(), *baselines.graph_tensors(self.graph)]
        return measure.kept_bytes(lambda: self.model(self.x, self.graph), apart)


def _floor(data, hidden, layers, device):
    return floor(len(data.x), data.num_features, hidden, layers, len(data.cell), device)


def _times(record, contenders, inputs, graphs, say, measure_floor):
    parameters = record["parameters"]
    depth, entries, trainers, calls = parameters["layers"], {}, {}, {FLOOR: measure_floor}
    for row, entry in zip(contenders, record["rows"], strict=True):
        entries[row.name] = entry
        try:
            shallow = _Trainer(row, inputs, graphs, parameters["hidden"], 1)
            seconds = [shallow.timed_step()["step"] for _ in range(2)]  # the first makes what the graph keeps
            entry["layer_seconds"] = min(seconds)
            _within(entry, depth, parameters["limit"])
            say(f"{row.name}: at most {depth * entry['layer_seconds']:.2g} s a step")
            trainers[row.name] = _Trainer(row, inputs, graphs, parameters["hidden"], depth)
            calls[row.name] = trainers[row.name].timed_step
        except Exception as error:
            _fail(entry, error, say)
    say(f"{len(trainers)} of {len(contenders)} rows, a warm-up and {parameters['steps']} rounds")
    for name, result in measure.in_turn(calls, parameters["steps"]):
        if name == FLOOR:  # the lowest: it is what the machine can do
            if not isinstance(result, Exception):
                record["floor"] = min(record["floor"], result, key=lambda least: least["seconds"])
            continue
        entry = entries[name]
        if isinstance(result, Exception):
            _fail(entry, result, say)
            continue
        times = entry.setdefault("times", {phase: [] for phase in PHASES})
        for phase in PHASES:
            times[phase].append(result[phase])
        entry |= {"state": "measured", "note": "", "seconds": {p: median(times[p]) for p in PHASES}}
        if name == list(calls)[-1]:
            say(f"round {len(times['step'])} of {parameters['steps']}")
    for name, trainer in trainers.items():
        if entries[name]["state"] == "measured":
            entries[name]["kept_bytes"] = trainer.kept()
            if parameters["device"] == "cuda" and entries[name]["ours"]:
                try:
                    entries[name]["captured_seconds"] = trainer.captured_seconds(parameters["steps"])
                except RuntimeError as error:
                    say(f"{name}: no CUDA graph: {measure.describe(error)}")


class _LeftOut(Exception):
    pass


def _within(entry, depth, limit):
    if "layer_seconds" not in entry:
        raise _LeftOut(entry["note"])
    if (expected := depth * entry["layer_seconds"]) > limit:
        raise _LeftOut(f"a step of {depth} layers would take about {expected:.0f} s, over the limit of {limit:g} s")


def _fail(entry, error, say):
    for part in ("times", "seconds"):
        entry.pop(part, None)
    kind = {_LeftOut: "left out", ModuleNotFoundError: "not installed"}.get(type(error), "failed")
    note = {"left out": str(error), "not installed": NOT_INSTALLED}.get(kind)
    entry |= {"state": kind, "note": note or measure.describe(error)}
    say(f"{entry['name']}: {kind}: {entry['note']}")


def _memory(record, contenders, inputs, say):
    parameters = record["parameters"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inputs.pt"
        torch.save(inputs, path)
        for row, entry in zip(contenders, record["rows"], strict=True):
            for depth in parameters["memory_layers"]:
                entry["memory"][str(depth)] = _peak(row, entry, depth, parameters, path)
            say(f"memory: {row.name}")


def profile(row, inputs, graphs, hidden, layers, rounds):
    """Where a training step of a GSR-GNN `Row` through the nets goes, kernel by kernel: a list, the costliest first.

    Each entry has the ``row``, a kernel's ``name``, its ``calls`` and median ``seconds`` in a step, and the
    ``moved_bytes`` that these calls read and write at least once; what no kernel takes is ``"everything else"``, with
    ``moved_bytes`` 0.
    """
    trainer = _Trainer(row, inputs, graphs, hidden, layers)
    names = [name for name in cpu.__all__ if callable(getattr(cpu, name)) and name != "prepare"]
    taken = {name: [] for name in names}

    def timed(name, call):
        def run(*arguments, **options):
            start = time.perf_counter()
            result = call(*arguments, **options)
            taken[name].append(time.perf_counter() - start)
            return result

        return run

    trainer.timed_step()
    steps = {name: [] for name in (*names, "everything else")}
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
        "product_backward": stream + 2 * kept,
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


def _top_k(num_rows, width, ks, rounds):
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
        times = {name: [] for name in calls}
        for name, seconds in measure.in_turn({name: partial(_seconds, call) for name, call in calls.items()}, rounds):
            times[name].append(seconds)
        yield {"k": k, "rows": num_rows, "width": width, **{name: median(taken) for name, taken in times.items()}}


def _seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _gradients(depths, circuit="synthetic/200", width=32, k=4):
    data = circuits.load(circuit, label="rudy")
    graph = CircuitGraph.from_data(data)
    for num_layers in depths:
        for residual in RESIDUALS:
            seed_everything(0)
            stack = ReversibleStack(width, num_layers, k, residual)
            error = gradient_error(stack, torch.randn(graph.num_nodes, width), graph)
            yield {"num_layers": num_layers, "residual": residual, "circuit": circuit, "width": width, "k": k, **error}


def _peak(row, entry, depth, parameters, path):
    try:
        _within(entry, depth, parameters["limit"])
        if parameters["device"] == "cuda":
            task = _prepare, _train_once, path, row, parameters["hidden"], depth, "cuda"
            memory = measure.gpu_memory(*task)
            growing = measure.gpu_memory(*task, expandable=True)
            return {**memory, "peak": memory["allocated"], "reserved, expandable": growing["reserved"]}
        peak = measure.peak_memory(_prepare, _train_once, path, row, parameters["hidden"], depth)
    except (_LeftOut, MemoryError, RuntimeError) as error:
        return {"note": str(error)}
    return {"before": peak.before, "peak": peak.peak}


def _prepare(path, row, hidden, depth, device="cpu"):
    """What is there before the model: the circuit, the graph as this row reads it, compiled kernels."""
    inputs = _on(torch.load(path), device)
    graphs = _graphs(inputs)
    _Trainer(row, inputs, graphs, hidden, 1).step()
    return partial(_Trainer, row, inputs, graphs, hidden, depth)


def _train_once(make):
    trainer = make()
    trainer.make_moments()
    trainer.step()


def table(record):
    """The record as a frame, a row a contender, in its order. From a GPU it has further columns: the step as one CUDA
    graph, and the peaks of active and of reserved memory.

    Columns: forward, backward and step in ms (medians); kept for the backward pass, peak memory and growth by depth,
    in MB of 10^6 bytes; how many times faster the step is than RevGNN's on an edge_index and than the best other
    model's (`best_peer`); how many times the floor it takes; and a note where something is missing. Growth is what
    the peak adds to the process before the model was made.
    """
    reference, peer = _step_seconds(record, REFERENCE), best_peer(record)
    on_gpu, shown = record["parameters"]["device"] == "cuda", []
    for entry in record["rows"]:
        line = {"row": entry["name"]}
        seconds = entry.get("seconds", {})
        line |= {f"{phase} ms": seconds.get(phase, math.nan) * 1e3 for phase in PHASES}
        if on_gpu:
            line["captured ms"] = entry.get("captured_seconds", math.nan) * 1e3
        line["kept MB"] = entry.get("kept_bytes", math.nan) / 1e6
        notes = [f"{entry['state']}: {entry['note']}"] * (entry["state"] != "measured")
        for depth in record["parameters"]["memory_layers"]:
            memory = entry["memory"].get(str(depth), {})
            peak, before = (memory.get(name, math.nan) / 1e6 for name in ("peak", "before"))
            line |= {f"peak MB, {depth} layers": peak, f"growth MB, {depth} layers": peak - before}
            if on_gpu:
                line |= {
                    f"{name} MB, {depth} layers": memory.get(name, math.nan) / 1e6
                    for name in ("active", "reserved", "reserved, expandable")
                }
            if "note" in memory and entry["state"] == "measured":
                notes.append(f"memory, {depth} layers: {memory['note']}")
        step = seconds.get("step", math.nan)
        line |= {
            "RevGNN edge_index / this": reference / step,
            "best peer / this": (peer["seconds"]["step"] if peer else math.nan) / step,
            "this / floor": step / record["floor"]["seconds"],
            "note": "; ".join(notes),
        }
        shown.append(line)
    return pd.DataFrame(shown).set_index("row")


def observations(record):
    """The rows of the record as flat dicts, one a contender and depth of the memory: what `records.publish` takes.

    Seconds are medians, with the lowest and the highest time; bytes are those of the record.
    """
    found = []
    for entry in record["rows"]:
        line = {
            "contender": entry["name"],
            "ours": entry["ours"],
            "state": entry["state"],
            "note": entry["note"],
            "kept_bytes": entry.get("kept_bytes"),
            "floor_seconds": record["floor"]["seconds"],
        }
        for phase, seconds in entry.get("seconds", {}).items():
            times = entry["times"][phase]
            line |= {f"{phase}_seconds": seconds, f"{phase}_low": min(times), f"{phase}_high": max(times)}
        found += [
            line | {"memory_layers": int(depth), **{f"memory_{name}": value for name, value in memory.items()}}
            for depth, memory in entry["memory"].items()
        ]
    return found


def best_peer(record):
    """The row of the fastest step among the models that are not GSR-GNN; None where none was measured."""
    peers = [entry for entry in record["rows"] if not entry["ours"] and entry["state"] == "measured"]
    return min(peers, key=lambda entry: entry["seconds"]["step"], default=None)


def targets(record):
    """What the project set out to reach on a CPU, and what the record holds of it, as a frame.

    Columns: the target in words, its ``bound``, ``measured`` and ``met`` (None where a row is missing). Peers are the
    models that are not GSR-GNN. Times are of a whole step; memory is what the peak adds to the process, parameters
    with their gradients and Adam's moments (16 bytes each) taken off where depths are compared.
    """
    p = record["parameters"]

    def step(name):
        return _step_seconds(record, name)

    def over(numerator, k, route):
        ratios = [numerator / step(f"GSR k={x} {route}") for x in k if x in p["k"]]
        return math.nan if any(map(math.isnan, ratios)) else min(ratios, default=math.nan)

    peer = best_peer(record)
    rows = [
        ("a step faster than RevGNN's on an edge_index, k = 4", ">=", 35, over(step(REFERENCE), [4], "nets")),
        ("a step faster than RevGNN's on an edge_index, k = 64", ">=", 15, over(step(REFERENCE), [64], "nets")),
        ("via edges, faster than RevGNN csr, k <= 16", ">=", 3, over(step("RevGNN csr"), [4, 8, 16], "edges")),
        (
            "via nets, k = 16, faster than the best peer",
            ">=",
            2,
            over(peer["seconds"]["step"] if peer else math.nan, [16], "nets"),
        ),
        ("via nets, k = 16, in multiples of the floor", "<=", 2, step("GSR k=16 nets") / record["floor"]["seconds"]),
    ]
    faster = [entry["torch.topk"] / entry["group_sparse"] for entry in record["top_k"] if 8 <= entry["k"] <= 32]
    rows.append(("row-wise top k, k = 8 .. 32, faster than torch.topk", ">=", 3, min(faster, default=math.nan)))
    error = [entry["same choices"] for entry in record["gradient"] if entry["num_layers"] == 100]
    rows.append(("100 layers, relative error of the float32 gradient", "<=", 1e-3, max(error, default=math.nan)))
    low, high = p["memory_layers"][0], p["memory_layers"][-1]
    if low < high:
        nodes, d = record["graph"]["nodes"], p["hidden"] // 2
        state = 16 * (high - low) * 2 * (d * d + 3 * d)
        for entry in record["rows"]:
            growth = _growth(entry, high) - _growth(entry, low) - state
            if entry["name"] == "GSR k=16 nets":
                kept = (high - low) * nodes * 16 * (4 + index_dtype(d).itemsize)
                rows.append(
                    (
                        f"sparse, k = 16: growth of the peak from {low} to {high} layers over the CBSR bytes",
                        "<=",
                        1.05,
                        growth / kept,
                    )
                )
            elif entry["name"].startswith("GSR dense"):
                rows.append(
                    (
                        f"dense: growth of the peak from {low} to {high} layers, in streams [N, {p['hidden']}]",
                        "<=",
                        0.05,
                        growth / (4 * nodes * p["hidden"]),
                    )
                )
        rows.append(
            (
                f"peak below RevGNN's on an edge_index, k = 16, {high} layers, percent",
                ">=",
                87.2,
                100
                * (
                    1
                    - _growth(_row(record, "GSR k=16 nets"), high)
                    / max(
                        (_growth(_row(record, REFERENCE), depth) for depth in p["memory_layers"]),
                        key=lambda bytes: -1 if math.isnan(bytes) else bytes,
                    )
                ),
            )
        )
    frame = pd.DataFrame(rows, columns=["target", "sign", "bound", "measured"])
    frame["met"] = [
        None if math.isnan(m) else bool(m >= b if sign == ">=" else m <= b)
        for sign, b, m in zip(frame["sign"], frame["bound"], frame["measured"], strict=True)
    ]
    return frame


def _row(record, name):
    return next((entry for entry in record["rows"] if entry["name"] == name), {"memory": {}})


def _growth(entry, depth):
    memory = entry["memory"].get(str(depth), {})
    return memory.get("peak", math.nan) - memory.get("before", math.nan)


def _step_seconds(record, name):
    return next(
        (
            entry["seconds"]["step"]
            for entry in record["rows"]
            if entry["name"] == name and entry["state"] == "measured"
        ),
        math.nan,
    )


def report(record):
    """The record in text: what was run and where, the table, and what its ratios refer to."""
    p, graph, least, made = (record[part] for part in ("parameters", "graph", "floor", "provenance"))
    shown = table(record)
    notes = shown.pop("note")
    formats = [
        "{:,.0f}".format if " MB" in name else "{:,.1f}".format if " ms" in name else "{:,.2f}".format for name in shown
    ]
    shown.columns = pd.MultiIndex.from_tuples([_two_lines(name) for name in shown])
    shown.index.name = None
    peer = best_peer(record)
    lines = [
        f"{p['circuit']}: {graph['nodes']:,} cells, {graph['pins']:,} pins, {graph['edges']:,} directed edges; "
        f"width {p['hidden']}, {p['layers']} layers, {p['steps']} rounds",
        f"{made['CPU']}, {record['threads']['torch']} threads; gsrgnn {made['gsrgnn']} ({made['code hash']}), "
        f"torch {made['torch']}; {made['date']}",
        "",
        shown.to_string(formatters=formats, na_rep="-", sparsify=False),
        "",
        f"* {REFERENCE}: its step over this row's",
        f"best peer  {peer['name']}, {peer['seconds']['step'] * 1e3:,.1f} ms" if peer else "best peer  none",
        f"floor      {least['seconds'] * 1e3:,.1f} ms: {least['products_seconds'] * 1e3:,.1f} ms of dense products "
        f"({least['multiplications'] / least['products_seconds'] / 1e9:,.0f} billion multiplications a second), "
        f"{least['streamed_bytes'] / 1e6:,.0f} MB at {least['copy_bytes_per_second'] / 1e9:,.1f} GB/s",
        *(f"{name}: {note}" for name, note in notes.items() if note),
    ]
    return "\n".join(lines if record["complete"] else ["INCOMPLETE: the run ended early", *lines])


def _two_lines(name):
    if name.startswith("RevGNN"):
        return "RevGNN*", "/ this"
    first, _, second = name.partition(", " if ", " in name else " / " if " / " in name else " ")
    return (first, f"/ {second}") if " / " in name else (first, second)


def read(path):
    """The record at ``path``.

    Raises ValueError, naming the file and what is wrong, where it is no record of `run`, lacks a row or a number,
    holds one that cannot be, or was changed since it was written; FileNotFoundError where there is none.
    """
    path = Path(path)
    try:
        record = load(path)
        _check(record)
    except FileNotFoundError:
        raise FileNotFoundError(f"no record {path}: gsrgnn bench makes one") from None
    except _Wrong as error:
        raise ValueError(f"{shown(path)}: {error}; run gsrgnn bench again") from None
    except (TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{shown(path)}: damaged ({measure.describe(error)}); run gsrgnn bench again") from None
    except ValueError as error:
        raise ValueError(f"{error}: run gsrgnn bench again") from None
    return record


def read_all(folder="results", device="cpu"):
    """Every complete record of `run` on a device in ``folder``, and what is wrong with the others."""
    paths = [
        path
        for path in sorted(Path(folder).glob("bench-*.json"))
        if not path.name.endswith(".partial.json") and path.name.startswith("bench-cuda-") == (device == "cuda")
    ]
    return read_each(paths, read)


def differences(record):
    """What a record was made with that is not so here: name -> (then, now), of the code hash and the machine."""
    then, now = record["provenance"], provenance()
    names = ("code hash", *machine())
    return {name: (then.get(name, "?"), now[name]) for name in names if then.get(name) != now[name]}


class _Wrong(Exception):
    pass


_PARTS = {
    "format": str,
    "complete": bool,
    "parameters": dict,
    "graph": dict,
    "threads": dict,
    "provenance": dict,
    "floor": dict,
    "rows": list,
    "top_k": list,
    "gradient": list,
    "checksum": str,
}
_PARAMETERS = {
    "circuit": str,
    "hidden": int,
    "layers": int,
    "k": list,
    "steps": int,
    "only": (str, type(None)),
    "memory_layers": list,
    "gradient_layers": list,
    "limit": (int, float),
    "device": str,
}
_ROW = {"name": str, "ours": bool, "state": str, "note": str, "memory": dict}


def _check(record):
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise _Wrong(f"is no record of the format {FORMAT!r}")
    _has(record, _PARTS, "the record")
    _has(record["parameters"], _PARAMETERS, "parameters")
    _has(record["graph"], dict.fromkeys(("nodes", "edges", "nets", "pins", "features"), int), "graph")
    _has(record["threads"], {"torch": int, "numba": int}, "threads")
    _has(record["provenance"], {"code hash": str, "date": str, "CPU": str, "torch": str}, "provenance")
    for name in ("products_seconds", "multiplications", "streamed_bytes", "copy_bytes_per_second", "seconds"):
        _positive(record["floor"], name, "floor")
    p = record["parameters"]
    wanted = [row.name for row in rows(p["hidden"], p["k"], p["only"])]
    for entry in record["rows"]:
        _has(entry, _ROW, "a row")
    names = [entry["name"] for entry in record["rows"]]
    if names != wanted:
        missing, extra = ([n for n in one if n not in other] for one, other in ((wanted, names), (names, wanted)))
        raise _Wrong(
            f"its rows are not those of its parameters (missing: {', '.join(missing) or 'none'}; "
            f"unknown: {', '.join(extra) or 'none'})"
        )
    for entry in record["rows"]:
        _check_row(entry, record)
    for entry in record.get("profile", ()):  # earlier records have none
        _has(entry, {"row": str, "name": str, "calls": int, "seconds": float, "moved_bytes": int}, "the profile")
    for entry in record["top_k"]:
        for name in ("k", "rows", "width", "group_sparse", "group_sparse_fixed", "torch.topk"):
            _positive(entry, name, "a top k")
    for entry in record["gradient"]:
        _has(
            entry,
            {
                "num_layers": int,
                "residual": str,
                "same choices": float,
                "own choices": float,
                "choices that differ": float,
            },
            "a gradient",
        )
    if record["checksum"] != checksum(record):
        raise _Wrong("was changed after it was written (its checksum does not fit)")


def _check_row(entry, record):
    name, complete, p = entry["name"], record["complete"], record["parameters"]
    if entry["state"] not in STATES or complete and entry["state"] == "not reached":
        raise _Wrong(f"row {name!r} has the state {entry['state']!r}")
    if entry["state"] != "measured":
        if not entry["note"]:
            raise _Wrong(f"row {name!r} is {entry['state']} and does not say why")
        if "seconds" in entry:
            raise _Wrong(f"row {name!r} is {entry['state']} and has times")
    else:
        _has(entry, {"seconds": dict, "times": dict} | ({"kept_bytes": int} if complete else {}), f"row {name!r}")
        for phase in PHASES:
            _positive(entry["seconds"], phase, f"row {name!r}")
            times = entry["times"].get(phase)
            if not isinstance(times, list) or not all(isinstance(t, float) for t in times):
                raise _Wrong(f"row {name!r} has no list of times of {phase!r}")
            if complete and len(times) != p["steps"] or not times or median(times) != entry["seconds"][phase]:
                raise _Wrong(f"row {name!r}: the seconds of {phase!r} are not the median of {p['steps']} times")
    depths = [str(depth) for depth in p["memory_layers"]]
    if complete and list(entry["memory"]) != depths:
        there = ", ".join(entry["memory"]) or "no depth"
        raise _Wrong(f"row {name!r} has memory for {there}, not {', '.join(depths)}")
    for depth, memory in entry["memory"].items():
        if not isinstance(memory, dict) or not memory.get("note"):
            for part in ("before", "peak"):
                _positive(memory, part, f"row {name!r}, memory of {depth} layers")


def _has(part, wanted, where):
    if not isinstance(part, dict):
        raise _Wrong(f"{where} is no table of names and values")
    for name, kind in wanted.items():
        if name not in part:
            raise _Wrong(f"{where} lacks {name!r}")
        if not isinstance(part[name], kind) or isinstance(part[name], bool) and kind is not bool:
            raise _Wrong(f"{where} has {part[name]!r} for {name!r}")


def _positive(part, name, where):
    _has(part, {name: (int, float)}, where)
    if not (math.isfinite(part[name]) and part[name] > 0):
        raise _Wrong(f"{where} has {part[name]!r} for {name!r}")
