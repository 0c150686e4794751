"""What the features know: rules that hold for every circuit, and the numbers themselves by a second way."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch

from gsrgnn import circuits
from gsrgnn.circuits.congestion import Congestion, box_mean, net_boxes, pin_gcells, routed, rudy
from gsrgnn.circuits.data import FEATURES, to_data
from gsrgnn.circuits.dataset import CircuitDataset
from gsrgnn.circuits.features import FEATURE_NAMES, cell_features
from gsrgnn.circuits.netlist import Netlist
from gsrgnn.circuits.placement_features import CENTRE, PLACED_NAMES, SPREAD, WINDOWS, gcell_maps, placed_features
from gsrgnn.circuits.synthetic import generate

AROUND = slice(len(FEATURE_NAMES), -2)  # the columns of the maps
PLACE = slice(len(FEATURE_NAMES), None)
SMALL = generate(1500)  # with macros


def moved(netlist, seed=0):
    """The standard cells elsewhere on the die."""
    rng = np.random.default_rng(seed)
    box, extent = netlist.box.copy(), netlist.box[:, 2:] - netlist.box[:, :2]
    cells = np.flatnonzero((extent < 2).all(axis=1))
    corner = (rng.uniform(size=(len(cells), 2)) * (np.array(netlist.grid) - extent[cells])).astype(np.int64)
    box[cells] = np.hstack([corner, corner + extent[cells]])
    return replace(netlist, box=box)


def quantities(netlist):
    """The features before the constants."""
    return placed_features(netlist) * SPREAD + CENTRE


def maps_of(grid, seed=0, capacity=None):
    horizontal, vertical = np.random.default_rng(seed).uniform(size=(2, *grid))
    return Congestion(horizontal, vertical, capacity, share=None)


# What must not be known


@pytest.mark.parametrize("features", FEATURES)
def test_what_a_router_says_is_in_no_feature(features):
    grid = SMALL.grid
    wider = grid[0] + 5, grid[1] + 3
    labels = [("circuitnet", maps_of(grid)), ("circuitnet", maps_of(wider, 1)), ("wires", maps_of(grid, 2, (9.0, 4.0)))]
    found = [to_data(SMALL, label, maps=maps, features=features) for label, maps in labels]
    found.append(to_data(SMALL, "rudy", features=features))
    found.append(to_data(replace(SMALL, capacity=(3.0, 5.0)), "routed", maps=maps_of(grid, 3), features=features))
    assert len({data.y.sum().item() for data in found}) == len(found)
    assert all(torch.equal(data.x, found[0].x) for data in found)
    assert all((data.features, data.feature_names) == (features, FEATURES[features][0]) for data in found)


def test_netlist_features_know_no_place_and_placed_ones_do():
    one, other = (placed_features(netlist) for netlist in (SMALL, moved(SMALL)))
    assert np.array_equal(cell_features(SMALL), cell_features(moved(SMALL)))
    assert np.array_equal(one[:, : PLACE.start], other[:, : PLACE.start])
    differ = (one != other)[:, PLACE].mean(axis=0)
    blocked = np.array(["blockage" in name for name in PLACED_NAMES[PLACE]])
    assert (differ[~blocked] > 0.8).all()
    assert (differ[blocked] > 0.1).all()


def test_two_copies_side_by_side_have_the_features_of_one():
    """No column is scaled by the circuit's own numbers: what is not at the edge of the die cannot tell."""
    width, height = SMALL.grid
    gap = 2 * max(WINDOWS)
    right = SMALL.box + [width + gap, 0, width + gap, 0]
    twice = Netlist(
        "twice",
        cell=np.concatenate([SMALL.cell, SMALL.cell + SMALL.num_cells]),
        net=np.concatenate([SMALL.net, SMALL.net + SMALL.net.max() + 1]),
        cell_type=SMALL.cell_type * 2,
        box=np.vstack([SMALL.box, right]),
        grid=(2 * width + gap, height),
        size=np.vstack([SMALL.size] * 2),
    )
    x, both = placed_features(SMALL), placed_features(twice)
    inside = (SMALL.box[:, 0] >= max(WINDOWS)) & (SMALL.box[:, 2] < width - max(WINDOWS))
    assert inside.sum() > 100
    for copy in (both[: len(x)], both[len(x) :]):
        assert np.array_equal(copy[:, : PLACE.start], x[:, : PLACE.start])
        np.testing.assert_allclose(copy[inside, AROUND], x[inside, AROUND], atol=1e-4)
        np.testing.assert_allclose(copy[:, -1], x[:, -1], atol=1e-6)


def test_netlist_columns_are_the_same_quantities_without_the_circuits_scale():
    plain, standard = quantities(SMALL)[:, : PLACE.start], cell_features(SMALL)
    pins = np.bincount(SMALL.cell, minlength=SMALL.num_cells)
    np.testing.assert_allclose(plain[:, FEATURE_NAMES.index("pins")], np.log1p(pins), rtol=1e-5)
    np.testing.assert_allclose(plain[:, FEATURE_NAMES.index("width")], np.log1p(SMALL.size[:, 0]), rtol=1e-5)
    for column, name in enumerate(FEATURE_NAMES):
        values = plain[:, column]
        if not name.startswith("is ") and values.std() > 1e-6:
            values = (values - values.mean()) / values.std()
            np.testing.assert_allclose(values, standard[:, column], atol=1e-4, err_msg=name)


def test_a_circuit_in_company_has_the_features_it_has_alone():
    names = "synthetic/64", "synthetic/300"
    alone = [circuits.load(name, label="rudy", features="placed") for name in names]
    batch = Batch.from_data_list(alone)
    assert torch.equal(batch.x, torch.cat([data.x for data in alone]))
    assert batch.features == ["placed"] * 2
    for data, out in zip(alone, batch.to_data_list(), strict=True):
        assert (out.features, out.units, out.feature_names) == ("placed", "largest", data.feature_names)


def test_cells_in_another_order_are_rows_in_another_order():
    order = np.random.default_rng(0).permutation(SMALL.num_cells)
    new = np.argsort(order)
    pins = np.random.default_rng(1).permutation(len(SMALL.cell))
    other = replace(
        SMALL,
        cell=new[SMALL.cell][pins],
        net=SMALL.net[pins],
        cell_type=[SMALL.cell_type[i] for i in order],
        box=SMALL.box[order],
        size=SMALL.size[order],
    )
    np.testing.assert_allclose(placed_features(other), placed_features(SMALL)[order], atol=1e-4)


# The numbers


def test_maps_of_a_die_counted_by_hand():
    """A net over 3 x 2 gcells, a cell over two gcells, a macro over 6 x 2 of them."""
    netlist = Netlist(
        "hand",
        cell=np.array([0, 1, 2, 0]),
        net=np.array([0, 0, 1, 2]),
        cell_type=["INV_x1_0", "ND2_x1_0", "SRAM"],
        box=np.array([[0, 0, 0, 0], [2, 1, 3, 1], [2, 2, 7, 3]]),
        grid=(8, 4),
        size=np.array([[0.25, 0.5], [1.5, 0.5], [5.5, 2.0]]),
    )
    horizontal, vertical, pins, density, blockage = np.moveaxis(gcell_maps(netlist), -1, 0)
    net = np.zeros((8, 4))
    net[:4, :2] = 1
    np.testing.assert_allclose(horizontal, net / 2)
    np.testing.assert_allclose(vertical, net / 4)
    assert {tuple(at): pins[tuple(at)] for at in np.argwhere(pins)} == {(0, 0): 2, (3, 1): 1, (5, 3): 1}
    assert {tuple(at): density[tuple(at)] for at in np.argwhere(density)} == {
        (0, 0): 0.125,
        (2, 1): 0.375,
        (3, 1): 0.375,
    }
    block = np.zeros((8, 4))
    block[2:, 2:] = 1
    assert np.array_equal(blockage, block)
    x = quantities(netlist)
    np.testing.assert_allclose(x[:, -2:], [[0.0625, 0.125], [0.375, 0.375], [0.375, 0.25]], atol=1e-6)
    assert x[1, PLACED_NAMES.index("vertical RUDY")] == pytest.approx(np.log1p(1 / 4))
    assert x[1, PLACED_NAMES.index("cell density")] == pytest.approx(0.375)
    assert x[0, PLACED_NAMES.index("pins in a gcell, 2 around")] == pytest.approx(np.log1p(2 / 9))
    assert x[1, PLACED_NAMES.index("blockage, 2 around")] == pytest.approx(4 * 2 / (6 * 4))


@given(st.integers(16, 200), st.integers(0, 9))
def test_every_column_is_a_mean_over_the_gcells_around(cells, seed):
    netlist = generate(cells, seed)
    maps, grid = gcell_maps(netlist), netlist.grid
    gcell = pin_gcells(netlist)
    np.testing.assert_allclose(maps[..., 0] + maps[..., 1], rudy(netlist.net, gcell, grid), atol=1e-9)
    low, high = net_boxes(netlist.net, gcell)
    np.testing.assert_allclose(maps[..., 0].sum(), (high - low)[:, 0].sum())
    np.testing.assert_allclose(maps[..., 1].sum(), (high - low)[:, 1].sum())
    assert maps[..., 2].sum() == pytest.approx(len(netlist.cell))
    np.testing.assert_allclose(maps[..., 3].sum(), netlist.size.prod(axis=1).sum())
    x = quantities(netlist)[:, AROUND].reshape(cells, -1, maps.shape[-1])
    for reach, found in zip((0, *WINDOWS), x.swapaxes(0, 1), strict=True):
        for (left, bottom, right, top), values in zip(netlist.box, found, strict=True):
            part = maps[max(left - reach, 0) : right + reach + 1, max(bottom - reach, 0) : top + reach + 1]
            mean = part.mean(axis=(0, 1))
            mean[:3] = np.log1p(mean[:3])
            np.testing.assert_allclose(values, mean, atol=1e-5)


def test_box_mean_takes_several_maps():
    maps = np.random.default_rng(0).uniform(size=(6, 9, 3))
    box = np.array([[0, 0, 5, 8], [1, 2, 1, 2], [3, 0, 5, 4]])
    expected = np.stack([box_mean(maps[..., i], box) for i in range(3)], axis=1)
    np.testing.assert_allclose(box_mean(maps, box), expected)


# Dies of every kind


def on_one_gcell():
    return replace(generate(20), box=np.zeros((20, 4), np.int64), grid=(1, 1))


def macros_alone():
    box = np.array([[0, 0, 9, 9], [5, 5, 14, 14], [0, 10, 4, 14]])
    return Netlist("macros", np.array([0, 1, 2]), np.array([0, 0, 1]), ["SRAM"] * 3, box, (15, 15))


def on_one_row():
    netlist = generate(40)
    return replace(netlist, box=netlist.box * [1, 0, 1, 0], grid=(netlist.grid[0], 1))


DIES = {
    "one gcell": on_one_gcell(),
    "macros alone": macros_alone(),
    "one row": on_one_row(),
    "no macro": generate(64),
    "no sizes": replace(SMALL, size=None),
    "no pins": replace(generate(20), cell=np.array([], np.int64), net=np.array([], np.int64)),
    "nets of one pin": replace(generate(20), cell=np.arange(20), net=np.arange(20)),
    "cells without area": replace(generate(20), size=np.zeros((20, 2))),
}


@pytest.mark.parametrize("netlist", DIES.values(), ids=DIES)
def test_every_die_has_finite_features(netlist):
    x = placed_features(netlist)
    assert x.dtype == np.float32
    assert x.shape == (netlist.num_cells, len(PLACED_NAMES))
    assert np.isfinite(x).all()
    x = x * SPREAD + CENTRE
    assert (x[:, AROUND] >= -1e-6).all()
    shares = [PLACED_NAMES.index(f"blockage{around}") for around in ("", *(f", {reach} around" for reach in WINDOWS))]
    assert (x[:, shares] <= 1).all()
    assert ((x[:, -2:] >= -1e-6) & (x[:, -2:] <= 0.5 + 1e-6)).all()


def test_blocks_that_lie_over_one_another_block_once():
    assert np.array_equal(np.unique(gcell_maps(macros_alone())[..., 4]), [0, 1])


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_cell_beside_the_die_is_refused(shift):
    box = SMALL.box + shift * max(SMALL.grid)
    with pytest.raises(ValueError, match="a box does not lie on the grid"):
        to_data(replace(SMALL, box=box), "circuitnet", maps=maps_of(SMALL.grid), features="placed")


@pytest.mark.skipif(not os.environ.get("R2G_ROOT"), reason="R2G_ROOT is not set: needs its files")
def test_a_routed_design_of_another_flow():
    path = next(Path(os.environ["R2G_ROOT"], "routing_def").glob("i2c_verilog_route.def*"))
    wires = circuits.load(path, features="placed", units="capacity", combine="both")
    assert torch.isfinite(wires.x).all()
    assert torch.equal(wires.x, circuits.load(path, features="placed", label="routed").x)
    assert (wires.units, wires.label_scale) == ("capacity", 1.0)
    assert 0 < wires.y.max() < 1


# Labels


def test_both_directions_are_two_columns_of_one_scale():
    maps = routed(SMALL)
    data = {combine: to_data(SMALL, "routed", combine, maps) for combine in ("both", "horizontal", "vertical", "max")}
    assert data["both"].y.shape == (SMALL.num_cells, 2)
    assert data["both"].y.max() == 1
    assert (data["both"].combine, data["both"].share) == ("both", data["max"].share)
    for column, combine in enumerate(("horizontal", "vertical")):
        y = data[combine].y * data[combine].label_scale
        torch.testing.assert_close(data["both"].y[:, [column]] * data["both"].label_scale, y)


@pytest.mark.parametrize("combine", ["max", "both"])
def test_units_of_capacity_are_those_of_the_maps(combine):
    maps = routed(SMALL)
    largest, absolute = (to_data(SMALL, "routed", combine, maps, units=units) for units in ("largest", "capacity"))
    assert (largest.units, absolute.units, absolute.label_scale) == ("largest", "capacity", 1.0)
    torch.testing.assert_close(absolute.y, largest.y * largest.label_scale)
    more = routed(SMALL, capacity=(1.2 * maps.capacity[0], 1.2 * maps.capacity[1]))
    roomy = to_data(SMALL, "routed", combine, more, units="capacity")
    assert roomy.y.sum() < absolute.y.sum()
    assert absolute.y.max() <= max(maps.horizontal.max(), maps.vertical.max())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(features="routed"), "features 'routed' is unknown: it is one of netlist, placed"),
        (dict(features=["placed"]), r"features \['placed'\] is unknown"),
        (dict(units="um"), "units 'um' is unknown: it is one of largest, capacity"),
        (dict(label="rudy", units="capacity"), "label 'rudy' knows no capacity: take units='largest', or"),
        (dict(label="rudy", combine="both"), "label 'rudy' has no two directions for combine='both': take label="),
    ],
)
def test_what_cannot_be_had_is_said(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        circuits.load("synthetic/64", **options)
    with pytest.raises(ValueError, match=message):
        to_data(generate(64), **options)
    with pytest.raises(ValueError, match=message):
        CircuitDataset(tmp_path, "synthetic/64", **options)
