"""A record shown: as a frame, and in text."""

import math

import pandas as pd

from gsrgnn.lab.bench.contenders import REFERENCE
from gsrgnn.lab.bench.floor import floors
from gsrgnn.lab.bench.record import calls
from gsrgnn.lab.bench.trainer import PHASES


def table(record: dict) -> pd.DataFrame:
    """The record as a frame, a row a contender, in its order. From a GPU it has further columns: the step as one CUDA
    graph, and the peaks of active and of reserved memory.

    Columns: forward, backward and step in ms (medians); kept for the backward pass, peak memory and growth by depth,
    in MB of 10^6 bytes; how many times faster the step is than RevGNN's on an edge_index and than the best other
    model's (`best_peer`); how many times its floor a row of GSR-GNN takes; and a note where something is missing.
    Growth is what the peak adds to the process before the model was made.
    """
    reference, peer, least = step_seconds(record, REFERENCE), best_peer(record), floors(record)
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
            "this / floor": step / sum(least.get(entry["name"], {"": math.nan}).values()),
            "note": "; ".join(notes),
        }
        shown.append(line)
    return pd.DataFrame(shown).set_index("row")


def report(record: dict) -> str:
    """The record in text: what was run and where, the table, and what its ratios refer to."""
    p, graph, speeds, made = (record[part] for part in ("parameters", "graph", "speeds", "provenance"))
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
        *filter(None, [calls(record)]),
        "",
        shown.to_string(formatters=formats, na_rep="-", sparsify=False),
        "",
        f"* {REFERENCE}: its step over this row's",
        f"best peer  {peer['name']}, {peer['seconds']['step'] * 1e3:,.1f} ms" if peer else "best peer  none",
        f"floor      in ms, at {speeds['multiplications'] / 1e9:,.0f} billion multiplications and "
        f"{speeds['bytes'] / 1e9:,.1f} GB a second: {_floor_words(record)}",
        *(
            f"{entry['row']}, {entry['name']}: {entry['seconds'] * 1e3:,.1f} ms, {entry['page_faults']:,} page faults"
            for entry in record.get("as_run", ())
        ),
        *(f"{name}: {note}" for name, note in notes.items() if note),
    ]
    return "\n".join(lines if record["complete"] else ["INCOMPLETE: the run ended early", *lines])


def _floor_words(record):
    return ", ".join(f"{name} {sum(terms.values()) * 1e3:,.1f}" for name, terms in floors(record).items()) or "no GSR"


def _two_lines(name):
    if name.startswith("RevGNN"):
        return "RevGNN*", "/ this"
    first, _, second = name.partition(", " if ", " in name else " / " if " / " in name else " ")
    return (first, f"/ {second}") if " / " in name else (first, second)


def best_peer(record: dict) -> dict | None:
    """The row of the fastest step among the models that are not GSR-GNN; None where none was measured."""
    peers = [entry for entry in record["rows"] if not entry["ours"] and entry["state"] == "measured"]
    return min(peers, key=lambda entry: entry["seconds"]["step"], default=None)


def step_seconds(record: dict, name: str) -> float:
    """Of the row of this name; NaN where it was not measured."""
    measured = {entry["name"]: entry["seconds"] for entry in record["rows"] if entry["state"] == "measured"}
    return measured[name]["step"] if name in measured else math.nan
