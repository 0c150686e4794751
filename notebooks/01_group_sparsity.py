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
# # Group sparsity in place of ReLU
#
# ReLU leaves in each row as many numbers as happen to be positive. Group sparsity leaves exactly $k$. With
# the same number of entries in every row, a matrix is two small arrays and no pointers, and the product with a
# graph touches only those entries. This chapter works through the forward half of the 4-node example in the
# paper's section 4.1 and compares every number with the printed one. (Run it with another $k$ than the paper's 1,
# and what depends on $k$ is computed without being compared.)
#
# Afterwards you can
#
# - say which entries group sparsity keeps of a matrix, and write the result as CBSR;
# - predict by hand what aggregation makes of it;
# - call both from PyTorch.
#
# You need matrix products and PyTorch's tensors; no sparse formats. The symbols are in the
# [notation](../book/notation.md), the words in the [glossary](../book/glossary.md).

# %% tags=["parameters"] slideshow={"slide_type": "skip"}
k = 1  # entries kept a row, from 1 to 4; the paper prints only 1

# %% slideshow={"slide_type": "skip"}
import numpy as np
import torch

from gsrgnn import CBSR, CircuitGraph, aggregate, group_sparse
from gsrgnn.book import figures
from gsrgnn.book.walkthrough import EXAMPLE, check, matrix, show
from gsrgnn.kernels import reference


def compare(computed, printed, **options):
    """Check against the printed matrix where its k = 1 applies."""
    if k == 1:
        return check(computed, printed, **options)
    return matrix(computed, f"{printed.name}, k = {k}")


# %% [markdown] slideshow={"slide_type": "slide"}
# ## The graph
#
# Four nodes. $A_{ij} = 1$ says that node $i$ receives from node $j$. $A$ is symmetric. Nodes 0 and 1 also
# receive from themselves.
#
# Nodes and columns are counted from 0, as in the code. Our copy of the paper has gaps: a number in *italics*
# could not be read and was derived, being the only value that makes the readable products come out. What the paper
# says of a step is quoted above the code that does it; "…" stands for what we leave out, brackets for what we mend.

# %%
A = EXAMPLE["adjacency"].array
neighbours = A.sum(axis=1, keepdims=True)
show(EXAMPLE["adjacency"])

# %% [markdown]
# **Aggregation** gives every node the sum of its neighbours' rows: $Y = A X$. Many networks divide the sum by
# the number of neighbours, or by its square roots; that changes the scale of rows and nothing that matters here.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The conventional block: ReLU
#
# ReLU puts 0 for every negative number, and the product with $A$ follows. A printed number stands for itself
# to half a unit of its last digit; the sum of two such numbers, compared with a third, may be off by three
# halves, ±0.015.
#
# > The paper, section 4.1: "performs product full-dimensional node embedding or gradient processed by Rectified
# > Linear Units"

# %%
X_relu = EXAMPLE["relu"].array
show(
    EXAMPLE["adjacency"],
    "·",
    EXAMPLE["relu"],
    "=",
    check(A @ X_relu, EXAMPLE["relu_out"], terms=neighbours),
)

# %% [markdown]
# Row 0 of $A$ has ones at 0 and 2, so row 0 of the result is row 0 plus row 2. Note the zeros: two rows of
# the input hold two of them, one holds one, one holds three. The product has fewer, since a sum is zero only
# where every summand is.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Group sparsity
#
# $\mathrm{GS}(X, k)$ keeps the $k$ largest entries of every row, by value, and drops the rest. Among equal
# entries the lowest column stays. A **kept entry** is one that survives; below it is bold and underlined.
#
# The result is stored as **CBSR** (compressed balanced sparse rows): the kept values $V$, and the column of
# each, $I$. Both have $N$ rows and $k$ columns. *Balanced* means that every row has the same number of
# entries, so that row $i$ starts at $i k$ and no row pointer is needed.
#
# The paper prints its input only after ReLU, and one entry does not fit: row 3 there holds .23 and nothing
# else, while group sparsity takes .86 at column 3 from the same row. We put .86 in that place and leave the
# rest.
#
# > The paper, section 4.1: "introduces Group Sparse GS(X, k) [→] (V, I) as a counterpart to ReLU … each row of val
# > is the K-most significant elements selected from full-dimentional [sic] node embedding"

# %%
X = X_relu.copy()
X[3, 3] = EXAMPLE["values"].array[3, 0]
V, I = reference.group_sparse(X, k)
slots = [f"slot {t}" for t in range(k)]
show(
    matrix(X, f"X, kept at k = {k}", kept=I),
    "→",
    matrix(V, "V", columns=slots),
    matrix(I, "I", columns=slots),
)

# %% [markdown]
# The paper prints these two as Val and Idx:

# %%
show(compare(V, EXAMPLE["values"]), compare(I, EXAMPLE["indices"]))

# %% [markdown]
# Writing the values back to their columns, with zeros elsewhere, is called **scatter**. It turns CBSR into
# the dense matrix that it stands for.

# %%
S = reference.scatter(V, I, num_columns=4)
show(matrix(S, "scatter(V, I)", kept=I))

# %% [markdown]
# On a matrix of more than four rows the difference shows at a glance. ReLU's pattern is ragged: a kernel must
# look up where each row starts, and rows take different times. Group sparsity has the same load in each row.

# %% tags=["hide-input"]
noise = np.random.default_rng(0).normal(size=(24, 16))
_, columns = reference.group_sparse(noise, 4)
balanced = reference.scatter(np.ones(columns.shape), columns, 16) > 0
figures.show(
    figures.layers.sparsity_pattern(noise > 0, "ReLU"),
    figures.layers.sparsity_pattern(balanced, "GS, k = 4"),
    alt="Two patterns of a 24 by 16 random matrix. ReLU keeps about half of the entries, "
    "from few to many in a row. Group sparsity keeps exactly four in every row.",
    caption="Kept entries of 24 rows of random numbers with 16 columns. "
    f"ReLU keeps {(noise > 0).sum(1).min()} to {(noise > 0).sum(1).max()} in a row, "
    f"group sparsity {balanced.sum(1).min()} in every row.",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Aggregation of CBSR
#
# $Y = A \cdot \mathrm{scatter}(V, I)$. Nobody has to build the dense matrix: node $i$ goes through its
# neighbours $j$ and, for each **slot** $t$ from 0 to $k - 1$, adds the value $V_{jt}$ at the column where *the
# neighbour* kept it, $I_{jt}$.
#
# $$Y_{i,\,I_{jt}} \mathrel{+}= A_{ij} V_{jt}$$
#
# > The paper, section 4.1: "our forward block promptly uses values in the node embedding indexed by the indices
# > while skipping zero elements"

# %%
edges = np.stack(np.nonzero(A.T))  # sources above targets, as in PyG
graph = CircuitGraph.from_edge_index(edges, num_nodes=4, norm="sum")
adjacency = reference.Adjacency(
    *(part.numpy() for part in graph.adjacency(torch.float64))
)

Y = reference.aggregate(adjacency, V, I, num_columns=4)
assert np.allclose(Y, A @ S)
show(
    EXAMPLE["adjacency"],
    "·",
    matrix(S, "scatter(V, I)", kept=I),
    "=",
    compare(Y, EXAMPLE["out"], terms=neighbours),
)

# %% [markdown]
# Take node 2 with $k = 1$. Its neighbours are 0 and 3. Both kept column 3, so the values meet: .79 + .86 =
# 1.65. The neighbours of node 0 are 0 and 2, which kept columns 3 and 2; the values stay apart and row 0 has
# two entries. The output is no longer $k$-sparse; the next layer's group sparsity makes it so again.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## With the package
#
# `group_sparse` and `aggregate` do the same on torch tensors. We compare them with plain dense torch operations,
# which know nothing of CBSR.

# %%
x = torch.tensor(X)
y = aggregate(graph, group_sparse(x, k))

mask = torch.zeros_like(x).scatter(1, torch.tensor(I), 1.0)
y_dense = torch.tensor(A, dtype=torch.float64) @ (mask * x)

assert torch.allclose(y, y_dense)
assert np.allclose(y, Y)
show(matrix(y, "aggregate(...)"), "=", matrix(y_dense, "A · (mask ∘ X)"))

# %% [markdown]
# `matrix` and `show` take your own matrices just as well: an array or a tensor, the entries to mark, the number
# of groups, and another matrix to hold it against.

# %%
mine = np.array([[3.0, -1.0, 0.5, 2.0], [0.0, 4.0, -2.5, -0.5]])
_, mine_kept = reference.group_sparse(mine, 2)
show(
    matrix(mine, "mine", kept=mine_kept, groups=2),
    matrix(np.maximum(mine, 0), "ReLU", groups=2, against=matrix(mine, "mine")),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - $\mathrm{GS}(X, k)$ keeps the $k$ largest entries a row. CBSR stores them as $V$ and $I$, both $[N, k]$.
# - Aggregation adds each neighbour's values at the neighbour's columns: $A \cdot \mathrm{scatter}(V, I)$.
# - The sum of $k$-sparse rows is no longer $k$-sparse.
#
# The next chapter, [](02_aggregation.ipynb), differentiates this and counts what it costs.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercises

# %% [markdown] slideshow={"slide_type": "slide"}
# **1.** Three nodes in a line, 0 – 1 – 2, no self-loops, sums. After group sparsity with $k = 1$ and 3
# columns, the nodes hold 5 at column 0, 7 at column 2 and 2 at column 0. Predict the output of `aggregate` by
# hand.

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
# Nodes 0 and 2 have one neighbour, node 1: both receive 7 at column 2.
# Node 1 has two, and both kept column 0: 5 + 2 = 7 at column 0.
line = CircuitGraph.from_edge_index(
    torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3, norm="sum"
)
kept = CBSR(
    torch.tensor([[5.0], [7.0], [2.0]]),
    torch.tensor([[0], [2], [0]]),
    num_columns=3,
)
answer = aggregate(line, kept)
assert answer.tolist() == [[0, 0, 7], [7, 0, 0], [0, 0, 7]]
show(matrix(answer, "aggregate", decimals=0))

# %% [markdown] slideshow={"slide_type": "slide"}
# **2.** A row holds .3, −.2, .3, −.5. What do ReLU and group sparsity with $k = 1$, 2 and 3 keep of it?

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
# ReLU: both .3. GS goes by value, so −.2 is third; of equals, the lowest column.
row = np.array([[0.3, -0.2, 0.3, -0.5]])
for n in (1, 2, 3):
    values, columns = reference.group_sparse(row, n)
    print(f"k = {n}: values {values[0]}, columns {columns[0]}")

# %% [markdown] slideshow={"slide_type": "slide"}
# **3.** Change one entry of $X$ so that row 0 of the output has one entry and not two, with $k = 1$.

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
# Node 0 adds nodes 0 and 2, which kept columns 3 and 2. Let node 2 keep 3 too.
changed = X.copy()
changed[2, 3] = 1.2
out = reference.aggregate(adjacency, *reference.group_sparse(changed, 1), 4)
assert (out[0] != 0).sum() == 1
show(matrix(out, "aggregate"))
