"""How much of a routed design's tracks its wires take: a label that a real router made.

A gcell's usage in a direction is the length of the wires in it that run in this direction, in gcells, over the tracks
of this direction that cross it. The layers that count are those in which a net has a wire. Of such a layer the tracks
of one direction count: what its LEF says, else the one in which more of its wires run. A via takes on each of the
layers that it joins a piece of track as long as the tracks of that layer are apart. Where neither VIAS nor a LEF says
what a via joins, it is the layer that it is written on and the next above, as OpenROAD writes vias.

What else takes tracks (power stripes, the cells' own shapes, blockages) is not taken off. A diagonal wire counts in
both directions, with how far it goes in each.
"""

import numpy as np
from numpy.typing import NDArray

from gsrgnn.circuits.congestion import Congestion
from gsrgnn.circuits.design import Design


def usage(design: Design) -> Congestion:
    """The maps of wires over tracks, float64 [W, H], 0 where there are no tracks; capacity is the mean tracks a gcell.

    ValueError if the design has no wires, or no tracks for them.
    """
    wires, name = design.wires, design.netlist.name
    if not len(wires.net):
        raise ValueError(f"{name} has no wires: take the DEF that was written after routing, or label='routed'")
    x1, y1, x2, y2 = wires.ends.T
    across, up = np.abs(x2 - x1), np.abs(y2 - y1)
    count = len(wires.layers) + 1
    flat, steep = (np.bincount(wires.layer + 1, length, minlength=count)[1:] for length in (across, up))
    horizontal = {
        layer: design.directions.get(layer, "HORIZONTAL" if along > over else "VERTICAL") == "HORIZONTAL"
        for layer, along, over in zip(wires.layers, flat, steep, strict=True)
        if along + over > 0 and layer in design.tracks
    }
    maps, capacity = [], []
    for axis, length, low, high, line in (
        (0, across, np.minimum(x1, x2), np.maximum(x1, x2), (y1 + y2) / 2),
        (1, up, np.minimum(y1, y2), np.maximum(y1, y2), (x1 + x2) / 2),
    ):
        along, over = design.borders[axis], design.borders[1 - axis]
        runs = length > 0
        spans = [(low[runs], high[runs], line[runs])]
        tracks = np.zeros(len(over) - 1)
        for number, layer in enumerate(wires.layers):
            if layer not in horizontal or horizontal[layer] != (axis == 0):
                continue
            lines = design.tracks[layer][1 - axis]
            tracks += np.histogram(lines, over)[0]
            at = wires.via_at[(wires.via_layers == number).any(axis=1)]
            half = np.diff(lines).min(initial=np.inf) / 2 if len(lines) > 1 else 0.0
            spans.append((at[:, axis] - half, at[:, axis] + half, at[:, 1 - axis]))
        if not tracks.any() and runs.any():
            raise ValueError(f"{name} has wires and no TRACKS for them: their usage is not known; take label='routed'")
        starts, stops, at_line = (np.concatenate(part) for part in zip(*spans, strict=True))
        taken = _lengths(starts, stops, at_line, along, over)
        share = np.divide(taken / np.diff(along)[:, None], tracks, out=np.zeros_like(taken), where=tracks > 0)
        maps.append(share if axis == 0 else share.T)
        capacity.append(float(tracks.mean()))
    return Congestion(maps[0], maps[1], (capacity[0], capacity[1]), share=None)


def _lengths(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    line: NDArray[np.float64],
    along: NDArray[np.float64],
    over: NDArray[np.float64],
) -> NDArray[np.float64]:
    """float64 [gcells along, gcells over], how much of the spans from `low` to `high` at `line` lies in each gcell."""
    low, high = np.clip(low, along[0], along[-1]), np.clip(high, along[0], along[-1])
    columns, rows = len(along) - 1, len(over) - 1
    first, last = (np.clip(np.searchsorted(along, at, side="right") - 1, 0, columns - 1) for at in (low, high))
    row = np.clip(np.searchsorted(over, line, side="right") - 1, 0, rows - 1)
    begun = np.zeros((columns + 1, rows))
    np.add.at(begun, (first, row), 1)
    np.add.at(begun, (last, row), -1)
    found = begun.cumsum(axis=0)[:-1] * np.diff(along)[:, None]
    np.add.at(found, (first, row), along[first] - low)
    np.add.at(found, (last, row), high - along[last])
    return found.clip(min=0)
