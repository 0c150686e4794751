"""A global router: which gcells the wires of a placed netlist run through.

1. Each net is split into connections of two gcells by a minimum spanning tree of Manhattan length (Prim).
2. Each connection, the short ones first, takes the cheaper of its two L shapes.
3. For a few rounds each connection that runs over an edge with more wires than capacity is taken up and laid
   again along the cheapest Z, L or U shape: three segments, the middle one anywhere up to `MARGIN` gcells outside
   the connection's box. Crossing a full edge costs more the fuller it is (present cost), and each round in which an
   edge stays too full adds to its cost for good (history): connections that can go elsewhere yield to those that
   cannot. The round with the least overflow counts.

Wires are counted on the edges between neighbouring gcells. A gcell's demand is half the wires on its two edges of
that direction, so that demand adds up to wire length; an edge's capacity is the mean of its two gcells'.

Sources: McMurchie and Ebeling, "PathFinder", FPGA 1995 (negotiation); Kastner, Bozorgzadeh and Sarrafzadeh,
"Pattern Routing", IEEE TCAD 21(7), 2002 (L and Z shapes).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gsrgnn.jit import jit

ROUNDS = 4
MARGIN = 5  # gcells
_PRESENT = 2.0  # cost of an edge filled to twice its capacity, beyond its length of 1
_HISTORY = 0.5  # what a round adds to it
_BEND = 0.5  # cost of a bend, in gcells of wire

_jit = jit()


@dataclass(frozen=True)
class Routes:
    """Laid wires: `on_horizontal` int64 [W - 1, H] and `on_vertical` int64 [W, H - 1], wires over each edge.

    The first counts wires from gcell (x, y) to (x + 1, y), the second from (x, y) to (x, y + 1).
    """

    on_horizontal: NDArray[np.int64]
    on_vertical: NDArray[np.int64]

    @property
    def horizontal(self) -> NDArray[np.float64]:
        """float64 [W, H], horizontal wire length in each gcell, in gcells."""
        return (np.pad(self.on_horizontal, ((1, 0), (0, 0))) + np.pad(self.on_horizontal, ((0, 1), (0, 0)))) / 2

    @property
    def vertical(self) -> NDArray[np.float64]:
        """float64 [W, H], vertical wire length in each gcell, in gcells."""
        return (np.pad(self.on_vertical, ((0, 0), (1, 0))) + np.pad(self.on_vertical, ((0, 0), (0, 1)))) / 2

    @property
    def length(self) -> int:
        """Wire length in gcells."""
        return int(self.on_horizontal.sum() + self.on_vertical.sum())


def connections(net: np.ndarray, pin_gcell: np.ndarray, grid: tuple[int, int]) -> NDArray[np.int64]:
    """int64 [C, 4], columns x, y of both ends: the edges of every net's minimum spanning tree, shortest first.

    net: int64 [P]; pin_gcell: int64 [P, 2], column and row; grid: (W, H). Pins of a net in the same gcell
    count once.
    """
    net, pin_gcell, (width, height) = np.asarray(net), np.asarray(pin_gcell), grid
    if net.ndim != 1 or net.dtype.kind not in "iu":
        raise ValueError(f"net is {net.dtype} {net.shape}, needed integers, one a pin")
    if pin_gcell.shape != (len(net), 2) or pin_gcell.dtype.kind not in "iu":
        raise ValueError(f"pin_gcell is {pin_gcell.dtype} {pin_gcell.shape}, needed integers {(len(net), 2)}")
    if (net < 0).any():
        raise ValueError(f"net holds {net.min()}, needed indices from 0")
    outside = ((pin_gcell < 0) | (pin_gcell >= grid)).any(axis=1)
    if outside.any():
        at = tuple(pin_gcell[outside][0].tolist())
        raise ValueError(f"a pin lies in gcell {at}, outside the {width} x {height} grid")
    key = np.unique(net * (width * height) + pin_gcell[:, 0] * height + pin_gcell[:, 1])
    of_net, gcell = np.divmod(key, width * height)
    starts = np.append(np.flatnonzero(np.diff(of_net, prepend=-1)), len(key))
    tree = _trees(starts, *np.divmod(gcell, height))
    length = np.abs(tree[:, :2] - tree[:, 2:]).sum(axis=1)
    return tree[np.argsort(length, kind="stable")]


def route(tree: np.ndarray, horizontal: np.ndarray, vertical: np.ndarray, rounds: int = ROUNDS) -> Routes:
    """Routes of the connections `tree` [C, 4] in the order given, after `rounds` rounds of negotiation.

    horizontal, vertical: float [W, H], capacity of each gcell in wires.
    """
    tree, horizontal, vertical = np.asarray(tree), np.asarray(horizontal, float), np.asarray(vertical, float)
    if tree.ndim != 2 or tree.shape[1] != 4 or tree.dtype.kind not in "iu":
        raise ValueError(f"tree is {tree.dtype} {tree.shape}, needed integers (connections, 4)")
    if horizontal.ndim != 2 or horizontal.shape != vertical.shape:
        raise ValueError(f"capacities have shapes {horizontal.shape} and {vertical.shape}, needed (W, H) twice")
    if not ((horizontal >= 0).all() and (vertical >= 0).all()):
        raise ValueError("a capacity is negative or NaN")
    if ((tree < 0) | (tree >= horizontal.shape * 2)).any():
        raise ValueError(f"a connection ends outside the {' x '.join(map(str, horizontal.shape))} grid")
    between = (horizontal[:-1] + horizontal[1:]) / 2, (vertical[:, :-1] + vertical[:, 1:]) / 2
    return Routes(*_route(tree.astype(np.int64), *between, rounds))


@_jit
def _trees(starts, x, y):
    count = len(x) - (len(starts) - 1)
    tree = np.empty((count, 4), np.int64)
    parent = np.empty(len(x), np.int64)
    distance = np.empty(len(x), np.int64)
    e = 0
    for n in range(len(starts) - 1):
        # Prim; the pins from `first` to `last` are those not yet in the tree.
        first, last = starts[n], starts[n + 1]
        new_x, new_y, new = x[first], y[first], first
        waiting = np.arange(first + 1, last)
        parent[first:last] = -1
        left = len(waiting)
        while left > 0:
            nearest = 0
            for w in range(left):
                p = waiting[w]
                d = abs(x[p] - new_x) + abs(y[p] - new_y)
                if parent[p] < 0 or d < distance[p]:
                    distance[p], parent[p] = d, new
                if distance[p] < distance[waiting[nearest]]:
                    nearest = w
            new = waiting[nearest]
            new_x, new_y = x[new], y[new]
            left -= 1
            waiting[nearest] = waiting[left]
            tree[e] = x[parent[new]], y[parent[new]], new_x, new_y
            e += 1
    return tree


@_jit
def _edge_cost(wires, capacity, history):
    return (1 + history) * (1 + _PRESENT * max(0.0, wires + 1 - capacity) / max(capacity, 0.1))


@_jit
def _run(wires, capacity, history, cost, line, start, end, sign):
    """Adds `sign` wires along the line from `start` to `end`; edges run along the first axis."""
    for e in range(min(start, end), max(start, end)):
        wires[e, line] += sign
        cost[e, line] = _edge_cost(wires[e, line], capacity[e, line], history[e, line])


@_jit
def _full(wires, capacity, line, start, end):
    full = False
    for e in range(min(start, end), max(start, end)):
        full |= wires[e, line] > capacity[e, line]
    return full


@_jit
def _three_segments(along, across, start, start_line, end, end_line, margin, only_ends):
    """Cheapest way from `start` to `end` along the first axis, changing lines at one place: (cost, place).

    along: costs of edges of the first axis [edge, line]; across: of the other axis [line's edge, place].
    """
    low, high = min(start, end), max(start, end)
    low, high = max(low - margin, 0), min(high + margin, along.shape[0])
    best, place = np.inf, start
    for middle in range(low, high + 1):
        if only_ends and middle != start and middle != end:
            continue
        total = (middle != start) * _BEND + (middle != end) * _BEND
        for e in range(min(start, middle), max(start, middle)):
            total += along[e, start_line]
        for e in range(min(end, middle), max(end, middle)):
            total += along[e, end_line]
        for e in range(min(start_line, end_line), max(start_line, end_line)):
            total += across[e, middle]
            if total >= best:
                break
        if total < best:
            best, place = total, middle
    return best, place


@_jit
def _route(tree, h_capacity, v_capacity_by_column, rounds):
    # Both directions are stored with the wire's own axis first: [edge, line].
    v_capacity = np.ascontiguousarray(v_capacity_by_column.T)
    h_wires, v_wires = np.zeros(h_capacity.shape, np.int64), np.zeros(v_capacity.shape, np.int64)
    h_history, v_history = np.zeros(h_capacity.shape), np.zeros(v_capacity.shape)
    h_cost, v_cost = np.empty(h_capacity.shape), np.empty(v_capacity.shape)
    across_first = np.zeros(len(tree), np.bool_)
    place = np.empty(len(tree), np.int64)
    least, best = np.inf, (h_wires, v_wires)
    for turn in range(rounds + 2):
        overflow = 0.0
        for wires, capacity, history, cost in (
            (h_wires, h_capacity, h_history, h_cost),
            (v_wires, v_capacity, v_history, v_cost),
        ):
            for e in range(wires.shape[0]):
                for line in range(wires.shape[1]):
                    over = wires[e, line] - capacity[e, line]
                    if over > 0:
                        overflow += over
                        history[e, line] += _HISTORY * over / max(capacity[e, line], 0.1)
                    cost[e, line] = _edge_cost(wires[e, line], capacity[e, line], history[e, line])
        if turn > 0 and overflow < least:
            least, best = overflow, (h_wires.copy(), v_wires.copy())
        if turn > rounds or least == 0:
            break
        for c in range(len(tree)):
            x1, y1, x2, y2 = tree[c]
            if turn > 0:
                m = place[c]
                if across_first[c]:
                    full = (
                        _full(v_wires, v_capacity, x1, y1, m)
                        or _full(h_wires, h_capacity, m, x1, x2)
                        or _full(v_wires, v_capacity, x2, m, y2)
                    )
                else:
                    full = (
                        _full(h_wires, h_capacity, y1, x1, m)
                        or _full(v_wires, v_capacity, m, y1, y2)
                        or _full(h_wires, h_capacity, y2, m, x2)
                    )
                if not full:
                    continue
            for sign in (-1, 1):
                if sign < 0 and turn == 0:
                    continue
                if sign > 0:
                    margin = MARGIN if turn > 0 else 0
                    by_h, m_h = _three_segments(h_cost, v_cost, x1, y1, x2, y2, margin, turn == 0)
                    by_v, m_v = _three_segments(v_cost, h_cost, y1, x1, y2, x2, margin, turn == 0)
                    across_first[c] = by_v < by_h
                    place[c] = m_v if across_first[c] else m_h
                m = place[c]
                if across_first[c]:
                    _run(v_wires, v_capacity, v_history, v_cost, x1, y1, m, sign)
                    _run(h_wires, h_capacity, h_history, h_cost, m, x1, x2, sign)
                    _run(v_wires, v_capacity, v_history, v_cost, x2, m, y2, sign)
                else:
                    _run(h_wires, h_capacity, h_history, h_cost, y1, x1, m, sign)
                    _run(v_wires, v_capacity, v_history, v_cost, m, y1, y2, sign)
                    _run(h_wires, h_capacity, h_history, h_cost, y2, m, x2, sign)
    return best[0], np.ascontiguousarray(best[1].T)
