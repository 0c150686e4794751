"""The book's figures: labelled, legible on both grounds, one style."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from gsrgnn.book.figures import style as figures

SOURCE = "simulated: RUDY"
rng = np.random.default_rng(0)
POS, GRID = rng.uniform(0, [6, 4], size=(80, 2)), (6, 4)
TRUE, GUESS = rng.uniform(size=80), rng.uniform(size=80)
HISTORY = pd.DataFrame(
    {
        "model": ["a"] * 3 + ["b"] * 3,
        "epoch": [1, 2, 3] * 2,
        "loss": rng.uniform(size=6),
        "pearson": rng.uniform(size=6),
    }
)
MEASURES = {"loss": "loss (MSE)", "pearson": "Pearson"}

OVERFLOW = np.array([[0, 0.5], [0, 0], [0, 0], [2, 0]])
WIRES = np.array([[1, 0], [2, 0]]), np.array([[0], [0], [1]])
RECORD = {
    "complete": True,
    "parameters": {"circuit": "synthetic/64", "hidden": 16, "layers": 2, "memory_layers": [2, 4]},
    "graph": {"nodes": 64, "edges": 486},
    "provenance": {"CPU": "Z80"},
    "threads": {"torch": 2},
    "floor": {"seconds": 0.01},
    "rows": [
        {
            "name": "RevGNN csr",
            "ours": False,
            "state": "measured",
            "seconds": {"step": 0.5},
            "memory": {"2": {"before": 10**6, "peak": 3 * 10**6}, "4": {"before": 10**6, "peak": 11 * 10**6}},
        },
        {
            "name": "GSR k=4 nets",
            "ours": True,
            "state": "measured",
            "seconds": {"step": 0.02},
            "memory": {"2": {"before": 10**6, "peak": 2 * 10**6}, "4": {"note": "out of memory"}},
        },
        {"name": "RevGNN edge_index", "ours": False, "state": "left out", "memory": {}},
    ],
}

PLAIN = {
    "bench_steps": lambda: figures.bench_steps(RECORD),
    "bench_memory": lambda: figures.bench_memory(RECORD),
    "degree_distribution": lambda: figures.degree_distribution({"one": [0, 1, 1, 2, 9], "two": [3, 3, 4]}),
    "net_size_distribution": lambda: figures.net_size_distribution({"one": [2, 2, 3, 9]}),
    "net_size_shares": lambda: figures.net_size_shares([2, 2, 3, 9], [2, 2, 6, 72]),
    "sparsity_pattern": lambda: figures.sparsity_pattern(np.eye(4, dtype=bool), "I"),
    "tree_drawing": lambda: figures.tree_drawing((3, 2), [(0, 0), (2, 1)], [0, 0], [[0, 0, 2, 1]], "tree"),
    "route_drawing": lambda: figures.route_drawing((3, 2), [(0, 0), (2, 1)], [0, 1], WIRES, 1, "wires"),
}
WITH_LABEL = {
    "congestion_map": lambda: figures.congestion_map(OVERFLOW, [[2, 0, 3, 1]], SOURCE),
    "die_map": lambda: figures.die_map(POS, GRID, TRUE, SOURCE),
    "die_comparison": lambda: figures.die_comparison(POS, GRID, TRUE[:, None], GUESS, SOURCE),
    "prediction_scatter": lambda: figures.prediction_scatter(TRUE[:, None], {"a": GUESS, "b": TRUE}, SOURCE),
    "training_curves": lambda: figures.training_curves(HISTORY, MEASURES, SOURCE),
}
DRAWINGS = {
    "graph_piece": lambda: figures.graph_piece([[0, 0, 1], [1, 2, 2]], "triangle"),
    "netlist_drawing": lambda: figures.netlist_drawing([0, 1, 1], [0, 0, 0], ["a", "b"], ["n"]),
    "clique_drawing": lambda: figures.clique_drawing(np.ones((3, 3), int), ["a", "b", "c"]),
}


def several(drawn):
    return (drawn,) if isinstance(drawn, Figure) else drawn


@pytest.mark.parametrize("draw", (PLAIN | WITH_LABEL).values(), ids=PLAIN | WITH_LABEL)
def test_every_axis_has_a_label(draw):
    for figure in several(draw()):
        assert figure.axes[0].get_xlabel()
        assert figure.axes[0].get_ylabel()


@pytest.mark.parametrize("draw", WITH_LABEL.values(), ids=WITH_LABEL)
def test_a_figure_of_a_label_says_where_it_comes_from(draw):
    for figure in several(draw()):
        assert SOURCE in figure.get_supxlabel()
        assert SOURCE in figures.show(figure, alt="x")._repr_html_()


@pytest.mark.parametrize("draw", (PLAIN | WITH_LABEL | DRAWINGS).values(), ids=PLAIN | WITH_LABEL | DRAWINGS)
def test_shown_figures_take_the_ink_of_the_page(draw):
    page = figures.show(draw(), alt="x")._repr_html_()
    assert "currentColor" in page
    assert figures.INK not in page
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawings) == len(several(draw()))
    for svg in drawings:
        root = ET.fromstring(svg)
        assert {"viewBox", "width"} & set(root.attrib) == {"viewBox"}
        texts = list(root.iter("{http://www.w3.org/2000/svg}text"))
        assert texts
        assert not any("fill: #000" in node.get("style", "") for node in texts)
        assert not re.search(r'id="patch_1">\s*<path[^>]*fill: #ffffff', svg)


def luminance(color):
    channel = np.array(to_rgb(color))
    channel = np.where(channel <= 0.04045, channel / 12.92, ((channel + 0.055) / 1.055) ** 2.4)
    return channel @ [0.2126, 0.7152, 0.0722]


def contrast(one, two):
    high, low = sorted((luminance(one), luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", ["#ffffff", "#121212"])
def test_colours_stand_out_on_both_grounds(ground):
    """3:1 for lines and marks (WCAG 1.4.11). No ink reaches 4.5:1 on both: the best possible is 4.33."""
    assert min(contrast(color, ground) for color in figures.PALETTE) >= 3
    assert contrast(figures.INK, ground) >= 4.1


def test_series_differ_by_more_than_colour():
    lines = PLAIN["degree_distribution"]().axes[0].lines
    assert len({line.get_linestyle() + str(line._unscaled_dash_pattern) for line in lines}) == len(lines)
    assert len(set(figures.DASHES)) == len(figures.PALETTE)


def test_degree_distribution_is_the_share_at_or_above():
    line = PLAIN["degree_distribution"]().axes[0].lines[0]
    assert dict(zip(line.get_xdata(), line.get_ydata(), strict=True)) == {1: 0.8, 2: 0.4, 9: 0.2}


def test_net_size_distribution_is_the_share_at_or_above():
    line = PLAIN["net_size_distribution"]().axes[0].lines[0]
    assert dict(zip(line.get_xdata(), line.get_ydata(), strict=True)) == {2: 1.0, 3: 0.5, 9: 0.25}


def test_congestion_map_lies_as_the_die_does_and_shows_its_macros():
    axes = WITH_LABEL["congestion_map"]().axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), [[0, 0, 0, 2], [0.5, 0, 0, 0]])
    assert axes.images[0].get_extent() == [0, 4, 0, 2]
    assert axes.images[0].get_clim() == (0, 2)
    (macro,) = axes.patches
    assert (macro.get_xy(), macro.get_width(), macro.get_height()) == ((2, 0), 2, 2)


def test_wires_are_drawn_between_gcell_centres_and_counted_above_capacity():
    axes = PLAIN["route_drawing"]().axes[0]
    drawn = {(*line.get_xdata(), *line.get_ydata()): line.get_linestyle() for line in axes.lines}
    assert drawn == {(0.5, 1.5, 0.5, 0.5): "-", (1.5, 2.5, 0.5, 0.5): "--", (2.5, 2.5, 0.5, 1.5): "-"}
    assert [text.get_text() for text in axes.texts] == ["A", "B", "2"]


def test_net_size_shares_sum_to_one():
    nets, edges = PLAIN["net_size_shares"]().axes[0].lines
    assert list(nets.get_xdata()) == [2, 3, 9]
    np.testing.assert_allclose(nets.get_ydata(), [0.5, 0.75, 1])
    np.testing.assert_allclose(edges.get_ydata(), np.array([4, 10, 82]) / 82)


def test_die_map_means_each_gcell_and_leaves_others_open():
    figure = figures.die_map([[0.5, 0.5], [0.2, 0.9], [2.5, 1.5]], (3, 2), [1.0, 3.0, 5.0], SOURCE)
    shown = figure.axes[0].images[0].get_array().filled(np.nan)
    np.testing.assert_array_equal(shown, [[2, np.nan, np.nan], [np.nan, np.nan, 5]])


def test_die_comparison_shares_one_scale():
    true, guess, difference = (figure.axes[0].images[0] for figure in WITH_LABEL["die_comparison"]())
    assert true.get_clim() == guess.get_clim()
    assert difference.get_clim()[0] == -difference.get_clim()[1]


def test_bench_bars_are_the_steps_and_ours_are_filled():
    axes = PLAIN["bench_steps"]().axes[0]
    assert [bar.get_x() + bar.get_width() for bar in axes.patches] == pytest.approx([0.5, 0.02])
    assert [bar.get_facecolor()[3] for bar in axes.patches] == [0, 1]
    assert [label.get_text() for label in axes.get_yticklabels()] == [row["name"] for row in RECORD["rows"]]
    assert list(axes.lines[0].get_xdata()) == [0.01, 0.01]
    assert {"500 ms", "20 ms", "floor 10 ms", "left out"} == {text.get_text() for text in axes.texts}


def test_bench_memory_is_what_the_step_added():
    axes = PLAIN["bench_memory"]().axes[0]
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_marker() != "None"]
    assert points == [(2, 0), (10, 0), (1, 1)]
    assert [text.get_text() for text in axes.texts] == ["left out"]


def test_pictures_speak():
    picture = figures.show(PLAIN["sparsity_pattern"](), alt='a "quoted" <alt>', caption="<b>")
    page = picture._repr_html_()
    assert 'role="img" aria-label="a &quot;quoted&quot; &lt;alt&gt;"' in page
    assert "<figcaption>&lt;b&gt;</figcaption>" in page
    assert repr(picture) == '[a "quoted" <alt>]\n<b>'


def test_ids_of_two_figures_do_not_meet():
    page = figures.show(WITH_LABEL["prediction_scatter"](), alt="x")._repr_html_()
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^")]*)', page)) <= set(ids)


def test_the_same_figure_is_the_same_text():
    assert (
        figures.show(DRAWINGS["graph_piece"](), alt="x")._repr_html_()
        == figures.show(DRAWINGS["graph_piece"](), alt="x")._repr_html_()
    )


def test_tables_are_the_themes():
    page = figures.table(pd.DataFrame({"n": [1234]}), "{:,}", caption="c", index=False).to_html()
    for part in ('class="dataframe"', "1,234", "<caption>c</caption>"):
        assert part in page
