"""gsrgnn.book.explorer: its formulas beside what is counted in memory, and the data of a page."""

import json
from itertools import product
from statistics import median

import pytest

from gsrgnn import CircuitGraph, circuits
from gsrgnn.book import explorer
from gsrgnn.book.explorer import BUDGETS, WAYS, Sizes
from gsrgnn.lab.bench.contenders import rows
from gsrgnn.lab.bench.trainer import Trainer, graphs_of
from gsrgnn.lab.depth import kept_bytes
from gsrgnn.lab.exactness import plain
from gsrgnn.lab.measure import kept_bytes as counted
from gsrgnn.reversible import ReversibleStack

ROWS = {
    "checkpoints": "CheckpointSAGE sqrt(L) csr",
    "messages": "RevGNN edge_index",
    "revgnn": "RevGNN csr",
    "sparse": "GSR k=4 nets",
    "dense": "GSR dense k=4 nets",
    "graphsage": "GraphSAGE edge_index",
}


@pytest.fixture(scope="module")
def circuit():
    data = circuits.load("synthetic/200")
    inputs = {"x": data.x, "y": data.y, "cell": data.cell, "net": data.net}
    return inputs, graphs_of(inputs)


@pytest.mark.parametrize(("key", "layers"), [*product(ROWS, (1, 5))])
def test_what_is_kept_and_the_parameters_are_counted_to_the_byte(circuit, key, layers):
    inputs, graphs = circuit
    row = next(row for row in rows(32, [4]) if row.name == ROWS[key])
    trainer = Trainer(row, inputs, graphs, 32, layers)
    trainer.step()
    sizes = Sizes(len(inputs["x"]), graphs["mean"].num_edges, 32, layers, 4)
    expected = explorer.memory(key, sizes)
    assert trainer.kept() == expected["kept"]
    ends = sum(p.numel() for name in ("encoder", "norm", "head") for p in getattr(trainer.model, name).parameters())
    assert 16 * (sum(p.numel() for p in trainer.model.parameters()) - ends) == expected["parameters"]


def test_what_autograd_would_keep_of_our_layers_is_counted_to_the_byte(circuit):
    inputs, _ = circuit
    graph = CircuitGraph.from_data(circuits.load("synthetic/200"))
    x = inputs["x"].new_ones(len(inputs["x"]), 32).normal_().requires_grad_()
    stack = ReversibleStack(32, 3, 4, "dense")
    kept = counted(lambda: plain(stack, x, graph), [x, *stack.parameters()])
    ends = 8 * x.numel() + 8 * len(x)
    assert explorer.memory("autograd", Sizes(len(x), graph.num_edges, 32, 3, 4))["kept"] == kept + ends


@pytest.mark.parametrize("residual", ["sparse", "dense"])
def test_a_stack_keeps_what_the_lab_says(residual):
    sizes = Sizes(1000, 50_000, 640, 7, 5)
    ends = 8 * sizes.cells * sizes.width + 8 * sizes.cells
    assert explorer.memory(residual, sizes)["kept"] == ends + kept_bytes(1000, 640, 7, 5, residual)


def test_the_formula_is_near_every_measured_step():
    points = [point for point in explorer.data()["points"] if "bytes" in point and point["device"] == "cpu"]
    assert len(points) > 20
    assert {point["way"] for point in points} >= {"checkpoints", "messages", "revgnn", "sparse", "dense"}
    totals = [explorer.total(point["way"], Sizes(*(point[name] for name in Sizes._fields))) for point in points]
    off = [abs(total / point["bytes"] - 1) for total, point in zip(totals, points, strict=True)]
    assert max(off) < 0.15
    assert median(off) < 0.02


def test_the_data_hold_the_papers_graphs_and_are_safe_in_a_page():
    data = explorer.data()
    assert len(data["presets"]) == 10
    assert data["presets"][6] == {"name": "356-R", "cells": 49_000, "edges": 11_700_000}
    assert {point["way"] for point in data["points"]} <= {way.key for way in WAYS}
    assert all(("bytes" in point) != ("seconds" in point) for point in data["points"])
    element = explorer.element({"name": "</script><b>"})
    assert element.count("<") == 2
    assert json.loads(element[element.index(">") + 1 : element.rindex("<")]) == {"name": "</script><b>"}


def test_nothing_fits_into_nothing():
    sizes = Sizes(1000, 50_000, 64, 10, 4)
    assert [explorer.greatest(way.key, sizes, 0, what) for way in WAYS for what in ("layers", "width")] == [0] * 14
    assert BUDGETS == (8, 24, 48, 80)
