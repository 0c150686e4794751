"""Figures 6 and 7: every number of the layer, every step, inside the sheet."""

import numpy as np
import pytest
from sample_figures import A, G, axes_of

from gsrgnn.book import figures
from gsrgnn.book.figures.style import PALETTE
from gsrgnn.book.walkthrough.layer_steps import algorithm2, forward

FLOWS = {
    "forward": (figures.layers.forward_flow, lambda k: forward(A, G, k), range(1, 9)),
    "backward": (figures.layers.backward_flow, lambda k: algorithm2(A, G, k, "own", "left"), range(1, 10)),
}


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_shows_every_number_and_step_inside_the_sheet(name, k):
    draw, trace, steps = FLOWS[name]
    figure = draw(trace(k))
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


def test_kept_entries_are_bold_and_underlined():
    axes = axes_of("layers.forward_flow")
    bold = [text for text in axes.texts if text.get_fontweight() == "bold" and "." in text.get_text()]
    assert len(bold) == 8
    bars = [line for line in axes.lines if line.get_color() == PALETTE[0]]
    assert len(bars) == 8
