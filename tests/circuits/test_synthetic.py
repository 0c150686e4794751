import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gsrgnn import CircuitGraph, circuits
from gsrgnn.circuits import table1
from gsrgnn.circuits.features import MACRO_HEIGHT, cell_features
from gsrgnn.circuits.synthetic import generate


def graph_of(netlist):
    return CircuitGraph.from_pins(netlist.cell, netlist.net, netlist.num_cells)


def test_the_same_circuit_every_time():
    one, other = generate(2000), generate(2000)
    for key in ("cell", "net", "box", "size"):
        assert np.array_equal(getattr(one, key), getattr(other, key)), key
    assert one.cell_type == other.cell_type
    assert not np.array_equal(one.net, generate(2000, seed=1).net)


@settings(max_examples=40, deadline=None)
@given(st.integers(16, 3000), st.integers(0, 3))
def test_its_shape_at_any_size(cells, seed):
    netlist = generate(cells, seed)
    assert netlist.name == f"synthetic/{cells}"
    assert netlist.num_cells == len(netlist.box) == len(netlist.size) == cells
    assert netlist.cell.dtype == netlist.net.dtype == netlist.box.dtype == np.int64
    assert np.bincount(netlist.cell, minlength=cells).min() >= 1
    assert np.bincount(netlist.net).min() >= 2
    assert graph_of(netlist).degree.min() >= 2
    left, bottom, right, top = netlist.box.T
    assert (left >= 0).all()
    assert (bottom >= 0).all()
    assert (left <= right).all()
    assert (bottom <= top).all()
    assert (right < netlist.grid[0]).all()
    assert (top < netlist.grid[1]).all()
    macros = netlist.size[:, 1] > MACRO_HEIGHT
    assert macros.sum() == (3 if cells >= 1000 else 0)
    assert top[~macros].max() < bottom[macros].min(initial=netlist.grid[1])
    assert np.isfinite(cell_features(netlist)).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(200, 3000), st.integers(60, 90))
def test_the_edges_asked_for(cells, a_cell):
    assert abs(graph_of(generate(cells, num_edges=cells * a_cell)).num_edges - cells * a_cell) <= 1


def test_it_resembles_7157():
    """Against what CircuitNet's 7157 has: 4.06 pins a cell, median degree 46 and 90% below 587, nets 4 gcells."""
    netlist = generate(38_656, num_edges=6_768_184)
    pins = np.bincount(netlist.cell)
    assert abs(pins.mean() / 4.06 - 1) < 0.05
    neighbours = graph_of(netlist).degree.numpy() - 1
    assert neighbours.min() == 1
    assert abs(np.median(neighbours) / 46 - 1) < 0.25
    assert abs(np.quantile(neighbours, 0.9) / 587 - 1) < 0.25
    assert abs(np.quantile(neighbours, 0.99) / 1530 - 1) < 0.25

    size = np.bincount(netlist.net)
    assert np.median(size) == 2
    assert abs(np.quantile(size, 0.99) - 33) <= 3
    assert 1200 < size.max() < 1800

    gcell = netlist.centre.astype(np.int64)[netlist.cell][np.argsort(netlist.net, kind="stable")]
    starts = np.cumsum(size) - size
    span = np.maximum.reduceat(gcell, starts) - np.minimum.reduceat(gcell, starts) + 1
    assert 4 <= np.median(span.sum(axis=1)) <= 5
    assert 13 <= np.quantile(span.sum(axis=1), 0.9) <= 21


def test_its_density_varies():
    netlist = generate(20_000)
    gcell = netlist.centre.astype(np.int64)[netlist.size[:, 1] < MACRO_HEIGHT]
    core = netlist.grid[1] - netlist.grid[1] // 3
    tiles, _, _ = np.histogram2d(*gcell.T, bins=(12, 8), range=((0, netlist.grid[0]), (0, core)))
    assert tiles.sum() == 20_000 - 3
    assert tiles.std() > 2.5 * tiles.mean() ** 0.5
    assert tiles.max() < 2.5 * tiles.mean()


@pytest.mark.parametrize(("cells", "edges"), [(2000, 2000), (2000, 4_000_000), (16, 1)])
def test_edges_that_cannot_be(cells, edges):
    with pytest.raises(ValueError, match=f"{edges:,} edges asked for: {cells:,} cells can have [0-9,]+ to [0-9,]+"):
        generate(cells, num_edges=edges)


@pytest.mark.parametrize("cells", [15, 1_000_001])
def test_sizes_there_are_not(cells):
    with pytest.raises(ValueError, match="16 to 1,000,000"):
        generate(cells)
    with pytest.raises(ValueError, match="16 to 1,000,000"):
        circuits.load(f"synthetic/{cells}")


@pytest.mark.parametrize("wrong", [64.0, 64.5, "64", True, [64], float("nan")])
@pytest.mark.parametrize("what", ["num_cells", "seed", "num_edges"])
def test_what_is_no_whole_number_is_refused(what, wrong):
    with pytest.raises(ValueError, match=f"{what} is .*: it takes a whole number"):
        generate(**{"num_cells": 64} | {what: wrong})


def test_whole_numbers_of_numpys_are_taken():
    assert generate(np.int64(64), np.uint8(1)).num_cells == 64
    with pytest.raises(ValueError, match="seed is -1: it takes a whole number, not below 0"):
        table1.stand_in("356-R", -1)
