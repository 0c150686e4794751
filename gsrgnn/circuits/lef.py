"""What a placed and routed design needs of a LEF library: how large its cells are, and what its layers are for.

Of a cell (MACRO) only SIZE is read. ORIGIN and FOREIGN shift the shapes within a cell; the rectangle that DEF places,
by its lower left corner, always goes from (0, 0) to SIZE.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from gsrgnn.circuits.words import Words

Files: TypeAlias = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


@dataclass(frozen=True)
class Library:
    """sizes: width and height of each cell in microns. directions: "HORIZONTAL" or "VERTICAL" by routing layer, the
    lowest first. vias: names of the routing layers that a via joins, lower and upper. files: what was read."""

    files: list[str] = field(default_factory=list)
    sizes: dict[str, tuple[float, float]] = field(default_factory=dict)
    directions: dict[str, str] = field(default_factory=dict)
    vias: dict[str, tuple[str, str]] = field(default_factory=dict)


def read_lef(paths: Files) -> Library:
    """The `Library` of one LEF file, or of several: one of the layers, which comes first, and others of cells.

    Plain or gzip. FileNotFoundError and ValueError name the file, and where there is one the line.
    """
    library = Library()
    for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        words = Words(path)
        library.files.append(words.path.name)
        if "LIBRARY" not in words.text and "MACRO" not in words.text and "LAYER" not in words.text:
            raise ValueError(f"{words.path} holds neither LAYER nor MACRO: give a LEF file")
        for kind, first, last in _blocks(words):
            if read := _READ.get(kind):
                read(words, first, last, library)
    return library


def _blocks(words):
    """(KIND, first, last) of the bodies of all `KIND name ... END name` that stand by themselves, in their order."""
    ids, end, semicolon = words.ids, words.id("END"), words.id(";")
    ended = np.flatnonzero(ids[:-1] == end)
    ends, named = ended.tolist(), ids[ended + 1].tolist()
    last = closing = 0
    kinds = np.array([words.id(kind) for kind in ("PROPERTYDEFINITIONS", *_READ)])
    for at in np.flatnonzero(np.isin(ids[:-2], kinds[kinds >= 0])).tolist():
        kind, before, name, after = words.at(at), ids[max(at - 1, 0)], ids[at + 1], ids[at + 2]
        if kind == "PROPERTYDEFINITIONS":
            name = ids[at]
        elif after == semicolon or not (at == 0 or before == semicolon or ids[at - 2] == end):
            continue  # where a shape lies, or a word of another meaning
        if at <= last:
            continue
        while closing < len(ends) and (ends[closing] < at or named[closing] != name):
            closing += 1
        if closing == len(ends):
            words.fail(at, f"{kind} {words.at(at + 1)} does not end: the file is cut short")
        last = ends[closing] + 1
        yield kind, at + 1, last - 1


def _after(words, keyword, first, last):
    """The place after the statement's first word `keyword` in the block, or None."""
    found = np.flatnonzero(words.ids[first:last] == words.id(keyword))
    return first + int(found[0]) + 1 if len(found) else None


def _macro(words, first, last, library):
    size = _after(words, "SIZE", first + 1, last)
    if size is None or size + 2 >= last:
        words.fail(first, f"cell {words.at(first)} has no SIZE width BY height ;")
    width, height = (float(words.number[words.ids[at]]) for at in (size, size + 2))
    if not (0 < width < 1e6 and 0 < height < 1e6):
        words.fail(size, f"cell {words.at(first)} has the SIZE {words.at(size)} BY {words.at(size + 2)}, in microns")
    library.sizes[words.at(first)] = width, height


def _layer(words, first, last, library):
    kind, way = _after(words, "TYPE", first + 1, last), _after(words, "DIRECTION", first + 1, last)
    if kind is not None and words.at(kind) == "ROUTING" and way is not None:
        if words.at(way) not in ("HORIZONTAL", "VERTICAL"):
            words.fail(way, f"layer {words.at(first)} runs {words.at(way)!r:.60}: HORIZONTAL or VERTICAL are read")
        library.directions[words.at(first)] = words.at(way)


def _via(words, first, last, library):
    ids = words.ids[first:last]
    layers = dict.fromkeys(words.at(first + at + 1) for at in np.flatnonzero(ids[:-1] == words.id("LAYER")).tolist())
    routing = [name for name in library.directions if name in layers]
    if len(routing) == 2:
        library.vias[words.at(first)] = routing[0], routing[1]


_READ = {"LAYER": _layer, "VIA": _via, "MACRO": _macro}
