import pytest
from sample_figures import BY_SPLIT, DIFFERENCES, SCORES, SOURCE, axes_of, drawn

from gsrgnn.book import figures


def test_figure_1_has_a_line_a_model_and_depth_a_point_a_run_and_the_paper_s_values():
    axes = axes_of("scores.by_model")
    assert sorted(label.get_text() for label in axes.get_yticklabels()) == [
        "GCN, 2 layers",
        "GSR-GNN, 2 layers",
        "GSR-GNN, 40 layers",
    ]
    assert sorted(len(container.lines[0].get_xdata()) for container in axes.containers) == [1, 1, 2]
    assert [text.get_text() for text in axes.texts] == ["paper"]


def test_figure_2_has_a_line_a_model_and_the_paper_s_plateau():
    (figure,) = drawn("scores.by_depth")
    (axes,) = figure.axes
    assert [len(container.lines[0].get_xdata()) for container in axes.containers] == [3, 1]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["GSR-GNN", "GCN"]
    assert [text.get_text() for text in axes.texts] == ["paper: level from 70 layers"]
    assert figure.get_supxlabel() == f"label: {SOURCE}"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "40", "70"]


def test_figure_8_sets_depths_and_seeds_side_by_side():
    axes = axes_of("scores.differences")
    places = [x for container in axes.containers for x in container.lines[0].get_xdata()]
    assert len(set(places)) == len(DIFFERENCES)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["4", "8"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["paper's mean", "10 layers", "30 layers"]


def test_depth_needs_no_plateau_and_what_has_no_depth_is_a_level():
    figure = figures.scores.by_depth(SCORES, None, SOURCE, {"a tree": 0.3}, "Pearson, unseen")
    (axes,), (legend,) = figure.axes, figure.legends
    assert not axes.texts
    assert "a tree" in [text.get_text() for text in legend.get_texts()]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "40"]
    assert axes.get_ylabel() == "Pearson, unseen"
    assert [0.3, 0.3] in [list(line.get_ydata()) for line in axes.lines]


def test_splits_stand_on_the_line_of_what_predicts_a_tick_a_circuit_and_their_mean():
    axes = axes_of("scores.by_split")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["GCN, 4 layers", "no model"]
    ticks = {tuple(line.get_xdata()) for line in axes.lines if line.get_marker() == "|"}
    assert ticks == {(0.8, 0.9, 0.7, 0.9), (0.2, 0.6)}
    means = [list(line.get_xdata()) for line in axes.lines if line.get_marker() in "os"]
    assert means == [pytest.approx([0.85, 0.8]), pytest.approx([0.4])]
    (legend,) = drawn("scores.by_split")[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ["by cell", "family unseen"]


def test_a_split_has_its_mark_where_another_is_missing():
    some = BY_SPLIT[BY_SPLIT["split"] == "family unseen"]
    axes = figures.scores.by_split(some, "", splits=["by cell", "family unseen"]).axes[0]
    assert {line.get_marker() for line in axes.lines} - {"|", "None"} == {"s"}
