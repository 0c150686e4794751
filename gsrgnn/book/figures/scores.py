"""How well models predict by depth and k, with the paper's own values marked."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gsrgnn.book.figures.style import DASHES, INK, PALETTE, name_label, new_figure, styled

__all__ = ["by_depth", "by_model", "by_split", "differences"]


@styled
def by_model(scores: pd.DataFrame, reported: Mapping[tuple[str, int], tuple[str, float]], source: str) -> Figure:
    """Pearson on the test cells, a line for each model and depth, with intervals and the paper's values (Figure 1).

    Args:
        scores: frame with the columns ``model``, ``num_layers``, ``pearson``, ``low`` and ``high``; a row a run.
        reported: (model, num_layers) of a line -> what the paper's value is of, and the value; a diamond each.
        source: where the label comes from.
    """
    mean = scores.groupby(["model", "num_layers"])["pearson"].mean().sort_values()
    figure, axes = new_figure(3.85, 0.3 * len(mean) + 1.9)
    models = list(dict.fromkeys(scores["model"]))
    for place, (model, depth) in enumerate(mean.index):
        runs = scores[(scores["model"] == model) & (scores["num_layers"] == depth)]
        heights = place + 0.16 * (np.arange(len(runs)) - (len(runs) - 1) / 2)
        errors = [runs["pearson"] - runs["low"], runs["high"] - runs["pearson"]]
        number = models.index(model)
        axes.errorbar(
            runs["pearson"],
            heights,
            xerr=errors,
            fmt="osDv"[number % 4],
            color=PALETTE[number % 5],
            markersize=4,
            linewidth=1,
        )
        if (model, depth) in reported:
            words, value = reported[model, depth]
            axes.plot(value, place, "D", markerfacecolor="none", color=INK, markersize=7)
            side = 1 if value < runs["pearson"].mean() else -1  # towards the run: away from the axes' edge
            axes.annotate(
                words,
                (value, place),
                (8 * side, 0),
                textcoords="offset points",
                fontsize=8,
                ha="left" if side > 0 else "right",
                va="center",
            )
    axes.set(
        yticks=range(len(mean)),
        yticklabels=[f"{model}, {depth} layers" for model, depth in mean.index],
        xlabel="Pearson on the test cells",
        ylim=(-0.6, len(mean) - 0.4),
    )
    axes.grid(axis="y", visible=False)
    name_label(figure, source)
    return figure


@styled
def by_depth(
    scores: pd.DataFrame,
    plateau: float | None,
    source: str,
    levels: Mapping[str, float] | None = None,
    quantity: str = "Pearson on the test cells",
) -> Figure:
    """Pearson on the test cells against the number of layers, a line a model, with intervals (Figure 2).

    Args:
        scores: as for `by_model`; several seeds of one depth are joined through their mean.
        plateau: the depth at which the paper's curve becomes level, None for no mark.
        source: where the label comes from.
        levels: what has no depth, name -> value: a horizontal line each.
        quantity: label of the vertical axis.
    """
    figure, axes = new_figure(3.85, 3.6)
    models = list(dict.fromkeys(scores["model"]))
    for place, (model, color, dashes, marker) in enumerate(zip(models, PALETTE, DASHES, "osDv^", strict=False)):
        rows = scores[scores["model"] == model].sort_values("num_layers")
        depth = rows["num_layers"] * 1.03 ** (place - (len(models) - 1) / 2)  # beside each other
        errors = [rows["pearson"] - rows["low"], rows["high"] - rows["pearson"]]
        axes.errorbar(depth, rows["pearson"], errors, fmt=marker, color=color, markersize=4, linewidth=1)
        means = rows.assign(depth=depth).groupby("num_layers")[["depth", "pearson"]].mean()
        axes.plot(means["depth"], means["pearson"], color=color, linestyle=(0, dashes or None))
        axes.plot([], [], marker, color=color, linestyle=(0, dashes or None), markersize=4, label=model)
    depths = {*scores["num_layers"]}
    if plateau is not None:
        depths.add(int(plateau))
        axes.axvline(plateau, color=INK, linestyle=(0, (1, 2)), linewidth=1)
        axes.text(
            plateau,
            1,
            f"paper: level from {plateau:g} layers",
            fontsize=8,
            va="bottom",
            ha="right",
            transform=axes.get_xaxis_transform(),
        )
    for name, value in (levels or {}).items():
        axes.axhline(value, color=INK, linestyle=(0, (1, 2)), linewidth=1.2, label=name)
    ticks = sorted(depths)
    axes.set(xscale="log", xlabel="layers", ylabel=quantity, xticks=ticks, xticklabels=ticks)
    axes.minorticks_off()
    figure.legend(loc="outside upper center", ncols=3 if levels else 2)
    name_label(figure, source)
    return figure


@styled
def by_split(scores: pd.DataFrame, source: str, title: str = "", splits: Iterable[str] | None = None) -> Figure:
    """Pearson by how the test cells were kept apart, a line for what predicts: a tick a circuit, a marker their mean.

    Args:
        scores: frame with the columns ``line``, ``split`` and ``pearson``; a row a circuit. Lines stand from the top
            down in the order in which they appear.
        source: where the label comes from.
        title: above the axes.
        splits: all that there can be, in the legend's order, so that each has the same mark in every figure; those that
            appear where not given.
    """
    lines, there = list(dict.fromkeys(scores["line"])), list(dict.fromkeys(scores["split"]))
    marks = [(number, split) for number, split in enumerate(splits or there) if split in there]
    figure, axes = new_figure(3.85, 0.27 * len(lines) + 1.7)
    mean = scores.groupby(["line", "split"])["pearson"].mean()
    for place, line in enumerate(lines):
        found = mean[line].dropna()
        axes.plot([found.min(), found.max()], [place, place], color=INK, linewidth=0.8, zorder=1)
    for number, split in marks:
        rows, color = scores[scores["split"] == split], PALETTE[number % 5]
        heights = rows["line"].map(lines.index)
        axes.plot(rows["pearson"], heights, "|", color=color, markersize=7, markeredgewidth=0.8, alpha=0.55)
        means = mean.xs(split, level="split")
        axes.plot(
            means,
            [lines.index(line) for line in means.index],
            "osDv"[number % 4],
            color=color,
            markersize=5,
            label=split,
        )
    axes.set(yticks=range(len(lines)), yticklabels=lines, ylim=(len(lines) - 0.4, -0.6), xlabel="Pearson", title=title)
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside upper center", ncols=len(marks))
    name_label(figure, source)
    return figure


@styled
def differences(runs: pd.DataFrame, measure: str, reported: float, source: str) -> Figure:
    """The difference to RevGNN in one measure by k, a marker a depth, with intervals and the paper's mean (Figure 8).

    Args:
        runs: frame with the columns ``num_layers``, ``k``, ``difference``, ``low`` and ``high``; a row a run.
        measure: its name.
        reported: the paper's mean difference.
        source: where the label comes from.
    """
    figure, axes = new_figure(3.6, 3.2)
    ks, depths = sorted(set(runs["k"])), sorted(set(runs["num_layers"]))
    for number, depth in enumerate(depths):
        rows = runs[runs["num_layers"] == depth].sort_values("k")
        place = np.array([ks.index(k) for k in rows["k"]]) + 0.22 * (number - (len(depths) - 1) / 2)
        place = place + 0.05 * (rows.groupby("k").cumcount() - (rows.groupby("k")["k"].transform("size") - 1) / 2)
        errors = [rows["difference"] - rows["low"], rows["high"] - rows["difference"]]
        axes.errorbar(
            place,
            rows["difference"],
            errors,
            fmt="osDv"[number % 4],
            color=PALETTE[number % 5],
            markersize=4,
            linewidth=1,
            label=f"{depth} layers",
        )
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.axhline(reported, color=INK, linestyle=(0, (1, 2)), linewidth=1.2, label="paper's mean")
    axes.set(
        xticks=range(len(ks)),
        xticklabels=ks,
        xlabel="k",
        ylabel=f"{measure}, GSR-GNN − RevGNN",
        xlim=(-0.6, len(ks) - 0.4),
    )
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=3)
    name_label(figure, source)
    return figure
