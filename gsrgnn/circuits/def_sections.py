"""The two long sections of a DEF file, COMPONENTS and NETS, as compiled loops over its words.

Words are the numbers that `gsrgnn.circuits.words` gives them. A loop that meets what it cannot read ends with the
place of that word and a row of `FAULTS`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gsrgnn.circuits.words import KEYWORDS
from gsrgnn.jit import jit

FAULTS = (
    "",
    "a statement does not begin with '- name'",
    "a statement is cut short",
    "a coordinate is missing or no number below 2^31",
    "a * has no coordinate before it to repeat",
    "a parenthesis is missing",
    "a via or another word stands where no point is before it",
    "an orientation is missing or none of N, S, W, E, FN, FS, FW and FE",
)
FAR = 2.0**31
(_END, _SEMICOLON, _OPEN, _CLOSE, _PLUS, _MINUS, _STAR) = range(7)
(_PLACED, _SOFTFIXED, _FIXED, _COVER, _ROUTED, _NOSHIELD, _NEW) = range(7, 14)
(_TAPER, _TAPERRULE, _STYLE, _MASK, _RECT, _VIRTUAL) = range(14, 20)
_FIRST_ORIENTATION, _LAST_ORIENTATION = KEYWORDS.index("N"), KEYWORDS.index("FE")
_NO_WORD = -1
_jit = jit()


class Components(NamedTuple):
    """One entry a component: place int64 of its name in the file; name, kind (cell type) and orientation int32, words,
    the last -1 where it is not placed; x, y float64, its lower left corner in database units."""

    place: NDArray[np.int64]
    name: NDArray[np.int32]
    kind: NDArray[np.int32]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    orientation: NDArray[np.int32]


class Nets(NamedTuple):
    """Nets, their pins, and the centre lines and vias of their regular wiring, in database units.

    place, name: one entry a net. pin_net: the pin's net, from 0; pin_place: where `( component pin` stands in the file.
    wire_net, wire_layer, wire [S, 4]: x and y of both ends. via_net, via, via_layer, via_at [V, 2]: the layer is the
    one it was written on. A layer that follows a via which no table knows is -1.
    """

    place: NDArray[np.int64]
    name: NDArray[np.int32]
    pin_net: NDArray[np.int32]
    pin_place: NDArray[np.int64]
    wire_net: NDArray[np.int32]
    wire_layer: NDArray[np.int32]
    wire: NDArray[np.float64]
    via_net: NDArray[np.int32]
    via: NDArray[np.int32]
    via_layer: NDArray[np.int32]
    via_at: NDArray[np.float64]


@_jit
def components(
    ids: NDArray[np.int32], number: NDArray[np.float64], first: int, last: int
) -> tuple[int, int, tuple[np.ndarray, ...]]:
    """(fault, place, arrays of `Components`) of the words from `first` to `last`, which is END's place."""
    room = (last - first) // 4 + 1
    place, name, kind = np.empty(room, np.int64), np.empty(room, np.int32), np.empty(room, np.int32)
    x, y, orientation = np.zeros(room), np.zeros(room), np.full(room, _NO_WORD, np.int32)
    count, i, fault = 0, first, 0
    while i < last:
        if ids[i] != _MINUS or i + 3 >= last:
            fault = 1
            break
        place[count], name[count], kind[count] = i + 1, ids[i + 1], ids[i + 2]
        i += 3
        while i < last and ids[i] != _SEMICOLON:
            if ids[i] == _PLUS and i + 6 < last and _PLACED <= ids[i + 1] <= _COVER:
                at_x, at_y = number[ids[i + 3]], number[ids[i + 4]]
                if ids[i + 2] != _OPEN or ids[i + 5] != _CLOSE:
                    fault = 5
                elif not (abs(at_x) < FAR and abs(at_y) < FAR):
                    fault = 3
                elif not _FIRST_ORIENTATION <= ids[i + 6] <= _LAST_ORIENTATION:
                    fault, i = 7, i + 6
                if fault:
                    break
                x[count], y[count], orientation[count] = at_x, at_y, ids[i + 6]
                i += 6
            i += 1
        if fault:
            break
        if i >= last:
            fault = 2
            break
        count += 1
        i += 1
    arrays = place[:count], name[:count], kind[:count], x[:count], y[:count], orientation[:count]
    return fault, min(i, last), arrays


@_jit
def _begins_wiring(word):
    return word in (_ROUTED, _FIXED, _COVER, _NOSHIELD)


@_jit
def nets(
    ids: NDArray[np.int32],
    number: NDArray[np.float64],
    first: int,
    last: int,
    via_low: NDArray[np.int32],
    via_high: NDArray[np.int32],
) -> tuple[int, int, tuple[np.ndarray, ...]]:
    """(fault, place, arrays of `Nets`) of the words from `first` to `last`, which is END's place.

    via_low, via_high: int32, for each word the layers that a via of that name joins, -1 where that is not known.
    """
    opened = statements = 0
    for i in range(first, last):
        opened += ids[i] == _OPEN
        statements += ids[i] == _SEMICOLON
    place, name = np.empty(statements + 1, np.int64), np.empty(statements + 1, np.int32)
    pin_net, pin_place = np.empty(opened, np.int32), np.empty(opened, np.int64)
    wire_net, wire_layer, wire = np.empty(opened, np.int32), np.empty(opened, np.int32), np.empty((opened, 4))
    vias = max(last - first - 4 * opened, 0)
    via_net, via, via_layer = np.empty(vias, np.int32), np.empty(vias, np.int32), np.empty(vias, np.int32)
    via_at = np.empty((vias, 2))
    n = p = s = v = 0
    i, fault = first, 0
    while i < last and not fault:
        if ids[i] != _MINUS or i + 2 >= last or n > statements:
            fault = 1
            break
        place[n], name[n] = i + 1, ids[i + 1]
        i += 2
        others = False  # the pins come first; what stands in parentheses after a + is none of the net's pins
        while i < last and ids[i] != _SEMICOLON:
            word = ids[i]
            if word == _OPEN and not others:
                closing = i + 5 if i + 5 < last and ids[i + 3] == _PLUS else i + 3  # ( cell pin [+ SYNTHESIZED] )
                if closing >= last or ids[closing] != _CLOSE or ids[i + 1] == _CLOSE or ids[i + 2] == _CLOSE:
                    fault = 5
                    break
                pin_net[p], pin_place[p] = n, i + 1
                p += 1
                i = closing + 1
                continue
            i += 1
            others |= word == _PLUS
            if not _begins_wiring(word) or ids[i] in (_OPEN, _PLUS, _SEMICOLON):
                continue
            # The wiring: layer, points and vias, NEW layer, ...
            layer, x, y, known, virtual = ids[i], 0.0, 0.0, False, False
            i += 1
            while i < last:
                word = ids[i]
                if word in (_SEMICOLON, _PLUS) or _begins_wiring(word):
                    break
                if word == _OPEN:
                    if i + 3 >= last:
                        fault = 2
                        break
                    if (ids[i + 1] == _STAR or ids[i + 2] == _STAR) and not known:
                        fault = 4
                        break
                    new_x = x if ids[i + 1] == _STAR else number[ids[i + 1]]
                    new_y = y if ids[i + 2] == _STAR else number[ids[i + 2]]
                    if not (abs(new_x) < FAR and abs(new_y) < FAR):
                        fault = 3
                        break
                    i += 3
                    if ids[i] != _CLOSE:  # how far the wire goes on beyond the point
                        i += 1
                    if i >= last or ids[i] != _CLOSE:
                        fault = 5
                        break
                    if known and not virtual and (new_x != x or new_y != y):
                        wire_net[s], wire_layer[s] = n, layer
                        wire[s, 0], wire[s, 1], wire[s, 2], wire[s, 3] = x, y, new_x, new_y
                        s += 1
                    x, y, known, virtual = new_x, new_y, True, False
                elif word == _NEW:
                    i += 1
                    if i >= last:
                        fault = 2
                        break
                    layer, known, virtual = ids[i], False, False
                elif word == _VIRTUAL:
                    virtual = True
                elif word == _RECT:
                    if i + 6 >= last or ids[i + 1] != _OPEN or ids[i + 6] != _CLOSE:
                        fault = 5
                        break
                    i += 6
                elif word in (_MASK, _TAPERRULE, _STYLE):
                    i += 1
                elif word != _TAPER and not _FIRST_ORIENTATION <= word <= _LAST_ORIENTATION:
                    if not known or v >= vias:
                        fault = 6
                        break
                    via_net[v], via[v], via_layer[v] = n, word, layer
                    via_at[v, 0], via_at[v, 1] = x, y
                    v += 1
                    layer = via_high[word] if layer == via_low[word] else via_low[word]
                i += 1
            if fault:
                break
        if fault:
            break
        if i >= last:
            fault = 2
            break
        n += 1
        i += 1
    arrays = (
        place[:n],
        name[:n],
        pin_net[:p],
        pin_place[:p],
        wire_net[:s],
        wire_layer[:s],
        wire[:s],
        via_net[:v],
        via[:v],
        via_layer[:v],
        via_at[:v],
    )
    return fault, min(i, last), arrays
