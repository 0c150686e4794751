"""Figures of the experiments' pages, with the paper's own values marked, in the style of `figures`."""

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator, PercentFormatter

from gsrgnn.figures import DASHES, INK, PALETTE, _figure, _name_label, _styled
from gsrgnn.records import OUT_OF_MEMORY

__all__ = ["contenders_by_depth", "quality", "scores_by_depth", "scores_by_model", "shares_of_step"]


@_styled
def scores_by_model(scores, reported, source):
    """Pearson on the test cells, a line for each model and depth, with intervals and the paper's values (Figure 1).

    Args:
        scores: frame with the columns ``model``, ``num_layers``, ``pearson``, ``low`` and ``high``; a row a run.
        reported: (model, num_layers) of a line -> what the paper's value is of, and the value.
        source: where the label comes from.
    """
    mean = scores.groupby(["model", "num_layers"])["pearson"].mean().sort_values()
    figure, axes = _figure(6.0, 0.34 * len(mean) + 1.5)
    models = list(dict.fromkeys(scores["model"]))
    for place, (model, depth) in enumerate(mean.index):
        runs = scores[(scores["model"] == model) & (scores["num_layers"] == depth)]
        heights = place + 0.16 * (np.arange(len(runs)) - (len(runs) - 1) / 2)
        errors = [runs["pearson"] - runs["low"], runs["high"] - runs["pearson"]]
        number = models.index(model)
        axes.errorbar(runs["pearson"], heights, xerr=errors, fmt="osDv"[number % 4], color=PALETTE[number % 5],
                      markersize=4, linewidth=1)
        if (model, depth) in reported:
            words, value = reported[model, depth]
            axes.plot(value, place, "D", markerfacecolor="none", color=INK, markersize=7)
            axes.annotate(words, (value, place), (8, 0), textcoords="offset points", fontsize=7, va="center")
    axes.set(yticks=range(len(mean)), yticklabels=[f"{model}, {depth} layers" for model, depth in mean.index],
             xlabel="Pearson on the test cells", ylim=(-0.6, len(mean) - 0.4))
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
    axes.text(plateau, 1, f"paper: level from {plateau:g} layers", fontsize=7, va="bottom", ha="center",
              transform=axes.get_xaxis_transform())
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
        axes.errorbar(place, rows["difference"], errors, fmt="osDv"[number % 4], color=PALETTE[number % 5],
                      markersize=4, linewidth=1, label=f"{depth} layers")
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.axhline(reported, color=INK, linestyle=(0, (1, 2)), linewidth=1.2, label="paper's mean")
    axes.set(xticks=range(len(ks)), xticklabels=ks, xlabel="k", ylabel=f"{measure}, GSR-GNN − RevGNN",
             xlim=(-0.6, len(ks) - 0.4))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=3)
    _name_label(figure, source)
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
        levels: those without a depth, each as (value, what it is of).
    """
    figure, axes = _figure(3.7, 3.5)
    styles = _contender_styles(lines["contender"])
    for place, (name, (color, dashes, marker)) in enumerate(styles.items()):
        rows = lines[(lines["contender"] == name) & lines["value"].notna()]
        rows = rows.assign(depth=rows["num_layers"] * 1.012 ** (place - (len(styles) - 1) / 2))  # beside each other
        look = {"color": color, "marker": marker, "markersize": 4,
                "markerfacecolor": color if name.startswith("GSR") else "none"}
        means = rows.groupby("depth")["value"].mean()
        axes.plot(means.index, means, color=color, linestyle=(0, dashes or None), linewidth=1.2)
        errors = [rows["value"] - rows["low"], rows["high"] - rows["value"]] if "low" in rows else None
        axes.errorbar(rows["depth"], rows["value"], errors, linestyle="none", linewidth=1, **look)
        if "bound" in rows and rows["bound"].any():
            bounds = rows[rows["bound"]]
            axes.errorbar(bounds["depth"], bounds["value"], 0.25 * bounds["value"], uplims=True, linestyle="none",
                          color=color, linewidth=1)
        axes.plot([], [], linestyle=(0, dashes or None), label=name, linewidth=1.2, **look)
    for depth, value, words in marks:
        axes.plot(depth, value, "D", color=INK, markerfacecolor="none", markersize=6)
        axes.annotate(words, (depth, value), (-7, 0), textcoords="offset points", fontsize=7, ha="right", va="center")
    for value, words in levels:
        axes.axhline(value, color=INK, linestyle=(0, (1, 2)), linewidth=1)
        axes.annotate(words, (0, value), (2, -2), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
                      fontsize=7, va="top")
    axes.set(xscale="log", yscale="log", xlabel="layers", ylabel=unit)
    if lines["value"].isna().all() and not [*marks, *levels]:
        axes.set_ylim(1, 10)
    _mark_out_of_memory(axes, lines)
    _plain_ticks(axes, {*lines["num_layers"], *(depth for depth, _, _ in marks)})
    axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2, fontsize=7, columnspacing=1, handlelength=2.6)
    _name_label(figure, source)
    return figure


@_styled
def shares_of_step(shares, source):
    """What parts a step consists of, a bar a row of the frame.

    Args:
        shares: frame with a column a part; each row adds up to 1. Its index names the bars.
        source: where the label comes from.
    """
    figure, axes = _figure(5.4, 0.3 * len(shares) + 1.3)
    left = np.zeros(len(shares))
    for part, color in zip(shares, PALETTE, strict=False):
        axes.barh(range(len(shares)), shares[part], 0.72, left=left, color=color, label=part)
        for place, (start, share) in enumerate(zip(left, shares[part], strict=True)):
            if share >= 0.08:
                axes.text(start + share / 2, place, f"{share:.0%}", color="white", fontsize=8, ha="center", va="center")
        left += shares[part].to_numpy()
    axes.set(yticks=range(len(shares)), yticklabels=shares.index, ylim=(len(shares) - 0.4, -0.6), xlim=(0, 1),
             xlabel="share of a step")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(axis="y", visible=False)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=len(shares.columns))
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
        axes.plot(line["num_layers"], height, "X", color=PALETTE[1], markersize=7, markeredgecolor="none",
                  transform=axes.get_xaxis_transform())
    for name, place in places.items():
        first = lost[lost["contender"] == name]["num_layers"].min()
        axes.annotate(name, (first, 0.96 - 0.07 * place), (-7, 0), xycoords=axes.get_xaxis_transform(),
                      textcoords="offset points", fontsize=7, ha="right", va="center")


def _plain_ticks(axes, depths):
    """Depths as they are, those that have room; powers of ten, or more where few of them are in range."""
    low, high = min(depths), max(depths)
    shown = []
    for depth in sorted(depths, reverse=True):
        if not shown or shown[-1] / depth >= (high / low) ** 0.1:
            shown.append(depth)
    axes.set_xlim(low / 1.25, high * 1.25)
    axes.set_xticks(shown, shown)
    bottom, top = axes.get_ylim()
    several = LogLocator(subs=(1, 2, 5) if top / bottom < 100 else (1,))
    axes.yaxis.set_major_locator(MaxNLocator(5) if top / bottom < 8 else several)
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.minorticks_off()
