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
# # A circuit as a graph
#
# A netlist joins many cells through one net; a graph joins two nodes through one edge. Turning every net into
# a clique makes the first into the second, at a price: a few large nets, clocks most of all, make most of the
# edges. That is why aggregation is the expensive step on circuits, and why their degrees look like no
# textbook graph's.
#
# Afterwards you can
#
# - write a netlist as an incidence matrix and get its clique graph from it;
# - say where the edge counts of the paper's Table 1 come from, and reproduce one;
# - read a degree distribution, and say what sets a circuit apart from a Barabási–Albert graph (Figure 5).

# %% tags=["parameters"]
circuit = "default"  # or any name that gsrgnn.circuits.load knows
seed = 0
piece_nodes = 50
record = "results/circuits.json"  # of gsrgnn data table --json

# %%
import numpy as np
import pandas as pd

from gsrgnn import CircuitGraph, circuits
from gsrgnn.book import figures
from gsrgnn.book.walkthrough import matrix, show
from gsrgnn.circuits import table1
from gsrgnn.circuits.pieces import piece
from gsrgnn.lab.records import read_circuits

# %% [markdown]
# ## Cells, nets, pins
#
# A **cell** is a gate or a flip-flop: a small box with connectors. A connector is a **pin**. A **net** is a
# wire that joins pins. A **netlist** is the list of all pins with the cell and the net of each; two integer
# arrays hold it. Here are three cells and two nets. Cell `c` has two pins on net `n1`, as a gate with two
# inputs tied together has.

# %%
cell = np.array([0, 1, 2, 1, 2, 2])
net = np.array([0, 0, 0, 1, 1, 1])
toy = CircuitGraph.from_pins(cell, net, num_cells=3, norm="sum")

B = np.zeros((3, 2), dtype=int)
np.add.at(B, (cell, net), 1)
A = B @ B.T - np.diag((B * B).sum(axis=1)) + np.eye(3, dtype=int)
assert A.sum() == toy.num_edges
assert (A.sum(axis=1) == toy.degree.numpy()).all()

# %% tags=["hide-input"]
figures.show(
    figures.graphs.netlist(cell, net, ["a", "b", "c"], ["n0", "n1"]),
    figures.graphs.clique(A, ["a", "b", "c"], "clique graph"),
    alt="Left, cells a, b and c; net n0 joins one pin of each, net n1 one pin of b and two of "
    "c. Right, the clique graph: a and b joined once, a and c once, b and c three times, and "
    "a self-loop at each.",
    caption="A netlist of three cells and the graph made of it. × 3: joined by three edges. "
    "Dotted: self-loops.",
)

# %% [markdown]
# ## From nets to cliques
#
# A **clique** is a set of nodes that are all joined to each other. Every net becomes one over its pins, so
# two cells are joined once for each pair of their pins on a common net. Cells `b` and `c` share `n0` (one pin
# each) and `n1` (one pin and two): $1 + 1 \cdot 2 = 3$ edges. That count is called **multiplicity**.
#
# Let $B$ count the pins: $B_{ij}$ is the number of pins that cell $i$ has on net $j$. Then $B B^\top$ counts
# pairs of pins. Its diagonal counts pairs of a cell with itself, which are dropped; a **self-loop** for each
# cell, together the identity matrix $\mathbf{I}$, is put back, so that aggregation keeps a cell's own features.
# With $\circ$ for the product entry by entry:
#
# $$A = B B^\top - \operatorname{diag}(\operatorname{rowsum}(B \circ B)) + \mathbf{I}$$

# %%
show(
    matrix(B, "B", columns=["n0", "n1"]),
    "·",
    matrix(B.T, "Bᵀ"),
    "−",
    matrix(np.diag((B * B).sum(axis=1)), "diag(…)"),
    "+",
    matrix(np.eye(3, dtype=int), "identity"),
    "=",
    matrix(A, "A"),
)

# %% [markdown]
# A net with $s$ pins, each on a cell of its own, makes $s (s - 1)$ directed edges: one each way for every pair. Ten
# pins make 90, a thousand make nearly a million. The package keeps the pins and builds $A$ only when it is needed.
#
# ## A real one

# %%
name = circuits.default() if circuit == "default" else circuit
data = circuits.load(name)
graph = CircuitGraph.from_data(data, norm="sum")
print(f"circuit: {name}")


# %% tags=["hide-input"]
def recorded(name):
    """A circuit's counts in the record, and its date; None where there are none."""
    try:
        read = read_circuits(record)
    except (FileNotFoundError, ValueError):
        return None
    found = [entry for entry in read["circuits"] if entry["circuit"] == name]
    return found[0] | {"date": read["provenance"]["date"][:10]} if found else None


real = name.startswith("circuitnet/")
shown = name if real else f"circuitnet/{table1.rows()[-1].name}"  # else 7157
known = None if real else recorded(shown)
if not real:
    kind = (
        "one that ships with the package"
        if name in circuits.packaged.names()
        else "SYNTHETIC"
    )
    print(
        f"This page draws {kind}: CircuitNet's files were not found\n"
        "(CIRCUITNET_ROOT), or its name was asked for."
        + "\nThe counts of CircuitNet's 7157 stand beside its own, from a record."
        * bool(known)
    )

# %% [markdown]
# CircuitNet {cite:p}`circuitnet2023` gives netlist and placement of each design. Nodes are the cells that
# occur in both. Below are the circuit's counts, beside the row of the paper's Table 1 with that name, if there is one.
# The paper does not say how it counts edges. Of the countings tried, one gives its number: cliques with
# multiplicity, no cap on the size of a net, one self-loop a cell, both directions counted. Not every net of a netlist
# makes an edge: one whose other ends lie outside, or on the same cell, has no pair to join. Where this book counts the
# nets of a graph, it counts those that do.

# %%
paper_rows = pd.read_csv(table1.FILE, comment="#")
row = paper_rows[paper_rows["circuitnet_name"] == shown.removeprefix("circuitnet/")]
paper = row.iloc[0] if len(row) else {"nodes": "–", "edges": "–"}
if "/7157-zero-riscy-a-1-c2-" in name:
    assert (graph.num_nodes, graph.num_edges) == (38_656, 6_768_184)
cells_of_net = pd.DataFrame({"net": data.net, "cell": data.cell}).groupby("net")
counts = pd.DataFrame(
    {
        "cells (nodes)": graph.num_nodes,
        "nets": len(data.net.unique()),
        "… that join two cells or more": (cells_of_net["cell"].nunique() > 1).sum(),
        "pins": len(data.net),
        "directed pairs, each once": graph.num_pairs,
        "… with multiplicity": graph.num_edges - graph.num_nodes,
        "… and self-loops (edges)": graph.num_edges,
    },
    index=["here"],
).T.map("{:,}".format)
if known:
    counts[f"7157, record of {known['date']}"] = pd.Series(
        {
            "cells (nodes)": known["cells"],
            "nets": known["nets"],
            "pins": known["pins"],
            "… and self-loops (edges)": known["edges"],
        }
    ).map("{:,}".format)
counts["Table 1"] = pd.Series(
    {"cells (nodes)": paper["nodes"], "… and self-loops (edges)": paper["edges"]}
)
figures.table(counts.fillna("–"))

# %% [markdown]
# ## Which nets make the edges
#
# Most nets have two or three pins: one gate drives another. A few have a hundred and more. In CircuitNet's
# 7157 the names of those above 100 pins say what they are: clocks, which go to every flip-flop of a region,
# and one reset.

# %%
cells = data.cell.numpy()
_, nets = np.unique(data.net.numpy(), return_inverse=True)
size = np.bincount(nets)
pins = pd.DataFrame({"cell": cells, "net": nets}).value_counts()
same_cell = (pins**2).groupby("net").sum().to_numpy()
edges = size**2 - same_cell  # B Bᵀ and its diagonal, net by net
assert edges.sum() == graph.num_edges - graph.num_nodes

large = size > 100
print(
    f"pins of a net: median {np.median(size):.0f}, 99th percentile "
    f"{np.percentile(size, 99):.0f}, largest {size.max():,}"
)
print(
    f"the {large.sum()} nets above 100 pins are {large.mean():.2%} of the nets "
    f"and make {edges[large].sum() / edges.sum():.0%} of edges"
)

# %% tags=["hide-input"]
figures.show(
    figures.graphs.net_size_shares(size, edges),
    alt="Two curves over net size on a logarithmic axis. The share of nets is near 100% at a "
    "few tens of pins; the share of edges is small there and climbs only with the largest nets.",
    caption=f"Nets of at most 10 pins are {(size <= 10).mean():.0%} of the nets and make "
    f"{edges[size <= 10].sum() / edges.sum():.0%} of the edges ({data.name}).",
)

# %% [markdown]
# ## Degrees, and a Barabási–Albert graph
#
# The **degree** of a node is the number of its edges; here with multiplicity and without self-loops. The
# paper's Figure 5 sets a circuit beside a conventional graph and names the Barabási–Albert model
# {cite:p}`barabasi1999` as the example: nodes arrive one by one, and each joins $m$ existing nodes, chosen
# with a chance proportional to their degree. We give it the circuit's number of nodes. Every arrival brings
# $m$ edges with two ends, so the mean degree is close to $2 m$, and $m$ is half the circuit's mean degree,
# rounded.

# %%
degree = graph.degree.numpy().astype(int) - 1
m = max(1, round(degree.mean() / 2))


def barabasi_albert(num_nodes, m, rng):
    """Edges [2, E], each once. A random end of a random earlier edge is a node
    drawn with a chance proportional to its degree."""
    ends = np.empty(2 * m * (num_nodes - m), dtype=np.int64)
    targets = np.arange(m)
    for node in range(m, num_nodes):
        known = 2 * m * (node - m)
        ends[known : known + m], ends[known + m : known + 2 * m] = node, targets
        targets, draws = targets[:0], m
        while len(targets) < m:  # the first m that differ
            draws *= 2
            draw = ends[rng.integers(known + 2 * m, size=draws)]
            first = np.sort(np.unique(draw, return_index=True)[1])
            targets = draw[first[:m]]
    return ends.reshape(-1, 2, m).transpose(1, 0, 2).reshape(2, -1)


rng = np.random.default_rng(seed)
one_way = barabasi_albert(graph.num_nodes, m, rng)
ba = CircuitGraph.from_edge_index(
    np.hstack([one_way, one_way[::-1]]), graph.num_nodes, norm="sum"
)
degrees = {
    "circuit": degree,
    f"Barabási–Albert, m = {m}": ba.degree.numpy().astype(int),
}
figures.table(
    pd.DataFrame(
        {
            title: {
                "nodes": len(d),
                "mean degree": d.mean(),
                "smallest": d.min(),
                "median": np.median(d),
                "90th percentile": np.percentile(d, 90),
                "99th percentile": np.percentile(d, 99),
                "largest": d.max(),
            }
            for title, d in degrees.items()
        }
    ),
    "{:,.0f}",
)

# %% [markdown]
# A circuit of this size cannot be drawn. We draw a **piece** of it: from a random node of at most the median degree
# on, breadth first, up to three random new neighbours of each; then all edges between the nodes found.

# %%
panels = []
for g, (title, d) in zip((graph, ba), degrees.items(), strict=True):
    start = rng.choice(np.flatnonzero((d > 0) & (d <= np.median(d))))
    pairs, nodes = piece(g.neighbors, start, piece_nodes, rng)
    panels.append(figures.graphs.piece(pairs, title, d[nodes]))
    print(f"{title}: {len(nodes)} nodes, {pairs.shape[1]} joined pairs")

# %% tags=["hide-input"]
figures.show(
    *panels,
    alt="Two node-link pictures. The piece of the circuit has groups of nodes that are all joined to "
    "each other; the piece of the Barabási–Albert graph has none.",
    caption="A connected piece of each: the circuit's is made of nets whose cells are all joined, the other "
    "of single edges. The larger a dot, the more edges the node has in the whole graph.",
)

# %% tags=["hide-input"]
figures.show(
    figures.graphs.degree_distribution(degrees),
    alt="Complementary cumulative degree distribution of both graphs on logarithmic axes. The "
    "Barabási–Albert curve starts at m and falls along a straight line. The circuit's "
    "starts at one and falls slowly over three decades.",
    caption=f"Share of nodes with at least a given degree. The circuit's degrees run from {degree.min()} to "
    f"{degree.max():,}; in the Barabási–Albert graph none is below {m} ({data.name}).",
)

# %% [markdown]
# The means agree, as they were made to; the shapes do not. No node of the Barabási–Albert graph has fewer
# than $m$ edges, and its curve falls along a straight line, a power law, until it runs out of nodes. The
# circuit has nodes with few neighbours and nodes with hundreds of times as many. The curve of CircuitNet's
# 7157 has steps: each is a large net of $s$ pins, all of whose cells have at least $s - 1$ edges. The paper
# speaks of degrees from one to above 8,000 over its designs. In the small, the circuit's piece is made of
# cliques; in the other graph, two neighbours of a node are seldom neighbours themselves.
#
# For a kernel, a function that runs such a sum on a processor, that means rows of very different length. It also
# means neighbours in identical groups, since all cells of a net share its other members; exercise 1 asks what that is
# good for.
#
# ## Where the cells are
#
# A chip's area is divided into **gcells**, squares of the router's grid. Congestion is the demand for wires in a
# gcell beyond what fits; the paper predicts it for every cell. CircuitNet's congestion maps, made by a router, are a
# separate download. Where they are not found, the nets are routed here on the circuit's placement, and every figure
# that uses such a label calls it simulated. A gcell's value is its **overflow**: the wires above its capacity, over
# the capacity, and zero where all fit. A cell's label is the mean over the gcells that it covers, scaled so that the
# largest is 1. Most cells have zero. [The next chapter](08_circuits.ipynb) shows how the router works.

# %%
print(f"label: {data.label_source}")
print(f"cells with a label above zero: {(data.y > 0).float().mean():.0%}")

# %% tags=["hide-input"]
figures.show(
    figures.die.cell_map(
        data.pos.numpy(),
        data.grid,
        data.y.flatten().numpy(),
        data.label_source,
        title="overflow",
        unit="label (largest = 1)",
    ),
    alt="Map of the die, coloured by label: zero in most places, above it in a few regions.",
    caption="Overflow lies together in a few regions: the mean label of the cells in each gcell, open "
    f"where there is no cell ({data.name}).",
)

# %% [markdown]
# ## Recap
#
# - A netlist is two arrays, the cell and the net of each pin. $B$ counts them; the clique graph is $B B^\top$
#   with its diagonal replaced by self-loops.
# - Counted with multiplicity and self-loops, the cliques of CircuitNet's 7157 give Table 1's number of edges.
# - In a real circuit a few large nets make most of the edges, and the steps in the degree distribution. A
#   Barabási–Albert graph of the same size and mean degree has neither.
#
# ## Exercises
#
# **1.** A net has $s$ pins on $s$ different cells. How many directed edges does its clique have, and how many
# entries its column of $B$? Write $A X$ so that it goes through the pins and not through the edges. How many
# additions does that save on the circuit above?

# %% tags=["hide-cell"]
# s (s - 1) edges against s entries. A X = B (Bᵀ X) + (I - diag(...)) X:
# first sum each net's cells, then each cell's nets; one addition a pin, twice.
print(
    f"{graph.num_edges:,} edges against 2 × {len(data.net):,} pins: "
    f"{graph.num_edges / (2 * len(data.net)):.0f} times fewer"
)

# %% [markdown]
# **2.** Leave out all nets above 100 pins. How many edges remain, and how many cells lose their last
# neighbour?

# %% tags=["hide-cell"]
small = size[nets] <= 100
pruned = CircuitGraph.from_pins(
    cells[small], nets[small], graph.num_nodes, norm="sum"
)
cut_off = (pruned.degree.numpy() == 1) & (degree > 0)
print(
    f"{pruned.num_edges:,} of {graph.num_edges:,} edges remain "
    f"({pruned.num_edges / graph.num_edges:.0%})"
)
print(f"{cut_off.sum():,} of {graph.num_nodes:,} cells are cut off")
