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
# # Aggregation, dense and compressed
#
# Aggregation reads one row of features for every edge. Dense, that row has $D$ numbers; as CBSR it has $k$
# numbers and $k$ columns, and the gradient needs $k$ numbers of it again. This chapter runs both on the 4-node
# example of the paper's section 4.1, forward and backward, and counts every multiplication and every byte.
#
# Afterwards you can
#
# - differentiate aggregation, and say which part of the gradient is computed and which never is;
# - derive how many operations and bytes it takes, dense and as CBSR, and check that by counting;
# - tell the two operators apart that the paper's example uses under one name.
#
# You need [CBSR and aggregation](01_group_sparsity.ipynb), and the {term}`chain rule`.

# %% tags=["parameters"] slideshow={"slide_type": "skip"}
k = 1  # entries kept a row, from 1 to 4; the paper prints only 1

# %% slideshow={"slide_type": "skip"}
import numpy as np
import pandas as pd
import torch

from gsrgnn import CircuitGraph, aggregate, group_sparse
from gsrgnn.book import figures
from gsrgnn.book.walkthrough import EXAMPLE, Deviation, check, matrix, show
from gsrgnn.kernels import reference

A = EXAMPLE["adjacency"].array
neighbours = A.sum(axis=1, keepdims=True)
X = EXAMPLE["relu"].array.copy()
X[3, 3] = EXAMPLE["values"].array[3, 0]  # the first chapter says why
V, I = reference.group_sparse(X, k)
slots = [f"slot {t}" for t in range(k)]

edges = np.stack(np.nonzero(A.T))  # sources above targets
graph = CircuitGraph.from_edge_index(edges, num_nodes=4, norm="sum")
adjacency, transposed = (
    reference.Adjacency(
        *(part.numpy() for part in graph.adjacency(torch.float64, transposed=flip))
    )
    for flip in (False, True)
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Forward
#
# Dense, node $i$ adds the whole row of each neighbour. As CBSR, it adds $k$ values, each at the column where the
# neighbour kept it. Both loops below go through the edges once; a `Count` notes what they multiply and read.


# %%
class Count:
    """Multiply-adds, and bytes read and written."""

    def __init__(self):
        self.madds = self.read = self.written = 0


def dense_forward(A, X, count):
    Y = np.zeros_like(X)
    for i, j in zip(*np.nonzero(A), strict=True):
        row = X[j]
        Y[i] += A[i, j] * row
        count.madds += row.size
        count.read += row.nbytes
    count.written = Y.nbytes
    return Y


def cbsr_forward(A, V, I, D, count):
    Y = np.zeros((len(A), D), V.dtype)
    for i, j in zip(*np.nonzero(A), strict=True):
        values, columns = V[j], I[j]
        Y[i, columns] += A[i, j] * values
        count.madds += values.size
        count.read += values.nbytes + columns.nbytes
    count.written = Y.nbytes
    return Y


X32, V32, I8 = X.astype(np.float32), V.astype(np.float32), I.astype(np.uint8)
dense, cbsr = Count(), Count()
S = reference.scatter(V, I, 4)
assert np.allclose(dense_forward(A, S.astype(np.float32), dense), A @ S)
Y = cbsr_forward(A, V32, I8, 4, cbsr)
assert np.allclose(Y, A @ S)
show(matrix(A, "A"), "·", matrix(S, "scatter(V, I)", kept=I), "=", matrix(Y, "Y"))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Backward, dense
#
# With $G = \partial L / \partial Y$ the gradient of $Y = A X$ is $A^\top G$: the same product with the edges
# turned round. The paper shows it for its conventional block, and puts the gradient through ReLU first. (The
# derivative of ReLU lets a gradient pass where the *activation* was positive, whatever the gradient's own sign.
# We take the printed matrix as the incoming gradient and go on.)
#
# > The paper, section 3: "backward pass propagates gradients through [Gᵀ]"

# %%
G = EXAMPLE["grad"].array
slips = [
    Deviation(1, 0, "Aᵀ adds rows 1 and 3 of the gradient there: .45 + 0."),
    Deviation(3, 1, "Aᵀ adds rows 1 and 2 of the gradient there: .78 + 0."),
]
show(
    matrix(A.T, "Aᵀ"),
    "·",
    EXAMPLE["grad"],
    "=",
    check(A.T @ G, EXAMPLE["grad_out"], terms=neighbours, deviations=slips),
)

# %% [markdown]
# Two entries differ from what our copy shows. Each follows from two summands that are themselves readable or
# fixed by other entries, so we keep to the computed number. A slip in print or in our copy would explain both;
# nothing below uses them.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Backward, sampled
#
# CBSR holds a number only where an entry was kept, so the chain rule gives
#
# $$\frac{\partial L}{\partial V_{it}} = (A^\top G)_{i,\,I_{it}}$$
#
# and zero for every entry that was dropped. Of $A^\top G$ only the kept positions are computed: a **sampled**
# product. The indices are those of the forward pass, and nothing else has to be remembered, not even the
# values. Here with the gradient that the paper prints for the conventional block:
#
# > The paper, section 4.2: "the corresponding backward block only reads the gradients whose positions are recorded
# > by I to compute"

# %%
dV = reference.aggregate_backward(transposed, G, I)
assert np.allclose(dV, np.take_along_axis(A.T @ G, I, axis=1))
show(
    matrix(A.T, "Aᵀ"),
    "·",
    matrix(G, "G"),
    "=",
    matrix(A.T @ G, "AᵀG, sampled at I", kept=I),
    "→",
    matrix(dV, "∂L/∂V", columns=slots),
)

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
    lambda values: reference.aggregate(adjacency, values, I, 4), V
)
assert np.allclose(measured, dV, atol=1e-8)
show(
    matrix(dV, "∂L/∂V", columns=slots),
    "=",
    matrix(measured, "measured", columns=slots),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the paper's backward example computes
#
# The paper's backward block takes the values .12, .45, .55, .99 with the same Idx and prints one number a
# row, each at the column that *the row itself* kept. That is another operator. It adds the neighbours' values
# slot by slot, whatever columns they came from, and writes the sum at the row's own columns. This section
# takes the paper's own arrays, with $k = 1$.
#
# > The paper, section 4.1: "Val … for the backward block example while keeping the same val saved since forward"

# %%
V1, I1 = EXAMPLE["values"].array, EXAMPLE["indices"].array
W1 = EXAMPLE["grad_values"].array


def own_column(A, values, indices):
    """Add the neighbours' values slot by slot, whatever their columns."""
    return reference.scatter(A @ values, indices, 4)


show(
    matrix(A.T, "Aᵀ"),
    "·",
    matrix(W1, "Val"),
    "at",
    matrix(I1, "Idx"),
    "=",
    check(own_column(A.T, W1, I1), EXAMPLE["grad_rows"], terms=neighbours),
)

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


steps = {"forward": (V1, EXAMPLE["out"]), "backward": (W1, EXAMPLE["grad_rows"])}
readings = {"neighbour's column": neighbours_column, "own column": own_column}
verdicts = pd.DataFrame(index=list(readings), columns=list(steps))
for reading, operator in readings.items():
    for step, (values, printed) in steps.items():
        readable = (printed.provenance == "R") & (printed.values > 0)
        near = np.abs(operator(A, values, I1) - printed.values) <= 0.015
        verdicts.loc[reading, step] = (
            f"{(near & readable).sum()} of {readable.sum()}"
        )
figures.table(verdicts, caption="Readable non-zero entries that agree")

# %%
show(
    matrix(neighbours_column(A, V1, I1), "neighbour's column"),
    "≠",
    matrix(own_column(A, V1, I1), "own column"),
    caption="Forward with the same V, I and A. The paper prints the left one.",
)

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
show(
    matrix(G, "G, at Idx", kept=I1),
    "≠",
    matrix(W1, "Val"),
    caption=f"{found} of 4 values is found where Idx points.",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## How much work
#
# Let $A$ have $E$ entries. Dense, an edge costs $D$ multiply-adds and reads a row of $4 D$ bytes in float32; as
# CBSR, $k$ multiply-adds and $k (4 + b)$ bytes, where $b$ is the size of a column index: 1 byte up to 256
# columns, 2 beyond. Backward, an edge reads $4 k$ bytes of the gradient's row, and each node its $k$ columns once.
#
# | | multiply-adds | bytes read | bytes written |
# |:--|:--|:--|:--|
# | dense, either way | $E D$ | $4 E D$ | $4 N D$ |
# | CBSR forward | $E k$ | $E k (4 + b)$ | $4 N D$ |
# | CBSR backward | $E k$ | $4 E k + N k b$ | $4 N k$ |
#
# The edges themselves are read in all of them and left out. Now the counts:


# %%
def sampled_backward(A, G, I, count):
    dV = np.zeros(I.shape, G.dtype)
    for j in range(len(I)):
        columns = I[j]
        count.read += columns.nbytes
        for i in np.flatnonzero(A[:, j]):
            picked = G[i, columns]
            dV[j] += A[i, j] * picked
            count.madds += picked.size
            count.read += picked.nbytes
    count.written = dV.nbytes
    return dV


back_dense, back_cbsr = Count(), Count()
dense_forward(A.T, G.astype(np.float32), back_dense)
assert np.allclose(sampled_backward(A, G.astype(np.float32), I8, back_cbsr), dV)

E, N, D, b = int(A.sum()), 4, 4, 1
formulas = {
    "dense forward": (dense, E * D, 4 * E * D, 4 * N * D),
    "CBSR forward": (cbsr, E * k, E * k * (4 + b), 4 * N * D),
    "dense backward": (back_dense, E * D, 4 * E * D, 4 * N * D),
    "CBSR backward": (back_cbsr, E * k, 4 * E * k + N * k * b, 4 * N * k),
}
rows = {}
for name, (count, *expected) in formulas.items():
    assert [count.madds, count.read, count.written] == expected
    rows[name] = expected
figures.table(
    pd.DataFrame(rows, index=["multiply-adds", "bytes read", "bytes written"]).T,
    caption="Counted; each is what the formula says",
)

# %% [markdown]
# On four columns that is little. The paper's widest model has 384 columns in two groups, so $D = 192$:


# %%
def bytes_of(D, k):
    """Bytes of a row, dense and as CBSR, with the package's index type."""
    cbsr = group_sparse(torch.zeros(1, D), k)
    stored = cbsr.values.nbytes + cbsr.indices.nbytes
    assert stored == k * (4 + (1 if D <= 256 else 2))
    return 4 * D, stored


D = 192
table = pd.DataFrame(
    [(n, *bytes_of(D, n)) for n in (4, 8, 16, 32, 64)],
    columns=["k", "dense (bytes)", "CBSR (bytes)"],
)
table["dense / CBSR"] = table["dense (bytes)"] / table["CBSR (bytes)"]
figures.table(table, {"dense / CBSR": "{:.1f}"}, index=False)

# %% [markdown]
# A GPU does not read single bytes. Backward, the $k$ numbers of a gradient's row lie apart, and each costs a
# sector of 32 bytes; the saving there is less than the formula's. The kernels' measured times are the answer to
# that, not this table.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## With the package

# %%
x = torch.tensor(X, requires_grad=True)
y = aggregate(graph, group_sparse(x, k))
(gradient,) = torch.autograd.grad(y, x, grad_outputs=torch.tensor(G))

x_dense = torch.tensor(X, requires_grad=True)
mask = torch.zeros_like(x_dense).scatter(1, torch.tensor(I), 1.0)
y_dense = torch.tensor(A, dtype=torch.float64) @ (mask * x_dense)
(gradient_dense,) = torch.autograd.grad(
    y_dense, x_dense, grad_outputs=torch.tensor(G)
)

assert torch.allclose(y, y_dense)
assert torch.allclose(gradient, gradient_dense)
assert np.allclose(gradient, reference.scatter(dV, I, 4))
show(
    matrix(gradient, "∂L/∂X by the package", kept=I),
    "=",
    matrix(gradient_dense, "by dense operations", kept=I),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - Backward, only the kept positions of $A^\top G$ are computed, and only $I$ must be remembered.
# - Work and traffic of an edge fall from $D$ to $k$; a column's number costs a byte or two beside each value.
# - Section 4.1 prints the forward of one operator and the backward of another. The package has the pair that
#   belongs together.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercises

# %% [markdown] slideshow={"slide_type": "slide"}
# **1.** Three nodes in a line, 0 – 1 – 2, no self-loops, sums, 3 columns. After group sparsity with $k = 1$ the
# nodes kept columns 0, 2 and 0. The incoming gradient has the rows (1, 2, 3), (4, 5, 6), (7, 8, 9). Predict
# $\partial L / \partial V$.

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
# Nodes 0 and 2 sent to node 1 alone, at column 0: 4 each.
# Node 1 sent to nodes 0 and 2, at column 2: 3 + 9 = 12.
line = CircuitGraph.from_edge_index(
    torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3, norm="sum"
)
held = torch.tensor([[5.0, 0, 0], [0, 0, 7.0], [2.0, 0, 0]], requires_grad=True)
aggregate(line, group_sparse(held, 1)).backward(torch.arange(1.0, 10).reshape(3, 3))
assert held.grad.sum(dim=1).tolist() == [4, 12, 4]
show(matrix(held.grad, "∂L/∂X", kept=[[0], [2], [0]], decimals=0))

# %% [markdown] slideshow={"slide_type": "slide"}
# **2.** From which $k$ on does CBSR take as much room as the dense row, at $D = 192$ and at $D = 384$?

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
# k (4 + b) >= 4 D, hence k >= 4 D / (4 + b), rounded up.
for D in (192, 384):
    as_large = next(n for n in range(1, D + 1) if bytes_of(D, n)[1] >= 4 * D)
    print(f"D = {D}: k = {as_large}")

# %% [markdown] slideshow={"slide_type": "slide"}
# **3.** Show by differences that $A^\top$ times the gradient sampled at $I$, which is what the paper's
# backward example computes, is the exact gradient of the *own-column* forward.

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
# Y[i, I[i, t]] = sum over j of A[i, j] V[j, t],
# so dV[j, t] = sum over i of A[i, j] G[i, I[i, t]].
sampled_first = A.T @ np.take_along_axis(G, I, axis=1)
measured = finite_differences(lambda values: own_column(A, values, I), V)
assert np.allclose(measured, sampled_first, atol=1e-8)
show(
    matrix(sampled_first, "Aᵀ · (G at I)", columns=slots),
    "=",
    matrix(measured, "measured", columns=slots),
)
