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
# # What fits in my memory?
#
# Choose a circuit, a network and a card, and read how deep each way to train can go, and how long a step takes. A
# reversible network is held back by its width and by how it sums over neighbours; its depth costs it little.
#
# ```{raw} html
# <link rel="stylesheet" href="../_static/explorer.css">
# <div id="explorer">
#   <noscript><p>The sliders need JavaScript, which is switched off. One case is worked out below.</p></noscript>
# </div>
# <script src="../_static/elements.js" defer></script>
# <script src="../_static/explorer_formulas.js" defer></script>
# <script src="../_static/explorer.js" defer></script>
# ```
#
# GB are of 10⁹ bytes. The formulas were held against steps on a CPU. On a card its driver, PyTorch and the circuit come on
# top, and what the allocator reserves beside ([Figure 3](16_figure_3.ipynb)). The address of this page changes with what
# you choose: copied, it opens the same sizes.
#
# ## The ways
#
# - **GraphSAGE on an edge_index** makes a message for every edge, and autograd keeps each layer's activations.
# - **GSR-GNN left to autograd** is Algorithm 1's layer with nothing recomputed.
# - **Checkpoints** keep the stream once every $\sqrt{L}$ layers and compute the rest again; residual GraphSAGE at full
#   width, sums by a sparse product.
# - **RevGNN on an edge_index** is the paper's baseline; **without messages** it is the same network with a sparse product,
#   which PyTorch Geometric also offers.
# - **GSR-GNN, sparse residual** is Algorithm 1; **dense residual** recomputes everything
#   ([chapter](10_reversible.ipynb)).
#
# ## The formulas
#
# $S = 4 N D$ bytes is the stream, $d = D / 2$, $b$ the bytes of a column index, and $C$ the number of checkpoints.
#
# **Kept for the backward pass**, exact and tested to the byte: $2 S + 8 N$ by the last LayerNorm and the head, and
#
# - GraphSAGE on an `edge_index`: $L (2 S + 4 N)$
# - GSR-GNN left to autograd: $L N (8 D + 16 + 2 k b)$
# - checkpoints: $C S$
# - RevGNN: nothing
# - GSR-GNN: $S + 4 (N + 2 D)$, and with the sparse residual $L N k (4 + b)$.
#
# **Working arrays**, counted from the code:
#
# - GraphSAGE: none beside its messages; GSR-GNN left to autograd: $S$
# - checkpoints: $3 \sqrt{L}\, S$, what a segment keeps while it is differentiated
# - RevGNN: $5 S$
# - GSR-GNN: $3 S + N k (8 + b)$.
#
# **Messages**, on an `edge_index`: $E (4 D + 32)$ in GraphSAGE and $E (4 d + 32)$ in RevGNN. The 32 bytes are four arrays
# by which PyTorch's scatter sorts its targets on a CPU.
#
# **Parameters** of a layer, 16 bytes each, for itself, its gradient and two moments of Adam's: $2 (d^2 + 3 d)$ in GSR-GNN,
# $2 (2 d^2 + 3 d)$ in RevGNN, $2 D^2 + D$ in GraphSAGE and $2 D$ more with checkpoints. GSR-GNN's working arrays hold
# another $64\, d^2$ numbers, a weight's gradient in parts.
#
# Left out are the nets' sums, the encoder and a model's objects, which a narrow network of many modules shows. So the
# totals are near what is measured, not equal to it.
#
# ## Beside what was measured

# %% tags=["parameters"]
folder = "results"  # where the records lie

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import HTML, Markdown, display

from gsrgnn.book import explorer, figures, origin
from gsrgnn.circuits import table1

data = explorer.data(folder)
display(HTML(explorer.element(data)))  # what the sliders above read


def beside():
    """Measured steps and their formula, a line each, in MB."""
    lines = {}
    for point in data["points"]:
        if "bytes" in point:
            sizes = explorer.Sizes(
                *(point[name] for name in explorer.Sizes._fields)
            )
            label = next(w.label for w in explorer.WAYS if w.key == point["way"])
            k = f", k = {point['k']}" if point["way"] in ("sparse", "dense") else ""
            name = f"{label}{k}"
            where = f"{point['circuit'].split('-')[0]}, D = {point['width']}, L = {point['layers']}"
            formula = explorer.total(point["way"], sizes)
            lines[name, where, point["date"]] = {
                "measured": point["bytes"] / 1e6,
                "formula": formula / 1e6,
                "off": formula / point["bytes"] - 1,
            }
    frame = pd.DataFrame(lines).T
    frame.index.names = ["way", "circuit and network", "measured on"]
    return frame.sort_index()


points = beside() if any("bytes" in point for point in data["points"]) else None
if points is None:
    words = "There is no record of memory in the folder yet."
else:
    machines = sorted({p["machine"] for p in data["points"] if "bytes" in p})
    far = points.loc[points["off"].abs().idxmax()]
    way, where, _ = far.name
    words = (
        f"Of {len(points)} measured steps the formula is off by {points['off'].abs().median():.1%} in the median and by "
        f"{points['off'].abs().max():.0%} at most, which is {way} with {where}: {far['measured']:,.0f} MB, by the formula "
        f"{far['formula']:,.0f} MB. They were measured on: {'; '.join(machines)}."
    )
display(Markdown(words))

# %% tags=["remove-cell"]
origin.hand_over(explorer.sources(folder), "the formulas, for any size")

# %% tags=["hide-cell"]
if points is not None:
    display(
        figures.table(
            points.reset_index(),
            {"measured": "{:,.1f}", "formula": "{:,.1f}", "off": "{:+.1%}"},
            "MB that a step adds at its peak: measured, and by formula",
            index=False,
        )
    )

# %% [markdown]
# ## One case, worked out

# %% tags=["hide-input"]
graph = next(row for row in table1.rows() if row.code == "356-R")
case = explorer.Sizes(graph.nodes, graph.edges, width=384, layers=100, k=4)
budget = explorer.BUDGETS[0]
rows = {
    way.label: {
        "GB": f"{explorer.total(way.key, case) / 1e9:,.2f}",
        "layers": f"{explorer.greatest(way.key, case, budget * 10**9, 'layers'):,}",
    }
    for way in explorer.WAYS
}
figures.table(
    pd.DataFrame(rows).T,
    caption=f"{graph.code}, the paper's graph {graph.number}: GB that a step takes with {case.layers} layers, width "
    f"{case.width} and k = {case.k}, and the most layers in {budget} GB",
)

# %% [markdown]
# The paper's graphs have the cells and edges of its Table 1. A time that was not measured is that of the nearest measured
# step of the same way, times the ratio of what a model expects of the two (`gsrgnn.lab.estimate`): of what a step moves,
# multiplies and launches.
