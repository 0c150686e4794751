import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from gsrgnn.circuits.routing import connections, route

UNLIMITED = 1e9


@st.composite
def placed_nets(draw):
    """net, pin_gcell, grid"""
    grid = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    pin = st.tuples(st.integers(0, 4), st.integers(0, grid[0] - 1), st.integers(0, grid[1] - 1))
    pins = np.array(draw(st.lists(pin, max_size=30)), dtype=np.int64).reshape(-1, 3)
    return pins[:, 0], pins[:, 1:], grid


def everywhere(grid, capacity):
    return np.full((2, *grid), float(capacity))


def length(tree):
    return np.abs(tree[:, :2] - tree[:, 2:]).sum()


def spanning_length(gcell):
    at = np.unique(gcell, axis=0)
    return minimum_spanning_tree(np.abs(at[:, None] - at).sum(axis=2).astype(float)).sum()


@given(placed_nets())
def test_the_trees_are_minimal_and_join_each_nets_gcells(drawn):
    net, gcell, grid = drawn
    nets = np.unique(net)
    assert length(connections(*drawn)) == sum(spanning_length(gcell[net == n]) for n in nets)
    for n in nets:
        mine = net == n
        tree = connections(net[mine], gcell[mine], grid)
        at, index = np.unique(gcell[mine] @ [grid[1], 1], return_inverse=True)
        one, other = np.searchsorted(at, tree[:, :2] @ [grid[1], 1]), np.searchsorted(at, tree[:, 2:] @ [grid[1], 1])
        assert connected_components(csr_array((np.ones(len(tree)), (one, other)), (len(at), len(at))))[0] == 1


@given(placed_nets(), st.sampled_from([0.5, 2, UNLIMITED]))
@settings(deadline=None)
def test_demand_adds_up_to_wire_length_of_at_least_the_trees(drawn, capacity):
    grid, tree = drawn[2], connections(*drawn)
    routes = route(tree, *everywhere(grid, capacity))
    assert routes.horizontal.shape == routes.vertical.shape == grid
    assert routes.horizontal.sum() + routes.vertical.sum() == routes.length >= length(tree)
    if capacity == UNLIMITED:
        assert routes.length == length(tree)
        assert routes.on_horizontal.sum() == np.abs(tree[:, 0] - tree[:, 2]).sum()


@given(st.lists(st.integers(0, 6), min_size=4, max_size=4), st.sampled_from([0.5, UNLIMITED]), st.integers(0, 5))
@settings(deadline=None)
def test_every_route_joins_its_ends(ends, capacity, walls):
    """At a gcell that is no end, a single wire comes in as often as it goes out."""
    limits = everywhere((7, 7), capacity)
    limits[:, walls, :5] = 0.01
    routes = route(np.array([ends]), *limits)
    touching = np.rint(2 * (routes.horizontal + routes.vertical)).astype(int)
    is_end = np.zeros((7, 7), dtype=int)
    np.add.at(is_end, tuple(np.reshape(ends, (2, 2)).T), 1)
    assert ((touching + is_end) % 2 == 0).all()
    assert (touching[is_end == 1] > 0).all()


def test_wires_go_around_a_macro_when_there_is_room():
    room = np.full((9, 9), 4.0)
    room[3:6, 2:7] = 0.1
    tree = np.array([[0, 3, 8, 3], [1, 4, 8, 4], [0, 2, 8, 5]])
    through = route(tree, room, room, rounds=0)
    around = route(tree, room, room)
    inside = (slice(3, 6), slice(2, 7))
    assert through.horizontal[inside].sum() > 0
    assert around.horizontal[inside].sum() + around.vertical[inside].sum() == 0


def test_a_wall_across_the_die_is_crossed():
    room = np.full((9, 5), 4.0)
    room[4] = 0.1
    assert route(np.array([[0, 2, 8, 2]]), room, room).horizontal[4].sum() == 1


def crowded(seed=0, nets=3000, side=30):
    rng = np.random.default_rng(seed)
    net = np.repeat(np.arange(nets), 3)
    centre = rng.normal(side / 2, side / 8, (nets, 2))[net]
    gcell = (centre + rng.normal(0, 2, (len(net), 2))).clip(0, side - 1).astype(np.int64)
    return connections(net, gcell, (side, side))


def test_negotiation_takes_overflow_away():
    tree = crowded()

    def overflow(capacity, rounds):
        routes = route(tree, *everywhere((30, 30), capacity), rounds=rounds)
        return sum(np.maximum(wires - capacity, 0).sum() for wires in (routes.on_horizontal, routes.on_vertical))

    assert 0 < overflow(60, rounds=4) < 0.7 * overflow(60, rounds=0)
    assert overflow(5, rounds=4) <= overflow(5, rounds=0)


def test_the_same_routes_every_time():
    tree, room = crowded(1), np.full((30, 30), 10.0)
    one, other = route(tree, room, room), route(tree, room, room)
    assert np.array_equal(one.on_horizontal, other.on_horizontal)
    assert np.array_equal(one.on_vertical, other.on_vertical)


@pytest.mark.parametrize("grid", [(1, 1), (1, 8), (8, 1)])
def test_dies_of_one_row(grid):
    gcell = np.array([[0, 0], [grid[0] - 1, grid[1] - 1]])
    tree = connections(np.zeros(2, np.int64), gcell, grid)
    routes = route(tree, *everywhere(grid, 1))
    assert routes.length == max(grid) - 1
    assert routes.horizontal.shape == grid


@pytest.mark.parametrize(
    ("net", "gcell", "said"),
    [
        ([0.0, 0.0], [[0, 0], [1, 1]], r"net is float64 \(2,\), needed integers"),
        ([0, 0], [[0, 0]], r"pin_gcell is int64 \(1, 2\), needed integers \(2, 2\)"),
        ([0, -1], [[0, 0], [1, 1]], r"net holds -1"),
        ([0, 0], [[0, 0], [1, 4]], r"a pin lies in gcell \(1, 4\), outside the 4 x 4 grid"),
    ],
)
def test_pins_that_cannot_be(net, gcell, said):
    with pytest.raises(ValueError, match=said):
        connections(np.array(net), np.array(gcell), (4, 4))


@pytest.mark.parametrize(
    ("tree", "capacity", "said"),
    [
        ([[0, 0, 1]], np.ones((4, 4)), r"tree is int64 \(1, 3\), needed integers \(connections, 4\)"),
        ([[0, 0, 1, 9]], np.ones((4, 4)), "a connection ends outside the 4 x 4 grid"),
        ([[0, 0, 1, 1]], np.ones(4), r"capacities have shapes \(4,\) and \(4,\)"),
        ([[0, 0, 1, 1]], -np.ones((4, 4)), "negative or NaN"),
        ([[0, 0, 1, 1]], np.full((4, 4), np.nan), "negative or NaN"),
    ],
)
def test_routes_that_cannot_be(tree, capacity, said):
    with pytest.raises(ValueError, match=said):
        route(np.array(tree), capacity, capacity)
