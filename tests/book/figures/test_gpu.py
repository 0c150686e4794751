import pytest
from sample_figures import ROW, axes_of


def texts(name):
    return [text.get_text() for text in axes_of(name).texts]


def test_the_bisection_ends_at_the_k_largest_and_places_them_in_column_order():
    shown = texts("gpu.top_k_steps")
    start = shown.index("the row, one lane an entry")
    assert shown[:start] == [str(value) for value in ROW]
    assert shown[-13:-1] == ["", "", "0", "", "1", "2", "", "3", "", "", "", ""]


def test_a_long_row_has_a_warp_a_piece_and_an_empty_one_has_one():
    assert texts("gpu.chunks") == [f"warp {warp}" for warp in range(6)]


def test_each_group_adds_to_its_own_sums():
    shown = texts("gpu.group_sums")
    assert shown.count("4") == 2
    assert [text for text in shown if text.startswith("sums")] == ["sums 0", "sums 1"]


def test_bounds_that_are_nothing_have_no_line():
    axes = axes_of("gpu.bound_lines")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["memory", "L2 cache", "instructions"]
    assert axes.lines[1].get_ydata().tolist() == pytest.approx([2, 3])
