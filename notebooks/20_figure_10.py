# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figure 10 and the abstract: memory
#
# The paper claims that GSR-GNN needs up to 87.2% less memory than RevGNN, and uses most of what it reserves. Two things
# are in such a figure: the network, and the route by which RevGNN sums over neighbours. This page sets GSR-GNN against
# RevGNN by the paper's route and by the leanest one that our records have.

# %% tags=["parameters", "remove-input"]
folder = "results"  # where the records of `gsrgnn sweep` lie

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import Markdown, display

from gsrgnn.book import captions, figures, findings, origin, scoreboard, steps
from gsrgnn.lab.bench.contenders import REFERENCE

page = findings.Page("memory", folder)
claims = findings.claims(
    "mem_reduction_max",
    "fig10_gap_r",
    "fig10_gap_f",
    "fig10_util",
    "small_gpu",
    "active_over_reserved",
)
value = claims["value"]
display(scoreboard.opening("20_figure_10", folder))
page.remarks()

# %% tags=["remove-cell"]
origin.hand_over(page.sources())

# %% [markdown]
# ## What came out


# %% tags=["hide-input"]
def measured(view):
    """Memory by quantity, and the quantity that contenders are compared in."""
    memory = steps.memory(view.rows.sort_values("num_layers", kind="stable"))
    return memory, "reserved" if "reserved" in {
        *memory["quantity"]
    } else steps.ADDED


def ratios(memory, peers, lower=False):
    """GSR-GNN's memory over that of the leanest of the peers at the same depth.

    With ``lower`` a depth without one takes the deepest measured, and the ratio is marked as a bound.
    """
    means = (
        memory[memory["contender"].isin(peers)]
        .groupby(["num_layers", "contender"])["value"]
        .mean()
        .dropna()
    )
    least = means.groupby("num_layers").min()
    lines = memory[memory["ours"]]
    depth = lines["num_layers"]
    known = depth.map(least)
    below = (
        depth.map(lambda layers: least[least.index < layers].iloc[-1:].max())
        if lower
        else known
    )
    return lines.assign(
        value=lines["value"] / known.fillna(below),
        bound=known.isna() & below.notna(),
    )


def compared(memory):
    """Ratios to the paper's route and to the leanest of all."""
    peers = memory[~memory["ours"]]["contender"].unique()
    return {
        REFERENCE: ratios(memory, [REFERENCE], lower=True),
        "the leanest RevGNN": ratios(memory, peers),
    }


UNITS = {
    "added": "MB that a step adds",
    "allocated": "allocated MB",
    "reserved": "reserved MB",
}


def at_one_depth(kept, unit):
    """What each contender takes, where a line would have one point."""
    points = (
        kept.dropna(subset=["value"])
        .groupby("contender", sort=False)
        .agg(
            value=("value", "mean"),
            low=("value", "min"),
            high=("value", "max"),
            ours=("ours", "first"),
        )
    )
    return figures.contenders.side_by_side(points.reset_index(), unit)


def pictures(view):
    """Lines by depth, or one point a contender where there is one depth."""
    memory, main = measured(view)
    kept = memory[memory["quantity"] == main]
    if memory["num_layers"].nunique() < 2:
        return [at_one_depth(kept, UNITS[main])]
    small = [(30, value["small_gpu"] * 1e3, "paper: GSR-GNN is below")]
    drawings = [
        figures.contenders.by_depth(
            memory[memory["quantity"] == quantity], unit, view.label, small
        )
        for quantity, unit in UNITS.items()
        if quantity in {*memory["quantity"]}
    ]
    if main == "reserved":
        levels = [(value["fig10_util"] / 100, "paper: GSR-GNN, at least")]
        drawings.append(
            figures.contenders.by_depth(
                steps.over(memory, "allocated", "reserved"),
                "allocated over reserved",
                view.label,
                levels=levels,
            )
        )
    for words, lines in compared(kept).items():
        levels = [(1, "as much")]
        if words == REFERENCE:
            levels.insert(
                0,
                (
                    1 - value["mem_reduction_max"] / 100,
                    f"paper: {value['mem_reduction_max']:g}% less",
                ),
            )
        drawings.append(
            figures.contenders.by_depth(
                lines, f"memory over that of\n{words}", view.label, levels=levels
            )
        )
    return drawings


def shown(view):
    memory, main = measured(view)
    kept = memory[memory["quantity"] == main]
    over = {
        peer
        if peer != REFERENCE
        else f"RevGNN on an {REFERENCE.split()[-1]}": lines[
            lines["contender"].str.startswith("GSR k=")
        ]["value"]
        for peer, lines in compared(kept).items()
    }
    picture = figures.show(
        *pictures(view),
        caption=captions.memory(over),
        setting=view.settings,
        name=view.figure("by-depth"),
        alt="Charts on logarithmic axes, against the number of layers where there are several: memory of a training step, "
        "a line a contender, with the paper's 8 GB at 30 layers as a diamond and a vermilion X where memory ran out; and "
        "GSR-GNN's memory over RevGNN's, on an edge_index with the paper's best reduction as a dotted line, and by "
        "its leanest route. The tables below have the numbers.",
    )
    index = ["contender"] if main == steps.ADDED else ["contender", "quantity"]
    tables = [
        steps.table(
            memory,
            index,
            lambda line: steps.megabytes(line["value"]),
            "MB of a step",
        )
    ]
    for words, lines in compared(kept).items():
        tables.append(
            steps.table(
                lines,
                ["contender"],
                lambda line: (
                    "–"
                    if pd.isna(line["value"])
                    else f"{'≥ ' if line['bound'] else ''}{100 * (1 - line['value']):.1f}"
                ),
                f"Reduction against {words}, percent",
            )
        )
    return [picture, *tables]


page.show(shown, "hidden_channels", "device")

# %% [markdown]
# ## What differs, and why


# %% tags=["hide-input"]
def sparse(lines):
    return lines[lines["contender"].str.startswith("GSR k=")]


def beside_the_paper(view):
    """A line a claim: the paper's value and ours, of the sparse residual, which is the paper's."""
    memory, main = measured(view)
    kept, rows = memory[memory["quantity"] == main], []
    for words, lines in compared(kept).items():
        lines = sparse(lines).dropna(subset=["value"]).reset_index(drop=True)
        if len(lines):
            best = lines.loc[lines["value"].idxmin()]
            rows.append(
                (
                    f"largest reduction, against {words}",
                    f"{value['mem_reduction_max']:g}%",
                    f"{'at least ' if best['bound'] else ''}{100 * (1 - best['value']):.1f}% "
                    f"({best['contender']}, {best['num_layers']} layers)",
                )
            )
    ours = sparse(kept).dropna(subset=["value"])
    peers = (
        kept[kept["contender"] == REFERENCE].groupby("num_layers")["value"].mean()
    )
    gaps = (ours["num_layers"].map(peers) - ours["value"]).groupby(
        ours["contender"]
    ).mean().dropna() / 1e3
    if len(gaps):
        rows.append(
            (
                f"mean gap to {REFERENCE} over the depths where both are, by contender",
                f"{value['fig10_gap_r']:g} and {value['fig10_gap_f']:g} GB",
                f"{steps.span(gaps, '.3f')} GB",
            )
        )
    shallow = ours[ours["num_layers"] < 30]["value"] / 1e3
    if len(shallow):
        rows.append(
            (
                "GSR-GNN below 30 layers",
                f"under {value['small_gpu']:g} GB",
                f"{steps.span(shallow, '.3f')} GB",
            )
        )
    for name, claim in (
        ("allocated", f"over {value['fig10_util']:g}%"),
        ("active", f"{value['active_over_reserved']:g}% at best"),
    ):
        share = steps.over(sparse(memory), name, "reserved")["value"].dropna()
        rows.append(
            (
                f"{name} over reserved memory, GSR-GNN",
                claim,
                steps.span(share, ".1%")
                if len(share)
                else "a CPU has neither"
                if main == steps.ADDED
                else "–",
            )
        )
    return pd.DataFrame(rows, columns=["quantity", "paper", "ours"])


def in_words(view):
    """Growth a layer, repeats, and what was not measured."""
    memory, main = measured(view)
    kept = memory[memory["quantity"] == main]
    values = kept.dropna(subset=["value"]).groupby(
        ["contender", "num_layers"], sort=False
    )["value"]
    size, mean, lines = steps.size(view.circuit), values.mean(), []
    for name in dict.fromkeys(mean.index.get_level_values(0)):
        own = mean[name].sort_index()
        if len(own) > 1:
            first, last = own.index[0], own.index[-1]
            derived = (
                f" (derived: {steps.layer_megabytes(name, size[0], view.setting['hidden_channels']):.2f})"
                if size
                else ""
            )
            lines.append(
                f"- {name}: {(own[last] - own[first]) / (last - first):.2f} MB a layer{derived} from {first} "
                f"to {last} layers."
            )
    if REFERENCE in mean.index and size:
        unit, most = (
            steps.message_megabytes(size[1], view.setting["hidden_channels"]),
            mean[REFERENCE].max(),
        )
        lines.append(
            f"- An array of messages is {unit:,.0f} MB here; {REFERENCE} takes at most {most:,.0f} MB, "
            f"{most / unit:.2f} times that."
        )
    spread = (values.max() / values.min() - 1)[values.size() > 1]
    lines.append(
        f"- Runs of the same contender and depth differ by up to {spread.max():.1%}, {spread.median():.1%} in "
        "the middle."
        if len(spread)
        else "- Each value is one run, so how far runs differ is not known."
    )
    return [
        f"On {findings.named(view.circuit)}, width {view.setting['hidden_channels']} "
        f"({figures.reference(view.figure('by-depth'))}):",
        "",
        *lines,
        "",
    ]


for view in page.views("hidden_channels", "device"):
    display(
        figures.table(
            beside_the_paper(view),
            caption=f"{findings.named(view.circuit)}, on {view.machine}",
            index=False,
            wrap=True,
        )
    )
    display(Markdown("\n".join(in_words(view))))

findings.not_measured(page.rows)

# %% [markdown]
# What a layer adds was derived before it was measured: 16 bytes a parameter (itself, its gradient, Adam's two moments),
# and for GSR-GNN with the sparse residual *k* values and columns a cell, which it keeps for the backward pass. RevGNN
# and GSR-GNN with the dense residual invert their layers and keep none. Modules and tensors also take memory beside the
# numbers in them, which is not derived and shows where the parameters are few. The saving against an `edge_index` is
# for the most part that of not making messages, as [Figure 3](16_figure_3.ipynb) derives, and any route without
# messages has it. It shrinks as *k* and the depth grow, which the paper notes too. The paper's values are of its graphs
# 1 and 3 at widths 256 and 384 on a GPU; on other circuits, widths and machines the gaps in GB are not to be compared,
# the percentages are.

# %% [markdown]
# ## How it is measured
#
# Each point is one notebook, `notebooks/experiments/memory.py`, run by `gsrgnn sweep`, at one depth. Every contender
# makes one training step (forward, backward, Adam with its moments there) in a process of its own. GSR-GNN sums over
# nets, in some records over the edges too; *k* is how many entries of a row it keeps. The paper's residual is sparse:
# of the second group these entries alone are carried on. *GSR dense* carries on the whole group and can be inverted.
# RevGNN has three routes: on an `edge_index` it makes a message an edge, as the paper's baseline does; `csr` is a
# sparse matrix product without messages; `nets` sums each net once. FusedRevGNN computes the same function and
# gradient, but inverts a layer and recomputes it in one go.
#
# On a CPU a value is what the step adds to its process: the peak of the resident memory less what was there before the
# model was made (circuit, graph, compiled code). On a GPU it is the peak of PyTorch's allocator, circuit and graph
# included: *allocated* and *active* is what tensors hold, *reserved* what was asked of the GPU. A value is one process
# and has no interval; where a point was run again, all its values are shown. MB are 10⁶ bytes, GB 10⁹.
#
# The *reduction* is 1 less GSR-GNN's memory over RevGNN's at the same depth: of reserved memory on a GPU, as in the
# paper, and of what the step adds on a CPU. A contender whose step would take longer than the record's limit is left
# out there. Where that is RevGNN on an `edge_index`, its value at the deepest depth measured stands in; since its
# memory does not fall with the depth, the reduction is then at least what is shown (an arrow in the figure). Below zero
# GSR-GNN needs more memory than RevGNN.

# %% [markdown]
# ## Run it again
#
# ```sh
# gsrgnn sweep cpu --only memory     # two cores; gpu has the paper's width and depths of up to 100
# gsrgnn sweep cpu --list            # the points, what is done, the time left
# ```
#
# With a GPU: [](27_your_gpu.ipynb).
