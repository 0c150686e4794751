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
# # A layer that can be undone
#
# A layer is reversible when its input can be computed from its output. Then a network need not store what lies
# between its layers: going back, it computes each layer's input again. Two groups of columns that are added to in
# turn make any function $f$ part of such a layer, even one that has no inverse. Group sparsity fits in, but not
# everywhere: on one path it destroys what the inverse needs.
#
# Afterwards you can
#
# - undo a layer with two groups by hand, and say why $f$ need not be invertible;
# - say which of the two groups the paper's sparse layer can recompute, and why not the other;
# - weigh what each variant keeps in memory.
#
# You need [group sparsity](01_group_sparsity.ipynb) and matrix products.

# %% tags=["parameters"] slideshow={"slide_type": "skip"}
k = 1  # entries kept in a row of a group, 1 or 2

# %% slideshow={"slide_type": "skip"}
import textwrap

import numpy as np
import torch

from gsrgnn import CircuitGraph
from gsrgnn.book.walkthrough import EXAMPLE, FORWARD, matrix, show
from gsrgnn.book.walkthrough.layer_steps import backward, forward
from gsrgnn.reversible import ReversibleStack

A = EXAMPLE["adjacency"].array
X = FORWARD["X"].array.copy()
# Two entries that our copy lost; the next chapter says why these.
X[2, :2] = 0.86, 0.50

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Two groups
#
# The paper's section 4.3 starts with a feature matrix of four columns. The left two are **group 1**, the right
# two **group 2**.

# %%
show(matrix(X, "X", groups=2))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Without sparsity
#
# The groups take turns. Group 1 gets something that is computed from group 2; then group 2 gets something that is
# computed from the *new* group 1.
#
# $$Y_1 = X_1 + f(X_2), \qquad Y_2 = X_2 + f(Y_1)$$
#
# Here $f(x) = \mathrm{ReLU}(A x - 1)$, which has no inverse: many inputs give 0.


# %%
def f(x):
    return np.maximum(A @ x - 1, 0)


def couple(X):
    X1, X2 = np.hsplit(X, 2)
    Y1 = X1 + f(X2)
    Y2 = X2 + f(Y1)
    return np.hstack([Y1, Y2])


Y = couple(X)
X1, X2 = np.hsplit(X, 2)
Y1, Y2 = np.hsplit(Y, 2)
show(matrix(X1, "X₁"), "+", matrix(f(X2), "f(X₂)"), "=", matrix(Y1, "Y₁"))

# %%
show(matrix(X2, "X₂"), "+", matrix(f(Y1), "f(Y₁)"), "=", matrix(Y2, "Y₂"))

# %% [markdown]
# To undo it, start with the last addition. $Y_1$ is there, so $f(Y_1)$ can be computed again and subtracted; that
# gives $X_2$; and with $X_2$ the first addition can be undone as well.
#
# $$X_2 = Y_2 - f(Y_1), \qquad X_1 = Y_1 - f(X_2)$$
#
# $f$ is only ever computed forwards. That is why it need not have an inverse.
#
# > The paper, section 2: "the input to each layer can be reconstructed from its output during the backward pass"


# %%
def undo(Y):
    Y1, Y2 = np.hsplit(Y, 2)
    X2 = Y2 - f(Y1)
    X1 = Y1 - f(X2)
    return np.hstack([X1, X2])


back = undo(Y)
assert np.allclose(back, X)
show(
    matrix(Y2, "Y₂"),
    "−",
    matrix(f(Y1), "f(Y₁)"),
    "=",
    matrix(back[:, 2:], "X₂ again", against=matrix(X2, "X₂")),
)

# %%
show(
    matrix(Y1, "Y₁"),
    "−",
    matrix(f(back[:, 2:]), "f(X₂)"),
    "=",
    matrix(back[:, :2], "X₁ again", against=matrix(X1, "X₁")),
)

# %% [markdown]
# No entry is framed as different. Forward once more gives the same output:

# %%
assert np.allclose(couple(back), Y)
show(matrix(couple(back), "forward again", groups=2, against=matrix(Y, "Y")))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## With sparsity, dense residual
#
# Now let GS select what goes into $f$, and let $f$ be the bare aggregation, as in the paper's example:
# $f(V, I) = A \cdot \mathrm{scatter}(V, I)$. What a group keeps of itself is called its **residual**. In the
# *dense* variant that is all of it:
#
# $$Y_1 = X_1 + f(\mathrm{GS}(X_2)), \qquad Y_2 = X_2 + f(\mathrm{GS}(Y_1))$$
#
# It is the same coupling with another $f$, so the same subtraction undoes it.

# %%
dense = forward(A, X, k, residual="dense")
undone = backward(A, dense, np.zeros_like(X))
assert np.allclose(undone["R2"], X2)
assert np.allclose(undone["X1"], X1)
show(
    matrix(dense["Y"], "Y", groups=2),
    "→",
    matrix(undone["R2"], "X₂ again", against=matrix(X2, "X₂")),
    matrix(undone["X1"], "X₁ again", against=matrix(X1, "X₁")),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## With sparsity, sparse residual
#
# Algorithm 1 of the paper, line 10, keeps less of group 2: the scattered values, $\mathrm{scatter}(V_2, I_2)$.
#
# $$Y_2 = \mathrm{scatter}(\mathrm{GS}(X_2)) + f(\mathrm{GS}(Y_1))$$
#
# Subtract what was added to group 2, and this is left:

# %%
sparse = forward(A, X, k, residual="sparse")
undone = backward(A, sparse, np.zeros_like(X))
assert np.allclose(undone["R2"], sparse["R2"])
show(
    matrix(sparse["Y2"], "Y₂"),
    "−",
    matrix(sparse["M2"], "f(GS(Y₁))"),
    "=",
    matrix(undone["R2"], "what is left", against=matrix(X2, "X₂")),
)

# %% [markdown]
# Framed: what GS dropped. It is not hidden somewhere else in the output. Change a dropped entry, and the output
# stays the same; two inputs with one output cannot both be given back.

# %%
dropped = np.ones_like(X, dtype=bool)
dropped[:, :2] = False
dropped[np.arange(4)[:, None], 2 + sparse["I2"]] = False
other = np.where(dropped, X - 0.05, X)
show(
    matrix(X, "X", groups=2),
    "≠",
    matrix(other, "another X", groups=2, against=matrix(X, "X")),
)

# %%
twin = forward(A, other, k, residual="sparse")
assert np.array_equal(twin["Y"], sparse["Y"])
show(
    matrix(sparse["Y"], "Y of the one", groups=2),
    "=",
    matrix(twin["Y"], "Y of the other", groups=2),
)

# %% [markdown]
# Group 1 can be recomputed, if the pair $(V_2, I_2)$ was kept: $X_1 = Y_1 - f(V_2, I_2)$. And nothing else of
# group 2 is needed, since no later number depends on what was dropped. So the sparse layer keeps $(V_2, I_2)$ for
# each layer. The paper calls its backward phase partially reversible, and its memory $O(LNK)$ (sections 4.1, 4.2).
#
# > The paper, section 4.2: "our approach maintains O(LNK) memory complexity linear in the number of layers L"

# %%
assert np.allclose(undone["X1"], X1)
show(
    matrix(sparse["V2"], "V₂, kept"),
    matrix(sparse["I2"], "I₂, kept"),
    "→",
    matrix(undone["X1"], "X₁ again", against=matrix(X1, "X₁")),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## With the package
#
# `ReversibleStack` has both residuals; its blocks also hold a Linear and a LayerNorm. Only with the dense one has it
# an inverse, and that up to rounding: each layer adds and subtracts numbers of limited precision. Here is how far the
# input comes back off:

# %%
edges = torch.tensor(np.stack(np.nonzero(A.T)))
graph = CircuitGraph.from_edge_index(edges, num_nodes=4, norm="sum")
x = torch.tensor(X, dtype=torch.float32)
print("layers  off by at most (float32)")
for depth in (1, 10, 100):
    torch.manual_seed(0)
    stack = ReversibleStack(4, depth, k, residual="dense")
    error = (stack.inverse(stack(x, graph), graph) - x).abs().max()
    print(f"{depth:6}  {error:.1e}")

# %%
try:
    ReversibleStack(4, 1, k, residual="sparse").inverse(x, graph)
except ValueError as error:
    print(textwrap.fill(str(error), 76))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - Two groups that are added to in turn are undone by subtracting in the opposite order. $f$ runs forwards only.
# - With a dense residual the whole layer can be undone: nothing is kept per layer.
# - With the sparse residual group 2 is lost where GS dropped it. $(V_2, I_2)$ is kept per layer, and group 1 is
#   recomputed with it.
#
# Watch both residuals going back, with what is in memory, in the [step-through](../book/step_through.md). Next:
# [](04_forward.ipynb).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercises

# %% [markdown] slideshow={"slide_type": "slide"}
# **1.** One node with a self-loop, two columns: $X = (3 \mid 5)$ and $f(x) = 2 x$. Compute $Y$, and undo it.

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
y1 = 3 + 2 * 5
y2 = 5 + 2 * y1
assert (y1, y2) == (13, 31)
x2 = y2 - 2 * y1
x1 = y1 - 2 * x2
print(f"Y = ({y1} | {y2}), X = ({x1} | {x2})")

# %% [markdown] slideshow={"slide_type": "slide"}
# **2.** Why does the second addition use the *new* group 1? Suppose that both groups were updated at once,
# $Y_1 = X_1 + f(X_2)$ and $Y_2 = X_2 + f(X_1)$, with $f(x) = x$ on the node of exercise 1. Can it be undone?

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
# Both groups become X1 + X2: (3 | 5) and (4 | 4) give the same output.
both = [(x1 + x2, x2 + x1) for x1, x2 in ((3, 5), (4, 4))]
assert both[0] == both[1]
print(both)

# %% [markdown] slideshow={"slide_type": "slide"}
# **3.** For which $k$ can the sparse layer of this page be undone as well? Check it.

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
# For k = 2, the width of a group: GS drops nothing, the residuals are one.
whole = forward(A, X, 2, residual="sparse")
assert np.allclose(whole["Y"], forward(A, X, 2, residual="dense")["Y"])
assert np.allclose(backward(A, whole, np.zeros_like(X))["R2"], X2)
