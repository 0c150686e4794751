import copy
import os
import pickle
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.utils import to_edge_index

from gsrgnn import CircuitGraph, aggregate
from gsrgnn.circuits.data import Circuit
from gsrgnn.graph import NORMS

PINS = st.integers(1, 8).flatmap(
    lambda cells: st.tuples(
        st.just(cells), st.lists(st.tuples(st.integers(0, cells - 1), st.sampled_from([0, 3, 4, 9])), max_size=25)
    )
)


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


@given(
    st.integers(1, 6).flatmap(
        lambda n: st.tuples(
            st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), st.floats(0, 4)), max_size=12)
        )
    ),
    st.sampled_from(NORMS),
    st.booleans(),
)
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


@pytest.fixture
def clock(monkeypatch):
    """One net of 80,000 pins, of which the clique matrix is 51 GB, and 8 GB to be had."""
    monkeypatch.setattr("gsrgnn.memory.free_memory", lambda device: 8e9)
    return CircuitGraph.from_pins(range(80_000), [7] * 80_000, 80_000)


REFUSED = (
    r"clique matrix, of up to 6,400,000,000 entries, takes 102.4 GB and 8.0 GB are free: leave out large nets "
    r"with max_net \(the largest has 80,000 pins\), or stay with via='nets'"
)


@pytest.mark.parametrize(
    "ask",
    [
        lambda graph: graph.num_pairs,
        lambda graph: graph.through("edges").adjacency(),
        lambda graph: aggregate(graph, torch.ones(80_000, 1), via="edges"),
        lambda graph: CircuitGraph.from_pins(range(80_000), [0] * 80_000, 80_000, multiplicity=False),
    ],
)
def test_a_clique_matrix_that_does_not_fit_is_refused(clock, ask):
    with pytest.raises(MemoryError, match=REFUSED):
        ask(clock)


def test_a_clique_matrix_that_fits_on_no_machine_is_refused():
    graph = CircuitGraph.from_pins(range(10**6), [0] * 10**6, 10**6)
    with pytest.raises(MemoryError, match="16,000.0 GB"):
        graph.through("edges").adjacency()


def test_a_large_net_needs_no_clique_matrix(clock):
    assert (clock.via, clock.num_edges) == ("nets", 80_000**2)
    np.testing.assert_array_equal(clock.neighbors(5), np.delete(np.arange(80_000), 5))
    assert len(clock.operator().to_nets.indices) == 80_000
    assert CircuitGraph.from_pins(range(80_000), [7] * 80_000, 80_000, max_net=100).num_pairs == 0


@given(PINS, st.booleans())
def test_the_room_asked_for_holds_the_matrix(netlist, self_loops):
    num_cells, pins = netlist
    cell, net = np.array(pins, dtype=int).reshape(-1, 2).T
    graph = CircuitGraph.from_pins(cell, net, num_cells, self_loops=self_loops)
    with mock.patch("gsrgnn.graph.check_memory") as check:
        entries = graph._matrix.nnz
    (room,) = (call.args[0] for call in check.call_args_list)
    assert 16 * entries <= room <= 16 * num_cells**2


def test_self_loops_stay_beside_many_pins_of_a_cell_on_one_net():
    graph = CircuitGraph.from_pins([0] * 5000 + [1], [0] * 5001, 2, norm="sum")
    np.testing.assert_array_equal(dense(graph.adjacency(torch.float64)), [[1, 5000], [5000, 1]])


def test_to_and_pickle_keep_the_graph():
    graph = CircuitGraph.from_pins([0, 1, 1], [0, 0, 1], 3)
    assert graph.to("cpu") is graph
    assert graph.to("meta").adjacency().weight.device.type == "meta"
    np.testing.assert_array_equal(dense(pickle.loads(pickle.dumps(graph)).adjacency()), dense(graph.adjacency()))


READ_ONLY = np.array([0, 1, 2])
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    "cell",
    [
        pd.DataFrame({"cell": [0, 9, 1, 2], "net": [0, 1, 0, 0]}).query("net == 0").cell,
        pd.Series([0, 1, 2], dtype="Int64"),
        (0, 1, 2),
        READ_ONLY,
        np.array([2, 1, 0])[::-1],
        np.array([0, 1, 2], ">i4"),
        np.array([0, 1, 2], np.uint64),
        np.array([0, 1, 2], object),
        [torch.tensor(0), np.int8(1), 2],
        torch.tensor([0, 1, 2], dtype=torch.uint16),
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("error")
def test_pins_and_edges_come_in_any_form(cell):
    graph = CircuitGraph.from_pins(cell, cell, np.int64(3))
    assert graph.num_edges == 3
    ring = CircuitGraph.from_edge_index((cell, [1, 2, 0]), torch.tensor(3), norm="sum")
    np.testing.assert_array_equal(dense(ring.adjacency()), [[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    weighted = CircuitGraph.from_edge_index(EdgeIndex([[0, 1, 2], [0, 0, 0]]), 3.0, cell, norm="sum")
    np.testing.assert_array_equal(weighted.degree, [3, 0, 0])


def test_nets_have_any_numbers():
    assert CircuitGraph.from_pins([0, 1, 2], [2**62, 2**62, 5], 3).neighbors(0).tolist() == [1]


def test_a_cell_without_a_pin_has_no_neighbors():
    graph = CircuitGraph.from_pins([0, 1, 3], [0, 0, 1], 5)
    assert [graph.neighbors(node).tolist() for node in range(5)] == [[1], [0], [], [], []]


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (-1, r"node holds -1, outside 0 \.\. 2"),
        (3, "node holds 3"),
        (2**70, "node holds"),
        (1.5, "node is 1.5"),
        ("1", "node is '1': it takes one node's number"),
        (None, "node is None"),
        ([0, 1], r"node is \[0, 1\]"),
        (True, "node is True"),
    ],
)
def test_neighbors_of_no_node(node, message):
    for graph in (CircuitGraph.from_pins([0, 1], [0, 0], 3), CircuitGraph.from_edge_index([[0], [1]], 3)):
        assert graph.neighbors(torch.tensor(1)).tolist() == graph.neighbors(np.uint8(1)).tolist() == [0]
        with pytest.raises(ValueError, match=message):
            graph.neighbors(node)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(cell=[0, 1], net=[0], num_cells=2), "cell has 2 entries and net has 1"),
        (dict(cell=[0, 2], net=[0, 0], num_cells=2), r"cell holds 2, outside 0 \.\. 1 for 2 nodes"),
        (dict(cell=[-1, 0], net=[0, 0], num_cells=2), "cell holds -1"),
        (dict(cell=[0, 1], net=[0, -3], num_cells=2), "net holds -3"),
        (dict(cell=[0.5], net=[0], num_cells=2), "cell has dtype float64: it takes integers"),
        (dict(cell=[True], net=[0], num_cells=2), "cell has dtype bool: it takes integers"),
        (dict(cell=torch.ones(1).bfloat16(), net=[0], num_cells=2), "cell has dtype float64: it takes integers"),
        (
            dict(cell=pd.Series([0, None], dtype="Int64"), net=[0, 0], num_cells=2),
            "cell has dtype .*: it takes integers",
        ),
        (dict(cell=np.ma.array([0, 1], mask=[0, 1]), net=[0, 0], num_cells=2), "cell has masked entries"),
        (dict(cell=torch.eye(2).to_sparse(), net=[0], num_cells=2), r"cell \(torch.sparse_coo on cpu\) cannot be read"),
        (
            dict(cell=torch.ones(1, device="meta"), net=[0], num_cells=2),
            r"cell \(torch.strided on meta\) cannot be read",
        ),
        (dict(cell=[[0], [0, 1]], net=[0, 0], num_cells=2), r"cell \(list\) cannot be read .*: it takes a 1-D array"),
        (dict(cell=None, net=[0], num_cells=2), "cell is None: it takes a 1-D array"),
        (dict(cell={0: 1}, net=[0], num_cells=2), "cell is {0: 1}"),
        (
            dict(cell=[0, 1], net=["clk", "clk"], num_cells=2),
            "net has dtype <U3: it takes integers, which numpy.unique",
        ),
        (dict(cell=[0], net=np.array([2**63], np.uint64), num_cells=2), "net holds 9223372036854775808: .* below 2"),
        (dict(cell=[0], net=[2**70], num_cells=2), "net has dtype object"),
        (dict(cell=[[0]], net=[0], num_cells=2), r"cell has shape \(1, 1\)"),
        (dict(cell=[0], net=[0], num_cells=0), "num_cells is 0"),
        (dict(cell=[0], net=[0], num_cells=None), "num_cells is None: a graph has a whole number of nodes, at least 1"),
        (dict(cell=[0], net=[0], num_cells=float("nan")), "num_cells is nan"),
        (dict(cell=[0], net=[0], num_cells=float("inf")), "num_cells is inf"),
        (dict(cell=[0], net=[0], num_cells="2"), "num_cells is '2'"),
        (dict(cell=[0], net=[0], num_cells=[2, 2]), r"num_cells is \[2, 2\]"),
        (dict(cell=[0], net=[0], num_cells=2**40), "num_cells is 1099511627776: .* and at most 2147483647"),
        (dict(cell=[0], net=[0], num_cells=2, norm="max"), "norm 'max' is unknown; it is one of sum, mean, sym"),
        (dict(cell=[0], net=[0], num_cells=2, max_net=1), "max_net is 1: it takes a whole number of pins, at least 2"),
        (dict(cell=[0], net=[0], num_cells=2, max_net=2.5), "max_net is 2.5: it takes a whole number"),
        (dict(cell=[0], net=[0], num_cells=2, max_net="3"), "max_net is '3': it takes a whole number"),
        (dict(cell=[0], net=[0], num_cells=2, max_net=float("inf")), "max_net is inf: .* or None"),
        (dict(cell=[0], net=[0], num_cells=2, self_loops="False"), "self_loops is 'False': it takes True or False"),
        (dict(cell=[0], net=[0], num_cells=2, self_loops=2), "self_loops is 2"),
        (dict(cell=[0], net=[0], num_cells=2, multiplicity="once"), "multiplicity is 'once': it takes True or False"),
    ],
)
def test_bad_pins(arguments, message):
    with pytest.raises(ValueError, match=message) as raised:
        CircuitGraph.from_pins(**arguments)
    assert "\n" not in str(raised.value)


def test_more_nodes_than_fit(monkeypatch):
    monkeypatch.setattr("gsrgnn.memory.free_memory", lambda device: 1e9)
    with pytest.raises(MemoryError, match="2,000,000,000 nodes takes 96.0 GB and 1.0 GB are free: lower num_cells"):
        CircuitGraph.from_pins([0], [0], 2 * 10**9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(edge_index=[[0], [0], [0]], num_nodes=2), r"edge_index has shape \(3, 1\)"),
        (dict(edge_index=[[0], [2]], num_nodes=2), r"edge_index\[1\] holds 2"),
        (dict(edge_index=[[0.0], [1.0]], num_nodes=2), "it takes integers"),
        (dict(edge_index=[[0], [1]], num_nodes=2, edge_weight=[1.0, 2.0]), r"edge_weight has shape \(2,\) .* 1 edges"),
        (dict(edge_index=[[0], [1]], num_nodes=2, edge_weight=[float("nan")]), "NaN or an infinity"),
        (dict(edge_index=[[0], [1]], num_nodes=2, edge_weight=[-1.0]), "use norm='sum'"),
        (
            dict(edge_index=torch.eye(2).to_sparse(), num_nodes=2),
            r"edge_index \(torch.sparse_coo on cpu\) .*to_edge_index",
        ),
        (dict(edge_index=None, num_nodes=2), r"edge_index has shape \(\): it takes \[2, num_edges\]"),
        (dict(edge_index=[[0, 1], [1]], num_nodes=2), "edge_index has 2 sources and 1 targets"),
        (dict(edge_index=[[0], [1]], num_nodes=None), "num_nodes is None: a graph has a whole number of nodes"),
        (
            dict(edge_index=[[0], [1]], num_nodes=2, edge_weight=torch.ones(1, requires_grad=True)),
            r"give .*\.detach\(\)",
        ),
        (dict(edge_index=[[0], [1]], num_nodes=2, edge_weight=torch.ones(1, 1)), r"edge_weight has shape \(1, 1\)"),
        (dict(edge_index=[[0], [1]], num_nodes=2, edge_weight=[1j]), "edge_weight has dtype complex128: it takes real"),
        (dict(edge_index=[[0], [1]], num_nodes=2, edge_weight=[None]), "edge_weight has dtype object"),
        (
            dict(edge_index=[[0, 0], [1, 1]], num_nodes=2, edge_weight=[6e37, 6e37]),
            r"adds up to 8.5e\+37 .* scale it down",
        ),
        (dict(edge_index=[[0], [1]], num_nodes=2, self_loops="no"), "self_loops is 'no': it takes True or False"),
    ],
)
def test_bad_edges(arguments, message):
    with pytest.raises(ValueError, match=message):
        CircuitGraph.from_edge_index(**arguments)


X, EDGES, PINS_OF_TWO = torch.ones(3, 1), torch.tensor([[0, 1], [1, 2]]), dict(cell=[0, 1], net=[0, 0])


def test_data_with_pins_and_edges_is_its_pins():
    both = Data(x=X, edge_index=EDGES, edge_attr=torch.ones(2), **PINS_OF_TWO)
    assert CircuitGraph.from_data(both).neighbors(0).tolist() == [1]
    assert CircuitGraph.from_data(both).neighbors(1).tolist() == [0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HeteroData(), "data is a HeteroData: it takes a PyG Data with one kind of node"),
        (PINS_OF_TWO, "data is a dict"),
        ((EDGES, 3), "data is a tuple"),
        (Data(edge_index=EDGES), "data does not say how many nodes it has: set data.num_nodes"),
        (Data(**PINS_OF_TWO), "data does not say how many nodes it has"),
        (Data(x=X, adj_t=torch.eye(3).to_sparse()), r"data has adj_t .*to_edge_index\(data.adj_t.t\(\)\)"),
        (Data(x=X, edge_index=EDGES, edge_attr=torch.ones(2)), r"edge_attr \[2\] and no edge_weight: if these are"),
        (Data(x=X, edge_index=EDGES, edge_attr=torch.ones(2, 1)), r"edge_attr \[2, 1\] and no edge_weight"),
        (
            Batch.from_data_list([Data(num_nodes=2, cell=torch.tensor([0, 1]), net=torch.tensor([0, 0]))] * 2),
            "has each circuit's cells numbered from 0: make the circuits gsrgnn.circuits.data.Circuit",
        ),
    ],
    ids=lambda value: None if isinstance(value, str) else type(value).__name__,
)
@pytest.mark.filterwarnings("error")
def test_data_that_is_no_graph(data, message):
    with pytest.raises(ValueError, match=message) as raised:
        CircuitGraph.from_data(data)
    assert "\n" not in str(raised.value)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_what_the_errors_advise_works():
    adj = Data(x=X, adj_t=torch.tensor([[0.0, 0, 0], [2, 0, 0], [0, 3, 0]]).to_sparse_csr())
    adj.edge_index, adj.edge_weight = to_edge_index(adj.adj_t.t())
    attributes = Data(x=X, edge_index=EDGES, edge_attr=torch.tensor([[2.0], [3]]))
    attributes.edge_weight = attributes.edge_attr.flatten()
    for data in (adj, attributes):
        np.testing.assert_array_equal(CircuitGraph.from_data(data).degree, [0, 2, 3])
    features = Data(x=X, edge_index=EDGES, edge_attr=torch.ones(2, 4))
    assert CircuitGraph.from_data(features).num_edges == 2
    pair = Circuit.from_dict(Data(num_nodes=2, cell=torch.tensor([0, 1]), net=torch.tensor([0, 0])).to_dict())
    batch = CircuitGraph.from_data(Batch.from_data_list([pair, pair]))
    assert [batch.neighbors(node).tolist() for node in range(4)] == [[1], [0], [3], [2]]


def test_a_device_without_an_index_is_the_one_that_a_tensor_gets():
    graph = CircuitGraph.from_pins([0, 1, 2], [0, 0, 0], 3)
    with FakeTensorMode():  # which knows of GPUs without one
        for device in ("cuda", torch.device("cuda"), "cuda:1"):
            assert graph.to(device).device == torch.empty(0, device=device).device
        there = graph.to("cuda")
        assert there.device == torch.device("cuda:0")
        assert there.to("cuda:0") is there
        assert aggregate(there, torch.ones(3, 4, device="cuda")).device == there.device
    assert graph.to("cpu") is graph
    assert graph.to("cpu:0") is graph


def test_tensors_without_numbers_are_not_kept():
    graph = CircuitGraph.from_pins([0, 1, 2], [0, 0, 0], 3)
    with FakeTensorMode():
        assert type(graph.adjacency().indptr) is not torch.Tensor
    assert graph.adjacency().indptr.tolist() == [0, 3, 6, 9]


def test_what_was_prepared_stays_with_the_graph():
    graph = CircuitGraph.from_pins([0, 1, 2, 0, 3], [0, 0, 0, 1, 1], 4)
    x = torch.randn(4, 5)
    want = {via: aggregate(graph, x, via=via) for via in ("edges", "nets")}
    for other in (
        pickle.loads(pickle.dumps(graph)),
        copy.copy(graph),
        copy.deepcopy(graph),
        pickle.loads(pickle.dumps(graph.through("edges"))),
    ):
        assert not other._prepared
        for via, out in want.items():
            assert torch.equal(aggregate(other, x, via=via), out)
    for tensor in tensors_of(graph.adjacency()) + tensors_of(graph.incidence()):
        tensor.share_memory_()  # moves the tensor, not what the kernels read
    assert torch.equal(aggregate(graph, x), want["edges"])


def tensors_of(part):
    return [part] if isinstance(part, torch.Tensor) else [tensor for each in part for tensor in tensors_of(each)]
