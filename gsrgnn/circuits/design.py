"""Placed and routed designs from DEF files: the netlist, where its cells lie, and the wires of its nets.

`read_def` reads DEF 5.8 as OpenROAD and commercial tools write it, plain or gzip, and of LEF what `gsrgnn.circuits.lef`
says. The parser is our own: `lefdef` (last released in 2023) gives no wires and aborts the process on a damaged file,
KLayout reads DEF into shapes and drops which pins a net joins, sc-leflib reads LEF alone, and OpenROAD's own database
is no package.

- Cells of the netlist are the components that a net names. The others (taps, fillers) are counted and are in no
  graph.
- Special nets (power, ground) are left out, and of the pins of the chip only the number is kept.
- Gcells are those of GCELLGRID; what is left over at the edge is a gcell of its own from half of one on. Without
  GCELLGRID a gcell is 1.5 rows wide and high and the last takes what is left over, which in NanGate45 is OpenROAD's
  grid of 15 tracks.
- A net's wires are the centre lines of its regular wiring (ROUTED, FIXED, COVER, NOSHIELD and their NEW), in subnets
  too. The *wire length* is the sum of their lengths: what a wire extends beyond its last point, RECT, VIRTUAL and vias
  add nothing, and where two wires overlap both count.
"""

import os
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gsrgnn.circuits import cell_sizes, def_sections
from gsrgnn.circuits.def_sections import FAULTS, Components, Nets
from gsrgnn.circuits.lef import Files, read_lef
from gsrgnn.circuits.netlist import Netlist
from gsrgnn.circuits.words import Words
from gsrgnn.graph import CircuitGraph

MAX_GCELLS = 2**24
MAX_LINES = 2**20  # tracks of a layer, or borders of gcells, in a direction
ROWS_A_GCELL = 1.5
GUESSED = "no LEF: guessed from the rows and the gaps between cells"
_SECTIONS = {
    *("BLOCKAGES", "COMPONENTS", "FILLS", "GROUPS", "NETS", "NONDEFAULTRULES", "PINPROPERTIES", "PINS", "REGIONS"),
    *("PROPERTYDEFINITIONS", "SCANCHAINS", "SLOTS", "SPECIALNETS", "STYLES", "VIAS"),
}
_ON_ITS_SIDE = ("W", "E", "FW", "FE")
_GET = "get the whole file again"


@dataclass(frozen=True)
class Wires:
    """Wires and vias of the nets, in microns.

    layers: names, the lowest first: in a LEF's order, else by the numbers they end in or by their tracks. net, layer:
    int32 [S]; ends: float64 [S, 4], x and y of both ends. via_net: int32 [V]; via_layers: int32 [V, 2], the layers
    joined; via_at: float64 [V, 2]. A net is -1 where it joins no component, a layer where it follows from a via that
    neither VIAS nor a LEF describes.
    """

    layers: list[str]
    net: NDArray[np.int32]
    layer: NDArray[np.int32]
    ends: NDArray[np.float64]
    via_net: NDArray[np.int32]
    via_layers: NDArray[np.int32]
    via_at: NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """A placed design, and its wires where it is routed (`read_def`).

    name: what DESIGN says. netlist: N cells, M nets, P pins, in gcells. cell_names [N], net_names [M] and pin_names [P]
    are as the file spells them, for predictions that are to be written back. die: left, bottom, right and top in
    microns. borders: of the gcells, float64 [W + 1] and [H + 1], microns. tracks: by layer the x of vertical and the y
    of horizontal tracks, microns. directions: "HORIZONTAL" or "VERTICAL" by layer, as the LEF has it. size_source: what
    the cells' sizes are from. stated: what COMPONENTS, NETS and PINS say there are; counted: what was found, as many,
    and "connections" (component pins on nets; P), "pin connections" (chip pins on nets) and "unconnected" (components
    on no net).
    """

    name: str
    netlist: Netlist
    net_names: list[str]
    pin_names: list[str]
    die: tuple[float, float, float, float]
    borders: tuple[NDArray[np.float64], NDArray[np.float64]]
    tracks: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    directions: dict[str, str]
    wires: Wires
    size_source: str
    stated: dict[str, int]
    counted: dict[str, int]

    @property
    def cell_names(self) -> list[str]:
        """[N], those of the netlist."""
        return self.netlist.cell_name or []

    @property
    def degree(self) -> NDArray[np.int64]:
        """int64 [N], edges of each cell in the clique graph, with multiplicity and without its self-loop."""
        netlist = self.netlist
        graph = CircuitGraph.from_pins(netlist.cell, netlist.net, netlist.num_cells, norm="sum")
        return graph.degree.numpy().astype(np.int64) - 1

    @property
    def wire_length(self) -> dict[str, float]:
        """Microns of wire by layer, of those that have any; "?" for the layer behind a via that nothing describes."""
        ends = self.wires.ends
        length = np.hypot(ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1])
        total = np.bincount(self.wires.layer + 1, length, minlength=len(self.wires.layers) + 1)
        return {name: float(of) for name, of in zip(["?", *self.wires.layers], total, strict=True) if of > 0}

    @property
    def total_wire_length(self) -> float:
        """Microns of wire of all nets."""
        return sum(self.wire_length.values())


def read_def(
    path: str | os.PathLike[str],
    lef: Files | None = None,
    *,
    name: str | None = None,
) -> Design:
    """The `Design` in the DEF file at `path`. lef: the LEF files that know its cells; without, sizes are a guess.

    Without LEF a cell's size is what `gsrgnn.circuits.cell_sizes` finds between rows and neighbours, and
    `Design.size_source` says so. name: of the netlist; default is `path`.

    FileNotFoundError where there is no file. ValueError, naming the file and where there is one the line, if it is no
    text, is cut short, counts other than it says, has no UNITS, DIEAREA, COMPONENTS or NETS, has a component that is
    not placed, lies beyond the die, is there twice or in no LEF, or a net of a component that is not there.
    """
    library = read_lef(lef) if lef is not None else None
    file = _File(Words(path))
    words = file.words
    units, die = file.units(), file.die()
    tracks = file.tracks(die)
    components, nets = file.components(), file.nets(library)
    component_of = _numbered(words, components, len(words.text))
    pin_cell = component_of[words.ids[nets.pin_place]]
    chip = words.ids[nets.pin_place] == words.id("PIN")
    for at in np.flatnonzero((pin_cell < 0) & ~chip)[:1]:
        place = int(nets.pin_place[at])
        net = words.text[nets.name[nets.pin_net[at]]]
        words.fail(place, f"net {net} names the component {words.at(place)}, which COMPONENTS does not list: {_GET}")
    connected = ~chip
    cells, cell = np.unique(pin_cell[connected], return_inverse=True)
    used, net = np.unique(nets.pin_net[connected], return_inverse=True)
    if not len(cells):
        raise ValueError(f"{words.path}: no net joins a component: there is no graph in it")

    kinds, kind = np.unique(components.kind, return_inverse=True)
    turned = np.isin(components.orientation, [words.id(way) for way in _ON_ITS_SIDE])
    corner = np.column_stack([components.x, components.y])
    size, source = _sizes(file, library, units, components, kinds, kind, turned, die)
    placed = np.where(turned[:, None], size[:, ::-1], size)
    _check_inside(words, components, corner, placed if library else np.zeros_like(placed), die)
    borders = file.borders(die, placed)
    low = [np.searchsorted(edge, at, side="right") - 1 for edge, at in zip(borders, corner.T, strict=True)]
    far = np.minimum(corner + placed, die[2:]).T
    high = [np.searchsorted(edge, at, side="left") - 1 for edge, at in zip(borders, far, strict=True)]
    last = np.array([len(edge) - 2 for edge in borders])
    low = np.minimum(np.column_stack(low), last)
    box = np.hstack([low, np.maximum(np.column_stack(high), low)])
    step = [np.median(np.diff(edge)) for edge in borders]

    text = words.text
    netlist = Netlist(
        name=name or str(path),
        cell=cell.astype(np.int64),
        net=net.astype(np.int64),
        cell_type=[text[i] for i in components.kind[cells]],
        box=box[cells].astype(np.int64),
        grid=(len(borders[0]) - 1, len(borders[1]) - 1),
        size=size[cells] / step,
        named=(len(cells), len(components.name)),
        cell_name=[text[i] for i in components.name[cells]],
    )
    order = list(library.directions) if library else []
    counted = {"COMPONENTS": len(components.name), "NETS": len(nets.name), "PINS": file.chip_pins()}
    counted |= {"connections": int(connected.sum()), "pin connections": int(chip.sum())}
    counted["unconnected"] = counted["COMPONENTS"] - len(cells)
    return Design(
        name=file.design,
        netlist=netlist,
        net_names=[text[i] for i in nets.name[used]],
        pin_names=[text[i] for i in words.ids[nets.pin_place[connected] + 1]],
        die=tuple((np.array(die) / units).tolist()),
        borders=(borders[0] / units, borders[1] / units),
        tracks={layer: (x / units, y / units) for layer, (x, y) in tracks.items()},
        directions=library.directions if library else {},
        wires=_wires(file, nets, used, die, units, order, tracks),
        size_source=source,
        stated=file.stated,
        counted=counted,
    )


class _File:
    """The statements of a DEF file by their first word, and where its sections lie."""

    def __init__(self, words):
        self.words = words
        self.statements: dict[str, list[tuple[int, int]]] = {}  # (first, last), last being the semicolon
        self.sections: dict[str, tuple[int, int, int]] = {}  # (first of the body, END, the section's word)
        self.stated: dict[str, int] = {}
        self.lines = 0
        ids = words.ids
        ends = np.flatnonzero(ids[:-1] == words.id("END"))
        semicolons, extended = (np.flatnonzero(ids == words.id(word)) for word in (";", "ENDEXT"))
        i, whole = 0, False
        while i < len(ids) - 1 and not whole:
            word = words.at(i)
            if word == "END":
                whole = words.at(i + 1) == "DESIGN"
                if not whole and words.at(i + 1) not in self.statements:  # nor of a section that nothing is read of
                    words.fail(i, f"END {words.at(i + 1)} ends nothing: {_GET}")
                i += 2
            elif word in _SECTIONS:
                if word in self.sections:
                    words.fail(i, f"a second {word}: give a file of one design")
                after = ends[np.searchsorted(ends, i) :]
                after = after[ids[after + 1] == ids[i]]
                if not len(after):
                    raise ValueError(f"{words.path} is cut short: {word} (line {words.line(i)}) does not end; {_GET}")
                body = i + 1
                if words.at(i + 2) == ";":
                    self.stated[word] = int(np.nan_to_num(words.number[ids[i + 1]], nan=-1))
                    body = i + 3
                self.sections[word] = body, int(after[0]), i
                i = int(after[0]) + 2
            else:
                closing = extended if word == "BEGINEXT" else semicolons
                last = next(iter(closing[np.searchsorted(closing, i) :][:1].tolist()), len(ids))
                self.statements.setdefault(word, []).append((i, last))
                i = last + 1
        if not self.sections and not {"DESIGN", "VERSION", "DIEAREA"} & self.statements.keys():
            raise ValueError(f"{words.path} has neither VERSION nor DESIGN: give a DEF file")
        if not whole:
            raise ValueError(f"{words.path} is cut short: it has no END DESIGN; {_GET}")
        self.design = words.at(self.statements["DESIGN"][0][0] + 1) if "DESIGN" in self.statements else ""

    def numbers(self, first, last):
        """Those of the statement's words that are numbers, below 2^31."""
        values = self.words.number[self.words.ids[first:last]]
        values = values[~np.isnan(values)]
        if (np.abs(values) >= def_sections.FAR).any():
            self.words.fail(first, f"{self.words.at(first)} has a number beyond 2^31")
        return values

    def units(self):
        for first, last in self.statements.get("UNITS", ()):
            found = self.numbers(first, last)
            if len(found) == 1 and 1 <= found[0] <= 1e6:
                return int(found[0])
            self.words.fail(first, "UNITS has no number of database units: it is UNITS DISTANCE MICRONS 2000 ;")
        raise ValueError(
            f"{self.words.path} has no UNITS: add UNITS DISTANCE MICRONS and how many database units one is"
        )

    def die(self):
        for first, last in self.statements.get("DIEAREA", ()):
            points = self.numbers(first, last)
            if len(points) >= 4 and len(points) % 2 == 0:
                corners = points.reshape(-1, 2)
                (left, bottom), (right, top) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
                if left < right and bottom < top:
                    return left, bottom, right, top
            self.words.fail(first, "DIEAREA has no area: it is DIEAREA ( left bottom ) ( right top ) ;")
        raise ValueError(f"{self.words.path} has no DIEAREA: write it with the die's corners")

    def components(self):
        found = Components(*self._loop("COMPONENTS", def_sections.components))
        words = self.words
        lost = np.flatnonzero(found.orientation < 0)
        if len(lost):
            name, place = words.text[found.name[lost[0]]], int(found.place[lost[0]])
            what = "none of the components is placed" if len(lost) == len(found.name) else f"{name} is not placed"
            words.fail(
                place, f"{what} ({len(lost):,} of {len(found.name):,}): give the DEF that was written after placement"
            )
        return found

    def nets(self, library):
        words = self.words
        via_low, via_high = np.full((2, len(words.text)), -1, np.int32)
        vias = {} if library is None else dict(library.vias)
        vias |= self._generated_vias()
        for name, (low, high) in vias.items():
            via = words.id(name)
            if via >= 0:
                via_low[via], via_high[via] = words.id(low), words.id(high)
        self.via_layers = via_low, via_high
        return Nets(*self._loop("NETS", def_sections.nets, via_low, via_high))

    def _generated_vias(self):
        words, (first, last, _) = self.words, self.sections.get("VIAS", (0, 0, 0))
        ids = words.ids[first:last]
        for statement in np.split(ids, np.flatnonzero(ids == words.id(";"))):
            texts = [words.text[i] for i in statement if words.text[i] != ";"]
            layers = texts[texts.index("LAYERS") + 1 :][:3] if "LAYERS" in texts else []
            if len(layers) == 3 and len(texts) > 1:
                yield texts[1], (layers[0], layers[2])

    def _loop(self, section, loop, *tables):
        words = self.words
        if section not in self.sections:
            raise ValueError(f"{words.path} has no {section}: give the DEF of a netlist that is placed")
        first, last, place = self.sections[section]
        fault, at, found = loop(words.ids, words.number, first, last, *tables)
        if fault:
            words.fail(at, f"{section}: {FAULTS[fault]}, at {words.at(at)!r:.60}: {_GET}")
        self._check_count(section, len(found[0]), place)
        if not len(found[0]):
            words.fail(place, f"{section} is empty: give the DEF of a netlist that is placed")
        return found

    def _check_count(self, section, count, place):
        stated = self.stated.get(section, -1)
        if stated != count:
            says = f"{section} says {stated:,}" if stated >= 0 else f"{section} does not say how many"
            self.words.fail(place, f"{says}, and {count:,} are there: {_GET}")

    def chip_pins(self):
        if "PINS" not in self.sections:
            return 0
        words, (first, last, place) = self.words, self.sections["PINS"]
        ids = words.ids[first - 1 : last]
        count = int(np.count_nonzero((ids[:-1] == words.id(";")) & (ids[1:] == words.id("-"))))
        self._check_count("PINS", count, place)
        return count

    def rows(self):
        """int64 [R, 3], left, bottom and right of each horizontal row."""
        found = []
        for first, last in self.statements.get("ROW", ()):
            numbers = self.numbers(first + 3, last)
            if len(numbers) == 6:  # ROW name site x y orientation DO across BY up STEP dx dy ;
                x, y, across, _, step, _ = numbers
                if across > 1 and step > 0:
                    found.append((x, y, x + across * step))
        return np.array(found, np.int64).reshape(-1, 3)

    def tracks(self, die):
        """By layer (x of the vertical tracks, y of the horizontal ones), within the die."""
        found: dict = {}
        for first, last in self.statements.get("TRACKS", ()):
            at = [self.words.at(i) for i in range(first, min(last, first + 64))]
            layers = at[at.index("LAYER") + 1 :] if "LAYER" in at else []
            for layer in layers:
                found.setdefault(layer, ([], []))["XY".index(self._way(first))].append(self._lines(first, last, die))
        return {
            layer: tuple(np.unique(np.concatenate(way)) if way else np.empty(0) for way in ways)
            for layer, ways in found.items()
        }

    def borders(self, die, placed):
        """Of the gcells, x and y: the lines of GCELLGRID and the die's own edges."""
        ways: tuple[list, list] = ([], [])
        for first, last in self.statements.get("GCELLGRID", ()):
            ways["XY".index(self._way(first))].append(self._lines(first, last, die))
        height = cell_sizes.row_height(self.rows()) or float(np.median(placed[:, 1]))
        found = []
        for way, low, high in zip(ways, die[:2], die[2:], strict=True):
            if way:
                lines = np.unique(np.concatenate(way))
            else:
                step = ROWS_A_GCELL * height
                if (high - low) / step > MAX_LINES:
                    raise ValueError(f"{self.words.path}: DIEAREA is {(high - low) / height:,.0f} rows high or wide")
                lines = low + step * np.arange(max((high - low) // step, 1))
            inner = lines[(lines > low) & (lines < high)]
            step = np.median(np.diff(np.concatenate([[low], inner, [high]])))
            if len(inner):
                inner = inner[(inner - low >= step / 2) & (high - inner >= step / 2)]
            found.append(np.concatenate([[low], inner, [high]]))
        gcells = (len(found[0]) - 1) * (len(found[1]) - 1)
        if gcells > MAX_GCELLS:
            raise ValueError(
                f"{self.words.path} has {gcells:,} gcells, of {MAX_GCELLS:,} allowed: give a coarser GCELLGRID"
            )
        return found[0], found[1]

    def _way(self, first):
        way = self.words.at(first + 1)
        if way not in ("X", "Y"):
            self.words.fail(first, f"{self.words.at(first)} is in direction {way!r:.60}: it is X or Y")
        return way

    def _lines(self, first, last, die):
        """Places of the lines `X start DO count STEP step`, within the die."""
        numbers = self.numbers(first, min(last, first + 7))
        if len(numbers) < 3 or numbers[1] < 1 or numbers[2] < 0:
            self.words.fail(first, f"{self.words.at(first)} is X or Y, a start, DO a number STEP a distance ;")
        start, count, step = numbers[:3]
        low, high = (die[0], die[2]) if self._way(first) == "X" else (die[1], die[3])
        if step == 0:
            count, step = 1, 1.0
        begin = max(np.ceil((low - start) / step), 0)
        end = min(np.floor((high - start) / step), count - 1)
        if end - begin > MAX_LINES:
            self.words.fail(
                first, f"{self.words.at(first)} has {end - begin:,.0f} lines on the die, of {MAX_LINES:,} allowed"
            )
        self.lines += max(int(end - begin) + 1, 0)
        if self.lines > 8 * MAX_LINES:
            self.words.fail(first, f"TRACKS and GCELLGRID have more than {8 * MAX_LINES:,} lines on the die")
        return start + step * np.arange(begin, end + 1)


def _numbered(words, components, count):
    """int64 [words]: the component that a word names, or -1; each only once."""
    found = np.full(count, -1, np.int64)
    _, firsts = np.unique(components.name, return_index=True)
    if len(firsts) < len(components.name):
        twice = np.setdiff1d(np.arange(len(components.name)), firsts)[0]
        name = words.text[components.name[twice]]
        words.fail(int(components.place[twice]), f"a second component {name}: name each component once")
    found[components.name] = np.arange(len(components.name))
    return found


def _sizes(file, library, units, components, kinds, kind, turned, die):
    """float64 [N, 2], each cell's own width and height in database units, and what they are from."""
    words = file.words
    if library is None:
        corner = np.column_stack([components.x, components.y]).astype(np.int64)
        found = cell_sizes.from_gaps(kind, corner, turned, file.rows(), die)
        if found is None:
            raise ValueError(
                f"{words.path}: too many cells stand in no ROW, so that their sizes cannot be guessed: give lef=..."
            )
        return found[kind].astype(float), GUESSED
    names = [words.text[i] for i in kinds]
    for at, name in enumerate(names):
        if name not in library.sizes:
            first = int(np.flatnonzero(kind == at)[0])
            component = words.text[components.name[first]]
            mend = "add the LEF that has it, or give none to have sizes guessed"
            files = ", ".join(library.files[:5]) or "no LEF"
            what = f"component {component} is a {name}, which is not in {files}"
            words.fail(int(components.place[first]), f"{what}: {mend}")
    return np.array([library.sizes[name] for name in names])[kind] * units, "LEF"


def _check_inside(words, components, corner, extent, die):
    beyond = ((corner < die[:2]) | (corner + extent > die[2:])).any(axis=1)
    for at in np.flatnonzero(beyond)[:1]:
        name, place = words.text[components.name[at]], int(components.place[at])
        words.fail(place, f"component {name} lies beyond the die (DIEAREA): correct its place, or DIEAREA")


def _lowest_first(tracks):
    """The layers that have tracks, by the numbers that their names end in, else from fine tracks to coarse ones."""
    ends = [re.search(r"[0-9]{1,3}$", layer) for layer in tracks]
    numbers = [int(end[0]) for end in ends if end]
    if len(set(numbers)) == len(tracks):
        return [layer for _, layer in sorted(zip(numbers, tracks, strict=True))]
    pitch = [np.abs(np.diff(np.concatenate(lines))).min(initial=np.inf) for lines in tracks.values()]
    return list(tracks) if not pitch or pitch[0] <= pitch[-1] else list(tracks)[::-1]


def _wires(file, nets, used, die, units, order, tracks):
    words = file.words
    renumbered = np.full(len(nets.name), -1, np.int32)
    renumbered[used] = np.arange(len(used))
    for ends, net in (
        (nets.wire[:, :2], nets.wire_net),
        (nets.wire[:, 2:], nets.wire_net),
        (nets.via_at, nets.via_net),
    ):
        beyond = ((ends < die[:2]) | (ends > die[2:])).any(axis=1)
        for at in np.flatnonzero(beyond)[:1]:
            name, place = words.text[nets.name[net[at]]], int(nets.place[net[at]])
            words.fail(place, f"net {name} has a wire beyond the die (DIEAREA): correct the wire, or DIEAREA")
    low, high = file.via_layers
    via_low = np.where(low[nets.via] >= 0, low[nets.via], nets.via_layer)
    via_high = high[nets.via]
    seen = np.unique(np.concatenate([nets.wire_layer, via_low, via_high]))
    layers = list(dict.fromkeys([*order, *_lowest_first(tracks), *(words.text[i] for i in seen if i >= 0)]))
    number = np.full(len(words.text) + 1, -1, np.int32)
    for i, layer in enumerate(layers):
        number[words.id(layer)] = i
    number[-1] = -1
    via_layers = np.column_stack([number[via_low], number[via_high]])
    above = np.where((via_layers[:, 0] >= 0) & (via_layers[:, 0] + 1 < len(layers)), via_layers[:, 0] + 1, -1)
    via_layers[:, 1] = np.where(via_layers[:, 1] >= 0, via_layers[:, 1], above)
    return Wires(
        layers=layers,
        net=renumbered[nets.wire_net],
        layer=number[nets.wire_layer],
        ends=nets.wire / units,
        via_net=renumbered[nets.via_net],
        via_layers=via_layers,
        via_at=nets.via_at / units,
    )
