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
# # Training a deep GSR-GNN
#
# A deep GSR-GNN trains on a whole circuit at once, and keeps a few numbers a cell and layer for the backward pass
# where an ordinary network keeps every activation. This page trains one to predict congestion and puts a RevGNN,
# trained the same way, beside it.
#
# Afterwards you can
#
# - train `GSRGNN` on a circuit, or on any graph with a number to predict for each node;
# - say what is kept for the backward pass, and count it;
# - read the four measures that the paper uses, and say what a comparison on one circuit does not show.

# %% tags=["parameters"]
circuit = "default"  # or any name that gsrgnn.circuits.load knows
num_layers = 30
hidden_channels = 64
k = 8
epochs = 60
learning_rate = 5e-3
seed = 0

# %%
import textwrap
from datetime import datetime

import pandas as pd
import torch
from IPython.display import Markdown, display
from torch_geometric import seed_everything

from gsrgnn import GSRGNN, CircuitGraph, circuits
from gsrgnn.baselines import RevGNN
from gsrgnn.book import figures, origin
from gsrgnn.kernels import reference
from gsrgnn.lab.bench.record import read_all
from gsrgnn.lab.exactness import plain
from gsrgnn.lab.measure import kept_bytes
from gsrgnn.layer_rates import set_layer_rates
from gsrgnn.reversible import ReversibleStack
from gsrgnn.training import train

# %% [markdown]
# ## The task
#
# Each cell of the circuit has features and a label. The label is the congestion where it lies on the die: how many
# more wires a router wants to lay there than fit, relative to what fits ([the chapter on the
# circuits](08_circuits.ipynb)). Where all fit it is zero, and that is where most cells are. The features say what
# the cell is and how it is connected; none of them says where it lies, since the label comes from positions. The
# cells are split at random into those to learn from (train), those to choose the epoch by (validation) and those
# that are looked at once, at the end (test). All of them are in the graph: a training cell sees the features of its
# neighbours in the test set, but not their labels.

# %%
name = circuits.default() if circuit == "default" else circuit
data = circuits.load(name)
graph = CircuitGraph.from_data(data, norm="mean")
print(f"circuit   {name}")
if not name.startswith("circuitnet/"):
    kind = (
        "ships with the package"
        if name in circuits.packaged.names()
        else "SYNTHETIC"
    )
    print(f"          {kind}: no CircuitNet files were found or asked for")
print(f"graph     {graph.num_nodes:,} cells, {graph.num_edges:,} directed edges")
print(
    f"label     {data.label_source}, "
    f"above zero for {(data.y > 0).float().mean():.0%} of the cells"
)
train_cells, val_cells, test_cells = (
    int(mask.sum()) for mask in (data.train_mask, data.val_mask, data.test_mask)
)
print(
    f"split     {train_cells:,} train, {val_cells:,} validation, {test_cells:,} test cells"
)
print(f"features  {data.num_features}:")
print(
    textwrap.fill(
        ", ".join(data.feature_names),
        76,
        initial_indent=10 * " ",
        subsequent_indent=10 * " ",
        break_on_hyphens=False,
    )
)

# %% [markdown]
# ## The model
#
# The encoder, a linear map, turns the features of a cell into `hidden_channels` numbers, the **stream**. It runs
# through the layers in two groups of columns, $x_1$ and $x_2$. A layer updates one group from the other, then the
# other from the first:
#
# $$
# x_1 \leftarrow x_1 + f_1(\mathrm{GS}(x_2)), \qquad x_2 \leftarrow r + f_2(\mathrm{GS}(x_1)),
# $$
#
# where $\mathrm{GS}$ keeps the $k$ largest numbers of each row and $f(V, I) = \mathrm{LayerNorm}(\mathrm{Linear}(A
# \cdot \mathrm{scatter}(V, I)))$ averages what was kept over the neighbours. The residual $r$ is what $\mathrm{GS}$
# kept of $x_2$ in the paper's Algorithm 1 (`residual="sparse"`), or all of $x_2$ (`residual="dense"`, ours). A
# LayerNorm and a linear head read the prediction off the stream, standardised; the **label scale** multiplies it by the
# label's deviation and adds its mean.

# %%
seed_everything(seed)
model = GSRGNN(
    data.num_features,
    hidden_channels,
    num_layers=num_layers,
    k=k,
    residual="sparse",
)
print(model)
print(f"{sum(p.numel() for p in model.parameters()):,} parameters")

# %% [markdown]
# Going back, a layer recomputes what it did. It takes $f_2$ off again, then $f_1$, and so has its own input and can
# differentiate itself. With the sparse residual one thing cannot be recomputed: what $\mathrm{GS}$ dropped of $x_2$
# is gone. What it kept, $k$ values and $k$ column indices a row, is therefore stored for each layer; with the dense
# residual nothing is. Either keeps its last stream with its scale besides, once, which the count below leaves out.


# %%
def kept_by_layers(residual, depth):
    """Bytes that the layers of a stack keep for its backward pass."""
    stack = ReversibleStack(hidden_channels, depth, k, residual)
    stream = torch.randn(graph.num_nodes, hidden_channels)
    with torch.no_grad():
        stack(stream, graph)  # makes what every step uses again
    apart = [stream, *stack.parameters()]
    scale = 4 * (graph.num_nodes + 2 * hidden_channels)
    return kept_bytes(lambda: stack(stream, graph), apart) - stream.nbytes - scale


rows = []
for depth in sorted({1, (num_layers + 1) // 2, num_layers}):
    # a float32 value and a uint8 index for each entry kept
    predicted = depth * graph.num_nodes * k * (4 + 1)
    measured = kept_by_layers("sparse", depth)
    assert measured == predicted
    assert kept_by_layers("dense", depth) == 0
    rows.append(
        {
            "layers": depth,
            "sparse": measured / 1e6,
            "L·N·k·(4 + 1)": predicted / 1e6,
            "dense": 0.0,
            "every stream": depth * graph.num_nodes * hidden_channels * 4 / 1e6,
        }
    )
figures.table(
    pd.DataFrame(rows).set_index("layers"),
    "{:,.1f}",
    "Megabytes kept for the backward pass",
)

# %% [markdown]
# The column after `sparse` is the formula. The last one is what keeping the stream of every layer would take: the
# least that a network keeps which does not recompute. Most also keep what is inside a block.
#
# Recomputing must not change the gradient. Here it is compared, in double precision and on a piece of the task small
# enough to leave to automatic differentiation, with the gradient of the same forward pass written out plainly
# (`gsrgnn.lab.exactness.plain`).

# %%
small = circuits.load("synthetic/300")
small_graph = CircuitGraph.from_data(small)
stack = ReversibleStack(hidden_channels, num_layers, k).double()
x = torch.randn(
    small.num_nodes, hidden_channels, dtype=torch.float64, requires_grad=True
)
ours, theirs = (
    torch.autograd.grad(y.square().sum(), [x, *stack.parameters()])
    for y in (stack(x, small_graph), plain(stack, x, small_graph))
)
error = max(
    float((a - b).norm() / b.norm()) for a, b in zip(ours, theirs, strict=True)
)
assert error < 1e-9
print(
    f"largest relative difference of a gradient: {error:.1e} ({num_layers} layers)"
)

# %% [markdown]
# Rounding does not spoil this in single precision either: the stream is kept in fixed-point numbers, so that taking
# an update off gives back to the last bit what was there ([the chapter on the reversible
# layers](10_reversible.ipynb)).
#
# ## Training both
#
# RevGNN is PyG's `GroupAddRev` around blocks of LayerNorm, ReLU and `SAGEConv`: the reversible network that the
# paper builds on {cite:p}`revgnn2021`, with a dense ReLU where GSR-GNN has group sparsity. It is given the same
# graph, width, depth, optimiser (Adam), learning rate, epochs and seed. Neither was tuned. Its means over the
# neighbours run through the same kernels and make no {term}`messages <message>`, which serves RevGNN better than the
# usual `SAGEConv` on an {term}`edge_index` does.
#
# `train` puts the label's mean and deviation over the training cells into the model and takes the loss in units of that
# deviation. The two numbers are saved with the parameters, so a trained model predicts in the label's units wherever
# it is loaded.
#
# An epoch takes one step: forward, backward, Adam. What the new parameters predict is scored on the validation cells,
# and the forward pass for that is the next step's own, since neither model computes anything else in training than in
# prediction. One with dropout (below) does, and `train` makes it a second pass.


# %% tags=["hide-input"]
def trained(make):
    seed_everything(seed)
    model = make()
    return train(model, data, graph, epochs=epochs, learning_rate=learning_rate)


runs = {
    "GSR-GNN": trained(
        lambda: GSRGNN(
            data.num_features, hidden_channels, num_layers=num_layers, k=k
        )
    ),
    "RevGNN": trained(
        lambda: RevGNN(data.num_features, hidden_channels, num_layers=num_layers)
    ),
}
history = pd.concat(
    [run.history.assign(model=model) for model, run in runs.items()],
    ignore_index=True,
)
for model, run in runs.items():
    print(
        f"{model:8} {len(run.history)} epochs, best by validation: {run.best_epoch}"
    )

# %% tags=["hide-input"]
figures.show(
    *figures.training.curves(
        history,
        {
            "loss": "training loss (MSE, standardised label)",
            "pearson": "validation Pearson (−1 to 1)",
        },
        data.label_source,
    ),
    alt="Two line charts over the epochs, one line a model: the training loss, and the Pearson correlation on the "
    "validation cells.",
    caption="The best Pearson on the validation cells is "
    + ", ".join(
        f"{run.history.pearson.max():.2f} for {model}"
        for model, run in runs.items()
    )
    + f". {data.name}, {num_layers} layers, width {hidden_channels}, k = {k}.",
)

# %% [markdown]
# Four measures compare predictions with labels on the test cells. **Pearson** is the linear correlation,
# **Spearman** that of the ranks, **Kendall** (τ-b) the share of pairs in the right order less that in the wrong one,
# allowing for ties, of which labels that are mostly zero have many; all three lie in −1 to 1. **R²** is 1 less the
# squared error over the label's variance: 1 for a perfect prediction, 0 for the mean, negative below that. (The paper
# names the first three, and calls them all rank correlations; its figures show R² as well.)
#
# > The paper, section 5: "we evaluate performance using three rank correlation metrics: Pearson, Kendall, and
# > Spearman correlation scores"

# %% tags=["hide-input"]
scores = pd.DataFrame(
    {
        model: {**run.test, "median seconds a step": run.history.seconds.median()}
        for model, run in runs.items()
    }
).T
figures.table(
    scores.rename(columns=str.capitalize).rename(columns={"R2": "R²"}),
    "{:.3f}",
    f"Test cells of {data.name}; label {data.label_source}",
)

# %% tags=["hide-input"]
figures.show(
    figures.die.comparison(
        data.pos.numpy(),
        data.grid,
        data.y.flatten().numpy(),
        runs["GSR-GNN"].prediction.numpy(),
        data.label_source,
        model="GSR-GNN",
    ),
    alt="Three maps of the die: the label, GSR-GNN's prediction and their difference.",
    caption="The prediction is flatter than the label: over all cells its standard deviation is "
    f"{float(runs['GSR-GNN'].prediction.std() / data.y.std()):.0%} of the label's. Mean of each gcell of {data.name}; "
    "most cells were trained on, and the scatter below is of test cells alone.",
)

# %% tags=["hide-input"]
test = data.test_mask.numpy()
figures.show(
    figures.training.prediction_scatter(
        data.y.flatten().numpy()[test],
        {model: run.prediction.numpy()[test] for model, run in runs.items()},
        data.label_source,
    ),
    alt="Two density plots of predicted against true labels on the test cells, one a model, with the diagonal. Where "
    "the label is high, nearly all predictions lie below it.",
    caption=f"High labels are guessed low. Test cells of {data.name}.",
)

# %% tags=["remove-input"]
most = [
    f"{float(run.prediction[data.test_mask].max()):.2f} ({model})"
    for model, run in runs.items()
]
Markdown(
    f"On the test cells the labels reach {float(data.y[data.test_mask].max()):.2f}, the predictions only "
    f"{' and '.join(most)}."
)

# %% [markdown]
# Why? Training makes the *squared* error small, and the guess with the least squared error is the mean of all labels
# that a cell with these features may have. No feature says where a cell lies, so cells in a crowd share theirs with
# cells where all wires fit, and the mean of the few high labels and the many zeros is low. The correlations do not mind,
# since they look at order and proportion alone; R² does.

# %% tags=["hide-input"]
gsr, rev = runs["GSR-GNN"], runs["RevGNN"]
ratio = rev.history.seconds.median() / gsr.history.seconds.median()
lead = gsr.test["pearson"] - rev.test["pearson"]
Markdown(
    f"After {epochs} epochs GSR-GNN's Pearson on the test cells is {abs(lead):.3f} {'higher' if lead > 0 else 'lower'} "
    f"than RevGNN's ({gsr.test['pearson']:.3f} against {rev.test['pearson']:.3f}), and a step of RevGNN takes "
    f"{ratio:.1f} times as long. GSR-GNN's best epoch was {gsr.best_epoch} of {epochs}, RevGNN's {rev.best_epoch}."
)

# %% [markdown]
# What this does not show: the label is simulated, so the values cannot be set beside the paper's; one circuit, one
# seed and one learning rate decide nothing between two models that lie close; and where a best epoch is the last
# one, training was cut short. A cell's neighbours lie near it and share its label in part, so a random split by
# cells, which the paper's counts point to, is kinder than a split by circuits would be.
#
# ## Dropout
#
# **Dropout** sets an entry to zero with probability $p$ while a model is trained, another set of entries at each step,
# and divides the others by $1 - p$, which leaves the mean as it was. RevGNN draws one mask of $N \times D$ numbers for
# a forward pass, keeps it, and uses it in all layers. `GSRGNN(..., dropout=p)` does that to what $\mathrm{GS}$ keeps,
# before it is aggregated; the residual takes it undropped.
#
# No mask is kept here. Each of its entries is computed from a seed, the row and the column by a hash
# (`gsrgnn.kernels.reference.dropout_mask`), and the backward pass computes it again from the same seed. So the gradient
# is that of the forward pass with the mask written out, and besides what the layers keep without dropout there is one
# number, the seed.

# %%
dropping = ReversibleStack(hidden_channels, num_layers, k, dropout=0.2).double()
torch.manual_seed(seed)
drawn, p = (
    dropping.draw()
)  # the forward pass below, seeded the same, draws the same
mask = reference.dropout_mask(int(drawn), small.num_nodes, hidden_channels, p)
torch.manual_seed(seed)
ours, theirs = (
    torch.autograd.grad(y.square().sum(), [x, *dropping.parameters()])
    for y in (
        dropping(x, small_graph),
        plain(dropping, x, small_graph, mask=torch.from_numpy(mask)),
    )
)
error = max(
    float((a - b).norm() / b.norm()) for a, b in zip(ours, theirs, strict=True)
)
assert error < 1e-9
apart = [x, *dropping.parameters(), *stack.parameters()]
with_dropout, without = (
    kept_bytes(lambda which=which: which(x, small_graph), apart)
    for which in (dropping, stack)
)
assert with_dropout - without == 8
print(f"entries of the mask that are zero: {(mask == 0).mean():.1%}")
print(f"largest relative difference of a gradient: {error:.1e}")
print(f"kept without dropout {without:,} bytes, with it {with_dropout:,}: the seed")

# %% [markdown]
# The seed comes from torch's generator, so that `torch.manual_seed` repeats a training. In eval mode nothing is
# dropped; only there does the stack have an inverse, since a mask that was drawn is known to its own backward pass
# alone.
#
# ## Layers at rest, and a rate for each
#
# Someone who trains on from a model may want its first layers to stay as they are, or to move slowly. PyTorch's means
# for it, `requires_grad_(False)` and the optimiser's parameter groups, take whole parameters, and here one parameter
# holds all layers.
#
# Multiplying the gradient of a layer by a factor $c$ is no substitute. Adam steps by $m / (\sqrt{v} + \epsilon)$, the
# mean of the gradients over the root of the mean of their squares: $m$ becomes $c\,m$ and $\sqrt{v}$ becomes
# $c\sqrt{v}$, and the step stays the same but for the tiny $\epsilon$. Nor does a gradient of zero hold a layer: the
# mean of earlier ones still moves it, and so does weight decay. What can be scaled is the step.
# `set_layer_rates(optimizer, model.layers, rates)` lets the optimiser step, then puts each layer at
# `rates[l]` of its way; `train(..., layer_rates=rates)` does it for its own Adam.


# %%
def first_step(optimiser, factor=1.0, rate=1.0):
    """How far a first step moves layer 0, by Euclid's norm."""
    seed_everything(seed)
    stack = ReversibleStack(hidden_channels, num_layers, k).double()
    before = stack.weight[0].detach().clone()
    optimizer = optimiser(stack.parameters(), lr=1e-3)
    set_layer_rates(optimizer, stack, [rate] + [1.0] * (num_layers - 1))
    stack(x.detach(), small_graph).square().sum().backward()
    stack.weight.grad[0] *= factor
    optimizer.step()
    return (stack.weight[0] - before).norm().item()


changes = {
    "gradient times 0.1": {"factor": 0.1},
    "rate 0.1": {"rate": 0.1},
    "rate 0": {"rate": 0.0},
}
steps = pd.DataFrame(
    {
        optimiser.__name__: {
            name: first_step(optimiser, **change) / first_step(optimiser)
            for name, change in changes.items()
        }
        for optimiser in (torch.optim.SGD, torch.optim.Adam)
    }
)
assert abs(steps.loc["gradient times 0.1", "Adam"] - 1) < 1e-2
assert (steps.loc["rate 0.1"] - 0.1).abs().max() < 1e-9
assert (steps.loc["rate 0"] == 0).all()
figures.table(
    steps, "{:.3f}", "A first step of layer 0, as a share of the full one"
)

# %% [markdown]
# With momentum and weight decay a rate gives what parameters of its own for each layer give, and a layer of rate 0 keeps
# its parameters to the last bit (the tests compare them). Here the first half of the layers stays as it was drawn while
# the second is trained, on the small circuit.

# %%
seed_everything(seed)
model = GSRGNN(small.num_features, hidden_channels, num_layers=num_layers, k=k)
drawn = model.layers.weight.detach().clone()
rates = [0.0 if layer < num_layers // 2 else 1.0 for layer in range(num_layers)]
train(model, small, small_graph, epochs=min(5, epochs), layer_rates=rates)
moved = (model.layers.weight != drawn).flatten(1).any(dim=1)
assert moved.tolist() == [rate > 0 for rate in rates]
print(f"layers that moved: {int(moved.sum())} of {num_layers}")

# %% [markdown]
# ## Two groups and no more
#
# RevGNN may have more than two groups. Equation (6) of the paper lets the first block of $C$ groups read the sum of
# groups 2 to $C$, and every other block the group before it. Algorithms 1 and 2 are written for two, where that sum is
# group 2 itself: one selection is the block's input, the residual of line 10, and all that has to be kept. For $C > 2$
# these come apart. What $\mathrm{GS}$ selects of the sum is not what it selects of any group; line 10 does not say what
# the residuals of groups 2 to $C$ are; and if each is what $\mathrm{GS}$ keeps of the group, what the next layer drops
# takes with it the inputs of all blocks but the second. Then $C$ selections have to be kept for each layer: of the sum,
# of the groups 2 to $C - 1$ as they are updated, and of the last group. What groups save is weights, $C\,(D/C)^2$ a
# layer, and for that a smaller width does as well: two groups of a stream of $D \sqrt{2 / C}$ columns have as many. So
# `GSRGNN` has two.

# %%
rows = {
    C: {
        "weights a layer": C * (hidden_channels // C) ** 2,
        "selections kept a layer": 1 if C == 2 else C,
        "bytes kept, a cell and layer": (1 if C == 2 else C) * k * (4 + 1),
        "width of two groups with as many weights": hidden_channels
        * (2 / C) ** 0.5,
    }
    for C in (2, 4)
}
figures.table(
    pd.DataFrame(rows).T.rename_axis("groups"),
    "{:,.0f}",
    "What groups would cost and save, at the same k a group",
)

# %% [markdown]
# ## A step in a script of one's own
#
# What does a step cost outside `train`? A program that makes large arrays and lets them go gets them from the system
# anew each time, and the system hands them out in pages of 4 KiB, each with a **page fault**. `train` keeps freed memory
# while it runs, and a loop of one's own does so within `gsrgnn.memory.freed_memory_kept()`. `gsrgnn bench` times the
# four side by side; these are the last that it wrote to `results`.

# %% tags=["hide-input"]
bench_records, _ = read_all("results")
with_loops = sorted(
    (record for record in bench_records if record.get("as_run")),
    key=lambda record: datetime.fromisoformat(record["provenance"]["date"]),
)
if with_loops:
    record = with_loops[-1]
    p, as_run = record["parameters"], pd.DataFrame(record["as_run"])
    display(
        figures.table(
            pd.DataFrame(
                {
                    "ms": 1e3 * as_run["seconds"],
                    "page faults": as_run["page_faults"],
                    "over the bench's step": as_run["seconds"]
                    / as_run["seconds"][0],
                }
            ).set_axis(as_run["name"].rename(None)),
            {
                "ms": "{:,.0f}",
                "page faults": "{:,.0f}",
                "over the bench's step": "{:.2f}",
            },
            f"{as_run['row'][0]}, {p['circuit']}, width {p['hidden']}, {p['layers']} layers",
        )
    )
else:
    print("No record in results has these times yet: gsrgnn bench makes one.")

# %% tags=["remove-cell"]
origin.hand_over(
    origin.of_files("gsrgnn bench", with_loops),
    "all but the steps as a user runs them",
)

# %% [markdown]
# ## Recap
#
# - A reversible layer recomputes its input from its output; the gradient is exact.
# - The sparse residual keeps $k$ values and indices a row and layer, the dense one nothing.
# - Both models trained on the whole graph at once, on a CPU.
# - Dropout keeps no mask; a rate for each layer scales the optimiser's step, and 0 freezes the layer.
#
# ## Exercises
#
# **1.** How many bytes does the sparse residual keep for 100 layers at width 384 and $k = 32$ on this circuit? For
# which $k$ would it keep as much as storing one group of the stream for every layer?

# %% tags=["hide-cell"]
N, D = graph.num_nodes, 384  # 192 columns a group: an index fits one byte
print(f"{100 * N * 32 * (4 + 1) / 1e9:.2f} GB")
# k (4 + 1) = 4 · D / 2
print(f"k = {4 * (D // 2) / 5:.0f} of {D // 2} columns")

# %% [markdown]
# **2.** Does training depend on the graph at all? Train a 2-layer model on a graph with self-loops alone, where
# aggregation hands each cell its own values back, for a few epochs, and compare.

# %% tags=["hide-cell"]
alone = CircuitGraph.from_edge_index(
    torch.empty(2, 0, dtype=torch.long), graph.num_nodes, self_loops=True
)
few = max(1, min(10, epochs // 3))
for label, joined in (("the circuit", graph), ("self-loops only", alone)):
    seed_everything(seed)
    shallow = GSRGNN(data.num_features, hidden_channels, num_layers=2, k=k)
    run = train(shallow, data, joined, epochs=few, learning_rate=learning_rate)
    print(f"{label:16} Pearson {run.test['pearson']:.3f} (2 layers, {few} epochs)")
