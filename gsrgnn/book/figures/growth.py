"""How a quantity grows with depth or another size: points for what was measured, lines for what was predicted."""

import pandas as pd
from matplotlib.figure import Figure

from gsrgnn.book.figures.style import DASHES, PALETTE, new_figure, styled

__all__ = ["by_depth", "by_size"]


@styled
def by_depth(measured: pd.DataFrame, unit: str, predicted: pd.DataFrame | None = None) -> Figure:
    """A quantity against the number of layers, on logarithmic axes: points, and lines for what was predicted.

    Args:
        measured: frame whose index holds the depths, a column a series; NaN has no point.
        unit: label of the vertical axis.
        predicted: frame with the same columns; without it the points are joined.
    """
    figure = by_size(measured, "layers", unit, predicted)
    figure.axes[0].xaxis.set_major_formatter("{x:,.0f}")
    return figure


@styled
def by_size(measured: pd.DataFrame, across: str, unit: str, predicted: pd.DataFrame | None = None) -> Figure:
    """`by_depth` against another size, which ``across`` names."""
    figure, axes = new_figure(3.85, 3.2)
    lines = measured if predicted is None else predicted
    for name, color, dashes, marker in zip(measured, PALETTE, DASHES, "osDv^", strict=False):
        axes.plot(lines.index, lines[name], color=color, linestyle=(0, dashes or None))
        axes.plot(measured.index, measured[name], marker, color=color, markersize=5)
        axes.plot([], [], color=color, linestyle=(0, dashes or None), marker=marker, markersize=5, label=name)
    axes.set(xscale="log", yscale="log", xlabel=across, ylabel=unit)
    axes.legend()
    return figure
