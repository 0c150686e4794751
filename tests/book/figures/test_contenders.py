import numpy as np
import pandas as pd
import pytest
from sample_figures import RATIOS, SOURCE, axes_of, drawn

from gsrgnn.book import figures


def test_speedups_have_a_line_a_width_and_route_and_the_paper_s_values():
    (figure,) = drawn("contenders.speedups")
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
    (axes,) = figures.contenders.speedups(rows, {}, "RevGNN").axes
    assert all(pd.isna(container.lines[0].get_ydata()).all() for container in axes.containers)


def test_a_contender_has_a_point_with_its_interval_or_it_says_that_there_is_none():
    (figure,) = drawn("contenders.side_by_side")
    (axes,) = figure.axes
    assert [container.lines[0].get_xdata()[0] for container in axes.containers] == [8.0, 0.5]
    interval = axes.containers[0].lines[2][0].get_segments()[0]
    assert interval[:, 0].tolist() == [7.0, 9.0]
    assert [text.get_text() for text in axes.texts] == ["not measured"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["paper"]
    assert figure.get_supxlabel() == f"label: {SOURCE}"


@pytest.mark.parametrize("high", [3.0, 1e5])
def test_a_logarithmic_axis_has_a_few_plain_ticks_however_long_it_is(high):
    rows = pd.DataFrame(
        {"contender": ["a", "b"], "value": [2.0, high], "low": [2.0, high], "high": [2.0, high], "ours": False}
    )
    figure = figures.contenders.side_by_side(rows, "seconds")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    shown = [tick.label1.get_text() for tick in axes.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    assert 2 <= len(shown) <= 8
    assert not any("e" in text for text in shown)


def test_shares_are_stacked_up_to_the_whole_with_the_paper_s_ends():
    axes = axes_of("contenders.step_shares")
    assert [bar.get_x() + bar.get_width() for bar in axes.patches] == pytest.approx([0.25, 0.2, 0.75, 0.9, 1, 1])
    marks = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "D"]
    assert marks == [pytest.approx((0.3, 1)), pytest.approx((0.9, 1))]


def test_contenders_of_one_model_share_a_color_and_differ_in_line_and_marker():
    names = ["RevGNN csr", "RevGNN nets", "FusedRevGNN csr", "GSR dense k=4 nets"]
    styles = figures.contenders.line_styles(names)
    assert styles["RevGNN csr"][0] == styles["RevGNN nets"][0]
    assert styles["RevGNN csr"][1:] != styles["RevGNN nets"][1:]
    assert len({color for color, _, _ in styles.values()}) == 3
