"""Simulated congestion: labels for circuits that come with a placement and no routing of their own.

`routed` routes the nets of a placed netlist (`gsrgnn.circuits.routing`) and says where wires do not fit:

1. Pins lie where the netlist has them, else in the gcell of their cell's centre; a macro's pins in that gcell of the
   macro which is nearest to the middle of their net.
2. The nets are routed. Every gcell has room for the same number of wires, one under a macro and no other cell for
   `UNDER_MACRO` of that. The horizontal and vertical capacities are in proportion to the horizontal and vertical
   wire lengths, so that both are as scarce.
3. A gcell's congestion in each direction is (demand - capacity) / capacity where demand is above capacity, else 0.
4. The two directions are combined gcell by gcell, and a cell's label is the mean over the gcells that it covers.

A netlist does not say how many wires its chip has room for. Unless it is given, the capacity is chosen, by bisection
over whole routings, so that a stated share of the cells has a label above 0: `SHARE` unless asked otherwise. A third
leaves most cells at 0, as CircuitNet's own maps do, and enough of them above to fit and to correlate with.

`rudy` is an older estimate, from the nets' bounding boxes without a router.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gsrgnn.circuits import routing
from gsrgnn.circuits.features import MACRO_HEIGHT
from gsrgnn.circuits.netlist import Netlist

SHARE = 1 / 3
UNDER_MACRO = 0.2
_ROUTINGS = 12
Combine: TypeAlias = Literal["max", "sum", "horizontal", "vertical", "both"]
COMBINE: dict[Combine, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "max": np.maximum,
    "sum": np.add,
    "horizontal": lambda horizontal, vertical: horizontal,
    "vertical": lambda horizontal, vertical: vertical,
    "both": lambda horizontal, vertical: np.stack([horizontal, vertical], axis=-1),
}


@dataclass(frozen=True)
class Congestion:
    """Overflow over capacity of a placed netlist, 0 where there is none.

    horizontal, vertical: float32 [W, H], by the wires' direction. capacity: wires a gcell has room for,
    (horizontal, vertical). share: the share of cells with a label above 0 (both directions considered).
    """

    horizontal: NDArray[np.floating]
    vertical: NDArray[np.floating]
    capacity: tuple[float, float] | None
    share: float | None


def routed(netlist: Netlist, share: float = SHARE, capacity: tuple[float, float] | None = None) -> Congestion:
    """Simulated congestion of `netlist`, its capacity chosen so that about `share` of the cells overflow.

    capacity: wires a gcell has room for, (horizontal, vertical), where that is known; default is the netlist's own if
    it has one. `share` is then not used.

    The share reached is in the answer: within 0.04 of a third on every stand-in for Table 1 and every circuit that
    ships.
    Where no net leaves its gcell there is nothing to route: capacity, maps and share are 0. The same netlist gives
    the same maps. ValueError if `share` is not between 0 and 1, a capacity is no positive number or a box does not lie
    on the grid.
    """
    capacity = netlist.capacity if capacity is None else capacity
    _check(netlist, share, capacity)
    tree, room = _tree_and_room(netlist)

    def congestion(capacity):
        routes = routing.route(tree, capacity[0] * room, capacity[1] * room)
        horizontal, vertical = (
            _overflow(demand, each * room)
            for demand, each in zip((routes.horizontal, routes.vertical), capacity, strict=True)
        )
        reached = float((cell_label(horizontal, vertical, netlist.box) > 0).mean())
        return Congestion(horizontal, vertical, (float(capacity[0]), float(capacity[1])), reached)

    if capacity is not None:
        return congestion(capacity)
    span = np.abs(tree[:, :2] - tree[:, 2:]).sum(axis=0)
    direction = span / max(span.max(), 1)
    unlimited = routing.route(tree, *np.full((2, *room.shape), np.inf))
    low, high = 0.0, float(max(unlimited.horizontal.max(), unlimited.vertical.max())) / UNDER_MACRO
    tried = []
    for _ in range(_ROUTINGS):
        middle = (low + high) / 2
        tried.append(congestion(middle * direction))
        low, high = (middle, high) if tried[-1].share > share else (low, middle)
    return min(tried, key=lambda found: abs(found.share - share))


def routes(netlist: Netlist, capacity: tuple[float, float]) -> routing.Routes:
    """The routes that `routed` lays where a gcell has room for `capacity` wires, (horizontal, vertical)."""
    _check(netlist, SHARE, capacity)
    tree, room = _tree_and_room(netlist)
    return routing.route(tree, capacity[0] * room, capacity[1] * room)


def cell_label(
    horizontal: np.ndarray, vertical: np.ndarray, box: np.ndarray, combine: Combine = "max"
) -> NDArray[np.float64]:
    """float64 [N], a cell's label: the mean over the gcells it covers of both directions' overflow, combined.

    horizontal, vertical: float [W, H]; box: int64 [N, 4]. combine: "max", "sum", "horizontal" or "vertical"; of "both"
    it is [N, 2], the horizontal and the vertical one.
    """
    check_combine(combine)
    combined = COMBINE[combine](np.asarray(horizontal, float), np.asarray(vertical, float))
    overflowing = box_mean(combined > 0, box) > 0  # exact, where rounding leaves a mean of zeros just off 0
    return np.where(overflowing, box_mean(combined, box).clip(min=0), 0.0)


def _tree_and_room(netlist):
    """The connections to route, and float64 [W, H], the share of its room that a gcell has for wires."""
    macro = is_macro(netlist)
    room = np.ones(netlist.grid)
    for left, bottom, right, top in netlist.box[macro]:
        room[left : right + 1, bottom : top + 1] = UNDER_MACRO
    room[tuple(netlist.centre[~macro].astype(np.int64).T)] = 1
    return routing.connections(netlist.net, pin_gcells(netlist), netlist.grid), room


def check_combine(combine: Combine) -> None:
    """ValueError unless `combine` is one of `COMBINE`."""
    if not isinstance(combine, str) or combine not in COMBINE:
        raise ValueError(f"combine is {combine!r}, needed one of {', '.join(map(repr, COMBINE))}")


def _check(netlist, share, capacity):
    if capacity is not None and not all(np.isfinite(each) and each > 0 for each in capacity):
        raise ValueError(f"capacity is {capacity}, needed two positive numbers: wires a gcell, horizontal and vertical")
    if not isinstance(share, (int, float, np.floating)) or not 0 < share < 1:
        raise ValueError(f"share is {share}, needed a number between 0 and 1: the share of cells to overflow")
    check_placed(netlist)


def check_placed(netlist: Netlist) -> None:
    """ValueError unless there is a cell, every box lies on the grid, and every pin is of a cell."""
    box, pins, cells = netlist.box, (len(netlist.cell), len(netlist.net)), netlist.num_cells
    if box.shape != (cells, 4) or box.dtype.kind not in "iu" or cells == 0:
        needed = f"needed integers ({cells}, 4), one cell or more"
        raise ValueError(f"{netlist.name}: box is {box.dtype} {box.shape}, {needed}")
    if (box[:, :2] < 0).any() or (box[:, :2] > box[:, 2:]).any() or (box[:, 2:] >= netlist.grid).any():
        raise ValueError(f"{netlist.name}: a box does not lie on the grid {netlist.grid}")
    if pins[0] != pins[1] or (netlist.cell < 0).any() or (netlist.cell >= cells).any():
        raise ValueError(f"{netlist.name}: cell and net have {pins} pins, needed as many, of cells 0 to {cells - 1}")


def is_macro(netlist: Netlist) -> NDArray[np.bool_]:
    """bool [N], as in `gsrgnn.circuits.placement`, by the cells' sizes; by their boxes where sizes are not known."""
    extent = netlist.box[:, 2:] - netlist.box[:, :2] if netlist.size is None else netlist.size
    return np.any(extent > MACRO_HEIGHT, axis=1)


def pin_gcells(netlist: Netlist) -> NDArray[np.int64]:
    """int64 [P, 2], column and row of the gcell in which each pin lies, by step 1 above."""
    if netlist.pin is not None:
        return netlist.pin.astype(np.int64)
    at = netlist.centre[netlist.cell]
    count = np.bincount(netlist.net).clip(min=1)
    middle = np.stack([np.bincount(netlist.net, side) / count for side in at.T], axis=1)[netlist.net]
    box = netlist.box[netlist.cell]
    of_macro = is_macro(netlist)[netlist.cell]
    at[of_macro] = np.clip(middle, box[:, :2], box[:, 2:])[of_macro]
    return at.astype(np.int64)


def _overflow(demand, capacity):
    over = np.maximum(demand - capacity, 0)
    return np.divide(over, capacity, out=np.zeros_like(over), where=over > 0).astype(np.float32)


def rudy(net: np.ndarray, pin_gcell: np.ndarray, grid: tuple[int, int]) -> NDArray[np.float64]:
    """RUDY, the rectangular uniform wire density of a placement: float64 [W, H], wire length per gcell.

    A net whose pins span w by h gcells (w, h >= 1) asks for (w + h) / (w h) in each gcell of that box; a
    net of one pin asks for nothing. net: int64 [P]; pin_gcell: int64 [P, 2], column and row; grid: (W, H).

    Source: Spindler and Johannes, "Fast and Accurate Routing Demand Estimation for Efficient
    Routability-driven Placement", DATE 2007, with wires one gcell wide and sides counted in gcells.
    """
    low, high = net_boxes(net, pin_gcell)
    span = high - low
    return sum_of_boxes(span.sum(axis=1) / span.prod(axis=1), low, high, grid)


def net_boxes(net: np.ndarray, pin_gcell: np.ndarray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """int64 [M, 2] each, the bounding boxes of the nets of two pins or more: first column and row, and one past the
    last. net: int64 [P]; pin_gcell: int64 [P, 2], column and row."""
    order = np.argsort(net, kind="stable")
    starts = np.flatnonzero(np.diff(net[order], prepend=-1))
    pins = np.diff(starts, append=len(net))
    low = np.minimum.reduceat(pin_gcell[order], starts)[pins > 1]
    high = np.maximum.reduceat(pin_gcell[order], starts)[pins > 1] + 1
    return low, high


def sum_of_boxes(amount: np.ndarray, low: np.ndarray, high: np.ndarray, grid: tuple[int, int]) -> NDArray[np.float64]:
    """float64 [W, H]: each box adds its amount, 0 or more, to every gcell in it.

    amount: float [M]; low, high: int64 [M, 2], first column and row, and one past the last; grid: (W, H).
    """
    corners = np.zeros((grid[0] + 1, grid[1] + 1))
    for x, y, sign in ((low, low, 1), (high, high, 1), (low, high, -1), (high, low, -1)):
        np.add.at(corners, (x[:, 0], y[:, 1]), sign * amount)
    return corners.cumsum(axis=0).cumsum(axis=1)[:-1, :-1].clip(min=0)


def box_mean(values: np.ndarray, box: np.ndarray) -> NDArray[np.float64]:
    """float64 [N], the mean of `values` [W, H] over each box [N, 4] (left, bottom, right, top, inclusive).

    Of K maps, [W, H, K], it is [N, K].
    """
    integral = np.pad(values, [(1, 0), (1, 0), *[(0, 0)] * (values.ndim - 2)]).cumsum(axis=0).cumsum(axis=1)
    left, bottom, right, top = box.T + np.array([[0], [0], [1], [1]])
    total = integral[right, top] - integral[left, top] - integral[right, bottom] + integral[left, bottom]
    return (total.T / ((right - left) * (top - bottom))).T
