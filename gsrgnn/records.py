"""Records of experiments: one JSON file a point, checked against a schema and against changes by hand.

A record is a dict: the point's parameters and the notebook's defaults beside them, its rows (flat, one observation
each), the key it was made from, seconds, provenance, and a checksum over all of it. `record.schema.json` says what
belongs in one.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import jsonschema
import pandas as pd
from jsonschema.protocols import Validator

FORMAT = "gsrgnn point 1"
MIME = "application/vnd.gsrgnn.rows+json"
MEASURED, OUT_OF_MEMORY = "measured", "out of memory"


def publish(rows, label_source, threads):
    """Show ``rows`` in a notebook and hand them to whoever runs it, who writes the record.

    Args:
        rows: a DataFrame or a list of dicts, one an observation; a number that is not finite becomes null.
        label_source: where the circuit's label comes from.
        threads: how many each library uses, by its name.
    """
    from IPython.display import display

    frame = pd.DataFrame(rows)
    made = {"label source": label_source,
            "threads": ", ".join(f"{count} {library}" for library, count in threads.items())}
    observations = [{name: _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]
    display({MIME: {"rows": observations, "made": made}, "text/html": frame._repr_html_(), "text/plain": str(frame)},
            raw=True)


def published(notebook):
    """What an executed notebook handed over: ``{"rows", "made"}``. Raises ValueError where there is not one of it."""
    outputs = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    handed = [data[MIME] for data in outputs if MIME in data]
    if len(handed) != 1:
        raise ValueError(f"the notebook calls records.publish {len(handed)} times: once is needed, at its end")
    return json.loads(json.dumps(handed[0]))


def write(record, path):
    """Write the record as JSON with its checksum, at a temporary name that is renamed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    record["checksum"] = checksum(record)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def checksum(record):
    """SHA-256 of the record's content, the checksum itself left out."""
    content = {name: value for name, value in record.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read(path):
    """The record at ``path``.

    Raises ValueError, naming the file and what is wrong, where it does not fit the schema or was changed since it was
    written; FileNotFoundError where there is none.
    """
    path = Path(path)
    try:
        record = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON ({error})") from None
    check(record, path)
    if record["checksum"] != checksum(record):
        raise ValueError(f"{path} was changed after it was written (its checksum does not fit)")
    return record


def check(record, where):
    """Raises ValueError, saying where, for a record that does not fit the schema."""
    if error := jsonschema.exceptions.best_match(_validator().iter_errors(record)):
        raise ValueError(f"{where} does not fit the schema at {error.json_path}: {error.message[:200]}")


def read_all(folder: Path, experiment: str = "*") -> tuple[list[dict], list[str]]:
    """Every record of an experiment under ``folder``, and what is wrong with the files that are none of them."""
    found, wrong = [], []
    for path in sorted(Path(folder).glob(f"{experiment}/*.json")):
        try:
            record = read(path)
            if record["experiment"] != path.parent.name:
                raise ValueError(f"{path} is a record of {record['experiment']!r}: it lies in the wrong folder")
        except ValueError as error:
            wrong.append(str(error))
        else:
            found.append(record)
    return found, wrong


def frame(found: Iterable[dict]) -> pd.DataFrame:
    """Records as one tidy frame: a line a row, with the point's parameters and where it was made.

    Columns: all parameters; the row's own, which win where a name is in both; ``record state`` ("measured" or "out of
    memory", whose one line has no values), ``machine``, ``label source``, ``date`` and ``code hash``.
    """
    lines = []
    for record in found:
        made = record["provenance"]
        about = {"record state": record["state"], "machine": machine_in_words(made),
                 **{name: made[name] for name in ("label source", "date", "code hash")}}
        given = {name: str(value) if isinstance(value, list) else value
                 for name, value in (record["parameters"] | record["defaults"]).items()}
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


def _plain(value):
    """A NumPy scalar as Python's, a number that is not finite as None."""
    value = value.item() if hasattr(value, "item") else value
    return None if value is pd.NA or isinstance(value, float) and not math.isfinite(value) else value
