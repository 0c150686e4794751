from dataclasses import replace

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gsrgnn.circuits.congestion import box_mean, cell_label, routed, rudy
from gsrgnn.circuits.netlist import Netlist

GRID = (6, 9)


@st.composite
def pins(draw):
    count = draw(st.integers(1, 30))
    net = draw(arrays(np.int64, count, elements=st.integers(0, 8)))
    column = draw(arrays(np.int64, count, elements=st.integers(0, GRID[0] - 1)))
    row = draw(arrays(np.int64, count, elements=st.integers(0, GRID[1] - 1)))
    return net, np.stack([column, row], axis=1)


@given(pins())
def test_rudy_is_the_demand_added_up_net_by_net(drawn):
    net, gcell = drawn
    expected = np.zeros(GRID)
    for one in np.unique(net):
        at = gcell[net == one]
        if len(at) > 1:
            (left, bottom), (right, top) = at.min(axis=0), at.max(axis=0)
            w, h = right - left + 1, top - bottom + 1
            for column in range(left, right + 1):
                for row in range(bottom, top + 1):
                    expected[column, row] += (w + h) / (w * h)
    np.testing.assert_allclose(rudy(net, gcell, GRID), expected, atol=1e-12)


@given(arrays(float, GRID, elements=st.floats(0, 100)), pins(), pins())
def test_box_mean_is_the_mean_over_each_box(values, one, other):
    count = min(len(one[1]), len(other[1]))
    corners = np.stack([one[1][:count], other[1][:count]])
    box = np.hstack([corners.min(axis=0), corners.max(axis=0)])
    expected = [values[left : right + 1, bottom : top + 1].mean() for left, bottom, right, top in box]
    np.testing.assert_allclose(box_mean(values, box), expected, atol=1e-9)


def placed(cells=3000, grid=(40, 30), seed=0):
    """Nets of two and three cells, half of them crowded about one place; the last cell is a macro."""
    rng = np.random.default_rng(seed)
    at = rng.uniform(0, 1, (cells, 2)) * grid
    at[: cells // 2] = rng.normal((28, 10), 4, (cells // 2, 2))
    gcell = np.clip(at, 0, np.array(grid) - 1).astype(np.int64)
    box = np.hstack([gcell, gcell])
    box[-1] = 4, 12, 12, 24
    driver = np.arange(cells)
    near = np.argsort(gcell[:, 0] + 0.3 * gcell[:, 1] + rng.normal(0, 1, cells))
    sink = near[(np.argsort(near)[driver] + 1 + rng.integers(0, 20, cells)) % cells]
    third = rng.permutation(cells)[: cells // 3]
    return Netlist(
        name="crowded",
        cell=np.concatenate([driver, sink, third]),
        net=np.concatenate([driver, driver, np.arange(len(third))]),
        cell_type=["ND2_x1_0"] * cells,
        box=box,
        grid=grid,
    )


@pytest.mark.parametrize("share", [0.1, 1 / 3, 0.6])
def test_the_share_of_overflowing_cells_is_the_one_asked_for(share):
    netlist = placed()
    found = routed(netlist, share=share)
    label = cell_label(found.horizontal, found.vertical, netlist.box)
    assert found.share == (label > 0).mean() == pytest.approx(share, abs=0.02)
    assert all(capacity > 0 for capacity in found.capacity)
    for part in (found.horizontal, found.vertical):
        assert part.shape == netlist.grid
        assert part.dtype == np.float32
        assert part.min() == 0


def test_labels_are_high_where_the_cells_are_crowded():
    netlist = placed()
    found = routed(netlist)
    label = cell_label(found.horizontal, found.vertical, netlist.box)
    off = np.abs(netlist.centre - (28, 10)).max(axis=1)
    assert label[off < 4].mean() > 10 * label[off > 10].mean()


def test_the_same_maps_whatever_the_number_of_threads():
    netlist = placed()
    one = routed(netlist)
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        other = routed(netlist)
    finally:
        numba.set_num_threads(threads)
    assert np.array_equal(one.horizontal, other.horizontal)
    assert np.array_equal(one.vertical, other.vertical)
    assert (one.capacity, one.share) == (other.capacity, other.share)


@given(arrays(np.float32, (2, *GRID), elements=st.sampled_from([0, 0, 0.1, 1 / 3, 2])), pins())
def test_the_label_combines_gcells_before_the_mean(maps, drawn):
    box = np.hstack([np.minimum(drawn[1], drawn[1][::-1]), np.maximum(drawn[1], drawn[1][::-1])])
    by_hand = {
        "max": maps.max(axis=0),
        "sum": maps.astype(float).sum(axis=0),
        "horizontal": maps[0],
        "vertical": maps[1],
    }
    for combine, combined in by_hand.items():
        label = cell_label(*maps, box, combine=combine)
        expected = [combined[left : r + 1, bottom : t + 1].mean(dtype=float) for left, bottom, r, t in box]
        np.testing.assert_allclose(label, expected, atol=1e-9)
        assert np.array_equal(label > 0, np.array(expected) > 0)
    both = cell_label(*maps, box, combine="both")
    for column, combine in zip(both.T, ("horizontal", "vertical"), strict=True):
        assert np.array_equal(column, cell_label(*maps, box, combine=combine))


def netlist_of(cell, net, box, grid):
    cell, net, box = (np.array(values, dtype=np.int64) for values in (cell, net, box))
    return Netlist("small", cell, net, ["INV_x1_0"] * len(box), box, grid)


@pytest.mark.parametrize(
    "netlist",
    [
        netlist_of([0, 1, 1], [0, 0, 1], [[0, 0, 0, 0]] * 3, (1, 1)),
        netlist_of([0, 1, 1], [0, 0, 1], [[2, 1, 2, 1]] * 3, (4, 3)),
        netlist_of([0, 1], [0, 1], [[0, 0, 0, 0], [3, 2, 3, 2]], (4, 3)),
        netlist_of([], [], [[0, 0, 0, 0]], (4, 3)),
    ],
    ids=["one gcell", "all cells in one", "nets of one pin", "no pins"],
)
def test_nothing_to_route(netlist):
    found = routed(netlist)
    assert (found.capacity, found.share) == ((0.0, 0.0), 0.0)
    assert not found.horizontal.any()
    assert not found.vertical.any()
    assert found.horizontal.shape == netlist.grid


@pytest.mark.parametrize("grid", [(12, 1), (1, 12)])
def test_a_die_of_one_row(grid):
    at = np.arange(12)
    box = np.stack([at if grid[0] > 1 else 0 * at, at if grid[1] > 1 else 0 * at], axis=1)
    nets = [(0, 11), (3, 8), (5, 6), (5, 7)]
    found = routed(netlist_of(np.ravel(nets), np.repeat(np.arange(4), 2), np.hstack([box, box]), grid))
    along, across = (found.horizontal, found.vertical) if grid[0] > 1 else (found.vertical, found.horizontal)
    assert along.any()
    assert not across.any()
    assert 0 < found.share < 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"grid": (20, 30)}, r"crowded: a box does not lie on the grid \(20, 30\)"),
        ({"net": np.zeros(3, np.int64)}, r"crowded: cell and net have \(7000, 3\) pins"),
        ({"box": np.zeros((2, 4), np.int64)}, r"crowded: box is int64 \(2, 4\), needed integers \(3000, 4\)"),
    ],
)
def test_netlists_that_cannot_be_routed(change, said):
    with pytest.raises(ValueError, match=said):
        routed(replace(placed(), **change))


@pytest.mark.parametrize("share", ["a third", None, 0, 1, -0.1, float("nan")])
def test_shares_that_cannot_be(share):
    with pytest.raises(ValueError, match="share is .*, needed a number between 0 and 1"):
        routed(placed(), share=share)


def test_a_rule_there_is_not():
    with pytest.raises(ValueError, match="combine is 'mean', needed one of 'max', 'sum', 'horizontal', 'vertical'"):
        cell_label(np.zeros(GRID), np.zeros(GRID), np.zeros((1, 4), np.int64), combine="mean")


def test_a_given_capacity_is_taken_and_more_of_it_leaves_less_congestion():
    found = routed(placed())
    again = routed(placed(), capacity=found.capacity)
    assert np.array_equal(again.horizontal, found.horizontal)
    assert (again.capacity, again.share) == (found.capacity, found.share)
    doubled = routed(placed(), capacity=(2 * found.capacity[0], 2 * found.capacity[1]))
    assert doubled.share < found.share / 2


@pytest.mark.parametrize("capacity", [(0, 1), (1, np.nan), (np.inf, 1), (-1, 1)])
def test_capacities_that_cannot_be(capacity):
    with pytest.raises(ValueError, match="capacity is .*, needed two positive numbers"):
        routed(placed(), capacity=capacity)
