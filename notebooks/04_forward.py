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
# # The forward phase, step by step
#
# One layer takes eight steps: split, then twice select, aggregate and add, then join. This chapter follows the
# paper's section 4.3, Figure 6 and Algorithm 1 on the paper's own numbers, redraws the figure from them, and then
# runs the same layer as the package computes it.
#
# Afterwards you can
#
# - carry out a layer by hand, and name the line of Algorithm 1 for every step;
# - say where the paper's example and the package's product part ways, and by how much;
# - write the layer in five lines of PyTorch.
#
# You need [group sparsity](01_group_sparsity.ipynb), the [two readings](02_aggregation.ipynb) of the product and
# the [coupling of two groups](03_coupling.ipynb).

# %% tags=["parameters"] slideshow={"slide_type": "skip"}
k = 1  # entries kept in a row of a group, 1 or 2; the paper prints only 1

# %% slideshow={"slide_type": "skip"}
import numpy as np
import torch

from gsrgnn import CircuitGraph, aggregate, group_sparse
from gsrgnn.book import figures
from gsrgnn.book.walkthrough import EXAMPLE, FORWARD, Deviation, check, matrix, show
from gsrgnn.book.walkthrough.layer_steps import forward


def compare(computed, printed, **options):
    """Check against the printed matrix where its k = 1 applies."""
    if k == 1:
        return check(computed, printed, **options)
    return matrix(computed, f"{printed.name}, k = {k}", kept=options.get("kept"))


# %% [markdown] slideshow={"slide_type": "slide"}
# ## The input
#
# The graph is that of the first chapter. In $X$ two numbers of row 2 cannot be read in our copy. We put .86 and
# .50 there: with .86 the first sum of step 6 comes out as printed, and .50 is any number small enough not to be
# selected in step 5.

# %%
A = EXAMPLE["adjacency"].array
neighbours = A.sum(axis=1, keepdims=True)
X = FORWARD["X"].array.copy()
X[2, :2] = 0.86, 0.50
assert np.isnan(FORWARD["X"].array[2, :2]).all()
show(
    EXAMPLE["adjacency"],
    matrix(FORWARD["X"], "X, as far as readable", groups=2),
    "→",
    matrix(X, "X", groups=2),
)

# %% [markdown]
# The example's numbers follow the *own column* reading: the neighbours' values are added slot by slot, and the sum
# is put at the row's own column. We take it along first, to compare with what is printed. A block here is its
# aggregation alone; in a network a Linear and a LayerNorm follow.

# %%
trace = forward(A, X, k, residual="sparse", reading="own")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Figure 6, redrawn

# %% tags=["hide-input"]
figures.show(
    figures.layers.forward_flow(trace),
    alt="Data flow of a layer from top to bottom, group 1 on the left, group 2 on the right. Group 2 goes through "
    "GS into the first block, whose output is added to group 1. The new group 1 goes through GS into the second "
    "block, whose output is added to the scattered values of group 2. Every matrix is shown with its numbers, "
    "which the text below repeats step by step.",
    caption="The paper's Figure 6 with every number computed here. Bold and underlined: kept by GS. The circled "
    "numbers are the steps of the text.",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Step 1: split (line 4)
#
# The columns are split into two groups. (The text of section 4.3 calls the right one group 1 and the left one
# group 2; we number them as Algorithm 1 does, left first.)
#
# > The paper, section 4.3: "the input node embedding is partitioned evenly into two groups"

# %%
show(
    matrix(X, "X", groups=2),
    "→",
    matrix(trace["X1"], "X₁"),
    matrix(trace["X2"], "X₂"),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Step 2: select from group 2 (line 5)
#
# > The paper, section 4.3: "firstly proceeds through the GS-Op … to produce the compressed CBSR-format"

# %%
show(
    matrix(trace["X2"], "X₂", kept=trace["I2"]),
    "→",
    compare(trace["V2"], FORWARD["V2"]),
    compare(trace["I2"], FORWARD["I2"]),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Step 3: first block (line 6)
#
# > The paper, section 4.3: "which become the input of the GSR-GNN forward block first"

# %%
show(
    matrix(A, "A"),
    "·",
    matrix(trace["V2"], "V₂"),
    "at",
    matrix(trace["I2"], "I₂"),
    "=",
    compare(trace["M1"], FORWARD["M1"], terms=neighbours),
)

# %% [markdown]
# Node 2 adds the values of nodes 0 and 3, .45 + .49 = .94, though they belong to different
# columns. It writes the sum at its own column, 0.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Step 4: add to group 1 (line 7)
#
# The paper prints no sum here. (Beside the name of the group that is added to, it prints the right columns once
# more. The values of step 5 show that the left ones were meant: .37 + 1.18 = 1.55.)
#
# > The paper, section 4.3: "added to Group 2 … which subsequently enters the second GS-Op"

# %%
show(
    matrix(trace["X1"], "X₁"),
    "+",
    matrix(trace["M1"], "M₁"),
    "=",
    matrix(trace["Y1"], "Y₁"),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Step 5: select from the new group 1 (line 8)

# %%
show(
    matrix(trace["Y1"], "Y₁", kept=trace["I1"]),
    "→",
    compare(trace["V1"], FORWARD["V1"], terms=1),
    compare(trace["I1"], FORWARD["I1"]),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Step 6: second block (line 9)
#
# Here two printed numbers cannot be met. Node 2 adds 1.55 and 1.15, which is 2.70 and not 2.65. Nodes 0 and 3 both
# use the value of node 2 that we cannot read: the printed sums ask for 1.80 and for 1.86.

# %%
slips = [
    Deviation(2, 0, "1.55 + 1.15 = 2.70."),
    Deviation(3, 1, "1.20 + 1.80 = 3.00; row 0 asks for 1.80."),
]
show(
    matrix(A, "A"),
    "·",
    matrix(trace["V1"], "V₁"),
    "at",
    matrix(trace["I1"], "I₁"),
    "=",
    compare(trace["M2"], FORWARD["M2"], terms=neighbours, deviations=slips),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Step 7: add to what group 2 keeps (line 10)
#
# The printed zeros say that it is the *scattered* values, not $X_2$: otherwise .17 would stand in row 0, column 1.
# The two differences are those of step 6, carried on.
#
# > The paper, section 4.3: "the output of the second forward block … is also added back to group 1"

# %%
carried = [
    Deviation(2, 0, "2.70 in place of 2.65, plus .73."),
    Deviation(3, 1, "3.00 in place of 3.06, plus .49."),
]
show(
    matrix(trace["R2"], "R₂ = scatter(V₂, I₂)"),
    "+",
    matrix(trace["M2"], "M₂"),
    "=",
    compare(trace["Y2"], FORWARD["Y2"], terms=neighbours + 1, deviations=carried),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Step 8: join (line 11)
#
# > The paper, section 4.3: "becomes the updated channel 2 of the node embedding … with the updated group 1"

# %%
show(
    matrix(trace["Y1"], "Y₁"),
    matrix(trace["Y2"], "Y₂"),
    "→",
    matrix(trace["Y"], "Y", groups=2),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The same layer in the package
#
# The package places values at the *neighbour's column*: $A \cdot \mathrm{scatter}(V, I)$. Framed: where that
# changes a number.

# %%
ours = forward(A, X, k, residual="sparse", reading="neighbour")
show(
    matrix(ours["M1"], "M₁", against=matrix(trace["M1"], "own column")),
    matrix(ours["M2"], "M₂", against=matrix(trace["M2"], "own column")),
)

# %%
show(matrix(ours["Y"], "Y", groups=2, against=matrix(trace["Y"], "own column")))

# %% [markdown]
# With $k = 1$ the first block differs in the two rows whose neighbours kept different columns. In PyTorch, with
# the package's operators, the layer is five lines:

# %%
edges = torch.tensor(np.stack(np.nonzero(A.T)))
graph = CircuitGraph.from_edge_index(edges, num_nodes=4, norm="sum")
x1, x2 = torch.tensor(X).chunk(2, dim=1)  # line 4

kept2 = group_sparse(x2, k)  # line 5
y1 = x1 + aggregate(graph, kept2)  # lines 6, 7
y2 = kept2.to_dense() + aggregate(graph, group_sparse(y1, k))  # lines 8 to 10
y = torch.cat([y1, y2], dim=1)  # line 11

assert np.allclose(y, ours["Y"])
show(matrix(y, "Y by the package", groups=2))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - Group 2 is selected from, sent through a block and added to group 1; the new group 1 likewise to group 2.
# - What group 2 keeps of itself is only what was selected: the sparse residual.
# - All readable numbers of section 4.3 follow the own-column reading, but for two sums of step 6 and what is
#   carried on from them.
#
# Change the numbers yourself in the [step-through](../book/step_through.md). Next: [](05_backward.ipynb).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercises

# %% [markdown] slideshow={"slide_type": "slide"}
# **1.** Carry out steps 2 to 4 for row 3, under the neighbour's column, by hand.

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
# Node 3 adds .40 at column 1 (node 1) and .73 at column 0 (node 2) to .14 .02.
row = forward(A, X, 1)["Y1"][3]
assert np.allclose(row, [0.14 + 0.73, 0.02 + 0.40])
print(row)

# %% [markdown] slideshow={"slide_type": "slide"}
# **2.** The own-column reading and the neighbour's column are one operator for one value of $k$. Which, and why?

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
# k = 2, the width of a group: every row keeps all columns in order,
# so that slot t is column t everywhere.
one, other = (
    forward(A, X, 2, reading=reading)["Y"] for reading in ("neighbour", "own")
)
assert np.allclose(one, other)

# %% [markdown] slideshow={"slide_type": "slide"}
# **3.** Which entries of $X$ can change a little without any change in $Y$, with $k = 1$ and the sparse residual?

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
# Those of group 2 that GS drops: they enter neither block nor residual path.
silent = []
for at in np.ndindex(X.shape):
    nudged = X.copy()
    nudged[at] += 0.01
    if np.array_equal(forward(A, nudged, 1)["Y"], forward(A, X, 1)["Y"]):
        silent.append(at)
assert silent == [(0, 3), (1, 2), (2, 3), (3, 2)]
print(silent)
