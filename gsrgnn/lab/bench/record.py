"""The bench's record: its format, read back and checked, and its rows for other records.

What `side_by_side.run` writes, and nothing else, is read: a row, a number or a time that cannot be is refused.
"""

import math
from collections.abc import Callable
from pathlib import Path
from statistics import median

from gsrgnn.lab import measure
from gsrgnn.lab.bench.contenders import rows
from gsrgnn.lab.bench.floor import floors
from gsrgnn.lab.bench.trainer import PHASES
from gsrgnn.lab.files import shown
from gsrgnn.lab.records import checksum, load, read_each
from gsrgnn.provenance import machine, provenance

FORMAT = "gsrgnn bench 2"
OLDER = ("gsrgnn bench 1",)  # their floor was of dense products, the same for every k
STATES = ("measured", "left out", "not installed", "failed", "not reached")


def read(path: Path | str) -> dict:
    """The record at ``path``.

    Raises ValueError, naming the file and what is wrong, where it is no record of `side_by_side.run`, lacks a row or a
    number, holds one that cannot be, or was changed since it was written; FileNotFoundError where there is none.
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


def read_all(folder: Path | str = "results", device: str = "cpu") -> tuple[list[dict], list[str]]:
    """Every complete record of `side_by_side.run` on a device in ``folder``, and what is wrong with the others."""
    paths = [
        path
        for path in sorted(Path(folder).glob("bench-*.json"))
        if not path.name.endswith(".partial.json") and path.name.startswith("bench-cuda-") == (device == "cuda")
    ]
    return read_each(paths, read)


def earlier(path: Path, parameters: dict, read: Callable[[Path], dict] = read) -> dict | None:
    """The record at ``path`` that a call with these parameters goes on from; None where there is none.

    It is none where this code, its versions or this machine are not those that it was made with.
    """
    try:
        record = read(path)
    except (FileNotFoundError, ValueError):
        return None
    then, now = ({**made, "date": None} for made in (record.get("provenance", {}), provenance()))
    return record if (record.get("parameters"), then) == (parameters, now) else None


def calls(record: dict) -> str:
    """When each part of the record was measured, in words, where that was in several calls; else nothing."""
    there = [call for call in record.get("calls", []) if call["measured"]]  # without a window there are none
    counts = [f"{len(call['measured'])} parts {call['date']}" for call in there]
    return f"measured in {len(there)} calls, on this machine and by this code: {', '.join(counts)}" * (len(there) > 1)


def differences(record: dict) -> dict[str, tuple[str, str]]:
    """What a record was made with that is not so here: name -> (then, now), of the code hash and the machine."""
    then, now = record["provenance"], provenance()
    names = ("code hash", *machine())
    return {name: (then.get(name, "?"), now[name]) for name in names if then.get(name) != now[name]}


def observations(record: dict) -> list[dict]:
    """The rows of the record as flat dicts, one a contender and depth of the memory: what `records.publish` takes.
    One a contender where no memory was asked for.

    Seconds are medians, with the lowest and the highest time; bytes are those of the record. GSR-GNN's have a floor.
    """
    found, least = [], floors(record)
    for entry in record["rows"]:
        line = {
            "contender": entry["name"],
            "ours": entry["ours"],
            "state": entry["state"],
            "note": entry["note"],
            "kept_bytes": entry.get("kept_bytes"),
        }
        if entry["name"] in least:
            line["floor_seconds"] = sum(least[entry["name"]].values())
        for phase, seconds in entry.get("seconds", {}).items():
            times = entry["times"][phase]
            line |= {f"{phase}_seconds": seconds, f"{phase}_low": min(times), f"{phase}_high": max(times)}
        found += [
            line | {"memory_layers": int(depth), **{f"memory_{name}": value for name, value in memory.items()}}
            for depth, memory in entry["memory"].items()
        ] or [line]
    return found


class _Wrong(Exception):
    pass


_PARTS = {
    "format": str,
    "complete": bool,
    "parameters": dict,
    "graph": dict,
    "threads": dict,
    "provenance": dict,
    "speeds": dict,
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
_GRAPH = ("nodes", "edges", "nets", "pins", "features", "summed_nets", "entries")
_ROW = {"name": str, "ours": bool, "state": str, "note": str, "memory": dict}


def _check(record):
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        made = record.get("format") if isinstance(record, dict) else None
        older = f", but of the older {made!r}" if made in OLDER else ""
        raise _Wrong(f"is no record of the format {FORMAT!r}{older}")
    _has(record, _PARTS, "the record")
    _has(record["parameters"], _PARAMETERS, "parameters")
    _has(record["graph"], dict.fromkeys(_GRAPH, int), "graph")
    _has(record["threads"], {"torch": int, "numba": int}, "threads")
    _has(record["provenance"], {"code hash": str, "date": str, "CPU": str, "torch": str}, "provenance")
    for name in ("multiplications", "bytes"):
        _positive(record["speeds"], name, "speeds")
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
    for call in record.get("calls", ()):
        _has(call, {"date": str, "measured": list}, "a call")
    for entry in record.get("profile", ()):  # earlier records have none
        _has(entry, {"row": str, "name": str, "calls": int, "seconds": float, "moved_bytes": int}, "the profile")
    for entry in record.get("as_run", ()):
        _has(entry, {"row": str, "name": str, "seconds": float, "page_faults": int}, "as a user runs it")
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
