import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from gsrgnn import CircuitGraph, circuits
from gsrgnn.circuits.congestion import routed
from gsrgnn.circuits.data import to_data
from gsrgnn.circuits.synthetic import generate


def test_a_simulated_routing_is_the_default_label_and_says_so():
    data = circuits.load("synthetic/300")
    assert (data.label, data.label_source, data.combine) == ("routed", "simulated: global routing", "max")
    assert data.share == pytest.approx((data.y > 0).double().mean())
    assert data.capacity == pytest.approx(routed(generate(300)).capacity)
    assert data.y.max() == 1
    assert data.label_scale > 0


def test_rudy_knows_neither_directions_nor_capacity():
    data = circuits.load("synthetic/300", label="rudy")
    assert (data.label, data.label_source) == ("rudy", "simulated: RUDY")
    assert not {"combine", "capacity", "share"} & set(data.keys())


def test_directions_are_combined_as_asked():
    labels = {combine: circuits.load("synthetic/300", combine=combine) for combine in ("max", "sum", "vertical")}
    y = {combine: data.y * data.label_scale for combine, data in labels.items()}
    assert (y["sum"] - y["max"] > -1e-6).all()
    assert (y["max"] - y["vertical"] > -1e-6).all()
    assert not torch.equal(y["sum"], y["vertical"])


def test_maps_that_come_with_a_netlist_are_its_label():
    netlist = generate(100)
    maps = routed(netlist, share=0.8)
    data = to_data(netlist, "routed", maps=maps)
    assert data.share > 0.6 > to_data(netlist, "routed").share
    assert data.capacity == maps.capacity


@pytest.mark.parametrize(("name", "share"), [("synthetic/639-R", 0.15), ("synthetic/356-R", 0.10)])
def test_stand_ins_are_split_as_their_circuit(name, share):
    from dataclasses import replace

    data = to_data(replace(generate(200), name=name), "rudy")
    assert int(data.val_mask.sum()) == int(data.test_mask.sum()) == 200 * share


def test_a_batch_of_circuits_is_the_circuits_side_by_side():
    one, other = circuits.load("synthetic/64", label="rudy"), circuits.load("synthetic/40", label="rudy")
    batch = CircuitGraph.from_data(Batch.from_data_list([one, other]), norm="sum")
    graphs = [CircuitGraph.from_data(data, norm="sum") for data in (one, other)]
    assert batch.num_edges == sum(graph.num_edges for graph in graphs)
    np.testing.assert_array_equal(batch.degree, torch.cat([graph.degree for graph in graphs]))
    x = torch.randn(batch.num_nodes, 1)
    both = aggregated(batch, x)
    torch.testing.assert_close(both[:64], aggregated(graphs[0], x[:64]))
    torch.testing.assert_close(both[64:], aggregated(graphs[1], x[64:]))


def aggregated(graph, x):
    from gsrgnn import aggregate, group_sparse

    return aggregate(graph, group_sparse(x, 1))
