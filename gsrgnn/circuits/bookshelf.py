"""Circuits in the Bookshelf format of the ISPD placement contests, with the placement of their `.pl` file.

An `.aux` file names the others: `.nodes` (sizes), `.nets`, `.pl` (places), `.scl` (rows), `.wts` (weights of nets, not
read) and, since ISPD 2011, `.route` (tiles and tracks) and `.shapes` (of nodes that are no rectangles, not read: a node
is its rectangle). All lie in one folder.

A gcell is a tile of the `.route` file. Without one it is a square in which a row of cells is as high as one of
`gsrgnn.circuits.library`, and the die is the rectangle about the rows and the fixed nodes.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gsrgnn.circuits.library import ROW_HEIGHT
from gsrgnn.circuits.netlist import Netlist
from gsrgnn.circuits.placement import MAX_SIDE

MAX_BYTES = 2**31  # of one file
_NEEDED = ("nodes", "nets", "pl", "scl")
_KINDS = (*_NEEDED, "wts", "route", "shapes")
# Where a pin at (x, y) from the centre lies when its node is turned: x to and y to, each from x and from y.
_TURNS = {
    "N": (1, 0, 0, 1),
    "S": (-1, 0, 0, -1),
    "W": (0, -1, 1, 0),
    "E": (0, 1, -1, 0),
    "FN": (-1, 0, 0, 1),
    "FS": (1, 0, 0, -1),
    "FW": (0, 1, 1, 0),
    "FE": (0, -1, -1, 0),
}


@dataclass(frozen=True)
class _Grid:
    """The gcells: lower left corner and size of one in the files' unit, how many, and tracks if they are known."""

    origin: NDArray[np.float64]
    gcell: NDArray[np.float64]
    shape: tuple[int, int]
    capacity: tuple[float, float] | None


def read_bookshelf(path: str | os.PathLike[str], pl: str | os.PathLike[str] | None = None) -> Netlist:
    """The placed netlist of the Bookshelf files that the `.aux` file at `path` names.

    pl: the file of another placement, such as a placer wrote, in the place of that which the `.aux` file names.

    Every node on a net is a cell, pads and blocks too, of a type that is named by its size ("node_4x12"; Bookshelf
    knows no functions); nodes on no net and nets without pins are left out. `pin` has every pin's place: the node's
    centre and the pin's offset, turned as the node is. `capacity` is that of a `.route` file: tracks in all layers of
    a direction.

    FileNotFoundError names a file that is missing. ValueError names the file, and the line if it is in one, of what is
    wrong: a count that disagrees, an unknown node, a node twice or without a place, a size or place that is no number
    or lies outside the die, an end before its time, or a placement that has not been made.
    """
    files = sources(path)
    if pl is not None:
        files["pl"] = _there(Path(pl))
    index, size, fixed = _nodes(files["nodes"])
    cell, net, offset = _nets(files["nets"], index)
    at, turn, held = _places(files["pl"], index)
    fixed |= held
    _check_placed(files["pl"], at, fixed)
    turned = np.array(list(_TURNS.values()))[turn].reshape(-1, 2, 2)
    sides = [tuple(each) for each in size.tolist()]
    kinds = {each: f"node_{each[0]:g}x{each[1]:g}" for each in set(sides)}
    size = np.where(turned[:, :1, 0] == 0, size[:, ::-1], size)
    centre = at + size / 2
    grid = _tiles(files["route"]) if "route" in files else _about_rows(files["scl"], at[fixed], size[fixed])
    place = (centre - grid.origin) / grid.gcell
    _check_inside(files, list(index), place, grid)
    of_pin = (centre[cell] + np.einsum("pij,pj->pi", turned[cell], offset) - grid.origin) / grid.gcell
    size = size / grid.gcell
    used, cell = np.unique(cell, return_inverse=True)
    names = list(index)
    place, size, sides, names = place[used], size[used], [sides[node] for node in used], [names[node] for node in used]
    last = np.array(grid.shape) - 1
    low = np.floor(place - size / 2).clip(0, last)
    high = np.maximum((np.ceil(place + size / 2) - 1).clip(0, last), low)
    return Netlist(
        name=os.fspath(path),
        cell=cell,
        net=net,
        cell_type=[kinds[each] for each in sides],
        box=np.hstack([low, high]).astype(np.int64),
        grid=grid.shape,
        size=size,
        pin=of_pin.clip(0, np.nextafter(last + 1.0, 0)),
        capacity=grid.capacity,
        cell_name=names,
    )


def _there(file):
    if not file.is_file():
        raise FileNotFoundError(
            f"no file {file}: a Bookshelf circuit needs {', '.join(f'.{kind}' for kind in _NEEDED)}"
        )
    if file.stat().st_size > MAX_BYTES:
        raise ValueError(f"{file} has more than {MAX_BYTES:,} bytes")
    return file


def sources(path: str | os.PathLike[str]) -> dict[str, Path]:
    """The files that the `.aux` file at `path` names, by kind: "nodes", "nets" and so on."""
    aux, files = Path(path), {}
    for number, words in _lines(_there(aux), None):
        for word in words:
            kind = word.rpartition(".")[2].lower()
            if "." not in word or kind not in _KINDS:
                continue
            if Path(word).name != word or word.startswith("."):
                raise _wrong(aux, number, f"{word[:100]!r} is no file of the same folder")
            files[kind] = _there(aux.with_name(word))
    for kind in _NEEDED:
        if kind not in files:
            raise ValueError(f"{aux} names no .{kind} file: a Bookshelf circuit needs one")
    return files


def _lines(file: Path, kind: str | None) -> Iterator[tuple[int, list[str]]]:
    """Number and words of each line with any, without colons and comments, after that which names the `kind`."""
    with file.open(encoding="latin-1") as stream:
        for number, line in enumerate(stream, 1):
            words = line.partition("#")[0].replace(":", " ").split()
            if not words:
                continue
            if kind is not None:
                if kind not in (words[0].lower(), words[-2:][0].lower()):
                    raise _wrong(file, number, f"this is no .{kind} file, whose first line is 'UCLA {kind} 1.0'")
                kind = None
                continue
            yield number, words
    if kind is not None:
        raise ValueError(f"{file} is empty")


def _nodes(file):
    """Each name's number, sizes [N, 2], and which are terminals."""
    index: dict[str, int] = {}
    counts = _Counts(file, "NumNodes", "NumTerminals")
    sizes: list[tuple[float, ...]] = []
    kinds: list[str] = []
    for number, words in _lines(file, "nodes"):
        if counts.takes(number, words):
            continue
        kind = words[3].lower() if len(words) == 4 else ""
        if len(words) not in (3, 4) or kind not in ("", "terminal", "terminal_ni"):
            raise _wrong(file, number, "needed a name, a width, a height and nothing, terminal or terminal_NI")
        if index.setdefault(words[0], len(index)) != len(sizes):
            raise _wrong(file, number, f"node {words[0]!r} is there twice")
        sizes.append(_numbers(file, number, words[1:3], 0))
        kinds.append(kind)
    counts.check("NumNodes", len(sizes))
    counts.check("NumTerminals", sum(map(bool, kinds)), kinds.count("terminal"))
    if not sizes:
        raise ValueError(f"{file} has no nodes")
    return index, np.array(sizes), np.array([bool(kind) for kind in kinds])


def _nets(file, index):
    """Pins: the node and the net of each, int64 [P], and its offset from the node's centre [P, 2]."""
    counts = _Counts(file, "NumNets", "NumPins")
    cells: list[int] = []
    degrees: list[int] = []
    offsets: list[tuple[float, ...]] = []
    missing = since = 0
    for number, words in _lines(file, "nets"):
        if words[0] == "NetDegree":
            if missing:
                raise _wrong(file, number, f"a net before this line lacks {missing} of its {degrees[-1]} pins")
            missing, since = _count(file, number, words), number
            degrees.append(missing)
        elif not degrees and counts.takes(number, words):
            continue
        elif not missing:
            raise _wrong(file, number, "a pin more than its net has")
        else:
            if (node := index.get(words[0])) is None:
                raise _wrong(file, number, f"node {words[0][:100]!r} is not in the .nodes file")
            cells.append(node)
            if len(words) > 4:
                raise _wrong(file, number, "needed a node, a direction and an offset of two numbers")
            offsets.append(_numbers(file, number, words[-2:]) if len(words) > 2 else (0.0, 0.0))
            missing -= 1
    if missing:
        raise _wrong(file, since, f"the file ends {missing} pins before this net does")
    counts.check("NumNets", len(degrees))
    counts.check("NumPins", len(cells))
    if not cells:
        raise ValueError(f"{file} has no pins")
    sizes = np.array([degree for degree in degrees if degree])
    net = np.repeat(np.arange(len(sizes)), sizes)
    return np.array(cells, dtype=np.int64), net, np.array(offsets)


def _places(file, index):
    """Lower left corners [N, 2], orientations [N] (rows of `_TURNS`), and which nodes are fixed."""
    at = np.full((len(index), 2), np.nan)
    turn, fixed = np.zeros(len(index), dtype=np.int64), np.zeros(len(index), dtype=bool)
    turns = {name: i for i, name in enumerate(_TURNS)}
    places, nodes, last = [], [], 0
    for number, words in _lines(file, "pl"):
        if (node := index.get(words[0])) is None:
            raise _wrong(file, number, f"node {words[0][:100]!r} is not in the .nodes file")
        if len(words) < 3:
            raise _wrong(file, number, "needed a node, two coordinates and an orientation")
        places.append(_numbers(file, number, words[1:3]))
        nodes.append(node)
        for word in words[3:]:
            if word.upper() in turns:
                turn[node] = turns[word.upper()]
            elif word.upper() in ("/FIXED", "/FIXED_NI"):
                fixed[node] = True
            else:
                raise _wrong(file, number, f"{word[:100]!r} is no orientation and not /FIXED")
        last = number
    if len(set(nodes)) < len(nodes):
        raise ValueError(f"{file} places a node twice")
    if len(nodes) < len(index):
        without = next(name for name, node in index.items() if node not in set(nodes))
        raise _wrong(file, last, f"the file ends without a place for {len(index) - len(nodes):,} nodes, as {without!r}")
    at[nodes] = places
    return at, turn, fixed


def _check_placed(file, at, fixed):
    movable = at[~fixed]
    if len(movable) > 1 and (movable == movable[0]).all():
        x, y = movable[0]
        where = f"all {len(movable):,} movable nodes lie at {x:g} {y:g}"
        raise ValueError(f"{file} holds no placement, {where}: give that of a placer, read_bookshelf(aux, pl=...)")


def _check_inside(files, names, place, grid):
    outside = ((place < 0) | (place > grid.shape)).any(axis=1)
    if outside.any():
        width, height = grid.shape
        first = names[outside.argmax()]
        raise ValueError(
            f"{files['pl']}: {outside.sum():,} nodes lie outside the die of {width} x {height} gcells, as {first!r}"
        )


def _about_rows(file, at, size):
    """Gcells over the rows and the fixed nodes."""
    counts = _Counts(file, "NumRows")
    rows: list[dict[str, float]] = []
    inside, last = False, 0
    for number, words in _lines(file, "scl"):
        if counts.takes(number, words):
            continue
        last = number
        key = words[0].lower()
        if key == "corerow":
            rows.append({})
            inside = True
        elif not inside:
            raise _wrong(file, number, f"{words[0][:100]!r} outside a row")
        elif key == "end":
            inside = False
            lacking = {"coordinate", "height", "subroworigin", "numsites"} - rows[-1].keys()
            if lacking:
                raise _wrong(file, number, f"a row without {', '.join(sorted(lacking))}")
        else:
            for name, value in zip(words[::2], words[1::2], strict=False):
                if name.lower() in ("coordinate", "height", "sitewidth", "sitespacing", "subroworigin", "numsites"):
                    rows[-1][name.lower()] = _numbers(file, number, [value])[0]
    if inside or not rows:
        raise _wrong(file, last, "the file ends within a row" if inside else "no row")
    counts.check("NumRows", len(rows))
    pitch = [row.get("sitespacing", row.get("sitewidth", 1.0)) for row in rows]
    sides = [
        [row["subroworigin"] for row in rows],
        [row["coordinate"] for row in rows],
        [row["subroworigin"] + row["numsites"] * each for row, each in zip(rows, pitch, strict=True)],
        [row["coordinate"] + row["height"] for row in rows],
    ]
    corners = np.array(sides).T
    low = np.vstack([corners[:, :2], at]).min(axis=0)
    high = np.vstack([corners[:, 2:], at + size]).max(axis=0)
    heights = np.array([row["height"] for row in rows])
    if (heights <= 0).any() or (high <= low).any():
        raise ValueError(f"{file} has rows without an area")
    gcell = np.full(2, np.median(heights) / ROW_HEIGHT)
    width, height = np.ceil(np.round((high - low) / gcell, 9))
    return _Grid(low, gcell, _shape(file, width, height), None)


def _tiles(file):
    """Gcells and tracks of a `.route` file."""
    keys = {
        "Grid": 3,
        "GridOrigin": 2,
        "TileSize": 2,
        "VerticalCapacity": None,
        "HorizontalCapacity": None,
        "MinWireWidth": None,
        "MinWireSpacing": None,
    }
    said: dict[str, NDArray[np.float64]] = {}
    where = dict.fromkeys(keys, 0)
    for number, words in _lines(file, "route"):
        if words[0] in keys:
            least = -math.inf if words[0] == "GridOrigin" else 0
            said[words[0]] = np.array(_numbers(file, number, words[1:], least))
            where[words[0]] = number
    for key, count in keys.items():
        if key not in said:
            raise ValueError(f"{file} has no {key}: it is cut short")
        if count is None:
            count = int(min(said["Grid"][2], 1000))
        if len(said[key]) != count:
            raise _wrong(file, where[key], f"{key} has {len(said[key])} numbers, needed {count}")
    if (said["TileSize"] <= 0).any():
        raise _wrong(file, where["TileSize"], "a tile without an area")
    pitch = said["MinWireWidth"] + said["MinWireSpacing"]
    tracks = [
        float(np.divide(said[key], pitch, out=np.zeros_like(pitch), where=pitch > 0).sum())
        for key in ("HorizontalCapacity", "VerticalCapacity")
    ]
    if min(tracks) <= 0:
        raise _wrong(file, where["HorizontalCapacity"], "no tracks in one of the directions")
    return _Grid(said["GridOrigin"], said["TileSize"], _shape(file, *said["Grid"][:2]), (tracks[0], tracks[1]))


def _shape(file, width, height):
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise ValueError(f"{file}: the die would be {width:g} x {height:g} gcells, of 1 to {MAX_SIDE} a side allowed")
    return int(width), int(height)


class _Counts:
    """What a file's first lines say of the number of its entries."""

    def __init__(self, file: Path, *keys: str) -> None:
        self.file, self.keys = file, {key.lower() for key in keys}
        self.said: dict[str, tuple[int, int]] = {}

    def takes(self, number: int, words: list[str]) -> bool:
        """Whether a line is such a count, which is then kept."""
        key = words[0].lower()
        if key not in self.keys:
            return False
        self.said[key] = number, _count(self.file, number, words)
        return True

    def check(self, key: str, *found: int) -> None:
        """ValueError unless the file has the count `key`, and it is one of `found`."""
        if key.lower() not in self.said:
            raise ValueError(f"{self.file} has no {key}")
        number, said = self.said[key.lower()]
        if said not in found:
            raise _wrong(
                self.file, number, f"{key} is {said:,}, and the file has {found[0]:,}: it is cut short or mixed"
            )


def _count(file, number, words):
    if len(words) < 2 or not words[1].isascii() or not words[1].isdigit() or len(words[1]) > 12:
        raise _wrong(file, number, f"{words[0]} needs a number")
    return int(words[1])


def _numbers(file, number, words, least=-math.inf):
    try:
        values = tuple(map(float, words))
    except ValueError:
        values = (math.nan,)
    for value in values:
        if not (-1e12 < value < 1e12 and value >= least):
            raise _wrong(file, number, f"{' '.join(words)[:100]!r} is not what belongs here")
    return values


def _wrong(file, number, what):
    return ValueError(f"{file}, line {number}: {what}")
