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
# # Reversible, step by step
#
# With a dense residual a thousand layers keep no more for their backward pass than one does, and their gradient is
# exact; with the paper's sparse residual each layer keeps a little. Three things have to be right for it: what each
# layer keeps, how the numbers are rounded, and what is multiplied first. [The chapter on
# coupling](03_coupling.ipynb) undid one layer on four nodes, [the one on the backward phase](05_backward.ipynb)
# differentiated it. Here both are done on a circuit and at full depth, with the package's `ReversibleStack`.
#
# Afterwards you can
#
# - predict, to the byte, what a stack of any depth keeps for its backward pass;
# - say why floating-point numbers do not undo what they added, what that does to a gradient, and two ways out;
# - say when the Linear should come before the aggregation, from the sizes of a netlist.
#
# You need {term}`CBSR`, the {term}`coupling` and the exact gradient of a layer.

# %% tags=["parameters"]
circuit = "synthetic/1000"  # for memory and time
hidden_channels = 64
k = 8
depths = [1, 3, 10, 30, 100, 300, 1000]
peak_depths = [
    10,
    100,
    1000,
]  # of these the memory of a whole process is measured too
autograd_depth = (
    100  # up to here a stack is also left to autograd, which keeps everything
)
small_circuit = "synthetic/500"  # for rounding: width 32, k = 4
rounding_depths = [10, 100, 1000]
draws = 3  # random inputs for each of these
wide = 384  # width at which the two orders of the products are timed
repeats = 5
seed = 0

# %%
import copy
import math
from functools import partial
from statistics import median
from time import perf_counter

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import layer_norm, linear

from gsrgnn import CBSR, CircuitGraph, aggregate, circuits, group_sparse
from gsrgnn.book import figures
from gsrgnn.book.walkthrough.layer_steps import algorithm2, backward, forward
from gsrgnn.cbsr import operator
from gsrgnn.kernels.order import cheaper_order
from gsrgnn.lab.depth import step_peak
from gsrgnn.lab.exactness import gradient_error, plain
from gsrgnn.lab.measure import in_turn, kept_bytes
from gsrgnn.reversible import EPS, ReversibleStack

graph = CircuitGraph.from_data(circuits.load(circuit))
N, D, d = graph.num_nodes, hidden_channels, hidden_channels // 2
torch.manual_seed(seed)
x = torch.randn(N, D)
print(f"circuit: {circuit}" + ", SYNTHETIC" * circuit.startswith("synthetic/"))
print(
    f"{N:,} cells, {graph.num_edges:,} edges; "
    f"width {D}, two groups of {d} columns, k = {k}"
)

# %% [markdown]
# ## The layer and its inverse
#
# The paper's section 3 leads to a reversible layer in seven equations. (1) splits the columns of the stream into
# groups. (2) and (3) say what a block does: forward it aggregates over the graph, backward over the graph with all
# edges turned round. (4) and (5) are about RevGNN's memory: what goes into a layer is freed once the layer is done,
# and room is made for it again on the way back, where it is recomputed. (6) is the coupling for $C$ groups, (7) its
# inverse. With two groups, (6) and (7) are
#
# $$
# \begin{aligned}
# Y_1 &= X_1 + f_1(X_2), & \qquad X_2 &= Y_2 - f_2(Y_1), \\
# Y_2 &= X_2 + f_2(Y_1), & X_1 &= Y_1 - f_1(X_2).
# \end{aligned}
# $$
#
# GSR-GNN lets a block see only what GS selects, $f(V, I) = \mathrm{LayerNorm}(\mathrm{Linear}(A \cdot
# \mathrm{scatter}(V, I)))$, and in Algorithm 1 group 2 keeps only that of itself, too:
#
# $$
# \begin{aligned}
# Y_1 &= X_1 + f_1(V_2, I_2), \\
# Y_2 &= R_2 + f_2(V_1, I_1), \\
# R_2 &= \begin{cases} \mathrm{scatter}(V_2, I_2) & \text{sparse (Algorithm 1)} \\
# X_2 & \text{dense} \end{cases}
# \end{aligned}
# $$
#
# with $(V_2, I_2) = \mathrm{GS}(X_2)$ and $(V_1, I_1) = \mathrm{GS}(Y_1)$. With the dense residual the inverse stands
# as above. With the sparse one, what GS dropped from group 2 is in no later number. Two inputs that differ there alone
# show it on three layers of the circuit:

# %%
sparse, dense = (
    ReversibleStack(D, 3, k, residual) for residual in ("sparse", "dense")
)
dropped = torch.ones_like(x, dtype=torch.bool)
dropped[:, :d] = False
dropped[:, d:].scatter_(1, group_sparse(x[:, d:], k).indices.long(), False)
other = x - 0.5 * dropped  # what is smaller than the k largest stays so
with torch.no_grad():
    same = torch.equal(sparse(x, graph), sparse(other, graph))
    apart = (dense(x, graph) - dense(other, graph)).abs().max()
    back = dense.inverse(dense(x, graph), graph)
assert same
assert apart > 0.1
print(f"entries that differ        {int(dropped.sum()):,} of {x.numel():,}")
print(f"outputs, sparse residual   {'equal to the last bit' if same else 'differ'}")
print(f"outputs, dense residual    differ by up to {apart:.2f}")
print(f"dense: inverse(forward(x)) off by {(back - x).abs().max():.1e} at most")

# %% [markdown]
# No rule can tell from one output which of two inputs it came from. But the gradient does not ask for the dropped
# entries either: they had no influence. So the sparse layer keeps $(V_2, I_2)$, computes $X_1 = Y_1 - f_1(V_2, I_2)$,
# and never needs the rest of $X_2$.
#
# ## What is kept, and how many bytes
#
# Going back through a layer takes its output and, if its residual is sparse, its $(V_2, I_2)$. Its input is then the
# output of the layer before. So only the last stream has to be there, and the list is short. A number takes 4 bytes, a
# column index $b$: one byte up to 256 columns a group, two beyond.
#
# | | kept for the backward pass | bytes |
# |:--|:--|:--|
# | dense residual, $O(ND)$ | the last stream and its scale | $4 N D + 4 (N + 2 D)$ |
# | sparse residual, $O(LNk)$ | these; $V_2, I_2$ of each layer | $4 N D + 4 (N + 2 D) + L N k (4 + b)$ |
# | left to autograd, $O(LND)$ | what each Linear and LayerNorm read, and $I$ | $L N (8 D + 16 + 2 k b)$ |
#
# The scale is a number a row and two a column; what it is for comes at the end of this chapter. The last line is
# for the dense residual: per block two matrices $N \times D / 2$, the two moments of each row for
# LayerNorm, and the columns.
#
# $O(ND)$ and $O(LND)$ are what the paper says of RevGNN and of ordinary networks (section 1), $O(LNK)$ what it says of
# itself (section 4.2), where $K$ is our $k$. The sparse residual does grow with depth. The order of terms decides
# what that means: a layer adds $k (4 + b)$ bytes a node where autograd adds more than $8 D$.
#
# > The paper, section 4.2: "selective save-for-backward operations that only store indices when required for
# > subsequent backward blocks"

# %%
b = 1 if d <= 256 else 2


def predicted(layers):
    stream = 4 * N * D + 4 * (N + 2 * D)
    return {
        "left to autograd": layers * N * (8 * D + 16 + 2 * k * b),
        "sparse residual": stream + layers * N * k * (4 + b),
        "dense residual": stream,
    }


def measured(layers):
    """Bytes that a forward pass leaves behind beside parameters and output."""
    kept, given = {}, x.clone().requires_grad_()
    for residual in ("sparse", "dense"):
        stack = ReversibleStack(D, layers, k, residual)
        apart = [given, *stack.parameters()]
        with torch.no_grad():
            stack(given, graph)  # makes the working arrays, the same for every step
        kept[f"{residual} residual"] = kept_bytes(
            lambda stack=stack: stack(given, graph), apart
        )
        if residual == "dense" and layers <= autograd_depth:
            kept["left to autograd"] = kept_bytes(
                lambda stack=stack: plain(stack, given, graph), apart
            )
    return kept


formula = pd.DataFrame({layers: predicted(layers) for layers in depths}).T
kept = pd.DataFrame({layers: measured(layers) for layers in depths}).T[
    formula.columns
]
assert (kept.isna() | (kept == formula)).all(axis=None)

# %% tags=["hide-input"]
figures.show(
    figures.growth.by_depth(
        kept / 1e6, "MB kept for the backward pass", formula / 1e6
    ),
    alt="Line chart on logarithmic axes of the megabytes kept against the number of layers. Left to autograd grows in "
    "proportion to depth, the sparse residual likewise from a much lower level, the dense residual not at all. The "
    "points lie on the lines.",
    caption=f"A layer more costs {8 * D + 16 + 2 * k * b} bytes a node left to autograd, {k * (4 + b)} with the sparse "
    "residual and none with the dense one. Lines: the formulas. Points: counted in memory. "
    f"{circuit}, width {D}, k = {k}.",
)

# %% tags=["hide-input"]
growth = formula.diff().iloc[-1] / np.diff(depths)[-1]
shown = (kept / 1e6).map(
    lambda value: "not run" if np.isnan(value) else f"{value:,.2f}"
)
shown.loc["formula, a layer more"] = [f"{bytes_ / 1e6:,.3f}" for bytes_ in growth]
figures.table(
    shown, caption="Megabytes kept: counted, equal to the formula to the byte"
)

# %% [markdown]
# ## One buffer, one node
#
# The whole stack is one node for autograd, over arrays that are made once: two groups that every layer updates in
# place, two groups of gradients, and room for one block. Going back, each block is computed once more, and that
# one value serves twice, to undo the layer and to differentiate it: 6 aggregations a layer, where RevGNN inverts first
# and then recomputes, which makes 8. What is kept lies in one buffer, which the next step takes again:
#
# > The paper, section 4.2: "Unlike RevGNN's frequent detach-copy-delete cycles … our custom blocks eliminate these
# > costly memory operations"

# %%
stack = ReversibleStack(D, 10, k)
own = {p.data_ptr() for p in stack.parameters()}


def addresses():
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: saved.append(t) or t, lambda t: t
    ):
        loss = stack(x, graph).sum()
    loss.backward()
    return {
        t.data_ptr() for t in saved if t.nbytes > 4 * N
    } - own  # the scale is small and made anew


first, second = addresses(), addresses()
assert first == second
print(
    f"arrays kept: {len(first)}; at the same addresses in the next step: {first == second}"
)

# %% [markdown]
# Whether a whole process grows as the formula says is another question; temporary arrays would show there. A fresh
# process makes one forward and one backward pass, and the system tells its highest memory. From one depth to the next
# it must grow by what is kept, and by the parameters and their gradients, which no network can do without.


# %%
def process_growth(layers, residual):
    """MB at the peak: measured in a process of its own, and predicted but for what depth does not change."""
    peak = step_peak(circuit, D, layers, k, residual)
    parameters = sum(
        p.nbytes for p in ReversibleStack(D, layers, k, residual).parameters()
    )
    return peak.growth / 1e6, (
        predicted(layers)[f"{residual} residual"] + 2 * parameters
    ) / 1e6


rows = {}
for residual in ("sparse", "dense"):
    grown = {layers: process_growth(layers, residual) for layers in peak_depths}
    for fewer, more in zip(peak_depths, peak_depths[1:], strict=False):
        rows[residual, f"{fewer} to {more:,} layers"] = [
            after - before
            for before, after in zip(grown[fewer], grown[more], strict=True)
        ]
figures.table(
    pd.DataFrame(rows, index=["measured", "predicted"]).T,
    "{:,.1f}",
    "Growth of the peak of a training step, MB",
)

# %% [markdown]
# Memory comes in pages, so a fraction of a megabyte means nothing. The dense residual's growth is all parameters and
# gradients.
#
# ## Floating-point numbers do not undo
#
# So far it was taken for granted that subtracting gives back what was there before adding. A float32 has 24 binary
# digits. Adding a number of another size drops some of them, and subtracting does not bring them back:

# %%
a, f = (
    torch.rand(10**6, generator=torch.Generator().manual_seed(i)) for i in (1, 2)
)
lost = (a + f) - f != a
print(
    f"float32: (x + f) − f ≠ x for {lost.double().mean():.0%} of a million random pairs"
)
fixed_a, fixed_f = ((2**24 * t).round().int() for t in (a, f))
print(
    f"integers: for {((fixed_a + fixed_f) - fixed_f != fixed_a).double().mean():.0%}"
)

# %% [markdown]
# One rounding is harmless. But GS asks which numbers are the largest, and where the $k$-th and the next of a row are
# as close as the rounding error, the answer going back may be another than the answer going forward. From there on
# something other than what was added is subtracted, neighbours get it, and their choices flip in turn.
#
# Here is the dense residual in plain PyTorch, forward and back, in whatever precision $x$ has. It can also keep the
# choices, and use them again.

# %%
small = CircuitGraph.from_data(circuits.load(small_circuit))


def select(group, k, columns=None):
    """GS of a group, or its entries at columns that were chosen before."""
    if columns is None:
        return group_sparse(group, k)
    return CBSR(group.gather(1, columns.long()), columns, group.shape[1])


def block(stack, kept, *where):
    z = linear(aggregate(small, kept), stack.weight[where], stack.bias[where])
    return layer_norm(z, z.shape[1:], stack.gain[where], stack.shift[where], EPS)


def undo(stack, group, grad, source, source_grad, where, columns):
    """Take a block's update off `group`; add the block's gradient to the source's."""
    source = source.detach().requires_grad_()
    update = block(stack, select(source, stack.k, columns), *where)
    update.backward(grad)  # adds up in the parameters' .grad as well
    return group - update.detach(), source_grad + source.grad


def recomputed(stack, x, grad, keep_choices):
    """Gradients for an output gradient, the recomputed x, and the forward choices."""
    x1, x2 = x.chunk(2, dim=1)
    choices = []
    with torch.no_grad():
        for layer in range(stack.num_layers):
            kept2 = select(x2, stack.k)
            x1 = x1 + block(stack, kept2, layer, 0)
            kept1 = select(x1, stack.k)
            x2 = x2 + block(stack, kept1, layer, 1)
            choices.append((kept1.indices, kept2.indices))
    g1, g2 = grad.chunk(2, dim=1)
    stack.zero_grad()
    for layer in reversed(range(stack.num_layers)):
        columns = choices[layer] if keep_choices else (None, None)
        x2, g1 = undo(stack, x2, g2, x1, g1, (layer, 1), columns[0])
        x1, g2 = undo(stack, x1, g1, x2, g2, (layer, 0), columns[1])
    gradients = [torch.cat([g1, g2], dim=1), *(p.grad for p in stack.parameters())]
    return gradients, torch.cat([x1, x2], dim=1), choices


# %% [markdown]
# Its gradient is compared with automatic differentiation in float64 of the same forward pass, *at the choices that
# the float32 forward pass made*. So the error is that of recomputing, and of nothing else. The whole gradient counts,
# of $x$ and of all parameters, for a random linear function of the output. Of several random inputs the one that comes
# back worst is looked at.

# %%
torch.manual_seed(seed)
grad, *random_inputs = torch.randn(1 + draws, small.num_nodes, 32)


def flat(gradients):
    return torch.cat([part.flatten().double() for part in gradients])


def float_result(stack, x, keep_choices):
    """How far x is off going back, x itself, the gradient, the forward choices."""
    gradients, again, choices = recomputed(stack, x, grad, keep_choices)
    chosen = torch.stack([torch.stack(pair) for pair in choices])
    return float((again - x).abs().max()), x, flat(gradients), chosen


def relative_error(stack, x, gradient, chosen):
    exact, given = copy.deepcopy(stack).double(), x.double().requires_grad_()
    y = plain(exact, given, small, chosen)
    wanted = flat(
        torch.autograd.grad((y * grad).sum(), [given, *exact.parameters()])
    )
    return float((gradient - wanted).norm() / wanted.norm())


stacks, worst, rows = {}, {}, {}
for layers in rounding_depths:
    torch.manual_seed(layers)
    stack = stacks[layers] = ReversibleStack(32, layers, 4, residual="dense")
    results = [float_result(stack, given, False) for given in random_inputs]
    off, worst[layers], *floats = max(results, key=lambda result: result[0])
    kept_off, _, *masked = float_result(stack, worst[layers], True)
    rows[layers] = {
        ("floats", "gradient"): relative_error(stack, worst[layers], *floats),
        ("floats", "x, largest"): off,
        ("floats, choices kept", "gradient"): relative_error(
            stack, worst[layers], *masked
        ),
        ("floats, choices kept", "x, largest"): kept_off,
    }
    lost = sum(result[0] > 1e-2 for result in results)
    print(f"{layers:5,} layers: {lost} of {draws} inputs are off by more than 0.01")
float_errors = pd.DataFrame(rows).T
figures.table(
    float_errors,
    "{:.0e}",
    "Error of what is recomputed in float32, by number of layers: worst input",
)

# %% [markdown]
# Without the choices the error is that of rounding until the first choice flips, and then jumps by orders of magnitude;
# when that happens is a matter of luck. With them it grows slowly and smoothly. Their price is a **mask**: one bit for
# each entry of the group that GS looked at, $D / 2$ bits a row, and there are two GS a layer.

# %%
bytes_a_row = {
    "mask of both GS": D / 8,
    "V₂ and I₂, sparse residual": k * (4 + b),
    "both groups of the stream": 4 * D,
}
for what, size in bytes_a_row.items():
    print(f"{what:27} {size:4.0f} bytes a row and layer (D = {D}, k = {k})")

# %% [markdown]
# ## Fixed-point numbers do
#
# The package keeps no mask. Its two groups are **fixed-point numbers**: whole numbers that count steps of a size that
# stays, $1 / s$. An update is computed in floating point as before, rounded to whole steps once, and then added. Sums
# of whole numbers are exact; the same update, computed again from the same numbers in the same order, is rounded to the
# same steps, and takes itself off again. What comes back is what was there, to the last bit, so GS chooses
# what it chose. After the deepest stack above, the arrays in which the backward pass works hold the input again:

# %%
stack = stacks[max(rounding_depths)]
x_worst = worst[stack.num_layers]
_, scale = stack.scale(x_worst)
s = torch.cat([group.dense() for group in scale], dim=1)
stack(x_worst, small).sum().backward()
with stack.scratch(x_worst, small) as working:
    recovered = torch.cat([*working.groups], dim=1)
steps = (x_worst * s).round().int()
assert torch.equal(recovered, steps)
print(
    f"{stack.num_layers:,} layers back: {int((recovered != steps).sum())} "
    f"of {steps.numel():,} entries differ from the input in steps"
)

# %% [markdown]
# `gradient_error` compares the stack's gradient with float64 in two ways. *Same choices* is the comparison made above:
# what recomputing in float32 adds. *Own choices* lets the float64 forward pass choose for itself. GS jumps where two
# entries change their order; if float32 and float64 disagree about one such pair on the way forward, they compute two
# different functions, each with its right gradient. No backward pass can mend that, and a network whose activations are
# all kept has it too. The last column counts the rows where it happened.

# %%
package = {
    layers: gradient_error(stack, worst[layers], small)
    for layers, stack in stacks.items()
}
assert all(row["same choices"] < 1e-5 for row in package.values())
figures.table(
    pd.DataFrame(package).T,
    {
        "same choices": "{:.0e}",
        "own choices": "{:.0e}",
        "choices that differ": "{:.3%}",
    },
    "Fixed point: relative error of the gradient, by number of layers",
)

# %% tags=["hide-input"]
errors = float_errors.xs("gradient", axis=1, level=1).assign(
    **{
        "fixed point": [
            package[layers]["same choices"] for layers in rounding_depths
        ]
    }
)
figures.show(
    figures.growth.by_depth(errors, "relative error of the gradient"),
    alt="Line chart on logarithmic axes of the gradient's relative error against the number of layers for floats, "
    "floats with kept choices, and fixed point. The table and the text above give the numbers.",
    caption=f"At {rounding_depths[-1]:,} layers recomputing in floats is off by "
    f"{errors['floats'].iloc[-1]:.0e} of the gradient, in fixed point by {errors['fixed point'].iloc[-1]:.0e}. "
    f"Float32, dense residual, the same input for all three; {small_circuit}, width 32, k = 4.",
)

# %% [markdown]
# ## How fine the steps are
#
# A whole number of 32 bits must not overflow, so the step cannot be as small as one likes. A row that LayerNorm has
# normalised has mean 0 and mean square 1 at most. If one of its $n$ entries is $v$, the other $n - 1$ add up to
# $-v$, so their squares add up to $v^2 / (n - 1)$ at least, and $v^2 + v^2 / (n - 1) \le n$ gives $|v| \le
# \sqrt{n - 1}$. A block therefore adds at most $\sqrt{D/2 - 1}\,|\text{gain}_c| + |\text{shift}_c|$ to an entry of
# column $c$, and the stream is bounded before it is computed: by where it starts and by its **reach** $r_c$, the sum of
# these over the layers. Each entry has its own scale $s_{ic}$, the largest power of two for which it stays under
# $2^{31}$ steps.

# %%
rows = {}
for layers, stack in stacks.items():
    gain, shift = (p.detach().abs() for p in (stack.gain, stack.shift))
    reach = (math.sqrt(15) * gain + shift).sum(0).flatten()
    _, scale = stack.scale(worst[layers])
    s = torch.cat([group.dense() for group in scale], dim=1)
    assert ((worst[layers].abs() + reach) * s < 2**31).all()
    y = stack(worst[layers], small).detach().abs()
    typical, largest = y.square().mean().sqrt(), y.max()
    rows[layers] = {
        "reach": f"{reach.max():,.0f}",
        "typical": f"{typical:,.1f}",
        "largest": f"{largest:,.1f}",
        "step 1/s": f"{1 / s.min():.1e}",
        "float32, typical": f"{np.spacing(typical.numpy()):.1e}",
        "float32, largest": f"{np.spacing(largest.numpy()):.1e}",
    }
figures.table(
    pd.DataFrame(rows).T,
    caption="The stream's entries behind the last layer; the step of fixed point, and "
    "the distance of neighbouring float32 numbers at these entries",
)

# %% [markdown]
# The reach grows with the depth and the stream with its square root, so fixed point loses some digits to float32 as
# the stack gets deeper. It rounds each update once, to half a step at most, and nothing more on the way back.
#
# ## One node out of line
#
# Why a scale for each entry and not one for all? Because one for all is set by the largest entry there is. Let one node
# of the circuit be $m$ times as large as it was, and look at *the other* nodes' outputs, against float64 at the same
# choices. With one scale every node pays for it. With $s_{ic}$ set by the smaller of the row's and the column's
# largest entry, and by the reach, it pays alone; where something is out of line the whole numbers take 64 bits on a
# CPU, which also serves a column that one large gain reaches late. The entry itself has what float32 gives it.

# %%
stack, start = stacks[min(rounding_depths)], worst[min(rounding_depths)]
exact, node, rows = copy.deepcopy(stack).double(), 0, {}
own_reach = math.sqrt(15) * stack.num_layers  # every gain is 1, every shift 0
for m in (10.0**power for power in range(13)):
    given = start.clone()
    given[node] *= m
    chosen = stack.choices(given, small)
    with torch.no_grad():
        wanted = plain(exact, given.double(), small, chosen)
    bound = float(given.abs().max()) + own_reach
    one_step = 2.0 ** (math.frexp(bound)[1] - 30)
    rounded = (given.double() / one_step).round() * one_step
    with torch.no_grad():
        outputs = {
            "left to autograd": plain(stack, given, small, chosen),
            "one step for all": plain(exact, rounded, small, chosen),
            "the package": stack(given, small),
        }
    others = torch.arange(len(given)) != node
    right = wanted[others]
    rows[m] = {
        name: float((y[others] - right).norm() / right.norm())
        for name, y in outputs.items()
    }
out_of_line = pd.DataFrame(rows).T
assert (out_of_line["the package"] < 1e-5).all()

# %% tags=["hide-input"]
figures.show(
    figures.growth.by_size(
        out_of_line, "times the node is larger", "relative error of the other nodes"
    ),
    alt="Line chart on logarithmic axes of the error of all other nodes against the factor by which one node is "
    "larger. Left to autograd and with the package's scale for each entry it stays level; with one step for all it "
    "grows in proportion.",
    caption="With a step for each entry the other nodes do not notice; with one step for all they pay in proportion. "
    f"One node of {len(start):,} out of line; float32, {stack.num_layers} layers, dense residual; {small_circuit}, "
    "width 32, k = 4. One step for all: what rounding the input to it costs at the least.",
)

# %% [markdown]
# ## Algorithm 2 at depth
#
# Algorithm 2 as printed puts the gradient through GS and the coupling, and on four nodes that was [not the
# gradient](05_backward.ipynb). With depth it does not come closer. Bare layers, without Linear and LayerNorm as in the
# paper's examples, on 64 cells with random features; the exact gradient first, Algorithm 2 from the same output
# gradient beside it:

# %%
tiny = CircuitGraph.from_data(circuits.load("synthetic/64"))
A = aggregate(tiny, torch.eye(tiny.num_nodes, dtype=torch.float64)).numpy()
rng = np.random.default_rng(seed)
stream, G = rng.standard_normal((2, tiny.num_nodes, 16))
traces, rows = [], {}
for layers in range(1, 31):
    traces.append(forward(A, stream, 2))
    stream = traces[-1]["Y"]
    if layers in (1, 3, 10, 30):
        exact = literal = G
        for trace in reversed(traces):
            exact = backward(A, trace, exact)["dX"]
            literal = algorithm2(A, literal, 2)["G_next"]
        lengths = np.linalg.norm(exact), np.linalg.norm(literal)
        rows[layers] = {
            "relative difference": np.linalg.norm(literal - exact) / lengths[0],
            "cosine of the angle": (literal * exact).sum() / math.prod(lengths),
            "length, of the exact one": lengths[1] / lengths[0],
        }
figures.table(
    pd.DataFrame(rows).T,
    "{:.2g}",
    "Algorithm 2 against the gradient, by number of layers",
)

# %% [markdown]
# A cosine near 0 says that the two directions have nothing to do with each other.
#
# ## Which product first
#
# A block multiplies three matrices, $A\,S\,W^\top$ with $S = \mathrm{scatter}(V, I)$, and may begin at either end. The
# paper aggregates first: $(A S) W^\top$. Then $A S$ is dense, and the Linear costs $N (D/2)^2$ multiplications. But
# $S$ has only $k$ entries a row. **Transform first**, $A (S W^\top)$, and the Linear costs $N k D / 2$, in exchange for
# a dense aggregation. This is not in the paper. With $d = D / 2$, $E$ entries over the edges, and through the nets $P$
# in $B$ and $F$ in $H$ ([the chapter on the nets](09_through_nets.ipynb)):
#
# | one block, a whole step | aggregate first | transform first |
# |:--|:--|:--|
# | Linear: forward, again, two products backward | $4 N d^2$ | $4 N k d$ |
# | aggregation over the edges: forward, again, backward | $3 E k$ | $3 E d$ |
# | aggregation through the nets: the same | $3 (P (k + d) + F k)$ | $3 (2 P d + F d)$ |
#
# Subtract the columns, and $d - k$ drops out: whatever $k < d$ is, transforming first takes fewer multiplications where
#
# $$
# \begin{aligned}
# d &> \frac{3}{4} \frac{E}{N} & &\text{over the edges,} \\[1ex]
# d &> \frac{3}{4} \frac{P + F}{N} & &\text{through the nets.}
# \end{aligned}
# $$
#
# A cell lies on a few nets and has many neighbours. So through the nets any ordinary width is past the border; over the
# edges it depends on the circuit. Here are the borders, as $D = 2 d$, and what the package does at two widths:

# %%
E, nets = len(graph.adjacency().indices), graph.incidence()
P, F = len(nets.to_nets.indices), len(nets.direct.indices)
borders = {"edges": 0.75 * E / N, "nets": 0.75 * (P + F) / N}
rows = {}
for route, border in borders.items():
    reads = operator(graph.through(route), x.dtype)
    rows[route] = {"border, D": f"{2 * border:,.0f}"} | {
        f"the package at D = {2 * n}": f"{cheaper_order(reads, N, n, k)} first"
        for n in (d, wide // 2)
    }
figures.table(
    pd.DataFrame(rows).T,
    caption="Border by multiplications, and what the package does by cost",
)

# %% [markdown]
# Above its border, transforming first takes fewer multiplications; below it, more. Where the package transforms first
# at a width that is below the border, that is no slip: multiplications are not all alike. Those of a dense product are
# done many at a time, one that adds to a scattered column is done alone. `kernels.order.cheaper_order`, by which the
# package decides, counts each kind at what it costs on a CPU beside one of a dense product. Then $d - k$ does not drop
# out, the border moves, and for a large $k$ the paper's order wins through the nets too. Both orders give the same
# numbers up to rounding, and the same gradient:


# %%
def make(first, width, layers, dtype=torch.float32):
    torch.manual_seed(seed)
    return ReversibleStack(width, layers, k, first=first).to(dtype)


def both_results(first):
    """Output and all gradients in float64, as one vector."""
    stack, given = make(first, D, 3, torch.float64), x.double().requires_grad_()
    y = stack(given, graph)
    return torch.cat(
        [
            part.flatten()
            for part in (
                y.detach(),
                *torch.autograd.grad(
                    y.square().sum(), [given, *stack.parameters()]
                ),
            )
        ]
    )


aggregated, transformed = both_results("aggregate"), both_results("transform")
difference = float((aggregated - transformed).norm() / aggregated.norm())
assert difference < 1e-11
print(f"3 layers, float64: relative difference {difference:.1e}")

# %% tags=["hide-input"]
x_wide = torch.randn(N, wide)


def step(stack, graph):
    start = perf_counter()
    stack(x_wide, graph).sum().backward()
    return perf_counter() - start


contenders = {
    (route, first): partial(step, make(first, wide, 2), graph.through(route))
    for route in ("edges", "nets")
    for first in ("aggregate", "transform")
}
times = {name: [] for name in contenders}
for name, seconds in in_turn(contenders, repeats):
    times[name].append(1e3 * seconds)
medians = pd.Series(
    {name: median(values) for name, values in times.items()}
).unstack()
w = wide // 2
counts = (
    pd.DataFrame(
        {
            "aggregate": {
                "edges": 3 * E * k + 4 * N * w * w,
                "nets": 3 * (P * (k + w) + F * k) + 4 * N * w * w,
            },
            "transform": {
                "edges": 3 * E * w + 4 * N * k * w,
                "nets": 3 * (2 * P * w + F * w) + 4 * N * k * w,
            },
        }
    )
    * 4
    / 1e6
)  # 4 blocks
both = pd.concat(
    {"multiplications, millions": counts, "milliseconds": medians}, axis=1
)
figures.table(
    both.rename(columns="{} first".format, level=1),
    "{:,.0f}",
    f"Forward and backward through 2 layers, width {wide}, k = {k}, "
    f"{torch.get_num_threads()} threads, medians of {repeats}",
)

# %% [markdown]
# Time does not follow the count alone. A library's dense product makes more multiplications a second than a kernel
# that reads $k$ scattered rows, and GS, LayerNorm and the updates of the stream take their time in either order. What
# is kept for the backward pass is the same too: the sparsity that saved memory now also saves work in the Linear.
#
# ## Recap
#
# - The dense residual keeps the last stream whatever the depth. The sparse one keeps $k (4 + b)$ bytes a node and layer
#   more: what GS dropped of group 2 cannot be recomputed, and need not be, but what it kept is needed.
# - Floating-point numbers do not undo their sums, and GS turns a rounding error into another choice. Whole numbers undo
#   them to the last bit, and nothing has to be kept for it.
# - The recomputed gradient is that of Algorithm 1. Algorithm 2 as printed is not, at any depth.
# - Through the nets, and unless $k$ is large, transform first: the Linear then costs $N k d$ in place of $N d^2$.
#
# One layer with its memory, and a rounding that flips a choice, can be played in
# [the step-through](../book/step_through.md); what your circuit, width and depth take is in
# [the explorer](25_explorer.ipynb).
#
# ## Exercises
#
# **1.** Would float64 do in place of fixed point? Undo the stacks of this page in float64, without keeping choices.

# %% tags=["hide-cell"]
# Its rounding is 2^29 times finer, so a flip is rare, but nothing excludes it: x comes back only nearly.
# And it takes twice the bytes of float32.
for layers in rounding_depths[:2]:
    wider, given = copy.deepcopy(stacks[layers]).double(), worst[layers].double()
    _, again, _ = recomputed(wider, given, grad.double(), keep_choices=False)
    print(f"{layers:4} layers: x off by {(again - given).abs().max():.0e}")

# %% [markdown]
# **2.** The mask of both GS takes $D / 8$ bytes a row and layer. For which $k$ does it take fewer than the column
# indices of both, at width 384? Could the sparse residual keep masks in place of $I_2$?

# %% tags=["hide-cell"]
# Two GS keep 2 k indices of one byte. The mask says the same, and gives the columns in ascending order.
width = 384
print(
    f"the mask has {width // 8} bytes, the indices 2 k: fewer from k = {width // 16 + 1} on"
)

# %% [markdown]
# **3.** Write the coupling for three groups, $Y_0 = X_2 + X_3$ and $Y_i = X_i + f(Y_{i-1})$ (equation 6 with $C = 3$),
# and undo it (equation 7).


# %% tags=["hide-cell"]
# From the last group to the first: Y_2 and Y_1 are there, and Y_0 once X_2 and X_3 are.
def f(v):
    return torch.relu(3 * v - 1)


X1, X2, X3 = torch.arange(12.0).reshape(3, 4)
Y1 = X1 + f(X2 + X3)
Y2 = X2 + f(Y1)
Y3 = X3 + f(Y2)
again3 = Y3 - f(Y2)
again2 = Y2 - f(Y1)
again1 = Y1 - f(again2 + again3)
assert torch.equal(torch.stack([again1, again2, again3]), torch.stack([X1, X2, X3]))
