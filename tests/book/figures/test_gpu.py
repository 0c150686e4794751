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


def test_a_bar_goes_from_the_least_to_no_reuse_and_what_the_paper_lacks_has_no_diamond():
    axes = axes_of("gpu.step_ranges")
    ends = [end for bar in axes.patches for end in (bar.get_x(), bar.get_x() + bar.get_width())]
    assert ends == pytest.approx([20, 48, 0.3, 0.8])
    paper = next(line for line in axes.lines if line.get_label() == "paper")
    assert paper.get_ydata().tolist() == [0, 1]
    assert paper.get_xdata().tolist() == pytest.approx([28, float("nan")], nan_ok=True)
    assert axes.get_xlim()[0] < 0.3 < 48 < axes.get_xlim()[1]


def test_each_card_has_a_line_and_the_paper_its_diamonds():
    lines = {line.get_label(): line.get_ydata() for line in axes_of("gpu.step_lines").lines}
    assert {name: list(values) for name, values in lines.items()} == {
        "A6000": [0.3, 0.5],
        "H100": [0.1, 0.2],
        "paper": [1.5, 3.1],
    }
