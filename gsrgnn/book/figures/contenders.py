"""Time and memory of a training step, contender by contender, with the paper's own values marked."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter

from gsrgnn.book.figures.style import DASHES, INK, PALETTE, name_label, new_figure, plain_ticks, styled
from gsrgnn.lab.records import OUT_OF_MEMORY

__all__ = ["by_depth", "line_styles", "side_by_side", "speedups", "step_shares"]

_MODEL_COLORS = {"GSR dense": PALETTE[2], "GSR": PALETTE[0], "FusedRevGNN": PALETTE[3], "RevGNN": PALETTE[4]}


@styled
def speedups(ratios: pd.DataFrame, reported: Mapping[str, Mapping[int, float]], peer: str) -> Figure:
    """How many times as fast GSR-GNN makes a step as a peer, by k: a line for each width and route (Figure 9).

    Args:
        ratios: frame with the columns ``hidden_channels``, ``route``, ``k``, ``ratio``, ``low`` and ``high``.
        reported: what the paper's values are, in words -> them by k. Words that end in "at least" name lower bounds.
        peer: name of the other model.
    """
    figure, axes = new_figure(3.85, 3.8)
    widths, ks = sorted(ratios["hidden_channels"].unique()), {*ratios["k"]}
    lines = list(ratios.groupby(["hidden_channels", "route"]))
    for place, ((width, route), rows) in enumerate(lines):
        rows, color = rows.sort_values("k"), PALETTE[widths.index(width) % 5]
        beside = rows["k"] * 1.03 ** (place - (len(lines) - 1) / 2)
        style = {"nets": {"fmt": "o-"}, "edges": {"fmt": "s--", "markerfacecolor": "none"}}[route]
        errors = [rows["ratio"] - rows["low"], rows["high"] - rows["ratio"]]
        axes.errorbar(
            beside,
            rows["ratio"],
            errors,
            color=color,
            markersize=4,
            linewidth=1.2,
            elinewidth=1,
            label=f"width {width}, via {route}",
            **style,
        )
    for words, values in reported.items():
        axes.plot(
            list(values),
            list(values.values()),
            "^" if words.endswith("at least") else "D:",
            color=INK,
            markerfacecolor="none",
            markersize=6,
            linewidth=1,
            label=words,
        )
        ks |= set(values)
    axes.axhline(1, color=INK, linewidth=1)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="k",
        ylabel=f"times as fast as {peer}",
        xticks=sorted(ks),
        xticklabels=sorted(ks),
    )
    plain_ticks(axes.yaxis)
    axes.minorticks_off()
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@styled
def side_by_side(
    rows: pd.DataFrame,
    quantity: str,
    reported: Mapping[str, float] | None = None,
    source: str | None = None,
    log: bool = True,
) -> Figure:
    """A quantity of each contender as a point with its interval, and the paper's values as diamonds.

    Args:
        rows: frame, a line a contender from the top down, with the columns ``contender``, ``value``, ``low``, ``high``
            and ``ours``, whose points are filled. Where ``value`` is missing the figure says so.
        quantity: label of the axis, with its unit.
        reported: contender -> the paper's value.
        source: where the label comes from, where the quantity depends on it.
        log: logarithmic axis.
    """
    reported = reported or {}
    figure, axes = new_figure(3.85, 0.24 * len(rows) + 1.0)
    for place, row in enumerate(rows.itertuples()):
        color = PALETTE[0] if row.ours else INK
        if math.isnan(row.value):
            axes.text(
                0.02,
                place,
                "not measured",
                fontsize=8,
                fontstyle="italic",
                va="center",
                transform=axes.get_yaxis_transform(),
            )
        else:
            axes.errorbar(
                row.value,
                place,
                xerr=[[row.value - row.low], [row.high - row.value]],
                fmt="o",
                color=color,
                markersize=5,
                markerfacecolor=color if row.ours else "none",
                linewidth=1.2,
            )
        if row.contender in reported:
            axes.plot(
                reported[row.contender],
                place,
                "D",
                markerfacecolor="none",
                color=INK,
                markersize=6,
                label="paper" if row.contender == next(iter(reported)) else None,
            )
    axes.set(yticks=range(len(rows)), yticklabels=rows["contender"], ylim=(len(rows) - 0.4, -0.6), xlabel=quantity)
    axes.grid(visible=False, axis="y")
    if log:
        axes.set_xscale("log")
        plain_ticks(axes.xaxis)
    if reported:
        figure.legend(loc="outside upper center")
    if source:
        name_label(figure, source)
    return figure


@styled
def step_shares(shares: pd.DataFrame, bounds: pd.DataFrame, reported: pd.DataFrame) -> Figure:
    """Where a step's time goes: a stacked bar of shares a contender, with the paper's (Table 2).

    Args:
        shares: frame, a line a contender from the top down, a column a part of the step; a line adds up to 1.
        bounds: frame with the same index, columns ``low`` and ``high`` of the first part's share.
        reported: frame with the same columns for those contenders that the paper has.
    """
    figure, axes = new_figure(3.85, 0.24 * len(shares) + 1.0)
    left = np.zeros(len(shares))
    for part, color in zip(shares, PALETTE, strict=False):
        axes.barh(range(len(shares)), shares[part], left=left, height=0.72, color=color, label=part)
        left = left + shares[part].fillna(0)
    first = shares.iloc[:, 0]
    errors = [first - bounds["low"], bounds["high"] - first]
    axes.errorbar(first, range(len(shares)), xerr=errors, fmt="none", color=INK, linewidth=1)
    places = [list(shares.index).index(contender) for contender in reported.index]
    for number, ends in enumerate(reported.cumsum(axis="columns").iloc[:, :-1].to_numpy().T):
        axes.plot(
            ends,
            places,
            "D",
            markerfacecolor="white",
            color=INK,
            markersize=5,
            clip_on=False,
            label=None if number else "paper",
        )
    axes.set(
        yticks=range(len(shares)),
        yticklabels=shares.index,
        ylim=(len(shares) - 0.4, -0.6),
        xlim=(0, 1),
        xlabel="share of a training step",
    )
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside upper center", ncols=4)
    return figure


@styled
def by_depth(
    lines: pd.DataFrame,
    unit: str,
    source: str,
    marks: Sequence[tuple[int, float, str]] = (),
    levels: Sequence[tuple[float, str]] = (),
) -> Figure:
    """A quantity of a training step against the number of layers, on logarithmic axes, a line a contender.

    What ran out of memory has a vermilion X at its depth, above all points, with its name. Points of one contender and
    depth are all shown and joined through their mean.

    Args:
        lines: frame with the columns ``contender``, ``num_layers``, ``value`` and ``outcome``; with ``low`` and
            ``high`` the points have bars, and where ``bound`` is true an arrow: the value is at most that.
        unit: label of the vertical axis.
        source: where the label comes from.
        marks: the paper's values, each as (layers, value, what it is of).
        levels: lines across, each as (value, what it is of); the paper's are dotted.
    """
    figure, axes = new_figure(3.7, 3.5)
    styles = line_styles(lines["contender"])
    for place, (name, (color, dashes, marker)) in enumerate(styles.items()):
        rows = lines[(lines["contender"] == name) & lines["value"].notna()]
        rows = rows.assign(depth=rows["num_layers"] * 1.012 ** (place - (len(styles) - 1) / 2))  # beside each other
        look = {
            "color": color,
            "marker": marker,
            "markersize": 4,
            "markerfacecolor": color if name.startswith("GSR") else "none",
        }
        means = rows.groupby("depth")["value"].mean()
        axes.plot(means.index, means, color=color, linestyle=(0, dashes or None), linewidth=1.2)
        errors = [rows["value"] - rows["low"], rows["high"] - rows["value"]] if "low" in rows else None
        axes.errorbar(rows["depth"], rows["value"], errors, linestyle="none", linewidth=1, **look)
        if "bound" in rows and rows["bound"].any():
            bounds = rows[rows["bound"]]
            axes.errorbar(
                bounds["depth"],
                bounds["value"],
                0.25 * bounds["value"],
                uplims=True,
                linestyle="none",
                color=color,
                linewidth=1,
            )
        axes.plot([], [], linestyle=(0, dashes or None), label=name, linewidth=1.2, **look)
    for depth, value, words in marks:
        axes.plot(depth, value, "D", color=INK, markerfacecolor="none", markersize=6)
        left = depth >= max(lines["num_layers"], default=depth)  # else it may lie beside the axis
        place = (
            {"xytext": (-7, 0), "ha": "right", "va": "center"}
            if left
            else {"xytext": (0, -7), "ha": "center", "va": "top"}
        )
        axes.annotate(words, (depth, value), textcoords="offset points", fontsize=8, **place)
    for value, words in levels:
        dashes = (1, 2) if words.startswith("paper") else None
        axes.axhline(value, color=INK, linestyle=(0, dashes), linewidth=1, label=words)
    axes.set(xscale="log", yscale="log", xlabel="layers", ylabel=unit)
    if lines["value"].isna().all() and not [*marks, *levels]:
        axes.set_ylim(1, 10)
    _mark_out_of_memory(axes, lines)
    _depth_ticks(axes, {*lines["num_layers"], *(depth for depth, _, _ in marks)})
    plain_ticks(axes.yaxis)
    axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2, fontsize=8, columnspacing=1, handlelength=2.6)
    name_label(figure, source)
    return figure


def line_styles(contenders: Iterable[str]) -> dict[str, tuple[str, tuple[float, ...], str]]:
    """Contender -> colour, of its model, and dashes and marker, of its route or k, in order."""
    found, seen = {}, {}
    for name in dict.fromkeys(contenders):
        model = next((model for model in _MODEL_COLORS if name.startswith(model)), name)
        place = seen[model] = seen.get(model, -1) + 1
        found[name] = _MODEL_COLORS.get(model, INK), DASHES[place % len(DASHES)], "osDv^"[place % 5]
    return found


def _mark_out_of_memory(axes: Axes, lines: pd.DataFrame) -> None:
    lost = lines[lines["outcome"] == OUT_OF_MEMORY].drop_duplicates(["contender", "num_layers"])
    places = {name: number for number, name in enumerate(dict.fromkeys(lost["contender"]))}
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** (0.09 * len(places)))
    for _, line in lost.iterrows():
        height = 0.96 - 0.07 * places[line["contender"]]
        axes.plot(
            line["num_layers"],
            height,
            "X",
            color=PALETTE[1],
            markersize=7,
            markeredgecolor="none",
            transform=axes.get_xaxis_transform(),
        )
    for name, place in places.items():
        first = lost[lost["contender"] == name]["num_layers"].min()
        axes.annotate(
            name,
            (first, 0.96 - 0.07 * place),
            (-7, 0),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            fontsize=8,
            ha="right",
            va="center",
        )


def _depth_ticks(axes: Axes, depths: Collection[int]) -> None:
    """Depths as they are, those that have room."""
    low, high = min(depths), max(depths)
    shown = []
    for depth in sorted(depths, reverse=True):
        if not shown or shown[-1] / depth >= (high / low) ** 0.1:
            shown.append(depth)
    axes.set_xlim(low / 1.25, high * 1.25)
    axes.set_xticks(shown, shown)
    axes.xaxis.set_minor_locator(NullLocator())
