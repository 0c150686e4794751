"""CircuitNet-N28: netlists and placements from its own files.

A placement is named `{id}-{design}-{1..3}-c{clock}-u{utilisation}-m{macros}-p{power mesh}-f{filler}`; the
part from the design to the clock names its netlist. `node_attr` (2, N) holds instance names and cell types,
`net_attr` (1, M) net names, `pin_attr` (3, P) pin names, net indices and node indices; a placement is a
dict {instance: [left, bottom, right, top]} in gcells.

A net index is an int, or for a bus (`Q[31:0]` of a memory) a list of ints: one pin for each entry, so that
a net listed twice has two pins. Cells are the instances found in both netlist and placement, in the
netlist's order; the pins of the others are dropped.
"""

import os
import re
from itertools import chain
from pathlib import Path

import numpy as np

from gsrgnn.circuits.netlist import Netlist
from gsrgnn.circuits.pickled import read_objects

VARIABLE = "CIRCUITNET_ROOT"
MAX_GRID = 4096
MAX_PINS = 10_000_000
_NAME = re.compile(r"[0-9]+-(?P<netlist>[A-Za-z][A-Za-z0-9-]*-[1-3]-c(2|5|20))-u[0-9.]+-m[0-9]+-p[0-9]+-f[0-9]+")
_PLACEMENTS = ("instance_placement_gcell", "instance_placement")


def is_name(name):
    """Whether a placement could be called so."""
    return _NAME.fullmatch(name) is not None


def placements(root=None):
    """Names of the placements under `root` (or CIRCUITNET_ROOT) whose netlist is there; none without root."""
    if root is None and not os.environ.get(VARIABLE):
        return []
    netlists, folder = _folders(root)
    names = (file.stem for file in folder.glob("*.npy"))
    return sorted(
        (name for name in names if is_name(name) and all(f.is_file() for f in _files(name, netlists))),
        key=lambda name: int(name.split("-")[0]),
    )


def read(name, root=None):
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
    _require(named, node_file, "a name that is not text")
    _require(len(set(instances)) == len(instances), node_file, "an instance name that occurs twice")
    of_bus = [entry if type(entry) is list else (entry,) for entry in pin_net]
    widths = np.fromiter(map(len, of_bus), np.int64, len(of_bus))
    _require(widths.sum() <= MAX_PINS, pin_file, f"{widths.sum():,} pins, of {MAX_PINS:,} allowed")
    net = _indices(list(chain.from_iterable(of_bus)), len(net_names), "net", pin_file)
    node = _indices(pin_node, len(instances), "cell", pin_file)
    node = np.repeat(node, widths)

    row = np.fromiter((placement.get(instance, -1) for instance in instances), np.int64, len(instances))
    cells = np.flatnonzero(row >= 0)
    _require(len(cells) > 0, placement_file, f"none of the {len(instances)} instances of {node_file}")
    cell_of_node = np.full(len(instances), -1)
    cell_of_node[cells] = np.arange(len(cells))
    placed = row[node] >= 0
    _require(placed.any(), pin_file, "no pin of a placed cell")
    _, net = np.unique(net[placed], return_inverse=True)
    return Netlist(
        name=f"circuitnet/{name}",
        cell=cell_of_node[node[placed]],
        net=net,
        cell_type=[cell_type[i] for i in cells],
        box=placed_box[row[cells]],
        grid=tuple(int(side) + 1 for side in placed_box[:, 2:].max(axis=0)),
    )


def _folders(root):
    """(graph_information, placements) in the demo's layout or the download's, at `root` or a level off it."""
    root = root or os.environ.get(VARIABLE)
    if not root:
        raise FileNotFoundError(f"CircuitNet's folder is not known: set {VARIABLE} (or root) to it")
    root = Path(root).expanduser()
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
    netlist = _NAME.fullmatch(name)["netlist"]
    return [netlists / kind / f"{netlist}_{kind}.npy" for kind in ("node_attr", "net_attr", "pin_attr")]


def _rows(path, count):
    shape, objects = read_objects(path)
    _require(len(shape) == 2 and shape[0] == count, path, f"shape {shape}, needed ({count}, n)")
    return [objects[i * shape[1] : (i + 1) * shape[1]] for i in range(count)]


def _indices(values, count, what, path):
    _require(all(type(value) is int for value in values), path, f"a {what} index that is not an integer")
    for value in (min(values), max(values)) if values else ():
        _require(0 <= value < count, path, f"a pin that names {what} {value}, of {count} {what}s")
    return np.fromiter(values, np.int64, len(values))


def _read_placement(path):
    shape, objects = read_objects(path)
    _require(shape == () and type(objects[0]) is dict, path, f"shape {shape}, needed one dict")
    placement = objects[0]
    boxes = list(placement.values())
    four = all(type(box) in (list, tuple) and len(box) == 4 for box in boxes)
    _require(four, path, "a box that is not four numbers")
    flat = list(chain.from_iterable(boxes))
    whole = all(type(value) is int or (type(value) is float and value.is_integer()) for value in flat)
    _require(whole, path, "a box that is not in gcells (whole numbers)")
    _require(all(0 <= value < MAX_GRID for value in flat), path, f"a box outside gcells 0 to {MAX_GRID - 1}")
    box = np.fromiter(flat, np.int64, len(flat)).reshape(-1, 4)
    _require((box[:, :2] <= box[:, 2:]).all(), path, "a box with right < left or top < bottom")
    return {instance: i for i, instance in enumerate(placement)}, box


def _require(condition, path, found):
    if not condition:
        raise ValueError(f"{path} holds {found}: download it again")
