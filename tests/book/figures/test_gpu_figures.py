import pytest

from gsrgnn.book.figures import gpu as gpu_figures
from gsrgnn.lab import limits


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_bisection_ends_at_the_k_largest_and_places_them_in_column_order():
    row = [12, 3, 40, 7, 25, 25, 1, 33, 9, 25, 18, 2]
    shown = texts(gpu_figures.top_k_steps(row, 4))
    start = shown.index("the row, one lane an entry")
    assert shown[:start] == [str(value) for value in row]
    assert shown[-13:-1] == ["", "", "0", "", "1", "2", "", "3", "", "", "", ""]


def test_a_long_row_has_a_warp_a_piece_and_an_empty_one_has_one():
    assert texts(gpu_figures.chunks([10, 0, 300, 5], 100)) == [f"warp {warp}" for warp in range(6)]


def test_each_group_adds_to_its_own_sums():
    shown = texts(gpu_figures.group_sums(8, 2, [[1, 4], [4, 7]]))
    assert shown.count("4") == 2
    assert [text for text in shown if text.startswith("sums")] == ["sums 0", "sums 1"]


def test_bounds_that_are_nothing_have_no_line():
    bounds = [limits.Bound(1e-3, 2e-3, 0, 1e-4), limits.Bound(1e-3, 3e-3, 0, 2e-4)]
    axes = gpu_figures.bound_lines(bounds, [4, 8], {"dense": 2e-3}).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["memory", "L2 cache", "instructions"]
    assert axes.lines[1].get_ydata().tolist() == pytest.approx([2, 3])
