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
# # Figure 9 and the abstract: speed
#
# The paper has GSR-GNN train more than 30 times as fast as RevGNN. This page shows how many times as fast a training
# step of it is here, by $k$ and width: than the paper's baseline, and than the fastest other model that we know how to
# build.

# %% tags=["parameters", "remove-input"]
folder = "results"  # where the records of `gsrgnn sweep` lie

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import Markdown, display

from gsrgnn.book import captions, figures, findings, origin, scoreboard
from gsrgnn.book.paper import table2
from gsrgnn.lab.bench.contenders import REFERENCE

page = findings.Page("speed", folder)
claims = findings.claims("fig9_max", "fig9_min", "speedup_abstract", "speedup_max")
by_k = table2()["speedup"].astype(float)
display(scoreboard.opening("19_figure_9", folder))
page.remarks()

# %% tags=["remove-cell"]
origin.hand_over(page.sources())

# %% [markdown]
# ## What came out


# %% tags=["hide-input"]
def peers(rows):
    """The baseline and the fastest other model of a point, as frames of one row; empty where there is none."""
    others = rows[(rows["state"] == "measured") & ~rows["ours"].astype(bool)]
    return others[others["contender"] == REFERENCE], others.nsmallest(
        1, "step_seconds"
    ) if len(others) else others


def ratios(view):
    """The baseline, the fastest other model and GSR-GNN's rows of each point, with their ratios to the first two."""
    found = []
    for _, rows in view.rows.groupby("experiment point"):
        baseline, fastest = peers(rows)
        own = (
            rows["contender"]
            .str.extract(r"^GSR k=(?P<k>\d+) (?P<route>edges|nets)$")
            .astype({"k": float})
        )
        kept = (
            rows["contender"].isin([*baseline["contender"], *fastest["contender"]])
            | own["k"].notna()
        )
        rows = rows.join(own)[kept & (rows["state"] == "measured")]
        found.append(
            rows.join(findings.speedup(baseline, rows))
            .join(findings.speedup(fastest, rows).add_suffix(" fastest"))
            .assign(fastest="".join(fastest["contender"]))
        )
    return pd.concat(found).sort_values(
        ["hidden_channels", "ours", "route", "k"], kind="stable"
    )


def of_gsr(rows):
    return rows[rows["k"].notna()].astype({"k": int})


def span(rows, ending=""):
    """Ratio and interval as text."""
    texts = zip(
        *(rows[f"{name}{ending}"] for name in ("ratio", "low", "high")), strict=True
    )
    return [
        "–" if ratio != ratio else f"{ratio:.3g} ({low:.3g} to {high:.3g})"
        for ratio, low, high in texts
    ]


def shown(view):
    rows = ratios(view)
    own = of_gsr(rows)
    if own.empty:
        return []
    paper = {
        "paper: Table 2, width 384": by_k.to_dict(),
        "paper: Figure 9, at least": {
            4: claims["value"]["fig9_max"],
            64: claims["value"]["fig9_min"],
        },
    }
    names = {f"{name} fastest": name for name in ("ratio", "low", "high")}
    picture = figures.show(
        figures.contenders.speedups(own, paper, REFERENCE),
        figures.contenders.speedups(
            own.drop(columns=names.values()).rename(columns=names),
            {},
            "the fastest other model",
        ),
        alt="Two charts on logarithmic axes: how many times as fast a training step of GSR-GNN is against k, a line "
        "for each width and route, with intervals. Left against RevGNN on an edge_index, with the paper's values; "
        "right against the fastest other model of the same run. The table below has the numbers.",
        caption=captions.speed(own, f"RevGNN on an {REFERENCE.split()[-1]}"),
        setting=view.settings,
        name=view.figure("by-k"),
    )
    table = pd.DataFrame(
        {
            "width": rows["hidden_channels"],
            "model": rows["contender"],
            "step, ms": (rows["step_seconds"] * 1e3).map(
                lambda ms: f"{ms:,.0f}" if ms >= 100 else f"{ms:.3g}"
            ),
            "× the baseline": span(rows),
            "× the fastest other": span(rows, " fastest"),
        }
    )
    table = figures.table(
        table,
        index=False,
        caption="A training step, and how many times as fast it is, with intervals",
    )
    return [picture, table]


page.show(shown, "num_layers")

# %% [markdown]
# Table 2 of the paper has a speedup for each $k$, on another circuit, of a network 384 wide; they are the diamonds
# above. The largest of them is about half of Figure 9's. [The audit](06_audit.ipynb) sets these statements beside each
# other.

# %% [markdown]
# ## What differs, and why


# %% tags=["hide-input"]
def in_words(view):
    """By width: how far the speedup reaches, and what of it is owed to something else than sparsity."""
    lines = []
    for width, rows in ratios(view).groupby("hidden_channels"):
        own, fastest = of_gsr(rows), rows[rows["contender"] == rows["fastest"]]
        if own["ratio"].notna().any():
            best, least = (
                own.loc[own["ratio"].idxmax()],
                own.loc[own["ratio"].idxmin()],
            )
            met = {
                f"the paper's {claims['value']['fig9_max']:g}": claims["value"][
                    "fig9_max"
                ],
                f"its Table 2's {by_k.max():g}": by_k.max(),
            }
            lines.append(
                f"- Width {width}: {least['ratio']:.3g} times (k = {least['k']}, via {least['route']}) to "
                f"{best['ratio']:.3g} times (k = {best['k']}, via {best['route']}) as fast as the baseline; "
                + ", ".join(
                    f"{words} {'is' if best['ratio'] >= value else 'is not'} reached"
                    for words, value in met.items()
                )
                + "."
            )
        else:
            lines.append(
                f"- Width {width}: the baseline or GSR-GNN has no time, so there is no speedup over it."
            )
        if len(fastest) and len(own):
            peer, best = fastest.iloc[0], own.loc[own["ratio fastest"].idxmax()]
            gap = (
                f", which itself is {peer['ratio']:.3g} times as fast as the baseline"
                if peer["ratio"] > 0
                else ""
            )
            lines.append(
                f"- Width {width}: at most {best['ratio fastest']:.3g} times (k = {best['k']}, via {best['route']}) "
                f"as fast as the fastest other model, {peer['contender']}{gap}. Interval and all, "
                f"{(own['low fastest'] > 1).sum()} of {len(own)} rows of GSR-GNN are faster than it and "
                f"{(own['high fastest'] < 1).sum()} slower."
            )
    return [
        f"On {findings.named(view.circuit)}, {view.setting['num_layers']} layers, {view.machine} "
        f"({figures.reference(view.figure('by-k'))}):",
        "",
        *lines,
        "",
    ]


for view in page.views("num_layers"):
    display(Markdown("\n".join(in_words(view))))

findings.not_measured(page.rows)

# %% [markdown]
# A speedup over the baseline has two parts. One is owed to the way of summing: the baseline writes and reads a message
# for each edge, and the clique of a net has very many. The fastest other model spares that without any sparsity: what
# it gains over the baseline is the first part, what GSR-GNN gains over it the second. The second comes from the top
# $k$, which leaves $k$ of $D / 2$ numbers a row to be summed and multiplied, $D$ being the width, and from what else
# the two models differ in. So it can be large where $k$ is small beside the width, and little where it is not.
#
# The paper's values are of a GPU, of a hundred layers, and of circuits with other numbers of edges. Its text leaves
# open whether the time has evaluation or data loading in it; ours is the training step alone. Its ratios and ours can
# be compared in size, not digit by digit.

# %% [markdown]
# ## How it is measured
#
# Each point is one notebook, `notebooks/experiments/speed.py`, run by `gsrgnn sweep`. All models of a point train on
# one circuit in one process. After a warm-up each makes one step in turn (forward, backward, Adam), five rounds or
# more. A value is the ratio of two medians. A bar goes from the other's fastest round over GSR-GNN's slowest to the
# other's slowest over GSR-GNN's fastest, the widest interval that the rounds allow.
#
# A model sums over neighbours by a **route**: on an *edge_index* it makes a message for each edge and adds them up;
# via *edges* it reads the neighbours' rows without making messages; via *nets* it sums each net once and hands the sum
# to its cells, which gives the same result ([](09_through_nets.ipynb)). The *baseline* is RevGNN on an edge_index, as
# in the paper. The *fastest other model* is that of the same point: RevGNN with our kernels, a RevGNN whose steps are
# fused, or a checkpointed GraphSAGE.

# %% [markdown]
# ## Run it again
#
# ```sh
# gsrgnn sweep cpu --only speed      # two cores; gpu and paper have the full depth
# gsrgnn sweep cpu --list            # the points, what is done, the time left
# ```
#
# With a GPU: [](27_your_gpu.ipynb).
