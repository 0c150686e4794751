"""Synthetic netlists of any size, shaped net by net like a placed circuit."""

import numpy as np

from gsrgnn.circuits.netlist import Netlist

MIN_CELLS, MAX_CELLS = 16, 1_000_000
_LARGEST_LOCAL = 64
_GLOBAL_NETS = 8
_TYPES = ["AOI22_x1_0", "MAOI22_x1_0", "INV_x1_0", "ND2_x1_0", "NR2_x1_0", "MUX2_x1_0", "BUFF_x4_0"]
_FLIP_FLOP = "DFCNQ_x1_0"


def generate(num_cells, seed=0):
    """A Netlist of `num_cells` cells, one to a gcell; the same for the same size and seed.

    Every cell drives one net: 2 to 65 pins by a power law, its sinks near the driver, more of them where a
    smooth random field is high. Eight clock and reset nets, the largest over a twenty-fifth of the cells,
    join flip-flops of one region each. No cell is without a neighbour.
    """
    rng = np.random.default_rng((num_cells, seed))
    side = int(np.ceil(np.sqrt(num_cells)))
    driver = np.arange(num_cells)
    place = np.stack([driver % side, driver // side], axis=1)

    sizes = np.arange(1, _LARGEST_LOCAL + 1)
    chance = (sizes + 1.0) ** -2.5
    sinks = rng.choice(sizes, num_cells, p=chance / chance.sum())
    sinks = np.clip(np.rint(sinks * _field(rng, place / side)), 1, _LARGEST_LOCAL).astype(np.int64)
    net = np.repeat(driver, sinks)
    reach = 1 + rng.pareto(1.5, num_cells).clip(max=side / 8)
    sink = np.rint(place[net] + rng.normal(size=(len(net), 2)) * reach[net, None])
    sink = sink.clip(0, side - 1).astype(np.int64)
    sink = (sink[:, 1] * side + sink[:, 0]).clip(max=num_cells - 1)
    sink = np.where(sink == net, (sink + 1) % num_cells, sink)

    shares = 1 / (25 * np.sqrt(np.arange(1, _GLOBAL_NETS + 1)))
    members = [_region(rng, place, side, max(2, int(num_cells * share))) for share in shares]
    cell_type = rng.choice(_TYPES, num_cells)
    cell_type[np.concatenate(members)] = _FLIP_FLOP
    return Netlist(
        name=f"synthetic/{num_cells}",
        cell=np.concatenate([driver, sink, *members]),
        net=np.concatenate([driver, net, *(np.full(len(m), num_cells + i) for i, m in enumerate(members))]),
        cell_type=cell_type.tolist(),
        box=np.hstack([place, place]),
        grid=(side, side),
    )


def _field(rng, at):
    """A smooth positive field of mean 1 over the unit square, taken at the points `at` [N, 2]."""
    waves = rng.normal(size=(6, 2)) * 5
    field = np.exp(0.3 * np.cos(at @ waves.T + rng.uniform(0, 2 * np.pi, 6)).sum(axis=1))
    return field / field.mean()


def _region(rng, place, side, count):
    """`count` cells drawn from the 4 `count` nearest a random point."""
    distance = np.abs(place - rng.uniform(0, side, 2)).max(axis=1)
    near = np.argsort(distance, kind="stable")[: 4 * count]
    return rng.choice(near, count, replace=False)
