"""Records of experiments: one JSON file a point, checked against a schema and against changes by hand.

A record is a dict: the point's parameters and the notebook's defaults beside them, its rows (flat, one observation
each), the key it was made from, seconds, provenance, and a checksum over all of it. `record.schema.json` says what
belongs in one.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pandas as pd
from jsonschema.protocols import Validator

from gsrgnn.lab import files

if TYPE_CHECKING:
    from nbformat import NotebookNode

FORMAT = "gsrgnn point 1"
LARGEST = 100_000_000  # bytes
MIME = "application/vnd.gsrgnn.rows+json"
MEASURED, OUT_OF_MEMORY = "measured", "out of memory"


def publish(rows: pd.DataFrame | list[dict], label_source: str, threads: dict[str, int]) -> None:
    """Show ``rows`` in a notebook and hand them to whoever runs it, who writes the record.

    Args:
        rows: a DataFrame or a list of dicts, one an observation; a number that is not finite becomes null.
        label_source: where the circuit's label comes from.
        threads: how many each library uses, by its name.
    """
    from IPython.display import display

    frame = pd.DataFrame(rows)
    made = {
        "label source": label_source,
        "threads": ", ".join(f"{count} {library}" for library, count in threads.items()),
    }
    observations = [{name: _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]
    display(
        {MIME: {"rows": observations, "made": made}, "text/html": frame._repr_html_(), "text/plain": str(frame)},
        raw=True,
    )


def published(notebook: "NotebookNode") -> dict[str, Any]:
    """What an executed notebook handed over: ``{"rows", "made"}``. Raises ValueError where there is not one of it."""
    outputs = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    handed = [data[MIME] for data in outputs if MIME in data]
    if len(handed) != 1:
        raise ValueError(f"the notebook calls records.publish {len(handed)} times: once is needed, at its end")
    return json.loads(json.dumps(handed[0]))


def write(record: dict, path: Path | str, put: Callable[[str, Path], None] = files.write) -> None:
    """Write the record as JSON with its checksum, by `files.write` or another ``put``. Raises OSError."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    record["checksum"] = checksum(record)
    put(json.dumps(record, indent=1, allow_nan=False) + "\n", path)


def checksum(record: dict) -> str:
    """SHA-256 of the record's content, the checksum itself left out."""
    content = {name: value for name, value in record.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load(path: Path | str) -> Any:
    """What the JSON file at ``path`` holds.

    Raises ValueError, naming the file and what is wrong, where it cannot be read or is not JSON; FileNotFoundError
    where there is none.
    """
    path = Path(path)
    try:
        return json.loads(files.read(path, LARGEST), parse_constant=_no_constant)
    except FileNotFoundError:
        if path.is_symlink():
            raise ValueError(f"{files.shown(path)} is a link to nothing") from None
        raise
    except OSError as error:
        raise ValueError(f"{files.shown(path)} cannot be read ({error.strerror})") from None
    except RecursionError:
        raise ValueError(f"{files.shown(path)} is nested too deep to be a record") from None
    except ValueError as error:
        raise ValueError(f"{files.shown(path)} is not JSON ({error})") from None


def read(path: Path | str) -> dict:
    """The record at ``path``.

    Raises ValueError, naming the file and what is wrong, where it cannot be read, does not fit the schema or was
    changed since it was written; FileNotFoundError where there is none.
    """
    record = load(path)
    try:
        check(record, files.shown(path))
        fits = record["checksum"] == checksum(record)
    except RecursionError:
        raise ValueError(f"{files.shown(path)} is nested too deep to be a record") from None
    if not fits:
        raise ValueError(f"{files.shown(path)} was changed after it was written (its checksum does not fit)")
    return record


def read_circuits(path: Path | str) -> dict:
    """The record of ``gsrgnn data table --json`` at ``path``, but for circuits that did not load. Raises as `load`."""
    record = load(path)
    try:
        here = [entry for entry in record["circuits"] if "error" not in entry]
        whole = all(
            isinstance(entry["circuit"], str) and isinstance(entry[count], int)
            for entry in here
            for count in ("cells", "nets", "pins", "edges")
        )
        whole &= all(isinstance(record["provenance"][name], str) for name in ("date", "code hash", "CPU", "cores"))
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise ValueError(f"{files.shown(path)} is no record of gsrgnn data table: call it again with --json")
    return record | {"circuits": here}


def read_routers(path: Path | str) -> dict:
    """The record of ``gsrgnn data routers --json`` at ``path``. Raises as `load`."""
    record = load(path)
    try:
        whole = all(
            isinstance(entry["circuit"], str)
            and all(isinstance(entry[key], (int, float)) for key in ("cells", "nets", "wire_length", "our_wire_length"))
            and all(value is None or isinstance(value, float) for value in entry["spearman"].values())
            for entry in record["designs"]
        )
        whole &= all(isinstance(record["provenance"][name], str) for name in ("date", "code hash"))
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise ValueError(f"{files.shown(path)} is no record of gsrgnn data routers: call it again with --json")
    return record


def read_each(paths: Iterable[Path], read: Callable[[Path], dict]) -> tuple[list[dict], list[str]]:
    """What ``read`` gives for each path, and in words what is wrong with those for which it raises ValueError."""
    found, wrong = [], []
    for path in paths:
        try:
            found.append(read(path))
        except (ValueError, FileNotFoundError) as error:
            wrong.append(str(error))
    return found, wrong


def check(record: Any, where: str) -> None:
    """Raises ValueError, saying where, for a record that does not fit the schema."""
    if error := jsonschema.exceptions.best_match(_validator().iter_errors(record)):
        raise ValueError(f"{where} does not fit the schema at {error.json_path}: {error.message[:200]}")


def read_all(folder: Path | str, experiment: str = "*") -> tuple[list[dict], list[str]]:
    """Every record of an experiment under ``folder``, and what is wrong with the files that are none of them."""
    paths, unread = [], []
    for inner in _listed(Path(folder), unread):
        if fnmatchcase(inner.name, experiment):
            paths += [path for path in _listed(inner, unread) if path.suffix == ".json"]
    found, wrong = read_each(paths, _read_in_its_folder)
    return found, unread + wrong


def sound_files(folder: Path) -> list[Path]:
    """Every JSON file under ``folder`` that can be read at all."""
    return [path for path in folder.rglob("*.json") if path.is_file() and os.access(path, os.R_OK)]


def _listed(folder: Path, unread: list[str]) -> list[Path]:
    """What lies in a folder; where it cannot be read, that is added to ``unread``."""
    try:
        return sorted(folder.iterdir())
    except NotADirectoryError:
        return []
    except OSError as error:
        if not isinstance(error, FileNotFoundError) or folder.is_symlink():
            unread.append(f"{files.shown(folder)} cannot be read ({error.strerror})")
        return []


def _read_in_its_folder(path: Path) -> dict:
    record = read(path)
    if record["experiment"] != path.parent.name:
        raise ValueError(f"{files.shown(path)} is a record of {record['experiment']!r}: it lies in the wrong folder")
    return record


def frame(found: Iterable[dict]) -> pd.DataFrame:
    """Records as one tidy frame: a line a row, with the point's parameters and where it was made.

    Columns: all parameters; the row's own, which win where a name is in both; ``record state`` ("measured" or "out of
    memory", whose one line has no values), ``machine``, ``label source``, ``date`` and ``code hash``.
    """
    lines = []
    for record in found:
        made = record["provenance"]
        about = {
            "record state": record["state"],
            "machine": machine_in_words(made),
            **{name: made[name] for name in ("label source", "date", "code hash")},
        }
        given = {
            name: str(value) if isinstance(value, list) else value
            for name, value in (record["parameters"] | record["defaults"]).items()
        }
        lines += [given | row | about for row in record["rows"] or [{}]]
    return pd.DataFrame(lines)


def machine_in_words(provenance: dict) -> str:
    """A machine as figures name it: its GPU if it has one, else its CPU and cores."""
    if provenance["GPU"] != "none":
        return provenance["GPU"]
    return f"{provenance['CPU']}, {provenance['cores'].partition(', ')[0]} cores"


@cache
def _validator() -> Validator:
    schema = json.loads(Path(__file__).with_name("record.schema.json").read_text())
    return jsonschema.Draft202012Validator(schema)


def _no_constant(text):
    raise ValueError(f"holds {text} for a number")


def _plain(value):
    """A NumPy scalar as Python's, a number that is not finite as None."""
    value = value.item() if hasattr(value, "item") else value
    return None if value is pd.NA or isinstance(value, float) and not math.isfinite(value) else value
