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
# # Beyond the paper: the dense residual, the nets, checkpoints
#
# Three choices stand beside the paper's: to keep the stream whole in the residual, to sum through nets in place of
# edges, and to recompute without any reversible layer. This page shows what each costs and brings in time, memory and
# score.
#
# The paper claims nothing on any of the three: the scoreboard has no line of them, and no figure a value of the paper's.

# %% tags=["parameters", "remove-input"]
folder = "results"  # where the records of `gsrgnn sweep` lie

# %% [markdown]
# ## What came out

# %% tags=["hide-input"]
from functools import cache

import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from gsrgnn import circuits
from gsrgnn.book import captions, figures, findings, origin
from gsrgnn.book.steps import size
from gsrgnn.circuits import table1

page = findings.Page("beyond", folder)
SETTING = ["hidden_channels", "num_layers", "k", "epochs", "learning_rates"]


@cache
def test_cells(circuit):
    """How many cells the scores are of: counted, else as recorded or printed; NaN where the circuit is in no place."""
    try:
        cells = circuits.read(circuit).num_cells
    except FileNotFoundError:
        cells, _ = size(circuit) or (np.nan, np.nan)
    return np.round(table1.held_share(circuit) * cells)


def steps(view):
    """The contenders' rows, with what a step adds to memory."""
    rows = (
        view.rows[view.rows["state"] != "trained"]
        .drop_duplicates("contender")
        .set_index("contender")
    )
    rows = rows.reindex(
        columns=rows.columns.union(["memory_peak", "memory_before", "step_seconds"])
    )
    return rows.assign(growth=rows["memory_peak"] - rows["memory_before"])


def trained(view):
    """The scores, with the 95% interval of Pearson where the circuit's size is known."""
    rows = view.rows[view.rows["state"] == "trained"].set_index("contender")
    low, high = findings.pearson_interval(rows["pearson"], test_cells(view.circuit))
    return rows.assign(low=low, high=high)


def points(rows, value, low, high, ours):
    """`rows` as `figures.contenders.side_by_side` takes them."""
    return pd.DataFrame(
        {
            "contender": rows.index,
            "value": value,
            "low": low,
            "high": high,
            "ours": ours,
        }
    ).astype({"ours": bool})


def shown(view):
    rows, scores = steps(view), trained(view)
    times = points(
        rows,
        rows["step_seconds"] * 1e3,
        rows["step_low"] * 1e3,
        rows["step_high"] * 1e3,
        rows["ours"],
    )
    growth = points(rows, *[rows["growth"] / 1e6] * 3, rows["ours"])
    ours = scores.index.str.startswith("GSR")
    pearson = points(scores, scores["pearson"], scores["low"], scores["high"], ours)
    pictures = [
        figures.show(
            figures.contenders.side_by_side(times, "ms a step"),
            figures.contenders.side_by_side(growth, "MB that a step adds"),
            alt="Two dot plots on logarithmic axes, a line for each contender, GSR-GNN's filled: milliseconds of a "
            "training step with intervals, and the megabytes that it adds. The table below has the numbers.",
            caption=captions.step(rows["step_seconds"], rows["growth"] / 1e6),
            setting=view.settings,
            name=view.figure("steps"),
        ),
        figures.show(
            figures.contenders.side_by_side(
                pearson, "Pearson on the test cells", source=view.label, log=False
            ),
            alt="Dot plot: Pearson on the test cells with 95% intervals, a line for each trained model. The table "
            "below has the numbers.",
            caption=captions.scores(scores),
            setting=view.settings,
            name=view.figure("scores"),
        ),
    ]
    table = pd.DataFrame(
        {
            "step, ms": rows["step_seconds"] * 1e3,
            "fastest": rows["step_low"] * 1e3,
            "slowest": rows["step_high"] * 1e3,
            "adds, MB": rows["growth"] / 1e6,
            "kept for going back, MB": rows["kept_bytes"] / 1e6,
        }
    )
    for kind in ("active", "reserved"):  # GPU only
        if f"memory_{kind}" in rows and rows[f"memory_{kind}"].notna().any():
            table[f"{kind}, MB"] = rows[f"memory_{kind}"] / 1e6
    correlations = scores[
        [
            "pearson",
            "low",
            "high",
            "spearman",
            "kendall",
            "r2",
            "learning_rate",
            "best_epoch",
        ]
    ].copy()
    correlations.columns = [
        "Pearson",
        "95% from",
        "to",
        "Spearman",
        "Kendall",
        "R²",
        "learning rate",
        "best epoch",
    ]
    formats = dict.fromkeys(correlations, "{:.3f}") | {
        "learning rate": "{:g}",
        "best epoch": "{:.0f}",
    }
    step, score = (
        figures.table(frame.rename_axis(None), caption=title)
        for frame, title in (
            (table, "A training step"),
            (correlations, "On the test cells"),
        )
    )
    step = step.format(
        lambda n: f"{n:,.0f}" if n >= 100 else f"{n:.3g}", na_rep="–"
    )
    return [pictures[0], step, pictures[1], score.format(formats, na_rep="–")]


display(*filter(None, [page.remarks(), page.show(shown, *SETTING)]))

# %% tags=["remove-cell"]
origin.hand_over(page.sources())

# %% [markdown]
# ## The three choices
#
# - **The dense residual.** The paper adds the second block's output to what the top $k$ left of the stream's second
#   group, the *sparse* residual. It keeps $k$ values and indices a row of every layer, since what was dropped cannot be
#   recomputed. With the *dense* residual the whole group is added to; then a layer can be inverted and nothing needs to
#   be kept for it ([](03_coupling.ipynb), [](10_reversible.ipynb)).
# - **The nets.** The paper sums over the edges of the clique graph. The same sums can be had through the nets, with one
#   addition a pin and one more a net ([](09_through_nets.ipynb)).
# - **Checkpoints.** A plain GraphSAGE that keeps the input of each layer, or of every $\sqrt L$-th of its $L$ layers,
#   and recomputes the rest when going back. It has no reversible layer. Of the paper's peers RevGNN recomputes by
#   inverting layers, GCN and GraphSAGE keep everything, and none has checkpoints. *FusedRevGNN*, RevGNN with its steps
#   fused in our kernels, is the other peer that it lacks.

# %% [markdown]
# ## What differs, and why


# %% tags=["hide-input"]
def pairs(k):
    """What is compared: a choice, and in the sense of the ratio the one and the other contender."""
    own = f"GSR k={k} nets"
    return [
        ("dense residual / sparse", f"GSR dense k={k} nets", own),
        ("edges / nets, GSR-GNN", f"GSR k={k} edges", own),
        (
            "edges / nets, GSR-GNN aggregating first",
            f"GSR aggregate first k={k} edges",
            f"GSR aggregate first k={k} nets",
        ),
        (
            "edges / nets, GraphSAGE, each layer",
            "CheckpointSAGE each layer csr",
            "CheckpointSAGE each layer nets",
        ),
        ("GraphSAGE, each layer / GSR-GNN", "CheckpointSAGE each layer nets", own),
        ("GraphSAGE, √L / GSR-GNN", "CheckpointSAGE sqrt(L) nets", own),
        ("FusedRevGNN / GSR-GNN", "FusedRevGNN nets", own),
    ]


def compared(view):
    """The ratios of the pairs that were measured."""
    rows, found = steps(view), {}
    for title, one, other in pairs(view.setting["k"]):
        if one in rows.index and other in rows.index:
            time = findings.speedup(rows.loc[[one]], rows.loc[[other]]).iloc[0]
            found[title] = {
                "time": time["ratio"],
                "from": time["low"],
                "to": time["high"],
                "memory": rows["growth"][one] / rows["growth"][other],
            }
    return pd.DataFrame(found, ["time", "from", "to", "memory"]).T


def ratios(view):
    title = f"How many times the time, with its interval, and the memory; {findings.short(view.circuit)}"
    return [
        figures.table(compared(view), caption=title).format("{:.2f}", na_rep="–")
    ]


page.show(ratios, *SETTING)


# %% tags=["hide-input"]
def in_words(view):
    """What the ratios say, and how the scores stand."""
    table, scores = compared(view), trained(view)["pearson"]
    sure = {"takes longer": table["from"] > 1, "is faster": table["to"] < 1}
    for words, rows in sure.items():
        if rows.any():
            yield f"- The first of the two {words}, interval and all: {'; '.join(table.index[rows])}."
    open_ = table.index[(table["from"] <= 1) & (table["to"] >= 1)]
    if len(open_):
        yield f"- The rounds do not tell which is faster: {'; '.join(open_)}."
    more = table.index[table["memory"] > 1]
    yield f"- The first of the two takes more memory: {'; '.join(more) or 'in no pair'}."
    if len(scores):
        k = view.setting["k"]
        gain = scores[f"GSR dense k={k}"] - scores[f"GSR k={k}"]
        best = trained(view).sort_values("pearson")
        apart = best["low"].iloc[-1] > best["high"].iloc[0]
        yield (
            f"- Pearson with the dense residual is {abs(gain):.3f} {'above' if gain > 0 else 'below'} that with the "
            f"sparse one. {best.index[-1]} has the highest, {best.index[0]} the lowest; their intervals "
            f"{'do not overlap' if apart else 'overlap'}."
        )


for view in page.views(*SETTING):
    setting = f"{view.setting['num_layers']} layers, width {view.setting['hidden_channels']}, k = {view.setting['k']}"
    display(
        Markdown(
            "\n".join(
                [
                    f"On {findings.named(view.circuit)}, {setting}, {view.machine} "
                    f"({figures.reference(view.figure('steps'))}, {figures.reference(view.figure('scores'))}):",
                    "",
                    *in_words(view),
                    "",
                ]
            )
        )
    )

findings.not_measured(page.rows)

# %% [markdown]
# The dense residual trades arithmetic for memory: its layers are inverted going back, each from the next, so memory
# does not grow with the depth, where the sparse one adds $k$ values and indices a row with each. At few layers the
# difference is small beside what a step needs in any case. Via edges the work is one addition an edge, via nets one a
# pin and one more a net; how much that saves depends on how large the nets of the circuit are. A checkpointed model
# runs its forward pass twice, as a reversible one does, and keeps whole rows in place of $k$ entries.
#
# One circuit, one depth and one seed tell which way a difference goes here, not that it does so elsewhere.

# %% [markdown]
# ## How it is measured
#
# Each point is one notebook, `notebooks/experiments/beyond.py`, run by `gsrgnn sweep`. **Time**: all contenders train
# on one circuit in one process and make a step in turn, five rounds or more after a warm-up; a value is the median, a
# bar goes from the fastest round to the slowest, and the bar of a ratio from the one's fastest over the other's slowest
# to the reverse. **Memory**: what a training step adds at its peak to the process (on a GPU: to the memory allocated on
# it) that holds the circuit. It is one process a contender, so no spread was measured and there is no bar.
#
# **Score**: Pearson on the test cells, which take no part in training. GSR-GNN with either residual and the
# checkpointed GraphSAGE have the same budget: a training run for each of the learning rates, the same ones for all;
# the best Pearson on the validation cells decides rate and epoch. A bar is the 95% interval by Fisher's transformation,
# as if the test cells were independent, which cells that lie close are not; there is one seed. The routes give the same
# sums and need no score of their own.

# %% [markdown]
# ## Run it again
#
# ```sh
# gsrgnn sweep cpu --only beyond     # two cores; paper has ten graphs, two widths and ten depths
# gsrgnn sweep cpu --list            # the points, what is done, the time left
# ```
