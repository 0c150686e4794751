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
# # Table 2: where a step's time goes
#
# The paper splits an epoch of RevGNN and of GSR-GNN into forward pass, backward pass and memory copies, and finds all
# three faster. This page splits a training step of ours in the same way. Nothing is timed here.

# %% tags=["parameters"]
folder = "results"  # where the records of `gsrgnn sweep` lie

# %% tags=["hide-input"]
import re

import pandas as pd
from IPython.display import Markdown, display

from gsrgnn.book import figures, findings
from gsrgnn.book.paper import reported, table2
from gsrgnn.lab.bench.contenders import REFERENCE

page = findings.Page("speed", folder)
values = reported()
claims = values[values.index.str.startswith("t2_")]
by_k = table2().astype(float)

# %% [markdown]
# ## The claim


# %% tags=["hide-input"]
def base(part):
    return claims["value"][f"t2_base_{part}"]


paper = pd.concat(
    [
        pd.DataFrame(
            {
                part: [base(part)]
                for part in ("forward", "backward", "copy", "total")
            },
            ["RevGNN"],
        ),
        by_k[["forward", "backward", "total", "speedup"]].rename("K = {}".format),
    ]
)
columns = {
    "forward": "forward, s",
    "backward": "backward, s",
    "copy": "copy, s",
    "total": "total, s",
    "speedup": "speedup",
}
figures.table(
    paper.rename(columns=columns)[list(columns.values())],
    caption="The paper's Table 2: 100 layers, width 384; seconds an epoch",
).format("{:g}", na_rep="–")

# %% tags=["hide-input"]
copies = by_k["total"] - by_k["forward"] - by_k["backward"]
shares = [
    (by_k[part] / by_k["total"] * 100 - by_k[f"{part}_percent"]).abs().max()
    for part in ("forward", "backward")
]
ratios = (base("total") / by_k["total"] - by_k["speedup"]).abs()
section = values["value"]
between = {
    part: abs(base(part) - section[f"s31_{part}"])
    for part in ("forward", "backward", "copy")
}
apart = [f"{part} by {gap:.2f} s" for part, gap in between.items() if gap > 0.005]
display(
    Markdown(
        f"Its numbers fit together within rounding: the parts of the baseline differ from its total by "
        f"{abs(base('forward') + base('backward') + base('copy') - base('total')):.2f} s, those of GSR-GNN by up to "
        f"{copies.abs().max():.2f} s, a share by up to {max(shares):.1f} points from what the times give, a speedup by up "
        f"to {ratios.max():.1f}. Section 3.1 has the same baseline, and differs from the table in {' and '.join(apart)}. "
        "The caption names graph 3, the text 356-R, which is graph 7. [The audit](06_audit.ipynb) has all of this, number "
        "by number."
    )
)

# %% [markdown]
# ## How it is measured
#
# As for [Figure 9](19_figure_9.ipynb): all models of a point make a training step in turn in one process, five rounds
# or more after a warm-up. The clock is read before the step, after the loss, after the backward pass and after the
# optimiser's step; on a GPU the card has finished its work each time. *Forward* holds the loss, *rest* is what is left
# of the step: the optimiser. A value is a median; an interval goes from the fastest to the slowest round. The thin bar
# at the end of a forward share goes from the fastest forward pass over the slowest step to the reverse.
#
# Medians of the parts need not add up to the median of the step. What is missing or too much lies in the rest, which is
# therefore as uncertain as the step's interval is wide.
#
# The paper's third part, memory copies on the card, is not timed apart: a copy that a model makes in its forward or its
# backward pass counts there. A CPU has no such copies between two memories, but what RevGNN copies on it counts in the
# same way.
#
# ## What came out

# %% tags=["hide-input"]
page.remarks()

# %% tags=["hide-input"]
PARTS = ["forward", "backward", "rest"]


def steps(view):
    """The baseline and GSR-GNN, a row a contender: seconds of each part, with the lowest and the highest."""
    rows = (
        view.rows[view.rows["state"] == "measured"]
        .drop_duplicates("contender")
        .set_index("contender")
    )
    names = [
        name
        for name in rows.index
        if name == REFERENCE or re.match(r"GSR k=\d+ ", name)
    ]
    rows = rows.loc[
        sorted(names, key=lambda name: (name != REFERENCE, name.split()[-1]))
    ]
    return rows.assign(
        rest_seconds=rows["step_seconds"]
        - rows["forward_seconds"]
        - rows["backward_seconds"]
    )


def shares_of(rows):
    """The parts of a step as shares of it."""
    return pd.DataFrame(
        {
            part: rows[f"{part}_seconds"].clip(lower=0) / rows["step_seconds"]
            for part in PARTS
        }
    )


def papers(names):
    """The paper's times for the contenders that it has: the baseline, and each k, by either route."""
    found = {}
    for name in names:
        k = re.search(r"k=(\d+)", name)
        if not k:
            found[name] = {
                part: base(part) for part in ("forward", "backward", "total")
            } | {"speedup": 1.0}
        elif int(k[1]) in by_k.index:
            found[name] = by_k.loc[
                int(k[1]), ["forward", "backward", "total", "speedup"]
            ].to_dict()
    times = pd.DataFrame(found).T.reindex(
        columns=["forward", "backward", "total", "speedup"]
    )
    return times.assign(
        rest=(times["total"] - times["forward"] - times["backward"]).clip(lower=0)
    )


def ms(seconds):
    return f"{seconds * 1e3:,.0f}" if seconds >= 0.1 else f"{seconds * 1e3:.3g}"


def timed(rows, part):
    """Median and interval in ms as text."""
    times = zip(
        *(rows[f"{part}_{name}"].map(ms) for name in ("seconds", "low", "high")),
        strict=True,
    )
    return [f"{middle} ({low} to {high})" for middle, low, high in times]


def shown(view):
    rows = steps(view)
    if rows.empty:
        return []
    shares, theirs = shares_of(rows), papers(rows.index)
    bounds = pd.DataFrame(
        {
            "low": rows["forward_low"] / rows["step_high"],
            "high": rows["forward_high"] / rows["step_low"],
        }
    )
    totals = pd.DataFrame(
        {
            "contender": rows.index,
            "value": rows["step_seconds"],
            "low": rows["step_low"],
            "high": rows["step_high"],
            "ours": rows["ours"].astype(bool),
        }
    )
    picture = figures.show(
        figures.contenders.step_shares(
            shares,
            bounds,
            theirs[PARTS].div(theirs[PARTS].sum(axis=1), axis="index"),
        ),
        figures.contenders.side_by_side(
            totals, "seconds a step (paper: an epoch)", theirs["total"].to_dict()
        ),
        alt="Two charts. Left a bar for each model, the shares of forward pass, backward pass and rest in its step, "
        "with the ends of the paper's shares as diamonds. Right the seconds of a step on a logarithmic axis with "
        "intervals, and the paper's totals as diamonds. The tables below have the numbers.",
        caption=view.caption,
    )
    times = pd.DataFrame(
        {
            "forward, ms": timed(rows, "forward"),
            "backward, ms": timed(rows, "backward"),
            "rest, ms": rows["rest_seconds"].map(ms),
            "step, ms": timed(rows, "step"),
        },
        rows.index,
    ).rename_axis(None)
    ratio = findings.speedup(rows.loc[rows.index == REFERENCE], rows)["ratio"]
    columns = {
        "forward": shares["forward"],
        "paper's": theirs["forward"] / theirs["total"],
        "backward": shares["backward"],
        "paper's ": theirs["backward"] / theirs["total"],
        "rest": shares["rest"],
        "paper's  ": theirs["rest"] / theirs["total"],
        "speedup": ratio,
        "paper's   ": theirs["speedup"],
    }
    beside = pd.DataFrame(
        {name: column.reindex(rows.index) for name, column in columns.items()}
    ).rename_axis(None)
    percent = dict.fromkeys(list(columns)[:6], "{:.1%}") | dict.fromkeys(
        list(columns)[6:], "{:.1f}"
    )
    title = "Shares of a step, and speedup over the baseline; the paper's rest is its copies"
    tables = (
        figures.table(times, caption="Median and interval of the rounds"),
        figures.table(beside, caption=title).format(percent, na_rep="–"),
    )
    style = "white-space: nowrap"
    return [
        picture,
        *(
            table.map(lambda _: style).map_index(lambda _: style)
            for table in tables
        ),
    ]


page.show(shown, "hidden_channels", "num_layers", "ks")

# %% tags=["hide-input"]
findings.not_measured(page.rows)

# %% [markdown]
# ## What differs, and why


# %% tags=["hide-input"]
def in_words(view):
    """Which part is gained most over the baseline, and how far the shares are from the paper's."""
    rows = steps(view)
    shares, theirs, lines = shares_of(rows), papers(rows.index), []
    their_shares = theirs[["forward", "backward"]].div(
        theirs["total"], axis="index"
    )
    if REFERENCE in rows.index and len(rows) > 1:
        first = rows.drop(REFERENCE)["step_seconds"].idxmin()
        gains = [
            f"{part} {rows[f'{part}_seconds'][REFERENCE] / rows[f'{part}_seconds'][first]:.3g} times"
            for part in ("forward", "backward")
        ]
        lines.append(
            f"- The fastest, {first}, against the baseline: {', '.join(gains)} as fast."
        )
    unsure = rows.index[
        rows["rest_seconds"].abs() < rows["step_high"] - rows["step_low"]
    ]
    if len(unsure):
        names = "" if len(unsure) == len(rows) else f": {', '.join(unsure)}"
        lines.append(
            f"- The rest of {len(unsure)} of {len(rows)} rows is smaller than the spread of their steps, so "
            f"it is not told apart from nothing{names}."
        )
    for name, part in (
        ("the baseline", rows.index == REFERENCE),
        ("GSR-GNN", rows.index != REFERENCE),
    ):
        known = their_shares.index.intersection(rows.index[part])
        if len(known):
            ours, paper = (
                shares.loc[known, "backward"],
                their_shares.loc[known, "backward"],
            )
            here, there = (
                " to ".join(dict.fromkeys([f"{of.min():.0%}", f"{of.max():.0%}"]))
                for of in (ours, paper)
            )
            lines.append(
                f"- Backward share of {name}: {here} here, {there} in the paper."
            )
    setting = f"width {view.setting['hidden_channels']}, {view.setting['num_layers']} layers"
    return [f"On {view.circuit}, {setting}, {view.machine}:", "", *lines, ""]


for view in page.views("hidden_channels", "num_layers", "ks"):
    display(Markdown("\n".join(in_words(view))))

# %% [markdown]
# A reversible backward pass recomputes what the forward pass made and then differentiates it, which is some three times
# the arithmetic of the forward pass. In a network of few layers the forward pass of the encoder, which is not
# recomputed, weighs more than in one of a hundred. The optimiser's time depends on the number of parameters and not on
# the circuit, so its share is large where the circuit is small. Seconds cannot be compared: the paper's are of an epoch
# of a hundred layers on a GPU; the depth and the machine of ours are below the figure.
#
# ## Run it again
#
# ```sh
# gsrgnn sweep cpu --only speed      # two cores; gpu and paper have the full depth
# gsrgnn sweep cpu --list            # the points, what is done, the time left
# ```
