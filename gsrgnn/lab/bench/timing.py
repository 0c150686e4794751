"""The times: every contender makes one step in turn, round by round."""

from collections.abc import Callable
from statistics import median

from torch import Tensor

from gsrgnn.graph import CircuitGraph
from gsrgnn.lab import measure
from gsrgnn.lab.bench.contenders import Row
from gsrgnn.lab.bench.trainer import PHASES, Trainer
from gsrgnn.lab.window import Window

SPEEDS = "speeds"


def measure_times(
    record: dict,
    contenders: list[Row],
    inputs: dict[str, Tensor],
    graphs: dict[str, CircuitGraph],
    measure_speeds: Callable[[], dict[str, float]],
    window: Window,
    say: Callable[[str], None],
) -> None:
    """Put into the record's rows what came of each: its times, or why it has none; into "speeds" the highest.

    A row is left out where a step with one layer, times the depth, is over the limit. The times are followed by the
    bytes that each keeps and, on a GPU, by GSR-GNN's step as one CUDA graph. Raises `Closed` where all that is not
    expected to fit into the window: rows that take turns are measured in one go.
    """
    parameters = record["parameters"]
    depth, entries, trainers, calls = parameters["layers"], {}, {}, {SPEEDS: measure_speeds}
    for row, entry in zip(contenders, record["rows"], strict=True):
        entries[row.name] = entry
        try:
            shallow = Trainer(row, inputs, graphs, parameters["hidden"], 1)
            seconds = [shallow.timed_step()["step"] for _ in range(2)]  # the first makes what the graph keeps
            entry["layer_seconds"] = min(seconds)
            within(entry, depth, parameters["limit"])
            say(f"{row.name}: at most {depth * entry['layer_seconds']:.2g} s a step")
            trainers[row.name] = Trainer(row, inputs, graphs, parameters["hidden"], depth)
            calls[row.name] = trainers[row.name].timed_step
        except Exception as error:
            _fail(entry, error, say)
    say(f"{len(trainers)} of {len(contenders)} rows, a warm-up and {parameters['steps']} rounds")
    turn = depth * sum(entries[name]["layer_seconds"] for name in trainers)
    captured = parameters["device"] == "cuda"  # as many steps again for GSR-GNN's
    window.need(max((parameters["steps"] + 2) * turn * (1 + captured), record.get("had", 0.0)), "the times of all rows")
    for name, result in measure.in_turn(calls, parameters["steps"]):
        if name == SPEEDS:  # the highest: it is what the machine can do
            if not isinstance(result, Exception):
                record[SPEEDS] = {kind: max(speed, result[kind]) for kind, speed in record[SPEEDS].items()}
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
            kept = trainer.kept()
            if parameters["device"] == "cuda" and entries[name]["ours"]:
                try:
                    entries[name]["captured_seconds"] = trainer.captured_seconds(parameters["steps"])
                except RuntimeError as error:
                    say(f"{name}: no CUDA graph: {measure.describe(error)}")
            entries[name]["kept_bytes"] = kept


def timed(record: dict) -> bool:
    """Whether `measure_times` has come to its end, for every row."""
    states = {entry["state"] for entry in record["rows"]}
    return "not reached" not in states and all(
        "kept_bytes" in entry for entry in record["rows"] if entry["state"] == "measured"
    )


class LeftOut(Exception):
    """A row that takes too long is not measured."""


def within(entry: dict, depth: int, limit: float) -> None:
    """Raises `LeftOut` where a step of this depth is expected to take longer than ``limit`` seconds."""
    if "layer_seconds" not in entry:
        raise LeftOut(entry["note"])
    if (expected := depth * entry["layer_seconds"]) > limit:
        raise LeftOut(f"a step of {depth} layers would take about {expected:.0f} s, over the limit of {limit:g} s")


def _fail(entry, error, say):
    for part in ("times", "seconds"):
        entry.pop(part, None)
    kind = {LeftOut: "left out", ModuleNotFoundError: "not installed"}.get(type(error), "failed")
    entry |= {"state": kind, "note": measure.describe(error) if kind == "failed" else str(error)}
    say(f"{entry['name']}: {kind}: {entry['note']}")
