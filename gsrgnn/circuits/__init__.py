"""Circuits by name: CircuitNet's own files, netlists that ship with the package, synthetic ones of any size.

A reader makes a `netlist.Netlist` of files that it does not trust, `data.to_data` adds features and a label. Circuits
know graphs and no model.
"""

import os
import re
import reprlib
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, TypeAlias

from gsrgnn.circuits import bookshelf, circuitnet, congestion, netlist_file, packaged, r2g, synthetic, table1
from gsrgnn.circuits.bookshelf import read_bookshelf as read_bookshelf
from gsrgnn.circuits.circuitnet import Folder
from gsrgnn.circuits.congestion import Combine
from gsrgnn.circuits.data import SOURCES, Features, Source, Units, check_choice, check_choices, to_data
from gsrgnn.circuits.data import Circuit as Circuit
from gsrgnn.circuits.design import Design as Design
from gsrgnn.circuits.design import read_def as read_def
from gsrgnn.circuits.lef import Files as Files
from gsrgnn.circuits.netlist import Netlist
from gsrgnn.circuits.usage import usage

Label: TypeAlias = Literal["auto"] | Source

LABELS: tuple[Label, ...] = ("auto", *SOURCES)
_PAPER = "circuitnet/7157-zero-riscy-a-1-c2-u0.8-m1-p1-f0"
_SHIPPED = "riscv/picorv32"
_ANY_SIZE = "synthetic/5000"


def load(
    name: str | os.PathLike[str],
    root: Folder | None = None,
    *,
    features: Features = "netlist",
    label: Label = "auto",
    combine: Combine = "max",
    units: Units = "largest",
    lef: Files | None = None,
) -> Circuit:
    """A circuit as `Circuit`, a `torch_geometric.data.Data` whose pins PyG's batches renumber.

    name: "riscv/<core>" and what else ships (`gsrgnn data list`), "synthetic/<cells>", "synthetic/356-R" and the like
    (stand-ins for the paper's Table 1), "circuitnet/<placement>" or "r2g/<design>" (files under `root`, else the
    variable CIRCUITNET_ROOT or R2G_ROOT). Or the path of a file: `.def` or `.def.gz` (`read_def`), `.aux` (Bookshelf,
    `read_bookshelf`) or `.npz` (of `gsrgnn data build` and `gsrgnn data layouts`).
    features: what x holds. "netlist": what is known before placement; nothing in it depends on where a cell lies, and
    numbers are of mean 0 and deviation 1 in each circuit. "placed": these, and what is known after placement and before
    routing; nothing in it is a router's, nothing is scaled by the circuit's own numbers
    (`gsrgnn.circuits.placement_features`). Take "placed" to predict circuits that the model has not seen.
    label: "circuitnet" (CircuitNet's own congestion maps), "wires" (what the wires of a routed DEF take of its tracks,
    `gsrgnn.circuits.usage`), "routed" (simulated global routing), "rudy" (simulated wire density), or "auto":
    CircuitNet's maps or a DEF's wires where they are found, else "routed", with a warning for a circuit of
    CircuitNet's.
    lef: LEF files with the sizes of a DEF's cells.
    combine: how a gcell's horizontal and vertical overflow become one number: "max", "sum", "horizontal" or
    "vertical"; or "both", a column each. A cell has the mean over the gcells it covers.
    units: of the label. "largest": the circuit's largest is 1. "capacity": as the maps are, so that 0.1 means the same
    in every circuit: overflow over capacity for "circuitnet" and "routed", wires over tracks for "wires", where 1 is
    full. "rudy" knows neither a capacity nor two directions.

    The data holds, for N cells, P pins and a die of W x H gcells:

    - x float32 [N, F], columns `feature_names`; features, "netlist" or "placed"
    - y float32 [N, 1], the label, made as `label_source` says and divided by `label_scale`: its largest value, or 1
      where `units` is "capacity". [N, 2], horizontal and vertical, where `combine` is "both"
    - pos float32 [N, 2], centres in gcells
    - gcell int64 [N, 4], the gcells covered (left, bottom, right, top, inclusive); grid (W, H)
    - cell and net int64 [P], the pins; n_id int64 [N], 0 to N - 1, by which reordered cells are noticed
    - cells_in_netlist and cells_in_placement, of which the N cells are those in both; a warning where they are fewer
      than 80% of the netlist's, an error below 50% (`gsrgnn.circuits.circuitnet`)
    - train_mask, val_mask, test_mask bool [N]; name; label, one of "circuitnet", "wires", "routed", "rudy"
    - but for "rudy": combine; share, of the cells with a label above 0; for "routed" and "wires" capacity, of a
      gcell's horizontal and vertical wires

    ValueError lists the names there are when this is none of them, or names the file that is damaged;
    FileNotFoundError names what is missing. Both say how to mend it.
    """
    given = _text(name)
    check_options(given, label, combine, features, units)
    kind, _, rest = ("a file", "", "") if is_file(given) else given.partition("/")
    if label == "circuitnet" and kind != "circuitnet":
        raise ValueError(f"{given!r} has no label of CircuitNet's: use label='routed' or label='rudy'")
    path = _def_file(given, root)
    if path is None and (label == "wires" or lef is not None):
        asked = "label='wires'" if label == "wires" else "lef"
        raise ValueError(f"{asked} goes with a DEF file, which {given!r:.200} is not")
    if path is not None:
        return _of_design(read_def(path, lef, name=given), path, label, combine, features, units)
    netlist, maps = _read(given, root)
    if label == "auto":
        label = "circuitnet" if kind == "circuitnet" and circuitnet.real_label(rest, root) else "routed"
    if label == "circuitnet":
        maps = congestion.Congestion(*circuitnet.overflow(rest, netlist.box, root), capacity=None, share=None)
    return to_data(netlist, label, combine, maps, features=features, units=units)


def read(name: str | os.PathLike[str], root: Folder | None = None) -> Netlist:
    """The `Netlist` of that name, with neither features nor label; names and errors are those of `load`."""
    return _read(name, root)[0]


def known(
    name: str | os.PathLike[str], root: Folder | None = None, *, lef: Files | None = None
) -> tuple[Netlist, Source | None, congestion.Congestion | None]:
    """The netlist of that name with the label that it comes with, as `data.to_data` takes them: none is simulated here.

    (netlist, label, maps): "circuitnet" where CircuitNet's maps are found, "wires" for a routed DEF with tracks,
    "routed" for what ships and files with their routing; else None and None. Names, lef and errors are those of `load`.
    """
    given = _text(name)
    path = _def_file(given, root)
    if path is None and lef is not None:
        raise ValueError(f"lef goes with a DEF file, which {given!r:.200} is not")
    if path is not None:
        design = read_def(path, lef, name=given)
        try:
            return design.netlist, "wires", usage(design)
        except ValueError:  # no wires, or no tracks for them
            return design.netlist, None, None
    netlist, maps = _read(given, root)
    kind, _, rest = given.partition("/")
    if kind == "circuitnet" and circuitnet.overflow_files(rest, root):
        maps = congestion.Congestion(*circuitnet.overflow(rest, netlist.box, root), capacity=None, share=None)
        return netlist, "circuitnet", maps
    return netlist, "routed" if maps else None, maps


def available(root: Folder | None = None) -> list[str]:
    """Names that load now: CircuitNet's placements and R2G's designs found, what ships, stand-ins, one of the sizes."""
    placements = (f"circuitnet/{name}" for name in circuitnet.placements(root))
    return [*placements, *r2g.names(root), *packaged.names(), *_stand_ins(), _ANY_SIZE]


def is_file(name: str) -> bool:
    """Whether `name` is the path of a file, by its ending."""
    return _is_def(name) or Path(name).suffix.lower() in _READERS


def sources(name: str, root: Folder | None = None) -> list[Path]:
    """The files that the circuit `name`, a file's path or one of R2G's, is read from; none for any other."""
    if path := _def_file(name, root):
        return [path]
    if not is_file(name):
        return []
    return [Path(name), *(bookshelf.sources(name).values() if name.lower().endswith(".aux") else ())]


def default() -> str:
    """The circuit the book runs on: CircuitNet's 7157 where its files are found, else a shipped one."""
    return _PAPER if _PAPER in available() else _SHIPPED


def _stand_ins():
    return [f"synthetic/{row.code}" for row in table1.rows()]


def check_options(
    name: str, label: Label, combine: Combine, features: Features = "netlist", units: Units = "largest"
) -> None:
    """ValueError unless `name` is text, and the others are what `load` takes."""
    _text(name)
    check_choice("label", label, LABELS)
    check_choice("combine", combine, congestion.COMBINE)
    check_choices(label, combine, features, units)


def _text(name):
    name = os.fspath(name) if isinstance(name, os.PathLike) else name
    if not isinstance(name, str):
        raise ValueError(f"name is {reprlib.repr(name)}: it takes text, as {_SHIPPED!r}")
    return name


def _read(name, root):
    """The netlist of a name and, where they ship with it, its congestion maps."""
    name = _text(name)
    if path := _def_file(name, root):
        return read_def(path, name=name).netlist, None
    if is_file(name):
        return _READERS[Path(name).suffix.lower()](name)
    kind, _, rest = name.partition("/")
    if kind == "circuitnet" and circuitnet.is_name(rest):
        return circuitnet.read(rest, root), None
    if kind == "circuitnet" and circuitnet.is_n14_name(rest):
        raise ValueError(f"{name!r} is of CircuitNet-N14, whose files are not read here: take one of CircuitNet-N28")
    if name in packaged.names():
        return packaged.read(name)
    if name in _stand_ins():
        return table1.stand_in(rest), None
    if kind == "synthetic" and re.fullmatch("[0-9]+", rest):
        digits = rest.lstrip("0") or "0"
        cells = int(digits[:20])
        if not synthetic.MIN_CELLS <= cells <= synthetic.MAX_CELLS:
            limits = f"{synthetic.MIN_CELLS:,} to {synthetic.MAX_CELLS:,}"
            asked = f"{cells:,}{'...' if digits[20:] else ''}"
            raise ValueError(f"{reprlib.repr(name)} asks for {asked} cells: synthetic circuits have {limits}")
        if rest[0] == "0":
            raise ValueError(f"{reprlib.repr(name)}: did you mean synthetic/{cells}?")
        return synthetic.generate(cells), None
    names = available(root)
    close = get_close_matches(name[:200], names, n=3)
    meant = f"did you mean {' or '.join(close)}? " if close else ""
    found = [known for known in names if known.startswith(("circuitnet/", "r2g/"))]
    listed = [*found[:10], *(["..."] if found[10:] else []), *names[len(found) :]]
    raise ValueError(
        f"no circuit {name[:200]!r}: {meant}there are {', '.join(listed)} "
        f"(synthetic/<cells> for any number of cells; circuitnet/... needs {circuitnet.VARIABLE}, r2g/... needs "
        f"{r2g.VARIABLE})"
    )


def _is_def(name):
    return name.lower().endswith((".def", ".def.gz"))


def _def_file(name, root):
    """The DEF file of `name`, or None where it is no DEF."""
    if _is_def(name):
        return Path(name)
    return r2g.path(name, root) if name.startswith("r2g/") else None


def _of_design(design, path, label, combine, features, units):
    if label == "auto":
        label = "wires" if len(design.wires.net) else "routed"
    maps = usage(design) if label == "wires" else None
    data = to_data(design.netlist, label, combine, maps, features=features, units=units)
    if label == "wires" and r2g.is_one(path):
        data.label_source = r2g.SOURCE
    return data


def _read_aux(path):
    return read_bookshelf(path), None


def _read_npz(path):
    netlist, maps, _ = netlist_file.read(path)
    return netlist, maps


def _read_verilog(path):
    raise ValueError(
        f"{path} is Verilog, which has to be synthesised, placed and routed first: "
        f"gsrgnn data build {path} --top MODULE -o FILE.npz, and load that"
    )


_READERS = {".aux": _read_aux, ".npz": _read_npz, ".v": _read_verilog, ".sv": _read_verilog}
