"""How far the recomputed gradient is off, by depth, on a small circuit."""

from collections.abc import Iterable, Iterator

import torch
from torch_geometric import seed_everything

from gsrgnn import circuits
from gsrgnn.graph import CircuitGraph
from gsrgnn.lab.exactness import gradient_error
from gsrgnn.reversible import RESIDUALS, ReversibleStack


def gradients(depths: Iterable[int], circuit: str = "synthetic/200", width: int = 32, k: int = 4) -> Iterator[dict]:
    """`gradient_error` of a stack of each depth and residual, with what it was measured on."""
    data = circuits.load(circuit, label="rudy")
    graph = CircuitGraph.from_data(data)
    for num_layers in depths:
        for residual in RESIDUALS:
            seed_everything(0)
            stack = ReversibleStack(width, num_layers, k, residual)
            error = gradient_error(stack, torch.randn(graph.num_nodes, width), graph)
            yield {"num_layers": num_layers, "residual": residual, "circuit": circuit, "width": width, "k": k, **error}
