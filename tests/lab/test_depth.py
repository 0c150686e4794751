"""What a layer more costs: the formula against what a forward pass keeps and what a process grows by."""

import pytest
import torch

from gsrgnn import CircuitGraph, circuits
from gsrgnn.lab import depth, measure
from gsrgnn.reversible import ReversibleStack

CIRCUIT, WIDTH, K = "synthetic/500", 32, 8


@pytest.mark.parametrize(("width", "residual"), [(32, "sparse"), (32, "dense"), (600, "sparse")])
@pytest.mark.parametrize("num_layers", [1, 7])
def test_a_stack_keeps_what_the_formula_says(width, residual, num_layers):
    graph = CircuitGraph.from_data(circuits.load("synthetic/64"))
    stack, x = ReversibleStack(width, num_layers, K, residual), torch.randn(graph.num_nodes, width)
    stack(x, graph)
    measured = measure.kept_bytes(lambda: stack(x, graph), [x, *stack.parameters()])
    assert measured == depth.kept_bytes(graph.num_nodes, width, num_layers, K, residual)


@pytest.mark.slow
@pytest.mark.parametrize("residual", ["sparse", "dense"])
def test_a_process_grows_with_depth_by_parameters_gradients_and_what_is_kept(residual):
    def predicted(num_layers):
        parameters = sum(p.nbytes for p in ReversibleStack(WIDTH, num_layers, K, residual).parameters())
        return 2 * parameters + depth.kept_bytes(500, WIDTH, num_layers, K, residual)

    few, many = 10, 800
    grown = (
        depth.step_peak(CIRCUIT, WIDTH, many, K, residual).growth
        - depth.step_peak(CIRCUIT, WIDTH, few, K, residual).growth
    )
    assert grown == pytest.approx(predicted(many) - predicted(few), rel=0.1, abs=1e6)
