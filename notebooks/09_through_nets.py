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
# # Aggregation through the nets
#
# The edges of a clique graph never have to be touched. Let each net add up its cells once, then let each cell add up
# its nets: the result is the same, and the work grows with the number of pins, where it grew with the number of pairs
# of pins. This is not in the paper; it is what the package does by default.
#
# Afterwards you can
#
# - derive the two-step product and say what has to be subtracted;
# - predict from a netlist how much work it saves, forward and backward;
# - say for which graphs, and for which layers, it does not apply.
#
# The graph is the one of [the chapter on circuits](07_circuit_graph.ipynb), CBSR that of [the first
# chapter](01_group_sparsity.ipynb).

# %% tags=["parameters"]
circuit = "default"  # or any name that gsrgnn.circuits.load knows
widths = [32, 192]
k = 8
repeats = 7
seed = 0

# %%
import statistics
import time
import warnings
from functools import partial

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown

from gsrgnn import CircuitGraph, aggregate, circuits, group_sparse, kernels
from gsrgnn.book import figures
from gsrgnn.book.walkthrough import matrix, show
from gsrgnn.cbsr import operator

# %% [markdown]
# ## The product in two steps
#
# With $B_{in}$ the number of pins of cell $i$ on net $n$, the clique graph is
#
# $$
# A = B B^\top - \mathrm{diag}(q) + \mathbf{I}, \qquad q_i = \sum_n B_{in}^2 ,
# $$
#
# and multiplication is associative, so that
#
# $$
# A x = B \underbrace{(B^\top x)}_{t} + (1 - q) \circ x .
# $$
#
# The table $t$ has a row for each net: the sum over its pins. A cell then adds the rows of its nets. It has added
# itself once too often for each pair of its own pins on a net; $q$ takes that away, and the 1 is the self-loop. On
# the three cells and two nets of the chapter on circuits, with one feature:

# %%
B = np.array([[1, 0], [1, 1], [1, 2]])
x = np.array([[5], [7], [1]])
q = (B * B).sum(axis=1, keepdims=True)
t = B.T @ x
y = B @ t + (1 - q) * x

A = B @ B.T - np.diag(q[:, 0]) + np.eye(3, dtype=int)
assert (y == A @ x).all()
show(matrix(B.T, "Bᵀ"), "·", matrix(x, "x"), "=", matrix(t, "t"))

# %%
show(
    matrix(B, "B"),
    "·",
    matrix(t, "t"),
    "+",
    matrix((1 - q) * x, "(1 − q) ∘ x"),
    "=",
    matrix(y, "y"),
    "=",
    matrix(A @ x, "A · x"),
)

# %% [markdown]
# Cell 2 has two pins on net 1. The net's sum, 7 + 1 + 1 = 9, comes to it twice, and of the 18 it gets it owes back
# what its own two pins put in, four times its value.
#
# The means and the symmetric norm multiply rows of $x$ before, and rows of $y$ after; nothing else changes. The
# graph is symmetric, so the backward product with $A^\top$ takes the same two steps.
#
# ## How much work
#
# A net of $s$ pins on $s$ cells makes $s (s - 1)$ edges, and $s$ entries in $B$, each of which is read twice: once
# to the net, once from it. From $s = 4$ on the nets have the fewer entries, and a large net has $(s - 1) / 2$ times
# fewer. A net of two or three pins has no more pairs than it would have entries, and needs no row in the table if its
# pairs are added directly. So the package sums only nets of four pins and more; $H$, a sparse matrix, holds the pairs
# of the small nets and, on its diagonal, $1 - q$. With $B$ for the large nets alone
#
# $$
# A x = B (B^\top x) + H x .
# $$

# %%
name = circuits.default() if circuit == "default" else circuit
data = circuits.load(name)
graph = CircuitGraph.from_data(data)
edges, nets = graph.adjacency(), graph.incidence()
entries = {
    "edges": len(edges.indices),
    "nets": 2 * len(nets.to_nets.indices) + len(nets.direct.indices),
}
print(f"circuit: {name}" + ", SYNTHETIC" * name.startswith("synthetic/"))
print(f"entries over the edges:    {entries['edges']:,} (equal pairs merged)")
print(
    f"entries through the nets:  {entries['nets']:,} (twice {len(nets.to_nets.indices):,} in B, "
    f"{len(nets.direct.indices):,} in H)"
)
print(f"ratio: {entries['edges'] / entries['nets']:.1f}; default: via {graph.via}")

# %% [markdown]
# That is the whole story for a dense $x$: $D$ multiplications an entry on either route. With CBSR the first step
# still costs $k$ an entry, but $t$ is dense, and so the second costs $D$. With $E$ entries over the edges, $P$ in $B$
# and $F$ in $H$:
#
# | | over the edges | through the nets |
# |:--|:--|:--|
# | forward, $A \cdot \mathrm{scatter}(V, I)$ | $E k$ | $P (k + D) + F k$ |
# | backward, $A^\top G$ at the kept positions | $E k$ | $P (D + k) + F k$ |
# | dense $A x$ | $E D$ | $2 P D + F D$ |

# %% tags=["hide-input"]
E, P, F, N = (
    entries["edges"],
    len(nets.to_nets.indices),
    len(nets.direct.indices),
    graph.num_nodes,
)
work = (
    pd.DataFrame(
        {
            (f"D = {D}", route): {
                f"CBSR, k = {k}, forward or backward": E * k
                if route == "edges"
                else P * (k + D) + F * k,
                "dense": E * D if route == "edges" else 2 * P * D + F * D,
            }
            for D in widths
            for route in ("edges", "nets")
        }
    )
    / 1e6
)
figures.table(
    work,
    "{:,.0f}",
    f"Millions of multiplications for one aggregation on {data.name}",
)

# %% [markdown]
# ## The same result
#
# In double precision the two routes agree to rounding. In single precision both are compared with that.

# %%
torch.manual_seed(seed)


def both_ways(x, route):
    """Forward and gradient of one aggregation of GS(x, k), and of x itself."""
    x = x.clone().requires_grad_()
    results = []
    for features in (group_sparse(x, k), x):
        y = aggregate(graph, features, via=route)
        (gradient,) = torch.autograd.grad((y * weight.to(y)).sum(), x)
        results += [y.detach(), gradient]
    return results


def largest_error(results, exact):
    return max(
        float((a.double() - b).abs().max() / b.abs().max())
        for a, b in zip(results, exact, strict=True)
    )


stream = torch.randn(N, widths[0])
weight = torch.randn(N, widths[0])
exact = both_ways(stream.double(), "edges")
difference = largest_error(both_ways(stream.double(), "nets"), exact)
assert difference < 1e-12
print(f"float64, nets against edges: {difference:.1e} of the largest entry")
for route in ("edges", "nets"):
    rounding = largest_error(both_ways(stream, route), exact)
    print(f"float32, {route} against float64 edges: {rounding:.1e}")

# %% [markdown]
# ## Measured
#
# Each contender writes into an array made beforehand. It is called once to warm up and then in turn with the others;
# the table has medians. The kernels are the package's own on either route; over the edges they take eight rows at a
# time where rows share their neighbours, as the cells of a large net do. `torch.sparse` is PyTorch's product of a
# CSR matrix with a dense one, the usual way to aggregate over edges without messages; it has no CBSR form.


# %% tags=["hide-input"]
def median_milliseconds(contenders):
    """Medians over `repeats` rounds, each contender once a round."""
    times = {label: [] for label in contenders}
    for round_number in range(repeats + 1):
        for label, call in contenders.items():
            start = time.perf_counter()
            call()
            if round_number:
                times[label].append(1e3 * (time.perf_counter() - start))
    return {label: statistics.median(values) for label, values in times.items()}


warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
matrix_csr = torch.sparse_csr_tensor(
    edges.indptr, edges.indices.long(), edges.weight, (N, N), check_invariants=False
)
kernel = kernels.on("cpu")
columns = {}
for D in widths:
    x, upstream, out = torch.randn(3, N, D).unbind()
    X, G, Y = x.numpy(), upstream.numpy(), out.numpy()
    V, I = (
        part.numpy()
        for part in (group_sparse(x, k).values, group_sparse(x, k).indices)
    )
    dV, table = (
        np.empty_like(V),
        np.empty((graph.through("nets").num_summed_nets, D), np.float32),
    )
    contenders = {
        ("dense", "torch.sparse"): partial(torch.mm, matrix_csr, x, out=out)
    }
    for route in ("edges", "nets"):
        A, A_T = (
            operator(graph.through(route), x.dtype, flip) for flip in (False, True)
        )
        contenders |= {
            ("CBSR forward", route): partial(kernel.aggregate, A, V, I, Y, table),
            ("CBSR backward", route): partial(
                kernel.aggregate_backward, A_T, G, I, dV, table
            ),
            ("dense", route): partial(kernel.aggregate_dense, A, X, Y, table),
        }
    for (what, route), value in median_milliseconds(contenders).items():
        columns.setdefault((f"D = {D}", route), {})[what] = value
times = pd.DataFrame(columns).reindex(["CBSR forward", "CBSR backward", "dense"])
print(f"{torch.get_num_threads()} threads, medians of {repeats}, milliseconds")
figures.table(
    times.map(lambda ms: "" if np.isnan(ms) else f"{ms:.1f}"),
    caption=f"One aggregation on {data.name}",
)

# %% tags=["hide-input"]
ratios = {D: times[f"D = {D}", "edges"] / times[f"D = {D}", "nets"] for D in widths}
parts = [
    f"at width {D}, {ratio['CBSR forward']:.1f} forward, {ratio['CBSR backward']:.1f} backward and "
    f"{ratio['dense']:.1f} with dense input"
    for D, ratio in ratios.items()
]
Markdown(
    f"The time over the edges, in multiples of the time through the nets: {'; '.join(parts)}."
)

# %% [markdown]
# Two things follow for the paper's comparison. CBSR saves in proportion to $D / k$ over the edges; through the nets
# most of the work is in the dense second step, and $k$ matters little. And whatever makes the sparse model faster is
# open to the dense one as well: both models of [the chapter on training](11_training.ipynb) aggregate through the
# nets.
#
# In a layer a Linear follows, $(A S) W^\top$ with $S = \mathrm{scatter}(V, I)$. Through the nets, where a dense
# aggregation costs little more than one of CBSR, it pays to let the Linear come first: in $A (S W^\top)$ both steps of
# the aggregation are dense, and the Linear, which has more work than either, is sparse. That is what the package's
# layers do then; [a later chapter](10_reversible.ipynb) counts and times both orders.
#
# ## Where it does not apply
#
# - A graph given as an `edge_index` has no nets. `CircuitGraph.from_edge_index` goes over its edges.
# - Small nets make few pairs. Where edges are fewer than twice the pins, the edges are the default.
# - Each edge must carry the same linear message. Attention, or a ReLU on each message, gives every pair a value of its
#   own; then nothing can be summed at the net.
#
# ## Recap
#
# - $A x = B (B^\top x) + (1 - q) \circ x$, exactly; norms are scales before and after. Small nets stay pairs.
# - Two entries a pin replace one entry a pair of pins.
# - It serves CBSR and dense input, forward and backward.
#
# ## Exercises
#
# **1.** A netlist has nets of $s$ pins only, all on different cells. From which $s$ on does the package go through
# the nets? Check it on a netlist of your own.

# %% tags=["hide-cell"]
# s (s - 1) edges a net and one self-loop a cell, against 2 s entries: s = 3 is a tie but for the loops
for s in (2, 3, 4):
    pins = np.arange(12 * s)
    print(s, CircuitGraph.from_pins(pins % 13, pins // s, 13, self_loops=False).via)

# %% [markdown]
# **2.** Aggregation for the variance of the neighbours needs $A x$ and $A (x \circ x)$. Does it go through the nets?
# And the maximum over the neighbours?

# %% tags=["hide-cell"]
# Both products do, and the variance is made of them. For the maximum a net would keep its largest value,
# but also its second largest: what a cell gets must leave its own pin out, and a maximum cannot be
# subtracted. Two numbers a net are enough, so it can be done, with another kernel.
values = np.array([3.0, 9.0, 4.0])  # one net of three cells
largest, second = np.sort(values)[::-1][:2]
print([float(second if v == largest else largest) for v in values])
