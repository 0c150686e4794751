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
# # Figure 4 and section 3.1: RevGNN's time
#
# The paper measures how long RevGNN trains and how a step divides into forward pass, backward pass and memory copies:
# the backward pass takes most of it. This page shows how a step divides here, by route and depth, and whether the
# paper's own times agree.

# %% tags=["parameters", "remove-input"]
folder = "results"  # where the records of `gsrgnn sweep` lie

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import Markdown, display

from gsrgnn.book import captions, figures, findings, origin, scoreboard, steps
from gsrgnn.circuits import table1
from gsrgnn.lab.bench.contenders import REFERENCE

page = findings.Page("profile", folder)
claims = findings.claims(
    "s31_forward",
    "s31_copy",
    "s31_backward",
    "s31_epoch",
    "fig4_hours",
    "ten_graphs_hours",
)
value = claims["value"]
EPOCHS = 250  # of the paper's trainings
from_hours = value["fig4_hours"] * 3600 / EPOCHS
display(scoreboard.opening("17_figure_4", folder))
display(
    Markdown(
        f"{value['fig4_hours']:.2f} hours for {EPOCHS} epochs are {from_hours:.1f} s an epoch."
    )
)
page.remarks()

# %% tags=["remove-cell"]
origin.hand_over(page.sources())

# %% [markdown]
# ## What came out

# %% tags=["hide-input"]
MARKS = {
    "forward": [(100, value["s31_forward"], "paper: forward")],
    "backward": [(100, value["s31_backward"], "paper: backward")],
    "step": [
        (100, value["s31_epoch"], "paper: section 3.1"),
        (100, from_hours, "paper: Figure 4"),
    ],
}
PAPER = {
    "forward": value["s31_forward"],
    "backward": value["s31_backward"],
    "other": value["s31_copy"],
}
PAPER = {part: seconds / value["s31_epoch"] for part, seconds in PAPER.items()}
UNITS = {
    "forward": "seconds forward",
    "backward": "seconds backward",
    "step": "seconds a step",
}


def shares(wide):
    """The parts' shares of a step, a line a contender, and the bounds of the forward pass's."""
    value, low, high = wide["value"], wide["low"], wide["high"]
    parts = value[["forward", "backward"]].div(value["step"], axis="index")
    bounds = {
        "low": low["forward"] / high["step"],
        "high": high["forward"] / low["step"],
    }
    return parts.assign(
        other=(1 - parts.sum(axis="columns")).clip(lower=0)
    ), pd.DataFrame(bounds)


def shares_picture(times, view):
    """Of the deepest measured step of each contender."""
    wide = (
        times.dropna(subset=["value"])
        .pivot_table(
            ["value", "low", "high"],
            ["contender", "num_layers"],
            "phase",
            sort=False,
        )
        .groupby(level=0, sort=False)
        .tail(1)
    )
    wide.index = [
        f"{name}, {depth} layer{'s' * (depth != 1)}" for name, depth in wide.index
    ]
    parts, bounds = shares(wide)
    theirs = pd.DataFrame([PAPER] * len(parts), parts.index)[
        parts.index.str.startswith(REFERENCE)
    ]
    return figures.show(
        figures.contenders.step_shares(parts, bounds, theirs),
        alt="Stacked bars: shares of the forward pass, the backward pass and the rest in a step, a bar a route, with "
        "an interval of the forward pass's share; the ends of the paper's shares as diamonds on the bar of its "
        "route. The table below has the seconds.",
        caption=f"{captions.shares(parts, PAPER, REFERENCE)} The paper's “other” is its memory copy; ours is the "
        "update of the parameters.",
        setting=view.settings,
        name=view.figure("shares"),
    )


def in_a_sentence(times):
    mean = times.dropna(subset=["value"]).pivot_table(
        "value", ["contender", "num_layers"], "phase", sort=False
    )
    return captions.passes(
        mean, REFERENCE, value["s31_backward"] / value["s31_forward"]
    )


def times_picture(times, view):
    """Lines by depth, or where there is one depth the points of a step."""
    kept = {"setting": view.settings, "name": view.figure("by-depth")}
    if times["num_layers"].nunique() < 2:
        rows = times[times["phase"] == "step"].drop_duplicates("contender")
        return figures.show(
            figures.contenders.side_by_side(rows, "seconds a step"),
            alt="Dot plot on a logarithmic axis: seconds of a training step of RevGNN, a line a route, with bars from the "
            "lowest to the highest round. The table below has the numbers.",
            caption=in_a_sentence(times),
            **kept,
        )
    return figures.show(
        *(
            figures.contenders.by_depth(
                times[times["phase"] == phase], unit, view.label, MARKS[phase]
            )
            for phase, unit in UNITS.items()
        ),
        alt="Three line charts on logarithmic axes: seconds of the forward pass, of the backward pass and of a whole "
        "training step of RevGNN against the number of layers, a line a route, with bars from the lowest to the "
        "highest round, a vermilion X where memory ran out, and the paper's values at 100 layers as diamonds. The "
        "table below has the numbers.",
        caption=in_a_sentence(times),
        **kept,
    )


def shown(view):
    times = steps.times(view.rows.sort_values("num_layers", kind="stable"))
    pictures = [times_picture(times, view)]
    if times["value"].notna().any():
        pictures.append(shares_picture(times, view))
    table = steps.table(
        times,
        ["contender", "phase"],
        lambda line: f"{line['value']:.3g} ({line['low']:.3g}–{line['high']:.3g})",
        "Seconds: median (lowest–highest round)",
    )
    return [*pictures, table]


page.show(shown, "hidden_channels", "device")

# %% [markdown]
# ## What differs, and why

# %% tags=["hide-input"]
parts = value["s31_forward"] + value["s31_copy"] + value["s31_backward"]
apart = from_hours - value["s31_epoch"]
mean_epoch = value["ten_graphs_hours"] * 3600 / EPOCHS / len(table1.rows())
display(
    Markdown(
        f"The paper's own times: the parts of section 3.1 add up to {parts:.2f} s, and it prints "
        f"{value['s31_epoch']:.2f} s for the epoch. {EPOCHS} such epochs take {value['s31_epoch'] * EPOCHS / 3600:.2f} "
        f"hours; Figure 4's {value['fig4_hours']:.2f} hours are {from_hours / value['s31_epoch']:.2f} times that. The "
        f"difference, {apart:.1f} s an epoch, is as much as {apart / value['s31_forward']:.1f} forward passes, while an "
        f"evaluation takes one. All ten graphs in {value['ten_graphs_hours']:g} hours are {mean_epoch:.1f} s an epoch on "
        "average, which is near Figure 4 and not section 3.1. Both are marked in the figure. The [audit](06_audit.ipynb) "
        "has more of the paper's values that cannot agree."
    )
)


# %% tags=["hide-input"]
def in_words(view):
    """Which pass takes most, how time grows with the depth, and the distance between the routes."""
    times = steps.times(view.rows)
    mean = times.dropna(subset=["value"]).pivot_table(
        index=["contender", "num_layers"],
        columns="phase",
        values="value",
        sort=False,
    )
    paper = value["s31_backward"] / value["s31_forward"]
    lines = []
    for name in dict.fromkeys(mean.index.get_level_values(0)):
        own = mean.loc[name].sort_index()
        first, last = own.index[0], own.index[-1]
        step, ratio = own["step"], own["backward"] / own["forward"]
        growth = (
            f"; from {first} to {last} layers the step takes {step[last] / step[first]:.1f} times as long"
            if first < last
            else ""
        )
        lines.append(
            f"- {name}, {last} layers: the backward pass takes {ratio[last]:.1f} times as "
            f"long as the forward pass (paper: {paper:.1f}){growth}."
        )
    if REFERENCE in mean.index:
        last = mean.loc[REFERENCE].index.max()
        peers = mean["step"].xs(last, level="num_layers")
        if (best := peers.idxmin()) != REFERENCE:
            lines.append(
                f"- With {last} layers {best} makes a step {peers[REFERENCE] / peers[best]:.1f} times as "
                f"fast as {REFERENCE}, with the same depth and result: so much is the route's."
            )
    return [
        f"On {findings.named(view.circuit)}, width {view.setting['hidden_channels']} "
        f"({figures.reference(view.figure('by-depth'))}):",
        "",
        *lines,
        "",
    ]


for view in page.views("hidden_channels", "device"):
    display(Markdown("\n".join(in_words(view))))

findings.not_measured(page.rows)

# %% [markdown]
# A reversible layer costs more going back than forward whoever runs it: it is inverted, run again and differentiated,
# so of its 8 aggregations 2 are in the forward pass and 6 in the backward pass, which alone makes a ratio of 3.
# FusedRevGNN spares one of the three and has 2 and 4. The paper's seconds are of its graph 7 at width 384 and 100
# layers on an A6000; ours are of other circuits, widths or machines unless the caption says so, and only shares, ratios
# and growth are to be compared.

# %% [markdown]
# ## How it is measured
#
# Each point is one notebook, `notebooks/experiments/profile.py`, run by `gsrgnn sweep`, at one depth. After a warm-up,
# every contender makes one training step (forward, backward, Adam) a round, in turn with the others in one process. A
# point is the median of at least five rounds, a bar reaches from the lowest to the highest of them; that of a share,
# from the lowest forward pass over the highest step to the reverse. On a GPU every part is waited for. A step is an
# epoch, since it takes the whole graph; evaluation is not in it.
#
# All contenders are RevGNN. They differ by *route*, the way a layer sums over neighbours: on an `edge_index` it makes a
# message an edge, as the paper's baseline does; `csr` is a sparse matrix product without messages; `nets` sums each net
# once. FusedRevGNN computes the same function and gradient, but inverts a layer and recomputes it in one go.
#
# Memory copies have no time of their own in our records: on a CPU there is no copy to a device, and copies within the
# network are part of the pass that makes them. *Other* is what forward and backward leave of a step: the update of the
# parameters and the clearing of their gradients.

# %% [markdown]
# ## Run it again
#
# ```sh
# gsrgnn sweep cpu --only profile    # two cores; gpu has the paper's width and depths of up to 100
# gsrgnn sweep cpu --list            # the points, what is done, the time left
# ```
#
# With a GPU: [](27_your_gpu.ipynb).
