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
# # The paper in ten minutes
#
# A graph network of many layers needs much memory to train, since every layer must be remembered. GSR-GNN makes a layer
# that remembers almost nothing. This page says why that is wanted, how it is done and what it costs, for a reader who
# knows matrix products and what a gradient is.

# %% tags=["parameters", "remove-cell"]
circuit = "riscv/picorv32-small"  # any name that gsrgnn.circuits.load knows
folder = "results"  # where the records lie

# %% tags=["remove-input"]
import numpy as np
from IPython.display import Markdown
from scipy.sparse import csr_array

from gsrgnn import circuits
from gsrgnn.book import figures, front, origin, passes, scoreboard
from gsrgnn.book.walkthrough.audit import recomputed, tally

data = circuits.load(circuit)
cells, nets = int(data.num_nodes), len(set(data.net.tolist()))

# %% [markdown]
# ## The task: congestion
#
# A chip is made of thousands to millions of **cells**, small gates of a few transistors, and the **nets** that connect
# them: a net is one wire with an end, a **pin**, at each of its cells. A program places the cells on the die, and
# another lays the wires. The second divides the die into tiles, **gcells**, each with room for so many wires. Where
# more wires want to pass than there is room for, the tile is **congested**, and the wires must go around, or the chip
# cannot be built. One would like to know that before the wires are laid, since laying them takes hours.

# %% tags=["remove-input"]
figures.show(
    figures.die.cell_map(
        data.pos,
        data.grid,
        data.y[:, 0],
        data.label_source,
        unit="overflow over capacity",
    ),
    alt="Map of the die: most places are not congested, a region is.",
    caption=f"{cells:,} cells of a processor, {nets:,} nets: how much more wire is wanted than there is room for.",
)

# %% [markdown]
# So there is something to learn: from the cells and nets of one design, predict a number for each cell, how congested
# the place is where it lies.
#
# ## The tool: a graph network
#
# Call two cells **neighbours** where they share a net. That makes a graph. A **graph network** has a row of $D$ numbers
# for each cell, its **features**, and changes them layer by layer. In a layer a function that is not linear drops
# something of each row, for instance ReLU all that is negative; a cell gets the mean of what is left of its neighbours'
# rows; and a matrix $W$, which is learned, mixes the columns:
#
# $$
# X \leftarrow X + A\, \mathrm{ReLU}(X)\, W.
# $$
#
# $A$ has in row $i$ the weights of the neighbours of cell $i$. It is large and **sparse**: nearly all its entries are
# zero, and $A X$ needs only the others. In the end each cell's row is made into one number, the prediction.
#
# One layer tells a cell of its neighbours, a second of their neighbours too, and so on.

# %% tags=["remove-input"]
member = csr_array((np.ones(len(data.cell)), (data.cell.numpy(), data.net.numpy())))
heard = np.zeros((cells, 200), dtype=bool)
heard[np.random.default_rng(0).choice(cells, 200, replace=False), range(200)] = True
shares = []
while not heard.all() and len(shares) < 100:
    heard |= member @ (member.T @ heard) > 0
    shares.append(heard.mean())
Markdown(
    f"In this circuit a cell has heard of {shares[0]:.0%} of all cells after one layer, of "
    f"{shares[1]:.0%} after two, and of all after {len(shares)}: some nets are large."
)

# %% [markdown]
# So a hundred layers are not for reach. The paper wants them since deep networks were better in its experiments, RevGNN
# with many layers than with few. Whether they are is [a page of this book](14_figure_1.ipynb).

# %% [markdown]
# ## The trouble: memory
#
# To train a network one needs **gradients**: how much the error changes with each number of each $W$. They are computed
# backwards, last layer first, and what a layer computed going forward is needed again then. So every layer's rows stay
# in memory until the way back comes to them, and a hundred layers keep a hundred times as much as one.

# %% tags=["remove-input"]
held = passes.held()
keeps = held[passes.NETWORKS["graphsage"]]
Markdown(
    f"On a circuit of {passes.SIZES.cells:,} cells, with D = {passes.SIZES.width}, a plain network "
    f"of {passes.SIZES.layers} layers keeps {(keeps.max() - keeps.min()) / 1e9:.0f} GB that way."
)

# %% [markdown]
# ## The idea: compute it again
#
# A **reversible** layer can be run backwards: from what came out it computes what went in, so nothing needs to be kept.
# The trick is old and simple. Split the columns of $X$ into two groups, and change one group by what is computed from
# the other:
#
# $$
# y_1 = x_1 + f(x_2), \qquad y_2 = x_2 + g(y_1).
# $$
#
# Whoever has $y_1$ and $y_2$ subtracts: $x_2 = y_2 - g(y_1)$, then $x_1 = y_1 - f(x_2)$. Neither $f$ nor $g$ needs to
# have an inverse. That is **RevGNN** {cite:p}`revgnn2021`, the network that the paper compares itself with. The price
# is time: on the way back every layer is computed once more.
#
# ## The paper's step: keep k of each row
#
# GSR-GNN puts **group sparsity**, GS, in place of ReLU: of each row of a group it keeps the $k$ largest numbers and
# drops the others; of negative numbers those nearest to zero. Two things follow.
#
# - *Time.* Every row has exactly $k$ numbers. Two small arrays hold them, the values $V$ and their columns $I$, which
#   the paper calls **CBSR**, and the product with $A$ touches these alone.
# - *Memory.* As the paper writes its layer, the second group is not $x_2$ plus something but the *sparse* $x_2$ plus
#   something. What GS dropped of it is lost, and cannot be computed again. So each layer keeps its $V$ and $I$: not
#   nothing, but $k$ numbers a row in place of many times $D$.

# %% tags=["remove-input"]
figures.show(
    figures.layers.one_layer(),
    alt="One layer: GS of group 2 gives V2 and I2; its sums over the neighbours are added to group 1; "
    "GS of the new group 1 gives V1 and I1; their sums are added to what GS kept of group 2. "
    "V2 and I2 are kept for the way back.",
    caption="One layer of GSR-GNN. Only what is framed is kept for the way back.",
)

# %% [markdown]
# ## Does it work?
#
# This book runs the paper's experiments again, and [its first page](index.ipynb) has the answers. What surprised us:

# %% tags=["remove-input"]
board = scoreboard.board(folder)
found = front.answers(board, tally(recomputed()))
Markdown(
    "\n".join(f"- *{one.question}* {one.surprise}" for one in found if one.surprise)
)

# %% tags=["remove-cell"]
origin.hand_over(
    board.attrs["sources"], "the circuit, and sizes, which are by formula"
)

# %% [markdown]
# ## Where to go on
#
# - The smallest example, with every number: [group sparsity](01_group_sparsity.ipynb), then the chapters after it.
# - One layer forward and back, to play with: [step by step](../book/step_through.md).
# - A real circuit: [how it becomes a graph](07_circuit_graph.ipynb), [a network trained on it](11_training.ipynb).
# - Words and symbols: [glossary](../book/glossary.md), [notation](../book/notation.md).
