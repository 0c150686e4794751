"""R2G: open designs that OpenROAD placed and routed in NanGate45, as DEF files in the folder that R2G_ROOT names.

`placement_def/NAME_place.def` is a design placed, `routing_def/NAME_route.def` the same routed, either of them plain or
gzip. `r2g/NAME` is the routed one, or where that is not there the placed one. The two can differ by buffers that the
flow put in between.
"""

import os
from pathlib import Path

from gsrgnn.circuits.circuitnet import Folder

VARIABLE = "R2G_ROOT"
SOURCE = "OpenROAD routes (R2G)"
_KINDS = {"routing_def": "_route", "placement_def": "_place"}
_SUFFIXES = (".def", ".def.gz")


def names(root: Folder | None = None) -> list[str]:
    """ "r2g/fir" and so on, of the designs under `root` (or R2G_ROOT); none without."""
    folder = _root(root)
    if folder is None:
        return []
    found = {
        file.name.removesuffix(".gz").removesuffix(".def").removesuffix(end)
        for kind, end in _KINDS.items()
        for file in (folder / kind).glob(f"*{end}.def*")
        if file.name.endswith(_SUFFIXES)
    }
    return [f"r2g/{name}" for name in sorted(found)]


def path(name: str, root: Folder | None = None) -> Path:
    """The DEF file of `name`, "r2g/fir". FileNotFoundError says what to set or fetch, or lists the names there are."""
    folder = _root(root)
    if folder is None:
        raise FileNotFoundError(f"R2G's folder is not known: set {VARIABLE} to it, or run gsrgnn data fetch r2g")
    design = name.removeprefix("r2g/")
    for kind, end in _KINDS.items():
        for suffix in _SUFFIXES:
            file = folder / kind / f"{design}{end}{suffix}"
            if name in names(root) and file.is_file():
                return file
    there = ", ".join(names(root)) or "none"
    raise FileNotFoundError(f"no design {name!r:.200} in {folder} (there are: {there}): run gsrgnn data fetch r2g")


def is_one(file: Path) -> bool:
    """Whether a DEF file is R2G's: it lies in a folder routing_def or placement_def under a name of R2G's kind."""
    end = _KINDS.get(file.absolute().parent.name)
    return end is not None and file.name.endswith(tuple(end + suffix for suffix in _SUFFIXES))


def _root(root):
    root = root or os.environ.get(VARIABLE)
    return Path(os.fsdecode(root)).expanduser() if root else None
