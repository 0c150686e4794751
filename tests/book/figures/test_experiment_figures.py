import numpy as np
import pandas as pd
import pytest

from gsrgnn.book.figures import experiments as experiment_figures

RATIOS = pd.DataFrame(
    [
        {"hidden_channels": width, "route": route, "k": k, "ratio": 40 / k, "low": 30 / k, "high": 50 / k}
        for width in (64, 384)
        for route in ("edges", "nets")
        for k in (4, 16)
    ]
)
TIMES = pd.DataFrame(
    [
        {"contender": "RevGNN edge_index", "value": 8.0, "low": 7.0, "high": 9.0, "ours": False},
        {"contender": "RevGNN csr", "value": np.nan, "low": np.nan, "high": np.nan, "ours": False},
        {"contender": "GSR k=4 nets", "value": 0.5, "low": 0.4, "high": 0.6, "ours": True},
    ]
)


def scores():
    rows = [
        {"model": model, "num_layers": depth, "pearson": 0.5, "low": 0.4, "high": 0.6}
        for model, depth in (("GSR-GNN", 2), ("GSR-GNN", 40), ("GSR-GNN", 40), ("GCN", 2))
    ]
    return pd.DataFrame(rows)


def test_figure_1_has_a_line_a_model_and_depth_a_point_a_run_and_the_paper_s_values():
    (axes,) = experiment_figures.scores_by_model(scores(), {("GCN", 2): ("paper", 0.43)}, "simulated").axes
    assert sorted(label.get_text() for label in axes.get_yticklabels()) == [
        "GCN, 2 layers",
        "GSR-GNN, 2 layers",
        "GSR-GNN, 40 layers",
    ]
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
    rows = pd.DataFrame(
        [
            {"num_layers": depth, "k": k, "seed": seed, "difference": 0.01, "low": -0.01, "high": 0.03}
            for depth in (10, 30)
            for k in (4, 8)
            for seed in (0, 1)
        ]
    )
    (axes,) = experiment_figures.quality(rows, "Pearson", 0.0026, "simulated").axes
    places = [x for container in axes.containers for x in container.lines[0].get_xdata()]
    assert len(set(places)) == len(rows)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["4", "8"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["paper's mean", "10 layers", "30 layers"]


def test_speedups_have_a_line_a_width_and_route_and_the_paper_s_values():
    figure = experiment_figures.speedups(RATIOS, {"table": {4: 18, 64: 9}, "at least": {4: 35}}, "RevGNN")
    (axes,), (legend,) = figure.axes, figure.legends
    assert [len(container.lines[0].get_xdata()) for container in axes.containers] == [2, 2, 2, 2]
    assert [text.get_text() for text in legend.get_texts()] == [
        "table",
        "at least",
        *(f"width {width}, via {route}" for width in (64, 384) for route in ("edges", "nets")),
    ]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["4", "16", "64"]
    assert axes.get_ylabel() == "times as fast as RevGNN"


def test_speedups_without_a_baseline_have_no_point():
    rows = RATIOS.assign(ratio=np.nan, low=np.nan, high=np.nan)
    (axes,) = experiment_figures.speedups(rows, {}, "RevGNN").axes
    assert all(pd.isna(container.lines[0].get_ydata()).all() for container in axes.containers)


def test_a_contender_has_a_point_with_its_interval_or_it_says_that_there_is_none():
    figure = experiment_figures.by_contender(TIMES, "seconds", {"RevGNN edge_index": 28.0}, source="simulated")
    (axes,) = figure.axes
    assert [container.lines[0].get_xdata()[0] for container in axes.containers] == [8.0, 0.5]
    interval = axes.containers[0].lines[2][0].get_segments()[0]
    assert interval[:, 0].tolist() == [7.0, 9.0]
    assert [text.get_text() for text in axes.texts] == ["not measured"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["paper"]
    assert figure.get_supxlabel() == "label: simulated"


@pytest.mark.parametrize("high", [3.0, 1e5])
def test_a_logarithmic_axis_has_a_few_plain_ticks_however_long_it_is(high):
    rows = pd.DataFrame(
        {"contender": ["a", "b"], "value": [2.0, high], "low": [2.0, high], "high": [2.0, high], "ours": False}
    )
    figure = experiment_figures.by_contender(rows, "seconds")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    shown = [tick.label1.get_text() for tick in axes.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    assert 2 <= len(shown) <= 8
    assert not any("e" in text for text in shown)


def test_shares_are_stacked_up_to_the_whole_with_the_paper_s_ends():
    parts = ["forward", "backward", "rest"]
    shares = pd.DataFrame([[0.25, 0.5, 0.25], [0.2, 0.7, 0.1]], ["RevGNN", "GSR"], parts)
    bounds = pd.DataFrame({"low": [0.2, 0.1], "high": [0.3, 0.3]}, shares.index)
    paper = pd.DataFrame([[0.3, 0.6, 0.1]], ["GSR"], parts)
    (axes,) = experiment_figures.step_shares(shares, bounds, paper).axes
    assert [bar.get_x() + bar.get_width() for bar in axes.patches] == pytest.approx([0.25, 0.2, 0.75, 0.9, 1, 1])
    marks = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "D"]
    assert marks == [pytest.approx((0.3, 1)), pytest.approx((0.9, 1))]


def test_every_graph_is_named_once():
    counts = pd.DataFrame(
        [
            (graph, source, 10_000, edges)
            for source in ("Table 1", "synthetic")
            for graph, edges in (("1-R", 10**6), ("2-F", 10**6), ("3-R", 10**7))
        ],
        columns=["graph", "source", "nodes", "edges"],
    )
    figure = experiment_figures.graph_sizes(counts)
    assert [text.get_text() for text in figure.axes[0].texts] == ["1-R\n2-F", "3-R"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Table 1", "synthetic"]
