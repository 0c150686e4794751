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
# # Side by side
#
# How long a training step takes and how much memory it needs depends on the model, and as much on how the sums over
# neighbours are made. So every model runs by every route that it can take, in turn, on one machine. This page shows one
# such run, which `gsrgnn bench` wrote down.
#
# Afterwards you can
#
# - say what a step of GSR-GNN costs beside each baseline, and which of them is the one to beat;
# - say what a step has to multiply and to move at least, and how far each k is from that;
# - make the same record of your own machine and circuit.

# %% tags=["parameters"]
folder = "results"  # where records lie
record = "newest"  # of bench-*.json in the folder, or a file

# %%
from datetime import datetime

import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from gsrgnn.book import captions, figures, findings, origin, steps
from gsrgnn.lab.bench import report
from gsrgnn.lab.bench.floor import floors
from gsrgnn.lab.bench.record import calls, differences, observations, read, read_all
from gsrgnn.lab.bench.targets import targets
from gsrgnn.lab.records import machine_in_words

if record == "newest":
    whole, left_out = read_all(folder)
    whole.sort(key=lambda r: datetime.fromisoformat(r["provenance"]["date"]))
else:
    whole, left_out = [read(record)], []
for words in left_out:
    print(f"left out: {words}")


def made_alike(r):
    """What two runs share that may be read together."""
    made, p = r["provenance"], r["parameters"]
    return (made["CPU"], p["circuit"], p["hidden"])


def rows_measured(r):
    return sum(row["state"] == "measured" for row in r["rows"])


alike = [r for r in whole if made_alike(r) == made_alike(whole[-1])]
run = max(alike, key=rows_measured, default=None)

# %% tags=["remove-cell"]
origin.hand_over(
    [
        *origin.of_files("gsrgnn bench", whole),
        *findings.Page("speed", folder).sources(),
    ]
)

# %% [markdown]
# ## What was run


# %% tags=["hide-input"]
def not_run(names):
    """Models and routes that this page describes and the run has no row of, in words."""
    models = {
        "GCN ",
        "GraphSAGE ",
        "RevGNN ",
        "RevGNN compiled",
        "FusedRevGNN ",
        "CheckpointSAGE",
        "GSR ",
    }
    routes = {" edge_index", " segment_csr", " csr", " mkl", " edges", " nets"}
    there = [*names]
    absent = [
        m.strip() for m in sorted(models) if not any(n.startswith(m) for n in there)
    ]
    return ", ".join(
        absent
        + [
            r.strip()
            for r in sorted(routes)
            if not any(n.endswith(r) for n in there)
        ]
    )


def what_was_run():
    if run is None:
        return (
            "There is no record in `results` that this code reads. `gsrgnn bench` makes one: a few minutes with its "
            "defaults on two cores, and `gsrgnn bench --help` says how to choose the circuit, the width and the depth. "
            "This page shows it when the book is built again."
        )
    p, sizes, made = run["parameters"], run["graph"], run["provenance"]
    lines = [
        f"| circuit | {p['circuit']}: {sizes['nodes']:,} cells, {sizes['pins']:,} pins on {sizes['nets']:,} nets "
        f"that join two cells or more, {sizes['edges']:,} directed edges |",
        f"| every model | width {p['hidden']}, {p['layers']} layers; Adam, squared error, the whole graph a step |",
        f"| times | medians of {p['steps']} rounds after a warm-up, each contender one step a round |",
        f"| memory | a step in a process of its own, at {' and '.join(map(str, p['memory_layers']))} layers |",
        f"| machine | {made['CPU']}; {run['threads']['torch']} threads; {made['OS']} |",
        f"| made | {made['date']}, gsrgnn {made['gsrgnn']} (code {made['code hash']}), torch {made['torch']} |",
    ]
    if absent := not_run(row["name"] for row in run["rows"]):
        lines.append(f"| not in this run | of what is described below: {absent} |")
    if in_parts := calls(run):
        lines.append(f"| in parts | {in_parts} |")
    if not run["complete"]:
        lines.append(
            "| **incomplete** | the run ended early; what was measured until then is shown |"
        )
    text = "\n".join(["| what | value |", "|:--|:--|", *lines])
    if apart := differences(run):
        text += (
            "\n\nNot as on the machine and with the code that made this page: "
            + "; ".join(
                f"{name} there {then}, here {now}"
                for name, (then, now) in apart.items()
            )
            + "."
        )
    return text


Markdown(what_was_run())

# %% [markdown]
# ## The contenders
#
# :::{list-table}
# :header-rows: 1
#
# * - model
#   - what it is
# * - GCN
#   - PyG's `GCNConv`, then ReLU, in every layer; nothing residual, autograd keeps all activations.
# * - GraphSAGE
#   - The same with PyG's `SAGEConv`, mean over the neighbours.
# * - RevGNN
#   - PyG's `GroupAddRev`, two groups, over LayerNorm, ReLU and `SAGEConv`; going back a layer is inverted, then run
#     again.
# * - RevGNN compiled
#   - RevGNN with each layer, forward and inverse, compiled by `torch.compile`; compiling is not in the time of a step.
# * - FusedRevGNN
#   - The same function, parameters and gradient as RevGNN; a block runs once going back, for both purposes.
# * - CheckpointSAGE
#   - `x + SAGEConv(ReLU(LayerNorm(x)))` at full width; `torch.utils.checkpoint` keeps the stream at each layer, or once
#     every $\sqrt{L}$ layers, and runs the rest again.
# * - GSR
#   - This package's `GSRGNN`: the sparse residual of Algorithm 1, or the dense one where the row says so. It takes the
#     cheaper [order of the products](10_reversible.ipynb), or the paper's where the row says *aggregate first*.
# :::
#
# :::{list-table}
# :header-rows: 1
#
# * - route
#   - how the sums over neighbours are made
# * - `edge_index`
#   - A message for every edge, gathered and scattered: PyG's way where it is given an `edge_index`.
# * - `segment_csr`
#   - The messages in the order of their targets, summed by `torch_scatter.segment_csr`.
# * - `csr`
#   - A product with the sparse adjacency, `torch.sparse.mm`; no messages.
# * - `mkl`
#   - The same product by Intel's MKL, through `sparse_dot_mkl`.
# * - edges
#   - This package's kernels, over the edges.
# * - nets
#   - This package's kernels, [through the nets](09_through_nets.ipynb).
# :::
#
# All get the same encoder, norm and head, and run in a process that uses freed memory again: by default glibc asks the
# system anew for every large array, which slows the models that make one in every layer. Any model that is not GSR is
# called a **peer**, also where it runs on this package's kernels.
#
# ## The floor
#
# How fast could a step be? Before any step is timed, what it has to multiply and to move is counted. The **floor** is
# what that takes at two speeds of the machine: the multiplications at the speed of a dense product, the bytes at that of
# a large copy. Selection, normalisation and rounding are counted as nothing.
#
# Let $N$ cells have groups of $d = D/2$ columns, and $L$ layers two blocks each. A block computes $f = \mathrm{LN}(A S
# W^T)$, where $S$ has $k$ entries a row. A step makes it three times: forward, going back again, and its gradient.
#
# **What is multiplied.** $S W^T$ takes $N k d$ multiplications with their additions. It is made forward and again, and
# its gradient is two such products, of the values and of $W$: $4 N k d$ a block, of which $k = d$ makes the dense
# products. A sum over the neighbours adds $E$ rows of $d$ numbers: each pin adds a row to its net, and one to its cell;
# on nets of two and three pins each pair adds one. That is $3 E d$ additions a block. The encoder takes $2 N F D$ for $F$
# features.
#
# **What is moved.** Say that an array of $N d$ numbers does not stay in a cache from one pass to the next. Whatever needs
# its own row alone can be one pass, however many steps it has. A row needs others in the sums alone: those of $h = S W^T$,
# and going back those of $z'$, the gradient at the sum. They run over the nets, and each is gathered, so that no two
# threads write to one row. So $h$ and $z'$ have to be written before they are read, and so have the $M$ nets' sums: $6 N
# d$ and $6 M d$ numbers a block for its three sums.
#
# What lies between two sums is one pass. Going forward it normalises, adds to a group, selects and multiplies. Going back
# it differentiates one block, takes another off, selects and multiplies anew. So group 1 is read and written once a layer
# forward, and once with its gradient going back: $6 N d$. Of group 2 Algorithm 1 leaves $k$ entries a row, which are
# kept: written and read forward, read for both passes of the block going back, $4 N k$ values of 4 bytes (2 in bfloat16)
# with indices of one. Its gradient has as many entries, and stays within a pass. The dense residual has the traffic of
# group 1 in its place.
#
# At the ends the encoder writes group 1, the head reads it twice and writes its gradient, the encoder reads that, and
# group 2 is written and read once: $7 N d$. Adam moves seven numbers a parameter.
#
# The terms are added. Arithmetic may hide behind traffic, or in part; were all of it hidden, the larger of the two
# would be left, so the table has them too. And a machine whose caches hold these arrays can be faster than the floor
# says: compare the size of one array, given below, with its last cache.

# %% tags=["hide-input"]
WHAT = {
    "products": "8 L N k d",
    "encoder": "2 N F D",
    "sums": "6 L E d",
    "crossing": "12 L · 4 N d",
    "nets": "12 L · 4 M d",
    "groups": "6 L · 4 N d",
    "kept": "4 L · N k (4 + 1)",
    "ends": "7 · 4 N d + 8 N F + 4 E",
    "optimizer": "28 a parameter",
}


def floor_table():
    """Terms of the floor, a column a k: milliseconds, and their share."""
    milliseconds = 1e3 * pd.DataFrame(
        {
            name.removeprefix("GSR ").removesuffix(" nets"): terms
            for name, terms in floors(run).items()
            if name.startswith(("GSR k", "GSR bfloat16")) and name.endswith("nets")
        }
    )
    whole = milliseconds.sum()
    arithmetic = milliseconds.loc[["products", "encoder", "sums"]].sum()
    shown = milliseconds.map("{:,.1f}".format) + (milliseconds / whole).map(
        " ({:.0%})".format
    )
    shown.insert(0, "amount", list(WHAT.values()))
    shown.loc["floor"] = ["", *whole.map("{:,.1f}".format)]
    shown.loc["arithmetic"] = ["", *arithmetic.map("{:,.1f}".format)]
    shown.loc["traffic"] = ["", *(whole - arithmetic).map("{:,.1f}".format)]
    return figures.table(
        shown, caption="The floor and its terms, in milliseconds (and shares)"
    )


if run:
    sizes, speeds = run["graph"], run["speeds"]
    array = 2 * sizes["nodes"] * run["parameters"]["hidden"]
    display(
        Markdown(
            f"Here $N$ = {sizes['nodes']:,}, $E$ = {sizes['entries']:,} and $M$ = {sizes['summed_nets']:,}; an array of "
            f"$N d$ numbers has {array / 1e6:,.2f} MB. The machine's best: {speeds['multiplications'] / 1e9:,.1f} billion "
            f"multiplications and {speeds['bytes'] / 1e9:,.1f} GB a second."
        )
    )
    if least := [*floors(run).values()]:
        display(floor_table())
        display(
            Markdown(
                "Of the sums over the neighbours, the additions take "
                f"{1e3 * least[0]['sums']:,.1f} ms, and what they have to move, $h$, $z'$ and the nets' sums, "
                f"{1e3 * (least[0]['crossing'] + least[0]['nets']):,.1f} ms."
            )
        )

# %% [markdown]
# ## Time of a step
#
# The last three columns are ratios of a whole step: RevGNN's on an `edge_index`, which is what the paper's baseline
# does, over this row's; the fastest peer's over this row's; and a GSR row's over the floor of its k.

# %% tags=["hide-input"]
if run:
    table = report.table(run).rename_axis(None)
    peer = report.best_peer(run)
    times = table[
        [name for name in table if name.endswith(" ms")]
        + [name for name in table if " / " in name]
    ]
    digits = "{:,.0f}" if times["step ms"].min() > 20 else "{:,.1f}"
    formats = {
        name: digits if name.endswith(" ms") else "{:,.2f}" for name in times
    }
    short = {
        "RevGNN edge_index / this": "RevGNN / this",
        "best peer / this": "peer / this",
    }
    short |= {name: name.removesuffix(" ms") for name in times if name not in short}
    style = figures.table(
        times.rename(columns=short),
        caption="Milliseconds, medians; ratios of the step",
    ).format(
        {short.get(name, name): form for name, form in formats.items()}, na_rep="–"
    )
    display(style)

# %% tags=["hide-input"]
if run:
    display(
        figures.show(
            figures.bench.steps(
                run,
                {name: sum(terms.values()) for name, terms in floors(run).items()},
            ),
            alt="Bar chart, a bar a model and route, of the seconds that a training step takes, on a logarithmic axis, "
            "with a line across each bar of GSR-GNN at its floor. The table above has the numbers.",
            caption=captions.bench_steps(table, peer and peer["name"]),
            setting="A training step; filled: GSR-GNN, the line across is its floor.",
            name="steps",
        )
    )


# %% tags=["hide-input"]
def in_words():
    ours = table.loc[
        [
            entry["name"]
            for entry in run["rows"]
            if entry["ours"] and entry["state"] == "measured"
        ]
    ]
    lines = [
        f"- {name}: {note}"
        for name, note in table["note"].items()
        if note and not note.startswith("memory")
    ]
    if peer and len(ours):
        fastest, seconds = ours["step ms"].idxmin(), 1e3 * peer["seconds"]["step"]
        row = ours.loc[fastest]
        sentence = (
            f"The fastest peer is {peer['name']} with {seconds:,.1f} ms; of GSR-GNN's rows it is {fastest} "
            f"with {row['step ms']:,.1f} ms"
        )
        if not np.isnan(row["RevGNN edge_index / this"]):
            sentence += f", {row['RevGNN edge_index / this']:,.1f} times as fast as RevGNN on an `edge_index`"
        lines.insert(0, sentence + ".\n")
    return "\n".join(lines)


if run:
    display(Markdown(in_words()))

# %% [markdown]
# ## One speedup, several factors
#
# How many times as fast a step of GSR-GNN is as RevGNN's on an `edge_index` depends on three things: the circuit, the
# width, and the route. Over the edges GSR-GNN sums as in the paper, and by that the [scoreboard](00_scoreboard.ipynb)
# judges; through the nets it is our own way to the same sums. All the factors that this book shows, k = 4, stand here
# beside each other, and what is left of them against the fastest peer that is made for depth: reversible, or with
# checkpoints. GCN and GraphSAGE, which keep every layer's activations, are not among these.


# %% tags=["hide-input"]
DEEP = ("RevGNN", "FusedRevGNN", "CheckpointSAGE")


def factors():
    """A line a run and route: over RevGNN on an edge_index, and over the fastest peer."""
    runs = [
        (
            f"bench, {r['parameters']['circuit']}",
            r["parameters"] | {"machine": machine_in_words(r["provenance"])},
            observations(r),
        )
        for r in whole
    ]
    speed = findings.Page("speed", folder)
    for view in speed.views("hidden_channels", "num_layers"):
        given = {
            "hidden": view.setting["hidden_channels"],
            "layers": view.setting["num_layers"],
            "machine": view.machine,
        }
        runs.append((f"speed, {view.circuit}", given, view.rows.to_dict("records")))
    lines = {}
    for name, given, rows in runs:
        kind, _, circuit = name.partition(", ")
        seconds = {
            row["contender"]: row["step_seconds"]
            for row in rows
            if pd.notna(row.get("step_seconds"))
        }
        peers = {
            peer: time for peer, time in seconds.items() if peer.startswith(DEEP)
        }
        for route in ("edges", "nets"):
            if own := seconds.get(f"GSR k=4 {route}"):
                base = seconds.get("RevGNN edge_index", np.nan)
                rival = min(peers, key=peers.get, default=None)
                against = f"{peers[rival] / own:,.1f} ({rival})" if rival else "–"
                about = f"{findings.short(circuit)} ({kind}), {given['hidden']} wide, {route}"
                if about in lines:
                    about += f", {given['layers']} layers, {given['machine']}"
                lines[about] = {
                    "RevGNN edge_index": base / own,
                    "fastest deep peer": against,
                }
    return pd.DataFrame(lines).T.rename_axis(None)


found = factors()
if len(found):
    display(
        figures.table(
            found,
            {"RevGNN edge_index": "{:,.1f}"},
            "GSR-GNN with k = 4: how many times as fast as these, run by run",
        )
    )
else:
    print("No run has a step of GSR-GNN with k = 4.")

# %% [markdown]
# ## Where a step of GSR-GNN goes
#
# What holds a step that is not at its floor? The same step, kernel by kernel. The fourth column is the least that a
# kernel has to read and write by itself, which is more than the floor where two kernels could be one; the fifth is at
# which speed it does, and the sixth that speed beside the one of a large copy.

# %% tags=["hide-input"]
if run and run.get("profile"):
    profile = pd.DataFrame(run["profile"])
    shown = pd.DataFrame(
        {
            "kernel": profile["name"],
            "calls": profile["calls"],
            "ms": 1e3 * profile["seconds"],
            "MB": [
                bytes / 1e6 if bytes else np.nan for bytes in profile["moved_bytes"]
            ],
            "GB/s": [
                bytes / seconds / 1e9 if bytes else np.nan
                for bytes, seconds in zip(
                    profile["moved_bytes"], profile["seconds"], strict=True
                )
            ],
            "of a copy, %": 100
            * profile["moved_bytes"].where(profile["moved_bytes"] > 0)
            / profile["seconds"]
            / run["speeds"]["bytes"],
            "share, %": 100 * profile["seconds"] / profile["seconds"].sum(),
        }
    )
    style = figures.table(
        shown, caption=f"{profile['row'][0]}, medians", index=False
    )
    display(
        style.format(
            {
                name: "{:,.1f}"
                for name in ("ms", "MB", "GB/s", "of a copy, %", "share, %")
            },
            na_rep="–",
        )
    )
    least_ms = 1e3 * profile["moved_bytes"].sum() / run["speeds"]["bytes"]
    display(
        Markdown(
            f"All kernels together move {profile['moved_bytes'].sum() / 1e9:,.1f} GB at least, which takes "
            f"{least_ms:,.0f} ms at the speed of a large copy: "
            f"{100 * least_ms / shown['ms'].sum():.0f}% of the step. What moves its bytes at more than half of that "
            f"speed takes {shown.loc[shown['of a copy, %'] > 50, 'share, %'].sum():.0f}% of the step: memory holds it. "
            f"Other kernels take {shown.loc[shown['of a copy, %'] <= 50, 'share, %'].sum():.0f}%: their own work holds "
            "them, or that the rows which they gather lie scattered."
        )
    )

# %% [markdown]
# `add_layer_norm` and `undo_layer_norm` are where a block ends: they sum over the neighbours, normalise, and update the
# stream. *Everything else* is what surrounds the layers: encoder, norm, head, loss and optimiser, and the copies of the
# stream and of its gradient between PyTorch's arrays and the stack's.
#
# What was tried on the way here, and kept: a top k that interpolates in place of halving, pairs for small nets, the end
# of a block fused with its last sum, eight rows of edges at a time, values of 16 bits where they are kept. Tried and
# without gain: huge pages, prefetching the rows of the nets by software, and numbering cells and nets so that neighbours
# lie close. The order that a circuit comes in, one along a Hilbert curve over its placement, reverse Cuthill-McKee and
# depth first are about equally fast; only a random order is much slower. Gathering rows of the nets is held by memory,
# selecting by its own work.
#
# ## Values in bfloat16
#
# `GSRGNN(values="bfloat16")` rounds what GS keeps, so that an entry takes 3 bytes in place of 5. All else is as it was,
# and so is most of the floor.

# %% tags=["hide-input"]
if run:
    pairs = [
        (name, f"GSR {name.removeprefix('GSR bfloat16 ')}")
        for name in table.index
        if name.startswith("GSR bfloat16")
    ]
    both = table.loc[
        [one for pair in pairs for one in reversed(pair) if one in table.index],
        [
            "step ms",
            "this / floor",
            *(
                name
                for name in table
                if name.startswith(("kept", "peak", "growth"))
            ),
        ],
    ]
    if len(both):
        display(
            figures.table(both, caption="Values in float32 and in bfloat16").format(
                "{:,.1f}", na_rep="–"
            )
        )
    else:
        print("The record has no row in bfloat16.")

# %% [markdown]
#
# ## Memory
#
# *Kept* is what the forward pass leaves for the backward pass, counted in memory. *Peak* is the highest resident memory
# of a process that makes one step, *growth* what that is above the same process before there was a model: parameters,
# their gradients and Adam's moments are in it, as is every temporary array.

# %% tags=["hide-input"]
if run:
    memory = table[[name for name in table if " MB" in name]]
    display(
        figures.table(
            memory,
            caption="Megabytes; –: a step of that depth would have taken longer than "
            f"{run['parameters']['limit']:g} s",
        ).format("{:,.1f}", na_rep="–")
    )

# %% tags=["hide-input"]
if run:
    display(
        figures.show(
            figures.bench.memory(run),
            alt="Dot chart, a row a model and route, of the megabytes that a training step adds to its process at its "
            "peak, a marker a depth, on a logarithmic axis. The table above has the numbers.",
            caption=captions.bench_memory(table),
            setting="Growth of the process at its peak; filled: GSR-GNN.",
            name="memory",
        )
    )

# %% [markdown]
# ## Group sparsity alone
#
# GS of a group with the package's kernel, on floats and on the fixed-point numbers of the stream, beside PyTorch's
# `torch.topk`, which does not order the columns.

# %% tags=["hide-input"]
if run and run["top_k"]:
    top = pd.DataFrame(run["top_k"]).set_index("k")
    label = f"Milliseconds, medians; {top['rows'].iloc[0]:,} rows of {top['width'].iloc[0]} columns"
    top = 1e3 * top[["group_sparse", "group_sparse_fixed", "torch.topk"]]
    top["topk / group_sparse"] = top["torch.topk"] / top["group_sparse"]
    display(
        figures.table(
            top.rename_axis(None).rename("k = {}".format), "{:,.2f}", label
        )
    )

# %% [markdown]
# ## The targets
#
# What this project set out to reach on two cores at width 384, on a circuit of the size of Table 1's graph 10. The
# comparison is made by code from the record, whatever circuit and width that is of.

# %% tags=["hide-input"]
if run:
    goals = targets(run).set_index("target")
    for other in alike:
        goals = goals.fillna(targets(other).set_index("target"))
    goals = goals.reset_index()
    if len(alike) > 1:
        others = "; ".join(
            f"depth {r['parameters']['layers']}, {r['provenance']['date']}, code "
            f"{r['provenance']['code hash']}"
            for r in alike
            if r is not run
        )
        display(
            Markdown(
                "Where the run above left a row out, the target is taken, both its sides, from another run on "
                f"such a machine with the same circuit and width ({others})."
            )
        )
    verdict = {True: "met", False: "not met"}
    shown = pd.DataFrame(
        {
            "target": goals["target"].str.replace("<=", "≤"),
            "wanted": [
                f"{'≥' if sign == '>=' else '≤'} {bound:g}"
                for sign, bound in zip(goals["sign"], goals["bound"], strict=True)
            ],
            "measured": [
                f"{value:,.3g}" if not np.isnan(value) else "–"
                for value in goals["measured"]
            ],
            "verdict": [
                verdict.get(met, "a row is missing") for met in goals["met"]
            ],
        }
    )
    display(figures.table(shown, index=False))
    width, deepest = (
        run["parameters"]["hidden"],
        run["parameters"]["memory_layers"][-1],
    )
    if (width, deepest) != (384, 100):
        display(
            Markdown(
                f"This record is of width {width} and, for the memory, {deepest} layers at most. The targets "
                "are for width 384 and 100 layers, so it decides nothing about them."
            )
        )


# %% tags=["hide-input"]
def behind_the_targets():
    """What two of the targets hang on: which peers count, and which k."""
    deep = [
        entry
        for entry in run["rows"]
        if entry["state"] == "measured" and entry["name"].startswith(DEEP)
    ]
    lines = []
    if deep and "GSR k=16 nets" in table.index:
        rival = min(deep, key=lambda entry: entry["seconds"]["step"])
        ratio = (
            1e3 * rival["seconds"]["step"] / table.loc["GSR k=16 nets", "step ms"]
        )
        lines.append(
            f"- The fastest peer of all is {peer['name']}. Of those made for depth (reversible, or residual "
            f"with checkpoints) it is {rival['name']}, and GSR with k = 16 through the nets is {ratio:.2f} "
            "times as fast. GCN and GraphSAGE recompute nothing: they keep every layer's activations."
        )
    column = f"growth MB, {deepest} layers"
    reference = pd.concat(
        [
            report.table(r)
            .filter(like="growth MB")
            .filter(items=["RevGNN edge_index"], axis=0)
            for r in alike
        ]
    )
    if reference.notna().any(axis=None):
        below = (1 - table[column] / reference.max().max())[
            [name.startswith("GSR") for name in table.index]
        ].dropna()
        shares = ", ".join(
            f"{name.removeprefix('GSR ')} {share:.1%}"
            for name, share in below.items()
        )
        lines.append(
            f"- Growth at {deepest} layers below the largest measured of RevGNN on an `edge_index`: {shares}. "
            "RevGNN was too slow to run at every depth; its peak grows with depth by its parameters at least, "
            "so the shares are lower bounds."
        )
        if "GSR k=16 nets" in below:
            added = deepest * steps.layer_megabytes(
                "GSR k=16 nets", run["graph"]["nodes"], width
            )
            grown = table.loc["GSR k=16 nets", column]
            lines.append(
                f"- Of the {grown:,.0f} MB of k = 16 there, {added:,.0f} are what {deepest} layers keep "
                "and what their parameters take (derived); the rest is there at any depth. A smaller k or the "
                "dense residual takes less."
            )
    return "\n".join(lines)


if run:
    display(Markdown(behind_the_targets()))

# %% [markdown]
# ## The gradient
#
# Speed is worth nothing if the gradient is wrong. The recomputed gradient in float32 against one in float64 that keeps
# every activation, on a small circuit. *Same choices* is the error that recomputing adds, *own choices* lets float64
# choose for itself what GS keeps; [Reversible, step by step](10_reversible.ipynb) takes the two apart.

# %% tags=["hide-input"]
if run and run["gradient"]:
    gradient = pd.DataFrame(run["gradient"])
    of = ["num_layers", "residual"]
    setting = ", ".join(
        f"{name} {gradient[name][0]}"
        for name in ("circuit", "width", "k")
        if name in gradient
    )
    errors = gradient.set_index(of)[
        ["same choices", "own choices", "choices that differ"]
    ]
    errors.index.names = ["layers", "residual"]
    display(
        figures.table(
            errors,
            {
                "same choices": "{:.0e}",
                "own choices": "{:.0e}",
                "choices that differ": "{:.3%}",
            },
            f"Relative error of the whole gradient; {setting}",
        )
    )

# %% [markdown]
# ## What this does not show
#
# - Another machine. The ratios of a GPU are others: its memory is fast, and scattered sums cost it more.
# - Another circuit. Gains over the edges follow the mean degree, those of the nets the mean size of a net.
# - Whether a model is any good. GCN and GraphSAGE are timed at the depth of the others, whatever they learn there; [the
#   chapter on training](11_training.ipynb) looks at predictions, for two of the models.
# - The best that each peer could be. They run as their authors set them up, by routes that PyTorch and PyG offer; a
#   kernel written for one of them could do better. FusedRevGNN through the nets is our attempt at that.
#
# ## Recap
#
# - The route matters as much as the model: a message for every edge is what makes the paper's baseline slow.
# - The honest rival is the fastest peer, not the slowest, and it has a column of its own.
# - The floor says what is left to gain. It falls with k as far as the arrays that have to pass memory let it.
#
# ## Exercises
#
# **1.** Which part of GSR's lead over RevGNN on an `edge_index` is due to the route, and which to the model? Find two
# rows that differ in the route alone, and two that differ in the model alone.

# %% tags=["hide-cell"]
# RevGNN nets differs from RevGNN edge_index in its route, GSR nets from RevGNN nets in its model.
if run:
    step = table["step ms"]
    ours = [
        name
        for name in step.index
        if name.startswith("GSR k") and name.endswith("nets")
    ]
    if ours and {"RevGNN edge_index", "RevGNN nets"} <= set(step.index):
        print(
            f"route: {step['RevGNN edge_index'] / step['RevGNN nets']:.1f} times, "
            f"model: {step['RevGNN nets'] / step[ours].min():.1f} times"
        )

# %% [markdown]
# **2.** How many aggregations of which width does a layer of each model make in a step? Which of them could a model
# without reversible layers leave out?

# %% tags=["hide-cell"]
# The recomputing ones. Aggregations a layer and step; those of reversible models are half as wide.
counts = pd.Series(
    {
        "GCN, GraphSAGE": "2 of width D",
        "CheckpointSAGE": "3 of width D",
        "RevGNN": "8 of width D / 2",
        "FusedRevGNN, GSR": "6 of width D / 2",
    }
)
print(counts.to_string())
