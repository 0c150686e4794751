"""Synthetic netlists of any size, shaped net by net like a placed circuit.

The constants are fitted on two placements of CircuitNet, 7157 (zero-riscy-a-1) and 2017 (RISCY-b-1): "the two".
"""

import numpy as np
from scipy.special import expit

from gsrgnn.arguments import natural
from gsrgnn.circuits.netlist import Netlist

MIN_CELLS, MAX_CELLS = 16, 1_000_000

# Nets by size in pins, smallest and largest of a class: the share of each class among the two's nets of 2 to
# 100 pins, counted together. Within a class shares fall as size^-2 up to 20 pins and are even above, which
# keeps the clique edges of each class within 8% of the two's.
_NET_SIZES = {
    (2, 2): 0.5690, (3, 3): 0.2062, (4, 4): 0.0882, (5, 5): 0.0468,
    (6, 10): 0.0506, (11, 20): 0.0165, (21, 40): 0.0188, (41, 75): 0.0038,
}  # fmt: skip
_LARGEST_UNEVEN = 20

# Cells by inputs (pins but one): shares among the two's cells of 1 to 6, counted together.
_INPUTS = {1: 0.0812, 2: 0.2363, 3: 0.3119, 4: 0.3414, 5: 0.0107, 6: 0.0185}

# Clock and reset nets. The ten largest nets of the two fall with their rank as rank^-0.78 (7157) and rank^-0.48
# (2017), least squares of the logarithms; this is the mean. Ten nets so shaped have the edges of 7157's ten,
# 4.9 million, when the largest joins 3.7% of the cells. Unless edges are asked for, it does so up to 7157's
# size; above, it grows as the root of the cells, so that edges a cell stay the same.
_TAIL_NETS = 10
_TAIL_EXPONENT = 0.63
_TAIL_SHARE = 0.037
_TAIL_SHARE_UP_TO = 38_656

# Spread of a net's sinks about its driver in gcells: _REACH sinks^_REACH_GROWTH, times a Pareto variate of
# shape sinks^_REACH_TAIL, so that large nets differ less. Set by hand to the two's median and 90% quantile of a
# net's width plus height, by classes of size.
_REACH, _REACH_GROWTH, _REACH_TAIL = 0.2, 0.7, 0.25
_EXACT_LEVELS = 4

# 7157 has 1.38 cells a gcell outside its macros; the swing gives 0.3 to 2.7 in tiles of 16 x 16 gcells (7157:
# 0.3 to 3.4). Three macros, as 7157 has, take a third of the die (7157: 43%).
_CELLS_PER_GCELL = 1.38
_DENSITY_SWING = 0.7
_MACROS, _MACRO_INPUTS = 3, 32
_SMALLEST_WITH_MACROS = 1000

# Macros are on the five largest nets. The paper's Section 2 names degrees above 8,000, which no one net of a
# circuit of Table 1 gives: its clique alone would have more edges than the circuit. In 7157 the highest degree
# is of a cell on the two largest nets.
_MACRO_NETS = 5

_TYPES = {0: ["TIEL"], 1: ["INV", "BUFF"], 2: ["ND2", "NR2"], 3: ["MUX2", "ND3", "AOI21"],
          4: ["AOI22", "MAOI22", "ND4"], 5: ["AOI221"], 6: ["AO222"]}  # fmt: skip
_FLIP_FLOP, _MACRO = "DFCNQ", "SRAM"
_HEIGHT, _WIDTH_PER_INPUT, _WIDTH_OF_FLIP_FLOP = 0.5, 0.15, 1.4  # gcells; set by hand to the two's boxes


def generate(num_cells: int, seed: int = 0, num_edges: int | None = None) -> Netlist:
    """A placed Netlist of `num_cells` cells; the same for the same size, seed and edges.

    Every cell drives one net of 2 to 75 pins with its sinks near it, and most have 1 to 6 inputs. Cells lie at
    random with a density that varies smoothly, and are numbered along a Z-order curve: neighbours in 7157's
    list are neighbours on its die too. Ten clock and reset nets, driven from outside, join flip-flops of one
    region each. From 1,000 cells on, three of the cells are macros. Cells may overlap: nothing is legalised.

    num_edges: edges of the circuit's `CircuitGraph` (directed, with multiplicity and self-loops), met to one edge
    by the sizes of the clock and reset nets; by default about 170 a cell, fewer below 40,000 cells. Every cell
    has a neighbour beside itself. ValueError if `num_cells` or `num_edges` cannot be had, with the limits.
    """
    num_cells, seed = natural("num_cells", num_cells), natural("seed", seed)
    num_edges = None if num_edges is None else natural("num_edges", num_edges)
    if not MIN_CELLS <= num_cells <= MAX_CELLS:
        raise ValueError(f"{num_cells:,} cells asked for: synthetic circuits have {MIN_CELLS} to {MAX_CELLS:,}")
    rng = np.random.default_rng((num_cells, seed))
    macros = _MACROS if num_cells >= _SMALLEST_WITH_MACROS else 0
    grid, at = _place(rng, num_cells, macros)
    fan_out = _fan_out(rng, num_cells)
    inputs = rng.choice(list(_INPUTS), num_cells, p=_shares(_INPUTS.values()))
    inputs[num_cells - macros :] = _MACRO_INPUTS
    driver, sink = _connect(rng, at, grid, fan_out, inputs)

    cell, net = np.concatenate([np.arange(num_cells), sink]), np.concatenate([np.arange(num_cells), driver])
    local_edges = num_cells + _clique_edges(cell, net)
    sizes = _tail_sizes(num_cells, None if num_edges is None else num_edges - local_edges, local_edges)
    tail = _tail(rng, at, sizes, macros)
    tail_cell = np.concatenate([np.empty(0, np.int64), *tail])
    return Netlist(
        name=f"synthetic/{num_cells}",
        cell=np.concatenate([cell, tail_cell]),
        net=np.concatenate([net, num_cells + np.repeat(np.arange(len(sizes)), sizes)]),
        grid=grid,
        **_cells(rng, at, grid, np.bincount(sink, minlength=num_cells), fan_out, tail_cell, macros),
    )


def _place(rng, num_cells, macros):
    """The die and where each cell's pins are, float64 [N, 2]; macros come last, in a row above the others."""
    side = int(np.ceil(np.sqrt(num_cells / _CELLS_PER_GCELL * (1.5 if macros else 1))))
    core = side - (side // 3 if macros else 0)
    column, row = np.divmod(np.arange(side * core), core)
    density = _field(rng, np.stack([column, row], axis=1) / side).cumsum()
    gcell = np.searchsorted(density, rng.uniform(0, density[-1], num_cells - macros)).clip(max=side * core - 1)
    at = np.stack([column[gcell], row[gcell]], axis=1) + rng.uniform(size=(len(gcell), 2))
    at = at[np.argsort(_curve(at), kind="stable")]
    below_macro = [((i + 0.5) * (side // 3), core - 0.5) for i in range(macros)]
    return (side, side), np.vstack([at, np.reshape(below_macro, (-1, 2))])


def _field(rng, at):
    """A smooth positive field over the unit square, taken at the points `at` [n, 2]."""
    waves = rng.normal(size=(6, 2)) * 5
    return expit(_DENSITY_SWING * np.cos(at @ waves.T + rng.uniform(0, 2 * np.pi, 6)).sum(axis=1))


def _curve(at):
    """int64 [n], the place of each point's gcell on the Z-order curve: two more bits halve the tile's side."""
    code = np.zeros(len(at), dtype=np.int64)
    whole = at.astype(np.int64)
    for bit in range(12):
        code |= ((whole[:, 0] >> bit & 1) << 2 * bit) | ((whole[:, 1] >> bit & 1) << 2 * bit + 1)
    return code


def _fan_out(rng, num_cells):
    """int64 [N], the sinks of each cell's net; no net has more than an eighth of the cells."""
    sizes, weights = [], []
    for (low, high), share in _NET_SIZES.items():
        within = np.arange(low, high + 1)
        weight = within**-2.0 if high <= _LARGEST_UNEVEN else np.ones(len(within))
        sizes.append(within)
        weights.append(share * weight / weight.sum())
    drawn = rng.choice(np.concatenate(sizes), num_cells, p=_shares(np.concatenate(weights)))
    return drawn.clip(max=max(2, num_cells // 8)) - 1


def _shares(weights):
    weights = np.array(list(weights))
    return weights / weights.sum()


def _connect(rng, at, grid, fan_out, inputs):
    """Driver and sink, int64 [P] each: every sink an input near the place that its net's spread asks for."""
    num_cells = len(at)
    driver = np.repeat(np.arange(num_cells), fan_out)
    factor = rng.uniform(size=num_cells) ** (-1 / fan_out**_REACH_TAIL)
    reach = np.minimum(_REACH * fan_out**_REACH_GROWTH * factor, grid[0] / 4)
    aim = at[driver] + rng.normal(size=(len(driver), 2)) * reach[driver, None]
    far = at.max(axis=0)
    aim = (far - np.abs(far - np.abs(aim))).clip(0)
    return driver, _apart(rng, driver, _match(rng, _curve(aim), _curve(at), inputs), num_cells)


def _match(rng, aim, place, inputs):
    """For each aim the cell of an input nearby, int64 [P]; aims and cells by their places on the Z-order curve.

    In tiles of 1, 2, 4 and 8 gcells a side, what is left of aims and inputs is paired off, the cells' first
    inputs first. Aims that are then over get further inputs at a cell of the tile, and inputs that are over go.
    """
    cell = np.repeat(np.arange(len(place)), inputs)
    nth = np.arange(len(cell)) - np.repeat(inputs.cumsum() - inputs, inputs)
    cell = cell[np.lexsort((rng.random(len(cell)), nth, place[cell]))]
    aims = np.lexsort((rng.random(len(aim)), aim))
    sink = np.empty(len(aim), dtype=np.int64)
    level, free = 0, cell
    while len(aims):
        exact = level < _EXACT_LEVELS
        candidates = free if exact else cell
        wanted, there = aim[aims] >> 2 * level, place[candidates] >> 2 * level
        first = np.searchsorted(there, wanted)
        room = np.searchsorted(there, wanted, side="right") - first
        rank = np.arange(len(aims)) - np.searchsorted(wanted, wanted) if exact else rng.integers(room.clip(min=1))
        met = rank < room
        taken = (first + rank)[met]
        sink[aims[met]] = candidates[taken]
        aims, free = aims[~met], np.delete(free, taken) if exact else free
        level += 1
    return sink


def _apart(rng, driver, sink, num_cells):
    """`sink` with sinks exchanged between nets nearby, so that hardly a cell is twice on a net.

    A cell that is left with no net but its own sinks' gets its neighbour in number as the sink of its net.
    """
    for width in (8, 16, 32, 64, 64, 64):
        order = np.lexsort((sink, driver))
        again = (np.diff(driver[order], prepend=-1) == 0) & (np.diff(sink[order], prepend=-1) == 0)
        wrong = driver == sink
        wrong[order[again]] = True
        if not wrong.any():
            return sink
        along = np.argsort(sink, kind="stable")
        position = np.empty_like(along)
        position[along] = np.arange(len(along))
        one = np.flatnonzero(wrong)
        step = rng.integers(1, width, len(one)) * rng.choice([-1, 1], len(one))
        other, first = np.unique(along[(position[one] + step) % len(along)], return_index=True)
        free = ~wrong[other]
        one, other = one[first[free]], other[free]
        sink[one], sink[other] = sink[other], sink[one]
    met = driver != sink
    alone = np.setdiff1d(np.arange(num_cells), np.concatenate([driver[met], sink[met]]))
    pins = np.searchsorted(driver, alone)
    sink[pins] = (alone + 1) % num_cells
    return sink


def _clique_edges(cell, net):
    """Directed pairs of pins on a net that are of different cells, as `CircuitGraph` counts edges."""
    size = np.bincount(net)
    _, same = np.unique(cell * len(size) + net, return_counts=True)
    return int((size**2).sum() - (same**2).sum())


def _tail_sizes(num_cells, edges, local_edges):
    """Pins of each clock and reset net. `edges` is what their cliques must sum to, or None.

    With s_i = c i^-e, the edges are at most c^2 sum i^-2e, so the c that makes this the number asked for is
    just too small; what rounding leaves is made up by a few smaller nets.
    """
    rank = np.arange(1, _TAIL_NETS + 1) ** -_TAIL_EXPONENT
    most = int((num_cells // 2) ** 2 * (rank**2).sum())
    if edges is None:
        shared_by = min(num_cells, (num_cells * _TAIL_SHARE_UP_TO) ** 0.5)
        sizes = (_TAIL_SHARE * shared_by * rank).astype(np.int64)
        return sizes[sizes > 2]
    if not 0 <= edges <= most:
        limits = f"{local_edges:,} to {local_edges + most:,}"
        raise ValueError(f"{edges + local_edges:,} edges asked for: {num_cells:,} cells can have {limits}")
    sizes = ((edges / (rank**2).sum()) ** 0.5 * rank).astype(np.int64)
    sizes = sizes[sizes > 2].tolist()
    rest = edges - sum(size * (size - 1) for size in sizes)
    while rest >= 2:
        sizes.append(int((1 + (1 + 4 * rest) ** 0.5) / 2))
        rest -= sizes[-1] * (sizes[-1] - 1)
    return np.array(sizes, dtype=np.int64)


def _tail(rng, at, sizes, macros):
    """The cells on each clock or reset net: drawn from the nearest to a random point that are on none so far."""
    core = at[: len(at) - macros]
    used = np.zeros(len(core))
    hubs = np.arange(len(core), len(at))
    members = []
    for i, size in enumerate(sizes):
        joined = hubs if i < _MACRO_NETS and size > 2 * macros else hubs[:0]
        count = size - len(joined)
        centre = core[rng.integers(len(core))]
        distance = np.abs(core - centre).max(axis=1) + used * at.max()
        near = np.argsort(distance, kind="stable")[: 4 * count]
        drawn = rng.choice(near, count, replace=False)
        used[drawn] += 1
        members.append(np.concatenate([drawn, joined]))
    return members


def _cells(rng, at, grid, inputs, fan_out, tail_cell, macros):
    """Type, size in gcells and box of each cell, as fields of a Netlist."""
    num_cells = len(at)
    flip_flop = np.zeros(num_cells, dtype=bool)
    flip_flop[tail_cell] = True
    drive = 2 ** np.searchsorted([5, 10, 40], fan_out)
    cell_type = [
        f"{_FLIP_FLOP if clocked else choice[k % len(choice)]}_x{strength}_0"
        for choice, k, clocked, strength in zip(
            (_TYPES[min(n, 6)] for n in inputs.tolist()),
            rng.integers(6, size=num_cells).tolist(),
            flip_flop.tolist(),
            drive.tolist(),
            strict=True,
        )
    ]
    width = _WIDTH_PER_INPUT * inputs.clip(1, 6) + _WIDTH_OF_FLIP_FLOP * flip_flop
    size = np.stack([width, np.full(num_cells, _HEIGHT)], axis=1)
    corner, limit = at.copy(), np.full((num_cells, 2), grid)
    if macros:
        side = grid[0] // 3
        limit[:-macros, 1] -= side
        cell_type[-macros:] = [_MACRO] * macros
        size[-macros:] = side
        corner[-macros:] = [(i * side, grid[1] - side) for i in range(macros)]
    low = corner.astype(np.int64)
    high = (np.ceil(corner + size).astype(np.int64) - 1).clip(low, limit - 1)
    return {"cell_type": cell_type, "box": np.hstack([low, high]), "size": size}
