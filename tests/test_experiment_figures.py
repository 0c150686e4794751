import pandas as pd

from gsrgnn import experiment_figures


def scores():
    rows = [{"model": model, "num_layers": depth, "pearson": 0.5, "low": 0.4, "high": 0.6}
            for model, depth in (("GSR-GNN", 2), ("GSR-GNN", 40), ("GSR-GNN", 40), ("GCN", 2))]
    return pd.DataFrame(rows)


def test_figure_1_has_a_line_a_model_and_depth_a_point_a_run_and_the_paper_s_values():
    (axes,) = experiment_figures.scores_by_model(scores(), {("GCN", 2): ("paper", 0.43)}, "simulated").axes
    assert sorted(label.get_text() for label in axes.get_yticklabels()) == [
        "GCN, 2 layers", "GSR-GNN, 2 layers", "GSR-GNN, 40 layers"]
    assert sorted(len(container.lines[0].get_xdata()) for container in axes.containers) == [1, 1, 2]
    assert [text.get_text() for text in axes.texts] == ["paper"]


def test_figure_2_has_a_line_a_model_and_the_paper_s_plateau():
    figure = experiment_figures.scores_by_depth(scores(), 70, "simulated")
    (axes,) = figure.axes
    assert [len(container.lines[0].get_xdata()) for container in axes.containers] == [3, 1]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["GSR-GNN", "GCN"]
    assert [text.get_text() for text in axes.texts] == ["paper: level from 70 layers"]
    assert figure.get_supxlabel() == "label: simulated"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "40", "70"]


def test_figure_8_sets_depths_and_seeds_side_by_side():
    rows = pd.DataFrame([{"num_layers": depth, "k": k, "seed": seed, "difference": 0.01, "low": -0.01, "high": 0.03}
                         for depth in (10, 30) for k in (4, 8) for seed in (0, 1)])
    (axes,) = experiment_figures.quality(rows, "Pearson", 0.0026, "simulated").axes
    places = [x for container in axes.containers for x in container.lines[0].get_xdata()]
    assert len(set(places)) == len(rows)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["4", "8"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["paper's mean", "10 layers", "30 layers"]
