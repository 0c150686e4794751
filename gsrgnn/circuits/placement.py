"""Placement: where the cells of a netlist lie, for circuits that come without.

The die is as large as the cells' area at the utilisation asks for, and square unless asked otherwise. Macros go first,
the largest ones before the others, each as near to a corner as is free or as `macros` says instead. The other cells
follow from two steps in turn:

1. quadratic placement: least squared wire length in the Bound2Bound net model, whose squares, weighted by the
   last solution's distances, add up to the half perimeter; each cell also held by an anchor, weakly at first;
2. spreading: the die is bisected again and again down to one gcell, each part taking the cells, in the order of
   their coordinates, that its free capacity holds; the places so found are the next step's anchors.

A netlist has no pads that would pull it apart: the first anchors come from two random vectors averaged over the nets
again and again, an approximate spectral embedding. Of all turns the one with the least half perimeter counts. A last
pass moves single cells to the gcell with room for them where their nets are shortest.

Sources: Spindler, Schlichtmann and Johannes, "Kraftwerk2", IEEE TCAD 27(8), 2008 (net model); Kim, Lee and Markov,
"SimPL", IEEE TCAD 31(1), 2012 (anchors between a lower and an upper bound); Pan, Viswanathan and Chu, "An Efficient
and Effective Detailed Placement Algorithm", ICCAD 2005 (the last pass).
"""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gsrgnn.arguments import natural
from gsrgnn.circuits.features import MACRO_HEIGHT
from gsrgnn.jit import jit

Macros: TypeAlias = Literal["corners", "border", "scattered"]

UTILISATION = 0.7
MACROS: tuple[Macros, ...] = ("corners", "border", "scattered")
MAX_SIDE = 4096  # gcells
_LARGEST_NET = 500  # pins; a net above it (clock, reset) reaches everywhere and is left out of the solve
_ROUNDS = 45
_AVERAGES = 100
_FIRST_HOLD, _GROWTH = 0.005, 1.15  # an anchor's pull, that of a net of two pins being 1
_SLACK = 0.02  # spreading fills a gcell's room to just above the utilisation, so that no part stays empty
_REACH = 2  # gcells around the best place that the last pass looks at
_PASSES = 4

_jit = jit()


def place(
    cell: np.ndarray,
    net: np.ndarray,
    size: np.ndarray,
    fixed: np.ndarray | None = None,
    *,
    utilisation: float = UTILISATION,
    aspect: float = 1.0,
    macros: Macros = "corners",
    seed: int = 0,
) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """The gcells each cell covers and the die: (box int64 [N, 4], (W, H)).

    cell, net: int64 [P], one entry a pin. size: float [N, 2], widths and heights in gcells; a cell with a side
    above `MACRO_HEIGHT` is a macro. fixed: float [N, 2], centres of cells that stay where they are, NaN for the
    others. utilisation: the cells' area by the die's, 0.1 to 0.95; where macros do not fit the die grows. aspect: the
    die's width by its height, 0.25 to 4. macros: "corners", "border" (along the die's edge) or "scattered", the latter
    two at places drawn by `seed`. seed: also of the two random vectors that the first anchors come from.

    Boxes (left, bottom, right, top, inclusive) lie inside the die. Macros share no gcell with any other cell.
    The movable cells in a gcell have an area of at most 1 plus that of the largest cell that is no macro. The same
    arguments give the same placement, whatever the number of threads. ValueError says which argument is wrong.
    """
    cell, net, size, fixed = _checked(cell, net, size, fixed)
    seed = natural("seed", seed)
    _check_layout(utilisation, aspect, macros)
    macro = size.max(axis=1) > MACRO_HEIGHT
    side = _side(size, fixed, utilisation, aspect)
    while (placed := _place_macros(size, macro, fixed, _grid(side, aspect), macros, seed)) is None:
        side = max(side + 1, round(1.03 * side))
    box, free, blocked = placed
    movable = ~macro & np.isnan(fixed[:, 0])
    at = np.where(np.isnan(fixed), (box[:, :2] + box[:, 2:] + 1) / 2, fixed)
    area = size.prod(axis=1)
    if movable.any():
        at = _place_cells(cell, net, area, at, movable, free, utilisation + _SLACK, seed)
    rest = ~macro
    box[rest] = _boxes(at[rest], size[rest], blocked)
    return box, _grid(side, aspect)


def _checked(cell, net, size, fixed):
    cell, net, size = np.asarray(cell), np.asarray(net), np.asarray(size, dtype=float)
    if size.ndim != 2 or size.shape[1] != 2 or len(size) == 0:
        raise ValueError(f"size has shape {size.shape}, needed (cells, 2) with at least one cell")
    if not (np.isfinite(size).all() and (size > 0).all()):
        raise ValueError("size holds a side that is not a positive number: give widths and heights in gcells")
    fixed = np.full(size.shape, np.nan) if fixed is None else np.asarray(fixed, dtype=float)
    if fixed.shape != size.shape:
        raise ValueError(f"fixed has shape {fixed.shape}, needed {size.shape}: two coordinates a cell")
    free = np.isnan(fixed)
    if (free[:, 0] != free[:, 1]).any() or np.isinf(fixed).any() or (fixed < size / 2)[~free].any():
        raise ValueError("fixed needs for each cell two NaN, or a centre that keeps all of the cell above (0, 0)")
    for name, values in (("cell", cell), ("net", net)):
        if values.ndim != 1 or len(values) != len(cell) or not (values.dtype.kind in "iu" or len(values) == 0):
            raise ValueError(f"{name} is {values.dtype} {values.shape}, needed integers, one a pin ({len(cell)})")
        if len(values) and values.min() < 0:
            raise ValueError(f"{name} holds {values.min()}, needed indices from 0")
    if len(cell) and cell.max() >= len(size):
        raise ValueError(f"cell names cell {cell.max()}, but size has {len(size)} cells")
    return cell.astype(np.int64), net.astype(np.int64), size, fixed


def _check_layout(utilisation, aspect, macros):
    for name, value, low, high in (("utilisation", utilisation, 0.1, 0.95), ("aspect", aspect, 0.25, 4)):
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not low <= value <= high:
            raise ValueError(f"{name} is {value!r}: it takes a number from {low} to {high}")
    if macros not in MACROS:
        raise ValueError(f"macros {macros!r} is unknown: it is one of {', '.join(MACROS)}")


def _side(size, fixed, utilisation, aspect):
    """Gcells a side of the square with the die's area."""
    extent = np.where(size.max(axis=1, keepdims=True) > MACRO_HEIGHT, np.ceil(size), size)
    needed = np.sqrt(extent.prod(axis=1).sum() / utilisation)
    stretch = np.sqrt([aspect, 1 / aspect])
    reach = np.fmax.reduce((fixed + size / 2) / stretch, axis=None, initial=0)
    side = np.ceil(max(needed, (np.ceil(size) / stretch).max(), reach))
    if (longest := np.ceil(side * stretch.max())) > MAX_SIDE:
        raise ValueError(f"the die would be {longest:.0f} gcells wide, of {MAX_SIDE} allowed: give sizes in gcells")
    return int(side)


def _grid(side, aspect):
    width = max(round(float(side * np.sqrt(aspect))), 1)
    return width, -(-(side**2) // width)


def _place_macros(size, macro, fixed, grid, macros, seed):
    """Boxes of the macros and each gcell's room for other cells; None if a die of `grid` is too small."""
    box = np.zeros((len(size), 4), dtype=np.int64)
    blocked = np.zeros(grid, dtype=bool)
    extent = np.ceil(size).astype(np.int64)
    held = ~np.isnan(fixed[:, 0])
    goal = np.random.default_rng(seed).uniform(size=size.shape)  # where each macro would lie, the die's sides being 1
    under = np.minimum(fixed[held & ~macro], np.array(grid) - 1e-9).astype(np.int64)  # gcells of other fixed cells
    reserved = blocked.copy()
    reserved[tuple(under.T)] = True
    order = np.lexsort((-extent.prod(axis=1), ~held))
    for i in order[macro[order]]:
        w, h = extent[i]
        if w > grid[0] or h > grid[1]:
            return None
        if held[i]:
            x, y = np.clip(np.rint(fixed[i] - extent[i] / 2).astype(np.int64), 0, grid - extent[i])
            if reserved[x : x + w, y : y + h].any():
                raise ValueError(f"fixed lays macro {i} over another fixed cell")
        else:
            integral = np.pad(reserved, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
            taken = integral[w:, h:] - integral[:-w, h:] - integral[w:, :-h] + integral[:-w, :-h]
            off = _off_place(grid - extent[i], macros, goal[i])
            x, y = np.unravel_index(np.where(taken > 0, np.inf, off).argmin(), taken.shape)
            if taken[x, y]:
                return None
        blocked[x : x + w, y : y + h] = reserved[x : x + w, y : y + h] = True
        box[i] = x, y, x + w - 1, y + h - 1
    area = np.where(macro, 0, size.prod(axis=1))
    free = (~blocked).astype(float)
    np.subtract.at(free, tuple(under.T), area[held & ~macro])
    free = free.clip(min=0)
    return None if area[~held].sum() > free.sum() else (box, free, blocked)


def _off_place(last, macros, goal):
    """How far each place of a macro's lower left corner, 0 to `last` [2], is from where it would lie, in gcells."""
    x, y = np.arange(last[0] + 1)[:, None], np.arange(last[1] + 1)
    to_border = np.minimum(x, last[0] - x), np.minimum(y, last[1] - y)
    if macros == "corners":
        return sum(to_border)
    off_goal = np.abs(x - goal[0] * last[0]) + np.abs(y - goal[1] * last[1])
    return off_goal + (last.sum() * np.minimum(*to_border) if macros == "border" else 0)


def _place_cells(cell, net, area, at, movable, free, full, seed):
    """Centres [N, 2] of all cells, those of the movable ones new."""
    starts, pins = _by_group(net, cell)
    pin_count = np.diff(starts)
    keep = (pin_count >= 2) & (pin_count <= _LARGEST_NET)
    pins = pins[np.repeat(keep, pin_count)]
    starts = np.concatenate([[0], np.cumsum(pin_count[keep])])
    room = np.pad(free, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    cells = np.flatnonzero(movable)

    x, y = np.ascontiguousarray(at.T)
    start = _smooth(starts, pins, len(area), free.shape, seed)
    x[cells], y[cells] = start[cells].T
    anchor_x, anchor_y = _spread(x, y, cells, area, room, full)
    best = None
    for turn in range(_ROUNDS):
        hold = _FIRST_HOLD * _GROWTH**turn
        x = _solve(starts, pins, x, anchor_x, movable, hold)
        y = _solve(starts, pins, y, anchor_y, movable, hold)
        anchor_x, anchor_y = _spread(x, y, cells, area, room, full)
        length = _half_perimeter(starts, pins, anchor_x, anchor_y)
        if best is None or length < best[0]:
            best = length, anchor_x, anchor_y
    _, x, y = best
    by_cell = _by_group(np.concatenate([pins, np.arange(len(area))]), _nets_of_pins(starts, len(area)))
    _refine(starts, pins, *by_cell, x, y, cells, area, free)
    return np.column_stack([x, y])


def _nets_of_pins(starts, num_cells):
    """The net of every pin, and -1 once for every cell, which so has a group."""
    return np.concatenate([np.repeat(np.arange(len(starts) - 1), np.diff(starts)), np.full(num_cells, -1)])


def _boxes(at, size, blocked):
    """The gcells covered by cells about the centres `at`, moved aside within their gcell's reach off macros."""
    low = np.floor(at - size / 2).astype(np.int64).clip(0)
    high = np.minimum(np.ceil(at + size / 2).astype(np.int64), blocked.shape) - 1
    integral = np.pad(blocked, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    (left, bottom), (right, top) = low.T, high.T + 1
    over = integral[right, top] - integral[left, top] - integral[right, bottom] + integral[left, bottom]
    for i in np.flatnonzero(over):
        low[i], high[i] = _beside(at[i].astype(np.int64), np.ceil(size[i]).astype(np.int64), blocked)
    return np.hstack([low, high])


def _beside(gcell, extent, blocked):
    """The box of `extent` gcells, or of fewer, that covers `gcell` and no blocked one."""
    for w in range(extent[0], 0, -1):
        for h in range(extent[1], 0, -1):
            for x in range(gcell[0], gcell[0] - w, -1):
                for y in range(gcell[1], gcell[1] - h, -1):
                    inside = 0 <= x <= blocked.shape[0] - w and 0 <= y <= blocked.shape[1] - h
                    if inside and not blocked[x : x + w, y : y + h].any():
                        return (x, y), (x + w - 1, y + h - 1)
    raise AssertionError("a cell under a macro")


def _by_group(key, values):
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    return np.append(starts, len(key)), values[order]


def _smooth(starts, pins, num_cells, grid, seed):
    """A spectral start, [N, 2]: ranks of the cells along two smooth vectors, spread over the die."""
    vectors = np.random.default_rng(seed).normal(size=(num_cells, 2))
    degree = np.bincount(pins, minlength=num_cells).clip(min=1).astype(float)
    _average(starts, pins, degree, vectors)
    rank = vectors.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    return (rank + 0.5) * grid / num_cells


@_jit
def _average(starts, pins, degree, vectors):
    """Averages `vectors`, in place, over nets and cells in turn, keeping them apart from one another and from 1."""
    num_cells, width = vectors.shape
    total = np.empty_like(vectors)
    mean = np.empty(width)
    for turn in range(_AVERAGES):
        total[:] = vectors
        for n in range(len(starts) - 1):
            first, last = starts[n], starts[n + 1]
            for v in range(width):
                mean[v] = 0
            for p in range(first, last):
                for v in range(width):
                    mean[v] += vectors[pins[p], v] / (last - first)
            for p in range(first, last):
                for v in range(width):
                    total[pins[p], v] += mean[v]
        for i in range(num_cells):
            for v in range(width):
                vectors[i, v] = total[i, v] / (degree[i] + 1)
        if turn % 10 == 9:
            _orthogonalise(degree, vectors)


@_jit
def _orthogonalise(degree, vectors):
    """Gram-Schmidt in place, cells weighted by degree, the constant vector first."""
    for v in range(vectors.shape[1]):
        vectors[:, v] -= _dot(degree, vectors[:, v]) / degree.sum()
        for u in range(v):
            vectors[:, v] -= _dot(degree * vectors[:, u], vectors[:, v]) * vectors[:, u]
        norm = np.sqrt(_dot(degree * vectors[:, v], vectors[:, v]))
        if norm > 0:
            vectors[:, v] /= norm


@_jit
def _half_perimeter(starts, pins, x, y):
    total = 0.0
    for n in range(len(starts) - 1):
        low_x = high_x = x[pins[starts[n]]]
        low_y = high_y = y[pins[starts[n]]]
        for p in range(starts[n] + 1, starts[n + 1]):
            low_x, high_x = min(low_x, x[pins[p]]), max(high_x, x[pins[p]])
            low_y, high_y = min(low_y, y[pins[p]]), max(high_y, y[pins[p]])
        total += high_x - low_x + high_y - low_y
    return total


@_jit
def _edges(starts, pins, x):
    """Bound2Bound: each net's lowest and highest pin joined to each other and to all others of it."""
    count = 2 * len(pins)
    one, other, weight = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count)
    e = 0
    for n in range(len(starts) - 1):
        first, last = starts[n], starts[n + 1]
        low = high = first
        for p in range(first + 1, last):
            if x[pins[p]] < x[pins[low]]:
                low = p
            if x[pins[p]] >= x[pins[high]]:
                high = p
        for p in range(first, last):
            for bound in (low, high):
                if p != bound and pins[p] != pins[bound] and not (p == low and bound == high):
                    one[e], other[e] = pins[p], pins[bound]
                    distance = abs(x[pins[p]] - x[pins[bound]])
                    weight[e] = 1 / ((last - first - 1) * max(distance, 0.5))
                    e += 1
    return one[:e], other[:e], weight[:e]


@_jit
def _solve(starts, pins, x, anchor, movable, hold):
    """Coordinates of least weighted squared length, anchors included: conjugate gradients, Jacobi preconditioned."""
    one, other, weight = _edges(starts, pins, x)
    num_cells = len(x)
    diagonal = np.zeros(num_cells)
    right = np.zeros(num_cells)
    kept = 0
    for e in range(len(one)):
        i, j, w = one[e], other[e], weight[e]
        if movable[i]:
            diagonal[i] += w
            if not movable[j]:
                right[i] += w * x[j]
        if movable[j]:
            diagonal[j] += w
            if not movable[i]:
                right[j] += w * x[i]
        if movable[i] and movable[j]:
            one[kept], other[kept], weight[kept] = i, j, w
            kept += 1
    for i in range(num_cells):
        if movable[i]:
            w = hold / max(abs(x[i] - anchor[i]), 0.5)
            diagonal[i] += w
            right[i] += w * anchor[i]
        else:
            diagonal[i] = 1
            right[i] = x[i]

    solution = x.copy()
    image = np.empty(num_cells)
    _multiply(one, other, weight, kept, diagonal, solution, image)
    residual = right - image
    scaled = residual / diagonal
    direction = scaled.copy()
    size = _dot(residual, scaled)
    goal = 1e-6 * _dot(right, right / diagonal)
    for _ in range(100):
        if size <= goal:
            break
        _multiply(one, other, weight, kept, diagonal, direction, image)
        step = size / _dot(direction, image)
        for i in range(num_cells):
            solution[i] += step * direction[i]
            residual[i] -= step * image[i]
            scaled[i] = residual[i] / diagonal[i]
        before, size = size, _dot(residual, scaled)
        for i in range(num_cells):
            direction[i] = scaled[i] + size / before * direction[i]
    return solution


@_jit
def _multiply(one, other, weight, count, diagonal, vector, image):
    for i in range(len(vector)):
        image[i] = diagonal[i] * vector[i]
    for e in range(count):
        i, j, w = one[e], other[e], weight[e]
        image[i] -= w * vector[j]
        image[j] -= w * vector[i]


@_jit
def _dot(a, b):
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@_jit
def _spread(x, y, cells, area, room, filled_to):
    """Each gcell takes the cells that its room holds: new coordinates, those not in `cells` as they were.

    room: [W + 1, H + 1], free area summed over all gcells to the left and below. filled_to: share of it to fill.
    """
    new_x, new_y = x.copy(), y.copy()
    order = cells.copy()
    parts = [(0, room.shape[0] - 1, 0, room.shape[1] - 1, 0, len(order))]
    while len(parts) > 0:
        left, right, bottom, top, first, last = parts.pop()
        mine = order[first:last]
        wide = right - left >= top - bottom
        if right - left == 1 and top - bottom == 1:
            by_x = np.argsort(x[mine], kind="mergesort")
            by_y = np.argsort(y[mine], kind="mergesort")
            for r in range(len(mine)):
                new_x[mine[by_x[r]]] = left + (r + 0.5) / len(mine)
                new_y[mine[by_y[r]]] = bottom + (r + 0.5) / len(mine)
            continue
        total = room[right, top] - room[left, top] - room[right, bottom] + room[left, bottom]
        low, high = (left, right) if wide else (bottom, top)
        cut, before = low, 0.0
        nearest = np.inf
        for line in range(low + 1, high):
            if wide:
                part = room[line, top] - room[left, top] - room[line, bottom] + room[left, bottom]
            else:
                part = room[right, line] - room[left, line] - room[right, bottom] + room[left, bottom]
            if abs(part - total / 2) < nearest:
                cut, before, nearest = line, part, abs(part - total / 2)
        key = x[mine] if wide else y[mine]
        mine = mine[np.argsort(key, kind="mergesort")]
        order[first:last] = mine
        needed = 0.0
        for c in mine:
            needed += area[c]
        inside = 0.0
        for c in mine:
            if (x[c] if wide else y[c]) < cut:
                inside += area[c]
        full = max(filled_to, needed / total)
        goal = min(max(inside, needed - full * (total - before)), full * before)
        filled = 0.0
        split = first
        while split < last and filled + area[order[split]] / 2 < goal:
            filled += area[order[split]]
            split += 1
        if wide:
            halves = ((left, cut, bottom, top, first, split), (cut, right, bottom, top, split, last))
        else:
            halves = ((left, right, bottom, cut, first, split), (left, right, cut, top, split, last))
        for half in halves:
            if half[5] > half[4]:
                parts.append(half)
    return new_x, new_y


@_jit
def _refine(starts, pins, cell_starts, nets, x, y, cells, area, free):
    """Moves cells, in place, by whole gcells to where their nets are shortest and there is room."""
    columns, rows = free.shape
    fill = np.zeros_like(free)
    for c in cells:
        fill[int(x[c]), int(y[c])] += area[c]
    most = 0
    for i in range(len(cell_starts) - 1):
        most = max(most, cell_starts[i + 1] - cell_starts[i])
    low, high = np.empty((2, most)), np.empty((2, most))
    bounds = np.empty(2 * most)
    width = 2 * _REACH + 1
    steps, cost = np.empty((2, width), np.int64), np.empty((2, width))
    for _ in range(_PASSES):
        for c in cells:
            count = _others(starts, pins, nets[cell_starts[c] : cell_starts[c + 1]], c, x, y, low, high)
            if count == 0:
                continue
            now = 0.0
            for axis in range(2):
                at = x[c] if axis == 0 else y[c]
                bounds[:count], bounds[count : 2 * count] = low[axis, :count], high[axis, :count]
                middle = np.sort(bounds[: 2 * count])[count - 1 : count + 1]
                goal = int(np.floor(min(max(at, middle[0]), middle[1]))) - int(np.floor(at))
                for s in range(width):
                    steps[axis, s] = goal + s - _REACH
                    cost[axis, s] = _reach(low[axis], high[axis], count, at + steps[axis, s])
                now += _reach(low[axis], high[axis], count, at)
            column, row = int(x[c]), int(y[c])
            best, best_i, best_j = now - 1e-6, -1, -1
            for i in range(width):
                for j in range(width):
                    to_column, to_row = column + steps[0, i], row + steps[1, j]
                    inside = 0 <= to_column < columns and 0 <= to_row < rows
                    total = cost[0, i] + cost[1, j]
                    if total < best and inside and fill[to_column, to_row] + area[c] <= free[to_column, to_row]:
                        best, best_i, best_j = total, i, j
            if best_i >= 0:
                fill[column, row] -= area[c]
                x[c] += steps[0, best_i]
                y[c] += steps[1, best_j]
                fill[int(x[c]), int(y[c])] += area[c]


@_jit
def _others(starts, pins, nets, c, x, y, low, high):
    """Bounding boxes of the nets of cell `c` without it, into `low` and `high` [2, n]; their count n."""
    count = 0
    before = -1
    for n in nets:
        if n == before:
            continue
        before = n
        low[:, count], high[:, count] = np.inf, -np.inf
        for p in range(starts[n], starts[n + 1]):
            i = pins[p]
            if i != c:
                low[0, count], high[0, count] = min(low[0, count], x[i]), max(high[0, count], x[i])
                low[1, count], high[1, count] = min(low[1, count], y[i]), max(high[1, count], y[i])
        if low[0, count] <= high[0, count]:
            count += 1
    return count


@_jit
def _reach(low, high, count, at):
    """Lengths of `count` intervals stretched to hold `at`, added up."""
    total = 0.0
    for n in range(count):
        total += max(high[n], at) - min(low[n], at)
    return total
