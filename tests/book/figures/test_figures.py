"""All figures of the book: labelled, legible on both grounds, made without torch."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from sample_figures import DRAW, SOURCE, drawn

from gsrgnn.book import figures
from gsrgnn.book.figures.style import DASHES, INK, PALETTE

PARTS = [name for name in figures.__all__ if name not in ("reference", "save", "show", "switch", "table")]
WITH_LABEL = {
    "die.agreement",
    "contenders.by_depth",
    "contenders.side_by_side",
    "die.cell_map",
    "die.comparison",
    "die.congestion_map",
    "die.prediction",
    "scores.by_depth",
    "scores.by_model",
    "scores.by_split",
    "scores.differences",
    "training.curves",
    "training.prediction_scatter",
}
NAMED_LINES = {  # their vertical axis has a name at each line
    "contenders.side_by_side",
    "contenders.step_shares",
    "die.agreement",
    "gpu.chunks",
    "gpu.step_ranges",
    "scores.by_model",
    "scores.by_split",
}
WITHOUT_AXES = {
    "gpu.group_sums",
    "gpu.top_k_steps",
    "graphs.clique",
    "graphs.netlist",
    "graphs.piece",
    "layers.backward_flow",
    "layers.forward_flow",
    "layers.one_layer",
}


def test_every_figure_is_tried_here():
    public = {f"{part}.{name}" for part in PARTS for name in getattr(figures, part).__all__}
    assert public - {"contenders.line_styles"} == set(DRAW)


@pytest.mark.parametrize("name", sorted(DRAW.keys() - WITHOUT_AXES))
def test_every_axis_has_a_label(name):
    for figure in drawn(name):
        axes = figure.axes[0]
        assert axes.get_xlabel()
        assert axes.get_ylabel() or name in NAMED_LINES and all(tick.get_text() for tick in axes.get_yticklabels())


@pytest.mark.parametrize("name", sorted(WITH_LABEL))
def test_a_figure_of_a_label_says_where_it_comes_from(name):
    for figure in drawn(name):
        assert SOURCE in figure.get_supxlabel()
        assert SOURCE in figures.show(figure, alt="x")._repr_html_()


@pytest.mark.parametrize("name", DRAW)
def test_shown_figures_take_the_ink_of_the_page(name):
    page = figures.show(drawn(name), alt="x")._repr_html_()
    assert "currentColor" in page
    assert INK not in page
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawings) == len(drawn(name))
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
    assert min(contrast(color, ground) for color in PALETTE) >= 3
    assert contrast(INK, ground) >= 4.1


def test_series_differ_by_more_than_colour():
    lines = drawn("graphs.degree_distribution")[0].axes[0].lines
    assert len({line.get_linestyle() + str(line._unscaled_dash_pattern) for line in lines}) == len(lines)
    assert len(set(DASHES)) == len(PALETTE)


def test_figures_are_drawn_without_torch():
    """The library itself needs torch, so its `__init__` is left out here."""
    alone = (
        "import sys, types\n"
        "sys.modules['gsrgnn'] = package = types.ModuleType('gsrgnn')\n"
        "package.__path__ = [sys.argv[1]]\n"
        "from gsrgnn.book import figures\n"
        "print(figures.show(figures.graphs.degree_distribution({'a': [1, 2]}), alt='degrees'))\n"
        "print('torch' in sys.modules)\n"
    )
    package = Path(figures.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", alone, str(package)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[degrees]\nFalse\n", "")
