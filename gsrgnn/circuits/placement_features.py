"""Features of a cell after placement and before routing: those of the netlist, and the die around the cell.

Their rule: nothing is a router's. No congestion map, no wire and no capacity goes in, so that circuits that differ in
their labels alone have the same features. (RUDY is an estimate without a router; the label "rudy" is made of it, and
says little about a model that has these features.) Nor is anything scaled by a circuit's own numbers: equal
surroundings have equal features on every die, which a model needs that is to predict a circuit it has not seen.

Five maps over the gcells of a die, of the kinds that CircuitNet gives with its designs (RUDY, pins, cell density,
macros):

- horizontal and vertical RUDY, whose sum is `gsrgnn.circuits.congestion.rudy`: the wire in each direction that the nets
  ask for, in gcells. A net whose pins span w by h gcells asks for w gcells of horizontal wire, 1 / h in each gcell of
  that box, and for h of vertical wire, 1 / w in each
- pins in a gcell
- cell density: the area of the standard cells, each cell's spread evenly over the gcells that it covers, over a gcell's
- blockage: 1 in every gcell that a macro covers, else 0

Of each map a cell has the mean over the gcells that it covers, and over two windows: these gcells and `WINDOWS` gcells
more on every side, as far as the die goes. For a cell of one gcell they are 5 x 5 and 17 x 17 gcells.

Source of the kinds of maps: Chai et al., "CircuitNet: An Open-Source Dataset for Machine Learning in VLSI CAD
Applications with Improved Domain-Specific Evaluation Metric and Learning Strategies", IEEE TCAD 2023.
"""

import numpy as np
from numpy.typing import NDArray

from gsrgnn.circuits import congestion
from gsrgnn.circuits.features import FEATURE_NAMES, cell_features, cell_size
from gsrgnn.circuits.netlist import Netlist

WINDOWS = (2, 8)  # gcells on every side
_MAPS = ("horizontal RUDY", "vertical RUDY", "pins in a gcell", "cell density", "blockage")
_COUNTS = 3  # of the maps, the first, which are no shares
PLACED_NAMES = [
    *FEATURE_NAMES,
    *(f"{name}{around}" for around in ("", *(f", {reach} around" for reach in WINDOWS)) for name in _MAPS),
    "distance to the left or right edge",
    "distance to the bottom or top edge",
]
# What is usual, and how far cells are from it: means and deviations over the circuits that ship, rounded. They are of
# no one circuit, and windows have those of their map. Columns that are not here are as they are.
_USUAL = {
    "log2 drive strength": (0.0, 0.5),
    "width": (0.5, 0.3),
    "height": (0.4, 0.3),
    "pins": (1.5, 0.2),
    "nets": (1.5, 0.2),
    "mean net size": (3.0, 2.0),
    "largest net": (4.0, 2.0),
    "clique degree": (4.0, 2.0),
    "horizontal RUDY": (2.0, 0.3),
    "vertical RUDY": (2.0, 0.3),
    "pins in a gcell": (2.2, 0.2),
    "cell density": (0.7, 0.1),
    "distance to the left or right edge": (0.25, 0.15),
    "distance to the bottom or top edge": (0.25, 0.15),
}
CENTRE, SPREAD = np.array([_USUAL.get(name.partition(",")[0], (0.0, 1.0)) for name in PLACED_NAMES]).T


def placed_features(netlist: Netlist) -> NDArray[np.float32]:
    """float32 [N, F], columns `PLACED_NAMES`: `cell_features`, not standardised, and of each cell the die around it.

    The means of RUDY and of pins go through log(1 + x); cell density and blockage are shares of an area. The distances
    of a cell's centre to the nearer edge are shares of the die's width and height, 0 to 1/2. Then `CENTRE` is taken off
    and what is left divided by `SPREAD`, a constant a column, the same for every circuit. ValueError as for
    `congestion.check_placed`.
    """
    congestion.check_placed(netlist)
    maps, grid = gcell_maps(netlist), np.array(netlist.grid)
    windows = [congestion.box_mean(maps, _widened(netlist.box, reach, grid)).clip(min=0) for reach in (0, *WINDOWS)]
    around = np.stack(windows, axis=1)
    around[..., :_COUNTS] = np.log1p(around[..., :_COUNTS])
    at = netlist.centre / grid
    columns = [
        cell_features(netlist, standardised=False),
        around.reshape(netlist.num_cells, -1),
        np.minimum(at, 1 - at),
    ]
    return ((np.hstack(columns) - CENTRE) / SPREAD).astype(np.float32)


def gcell_maps(netlist: Netlist) -> NDArray[np.float64]:
    """float64 [W, H, 5], the maps that this module describes, in the order in which it does."""
    grid, box, macro = netlist.grid, netlist.box, congestion.is_macro(netlist)
    pins = congestion.pin_gcells(netlist)
    low, high = congestion.net_boxes(netlist.net, pins)
    width, height = (high - low).T
    left_bottom, past = box[:, :2], box[:, 2:] + 1
    area = np.where(macro, 0, cell_size(netlist).prod(axis=1)) / (past - left_bottom).prod(axis=1)
    ones = np.ones(int(macro.sum()))
    return np.stack(
        [
            congestion.sum_of_boxes(1 / height, low, high, grid),
            congestion.sum_of_boxes(1 / width, low, high, grid),
            congestion.sum_of_boxes(np.ones(len(pins)), pins, pins + 1, grid),
            congestion.sum_of_boxes(area, left_bottom, past, grid),
            congestion.sum_of_boxes(ones, left_bottom[macro], past[macro], grid).clip(max=1),
        ],
        axis=-1,
    )


def _widened(box, reach, grid):
    return np.hstack([(box[:, :2] - reach).clip(min=0), np.minimum(box[:, 2:] + reach, grid - 1)])
