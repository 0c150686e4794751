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
# # Group sparsity in place of ReLU
#
# ReLU leaves in each row as many numbers as happen to be positive. Group sparsity leaves exactly $k$. With
# the same number of entries in every row, a matrix is two small arrays and no pointers, and both the product
# with a graph and its gradient touch only those entries. This chapter works through the 4-node example of the
# paper's section 4.1 and compares every number with the printed one. With another $k$ than the paper's 1,
# what depends on it is computed and shown, and not compared.
#
# Afterwards you can
#
# - say which entries group sparsity keeps of a matrix, and write the result as CBSR;
# - work out by hand what aggregation makes of it, forward and backward;
# - count the bytes it takes, dense and as CBSR;
# - tell the two operators apart that the paper's example uses under one name.
#
# You need matrix products and the idea of a gradient; no sparse formats.

# %% tags=["parameters"]
k = 1  # entries kept a row, from 1 to 4; the paper prints only 1

# %%
import numpy as np
import pandas as pd
import torch

from gsrgnn import CBSR, CircuitGraph, aggregate, figures, group_sparse
from gsrgnn.kernels import reference
from gsrgnn.walkthrough import EXAMPLE, Deviation, check, matrix, show


def compare(computed, printed, **options):
    """Check against the printed matrix where its k = 1 applies."""
    if k == 1:
        return check(computed, printed, **options)
    return matrix(computed, f"{printed.name}, k = {k}")


# %% [markdown]
# ## The graph
#
# Four nodes. $A_{ij} = 1$ says that node $i$ receives from node $j$. $A$ is symmetric, so the graph of the
# backward pass, $A^\top$, is the same. Nodes 0 and 1 also receive from themselves.
#
# Nodes and columns are counted from 0, as in the code. Our copy of the paper has gaps: a number in *italics*
# could not be read and was derived, being the only value that makes the readable products come out.

# %%
A = EXAMPLE["adjacency"].array
neighbours = A.sum(axis=1, keepdims=True)
show(EXAMPLE["adjacency"])

# %% [markdown]
# **Aggregation** gives every node the sum of its neighbours' rows: $Y = A X$. Dividing by the number of
# neighbours, or by its square roots, changes the scale of rows and nothing that matters here.
#
# ## The conventional block: ReLU
#
# ReLU puts 0 for every negative number, and the product with $A$ follows. A printed number stands for itself
# to half a unit of its last digit; the sum of two such numbers, compared with a third, may be off by three
# halves, ±0.015.

# %%
X_relu = EXAMPLE["relu"].array
show(EXAMPLE["adjacency"], "·", EXAMPLE["relu"], "=",
     check(A @ X_relu, EXAMPLE["relu_out"], terms=neighbours))

# %% [markdown]
# Row 0 of $A$ has ones at 0 and 2, so row 0 of the result is row 0 plus row 2. Note the zeros: two rows of
# the input hold two of them, one holds one, one holds three. The product has fewer, since a sum is zero only
# where every summand is.
#
# Backward, the gradient of the output is multiplied by $A^\top$. The paper puts it through ReLU first. (The
# derivative of ReLU lets a gradient pass where the *activation* was positive, whatever the gradient's own
# sign. We take the printed matrix as the incoming gradient $G$ and go on.)

# %%
G = EXAMPLE["grad"].array
slips = [
    Deviation(1, 0, "Aᵀ adds rows 1 and 3 of the gradient there: .45 + 0."),
    Deviation(3, 1, "Aᵀ adds rows 1 and 2 of the gradient there: .78 + 0."),
]
show(matrix(A.T, "Aᵀ"), "·", EXAMPLE["grad"], "=",
     check(A.T @ G, EXAMPLE["grad_out"], terms=neighbours, deviations=slips))

# %% [markdown]
# Two entries differ from what our copy shows. Each follows from two summands that are themselves readable or
# fixed by other entries, so we hold the computed number. A slip in print or in our copy explains both;
# nothing below uses them.
#
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

# %%
X = X_relu.copy()
X[3, 3] = EXAMPLE["values"].array[3, 0]
V, I = reference.group_sparse(X, k)
slots = [f"slot {t}" for t in range(k)]
show(matrix(X, f"X, kept at k = {k}", kept=I), "→",
     matrix(V, "V", columns=slots), matrix(I, "I", columns=slots))

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
    figures.sparsity_pattern(noise > 0, "ReLU"), figures.sparsity_pattern(balanced, "GS, k = 4"),
    alt="Two patterns of a 24 by 16 random matrix. ReLU keeps about half of the entries, "
        "from few to many in a row. Group sparsity keeps exactly four in every row.",
    caption="Kept entries of 24 rows of random numbers with 16 columns. "
            f"ReLU keeps {(noise > 0).sum(1).min()} to {(noise > 0).sum(1).max()} in a row.")

# %% [markdown]
# ## Aggregation of CBSR, forward
#
# $Y = A \cdot \mathrm{scatter}(V, I)$. Nobody has to build the dense matrix: node $i$ goes through its
# neighbours $j$ and adds each value $V_{jt}$ at the column where *the neighbour* kept it, $I_{jt}$.
#
# $$Y_{i,\,I_{jt}} \mathrel{+}= A_{ij} V_{jt} \qquad \text{for every neighbour } j \text{ and slot } t$$

# %%
edges = np.stack(np.nonzero(A.T))  # sources above targets, as in PyG
graph = CircuitGraph.from_edge_index(edges, num_nodes=4, norm="sum")
adjacency = reference.Adjacency(
    *(part.numpy() for part in graph.adjacency(torch.float64)))

Y = reference.aggregate(adjacency, V, I, num_columns=4)
assert np.allclose(Y, A @ S)
show(EXAMPLE["adjacency"], "·", matrix(S, "scatter(V, I)", kept=I), "=",
     compare(Y, EXAMPLE["out"], terms=neighbours))

# %% [markdown]
# Take node 2 with $k = 1$. Its neighbours are 0 and 3. Both kept column 3, so the values meet: .79 + .86 =
# 1.65. The neighbours of node 0 are 0 and 2, which kept columns 3 and 2; the values stay apart and row 0 has
# two entries. The output is no longer $k$-sparse; the next layer's group sparsity makes it so again.
#
# ## Backward
#
# Given the gradient $G = \partial L / \partial Y$, the chain rule gives
#
# $$\frac{\partial L}{\partial V_{it}} = (A^\top G)_{i,\,I_{it}}$$
#
# and zero for every entry that was dropped. Of $A^\top G$ only the kept positions are computed: a **sampled**
# product. The indices are those of the forward pass, and nothing else has to be remembered, not even the
# values. Here with the gradient that the paper prints for the conventional block:

# %%
transposed = reference.Adjacency(
    *(part.numpy()
      for part in graph.adjacency(torch.float64, transposed=True)))
dV = reference.aggregate_backward(transposed, G, I)
assert np.allclose(dV, np.take_along_axis(A.T @ G, I, axis=1))
show(matrix(A.T, "Aᵀ"), "·", matrix(G, "G"), "=",
     matrix(A.T @ G, "AᵀG, sampled at I", kept=I), "→",
     matrix(dV, "∂L/∂V", columns=slots))

# %% [markdown]
# Is that the gradient? Nudge one value at a time, aggregate again, and see how $L = \sum_{ij} G_{ij} Y_{ij}$
# moves.


# %%
def finite_differences(forward, values, step=1e-5):
    """dL/dV of L = sum(G * forward(V)), one value at a time."""
    gradient = np.zeros_like(values)
    for entry in np.ndindex(values.shape):
        nudge = np.zeros_like(values)
        nudge[entry] = step
        rise = forward(values + nudge) - forward(values - nudge)
        gradient[entry] = (G * rise).sum() / (2 * step)
    return gradient


measured = finite_differences(
    lambda values: reference.aggregate(adjacency, values, I, 4), V)
assert np.allclose(measured, dV, atol=1e-8)
show(matrix(dV, "∂L/∂V", columns=slots), "=",
     matrix(measured, "measured", columns=slots))

# %% [markdown]
# ## What the paper's backward example computes
#
# The paper's backward block takes the values .12, .45, .55, .99 with the same Idx and prints one number a
# row, each at the column that *the row itself* kept. That is another operator. It adds the neighbours' values
# slot by slot, whatever columns they came from, and writes the sum at the row's own columns. This section
# takes the paper's own arrays, with $k = 1$.

# %%
V1, I1 = EXAMPLE["values"].array, EXAMPLE["indices"].array
W1 = EXAMPLE["grad_values"].array


def own_column(A, values, indices):
    """Add the neighbours' values slot by slot, whatever their columns."""
    return reference.scatter(A @ values, indices, 4)


show(matrix(A.T, "Aᵀ"), "·", matrix(W1, "Val"), "at", matrix(I1, "Idx"), "=",
     check(own_column(A.T, W1, I1), EXAMPLE["grad_rows"], terms=neighbours))

# %% [markdown]
# The readable numbers agree. Row 0 has .67 = .12 + .55: node 0's own value, which belongs to column 3, plus
# node 2's, which belongs to column 2. The forward example keeps such values apart.
#
# So there are two readings of "product and scatter". We compute both, forward and backward:
#
# - **neighbour's column**: $A \cdot \mathrm{scatter}(V, I)$. Column $c$ of the output depends on column $c$
#   of the input.
# - **own column**: $\mathrm{scatter}(A V, I)$. Slots are added, whatever columns they stand for.


# %%
def neighbours_column(A, values, indices):
    return A @ reference.scatter(values, indices, 4)


steps = {"forward": (V1, EXAMPLE["out"]),
         "backward": (W1, EXAMPLE["grad_rows"])}
readings = {"neighbour's column": neighbours_column, "own column": own_column}
verdicts = pd.DataFrame(index=list(readings), columns=list(steps))
for reading, operator in readings.items():
    for step, (values, printed) in steps.items():
        readable = (printed.provenance == "R") & (printed.values > 0)
        near = np.abs(operator(A, values, I1) - printed.values) <= 0.015
        verdicts.loc[reading, step] = f"{(near & readable).sum()} of {readable.sum()}"
figures.table(verdicts, caption="Readable non-zero entries that agree")

# %%
show(matrix(neighbours_column(A, V1, I1), "neighbour's column"), "≠",
     matrix(own_column(A, V1, I1), "own column"),
     caption="Forward with the same V, I and A. The paper prints the left one.")

# %% [markdown]
# Each half of the example follows one reading, and not the same one. Each is sound by itself: the printed
# backward rule is the exact gradient of the own-column forward (exercise 3). But it is not the gradient of
# the forward that is printed. With the paper's four values as the whole incoming gradient, the printed
# forward has the one on the left:

# %%
incoming = reference.scatter(W1, I1, num_columns=4)
exact = reference.aggregate_backward(transposed, incoming, I1)
show(matrix(exact, "exact"), "≠", matrix(A.T @ W1, "printed"))

# %% [markdown]
# Node 0 keeps .12: of its neighbours 0 and 2, only node 0 has a gradient at column 3. Nodes 2 and 3 get
# nothing, because none of their neighbours has a gradient at the column that they kept. So many zeros come of
# an incoming gradient with one entry a row; in a network it is dense.
#
# The package implements the neighbour's column. It is the product that the forward example prints, and a
# column keeps its meaning under it: what comes out at column $c$ was at column $c$ before. A model could be
# built on the other reading; it would be a different model.
#
# One more thing does not fit: the four values cannot come from the gradient that the paper prints for the
# conventional block. That one has other numbers at these places.

# %%
found = np.isclose(np.take_along_axis(G, I1, axis=1), W1).sum()
show(matrix(G, "G, at Idx", kept=I1), "≠", matrix(W1, "Val"),
     caption=f"{found} of 4 values is found where Idx points.")

# %% [markdown]
# ## Bytes
#
# A dense float32 row of width $D$ takes $4 D$ bytes. In CBSR it takes $k (4 + b)$, where $b$ is the size of a
# column index: 1 byte up to 256 columns, 2 beyond. The paper's widest model has 384 columns in two groups, so
# $D = 192$. Every edge of the graph reads one such row, so for the aggregation the ratio is one of traffic,
# not only of storage.

# %%
def bytes_of(D, k):
    """Bytes of a row, dense and as CBSR, with the package's index type."""
    cbsr = group_sparse(torch.zeros(1, D), k)
    stored = cbsr.values.nbytes + cbsr.indices.nbytes
    assert stored == k * (4 + (1 if D <= 256 else 2))
    return 4 * D, stored


D = 192
table = pd.DataFrame([(n, *bytes_of(D, n)) for n in (4, 8, 16, 32, 64)],
                     columns=["k", "dense (bytes)", "CBSR (bytes)"])
table["dense / CBSR"] = table["dense (bytes)"] / table["CBSR (bytes)"]
figures.table(table, {"dense / CBSR": "{:.1f}"}, index=False)

# %% [markdown]
# ## With the package
#
# `group_sparse` and `aggregate` do the same on torch tensors, with gradients. We compare them with plain
# dense torch operations, which know nothing of CBSR, and with the reference above.

# %%
x = torch.tensor(X, requires_grad=True)
y = aggregate(graph, group_sparse(x, k))
(gradient,) = torch.autograd.grad(y, x, grad_outputs=torch.tensor(G))

x_dense = torch.tensor(X, requires_grad=True)
mask = torch.zeros_like(x_dense).scatter(1, torch.tensor(I), 1.0)
y_dense = torch.tensor(A, dtype=torch.float64) @ (mask * x_dense)
(gradient_dense,) = torch.autograd.grad(
    y_dense, x_dense, grad_outputs=torch.tensor(G))

assert torch.allclose(y, y_dense)
assert torch.allclose(gradient, gradient_dense)
assert np.allclose(gradient, reference.scatter(dV, I, 4))
show(matrix(y.detach(), "aggregate(...)"), matrix(gradient, "∂L/∂X", kept=I))

# %% [markdown]
# ## Recap
#
# - $\mathrm{GS}(X, k)$ keeps the $k$ largest entries a row. CBSR stores them as $V$ and $I$, both $[N, k]$.
# - Forward, aggregation adds each neighbour's values at the neighbour's columns: $A \cdot \mathrm{scatter}(V,
#   I)$.
# - Backward, only the kept positions of $A^\top G$ are computed, and only $I$ must be remembered.
# - Section 4.1 prints that forward, and the backward of another operator. The package has the pair that
#   belongs together.
#
# ## Exercises
#
# **1.** Three nodes in a line, 0 – 1 – 2, no self-loops, sums. After group sparsity with $k = 1$ and 3
# columns, the nodes hold 5 at column 0, 7 at column 2 and 2 at column 0. Predict the output of `aggregate` by
# hand.

# %% tags=["hide-cell"]
# Nodes 0 and 2 have one neighbour, node 1: both receive 7 at column 2.
# Node 1 has two, and both kept column 0: 5 + 2 = 7 at column 0.
line = CircuitGraph.from_edge_index(
    torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3, norm="sum")
kept = CBSR(torch.tensor([[5.0], [7.0], [2.0]]), torch.tensor([[0], [2], [0]]),
            num_columns=3)
answer = aggregate(line, kept)
assert answer.tolist() == [[0, 0, 7], [7, 0, 0], [0, 0, 7]]
show(matrix(answer, "aggregate", decimals=0))

# %% [markdown]
# **2.** From which $k$ on does CBSR take as much room as the dense row, at $D = 192$ and at $D = 384$?

# %% tags=["hide-cell"]
# k (4 + b) >= 4 D, hence k >= 4 D / (4 + b), rounded up.
for D in (192, 384):
    as_large = next(n for n in range(1, D + 1) if bytes_of(D, n)[1] >= 4 * D)
    print(f"D = {D}: k = {as_large}")

# %% [markdown]
# **3.** Show by differences that $A^\top$ times the gradient sampled at $I$, which is what the paper's
# backward example computes, is the exact gradient of the *own-column* forward.

# %% tags=["hide-cell"]
# Y[i, I[i, t]] = sum over j of A[i, j] V[j, t],
# so dV[j, t] = sum over i of A[i, j] G[i, I[i, t]].
sampled_first = A.T @ np.take_along_axis(G, I, axis=1)
measured = finite_differences(lambda values: own_column(A, values, I), V)
assert np.allclose(measured, sampled_first, atol=1e-8)
show(matrix(sampled_first, "Aᵀ · (G at I)", columns=slots), "=",
     matrix(measured, "measured", columns=slots))
