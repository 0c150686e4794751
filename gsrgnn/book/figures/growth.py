"""How a quantity grows with depth or another size, or over a training step."""

import pandas as pd
from matplotlib.figure import Figure

from gsrgnn.book.figures.style import DASHES, PALETTE, new_figure, styled

__all__ = ["by_depth", "by_size", "over_a_step"]


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


@styled
def over_a_step(held: pd.DataFrame, unit: str) -> Figure:
    """What a training step holds, layer by layer forward and then back: a line a column.

    Args:
        held: frame of 2 L + 1 lines, as `passes.held` gives it.
        unit: label of the vertical axis.
    """
    figure, axes = new_figure(5.2, 3.2)
    for (name, values), color, dashes in zip(held.items(), PALETTE, DASHES, strict=False):
        axes.plot(range(len(values)), values, color=color, linestyle=(0, dashes or None), label=name)
    layers = len(held) // 2
    axes.set(ylabel=unit, xlabel="forward, then backward", ylim=(0, None), xlim=(0, 2 * layers))
    axes.set_xticks([0, layers, 2 * layers], ["start", f"layer {layers}", "end"])
    figure.legend(loc="outside upper center", ncols=2)
    return figure
