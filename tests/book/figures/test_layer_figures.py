"""Figures 6 and 7: every number of the layer, every step, inside the sheet."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from gsrgnn.book.figures import style as figures
from gsrgnn.book.figures.layers import backward_flow, forward_flow
from gsrgnn.book.walkthrough import BACKWARD, EXAMPLE
from gsrgnn.book.walkthrough.layer_steps import algorithm2, forward

A = EXAMPLE["adjacency"].array
G = BACKWARD["G"].array
FLOWS = {
    "forward": (lambda k: forward_flow(forward(A, G, k)), lambda k: forward(A, G, k), range(1, 9)),
    "backward": (
        lambda k: backward_flow(algorithm2(A, G, k, "own", "left")),
        lambda k: algorithm2(A, G, k, "own", "left"),
        range(1, 10),
    ),
}


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_shows_every_number_and_step_inside_the_sheet(name, k):
    draw, trace, steps = FLOWS[name]
    figure = draw(k)
    texts = figure.axes[0].texts
    said = [text.get_text() for text in texts]
    for matrix in trace(k).matrices.values():
        if matrix.dtype == float and matrix.shape == (4, 2):
            for value in np.unique(matrix[matrix != 0]):
                assert f"{value:.2f}".replace("-", "−") in said
    assert {str(step) for step in steps} <= set(said)
    (left, right), (bottom, top) = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    places = np.array([text.get_position() for text in texts if text.get_text()])
    assert (places > [left + 0.1, bottom + 0.1]).all()
    assert (places < [right - 0.1, top - 0.05]).all()


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_takes_the_ink_of_the_page(name):
    page = figures.show(FLOWS[name][0](1), alt="x")._repr_html_()
    assert "currentColor" in page
    svg = re.search(r"<svg.*?</svg>", page, flags=re.DOTALL)[0]
    texts = list(ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"))
    assert not any("fill: #000" in node.get("style", "") for node in texts)


def test_kept_entries_are_bold_and_underlined():
    axes = FLOWS["forward"][0](1).axes[0]
    bold = [text for text in axes.texts if text.get_fontweight() == "bold" and "." in text.get_text()]
    assert len(bold) == 8
    bars = [line for line in axes.lines if line.get_color() == figures.PALETTE[0]]
    assert len(bars) == 8
