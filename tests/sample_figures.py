"""Every figure of the book, drawn once from a few numbers."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gsrgnn.book import figures
from gsrgnn.book.walkthrough import BACKWARD, EXAMPLE
from gsrgnn.book.walkthrough.layer_steps import algorithm2, forward
from gsrgnn.lab.limits import Bound

SOURCE = "simulated: RUDY"
rng = np.random.default_rng(0)
POS, GRID = rng.uniform(0, [6, 4], size=(80, 2)), (6, 4)
TRUE, GUESS = rng.uniform(size=80), rng.uniform(size=80)
HISTORY = pd.DataFrame(
    {
        "model": ["a"] * 3 + ["b"] * 3,
        "epoch": [1, 2, 3] * 2,
        "loss": rng.uniform(size=6),
        "pearson": rng.uniform(size=6),
    }
)
MEASURES = {"loss": "loss (MSE)", "pearson": "Pearson"}

OVERFLOW = np.array([[0, 0.5], [0, 0], [0, 0], [2, 0]])
PREDICTED = np.array([[0.1, 0.4], [0, np.nan], [0, 0], [1.5, 0.2]])
WIRES = np.array([[1, 0], [2, 0]]), np.array([[0], [0], [1]])
AGREEMENT = pd.DataFrame({"overflow": [0.4, np.nan], "wires": [0.8, -0.1]}, index=["r2g/one", "r2g/two"])
RECORD = {
    "complete": True,
    "parameters": {"circuit": "synthetic/64", "hidden": 16, "layers": 2, "memory_layers": [2, 4]},
    "graph": {"nodes": 64, "edges": 486},
    "provenance": {"CPU": "Z80"},
    "threads": {"torch": 2},
    "rows": [
        {
            "name": "RevGNN csr",
            "ours": False,
            "state": "measured",
            "seconds": {"step": 0.5},
            "memory": {"2": {"before": 10**6, "peak": 3 * 10**6}, "4": {"before": 10**6, "peak": 11 * 10**6}},
        },
        {
            "name": "GSR k=4 nets",
            "ours": True,
            "state": "measured",
            "seconds": {"step": 0.02},
            "memory": {"2": {"before": 10**6, "peak": 2 * 10**6}, "4": {"note": "out of memory"}},
        },
        {"name": "RevGNN edge_index", "ours": False, "state": "left out", "memory": {}},
    ],
}

SCORES = pd.DataFrame(
    [
        {"model": model, "num_layers": depth, "pearson": 0.5, "low": 0.4, "high": 0.6}
        for model, depth in (("GSR-GNN", 2), ("GSR-GNN", 40), ("GSR-GNN", 40), ("GCN", 2))
    ]
)
BY_SPLIT = pd.DataFrame(
    [
        {"line": line, "split": split, "circuit": circuit, "pearson": value}
        for line, split, values in (
            ("GCN, 4 layers", "by cell", (0.8, 0.9)),
            ("GCN, 4 layers", "family unseen", (0.2, 0.6)),
            ("no model", "by cell", (0.7, 0.9)),
        )
        for circuit, value in zip(("a/one", "b/two"), values, strict=True)
    ]
)
DIFFERENCES = pd.DataFrame(
    [
        {"num_layers": depth, "k": k, "seed": seed, "difference": 0.01, "low": -0.01, "high": 0.03}
        for depth in (10, 30)
        for k in (4, 8)
        for seed in (0, 1)
    ]
)
RATIOS = pd.DataFrame(
    [
        {"hidden_channels": width, "route": route, "k": k, "ratio": 40 / k, "low": 30 / k, "high": 50 / k}
        for width in (64, 384)
        for route in ("edges", "nets")
        for k in (4, 16)
    ]
)
TIMES = pd.DataFrame(
    [
        {"contender": "RevGNN edge_index", "value": 8.0, "low": 7.0, "high": 9.0, "ours": False},
        {"contender": "RevGNN csr", "value": np.nan, "low": np.nan, "high": np.nan, "ours": False},
        {"contender": "GSR k=4 nets", "value": 0.5, "low": 0.4, "high": 0.6, "ours": True},
    ]
)
BY_DEPTH = pd.DataFrame(
    [
        {"contender": "RevGNN csr", "num_layers": 10, "value": 3.0, "outcome": "measured"},
        {"contender": "RevGNN csr", "num_layers": 40, "value": np.nan, "outcome": "out of memory"},
        {"contender": "GSR k=4 nets", "num_layers": 10, "value": 1.0, "outcome": "measured"},
    ]
)
PARTS = ["forward", "backward", "rest"]
SHARES = pd.DataFrame([[0.25, 0.5, 0.25], [0.2, 0.7, 0.1]], ["RevGNN", "GSR"], PARTS)
SHARE_BOUNDS = pd.DataFrame({"low": [0.2, 0.1], "high": [0.3, 0.3]}, SHARES.index)
PAPER_SHARES = pd.DataFrame([[0.3, 0.6, 0.1]], ["GSR"], PARTS)
COUNTS = pd.DataFrame(
    [
        (graph, source, 10_000, edges)
        for source in ("Table 1", "synthetic")
        for graph, edges in (("1-R", 10**6), ("2-F", 10**6), ("3-R", 10**7))
    ],
    columns=["graph", "source", "nodes", "edges"],
)
GROWTH = pd.DataFrame({"sparse": [1.0, 2.0, 4.0], "dense": [3.0, np.nan, 3.0]}, [1, 10, 100])
BOUNDS = [Bound(1e-3, 2e-3, 0, 1e-4), Bound(1e-3, 3e-3, 0, 2e-4)]
STEPS = pd.DataFrame({"once": [20.0, 0.3], "each": [48.0, 0.8], "paper": [28.0, np.nan]}, ["RevGNN", "k = 4"])
LEAST = pd.DataFrame({"A6000": [0.3, 0.5], "H100": [0.1, 0.2]}, [4, 64])
ROW = [12, 3, 40, 7, 25, 25, 1, 33, 9, 25, 18, 2]
A, G = EXAMPLE["adjacency"].array, BACKWARD["G"].array

DRAW: dict[str, Callable] = {
    "bench.memory": lambda: figures.bench.memory(RECORD),
    "bench.steps": lambda: figures.bench.steps(RECORD, {"GSR k=4 nets": 0.01}),
    "contenders.by_depth": lambda: figures.contenders.by_depth(BY_DEPTH, "MB", SOURCE),
    "contenders.side_by_side": lambda: figures.contenders.side_by_side(
        TIMES, "seconds", {"RevGNN edge_index": 28.0}, SOURCE
    ),
    "contenders.speedups": lambda: figures.contenders.speedups(
        RATIOS, {"table": {4: 18, 64: 9}, "at least": {4: 35}}, "RevGNN"
    ),
    "contenders.step_shares": lambda: figures.contenders.step_shares(SHARES, SHARE_BOUNDS, PAPER_SHARES),
    "die.cell_map": lambda: figures.die.cell_map(POS, GRID, TRUE, SOURCE),
    "die.comparison": lambda: figures.die.comparison(POS, GRID, TRUE[:, None], GUESS, SOURCE),
    "die.agreement": lambda: figures.die.agreement(AGREEMENT, SOURCE),
    "die.congestion_map": lambda: figures.die.congestion_map(OVERFLOW, [[2, 0, 3, 1]], SOURCE),
    "die.prediction": lambda: figures.die.prediction(PREDICTED, SOURCE, OVERFLOW),
    "die.routes": lambda: figures.die.routes((3, 2), [(0, 0), (2, 1)], [0, 1], WIRES, 1, "wires"),
    "die.trees": lambda: figures.die.trees((3, 2), [(0, 0), (2, 1)], [0, 0], [[0, 0, 2, 1]], "tree"),
    "gpu.bound_lines": lambda: figures.gpu.bound_lines(BOUNDS, [4, 8], {"dense": 2e-3}),
    "gpu.chunks": lambda: figures.gpu.chunks([10, 0, 300, 5], 100),
    "gpu.group_sums": lambda: figures.gpu.group_sums(8, 2, [[1, 4], [4, 7]]),
    "gpu.step_lines": lambda: figures.gpu.step_lines(LEAST, {4: 1.5, 64: 3.1}),
    "gpu.step_ranges": lambda: figures.gpu.step_ranges(STEPS),
    "gpu.top_k_steps": lambda: figures.gpu.top_k_steps(ROW, 4),
    "graphs.clique": lambda: figures.graphs.clique(np.ones((3, 3), int), ["a", "b", "c"]),
    "graphs.degree_distribution": lambda: figures.graphs.degree_distribution({"one": [0, 1, 1, 2, 9], "two": [3, 3]}),
    "graphs.net_size_distribution": lambda: figures.graphs.net_size_distribution({"one": [2, 2, 3, 9]}),
    "graphs.net_size_shares": lambda: figures.graphs.net_size_shares([2, 2, 3, 9], [2, 2, 6, 72]),
    "graphs.netlist": lambda: figures.graphs.netlist([0, 1, 1], [0, 0, 0], ["a", "b"], ["n"]),
    "graphs.piece": lambda: figures.graphs.piece([[0, 0, 1], [1, 2, 2]], "triangle"),
    "graphs.sizes": lambda: figures.graphs.sizes(COUNTS),
    "growth.by_depth": lambda: figures.growth.by_depth(GROWTH, "MB"),
    "growth.by_size": lambda: figures.growth.by_size(GROWTH, "nodes", "MB"),
    "growth.over_a_step": lambda: figures.growth.over_a_step(pd.DataFrame({"kept": [1, 2, 1], "not": [1, 1, 1]}), "GB"),
    "layers.backward_flow": lambda: figures.layers.backward_flow(algorithm2(A, G, 1, "own", "left")),
    "layers.forward_flow": lambda: figures.layers.forward_flow(forward(A, G, 1)),
    "layers.one_layer": figures.layers.one_layer,
    "layers.sparsity_pattern": lambda: figures.layers.sparsity_pattern(np.eye(4, dtype=bool), "I"),
    "scores.by_depth": lambda: figures.scores.by_depth(SCORES, 70, SOURCE),
    "scores.by_model": lambda: figures.scores.by_model(SCORES, {("GCN", 2): ("paper", 0.43)}, SOURCE),
    "scores.by_split": lambda: figures.scores.by_split(BY_SPLIT, SOURCE, "features"),
    "scores.differences": lambda: figures.scores.differences(DIFFERENCES, "Pearson", 0.0026, SOURCE),
    "training.curves": lambda: figures.training.curves(HISTORY, MEASURES, SOURCE),
    "training.prediction_scatter": lambda: figures.training.prediction_scatter(
        TRUE[:, None], {"a": GUESS, "b": TRUE}, SOURCE
    ),
}


@cache
def drawn(name: str) -> tuple[Figure, ...]:
    """The figures that the function of this name in `DRAW` gives: one, or several."""
    made = DRAW[name]()
    return (made,) if isinstance(made, Figure) else made


def axes_of(name: str):
    """The axes of the first of them."""
    return drawn(name)[0].axes[0]
