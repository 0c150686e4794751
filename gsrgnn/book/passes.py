"""What one training step holds in memory, layer by layer forward and back: the picture of the front page."""

import json

import pandas as pd

from gsrgnn.book import explorer
from gsrgnn.circuits import table1

NETWORKS: dict[str, str] = {
    "graphsage": "GraphSAGE, left to autograd",
    "messages": "RevGNN, as in the paper",
    "revgnn": "RevGNN without messages",
    "sparse": "GSR-GNN",
}
"""Ways of `explorer.WAYS` by their keys, and what the picture calls them."""

SIZES: explorer.Sizes = next(
    explorer.Sizes(row.nodes, row.edges, width=384, layers=100, k=16) for row in table1.rows() if row.number == 10
)
"""The paper's graph 10, and a network of its depth and width."""


def held(sizes: explorer.Sizes = SIZES) -> pd.DataFrame:
    """The bytes that a training step holds while it works on a layer, by the formulas of `explorer.memory`.

    A line for 0 to L layers run forward, then for L - 1 to 0 that are still to go back; a column a network. What a
    layer keeps for the backward pass is there from the one to the other, all else the whole time.
    """
    forward = range(sizes.layers + 1)
    columns = {}
    for way, name in NETWORKS.items():
        whole = explorer.total(way, sizes) - explorer.memory(way, sizes)["kept"]
        kept = [explorer.memory(way, sizes._replace(layers=layers))["kept"] for layers in forward]
        columns[name] = [whole + now for now in (*kept, *kept[-2::-1])]
    return pd.DataFrame(columns)


def element(frame: pd.DataFrame) -> str:
    """The frame of `held` as an element that a page holds and ``passes.js`` reads; no browser runs it."""
    places = [way.key for way in explorer.WAYS]
    data = [
        {"name": name, "colour": places.index(way), "bytes": frame[name].tolist()} for way, name in NETWORKS.items()
    ]
    return f'<script type="application/json" id="passes-data">{json.dumps(data, separators=(",", ":"))}</script>'


def caption(frame: pd.DataFrame, sizes: explorer.Sizes = SIZES) -> str:
    """What the frame of `held` says, in words."""
    most = {way: _gigabytes(frame[name].max()) for way, name in NETWORKS.items()}
    messages = explorer.memory("messages", sizes)["messages"] / explorer.total("messages", sizes)
    less = "more" if frame[NETWORKS["sparse"]].max() > frame[NETWORKS["revgnn"]].max() else "less"
    return (
        f"A training step on a circuit of {sizes.cells:,} cells, by formula: {sizes.layers} layers, {sizes.width} "
        f"numbers a cell, k = {sizes.k}. GraphSAGE keeps every layer for the way back and comes to "
        f"{most['graphsage']}. RevGNN computes each again and holds {most['messages']}, of which {messages:.0%} are "
        f"messages, one for each neighbour of each cell; without them it holds {most['revgnn']}. GSR-GNN writes none "
        f"either and keeps k numbers a cell of each layer: {most['sparse']}, {less} than that."
    )


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.{2 if count < 1e9 else 1}f} GB"
