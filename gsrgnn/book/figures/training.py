"""How a training went: its course, and what the model predicts in the end."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from gsrgnn.book.figures.style import DASHES, INK, PALETTE, name_label, new_figure, styled

__all__ = ["curves", "prediction_scatter"]


@styled
def curves(history: pd.DataFrame, measures: Mapping[str, str], source: str) -> tuple[Figure, ...]:
    """One figure a measure: its course over the epochs, a colour a model, a line style a split.

    Args:
        history: frame with columns ``model``, ``epoch``, the measures, and ``split`` where there are several.
        measures: column of the frame -> label of the axis, with its unit.
        source: where the label comes from.
    """
    models = list(dict.fromkeys(history["model"]))
    colors = dict(zip(models, PALETTE, strict=False))
    style = "split" if "split" in history and history["split"].nunique() > 1 else "model"
    dashes = dict(zip(dict.fromkeys(history[style]), DASHES, strict=False))
    figures = []
    for measure, axis_label in measures.items():
        figure, axes = new_figure()
        sns.lineplot(
            history.dropna(subset=[measure]),
            x="epoch",
            y=measure,
            hue="model",
            style=style,
            palette=colors,
            dashes=dashes,
            errorbar=None,
            ax=axes,
        )
        axes.set(xlabel="epoch", ylabel=axis_label)
        axes.legend(title=None)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        name_label(figure, source)
        figures.append(figure)
    return tuple(figures)


@styled
def prediction_scatter(
    true: ArrayLike, predicted: Mapping[str, ArrayLike], source: str, unit: str = "label"
) -> tuple[Figure, ...]:
    """Predicted against true, one figure a model: density of the cells, and the line where both are equal.

    Args:
        true: ``[N]`` or ``[N, 1]``.
        predicted: name of a model -> likewise.
        source: where the label comes from.
        unit: of both axes.
    """
    true, predicted = np.ravel(true), {name: np.ravel(guess) for name, guess in predicted.items()}
    spread = np.concatenate([true, *predicted.values()])
    low, high = float(spread.min()), float(spread.max())
    figures = []
    for name, guess in predicted.items():
        figure, axes = new_figure(3.2, 3.3)
        bins = axes.hexbin(
            true,
            guess,
            gridsize=45,
            extent=(low, high, low, high),
            cmap="viridis",
            mincnt=1,
            norm=LogNorm(1, max(10, len(true) / 20)),
            linewidths=0.1,
        )
        bins.set_rasterized(True)
        axes.plot([low, high], [low, high], color=INK, linestyle="--", linewidth=1, label="predicted = true")
        bar = figure.colorbar(bins, ax=axes, location="bottom", shrink=0.9, aspect=25, label="cells in a bin")
        bar.outline.set_visible(False)
        axes.set(title=name, xlabel=f"true {unit}", ylabel=f"predicted {unit}", aspect="equal")
        axes.legend(loc="upper left")
        name_label(figure, source)
        figures.append(figure)
    return tuple(figures)
