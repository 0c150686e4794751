"""With what the records were made: machines and versions, the experiments of each, and what the book is pinned to."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from gsrgnn.lab import kernel_table, records
from gsrgnn.lab.bench import record as bench

ABOUT: tuple[str, ...] = ("date", "code hash", "label source")
"""What provenance says of one record; the rest is machine and versions."""

NOT_SAID: str = "not said"

READERS: dict[str, tuple[str, Callable[[Path], dict]]] = {
    "bench-*.json": ("bench", bench.read),
    "kernels-*.json": ("bench, kernels", kernel_table.read),
    "circuits.json": ("data table", records.read_circuits),
    "routers.json": ("data routers", records.read_routers),
}
"""Records that lie beside the experiments' folders: name of the file -> what made it, and how it is read."""


def read(folder: Path | str) -> tuple[pd.DataFrame, list[str]]:
    """A line for each record under ``folder``, and in words what is wrong with the files that are none.

    Columns: ``made`` (the experiment, or the command), ``date`` (text), ``code hash``, and what the record's provenance
    says of machine and versions, "not said" where one does not have what others have.
    """
    points, wrong = records.read_all(folder)
    found = [(record["experiment"], record) for record in points]
    for pattern, (made, reader) in READERS.items():
        whole = [path for path in sorted(Path(folder).glob(pattern)) if not path.name.endswith(".partial.json")]
        read_now, not_read = records.read_each(whole, reader)
        found += [(made, record) for record in read_now]
        wrong += not_read
    said = [{name: str(value) for name, value in record["provenance"].items()} for _, record in found]
    lines = pd.DataFrame([{"made": made, "GPU": NOT_SAID} | each for (made, _), each in zip(found, said, strict=True)])
    return lines.drop(columns="label source", errors="ignore").fillna(NOT_SAID), wrong


def on_gpu(lines: pd.DataFrame) -> pd.DataFrame:
    """Those of the lines that say on which GPU they were made."""
    return lines[~lines["GPU"].isin(["none", NOT_SAID])] if len(lines) else lines


def common(lines: pd.DataFrame) -> pd.Series:
    """What machine and versions have in common in all of these lines: name -> value."""
    return lines[[name for name in _kept(lines) if lines[name].nunique() == 1]].iloc[0].rename(None)


def environments(lines: pd.DataFrame) -> pd.DataFrame:
    """A row for each machine and set of versions, numbered from 1, the most records first.

    Columns: ``environment``, ``records``, how many, and what differs from row to row.
    """
    grouped = _numbered(lines).groupby("environment")
    differing = [name for name in _kept(lines) if name not in common(lines)]
    return grouped.agg(records=("made", "size")).join(grouped[differing].first()).reset_index()


def made(lines: pd.DataFrame) -> pd.DataFrame:
    """A row for each environment and what was made there.

    Columns: ``environment``, ``made``, ``records``, ``days`` (the first and the last) and ``code``: the hashes of the
    code, each with how many records have it where it is more than one.
    """
    grouped = _numbered(lines).groupby(["environment", "made"])
    return grouped.agg(records=("made", "size"), days=("date", _days), code=("code hash", _counted)).reset_index()


def pinned(lock: Path | str) -> pd.Series:
    """Package -> version, as the lock has them; a condition, as on the platform, is added in brackets.

    Raises ValueError for a line that pins nothing.
    """
    found = {}
    for line in Path(lock).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            package, pin, rest = line.partition("==")
            if not pin:
                raise ValueError(f"{lock}: {line!r} pins no version")
            version, _, condition = (part.strip() for part in rest.partition(";"))
            found[package.strip()] = f"{version} ({condition})" if condition else version
    return pd.Series(found, dtype=str)


def _kept(lines):
    return [name for name in lines.columns if name not in ("made", *ABOUT)]


def _numbered(lines):
    """The lines with a column ``environment``: 1 for the one of most records, and so on."""
    key = lines[_kept(lines)].agg("\n".join, axis=1)
    numbers = {one: number for number, one in enumerate(key.value_counts().index, start=1)}
    return lines.assign(environment=key.map(numbers))


def _days(dates):
    return " to ".join(dict.fromkeys((dates.min()[:10], dates.max()[:10])))


def _counted(hashes):
    return ", ".join(f"{one} ({count})" if count > 1 else one for one, count in hashes.value_counts().items())
