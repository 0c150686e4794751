import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gsrgnn.circuits.placement import MACROS, UTILISATION, place


def random_netlist(cells, macros=0, seed=0, sinks=2):
    """Cells in a row, each driving near ones; the last `macros` of them are large."""
    rng = np.random.default_rng(seed)
    driver = np.arange(cells)
    net = np.repeat(driver, sinks)
    near = (net + 1 + rng.geometric(0.1, len(net))) % cells
    size = np.column_stack([rng.uniform(0.2, 1.6, cells), np.full(cells, 0.5)])
    if macros:
        size[-macros:] = rng.uniform(4.5, 9, (macros, 2))
    shuffled = rng.permutation(cells)
    cell = np.concatenate([driver, near])
    return shuffled[cell], np.concatenate([driver, net]), size[np.argsort(shuffled)]


def centres(box):
    return (box[:, :2] + box[:, 2:] + 1) / 2


def half_perimeter(cell, net, at):
    order = np.argsort(net, kind="stable")
    starts = np.flatnonzero(np.diff(net[order], prepend=-1))
    of_net = at[cell[order]]
    return (np.maximum.reduceat(of_net, starts) - np.minimum.reduceat(of_net, starts)).sum()


def assert_legal(box, grid, size):
    assert box.dtype == np.int64
    assert (box[:, :2] >= 0).all()
    assert (box[:, :2] <= box[:, 2:]).all()
    assert (box[:, 2:] < grid).all()
    macro = size.max(axis=1) > 4
    cover = np.zeros(grid, dtype=int)
    for (left, bottom, right, top), (width, height) in zip(box[macro], size[macro], strict=True):
        assert (right - left + 1, top - bottom + 1) == (np.ceil(width), np.ceil(height))
        cover[left : right + 1, bottom : top + 1] += 1
    assert cover.max() <= 1, "macros overlap"
    for left, bottom, right, top in box[~macro]:
        assert not cover[left : right + 1, bottom : top + 1].any(), "a cell on a macro"
    assert (box[~macro][:, 2:] - box[~macro][:, :2] <= np.ceil(size[~macro])).all()


@given(st.integers(2, 150), st.integers(0, 4), st.integers(0, 100))
@settings(deadline=None, max_examples=20)
def test_placements_are_legal(cells, macros, seed):
    cell, net, size = random_netlist(cells, min(macros, cells), seed)
    box, grid = place(cell, net, size)
    assert_legal(box, grid, size)
    assert grid[0] == grid[1]


def test_gcells_hold_no_more_than_they_have_room_for():
    cell, net, size = random_netlist(4000, macros=3)
    size = np.where(size.max(axis=1, keepdims=True) > 4, size, [0.2, 0.2])
    box, grid = place(cell, net, size)
    assert_legal(box, grid, size)
    in_one = (box[:, :2] == box[:, 2:]).all(axis=1)
    assert in_one.mean() > 0.5
    held = np.zeros(grid)
    np.add.at(held, tuple(box[in_one, :2].T), 0.2 * 0.2)
    assert held.max() <= 1 + 0.2 * 0.2


def test_the_die_follows_from_the_utilisation():
    cell, net, size = random_netlist(5000)
    _, (width, height) = place(cell, net, size)
    assert size.prod(axis=1).sum() / (width * height) == pytest.approx(UTILISATION, rel=0.03)


def test_wires_are_far_shorter_than_at_random():
    cell, net, size = random_netlist(3000, macros=2)
    box, _ = place(cell, net, size)
    at = centres(box)
    shuffled = np.random.default_rng(0).permutation(at)
    assert half_perimeter(cell, net, at) < 0.2 * half_perimeter(cell, net, shuffled)


def test_the_same_placement_whatever_the_number_of_threads():
    netlist = random_netlist(800, macros=1)
    one, grid = place(*netlist)
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        other, other_grid = place(*netlist)
    finally:
        numba.set_num_threads(threads)
    assert np.array_equal(one, other)
    assert grid == other_grid


def test_fixed_cells_stay_and_draw_the_others():
    cell, net, size = random_netlist(400, macros=1)
    fixed = np.full(size.shape, np.nan)
    fixed[0] = 3.2, 5.7
    macro = size.max(axis=1).argmax()
    fixed[macro] = 9, 9
    box, grid = place(cell, net, size, fixed=fixed)
    assert_legal(box, grid, size)
    assert box[0, 0] <= 3 <= box[0, 2]
    assert box[0, 1] == 5
    assert np.abs(centres(box)[macro] - 9).max() <= 0.5


@pytest.mark.parametrize("pins", [0, 1])
def test_a_single_cell(pins):
    box, grid = place(np.zeros(pins, np.int64), np.zeros(pins, np.int64), np.full((1, 2), 0.5))
    assert box.tolist() == [[0, 0, 0, 0]]
    assert grid == (1, 1)


def test_macros_alone():
    size = np.array([[5.0, 9.5], [7, 4.5], [6, 6]])
    box, grid = place(np.array([0, 1, 2]), np.array([0, 0, 0]), size)
    assert_legal(box, grid, size)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": np.ones((0, 2))}, r"size has shape \(0, 2\), needed \(cells, 2\)"),
        ({"size": np.ones(3)}, r"size has shape \(3,\), needed \(cells, 2\)"),
        ({"size": np.array([[1, 0], [1, 1]])}, "not a positive number"),
        ({"size": np.array([[1, np.nan], [1, 1]])}, "not a positive number"),
        ({"cell": np.array([0, 2])}, "cell names cell 2, but size has 2 cells"),
        ({"cell": np.array([0, -1])}, "cell holds -1, needed indices from 0"),
        ({"cell": np.array([0.0, 1.0])}, r"cell is float64 \(2,\), needed integers"),
        ({"net": np.array([0])}, r"net is int64 \(1,\), needed integers, one a pin \(2\)"),
        ({"size": np.full((2, 2), 1e5)}, "gcells wide, of 4096 allowed"),
        ({"fixed": np.zeros((1, 2))}, r"fixed has shape \(1, 2\), needed \(2, 2\)"),
        ({"fixed": np.array([[np.nan, 1], [1, 1]])}, "two NaN, or a centre"),
        ({"fixed": np.array([[0.1, 1], [1, 1]])}, "two NaN, or a centre"),
    ],
)
def test_arguments_that_cannot_be(change, said):
    arguments = {"cell": np.array([0, 1]), "net": np.array([0, 0]), "size": np.ones((2, 2))}
    with pytest.raises(ValueError, match=said):
        place(**arguments | change)


def test_fixed_macros_that_overlap():
    with pytest.raises(ValueError, match="fixed lays macro 1 over another fixed cell"):
        place(np.array([0, 1]), np.array([0, 0]), np.full((2, 2), 6.0), fixed=np.array([[3.0, 3], [6, 6]]))


def test_macros_keep_off_fixed_cells():
    cell, net, size = random_netlist(50, macros=2)
    fixed = np.full(size.shape, np.nan)
    standard = size.max(axis=1) <= 4
    fixed[np.flatnonzero(standard)[0]] = 1, 1
    box, grid = place(cell, net, size, fixed=fixed)
    assert_legal(box, grid, size)


@given(st.integers(60, 150), st.integers(1, 4), st.integers(0, 100), st.floats(0.25, 4), st.floats(0.3, 0.9))
@settings(deadline=None, max_examples=30)
def test_other_dies_and_places_of_macros_are_legal(cells, macros, seed, aspect, utilisation):
    cell, net, size = random_netlist(cells, macros, seed)
    for way in MACROS:
        box, grid = place(cell, net, size, utilisation=utilisation, aspect=aspect, macros=way, seed=seed)
        assert_legal(box, grid, size)


def test_utilisation_and_aspect_are_those_asked_for():
    cell, net, size = random_netlist(5000)
    for utilisation in (0.5, 0.9):
        for aspect in (0.5, 3.0):
            _, (width, height) = place(cell, net, size, utilisation=utilisation, aspect=aspect)
            assert size.prod(axis=1).sum() / (width * height) == pytest.approx(utilisation, rel=0.05)
            assert width / height == pytest.approx(aspect, rel=0.05)


def test_macros_lie_where_they_are_asked_to():
    cell, net, size = random_netlist(2000, macros=4)
    macro = size.max(axis=1) > 4

    def to_border(way, seed):
        box, grid = place(cell, net, size, macros=way, seed=seed)
        return np.minimum(box[macro, :2], np.array(grid) - 1 - box[macro, 2:])

    assert (to_border("corners", 0) == 0).all()
    assert (to_border("border", 0).min(axis=1) == 0).all()
    assert to_border("border", 0).max() > 0
    assert to_border("scattered", 0).min(axis=1).max() > 0
    assert not np.array_equal(to_border("scattered", 0), to_border("scattered", 1))


def test_a_seed_gives_a_placement_of_its_own_and_of_a_like_length():
    cell, net, size = random_netlist(1000)
    boxes = [place(cell, net, size, seed=seed)[0] for seed in (0, 1, 1)]
    assert not np.array_equal(boxes[0], boxes[1])
    assert np.array_equal(boxes[1], boxes[2])
    lengths = [half_perimeter(cell, net, centres(box)) for box in boxes[:2]]
    assert lengths[1] == pytest.approx(lengths[0], rel=0.2)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"utilisation": 1.0}, "utilisation is 1.0: it takes a number from 0.1 to 0.95"),
        ({"utilisation": np.nan}, "utilisation is nan: it takes a number"),
        ({"aspect": "2"}, "aspect is '2': it takes a number from 0.25 to 4"),
        ({"aspect": 0}, "aspect is 0: it takes a number"),
        ({"macros": "centre"}, "macros 'centre' is unknown: it is one of corners, border, scattered"),
        ({"seed": -1}, "seed is -1: it takes a whole number"),
    ],
)
def test_layouts_that_cannot_be(option, said):
    with pytest.raises(ValueError, match=said):
        place(np.array([0, 1]), np.array([0, 0]), np.ones((2, 2)), **option)
