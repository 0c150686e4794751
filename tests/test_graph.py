import os
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gsrgnn import CircuitGraph
from gsrgnn.graph import NORMS

PINS = st.integers(1, 8).flatmap(lambda cells: st.tuples(
    st.just(cells), st.lists(st.tuples(st.integers(0, cells - 1), st.sampled_from([0, 3, 4, 9])), max_size=25)))


def dense(adjacency):
    """The matrix that an Adjacency stands for, entry by entry."""
    indptr, indices, weight, out_scale, in_scale = (tensor.numpy() for tensor in adjacency)
    matrix = np.zeros((len(out_scale), len(in_scale)))
    for i in range(len(out_scale)):
        for e in range(indptr[i], indptr[i + 1]):
            matrix[i, indices[e]] += out_scale[i] * weight[e] * in_scale[indices[e]]
    return matrix


def dense_factors(incidence):
    """The matrix that an Incidence stands for."""
    return dense(incidence.to_cells) @ dense(incidence.to_nets) + dense(incidence.direct)


def normalised(matrix, norm):
    with np.errstate(divide="ignore"):
        inverse = np.where(matrix.sum(1) > 1.2e-38, 1 / matrix.sum(1), 0)
    if norm == "mean":
        return inverse[:, None] * matrix
    if norm == "sym":
        return np.sqrt(inverse)[:, None] * matrix * np.sqrt(inverse)
    return matrix


def cliques(num_cells, pins, self_loops):
    """One edge for each ordered pair of pins of one net that lie on two cells."""
    matrix = np.eye(num_cells) * self_loops
    for a, (cell, net) in enumerate(pins):
        for b, (other, other_net) in enumerate(pins):
            if a != b and net == other_net and cell != other:
                matrix[cell, other] += 1
    return matrix


@given(PINS, st.sampled_from(NORMS), st.booleans())
def test_pins_make_the_clique_graph(netlist, norm, self_loops):
    num_cells, pins = netlist
    cell, net = np.array(pins, dtype=int).reshape(-1, 2).T
    graph = CircuitGraph.from_pins(cell, net, num_cells, norm=norm, self_loops=self_loops)
    want = cliques(num_cells, pins, self_loops)
    assert (graph.num_nodes, graph.num_edges) == (num_cells, want.sum())
    assert graph.num_pairs == np.count_nonzero(want * (1 - np.eye(num_cells)))
    np.testing.assert_array_equal(graph.degree, want.sum(1))
    for node in range(num_cells):
        np.testing.assert_array_equal(graph.neighbors(node), [j for j in np.flatnonzero(want[node]) if j != node])
    want = normalised(want, norm)
    np.testing.assert_allclose(dense(graph.adjacency(torch.float64)), want, atol=1e-12)
    np.testing.assert_allclose(dense(graph.adjacency(torch.float64, transposed=True)), want.T, atol=1e-12)
    np.testing.assert_allclose(dense_factors(graph.incidence(torch.float64)), want, atol=1e-12)
    np.testing.assert_allclose(dense_factors(graph.incidence(torch.float64, transposed=True)), want.T, atol=1e-12)


@given(st.integers(1, 6).flatmap(lambda n: st.tuples(st.just(n), st.lists(
    st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), st.floats(0, 4)), max_size=12))),
    st.sampled_from(NORMS), st.booleans())
def test_edges_keep_direction_multiplicity_and_weight(edges, norm, self_loops):
    num_nodes, edges = edges
    source, target, weight = np.array(edges).reshape(-1, 3).T
    edge_index = torch.tensor(np.array([source, target]), dtype=torch.long)
    graph = CircuitGraph.from_edge_index(edge_index, num_nodes, torch.tensor(weight), norm, self_loops)
    want = np.eye(num_nodes) * self_loops
    np.add.at(want, (target.astype(int), source.astype(int)), weight)
    assert graph.num_edges == len(edges) + num_nodes * self_loops
    want = normalised(want, norm)
    np.testing.assert_allclose(dense(graph.adjacency(torch.float64)), want, rtol=1e-12)
    np.testing.assert_allclose(dense(graph.adjacency(torch.float64, transposed=True)), want.T, rtol=1e-12)
    assert graph.via == "edges"
    with pytest.raises(ValueError, match="made from an edge_index and knows no nets"):
        graph.through("nets")


def test_the_route_with_fewer_entries_is_the_default():
    clock = CircuitGraph.from_pins(range(20), [0] * 20, 20)
    chain = CircuitGraph.from_pins([0, 1, 1, 2, 2, 3], [0, 0, 1, 1, 2, 2], 4)
    assert (clock.via, clock.num_nets, chain.via, chain.num_nets) == ("nets", 1, "edges", 3)
    assert clock.through("edges").via == "edges"
    assert clock.through("edges").through("nets").via == clock.via
    with pytest.raises(ValueError, match="via 'pins' is unknown; it is edges or nets"):
        clock.through("pins")


def test_from_data_prefers_pins_and_takes_edges():
    from torch_geometric.data import Data

    pins = Data(cell=torch.tensor([0, 1, 2]), net=torch.tensor([0, 0, 1]), num_nodes=4)
    assert CircuitGraph.from_data(pins).num_edges == 2 + 4
    edges = Data(edge_index=torch.tensor([[0, 1], [1, 2]]), num_nodes=3)
    assert CircuitGraph.from_data(edges).num_edges == 2
    with pytest.raises(ValueError, match="neither pins .* nor an edge_index"):
        CircuitGraph.from_data(Data(num_nodes=3))


@given(PINS, st.sampled_from(NORMS), st.booleans(), st.integers(2, 6))
def test_large_nets_can_be_left_out_and_pairs_joined_once(netlist, norm, self_loops, max_net):
    num_cells, pins = netlist
    cell, net = np.array(pins, dtype=int).reshape(-1, 2).T
    small = [pin for pin in pins if (net == pin[1]).sum() <= max_net]
    want = cliques(num_cells, small, self_loops)
    graph = CircuitGraph.from_pins(cell, net, num_cells, norm, self_loops, max_net=max_net)
    assert graph.num_edges == want.sum()
    np.testing.assert_allclose(dense(graph.adjacency(torch.float64)), normalised(want, norm), atol=1e-12)
    np.testing.assert_allclose(dense_factors(graph.incidence(torch.float64)), normalised(want, norm), atol=1e-12)

    want = np.minimum(want, 1)
    graph = CircuitGraph.from_pins(cell, net, num_cells, norm, self_loops, max_net=max_net, multiplicity=False)
    assert (graph.num_edges, graph.num_nets, graph.via) == (want.sum(), 0, "edges")
    assert graph.num_pairs == np.count_nonzero(want * (1 - np.eye(num_cells)))
    np.testing.assert_array_equal(graph.degree, want.sum(1))
    want = normalised(want, norm)
    np.testing.assert_allclose(dense(graph.adjacency(torch.float64)), want, atol=1e-12)
    np.testing.assert_allclose(dense(graph.adjacency(torch.float64, transposed=True)), want.T, atol=1e-12)
    with pytest.raises(ValueError, match="without multiplicity, which no sum over nets equals: use via='edges'"):
        graph.through("nets")


def test_from_data_passes_the_options_on():
    from torch_geometric.data import Data

    pins = Data(cell=torch.tensor([0, 1, 2, 0, 1]), net=torch.tensor([0, 0, 0, 1, 1]), num_nodes=3)
    assert CircuitGraph.from_data(pins, self_loops=False).num_edges == 8
    assert CircuitGraph.from_data(pins, self_loops=False, multiplicity=False).num_edges == 6
    assert CircuitGraph.from_data(pins, self_loops=False, max_net=2).num_edges == 2
    edges = Data(edge_index=torch.tensor([[0, 1], [1, 2]]), num_nodes=3)
    for option in (dict(max_net=2), dict(multiplicity=False)):
        with pytest.raises(ValueError, match="choose among pins, and data has none"):
            CircuitGraph.from_data(edges, **option)


@pytest.mark.skipif(not os.environ.get("CIRCUITNET_ROOT"), reason="CIRCUITNET_ROOT is not set: needs its files")
def test_the_options_counts_on_the_papers_circuit():
    from gsrgnn import circuits

    netlist = circuits.read("circuitnet/7157-zero-riscy-a-1-c2-u0.8-m1-p1-f0")
    pins = netlist.cell, netlist.net, netlist.num_cells
    assert CircuitGraph.from_pins(*pins).num_edges == 6_768_184
    assert CircuitGraph.from_pins(*pins, self_loops=False).num_edges == 6_729_528
    assert CircuitGraph.from_pins(*pins, self_loops=False, multiplicity=False).num_edges == 5_965_822


def test_to_and_pickle_keep_the_graph():
    graph = CircuitGraph.from_pins([0, 1, 1], [0, 0, 1], 3)
    assert graph.to("cpu") is graph
    assert graph.to("meta").adjacency().weight.device.type == "meta"
    np.testing.assert_array_equal(dense(pickle.loads(pickle.dumps(graph)).adjacency()), dense(graph.adjacency()))


@pytest.mark.parametrize(("arguments", "message"), [
    (dict(cell=[0, 1], net=[0], num_cells=2), "cell has 2 entries and net has 1"),
    (dict(cell=[0, 2], net=[0, 0], num_cells=2), r"cell holds 2, outside 0 \.\. 1 for 2 nodes"),
    (dict(cell=[-1, 0], net=[0, 0], num_cells=2), "cell holds -1"),
    (dict(cell=[0, 1], net=[0, -3], num_cells=2), "net holds -3"),
    (dict(cell=[0.5], net=[0], num_cells=2), "cell has dtype float32: it takes integers"),
    (dict(cell=[[0]], net=[0], num_cells=2), r"cell has shape \(1, 1\)"),
    (dict(cell=[0], net=[0], num_cells=0), "num_cells is 0"),
    (dict(cell=[0], net=[0], num_cells=2, norm="max"), "norm 'max' is unknown; it is one of sum, mean, sym"),
    (dict(cell=[0], net=[0], num_cells=2, max_net=1), "max_net is 1: it takes a whole number of pins, at least 2"),
    (dict(cell=[0], net=[0], num_cells=2, max_net=2.5), "max_net is 2.5: it takes a whole number"),
])
def test_bad_pins(arguments, message):
    with pytest.raises(ValueError, match=message):
        CircuitGraph.from_pins(**arguments)


@pytest.mark.parametrize(("arguments", "message"), [
    (dict(edge_index=[[0], [0], [0]], num_nodes=2), r"edge_index has shape \(3, 1\)"),
    (dict(edge_index=[[0], [2]], num_nodes=2), r"edge_index\[1\] holds 2"),
    (dict(edge_index=[[0.0], [1.0]], num_nodes=2), "it takes integers"),
    (dict(edge_index=[[0], [1]], num_nodes=2, edge_weight=[1.0, 2.0]), r"edge_weight has shape \(2,\) .* 1 edges"),
    (dict(edge_index=[[0], [1]], num_nodes=2, edge_weight=[float("nan")]), "NaN or an infinity"),
    (dict(edge_index=[[0], [1]], num_nodes=2, edge_weight=[-1.0]), "use norm='sum'"),
])
def test_bad_edges(arguments, message):
    with pytest.raises(ValueError, match=message):
        CircuitGraph.from_edge_index(**arguments)
