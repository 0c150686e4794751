from sample_figures import DIFFERENCES, SOURCE, axes_of, drawn


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
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["GSR-GNN", "GCN"]
    assert [text.get_text() for text in axes.texts] == ["paper: level from 70 layers"]
    assert figure.get_supxlabel() == f"label: {SOURCE}"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "40", "70"]


def test_figure_8_sets_depths_and_seeds_side_by_side():
    axes = axes_of("scores.differences")
    places = [x for container in axes.containers for x in container.lines[0].get_xdata()]
    assert len(set(places)) == len(DIFFERENCES)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["4", "8"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["paper's mean", "10 layers", "30 layers"]
