"""CircuitNet-N28: netlists, placements and congestion maps from its own files.

A placement is named `{id}-{design}-{1..3}-c{clock}-u{utilisation}-m{macros}-p{power mesh}-f{filler}`; the
part from the design to the clock names its netlist. `node_attr` (2, N) holds instance names and cell types,
`net_attr` (1, M) net names, `pin_attr` (3, P) pin names, net indices and node indices; a placement is a
dict {instance: [left, bottom, right, top]} in gcells.

A net index is an int, or for a bus (`Q[31:0]` of a memory) a list of ints: one pin for each entry, so that
a net listed twice has two pins. Cells are the instances found in both netlist and placement, in the
netlist's order; the pins of the others are dropped. The two are of different steps of the flow, so that some of each
are missing from the other: a placement has about 92% of its netlist's instances, a warning says so below `USUAL`, and
below `LEAST` it is refused.

The congestion maps (a separate download, "routability features") are `.npy` files of floats [x, y] on the
placement's gcells: overflow of the global router over its capacity, horizontally and vertically, 0 where there is
none. They lie in `routability_features` or, where CircuitNet's script unpacked them, in
`routability_features_decompressed`; a download in parts puts either into folders `...-001`, `...-002`.
"""

import os
import re
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gsrgnn.circuits.caller import warn_caller
from gsrgnn.circuits.maps import MAX_SIDE, read_map, require
from gsrgnn.circuits.netlist import Netlist
from gsrgnn.circuits.pickled import read_objects

VARIABLE = "CIRCUITNET_ROOT"
MAX_PINS = 10_000_000
Folder: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
USUAL, LEAST = 0.8, 0.5  # share of a netlist's instances that its placement has
_NAME = re.compile(r"[0-9]+-(?P<netlist>[A-Za-z][A-Za-z0-9-]*-[1-3]-c(2|5|20))-u[0-9.]+-m[0-9]+-p[0-9]+-f[0-9]+")
_PLACEMENTS = ("instance_placement_gcell", "instance_placement")
_MAPS = "congestion/congestion_global_routing/overflow_based/congestion_GR_{}_overflow"
_PART = "*-[0-9][0-9][0-9]"
_MAP_FOLDERS = ("routability_features*", ".", f"{_PART}/routability_features*", _PART)
# How the same instance is spelled otherwise, and what makes the spellings one.
_SPELLINGS = {
    "Verilog's escapes (a backslash, a blank at the end)": lambda name: name.replace("\\", "").strip(),
    "what divides the levels of the hierarchy (/ . or |)": lambda name: name.translate(str.maketrans(".|", "//")),
    "brackets ([3], <3> or _3_)": lambda name: name.translate(dict.fromkeys(map(ord, "[<({})>]"), "_")),
    "capital letters": str.casefold,
}


def is_name(name: str) -> bool:
    """Whether a placement could be called so."""
    return _NAME.fullmatch(name) is not None


def is_n14_name(name: str) -> bool:
    """Whether `name` is made as those of CircuitNet-N14 are (RISCY_freq_50_mp_1_...), which is not read."""
    return "_freq_" in name


def placements(root: Folder | None = None) -> list[str]:
    """Names of the placements under `root` (or CIRCUITNET_ROOT) whose netlist is there; none without root."""
    if root is None and not os.environ.get(VARIABLE):
        return []
    netlists, folder = _folders(root)
    names = (file.stem for file in folder.glob("*.npy"))
    return sorted(
        (name for name in names if is_name(name) and all(f.is_file() for f in _files(name, netlists))),
        key=lambda name: int(name.split("-")[0]),
    )


def read(name: str, root: Folder | None = None) -> Netlist:
    """The placement `name` as a Netlist. FileNotFoundError and ValueError name the file and the mend."""
    netlists, folder = _folders(root)
    placement_file = folder / f"{name}.npy"
    if not placement_file.is_file():
        there = ", ".join(placements(root)[:20]) or "none"
        raise FileNotFoundError(
            f"no file {placement_file}: get it from CircuitNet's download (the placements here: {there})"
        )
    node_file, net_file, pin_file = _files(name, netlists)
    instances, cell_type = _rows(node_file, 2)
    (net_names,) = _rows(net_file, 1)
    _, pin_net, pin_node = _rows(pin_file, 3)
    placement, placed_box = _read_placement(placement_file)

    named = all(type(text) is str for text in chain(instances, cell_type))
    require(named, node_file, "a name that is not text")
    require(len(set(instances)) == len(instances), node_file, "an instance name that occurs twice")
    of_bus = [entry if type(entry) is list else (entry,) for entry in pin_net]
    widths = np.fromiter(map(len, of_bus), np.int64, len(of_bus))
    require(widths.sum() <= MAX_PINS, pin_file, f"{widths.sum():,} pins, of {MAX_PINS:,} allowed")
    net = _indices(list(chain.from_iterable(of_bus)), len(net_names), "net", pin_file)
    node = _indices(pin_node, len(instances), "cell", pin_file)
    node = np.repeat(node, widths)

    row = np.fromiter((placement.get(instance, -1) for instance in instances), np.int64, len(instances))
    cells = np.flatnonzero(row >= 0)
    _check_matched(len(cells), instances, placement, node_file, placement_file)
    cell_of_node = np.full(len(instances), -1)
    cell_of_node[cells] = np.arange(len(cells))
    placed = row[node] >= 0
    require(placed.any(), pin_file, "no pin of a placed cell")
    _, net = np.unique(net[placed], return_inverse=True)
    return Netlist(
        name=f"circuitnet/{name}",
        cell=cell_of_node[node[placed]],
        net=net,
        cell_type=[cell_type[i] for i in cells],
        box=placed_box[row[cells]],
        grid=_reached(placed_box),
        named=(len(instances), len(placement)),
        cell_name=[instances[i] for i in cells],
    )


def overflow(name: str, box: np.ndarray, root: Folder | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The congestion maps (horizontal, vertical) of placement `name`, float64 [W, H] each.

    They must cover every `box` (int64 [N, 4]), and are looked for in `routability_features`,
    `routability_features_decompressed` (or with their folder `congestion` alone) and folders `...-001` of them, in or
    beside the folder of the graph features, in `root` and in the folder around it.
    FileNotFoundError and ValueError name the file and the mend.
    """
    files = overflow_files(name, root)
    if files is None:
        file = _folders(root)[0].parent / "routability_features" / _map(name, "horizontal")
        raise FileNotFoundError(
            f"no file {file}: get {name}'s horizontal and vertical overflow from CircuitNet's download (routability "
            f"features), or take a simulated label (label='routed' or label='rudy'); {_looked(root)}"
        )
    horizontal, vertical = map(read_map, files)
    grid, other, reached = horizontal.shape, vertical.shape, _reached(box)
    require(grid == other, files[1], f"{other} gcells, where {files[0]} holds {grid}")
    covered = reached[0] <= grid[0] and reached[1] <= grid[1]
    require(covered, files[0], f"{grid} gcells, and the placement's cells reach {reached}")
    return horizontal, vertical


def _reached(box: np.ndarray) -> tuple[int, int]:
    """Columns and rows of gcells up to the last that a box covers."""
    right, top = box[:, 2:].max(axis=0).tolist()
    return right + 1, top + 1


def overflow_files(name: str, root: Folder | None = None) -> list[Path] | None:
    """Paths of a placement's two maps; None where neither is there, FileNotFoundError where only one is."""
    folders = [folder for base in _bases(root) for pattern in _MAP_FOLDERS for folder in _matching(base, pattern)]
    pairs = [[folder / _map(name, way) for way in ("horizontal", "vertical")] for folder in folders]
    there = [[file.is_file() for file in pair] for pair in pairs]
    for pair, both in zip(pairs, there, strict=True):
        if all(both):
            return pair
    ways = [next((p[way] for p, t in zip(pairs, there, strict=True) if t[way]), None) for way in (0, 1)]
    found = [way for way in ways if way]
    if len(found) == 2:  # in two parts of a download
        return found
    for way, other in ((0, 1), (1, 0)):
        if ways[other]:
            lost = next(p[way] for p, t in zip(pairs, there, strict=True) if t[other])
            raise FileNotFoundError(
                f"no file {lost}, the other half of {ways[other]}: get it from CircuitNet's download, or take a "
                f"simulated label (label='routed' or label='rudy')"
            )
    return None


def real_label(name: str, root: Folder | None = None) -> bool:
    """Whether the maps of placement `name` are there; if not, a warning at the caller says where it was looked."""
    if overflow_files(name, root):
        return True
    warn_caller(
        f"simulated label for circuitnet/{name}: CircuitNet's congestion maps are not there ({_looked(root)}): unpack "
        f"its routability features, or say label='routed'"
    )
    return False


def _bases(root):
    """Folders in which the maps may lie, nearest first."""
    features, given = _folders(root)[0].parent, _given(root)
    bases = [features, features.parent, given, given.parent]
    if features.parent.match(_PART):
        bases.append(features.parent.parent)
    return list({base.resolve(): base for base in bases}.values())


def _matching(base, pattern):
    return [base] if pattern == "." else sorted(path for path in base.glob(pattern) if path.is_dir())


def _map(name, way):
    return Path(_MAPS.format(way), f"{name}.npy")


def _looked(root):
    where = ", ".join(map(str, _bases(root)))
    return f"looked for routability_features, routability_features_decompressed and ...-001 in {where}"


def files(name: str, root: Folder | None = None) -> list[Path]:
    """Every file that `name` is read from: netlist, placement, and its maps where they are."""
    netlists, folder = _folders(root)
    return [*_files(name, netlists), folder / f"{name}.npy", *(overflow_files(name, root) or [])]


def _given(root):
    """`root`, or what CIRCUITNET_ROOT says, as a Path."""
    if root is None or root == "":
        root = os.environ.get(VARIABLE)
    if root is None or root == "":
        raise FileNotFoundError(f"CircuitNet's folder is not known: set {VARIABLE} (or root) to it")
    if not isinstance(root, (str, bytes, os.PathLike)):
        raise ValueError(f"root is {root!r:.200}: give the path of CircuitNet's folder")
    return Path(os.fsdecode(root)).expanduser()


def _folders(root):
    """(graph_information, placements) in the demo's layout or the download's, at `root` or a level off it."""
    root = _given(root)
    if not root.is_dir():
        raise FileNotFoundError(f"no folder {root}: set {VARIABLE} (or root) to CircuitNet's folder")
    below = sorted(path for path in root.iterdir() if path.is_dir())
    for level in ([root], below, [path / "graph_features" for path in below], [root.parent]):
        found = [path for path in level if (path / "graph_information").is_dir() and _placement_folder(path)]
        if len(found) > 1:
            listed = " and ".join(map(str, found))
            raise ValueError(f"{root} holds CircuitNet twice ({listed}): set {VARIABLE} to the one meant")
        if found:
            return found[0] / "graph_information", _placement_folder(found[0])
    raise FileNotFoundError(
        f"{root} holds no graph_information with an {' or '.join(_PLACEMENTS)} beside it: "
        f"set {VARIABLE} to the folder of CircuitNet's graph features"
    )


def _placement_folder(path):
    return next((path / folder for folder in _PLACEMENTS if (path / folder).is_dir()), None)


def _files(name, netlists):
    netlist = _NAME.fullmatch(name)["netlist"]  # type: ignore[index]  # is_name(name)
    return [netlists / kind / f"{netlist}_{kind}.npy" for kind in ("node_attr", "net_attr", "pin_attr")]


def _rows(path, count):
    shape, objects = read_objects(path)
    require(len(shape) == 2 and shape[0] == count, path, f"shape {shape}, needed ({count}, n)")
    return [objects[i * shape[1] : (i + 1) * shape[1]] for i in range(count)]


def _indices(values, count, what, path):
    require(all(type(value) is int for value in values), path, f"a {what} index that is not an integer")
    for value in (min(values), max(values)) if values else ():
        require(0 <= value < count, path, f"a pin that names {what} {value}, of {count} {what}s")
    return np.fromiter(values, np.int64, len(values))


def _check_matched(matched, instances, placement, node_file, placement_file):
    """Refuses, or warns of, a placement that has few of its netlist's instances, and says what may be the reason."""
    share = matched / max(len(instances), 1)
    if share >= USUAL:
        return
    lost = [name for name in instances if name not in placement]
    spare = set(placement).difference(instances)
    alike = _alike(lost, spare, _SPELLINGS)
    reasons = [reason for reason in _SPELLINGS if _alike(lost, spare, _SPELLINGS.keys() - {reason}) < alike]
    mend = "it may be of another design or release of CircuitNet: download it again, and the netlist with it"
    if reasons:
        mend = f"{alike:,} more differ only in {' and '.join(reasons)}: spell both files' names as CircuitNet does"
    found = f"{placement_file} holds {matched or 'none'} of the {len(instances)} instances of {node_file}"
    if share < LEAST:
        raise ValueError(f"{found}, of {LEAST:.0%} needed: {mend}")
    warn_caller(f"{found} ({share:.0%}; usual are 92%), and the others are left out: {mend}")


def _alike(names, others, spellings):
    """How many of `names` are among `others` once both are spelled alike."""

    def spell(name):
        for spelling in spellings:
            name = _SPELLINGS[spelling](name)
        return name

    others = {spell(name) for name in others}
    return sum(spell(name) in others for name in names)


def _read_placement(path):
    shape, objects = read_objects(path)
    require(shape == () and type(objects[0]) is dict, path, f"shape {shape}, needed one dict")
    placement = objects[0]
    boxes = list(placement.values())
    four = all(type(box) in (list, tuple) and len(box) == 4 for box in boxes)
    require(four, path, "a box that is not four numbers")
    flat = list(chain.from_iterable(boxes))
    whole = all(type(value) is int or (type(value) is float and value.is_integer()) for value in flat)
    require(whole, path, "a box that is not in gcells (whole numbers)")
    require(all(0 <= value < MAX_SIDE for value in flat), path, f"a box outside gcells 0 to {MAX_SIDE - 1}")
    box = np.fromiter(flat, np.int64, len(flat)).reshape(-1, 4)
    require((box[:, :2] <= box[:, 2:]).all(), path, "a box with right < left or top < bottom")
    return {instance: i for i, instance in enumerate(placement)}, box
