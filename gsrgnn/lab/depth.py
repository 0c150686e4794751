"""What a layer more costs a `ReversibleStack` in memory: predicted from its shape, and measured in a process."""

from functools import partial

import torch

from gsrgnn import circuits
from gsrgnn.cbsr import index_dtype
from gsrgnn.graph import CircuitGraph
from gsrgnn.lab import measure
from gsrgnn.reversible import ReversibleStack


def kept_bytes(num_nodes: int, width: int, num_layers: int, k: int, residual: str) -> int:
    """Bytes that a float32 stack keeps for its backward pass beside parameters and output.

    The last stream and its scale, and with the sparse residual k values and k column indices a row and layer: O(ND),
    and O(LNk).
    """
    entries = num_layers * num_nodes * k if residual == "sparse" else 0
    scale = num_nodes + 2 * width
    return 4 * (num_nodes * width + scale) + entries * (4 + index_dtype(width // 2).itemsize)


def step_peak(circuit: str, width: int, num_layers: int, k: int, residual: str) -> measure.Peak:
    """`measure.Peak` of one forward and backward pass through a float32 stack, in a process of its own.

    The circuit, its graph and the compiled kernels are there before; the stack with its gradients, its working arrays
    and what it keeps are the growth.

    Raises as `measure.peak_memory` does.
    """
    return measure.peak_memory(_prepare, _step, circuit, width, num_layers, k, residual)


def _prepare(circuit, width, num_layers, k, residual):
    graph = CircuitGraph.from_data(circuits.load(circuit))
    x = torch.randn(graph.num_nodes, width, generator=torch.Generator().manual_seed(0))
    _step((x, graph, partial(ReversibleStack, width, 1, k, residual)))
    return x, graph, partial(ReversibleStack, width, num_layers, k, residual)


def _step(state):
    x, graph, make = state
    make()(x, graph).sum().backward()
