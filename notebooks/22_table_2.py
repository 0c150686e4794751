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
# three faster. This page splits a training step of ours in the same way, and holds the paper's seconds against what a
# model says that its card can do.

# %% tags=["parameters", "remove-input"]
folder = "results"  # where the records of `gsrgnn sweep` lie

# %% tags=["hide-input"]
import re

import pandas as pd
from IPython.display import Markdown, display

from gsrgnn.book import captions, figures, findings, origin, scoreboard
from gsrgnn.book.paper import reported, table2
from gsrgnn.circuits import table1
from gsrgnn.lab import limits, step_model
from gsrgnn.lab.bench.contenders import REFERENCE

page = findings.Page("speed", folder)
values = reported()
claims = values[values.index.str.startswith("t2_")]
by_k = table2().astype(float)


def base(part):
    return claims["value"][f"t2_base_{part}"]


display(scoreboard.opening("22_table_2", folder))
page.remarks()

# %% tags=["remove-cell"]
origin.hand_over(
    [*page.sources(), *findings.Page("profile", folder).sources()],
    "the model of a step on the paper's card",
)

# %% [markdown]
# ## What came out

# %% tags=["hide-input"]
PARTS = ["forward", "backward", "rest"]
WIDTH, LAYERS = 384, 100  # of the paper's Table 2


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


def undetermined(rows):
    """Where what is left of a step for the rest is negative, or less than the spread of the step."""
    spread = rows["step_high"] - rows["step_low"]
    return rows["rest_seconds"] <= spread


def papers(view, names):
    """The paper's times for the contenders that it has, the baseline and each k, by either route, of its own width."""
    found = {}
    for name in names if view.setting["hidden_channels"] == WIDTH else []:
        k = re.search(r"k=(\d+)", name)
        if not k:
            found[name] = {
                part: base(part)
                for part in ("forward", "backward", "copy", "total")
            } | {"speedup": 1.0}
        elif int(k[1]) in by_k.index:
            found[name] = by_k.loc[
                int(k[1]), ["forward", "backward", "copy", "total", "speedup"]
            ].to_dict()
    return (
        pd.DataFrame(found)
        .T.reindex(columns=["forward", "backward", "copy", "total", "speedup"])
        .rename(columns={"copy": "rest"})
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
    shares, theirs = shares_of(rows), papers(view, rows.index)
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
        caption=captions.fastest_step(
            rows, (theirs["backward"] / theirs["total"]).to_dict(), REFERENCE
        ),
        setting=view.settings,
        name=view.figure("shares"),
    )
    unknown = undetermined(rows)
    times = pd.DataFrame(
        {
            "forward, ms": timed(rows, "forward"),
            "backward, ms": timed(rows, "backward"),
            "rest, ms": rows["rest_seconds"].map(ms).mask(unknown),
            "step, ms": timed(rows, "step"),
        },
        rows.index,
    ).rename_axis(None)
    ratio = findings.speedup(rows.loc[rows.index == REFERENCE], rows)["ratio"]
    percent = "{:.1%}".format
    columns = {
        "forward": shares["forward"].map(percent),
        "paper's": theirs["forward"] / theirs["total"],
        "backward": shares["backward"].map(percent),
        "paper's ": theirs["backward"] / theirs["total"],
        "rest": shares["rest"].map(percent).mask(unknown),
        "paper's  ": theirs["rest"] / theirs["total"],
        "speedup": ratio.map("{:.1f}".format, na_action="ignore"),
        "paper's   ": theirs["speedup"].map("{:.1f}".format),
    }
    if theirs.empty:
        columns = {name: columns[name] for name in list(columns)[::2]}
        title = "Shares of a step, and speedup over the baseline; the paper has none of this width"
    else:
        title = "Shares of a step, and speedup over the baseline; the paper's rest is its copies"
    beside = pd.DataFrame(
        {name: column.reindex(rows.index) for name, column in columns.items()}
    ).rename_axis(None)
    shares_of_paper = dict.fromkeys(
        [name for name in list(beside)[:6] if name.startswith("paper")], percent
    )
    missing = "; –: not determined" * bool(unknown.any())
    median = "Median and interval of the rounds"
    return [
        picture,
        figures.table(times, caption=median + missing).format(na_rep="–"),
        figures.table(beside, caption=title + missing).format(
            shares_of_paper, na_rep="–"
        ),
    ]


page.show(shown, "hidden_channels", "num_layers", "ks")

# %% [markdown]
# ## The paper's table

# %% tags=["hide-input"]
paper = pd.concat(
    [
        pd.DataFrame(
            {
                part: [base(part)]
                for part in ("forward", "backward", "copy", "total")
            },
            ["RevGNN"],
        ),
        by_k[["forward", "backward", "copy", "total", "speedup"]].rename(
            "K = {}".format
        ),
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
left = by_k["total"] - by_k[["forward", "backward", "copy"]].sum(axis="columns")
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
        f"{left.abs().max():.2f} s, a share by up to {max(shares):.1f} points from what the times give, a speedup by up "
        f"to {ratios.max():.1f}. Section 3.1 has the same baseline, and differs from the table in {' and '.join(apart)}. "
        "The caption names graph 3, the text 356-R, which is graph 7. [The audit](06_audit.ipynb) has all of this, number "
        "by number."
    )
)

# %% [markdown]
# ## What differs, and why

# %% tags=["hide-input"]
shallower = pd.concat([page.rows, findings.Page("profile", folder).rows])


def extrapolated(view, rows):
    """In words, where the baseline has no time at this depth: what a line through its times at two others gives."""
    there = shallower[
        (shallower["contender"] == REFERENCE)
        & (shallower["state"] == "measured")
        & (shallower["circuit"] == view.circuit)
        & (shallower["machine"] == view.machine)
        & (shallower["hidden_channels"] == view.setting["hidden_channels"])
    ]
    by_depth = there.groupby("num_layers")["step_seconds"].median()
    if REFERENCE in rows.index or len(by_depth) < 2:
        return []
    (less, first), (more, last) = by_depth.iloc[[0, -1]].items()
    layer, depth = (last - first) / (more - less), view.setting["num_layers"]
    step = last + (depth - more) * layer
    gains = [
        f"{name} would be {step / seconds:.0f} times"
        for name, seconds in rows["step_seconds"].items()
    ]
    return [
        f"- The baseline was not timed with {depth} layers. From {less} to {more} layers its step takes "
        f"{layer:.3g} s a layer more; on that line it is {step:,.0f} s here, and {', '.join(gains)} as fast. That is "
        "extrapolated: a layer's messages are gone before the next layer's are made."
    ]


def in_words(view):
    """Which part is gained most over the baseline, and how far the shares are from the paper's."""
    rows = steps(view)
    shares, theirs = shares_of(rows), papers(view, rows.index)
    lines = extrapolated(view, rows)
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
    unsure = rows.index[undetermined(rows)]
    if len(unsure):
        names = "" if len(unsure) == len(rows) else f": {', '.join(unsure)}"
        lines.append(
            f"- The rest of {len(unsure)} of {len(rows)} rows is smaller than the spread of their steps, so "
            f"it is not determined{names}."
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
    return [
        f"On {findings.named(view.circuit)}, {setting}, {view.machine} "
        f"({figures.reference(view.figure('shares'))}):",
        "",
        *lines,
        "",
    ]


for view in page.views("hidden_channels", "num_layers", "ks"):
    display(Markdown("\n".join(in_words(view))))

findings.not_measured(page.rows)

# %% [markdown]
# A reversible backward pass recomputes what the forward pass made and then differentiates it, which is some three times
# the arithmetic of the forward pass. In a network of few layers the forward pass of the encoder, which is not
# recomputed, weighs more than in one of a hundred. The optimiser's time depends on the number of parameters and not on
# the circuit, so its share is large where the circuit is small. Seconds cannot be compared: the paper's are of an epoch
# of a hundred layers on a GPU; the depth and the machine of ours are below the figure.

# %% [markdown]
# ### The paper's seconds against first principles: a model
#
# No card of ours has made this step yet. What it can take at the least, though, follows from the size of the circuit
# and the data sheet of the paper's card, an A6000. [On the GPU](13_gpu.ipynb) derives it kernel by kernel, for a
# RevGNN that makes a message an edge and for GSR-GNN. **The times of the model below are computed, not measured.**
# There are two cases: a row that is gathered for many edges comes from the card's memory *once*, or *each time*. Of
# the paper's GSR-GNN the kernels are not known, so only what they have to move is counted, along the edges and in the
# paper's order: select, sum over neighbours, Linear, LayerNorm.

# %% tags=["hide-input"]
GRAPH = "356-R"  # of the paper's Table 2
CASES = {
    "once": step_model.read_once(limits.A6000),
    "each": step_model.read_each_time(limits.A6000),
}
sizes = step_model.Sizes.of_row(GRAPH)


def revgnn(card, via=None):
    return step_model.revgnn(card, sizes, WIDTH, LAYERS, via)


def paper_gsr(card, k):
    parts = step_model.gsr(
        card, sizes, WIDTH, LAYERS, k, via="edges", first="aggregate"
    )
    return step_model.bytes_alone(parts)


def our_gsr(card, k):
    return step_model.fastest(card, sizes, WIDTH, LAYERS, k)[1]


def in_cases(parts, *arguments):
    """Seconds of either pass and of both, in either case."""
    return {
        (case, part): step_model.seconds(
            parts(card, *arguments), None if part == "total" else part
        )
        for case, card in CASES.items()
        for part in ("forward", "backward", "total")
    }


model = pd.DataFrame(
    {
        "RevGNN": in_cases(revgnn),
        "RevGNN, no messages": in_cases(revgnn, "edges"),
    }
    | {f"GSR-GNN, K = {k}": in_cases(paper_gsr, k) for k in by_k.index}
    | {f"ours, K = {k}": in_cases(our_gsr, k) for k in by_k.index}
).T
times = (
    paper[["forward", "backward", "total"]]
    .rename(index=lambda name: name.replace("K =", "GSR-GNN, K ="))
    .reindex(model.index)
)
once, each = model["once"], model["each"]
totals = {"once": once["total"], "each": each["total"], "paper": times["total"]}
figures.show(
    figures.gpu.step_ranges(pd.DataFrame(totals)),
    alt="A horizontal bar for each model on a logarithmic axis of seconds, from the least time to that without reuse, "
    "and the paper's times as diamonds. The table below has the numbers.",
    caption=f"By a model of the step on an A6000, the paper's RevGNN takes {base('total') / once['total']['RevGNN']:.2f} "
    "times its least time. Only the diamonds were measured, by the paper; a bar begins where rows are read once and "
    "ends where they are read each time.",
    setting=f"{GRAPH}, {LAYERS} layers, width {WIDTH}.",
    name="model",
)

# %% tags=["hide-input"]
columns = {
    ("forward", "once"): once["forward"],
    ("forward", "paper"): times["forward"],
    ("backward", "once"): once["backward"],
    ("backward", "paper"): times["backward"],
    ("both", "once"): once["total"],
    ("both", "each"): each["total"],
    ("both", "paper"): times["total"],
}
figures.table(
    pd.DataFrame(columns),
    caption="Seconds of a step on an A6000: by the model, rows read once and each time, and in the paper",
).format("{:.2f}", na_rep="–")

# %% tags=["hide-input"]
over = pd.DataFrame(
    {"once": times["total"] / once["total"], "each": times["total"] / each["total"]}
)
figures.table(over.dropna(), caption="The paper's seconds over the model's").format(
    "{:.2f}"
)

# %% tags=["hide-input"]
least, speed = once["total"], limits.A6000.hbm
messages = 4 * sizes.edges * WIDTH // 2
blocks = base("forward") * speed / (2 * LAYERS) / messages
copied = base("copy") * speed / 2 / LAYERS
stream = 4 * sizes.nodes * WIDTH
rest = base("total") - least["RevGNN"]
ks = by_k.index
over, ours = (
    {
        case: values["total"][[f"{whose}, K = {k}" for k in ks]].set_axis(ks)
        for case, values in (("once", once), ("each", each))
    }
    for whose in ("GSR-GNN", "ours")
)
over = {case: by_k["total"] / seconds for case, seconds in over.items()}
served = [str(k) for k in ks if over["each"][k] < 1]
longest = max(revgnn(CASES["once"], "edges"), key=lambda part: part.seconds)
binds = (
    "the L2, whose speed is assumed," if longest.bound.by == "l2" else "the memory"
)
ahead = by_k["total"] / ours["once"]
first, last = ks[0], ks[-1]
of = {
    (case, part): times[part]["RevGNN"] / values[part]["RevGNN"]
    for case, values in (("once", once), ("each", each))
    for part in ("forward", "backward")
}
other = next(row for row in table1.rows() if row.number == 3)
lines = [
    "What follows, if the data sheet and the count are right:",
    "",
    "- **If the baseline makes messages, as its memory says, it moves them nearly as fast as the card can.** "
    "([Figure 3](16_figure_3.ipynb) finds one array of messages in its memory, and the place of a second.) In the "
    f"{base('forward'):g} s of its forward pass the card moves {base('forward') * speed / 1e12:.1f} TB at most, for "
    f"each of {2 * LAYERS} blocks {blocks:.2f} arrays of messages of {messages / 1e9:.1f} GB. A block writes one and "
    "reads one; another step over the edges, such as a softmax, would move two more. The forward pass takes "
    f"{of['once', 'forward']:.2f} times the least, the backward pass {of['once', 'backward']:.2f} times. Both take less "
    f"than rows read each time would ({of['each', 'forward']:.2f} and {of['each', 'backward']:.2f} of it), so the caches "
    "served a large part of the rows.",
    f"- **Then allocation and copies are at most {rest / base('total'):.0%} of the step.** It takes "
    f"{base('total'):g} s and its least is {least['RevGNN']:.1f} s. The other {rest:.1f} s are those, and whatever is "
    "slower than its bound.",
    f"- **The copies are not the stream's alone.** In {base('copy'):g} s the card could copy the stream "
    f"{copied / stream:.0f} times a layer, or {copied / messages:.2f} times an array of messages. So something of that "
    "size was copied, or the time is in part waiting.",
    "- **How much of the gain is sparsity's these numbers cannot say.** The same RevGNN without messages takes "
    f"{least['RevGNN, no messages']:.1f} s at the least, for which {binds} is the bound, and "
    f"{each['total']['RevGNN, no messages']:.1f} s if rows are read each time; the paper's GSR-GNN takes "
    f"{by_k['total'][first]:g} s with K = {first}. Against a baseline at its bound it would be "
    f"{least['RevGNN'] / by_k['total'][first]:.1f} times as fast in place of {by_k['speedup'][first]:g}.",
    f"- **The paper's GSR-GNN takes {over['once'].min():.1f} to {over['once'].max():.1f} times its least time**, and "
    f"{over['each'].min():.2f} to {over['each'].max():.2f} times what rows read each time take"
    + f"; with K = {', '.join(served)} the caches must have helped" * bool(served)
    + ".",
    f"- **Ours, with its kernels as they are, needs {ours['once'][first]:.2f} s with K = {first} and "
    f"{ours['once'][last]:.2f} s with K = {last} at the least on that card.** That would be {ahead.min():.1f} to "
    f"{ahead.max():.1f} times as fast as the paper's. How near ours comes, no measurement shows yet.",
    "",
    f"The caption names graph 3, {other.code}. It has {other.edges / 1e6:.1f} million edges in place of "
    f"{sizes.edges / 1e6:.1f}, so its messages take {other.edges / sizes.edges - 1:.0%} longer. If the paper's epoch holds "
    "an evaluation too, the model does not have it.",
]
Markdown("\n".join(lines))

# %% [markdown]
# ## How it is measured
#
# As for [Figure 9](19_figure_9.ipynb): all models of a point make a training step in turn in one process, five rounds
# or more after a warm-up. The clock is read before the step, after the loss, after the backward pass and after the
# optimiser's step; on a GPU the card has finished its work each time. *Forward* holds the loss, *rest* is what is left
# of the step: the optimiser. A value is a median; an interval goes from the fastest to the slowest round. The thin bar
# at the end of a forward share goes from the fastest forward pass over the slowest step to the reverse.
#
# Medians of the parts need not add up to the median of the step, so the rest is as uncertain as the step's interval is
# wide. Where it is smaller than that, or negative, it is *not determined*.
#
# The paper's values are of a network 384 wide, and stand beside ours of that width alone.
#
# The paper's third part, memory copies on the card, is not timed apart: a copy that a model makes in its forward or its
# backward pass counts there. A CPU has no such copies between two memories, but what RevGNN copies on it counts in the
# same way.

# %% [markdown]
# ## Run it again
#
# ```sh
# gsrgnn sweep cpu --only speed      # two cores; gpu and paper have the full depth
# gsrgnn sweep cpu --list            # the points, what is done, the time left
# ```
#
# With a GPU: [](27_your_gpu.ipynb).
