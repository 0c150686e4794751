"""What the project set out to reach on a CPU, and what a record holds of it."""

import math
from collections.abc import Iterator

import pandas as pd

from gsrgnn.kernels import index_dtype
from gsrgnn.lab.bench.contenders import REFERENCE
from gsrgnn.lab.bench.floor import floors
from gsrgnn.lab.bench.report import best_peer, step_seconds


def targets(record: dict) -> pd.DataFrame:
    """What the project set out to reach on a CPU, and what the record holds of it, as a frame.

    Columns: the target in words, its ``bound``, ``measured`` and ``met`` (None where a row is missing). Peers are the
    models that are not GSR-GNN. Times are of a whole step; memory is what the peak adds to the process, parameters
    with their gradients and Adam's moments (16 bytes each) taken off where depths are compared.
    """
    p = record["parameters"]

    def step(name):
        return step_seconds(record, name)

    def over(numerator, k, route):
        ratios = [numerator / step(f"GSR k={x} {route}") for x in k if x in p["k"]]
        return math.nan if any(map(math.isnan, ratios)) else min(ratios, default=math.nan)

    def over_floor(k):
        name = f"GSR k={k} nets"
        return step(name) / sum(least[name].values()) if name in least else math.nan

    peer, least = best_peer(record), floors(record)
    peer_step = peer["seconds"]["step"] if peer else math.nan
    top_k = [entry["torch.topk"] / entry["group_sparse"] for entry in record["top_k"] if 8 <= entry["k"] <= 32]
    errors = [entry["same choices"] for entry in record["gradient"] if entry["num_layers"] == 100]
    rows = [
        ("a step faster than RevGNN's on an edge_index, k = 4", ">=", 35, over(step(REFERENCE), [4], "nets")),
        ("a step faster than RevGNN's on an edge_index, k = 64", ">=", 15, over(step(REFERENCE), [64], "nets")),
        ("via edges, faster than RevGNN csr, k <= 16", ">=", 3, over(step("RevGNN csr"), [4, 8, 16], "edges")),
        ("via nets, k = 16, faster than the best peer", ">=", 2, over(peer_step, [16], "nets")),
        *((f"via nets, k = {x}, in multiples of its floor", "<=", 2, over_floor(x)) for x in (4, 16, 64)),
        ("row-wise top k, k = 8 .. 32, faster than torch.topk", ">=", 3, min(top_k, default=math.nan)),
        ("100 layers, relative error of the float32 gradient", "<=", 1e-3, max(errors, default=math.nan)),
        *_of_memory(record),
    ]
    frame = pd.DataFrame(rows, columns=["target", "sign", "bound", "measured"])
    frame["met"] = [
        None if math.isnan(m) else bool(m >= b if sign == ">=" else m <= b)
        for sign, b, m in zip(frame["sign"], frame["bound"], frame["measured"], strict=True)
    ]
    return frame


def _of_memory(record: dict) -> Iterator[tuple[str, str, float, float]]:
    """The targets that compare depths; none where there is one depth."""
    depths, hidden = record["parameters"]["memory_layers"], record["parameters"]["hidden"]
    low, high = depths[0], depths[-1]
    if low == high:
        return
    nodes, d = record["graph"]["nodes"], hidden // 2
    state = 16 * (high - low) * 2 * (d * d + 3 * d)
    kept = (high - low) * nodes * 16 * (4 + index_dtype(d).itemsize)
    rows = {entry["name"]: entry for entry in record["rows"]}
    for name, entry in rows.items():
        growth = _growth(entry, high) - _growth(entry, low) - state
        if name == "GSR k=16 nets":
            words = f"sparse, k = 16: growth of the peak from {low} to {high} layers over the CBSR bytes"
            yield words, "<=", 1.05, growth / kept
        elif name.startswith("GSR dense"):
            words = f"dense: growth of the peak from {low} to {high} layers, in streams [N, {hidden}]"
            yield words, "<=", 0.05, growth / (4 * nodes * hidden)
    theirs = [growth for depth in depths if not math.isnan(growth := _growth(rows.get(REFERENCE), depth))]
    ours = _growth(rows.get("GSR k=16 nets"), high)
    words = f"peak below RevGNN's on an edge_index, k = 16, {high} layers, percent"
    yield words, ">=", 87.2, 100 * (1 - ours / max(theirs, default=math.nan))


def _growth(entry: dict | None, depth: int) -> float:
    """Bytes that the peak adds; NaN where the row or its memory is missing."""
    memory = entry["memory"].get(str(depth), {}) if entry else {}
    return memory.get("peak", math.nan) - memory.get("before", math.nan)
