"""How the CUDA kernels divide their work, and the bounds on their time and on a step's."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from gsrgnn.book.figures.style import DASHES, INK, PALETTE, new_figure, plain_ticks, styled
from gsrgnn.lab.limits import Bound

__all__ = ["bound_lines", "chunks", "group_sums", "step_lines", "step_ranges", "top_k_steps"]


@styled
def top_k_steps(row: Sequence[int], k: int) -> Figure:
    """The bisection of a warp on one row: the row, and for each step the threshold and who reaches it.

    Args:
        row: integers, one a lane.
        k: entries to keep.
    """
    low, high, steps = min(row), max(row), []
    while low < high:
        middle = low + (high - low + 1) // 2
        count = sum(value >= middle for value in row)
        steps.append((middle, count))
        low, high = (middle, middle) if count == k else (middle, high) if count > k else (low, middle - 1)
    figure, axes = new_figure(6.6, 0.42 * (len(steps) + 4))
    top = 1.3 * (len(steps) + 2)
    _bare(axes, len(row) + 9, top + 1.4)
    _cells(axes, 0, top, row)
    axes.text(len(row) + 0.4, top + 0.4, "the row, one lane an entry", va="center", fontsize=8)
    for number, (threshold, count) in enumerate(steps):
        y = top - 1.3 * (number + 1)
        _cells(
            axes,
            0,
            y,
            ["1" if value >= threshold else "·" for value in row],
            [PALETTE[0] if value >= threshold else None for value in row],
        )
        axes.text(len(row) + 0.4, y + 0.4, f"≥ {threshold}: {count}", va="center", fontsize=8)
    above, ties = [value > low for value in row], k - sum(value > low for value in row)
    kept, place = [], 0
    for value, more in zip(row, above, strict=True):
        keep = more or (value == low and ties > 0)
        ties -= value == low and keep
        kept.append(str(place) if keep else "")
        place += keep
    _cells(axes, 0, top - 1.3 * (len(steps) + 1), kept, [PALETTE[1] if text else None for text in kept])
    axes.text(len(row) + 0.4, top - 1.3 * (len(steps) + 1) + 0.4, "kept: its place", va="center", fontsize=8)
    return figure


@styled
def chunks(lengths: Sequence[int], span: int) -> Figure:
    """Rows of a graph as bars, cut into the chunks that warps take.

    Args:
        lengths: entries of each row.
        span: entries of the longest chunk.
    """
    figure, axes = new_figure(6.6, 0.3 * len(lengths) + 0.9)
    warp = 0
    for place, length in enumerate(lengths):
        pieces = max(1, -(-length // span))
        for piece in range(pieces):
            size = min(span, length - piece * span)
            axes.barh(
                place,
                max(size, 0.004 * max(lengths)),
                left=piece * span,
                height=0.62,
                color=PALETTE[1] if pieces > 1 else PALETTE[0],
                edgecolor=INK,
                linewidth=0.6,
                alpha=0.55,
            )
            inside = size > 0.1 * max(lengths)
            axes.text(
                piece * span + (size / 2 if inside else size + 0.01 * max(lengths)),
                place,
                f"warp {warp}",
                fontsize=7,
                va="center",
                ha="center" if inside else "left",
            )
            warp += 1
    axes.set(
        yticks=range(len(lengths)), yticklabels=[f"row {place}" for place in range(len(lengths))], xlabel="entries"
    )
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    return figure


@styled
def group_sums(width: int, k: int, neighbours: Sequence[Sequence[int]]) -> Figure:
    """A warp's lanes in groups of k, and the row of sums in shared memory that each group adds to.

    Args:
        width: columns of the sums.
        k: entries of a neighbour.
        neighbours: for each group the columns of the neighbour that it adds.
    """
    groups = len(neighbours)
    figure, axes = new_figure(6.6, 0.62 * groups + 1.1)
    lanes = groups * k
    _bare(axes, max(lanes * 1.2, width + 2), 2.2 * groups + 3.4)
    top = 2.2 * groups + 1.2
    for group, columns in enumerate(neighbours):
        color = PALETTE[group % len(PALETTE)]
        left = group * (k + 0.8) * 1.0
        _cells(axes, left, top, [str(group * k + t) for t in range(k)], color)
        axes.text(left + k / 2, top + 1.35, f"neighbour {group}", ha="center", fontsize=7.5)
        y = top - 2.2 * (group + 1)
        _cells(
            axes,
            1.6,
            y,
            ["" if c not in columns else str(c) for c in range(width)],
            [color if c in columns else None for c in range(width)],
            fontsize=6,
        )
        axes.text(1.4, y + 0.45, f"sums {group}", ha="right", va="center", fontsize=7.5)
        for t, column in enumerate(columns):
            axes.add_patch(
                FancyArrowPatch(
                    (left + t + 0.5, top),
                    (1.6 + column + 0.5, y + 1.0),
                    color=color,
                    arrowstyle="-",
                    linewidth=0.7,
                    alpha=0.6,
                )
            )
    axes.set_xlim(-2.2, max(groups * (k + 0.8), width + 2))
    return figure


@styled
def bound_lines(bounds: Sequence[Bound], ks: Sequence[int], dense: Mapping[str, float] | None = None) -> Figure:
    """The four bounds of a kernel against k, on logarithmic axes; what lies highest binds.

    Args:
        bounds: one for each of ``ks``.
        dense: name -> seconds, drawn as level lines: what does not depend on k.
    """
    figure, axes = new_figure()
    names = {"hbm": "memory", "l2": "L2 cache", "shared": "shared memory", "issue": "instructions"}
    for (name, label), color, marker in zip(names.items(), PALETTE, "osD^", strict=False):
        times = np.array([getattr(bound, name) for bound in bounds]) * 1e3
        if times.any():
            axes.plot(ks, times, color=color, marker=marker, markersize=4, label=label)
    for label, seconds in (dense or {}).items():
        axes.axhline(1e3 * seconds, color=INK, linestyle="--", linewidth=1)
        axes.text(ks[0], 1.06e3 * seconds, label, fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="k", ylabel="ms at the least")
    axes.set_xticks(ks, [str(k) for k in ks])
    axes.minorticks_off()
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncol=2)
    return figure


@styled
def step_ranges(rows: pd.DataFrame) -> Figure:
    """What a model says of a step's time as a bar from the least to without reuse, and the paper's time as a diamond.

    Args:
        rows: frame, a line a model from the top down, its name in the index, with the columns ``once`` and ``each``,
            seconds where a gathered row is read once and each time, and ``paper``, seconds or NaN.
    """
    figure, axes = new_figure(3.85, 0.3 * len(rows) + 1.1)
    for place, row in enumerate(rows.itertuples()):
        axes.barh(place, row.each - row.once, left=row.once, height=0.5, color=PALETTE[0], alpha=0.45)
        axes.plot([row.once] * 2, [place - 0.34, place + 0.34], color=PALETTE[0], linewidth=2)
    axes.plot([], [], "|", color=PALETTE[0], markersize=10, markeredgewidth=2, label="the least, by the model")
    axes.plot([], [], "s", color=PALETTE[0], alpha=0.45, markersize=7, label="up to no reuse")
    axes.plot(rows["paper"], range(len(rows)), "D", color=INK, markerfacecolor="none", markersize=6, label="paper")
    axes.set(xscale="log", xlabel="seconds a step", yticks=range(len(rows)), yticklabels=rows.index)
    axes.set(
        xlim=(0.8 * rows["once"].min(), 1.2 * rows[["each", "paper"]].max(axis=None)), ylim=(len(rows) - 0.4, -0.6)
    )
    axes.grid(visible=False, axis="y")
    plain_ticks(axes.xaxis)
    figure.legend(loc="outside upper center", ncols=3, handletextpad=0.3, columnspacing=1)
    return figure


@styled
def step_lines(least: pd.DataFrame, reported: Mapping[int, float]) -> Figure:
    """The least time of a step against k, a line a card, and the paper's times as diamonds.

    Args:
        least: seconds; the index holds the ks, a column a card.
        reported: k -> the paper's seconds.
    """
    figure, axes = new_figure(3.85, 3.4)
    for name, color, dashes, marker in zip(least, PALETTE, DASHES, "osDv^", strict=False):
        axes.plot(
            least.index,
            least[name],
            color=color,
            linestyle=(0, dashes or None),
            marker=marker,
            markersize=4,
            label=name,
        )
    axes.plot(list(reported), list(reported.values()), "D", color=INK, markerfacecolor="none", label="paper")
    axes.set(xscale="log", yscale="log", xlabel="k", ylabel="seconds a step at the least")
    axes.set_xticks(least.index, [str(k) for k in least.index])
    axes.minorticks_off()
    plain_ticks(axes.yaxis)
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def _cells(
    axes: Axes,
    x: float,
    y: float,
    values: Sequence[object],
    color: str | Sequence[str | None] | None = None,
    fontsize: float = 7,
) -> None:
    """A row of squares with a text each; ``color`` is one, or one a square (None for an empty one)."""
    colors = color if isinstance(color, (list, tuple)) else [color] * len(values)
    for place, (value, fill) in enumerate(zip(values, colors, strict=True)):
        axes.add_patch(
            Rectangle(
                (x + place, y),
                1,
                1,
                facecolor=fill or "none",
                edgecolor=INK,
                linewidth=0.7,
                alpha=0.35 if fill else 1,
            )
        )
        axes.text(x + place + 0.5, y + 0.47, value, ha="center", va="center", fontsize=fontsize)


def _bare(axes: Axes, width: float, height: float) -> None:
    axes.set(xlim=(-0.1, width), ylim=(-0.1, height), aspect="equal")
    axes.axis("off")
    axes.grid(False)
