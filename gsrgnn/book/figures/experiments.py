"""Figures of the experiments' pages, with the paper's own values marked, in the style of `figures`."""

import math

import numpy as np
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter

from gsrgnn.book.figures.style import DASHES, INK, PALETTE, _figure, _name_label, _styled
from gsrgnn.lab.records import OUT_OF_MEMORY

__all__ = [
    "by_contender",
    "contenders_by_depth",
    "graph_sizes",
    "quality",
    "scores_by_depth",
    "scores_by_model",
    "speedups",
    "step_shares",
]


@_styled
def scores_by_model(scores, reported, source):
    """Pearson on the test cells, a line for each model and depth, with intervals and the paper's values (Figure 1).

    Args:
        scores: frame with the columns ``model``, ``num_layers``, ``pearson``, ``low`` and ``high``; a row a run.
        reported: (model, num_layers) of a line -> what the paper's value is of, and the value; a diamond each.
        source: where the label comes from.
    """
    mean = scores.groupby(["model", "num_layers"])["pearson"].mean().sort_values()
    figure, axes = _figure(4.4, 0.3 * len(mean) + 1.9)
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
            axes.annotate(words, (value, place), (0, 6), textcoords="offset points", fontsize=7, ha="center")
    axes.set(
        yticks=range(len(mean)),
        yticklabels=[f"{model}, {depth} layers" for model, depth in mean.index],
        xlabel="Pearson on the test cells",
        ylim=(-0.6, len(mean) - 0.4),
    )
    axes.grid(axis="y", visible=False)
    _name_label(figure, source)
    return figure


@_styled
def scores_by_depth(scores, plateau, source):
    """Pearson on the test cells against the number of layers, a line a model, with intervals (Figure 2).

    Args:
        scores: as for `scores_by_model`; several seeds of one depth are joined through their mean.
        plateau: the depth at which the paper's curve becomes level.
        source: where the label comes from.
    """
    figure, axes = _figure(6.0, 3.6)
    models = list(dict.fromkeys(scores["model"]))
    for place, (model, color, dashes, marker) in enumerate(zip(models, PALETTE, DASHES, "osDv^", strict=False)):
        rows = scores[scores["model"] == model].sort_values("num_layers")
        depth = rows["num_layers"] * 1.03 ** (place - (len(models) - 1) / 2)  # beside each other
        errors = [rows["pearson"] - rows["low"], rows["high"] - rows["pearson"]]
        axes.errorbar(depth, rows["pearson"], errors, fmt=marker, color=color, markersize=4, linewidth=1)
        means = rows.assign(depth=depth).groupby("num_layers")[["depth", "pearson"]].mean()
        axes.plot(means["depth"], means["pearson"], color=color, linestyle=(0, dashes or None))
        axes.plot([], [], marker, color=color, linestyle=(0, dashes or None), markersize=4, label=model)
    axes.axvline(plateau, color=INK, linestyle=(0, (1, 2)), linewidth=1)
    axes.text(
        plateau,
        1,
        f"paper: level from {plateau:g} layers",
        fontsize=7,
        va="bottom",
        ha="center",
        transform=axes.get_xaxis_transform(),
    )
    depths = sorted({*scores["num_layers"], int(plateau)})
    axes.set(xscale="log", xlabel="layers", ylabel="Pearson on the test cells", xticks=depths, xticklabels=depths)
    axes.minorticks_off()
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=len(models))
    _name_label(figure, source)
    return figure


@_styled
def quality(differences, measure, reported, source):
    """The difference to RevGNN in one measure by k, a marker a depth, with intervals and the paper's mean (Figure 8).

    Args:
        differences: frame with the columns ``num_layers``, ``k``, ``difference``, ``low`` and ``high``; a row a run.
        measure: its name.
        reported: the paper's mean difference.
        source: where the label comes from.
    """
    figure, axes = _figure(3.6, 3.2)
    ks, depths = sorted(set(differences["k"])), sorted(set(differences["num_layers"]))
    for number, depth in enumerate(depths):
        rows = differences[differences["num_layers"] == depth].sort_values("k")
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
    _name_label(figure, source)
    return figure


@_styled
def speedups(ratios, reported, peer):
    """How many times as fast GSR-GNN makes a step as a peer, by k: a line for each width and route (Figure 9).

    Args:
        ratios: frame with the columns ``hidden_channels``, ``route``, ``k``, ``ratio``, ``low`` and ``high``.
        reported: what the paper's values are, in words -> them by k. Words that end in "at least" name lower bounds.
        peer: name of the other model.
    """
    figure, axes = _figure(4.6, 3.8)
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
    _plain_ticks(axes.yaxis)
    axes.minorticks_off()
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@_styled
def by_contender(rows, quantity, reported=None, source=None, log=True):
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
    figure, axes = _figure(4.6, 0.24 * len(rows) + 1.0)
    for place, row in enumerate(rows.itertuples()):
        color = PALETTE[0] if row.ours else INK
        if math.isnan(row.value):
            axes.text(
                0.02,
                place,
                "not measured",
                fontsize=7,
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
        _plain_ticks(axes.xaxis)
    if reported:
        figure.legend(loc="outside upper center")
    if source:
        _name_label(figure, source)
    return figure


def _plain_ticks(axis):
    """A few ticks on a logarithmic axis, as plain numbers, however short it is."""
    low, high = axis.get_view_interval()
    subs = (1, 2, 5) if high < 300 * low else (1,)
    axis.set_major_locator(MaxNLocator(5) if high < 8 * low else LogLocator(subs=subs))
    axis.set_major_formatter("{x:,g}")
    axis.set_minor_locator(NullLocator())


@_styled
def step_shares(shares, bounds, reported):
    """Where a step's time goes: a stacked bar of shares a contender, with the paper's (Table 2).

    Args:
        shares: frame, a line a contender from the top down, a column a part of the step; a line adds up to 1.
        bounds: frame with the same index, columns ``low`` and ``high`` of the first part's share.
        reported: frame with the same columns for those contenders that the paper has.
    """
    figure, axes = _figure(4.6, 0.24 * len(shares) + 1.0)
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


@_styled
def graph_sizes(counts):
    """Edges against nodes on logarithmic axes, the printed ones as diamonds (Table 1).

    Args:
        counts: frame with the columns ``graph``, ``source``, ``nodes`` and ``edges``; the first source is the paper,
            whose points are named, those of the same edges together.
    """
    figure, axes = _figure(5.4, 3.8)
    looks = [
        {"marker": "D", "color": INK, "markerfacecolor": "none", "markersize": 9},
        {"marker": "o", "color": PALETTE[0], "markersize": 4},
        {"marker": "x", "color": PALETTE[1], "markersize": 7, "markeredgewidth": 1.6},
    ]
    sources = list(dict.fromkeys(counts["source"]))
    for source, look in zip(sources, looks, strict=False):
        rows = counts[counts["source"] == source]
        axes.plot(rows["nodes"], rows["edges"], linestyle="none", label=source, **look)
    printed = counts[counts["source"] == sources[0]]
    groups = list(printed.groupby("edges"))
    for (edges, rows), (above, _) in zip(groups, [*groups[1:], (math.inf, None)], strict=True):
        left = above < 1.1 * edges  # the right is the next one's
        axes.annotate(
            "\n".join(rows["graph"]),
            (rows["nodes"].min() if left else rows["nodes"].max(), edges),
            (-8 if left else 8, 0),
            textcoords="offset points",
            fontsize=7,
            va="center",
            ha="right" if left else "left",
        )
    axes.set(xscale="log", yscale="log", xlabel="nodes", ylabel="edges")
    axes.xaxis.set_major_locator(LogLocator(subs=range(1, 10)))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.minorticks_off()
    axes.margins(0.12)
    figure.legend(loc="outside upper center", ncols=3)
    return figure


_MODEL_COLORS = {"GSR dense": PALETTE[2], "GSR": PALETTE[0], "FusedRevGNN": PALETTE[3], "RevGNN": PALETTE[4]}


@_styled
def contenders_by_depth(lines, unit, source, marks=(), levels=()):
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
    figure, axes = _figure(3.7, 3.5)
    styles = _contender_styles(lines["contender"])
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
        axes.annotate(words, (depth, value), (-7, 0), textcoords="offset points", fontsize=7, ha="right", va="center")
    for value, words in levels:
        dashes = (1, 2) if words.startswith("paper") else None
        axes.axhline(value, color=INK, linestyle=(0, dashes), linewidth=1, label=words)
    axes.set(xscale="log", yscale="log", xlabel="layers", ylabel=unit)
    if lines["value"].isna().all() and not [*marks, *levels]:
        axes.set_ylim(1, 10)
    _mark_out_of_memory(axes, lines)
    _depth_ticks(axes, {*lines["num_layers"], *(depth for depth, _, _ in marks)})
    _plain_ticks(axes.yaxis)
    axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2, fontsize=7, columnspacing=1, handlelength=2.6)
    _name_label(figure, source)
    return figure


def _contender_styles(contenders):
    """Contender -> colour, of its model, and dashes and marker, of its route or k, in order."""
    found, seen = {}, {}
    for name in dict.fromkeys(contenders):
        model = next((model for model in _MODEL_COLORS if name.startswith(model)), name)
        place = seen[model] = seen.get(model, -1) + 1
        found[name] = _MODEL_COLORS.get(model, INK), DASHES[place % len(DASHES)], "osDv^"[place % 5]
    return found


def _mark_out_of_memory(axes, lines):
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
            fontsize=7,
            ha="right",
            va="center",
        )


def _depth_ticks(axes, depths):
    """Depths as they are, those that have room."""
    low, high = min(depths), max(depths)
    shown = []
    for depth in sorted(depths, reverse=True):
        if not shown or shown[-1] / depth >= (high / low) ** 0.1:
            shown.append(depth)
    axes.set_xlim(low / 1.25, high * 1.25)
    axes.set_xticks(shown, shown)
    axes.xaxis.set_minor_locator(NullLocator())
