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
# # On the GPU
#
# On a GPU the same operators are limited by other things than on a CPU, and the limits can be computed before
# anything runs. This page divides each kernel's work among the threads of a GPU, derives the least time that it can
# take, and shows what the compiler makes of it. **No GPU has run these kernels yet.** In the tests they agree with
# the reference in a simulator, and so does what the compiler makes of them in an interpreter; how fast they are is
# open until somebody with a card runs `gsrgnn bench --device cuda`.
#
# Afterwards you can
#
# - say what a warp, a lane and shared memory are, and which of them a row of the matrix is given to;
# - compute a lower bound for the time of an aggregation from the sizes of a graph and four numbers of a chip;
# - say from which $k$ on CBSR can no longer win against a dense product in half precision;
# - add such bounds up to the least time of a training step, and say what of it a cache decides.

# %% tags=["parameters"]
nodes, edges, width = (
    69_800,
    22_500_000,
    192,
)  # Table 1's graph 1, a group of hidden size 384
ks = [4, 8, 16, 32, 64]
compile_width = 192  # kernels are compiled for this width, for k up to 64
step_graph, step_width, step_layers = "356-R", 384, 100  # the paper's Table 2

# %%
import re
import textwrap
from pathlib import Path

import pandas as pd
from IPython.display import Markdown, display

from gsrgnn.book import figures, origin
from gsrgnn.book.paper import table2
from gsrgnn.kernels import gpu
from gsrgnn.lab import kernel_table, limits, records, step_model
from gsrgnn.lab.bench.record import calls, read_all
from gsrgnn.lab.bench.report import table
from gsrgnn.lab.limits import H200

# %% [markdown]
# ## Warps, lanes, shared memory
#
# A GPU runs threads in **warps** of 32. The threads of a warp, its **lanes**, execute one instruction at a time
# together. Each lane has registers of its own, the fastest memory there is, and lanes can hand each other register
# values. A few warps form a **block**, which has some tens of kilobytes of **shared memory** on the chip: 32 banks,
# each of which serves one address at a time. Behind it lie the **L2 cache**, shared by the whole chip and read in
# sectors of 32 bytes, and the memory proper, **HBM**.
#
# So a kernel is bound by four things at once: bytes from HBM, bytes from the L2, accesses to shared memory, and the
# instructions that the schedulers can issue. The largest of the four times is a lower bound, whatever the code does.
#
# ## Top-k: a warp a row
#
# The lanes hold a row in registers, every 32nd entry each, as integers that order as the numbers do. The warp then asks
# how many entries reach a threshold and halves the interval that the threshold lies in, until exactly $k$ do. An
# interval of 32-bit integers is empty after 32 halvings. What is kept is written in the order of the columns: each lane
# counts the lanes below its own that also keep theirs. Equal entries go to the lowest columns first.

# %% tags=["hide-input"]
figures.show(
    figures.gpu.top_k_steps([12, 3, 40, 7, 25, 25, 1, 33, 9, 25, 18, 2], 4),
    alt="A row of twelve integers, below it one line a step of the bisection with a mark under each entry that reaches "
    "the threshold and their number, and in the last line the four kept entries, numbered in the order of columns.",
    caption="Twelve lanes of a warp, k = 4. Of three equal entries the two in the lowest columns are kept.",
)

# %% [markdown]
# Each entry is read once and each kept one written once. That takes little time; the instructions of the bisection,
# some twenty steps over $D / 32$ registers, take longer.
#
# ## Long rows and short ones
#
# Aggregation and its backward pass give a warp one row of the graph. A clock net's cell has thousands of neighbours,
# most cells have few, and one warp must not run on when all the others are done. So longer rows are cut into chunks. A
# warp that has a whole row writes the result itself. The pieces of a row that was cut are written side by side, and a
# second kernel adds them up in their order. Nothing is added to by two warps at once, so no atomic operation is needed
# and the result is the same in every run. The cuts depend on the graph alone and are made once.

# %% tags=["hide-input"]
figures.show(
    figures.gpu.chunks([120, 40, 1, 900, 0, 210, 60], 256),
    alt="Bars for seven rows of different length. The row of 900 entries is cut into four pieces, each given to a warp "
    "of its own; every other row is one warp's, the empty one too.",
    caption="Seven rows, chunks of at most 256 entries. Orange: pieces of one row.",
)

# %% [markdown]
# ## Aggregation: sums in shared memory
#
# The warp keeps the $D$ sums of its row in shared memory. A neighbour brings $k$ values and their columns; $k$ lanes
# read one each and add it to its column. The columns of a CBSR row are distinct, so no two of these lanes meet. With
# $k = 8$ only 8 of 32 lanes would work, so the warp takes $32 / k$ neighbours at a time. These can share columns; so
# each group of lanes has a row of sums of its own, and the rows are added up at the end. A row with few neighbours gets
# few rows of sums, since clearing and adding them up costs more than a neighbour does.

# %% tags=["hide-input"]
figures.show(
    figures.gpu.group_sums(16, 4, [[1, 4, 9, 14], [0, 4, 5, 12], [4, 7, 9, 15]]),
    alt="Three groups of four lanes, each joined by lines to four columns of its own row of sixteen sums. Column 4 "
    "occurs in all three rows.",
    caption="Three groups of four lanes; column 4 is added to by all three, in three places.",
)

# %% [markdown]
# The backward pass turns this round. The row's $k$ columns are known before the first neighbour, so a lane holds one of
# them and reads that column of each neighbour's gradient: the sum stays in a register, nothing is scattered. What it
# costs is the reading. $k$ columns of a row of $D$ lie in many sectors, and a sector is moved whole for 4 bytes of it.
#
# There is another way round. The warp keeps its own gradient row in shared memory, reads of each neighbour the $k$
# column numbers, and adds $k$ products to the neighbour's entries in memory. That moves fewer sectors, but many warps
# add to one place: it takes **atomic** additions, whose order and so the last bits change from run to run. Setting
# `GSRGNN_ATOMIC` chooses it; which of the two is faster only a card can tell.
#
# Through the nets both directions are made of the same kernels: sums over each net's cells, then over each cell's nets,
# and onto them what small nets give directly.
#
# ## The bounds
#
# For a graph of $N$ nodes and $E$ entries, an aggregation of CBSR rows with one-byte indices moves at least
#
# $$
# \underbrace{8 E + 5 N k + 4 N D}_{\text{HBM}}, \qquad
# \underbrace{E \, (8 + 32 \, (s(4k) + s(k)))  + 4 N D}_{\text{L2}} \quad \text{bytes},
# $$
#
# 8 for a neighbour's number and weight, $s(n)$ being the sectors that $n$ bytes touch. Where a row's values and indices
# fit one sector together, up to $k = 6$, they are packed into one first, and it is one sector in place of two. HBM is
# read once, as long as the CBSR matrix fits the L2. In shared memory each warp-wide addition is a load and a store,
# each repeated as often as the fullest bank is hit; for random columns that is simulated. Below, each bound for a graph
# of the size of the paper's graph 1 on an H200.

# %%
forward = [limits.aggregate(H200, nodes, edges, width, k) for k in ks]
backward = [limits.aggregate_backward(H200, nodes, edges, width, k) for k in ks]
atomic = [
    limits.aggregate_backward_atomic(H200, nodes, edges, width, k) for k in ks
]
select = [limits.top_k(H200, nodes, width, k) for k in ks]
dense = {
    "dense, float32": limits.aggregate_dense(H200, nodes, edges, width).seconds,
    "dense, bfloat16": limits.aggregate_dense(H200, nodes, edges, width, 2).seconds,
}
print(textwrap.fill(f"ceilings: {H200.source}", 76))

# %% tags=["hide-input"]
binding = {bound.by for bound in forward + backward}
figures.show(
    figures.gpu.bound_lines(forward, ks, dense),
    figures.gpu.bound_lines(backward, ks, dense),
    alt="Two line charts on logarithmic axes of the four bounds in milliseconds against k. In both the L2 cache binds "
    "at every k. Aggregation stays below the level line of the dense product in bfloat16 up to k = 64; its "
    "backward pass crosses it.",
    caption=(
        "The L2 cache binds at every k. "
        if binding == {"l2"}
        else "The highest line binds. "
    )
    + f"First aggregation, then its backward pass; computed, not measured. {nodes:,} nodes, {edges:,} entries, "
    f"width {width}.",
)

# %% tags=["hide-input"]
bounds = (
    pd.DataFrame(
        {
            "top-k": [b.seconds for b in select],
            "forward": [b.seconds for b in forward],
            "backward": [b.seconds for b in backward],
            "atomic": [b.seconds for b in atomic],
        },
        index=pd.Index(ks, name="k"),
    )
    * 1e3
)
for name, seconds in dense.items():
    kind = name.removeprefix("dense, ")
    bounds[f"{kind} / forward"] = 1e3 * seconds / bounds["forward"]
figures.table(
    bounds,
    "{:,.2f}",
    "Bounds in ms, of either backward pass, and of a dense product over forward",
)

# %% [markdown]
# The last two columns are what the bounds allow, not what was reached. Where a ratio falls to one, CBSR stops paying:
# a dense product in half precision moves as few bytes. The backward pass gets there first.

# %% tags=["hide-input"]
pays = [
    k
    for k, bound in zip(ks, forward, strict=True)
    if bound.seconds < dense["dense, bfloat16"]
]
pays_back = [
    k
    for k, bound in zip(ks, backward, strict=True)
    if bound.seconds < dense["dense, bfloat16"]
]
print(
    f"bound below that of a dense product in bfloat16:\n  aggregation up to k = {max(pays)}\n"
    f"  its backward pass up to k = {max(pays_back)}"
)

# %% [markdown]
# ## A whole step: a model
#
# A training step is a sequence of kernels, and a kernel starts when the one that makes its input has ended. So the
# sum of their bounds is the least time of a step. **This is a model and no measurement**: no time below was taken on a
# card. It counts what is done once a layer, with groups of $d = D / 2$ columns; the encoder, the head, the optimiser
# and the time to launch a kernel are left out.
#
# *RevGNN* on an `edge_index`, as PyTorch Geometric makes it, gathers a message of $d$ numbers for each entry and adds
# it to the row of its target. If each row comes from the memory once, that moves
#
# $$
# \underbrace{E \, (8 + 4 d) + 4 N d}_{\text{gather: index and message, rows}} +
# \underbrace{E \, (8 + 4 d) + 8 N d}_{\text{scatter: index and message, sums read and written}} \quad \text{bytes}.
# $$
#
# A layer has two blocks. Each is evaluated once going forward; going back, once to invert the layer, once more for
# autograd, and then it is differentiated, where messages go the other way. So a layer pays the above eight times. The
# operators beside it (LayerNorm, ReLU, two Linears, sums) read and write rows.
#
# *GSR-GNN* makes no messages. For each group a layer selects ($4 N d$ bytes in, $5 N k$ out), sums over neighbours by
# the formula above, multiplies by a $d \times d$ matrix ($N d^2$ multiply-adds, $8 N d + 4 d^2$ bytes) and adds the
# LayerNorm to the stream ($12 N d$ bytes). Going back it does this once more, takes the update off and differentiates
# it ($20 N d$ bytes), makes two dense products and the sampled sum, and scatters. `gsrgnn/lab/step_model.py` has every
# term; the tests count the same bytes while a small step of either model runs.
#
# What the caches save no data sheet says. So there are two cases: a row that is gathered for many entries comes from
# the memory *once*, or *each time* anew. A real card lies between. It can only do better than *once* where its L2 still
# holds what the kernel before has written; messages fit no L2, a group of rows fits a large one.

# %% tags=["hide-input"]
figures.table(
    pd.DataFrame(
        {
            name: {
                "memory, TB/s": card.hbm / 1e12,
                "float32, TFLOPS": card.issue * 64 / 1e12,
                "L2, MB": card.l2_size / 1e6,
                "L2, TB/s": card.l2 / 1e12,
            }
            for name, card in limits.CARDS.items()
        }
    ),
    "{:,.3g}",
    "Ceilings of the paper's card and of two others",
)

# %% tags=["hide-input"]
Markdown(
    "\n".join(f"- {name}: {card.source}." for name, card in limits.CARDS.items())
)

# %% [markdown]
# First the paper's card and circuit. The circuit is the synthetic stand-in, which has the paper's cells and edges; its
# nets are our generator's. The route through the nets makes a sum for each net of more than three pins (*nets*, with
# their *pins*), and takes the cells of smaller ones as they are (*direct*).

# %%
sizes = step_model.Sizes.of_row(step_graph)
a6000 = step_model.read_once(limits.A6000)
k = ks[len(ks) // 2]
way, ours = step_model.fastest(a6000, sizes, step_width, step_layers, k)
theirs = step_model.revgnn(a6000, sizes, step_width, step_layers)
figures.table(pd.DataFrame([sizes], [step_graph]), "{:,}")


# %% tags=["hide-input"]
def by_kernel(parts):
    """Kernel by kernel: calls, the least seconds of all of them, and what binds the longest."""
    rows = pd.DataFrame(
        [(p.kernel, p.calls, p.seconds, p.bound.by) for p in parts],
        columns=["kernel", "calls", "seconds", "by"],
    ).sort_values("seconds", ascending=False)
    return (
        rows.groupby("kernel", sort=False)
        .agg({"calls": "sum", "seconds": "sum", "by": "first"})
        .sort_values("seconds", ascending=False)
        .rename_axis(None)
    )


formats = {"calls": "{:,.0f}", "seconds": "{:,.3f}"}
title = f"A6000, {step_layers} layers, width {step_width}, rows read once"
display(
    figures.table(by_kernel(theirs), formats, f"Model of a RevGNN step: {title}"),
    figures.table(
        by_kernel(ours), formats, f"Model of our step, k = {k}, {way}: {title}"
    ),
)

# %% [markdown]
# RevGNN's step is its messages, ours is spread over its kernels. Now the least that our step can take on each card, by
# the better of the routes (edges, nets) and orders of products (the sum over neighbours or the Linear first).

# %% tags=["hide-input"]
REUSE = {"once": step_model.read_once, "each time": step_model.read_each_time}
found = {
    (name, reuse, k): step_model.fastest(
        case(card), sizes, step_width, step_layers, k
    )
    for name, card in limits.CARDS.items()
    for reuse, case in REUSE.items()
    for k in ks
}
least = pd.Series(
    {key: step_model.seconds(parts) for key, (_, parts) in found.items()}
).unstack([0, 1])
least.index.name = "k"
paper = table2()["total"].astype(float)
display(
    figures.table(
        least.rename(columns=lambda name: f"rows {name}", level=1),
        "{:,.3f}",
        f"Model of our step: seconds at the least, {step_graph}, {step_layers} layers, width {step_width}",
    )
)
figures.show(
    figures.gpu.step_lines(least.xs("once", axis=1, level=1), paper.to_dict()),
    alt="Line chart on logarithmic axes of the least seconds of a step against k, a line for each of three cards, and "
    "the paper's times as diamonds above them. The table has the numbers.",
    caption=f"The paper's times (diamonds) are at least {(paper / least['A6000', 'once']).min():.1f} times what the "
    f"model allows on the same card. Lines: a model, nothing measured; our step at the least, rows read once, "
    f"{step_graph}, {step_layers} layers, width {step_width}.",
)

# %% tags=["hide-input"]
once = least.xs("once", axis=1, level=1)
ahead = paper / once["A6000"]
revgnn = step_model.seconds(theirs) / once["A6000"]


def with_tensor_cores(card):
    """Seconds where dense products take no longer than their bytes."""
    parts = step_model.gsr(
        step_model.read_once(card),
        sizes,
        step_width,
        step_layers,
        k,
        "nets",
        "aggregate",
    )
    products = [part for part in parts if part.kernel == "matrix product"]
    others = [part for part in parts if part.kernel != "matrix product"]
    return step_model.seconds(step_model.bytes_alone(products) + others)


def carried(card, k):
    """Seconds where no kernel waits for the memory."""
    card = step_model.carried_over(card)
    way = step_model.fastest(card, sizes, step_width, step_layers, k)
    return step_model.seconds(way[1])


group = 4 * sizes.nodes * step_width / 2


def ways(name, reuse):
    """The ways that are the fastest of a card, each with the ks that it is the fastest for."""
    chosen = pd.Series({k: found[name, reuse, k][0] for k in ks})
    return [
        f"{way} (k = {', '.join(map(str, own.index))})"
        for way, own in chosen.groupby(chosen, sort=False)
    ]


streams = (
    sum(part.calls * part.bound.hbm for part in ours)
    * limits.A6000.hbm
    / (4 * sizes.nodes * step_width * step_layers)
)
lines = [
    "By the model, at the least:",
    "",
    f"- On the paper's card our step takes {once['A6000'].min():.2f} s at k = {ks[0]} and "
    f"{once['A6000'].max():.2f} s at k = {ks[-1]}. The paper's own times are {ahead.min():.1f} to "
    f"{ahead.max():.1f} times that. At k = {k} what we move is {streams:.0f} times the stream in each layer.",
    f"- RevGNN on an `edge_index` takes {step_model.seconds(theirs):.1f} s there: {revgnn.max():.0f} times our step "
    f"at k = {ks[0]}, {revgnn.min():.0f} times at k = {ks[-1]}, if both reach their bounds.",
    *(
        f"- An {name} takes {once[name].min():.3f} to {once[name].max():.3f} s."
        for name in ("H100", "H200")
    ),
    f"- A group of rows is {group / 1e6:.1f} MB. The L2 holds "
    + ", ".join(
        f"{min(1, card.l2_size / group):.0%} of it on an {name}"
        for name, card in limits.CARDS.items()
    )
    + "; what it carries over from one kernel to the next is saved. If that were everything, the step would still take "
    + ", ".join(
        f"{carried(card, ks[0]):.3f} to {carried(card, ks[-1]):.3f} s on an {name}"
        for name, card in limits.CARDS.items()
        if card.l2_size > group
    )
    + ".",
    "- Dense products are made in float32 without tensor cores, as torch makes them by default. If they took no longer "
    f"than their bytes, the sum over neighbours first and k = {k}, the step would take "
    + ", ".join(
        f"{with_tensor_cores(card):.3f} s on an {name}"
        for name, card in limits.CARDS.items()
    )
    + ".",
    "",
    "The fastest way:",
    "",
    *(
        f"- {name}, rows read {reuse}: {'; '.join(ways(name, reuse))}."
        for name in limits.CARDS
        for reuse in REUSE
    ),
]
Markdown("\n".join(lines))

# %% [markdown]
# [Table 2](22_table_2.ipynb) holds the paper's times against the same model.
#

# %% [markdown]
# ## What the compiler makes of them
#
# Compiling needs no GPU. Each kernel becomes machine code for two generations of chips when this page is made. If a
# kernel needs more registers than a lane has, or indexes them by numbers that are not known beforehand, the compiler
# moves them to memory and the kernel slows down many times. A GPU also has no instruction that divides 64-bit numbers
# and is slower in float64, and numbers of Python easily turn into both. So the last two columns, the bytes that are
# moved (*spilled*) and the *slow* operations, must be 0.


# %% tags=["hide-input"]
def compiled():
    try:
        from gsrgnn.kernels.cuda import report

        found = [
            kernel
            for capability in report.CAPABILITIES
            for kernel in report.compile_all(capability, compile_width)
        ]
    except (ImportError, RuntimeError) as error:
        return Markdown(f"Not compiled here: {error}.")
    frame = pd.DataFrame(
        [
            {
                "kernel": re.sub(", (scaled|onto)", "", kernel.name),
                f"registers, {kernel.capability}": kernel.registers,
                "spilled": kernel.spills + kernel.stack,
                "slow": kernel.slow,
            }
            for kernel in found
        ]
    )
    frame = frame.groupby("kernel", sort=False).max().rename_axis(None)
    first, *others = frame.columns
    frame = frame[
        [first, *sorted(others, key=lambda name: not name.startswith("registers"))]
    ]
    return figures.table(
        frame,
        "{:,.0f}",
        f"What a lane needs, width {compile_width}, the most of a kernel's variants",
    )


compiled()

# %% [markdown]
# ## What was measured

# %% tags=["hide-input"]
kernel_records, left_out = records.read_each(
    Path("results").glob("kernels-cuda.json"), kernel_table.read
)
steps, wrong = read_all("results", "cuda")
for record in kernel_records:
    display(
        Markdown(
            f"On {record['gpu']}, {record['provenance']['date']}. {calls(record)}"
        )
    )
    formats = {"ms": "{:,.3f}", "bound ms": "{:,.3f}", "over bound": "{:,.2f}"}
    display(
        figures.table(
            kernel_table.table(record),
            formats,
            "Each kernel, its bound and its peers",
            index=False,
        )
    )
for record in steps:
    p = record["parameters"]
    title = f"A training step: {p['circuit']}, width {p['hidden']}, {p['layers']} layers"
    display(figures.table(table(record).drop(columns="note"), "{:,.2f}", title))
    display(Markdown(calls(record)))
for words in left_out + wrong:
    print(f"left out: {words}")
if not kernel_records and not steps:
    why = (
        gpu.gpu_missing()
        or "a GPU is there, and `gsrgnn bench --device cuda` makes the records"
    )
    display(
        Markdown(
            f"**Nothing yet.** There is no record of a GPU in `results`. Where this page was made: {why}."
        )
    )

# %% tags=["remove-cell"]
origin.hand_over(
    [
        *origin.of_files("the kernels on a GPU", kernel_records),
        *origin.of_files("gsrgnn bench on a GPU", steps),
    ],
    "the models of kernels and steps, and what the compiler makes of the kernels",
)

# %% [markdown]
# With a card, two commands make the records that this page shows when the book is built again:
#
# ```sh
# .venv/bin/python -m pytest -m gpu
# .venv/bin/gsrgnn bench --device cuda --circuit synthetic/5324-F --hidden 384 --layers 100
# ```
#
# With `--minutes` the second ends in time and goes on at the next call; `gsrgnn programme` says what to run, and for how
# long, where a card is had for minutes at a time.
#
# ## What is missing
#
# - Every time. The bounds say what cannot be beaten, not how near the kernels come; nor does the model of a step, which
#   adds them up and leaves out what launching a kernel takes.
# - The ceilings of a real card. Those above are of a data sheet, and the L2's is an assumption. `gsrgnn bench` measures
#   them first, with kernels that do nothing but read the L2, add in shared memory, or multiply.
# - The last step. The tests run each kernel's Python in a simulator and its PTX, which the compiler makes on the way to
#   machine code, in an interpreter. That looks for missing barriers, and counts: at $k$ = 8, 32 and 64 the sectors and
#   bank conflicts are within 15% of the formulas above. A packed row it counts twice, for its values and for its
#   indices; a chip has the sector at hand the second time. What a chip makes of the machine code only a card can tell.
# - Which of the two backward passes is faster.
#
# ## Recap
#
# - A row is a warp's; rows that are too long are cut, and unless asked to, no two warps add to one place.
# - CBSR aggregation is bound by the L2 cache: by sectors, not by bytes.
# - The bound comes first. A time without it says nothing about what is left to gain.
#
# ## Exercises
#
# **1.** At $k = 4$ a neighbour's values fill half a sector and its indices an eighth of another. What would the L2's
# bound be if they were not packed into one?

# %% tags=["hide-cell"]
k = 4
apart = (edges * (8 + 2 * 32) + 4 * nodes * width) / H200.l2
print(
    f"{1e3 * apart:.2f} ms in place of {1e3 * limits.aggregate(H200, nodes, edges, width, k).l2:.2f}"
)

# %% [markdown]
# **2.** The bound of the backward pass counts sectors. Which width would make it equal to that of the forward pass at
# $k = 8$?

# %% tags=["hide-cell"]
# One where the k columns share sectors: k values of a row of 4 D bytes lie in at most D / 8 sectors.
for narrow in (16, 24, 32, 64):
    print(
        f"width {narrow}: {limits.sampled_sectors(narrow, 8):.1f} sectors, "
        f"forward {limits.sectors(32) + limits.sectors(8):.1f}"
    )
