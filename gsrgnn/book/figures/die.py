"""What lies on the die: a value of the cells, congestion, trees and routes, all in gcells."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from gsrgnn.book.figures.style import INK, PALETTE, name_label, new_figure, styled

__all__ = ["agreement", "cell_map", "comparison", "congestion_map", "prediction", "routes", "trees"]

DIFFERENCE = LinearSegmentedColormap.from_list("difference", [PALETTE[0], "#e4e4e4", PALETTE[1]])


@styled
def cell_map(
    pos: ArrayLike,
    grid: Sequence[int],
    values: ArrayLike,
    source: str,
    title: str = "",
    unit: str = "label",
    limits: tuple[float, float] | None = None,
    cmap: str | Colormap = "viridis",
) -> Figure:
    """Mean of a node value on each gcell of the die; gcells without a cell are left open.

    The map shows the part of the grid that holds 99.9% of the cells in each direction, so that a lone cell
    far out does not shrink the rest.

    Args:
        pos: ``[N, 2]``, x and y of each cell in gcells.
        grid: ``(W, H)``, gcells across and up.
        values: ``[N]``.
        source: where the label comes from.
        title: above the map.
        unit: of the values, beside the colour bar.
        limits: ``(low, high)`` of the colours; those of the map when not given.
        cmap: matplotlib's name for the colours, or a colour map.
    """
    width, height = (int(n) for n in grid)
    column, row = np.clip(np.asarray(pos).astype(int), 0, (width - 1, height - 1)).T
    values = np.asarray(values, dtype=float)
    cell = row * width + column
    count = np.bincount(cell, minlength=width * height)
    total = np.bincount(cell, values, minlength=width * height)
    mean = np.divide(total, count, out=np.full(width * height, np.nan), where=count > 0)
    mean = mean.reshape(height, width)
    low, high = limits or (np.nanmin(mean), np.nanmax(mean))
    near, far = np.percentile(np.c_[column, row], [0.05, 99.95], axis=0)
    (left, bottom), (right, top) = near - 2, far + 3
    figure, axes = new_figure(2.9, 1.75 + 2.2 * min(1.5, (top - bottom) / (right - left)))
    image = axes.imshow(mean, origin="lower", cmap=cmap, vmin=low, vmax=high, extent=(0, width, 0, height))
    _scales(axes, image, unit)
    axes.set(title=title, xlim=(max(0, left), min(width, right)), ylim=(max(0, bottom), min(height, top)))
    name_label(figure, source)
    return figure


def comparison(
    pos: ArrayLike,
    grid: Sequence[int],
    true: ArrayLike,
    predicted: ArrayLike,
    source: str,
    model: str = "predicted",
    unit: str = "label",
) -> tuple[Figure, Figure, Figure]:
    """Three maps of the die: the label, what the model predicts, and the difference (predicted - true).

    Label and prediction share one colour scale; the difference has its own, symmetric about zero. The scales
    end at the 99.5th percentile, so that one odd cell does not wash the map out. Both are ``[N]`` or ``[N, 1]``.
    """
    true, predicted = np.ravel(true), np.ravel(predicted)
    limits = tuple(np.percentile(np.r_[true, predicted], [0.5, 99.5]))
    reach = np.percentile(np.abs(predicted - true), 99.5) or 1.0
    return (
        cell_map(pos, grid, true, source, "true", unit, limits),
        cell_map(pos, grid, predicted, source, model, unit, limits),
        cell_map(
            pos, grid, predicted - true, source, f"{model} − true", f"difference in {unit}", (-reach, reach), DIFFERENCE
        ),
    )


@styled
def congestion_map(
    overflow: ArrayLike,
    macros: ArrayLike,
    source: str,
    title: str = "",
    limit: float | None = None,
    unit: str = "overflow over capacity",
) -> Figure:
    """Overflow over capacity, or another measure of wires, of each gcell of the die; macros hatched.

    Args:
        overflow: ``[W, H]``, 0 where there is none.
        macros: integers ``[n, 4]``, the gcells that each macro covers (left, bottom, right, top, inclusive).
        source: where the overflow comes from.
        title: above the map.
        limit: the value at which the colours end; the largest when not given.
        unit: of the values, beside the colour bar.
    """
    overflow = np.asarray(overflow, dtype=float)
    width, height = overflow.shape
    figure, axes = new_figure(3.4, 1.75 + 2.7 * min(1.5, height / width))
    image = axes.imshow(
        overflow.T,
        origin="lower",
        cmap="viridis",
        vmin=0,
        vmax=limit or overflow.max() or 1,
        extent=(0, width, 0, height),
    )
    for left, bottom, right, top in np.asarray(macros):
        axes.add_patch(
            mpl.patches.Rectangle(
                (left, bottom),
                right + 1 - left,
                top + 1 - bottom,
                facecolor="none",
                edgecolor="#c8c8c8",
                linewidth=0.8,
                hatch="///",
            )
        )
    _scales(axes, image, unit)
    axes.set(title=title)
    name_label(figure, source)
    return figure


@styled
def agreement(correlations: pd.DataFrame, source: str) -> Figure:
    """Rank correlation over the gcells, a line a design and a marker an estimate.

    Args:
        correlations: a row a design, a column an estimate; NaN where there is none.
        source: what the estimates are held against.
    """
    figure, axes = new_figure(5.2, 0.32 * len(correlations) + 1.9)
    places = np.arange(len(correlations))[::-1]
    for number, (name, values) in enumerate(correlations.items()):
        axes.plot(values, places, "osDv^"[number % 5], color=PALETTE[number % 5], markersize=5, label=name)
    axes.set(
        yticks=places,
        yticklabels=correlations.index,
        xlabel="Spearman over the gcells",
        xlim=(min(0.0, np.nanmin(correlations.to_numpy()) - 0.05), 1),
        ylim=(-0.6, len(correlations) - 0.4),
    )
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside upper center", ncols=len(correlations.columns))
    name_label(figure, source)
    return figure


@styled
def prediction(
    predicted: ArrayLike, source: str, true: ArrayLike | None = None, unit: str = "label", title: str = "predicted"
) -> Figure:
    """The predicted map of a die and, where it is known, the true one beside it, in one scale of colours.

    The scale ends at the 0.5th and the 99.5th percentile of both maps, so that one odd gcell does not wash them out.

    Args:
        predicted: ``[W, H]``; gcells with a NaN are left open.
        source: where the label comes from.
        true: ``[W, H]`` as well.
        unit: of the values, beside the colour bar.
        title: above the predicted map.
    """
    maps = {title: np.asarray(predicted, dtype=float)} | ({} if true is None else {"true": np.asarray(true, float)})
    width, height = maps[title].shape
    low, high = np.nanpercentile(np.stack(list(maps.values())), [0.5, 99.5])
    figure = Figure((0.6 + 2.9 * len(maps), 1.9 + 2.9 * min(1.5, height / width)), layout="constrained")
    panels = figure.subplots(1, len(maps), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (name, values) in zip(panels, maps.items(), strict=True):
        image = axes.imshow(values.T, origin="lower", cmap="viridis", vmin=low, vmax=high, extent=(0, width, 0, height))
        axes.set(title=name)
    _scales(panels, image, unit)
    name_label(figure, source)
    return figure


def _scales(axes: Axes | np.ndarray, image: AxesImage, unit: str) -> None:
    """The two axes of a map in gcells, or of maps side by side, and the one bar of their colours."""
    bar = image.figure.colorbar(image, ax=axes, location="bottom", shrink=0.9, aspect=25, label=unit)
    bar.outline.set_visible(False)
    bar.ax.xaxis.set_major_locator(MaxNLocator(4))
    panels = np.ravel(axes)
    panels[0].set(ylabel="y (gcells)")
    for one in panels:
        one.set(xlabel="x (gcells)")
        one.grid(False)
        for side in (one.xaxis, one.yaxis):
            side.set_major_locator(MaxNLocator(4, integer=True))


@styled
def trees(grid: Sequence[int], pins: ArrayLike, net: Sequence[int], tree: ArrayLike, title: str = "") -> Figure:
    """Pins on the gcells, and the connections of two gcells that their nets were split into, as straight lines.

    Args:
        grid: ``(W, H)``, gcells across and up; few.
        pins: integers ``[P, 2]``, column and row of each pin.
        net: integers ``[P]``, drawn as letters, A for 0.
        tree: integers ``[C, 4]``, columns x, y of both ends.
    """
    figure, axes = _gcells(grid, pins, net, title)
    for x1, y1, x2, y2 in np.asarray(tree) + 0.5:
        axes.plot([x1, x2], [y1, y2], color=PALETTE[0], linewidth=1.4)
    return figure


@styled
def routes(
    grid: Sequence[int],
    pins: ArrayLike,
    net: Sequence[int],
    wires: Sequence[np.ndarray],
    capacity: int,
    title: str = "",
) -> Figure:
    """Wires between neighbouring gcells: a line the thicker the more there are, dashed and counted above capacity.

    Args:
        grid, pins, net: as for `trees`.
        wires: integers ``[W - 1, H]`` and ``[W, H - 1]``, wires to the next gcell on the right and to that above.
        capacity: wires that fit between two gcells.
    """
    figure, axes = _gcells(grid, pins, net, title)
    for counts, step in zip(wires, ((1, 0), (0, 1)), strict=True):
        for x, y in np.argwhere(np.asarray(counts)):
            count, ends = counts[x, y], (np.array([(x, y), (x + step[0], y + step[1])]) + 0.5).T
            over = count > capacity
            short = (0, (1.2, 0.5)) if over else "-"  # several dashes between two pins
            axes.plot(*ends, color=PALETTE[1 if over else 0], linewidth=1.4 * count, linestyle=short)
            if over:
                beside = ends.mean(axis=1) + 0.27 * np.array(step[::-1])
                axes.text(*beside, str(count), color=PALETTE[1], fontsize=8, ha="center", va="center")
    return figure


def _gcells(grid: Sequence[int], pins: ArrayLike, net: Sequence[int], title: str) -> tuple[Figure, Axes]:
    figure, axes = new_figure(2.5, 2.7)
    axes.set_xticks(np.arange(grid[0]) + 0.5, range(grid[0]))
    axes.set_yticks(np.arange(grid[1]) + 0.5, range(grid[1]))
    axes.hlines(range(grid[1] + 1), 0, grid[0], color=INK, alpha=0.3, linewidth=0.6)
    axes.vlines(range(grid[0] + 1), 0, grid[1], color=INK, alpha=0.3, linewidth=0.6)
    axes.set(title=title, xlabel="x (gcells)", ylabel="y (gcells)", aspect="equal")
    axes.grid(False)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    for (x, y), n in zip(np.asarray(pins) + 0.5, net, strict=True):
        axes.add_patch(mpl.patches.Circle((x, y), 0.27, facecolor=PALETTE[0], edgecolor="none", zorder=3))
        axes.text(x, y - 0.02, chr(ord("A") + n), ha="center", va="center", color="white", fontsize=8, zorder=4)
    return figure, axes
