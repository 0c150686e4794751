"""What a training step needs in memory and time, way by way: formulas, and the records that they stand beside.

The page of the explorer holds the same formulas in JavaScript, for any size that its reader chooses. A test compares
the two; another compares them with what is counted in memory, and the page says how far the records are off.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from gsrgnn.book import findings, origin
from gsrgnn.circuits import table1
from gsrgnn.kernels import index_dtype
from gsrgnn.kernels.cpu import BLOCKS
from gsrgnn.lab import estimate, records
from gsrgnn.lab.bench.record import observations, read_all

BUDGETS: tuple[int, ...] = (8, 24, 48, 80)  # GB of 10^9 bytes, as cards have them
LARGEST: dict[str, int] = {"layers": 100_000, "width": 16_384}
TARGET_SORT = 32  # bytes an edge: four arrays of 8 by which PyTorch's scatter on a CPU sorts the targets
EXPERIMENTS = ("memory", "profile", "speed", "beyond")
TERMS = ("kept", "working", "messages", "parameters")


class Sizes(NamedTuple):
    """Cells and directed edges of a circuit; width of the stream, layers and k of a model."""

    cells: int
    edges: int
    width: int
    layers: int
    k: int


@dataclass(frozen=True)
class Way:
    """A way to train: a model, the route of its sums over neighbours, and what it keeps.

    Attributes:
        key: its name in the page's data.
        label: as the page shows it.
        model, route: as in `bench.contenders.Row`.
        contender: pattern of the rows of records that measure it; their k, if any, in a group.
    """

    key: str
    label: str
    model: str
    route: str
    contender: str

    @property
    def has_k(self) -> bool:
        """Whether it selects the k largest entries of a row."""
        return self.model == "GSRGNN"


WAYS: tuple[Way, ...] = (
    Way("graphsage", "GraphSAGE on an edge_index, autograd", "GraphSAGE", "edge_index", r"GraphSAGE edge_index"),
    Way("autograd", "GSR-GNN left to autograd", "GSRGNN", "nets", r"(?!)"),
    Way("checkpoints", "checkpoints every √L layers", "CheckpointSAGE", "csr", r"CheckpointSAGE sqrt\(L\) csr"),
    Way("messages", "RevGNN on an edge_index", "RevGNN", "edge_index", r"RevGNN edge_index"),
    Way("revgnn", "RevGNN without messages", "RevGNN", "csr", r"RevGNN csr"),
    Way("sparse", "GSR-GNN, sparse residual", "GSRGNN", "nets", r"GSR k=(\d+) nets"),
    Way("dense", "GSR-GNN, dense residual", "GSRGNN", "nets", r"GSR dense k=(\d+) nets"),
)


def memory(way: str, sizes: Sizes) -> dict[str, int]:
    """Bytes that a training step adds at its peak, in float32, by what they are for (`TERMS`).

    With S = 4 N D, the bytes of a stream, and d = D / 2:

    kept
        What a forward pass leaves for the backward pass, the last LayerNorm and the head included: exact.
    working
        Arrays that are made and dropped, in streams: counted from the code, and near what is measured. Those of
        checkpoints are what a segment keeps while it is differentiated.
    messages
        One array of messages, an edge each, and what sorts its targets (on a CPU).
    parameters
        Of the layers: themselves, gradients, and two moments of Adam's, 16 bytes each.
    """
    n, e, width, layers, k = sizes
    d, index = width // 2, index_dtype(width // 2).itemsize
    stream, ends = 4 * n * width, 8 * n * width + 8 * n
    gsr = layers * 2 * (d * d + 3 * d)
    if way == "graphsage":
        return _terms(
            ends + layers * (2 * stream + 4 * n),
            0,
            e * (4 * width + TARGET_SORT),
            layers * (2 * width**2 + width),
        )
    if way == "checkpoints":
        segment = max(1, round(math.sqrt(layers)))
        kept, last = -(-layers // segment), layers % segment
        most = max(kept + 3 * last, kept - 1 + 3 * segment) if last else kept + 3 * segment
        return _terms(ends + kept * stream, (most - kept) * stream, 0, layers * (2 * width**2 + 3 * width))
    if way in ("messages", "revgnn"):
        messages = e * (4 * d + TARGET_SORT) if way == "messages" else 0
        return _terms(ends, 5 * stream, messages, layers * 2 * (2 * d * d + 3 * d))
    if way == "autograd":
        return _terms(ends + layers * n * (8 * width + 16 + 2 * k * index), stream, 0, gsr)
    entries = layers * n * k * (4 + index) if way == "sparse" else 0
    working = 3 * stream + n * k * (8 + index) + 4 * BLOCKS * d * d
    return _terms(ends + stream + 4 * (n + 2 * width) + entries, working, 0, gsr)


def total(way: str, sizes: Sizes) -> int:
    """All of `memory`."""
    return sum(memory(way, sizes).values())


def greatest(way: str, sizes: Sizes, budget: int, what: str) -> int:
    """The most ``layers``, or the largest even ``width``, with which a step fits into a budget of bytes.

    0 where none does; at most `LARGEST`.
    """
    step = 2 if what == "width" else 1
    least = 2 * sizes.k if what == "width" else 1
    low, high = -(-least // step) - 1, LARGEST[what] // step
    while low < high:
        middle = (low + high + 1) // 2
        if total(way, sizes._replace(**{what: step * middle})) <= budget:
            low = middle
        else:
            high = middle - 1
    return step * low if step * low >= least else 0


def step_seconds(way: str, sizes: Sizes, measured: dict[str, Any], device: str = "cpu") -> float:
    """Seconds of a step: those of a measured one, times the ratio of what `estimate` expects of the two."""
    row = next(one for one in WAYS if one.key == way)
    machine = estimate.H100 if device == "cuda" else estimate.CORES

    def expected(cells, edges, width, layers, k):
        setting = estimate.Setting(machine, cells, edges, width)
        return setting.step(layers, row.model, row.route, k if row.has_k else None)

    there = [measured[name] for name in Sizes._fields]
    return measured["seconds"] * expected(*sizes) / expected(*there)


def data(folder: str = "results") -> dict[str, Any]:
    """All that the page needs beside its formulas, as JSON has it: presets, ways, measured points and times."""
    points = list(_points(folder))
    settings = dict.fromkeys((p["circuit"], p["cells"], p["edges"], p["width"]) for p in points if "bytes" in p)
    return {
        "presets": [{"name": row.code, "cells": row.nodes, "edges": row.edges} for row in table1.rows()],
        "measured": [dict(zip(("circuit", "cells", "edges", "width"), one, strict=True)) for one in settings],
        "ways": [{"key": w.key, "label": w.label, "model": w.model, "route": w.route, "hasK": w.has_k} for w in WAYS],
        "points": points,
        "machines": {"cpu": asdict(estimate.CORES), "cuda": asdict(estimate.H100)},
        "constants": {
            "budgets": BUDGETS,
            "largest": LARGEST,
            "targetSort": TARGET_SORT,
            "blocks": BLOCKS,
            "pins": estimate.PINS,
        },
    }


def sources(folder: str = "results") -> list[origin.Source]:
    """Of the records that `data` holds points of."""
    pages = [findings.Page(experiment, folder) for experiment in EXPERIMENTS]
    benches = [record for device in ("cpu", "cuda") for record in read_all(folder, device)[0]]
    every = [source for page in pages for source in page.sources()] + origin.of_files("gsrgnn bench", benches)
    return [source for source in every if source.machine] or [origin.Source("a step's memory")]


def element(data: dict[str, Any]) -> str:
    """`data` as an element that a page holds and a script reads; no browser runs it."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="explorer-data">{text}</script>'


def _points(folder: str) -> Iterator[dict[str, Any]]:
    """Every measured step of one of `WAYS`: where and when, its sizes, and its ``bytes``, its ``seconds`` or both."""
    for experiment in EXPERIMENTS:
        for record in records.read_all(folder, experiment)[0]:
            given, made = record["defaults"] | record["parameters"], record["provenance"]
            size = estimate.size(given["circuit"], f"{folder}/circuits.json")
            if size:
                about = _about(given["circuit"], *size, given["hidden_channels"], given["device"], made)
                timed = 1 if experiment == "memory" else given["num_layers"]
                yield from _of_rows(record["rows"], about, timed)
    for device in ("cpu", "cuda"):
        for record in read_all(folder, device)[0]:
            given, graph, made = record["parameters"], record["graph"], record["provenance"]
            about = _about(given["circuit"], graph["nodes"], graph["edges"], given["hidden"], device, made)
            yield from _of_rows(observations(record), about, given["layers"])


def _about(circuit, cells, edges, width, device, made):
    return {
        "circuit": re.sub(r"-[a-z]-\d+-c\d.*", "", circuit.rpartition("/")[2]),  # CircuitNet's, without its settings
        "cells": cells,
        "edges": edges,
        "width": width,
        "device": device,
        "machine": records.machine_in_words(made),
        "date": made["date"][:10],
    }


def _of_rows(rows, about, timed):
    """A point for the memory and a point for the time of each row, which may be of two depths; times once each."""
    seen = set()
    for row in rows:
        for way in WAYS:
            found = re.fullmatch(way.contender, row["contender"])
            if not found:
                continue
            point = about | {"way": way.key, "k": int(found[1]) if way.has_k else 1}
            if row.get("memory_peak") and row.get("memory_before"):
                yield point | {
                    "layers": int(row["memory_layers"]),
                    "bytes": int(row["memory_peak"] - row["memory_before"]),
                }
            if row.get("step_seconds") and row["contender"] not in seen:
                seen.add(row["contender"])
                yield point | {"layers": timed, "seconds": row["step_seconds"]}


def _terms(kept, working, messages, parameters):
    return dict(zip(TERMS, (kept, working, messages, 16 * parameters), strict=True))
