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

# %% [markdown] slideshow={"slide_type": "slide"}
# # The backward phase, and the exact gradient beside it
#
# Algorithm 2 of the paper goes back through a layer. Read literally, it puts the *gradient* through group sparsity
# and the coupling, as the forward phase does with features. Those lines recompute a layer's input when they are fed
# its output; fed a gradient, they do not give the gradient of Algorithm 1. This chapter follows them on the paper's
# numbers (section 4.4, Figure 7), then computes the exact gradient and sets both side by side.
#
# Afterwards you can
#
# - carry out Algorithm 2 on a layer, and say which line does what;
# - compute the exact gradient of a layer from its output and what was kept;
# - test any claimed gradient in two ways, by automatic differentiation and by differences.
#
# You need the [forward phase](04_forward.ipynb), the [gradient of aggregation](02_aggregation.ipynb) and the
# {term}`chain rule`.

# %% tags=["parameters"] slideshow={"slide_type": "skip"}
k = 1  # entries kept in a row of a group, 1 or 2; the paper prints only 1

# %% slideshow={"slide_type": "skip"}
import numpy as np
import pandas as pd
import torch

from gsrgnn import CircuitGraph, aggregate, group_sparse
from gsrgnn.book import figures
from gsrgnn.book.walkthrough import BACKWARD, EXAMPLE, FORWARD, check, matrix, show
from gsrgnn.book.walkthrough.layer_steps import algorithm2, backward, forward

A = EXAMPLE["adjacency"].array
neighbours = A.sum(axis=1, keepdims=True)


def compare(computed, printed, **options):
    """Check against the printed matrix where its k = 1 applies."""
    if k == 1:
        return check(computed, printed, **options)
    return matrix(computed, f"{printed.name}, k = {k}")


# %% [markdown] slideshow={"slide_type": "slide"}
# ## Algorithm 2 on the paper's numbers
#
# The incoming gradient, in two groups. Row 2 is pieced together from fragments of our copy and the products below.
# Section 4.4 calls the left columns **group 2**, and so do we until the exact gradient below.

# %%
G = BACKWARD["G"].array
trace = algorithm2(A, G, k, reading="own", group2="left")
show(matrix(BACKWARD["G"], groups=("group 2", "group 1")))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Figure 7, redrawn

# %% tags=["hide-input"]
figures.show(
    figures.layers.backward_flow(trace),
    alt="Data flow of Algorithm 2 from top to bottom, group 2 on the left, group 1 on the right. Group 2 goes "
    "through GS into a block, whose output is subtracted from group 1. The difference goes through GS into a "
    "second block, whose output is subtracted from the scattered values of group 2. Both differences go through "
    "a backward block. The text below repeats the numbers step by step.",
    caption="The paper's Figure 7 with every number computed here. The circled numbers are the steps of the text; "
    "those above 6 cannot be read in our copy and continue the count.",
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Steps 1 and 2: split, select from group 2 (line 4)
#
# > The paper, section 4.4: "the gradient passed from the next layer is split into two groups … group 2 … goes
# > through … GS-Op to output CBSR values … and indices"

# %%
show(
    matrix(trace["G2"], "g₂, left", kept=trace["I2"]),
    "→",
    compare(trace["V2"], BACKWARD["V2"]),
    compare(trace["I2"], BACKWARD["I2"]),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Step 3: first block, subtracted from group 1 (line 5)
#
# > The paper, section 4.4: "the output of the first forward block … goes to the subtraction with group 1"

# %%
show(
    matrix(A, "A"),
    "·",
    matrix(trace["V2"], "V₂"),
    "at",
    matrix(trace["I2"], "I₂"),
    "=",
    compare(trace["Z2"], BACKWARD["Z2"], terms=neighbours),
)

# %% [markdown]
# The difference is printed without signs, in our copy at least; we compare magnitudes. Step 4 selects −.53 and
# −.08, which settles the signs.

# %%
show(
    matrix(trace["G1"], "g₁, right"),
    "−",
    matrix(trace["Z2"], "block"),
    "=",
    matrix(trace["M1"], "M₁"),
    "→",
    compare(abs(trace["M1"]), BACKWARD["M1"], terms=2, name="|M₁|"),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Step 4: select from the difference (line 6)
#
# The largest is the least negative: GS goes by value, not by magnitude.
#
# > The paper, section 4.4: "the result … goes into two ways: one enters another GS-Op"

# %%
show(
    matrix(trace["M1"], "M₁", kept=trace["I1"]),
    "→",
    compare(trace["V1"], BACKWARD["V1"], terms=2),
    compare(trace["I1"], BACKWARD["I1"]),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Step 5: second block (line 6)

# %%
show(
    matrix(A, "A"),
    "·",
    matrix(trace["V1"], "V₁"),
    "at",
    matrix(trace["I1"], "I₁"),
    "=",
    compare(trace["Z1"], BACKWARD["Z1"], terms=neighbours),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Step 6: subtracted from group 2 (line 7)
#
# From its scattered values, says line 7; no result is printed.
#
# > The paper, section 4.4: "performs subtraction with group 2 … to be the input of its GSR-GNN backward block"

# %%
scattered = trace["M2"] + trace["Z1"]
show(
    matrix(scattered, "scatter(V₂, I₂)"),
    "−",
    matrix(trace["Z1"], "block"),
    "=",
    matrix(trace["M2"], "M₂"),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Backward blocks (line 8)
#
# Each difference goes through a backward block, which fills the remembered positions. Every number that we can read
# of the last two matrices comes out, so this is what the example does.
#
# > The paper, section 4.4: "the other is kept for the dedicated backward block"

# %%
show(
    compare(trace["G2_next"], BACKWARD["G2_next"], terms=2 * neighbours),
    compare(trace["G1_next"], BACKWARD["G1_next"], terms=2 * neighbours),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What these lines undo
#
# Lines 4 to 7 select, aggregate and *subtract*: the coupling of the forward phase, undone. The paper's text has a
# word for it, recomputation. Feed them not a gradient but the output $Y$ of a layer. The first difference is then
# what group 2 held before the second block was added; the second is $X_1$, at the positions that GS keeps of $Y_1$.
#
# > The paper, section 4.4: "Using the remembered positions from the previous forward-style recomputation"

# %%
X = FORWARD["X"].array.copy()
X[2, :2] = 0.86, 0.50  # unreadable in our copy
layer = forward(A, X, k)
undone = algorithm2(A, layer["Y"], k, group2="left")
kept = np.zeros((4, 2), dtype=bool)
np.put_along_axis(kept, undone["I2"], True, axis=1)
assert np.allclose(undone["M1"], layer["R2"])
assert np.allclose(undone["M2"][kept], layer["X1"][kept])
show(
    matrix(undone["M1"], "first difference", against=matrix(layer["R2"], "R₂")),
    matrix(undone["M2"], "second difference", kept=kept),
    matrix(layer["X1"], "X₁", kept=kept),
)

# %% [markdown]
# So Algorithm 2 is the recomputation of a layer's activations, written with the gradient's letters. A reversible
# layer needs exactly that on its way back. It needs the derivative as well, and the next section has it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The exact gradient
#
# Let $G = \partial L / \partial Y$, for the layer of the previous chapter, with the neighbour's column and groups
# numbered as in Algorithm 1. We differentiate its lines from the last to the first:
#
# $$
# \begin{aligned}
# \partial V_1 &= (A^\top \partial Y_2) \text{ at } I_1
#   & \partial X_1 &= \partial Y_1 + \mathrm{scatter}(\partial V_1, I_1) \\
# \partial V_2 &= (A^\top \partial X_1) \text{ at } I_2
#   & \partial X_2 &= \mathrm{scatter}(\partial Y_2 \text{ at } I_2,\ I_2) + \mathrm{scatter}(\partial V_2, I_2)
# \end{aligned}
# $$
#
# where $\partial M$ is short for $\partial L / \partial M$. Nothing is *selected* from a gradient: the positions are
# those of the forward phase. The recomputation goes along, since $I_1$ must be known.

# %% tags=["hide-input"]
back = backward(A, layer, G)
steps = [
    {
        "step": s.number,
        "line": s.line,
        "what": s.name,
        "makes": ", ".join(s.matrices),
    }
    for s in back
]
table = figures.table(
    pd.DataFrame(steps),
    index=False,
    caption="Backward through a layer; the line of Algorithm 1 that a step "
    "repeats, undoes or differentiates",
)
left = {"selector": "th.col2, th.col3", "props": "text-align: left"}
table.set_table_styles([left], overwrite=False)
table.set_properties(subset=["what", "makes"], **{"text-align": "left"})

# %%
show(
    matrix(back["dY2"], "∂Y₂"),
    "→",
    matrix(A.T @ back["dY2"], "Aᵀ ∂Y₂", kept=back["I1"]),
    "→",
    matrix(back["dV1"], "∂V₁"),
    matrix(back["dX1"], "∂X₁"),
)

# %%
show(
    matrix(back["dX1"], "∂X₁"),
    "→",
    matrix(A.T @ back["dX1"], "Aᵀ ∂X₁", kept=back["I2"]),
    "→",
    matrix(back["dV2"], "∂V₂"),
    matrix(back["dX2"], "∂X₂"),
)

# %% [markdown]
# PyTorch's automatic differentiation, on the five lines of [the forward chapter](04_forward.ipynb), agrees:

# %%
edges = torch.tensor(np.stack(np.nonzero(A.T)))
graph = CircuitGraph.from_edge_index(edges, num_nodes=4, norm="sum")
x = torch.tensor(X, requires_grad=True)
x1, x2 = x.chunk(2, dim=1)
kept2 = group_sparse(x2, k)
y1 = x1 + aggregate(graph, kept2)
y2 = kept2.to_dense() + aggregate(graph, group_sparse(y1, k))
(autograd,) = torch.autograd.grad(torch.cat([y1, y2], dim=1), x, torch.tensor(G))
assert np.allclose(autograd, back["dX"])
show(
    matrix(back["dX"], "∂X, step by step", groups=2),
    "=",
    matrix(autograd, "by autograd", groups=2),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Side by side
#
# Algorithm 2, literally, with the same $G$ and reading. Framed: where it is not the gradient. The exact gradient
# depends on the forward phase, through the positions; Algorithm 2 never looks at them.

# %%
literal = algorithm2(A, G, k)
show(
    matrix(back["dX"], "exact ∂X", groups=2),
    "≠",
    matrix(
        literal["G_next"],
        "Algorithm 2",
        groups=2,
        against=matrix(back["dX"], "exact"),
    ),
)

# %% [markdown]
# Nor do they agree under the other reading, or with the groups named the other way round:

# %%
rows = {}
for reading in ("neighbour", "own"):
    exact = backward(A, forward(A, X, k, reading=reading), G)["dX"]
    for side in ("right", "left"):
        gap = abs(algorithm2(A, G, k, reading, side)["G_next"] - exact)
        assert gap.max() > 0.1
        rows[f"{reading}, group 2 {side}"] = [(gap > 1e-9).sum(), gap.max()]
figures.table(
    pd.DataFrame(
        rows, index=["entries that differ, of 16", "largest difference"]
    ).T,
    {"entries that differ, of 16": "{:.0f}", "largest difference": "{:.2f}"},
)

# %% [markdown]
# One more test needs no second formula: move $X$ a little against the gradient, and $L = \sum_{ij} G_{ij} Y_{ij}$
# must fall by the step times the gradient's squared length.


# %%
def fall(direction, step=1e-4):
    """How much L falls on a step against this direction, and should fall."""
    moved = forward(A, X - step * direction, k)["Y"]
    return (G * (layer["Y"] - moved)).sum() / step, (direction**2).sum()


falls = pd.DataFrame(
    {"exact": fall(back["dX"]), "Algorithm 2": fall(literal["G_next"])},
    index=["measured fall", "if it were the gradient"],
).T
assert np.allclose(*falls.loc["exact"])
assert not np.allclose(*falls.loc["Algorithm 2"], rtol=0.1)
figures.table(
    falls, "{:.2f}", caption="Fall of L for a step of length 1, from a small one"
)

# %% [markdown]
# The package computes the exact gradient, layer by layer, and recomputes as it goes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - Lines 4 to 7 of Algorithm 2 undo the coupling. On a layer's output they recompute activations; on a gradient they
#   do not differentiate.
# - The exact gradient reads $A^\top \partial$ at the positions of the forward phase, and adds.
# - It needs the output, and $(V_2, I_2)$ with the sparse residual.
#
# The exact gradient of your own numbers, step by step, is in [the step-through](../book/step_through.md). All printed
# numbers are in [the audit](06_audit.ipynb).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercises

# %% [markdown] slideshow={"slide_type": "slide"}
# **1.** Compute $\partial V_1$ for node 0 by hand, from $G$ and $I_1$, with $k = 1$.

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
# Node 0 sent to nodes 0 and 2, at column 0 of its group: .15 + .45.
one = backward(A, forward(A, X, 1), G)
assert one["I1"][0] == 0
assert np.isclose(one["dV1"][0, 0], 0.15 + 0.45)
print(one["dV1"][0])

# %% [markdown] slideshow={"slide_type": "slide"}
# **2.** With the dense residual, which zeros of the exact $\partial X$ become other numbers, and which numbers?

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
# The dropped entries of group 2: each gets its own entry of G,
# through the residual path.
sparse = backward(A, forward(A, X, 1), G)["dX"]
dense = backward(A, forward(A, X, 1, "dense"), G)["dX"]
changed = sparse != dense
assert (sparse[changed] == 0).all()
assert np.allclose(dense[changed], G[changed])
show(
    matrix(dense, "∂X, dense residual", groups=2, against=matrix(sparse, "sparse"))
)

# %% [markdown] slideshow={"slide_type": "slide"}
# **3.** Is the gradient above exact for every small change of $X$, or only until something happens? What?

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
# Until GS selects another entry: then the positions change, and L jumps.
# Row 1 of group 2 holds .21 and .40; raise the first by .20, and it is kept.
bumped = X.copy()
bumped[1, 2] += 0.20
before, after = (forward(A, x, 1)["I2"][1, 0] for x in (X, bumped))
assert (before, after) == (1, 0)
print(f"kept column of row 1: {before}, then {after}")
