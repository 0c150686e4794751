"""How far the package's router agrees with the router that made a design's wires, on the same placement.

Both are maps over the gcells, of the larger of the horizontal and the vertical value; how far they agree is their rank
correlation (Spearman) over all gcells. Three estimates are held against the usage of the tracks by the real wires
(`gsrgnn.circuits.usage`): what the label "routed" is made of, overflow, which is 0 in most gcells; the wires of the
same routes over their capacity; and RUDY, which needs no router.
"""

from typing import Any

import numpy as np

from gsrgnn.circuits import congestion
from gsrgnn.circuits.design import Design
from gsrgnn.circuits.usage import usage
from gsrgnn.metrics import correlations

ESTIMATES = {"overflow": "our router: overflow", "wires": "our router: wires", "rudy": "RUDY, no router"}


def agreement(design: Design) -> dict[str, Any]:
    """Counts of a routed design, the wires of both routers, and "spearman": by estimate (`ESTIMATES`) the correlation.

    A correlation is None where a map is the same everywhere. Lengths are in microns; "capacity" and "tracks" are those
    of a mean gcell, (horizontal, vertical). ValueError as for `usage`.
    """
    netlist, real = design.netlist, usage(design)
    ours = congestion.routed(netlist)
    capacity = ours.capacity or (0.0, 0.0)
    routes = congestion.routes(netlist, capacity) if min(capacity) > 0 else None
    wires = (routes.horizontal / capacity[0], routes.vertical / capacity[1]) if routes else (ours.horizontal,) * 2
    width, height = (float(np.median(np.diff(edge))) for edge in design.borders)
    horizontal, vertical = (routes.on_horizontal.sum(), routes.on_vertical.sum()) if routes else (0, 0)
    largest = np.maximum(real.horizontal, real.vertical)
    maps = {
        "overflow": np.maximum(ours.horizontal, ours.vertical),
        "wires": np.maximum(*wires),
        "rudy": congestion.rudy(netlist.net, netlist.centre.astype(np.int64)[netlist.cell], netlist.grid),
    }
    degree = design.degree
    return {
        "circuit": netlist.name,
        "components": design.counted["COMPONENTS"],
        "cells": netlist.num_cells,
        "nets": len(design.net_names),
        "pins": len(netlist.cell),
        "median_degree": float(np.median(degree)),
        "max_degree": int(degree.max()),
        "die": [design.die[2] - design.die[0], design.die[3] - design.die[1]],
        "grid": list(netlist.grid),
        "tracks": list(real.capacity or ()),
        "capacity": list(capacity),
        "wire_length": design.total_wire_length,
        "our_wire_length": float(horizontal * width + vertical * height),
        "largest_usage": float(largest.max()),
        "spearman": {name: _rank_correlation(largest, each) for name, each in maps.items()},
    }


def _rank_correlation(one, other):
    found = correlations(one.ravel(), other.ravel())["spearman"]
    return found if np.isfinite(found) else None
