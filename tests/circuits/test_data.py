import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from torch_geometric import transforms
from torch_geometric.data import Batch, Data, InMemoryDataset, OnDiskDataset
from torch_geometric.loader import ClusterData, DataLoader, NeighborLoader, RandomNodeLoader

from gsrgnn import CircuitGraph, circuits
from gsrgnn.circuits import Circuit
from gsrgnn.circuits.congestion import Congestion, routed
from gsrgnn.circuits.data import to_data
from gsrgnn.circuits.dataset import ToEdgeIndex
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
    assert data.get("capacity") is None


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


def labelled(label):
    """A small circuit with a label of each source; CircuitNet's maps are made up."""
    netlist = generate(40)
    maps = routed(netlist)
    if label == "circuitnet":
        maps = Congestion(maps.horizontal, maps.vertical, capacity=None, share=None)
    return to_data(netlist, label, maps=maps)


def same(one, other):
    return (
        type(one) is type(other)
        and set(one.keys()) == set(other.keys())
        and all(
            torch.equal(one[key], value) if torch.is_tensor(value) else plain(one[key]) == plain(value)
            for key, value in other
        )
    )


def plain(value):
    return list(value) if isinstance(value, tuple) else value  # PyG's own clone makes lists of tuples


@pytest.mark.parametrize("labels", [("rudy", "routed", "circuitnet"), ("circuitnet", "rudy"), ("routed", "rudy")])
@pytest.mark.parametrize("workers", [0, 1])
def test_circuits_of_any_labels_go_into_one_batch_and_come_out_again(labels, workers):
    given = [labelled(label) for label in labels]
    (batch,) = DataLoader(given, batch_size=3, num_workers=workers, follow_batch=["cell"])
    assert CircuitGraph.from_data(batch).num_edges == sum(CircuitGraph.from_data(data).num_edges for data in given)
    assert batch.label == list(labels)
    for out, data in zip(batch.to_data_list(), given, strict=True):
        assert set(out.keys()) - {"cell_batch", "cell_ptr"} == set(data.keys())
        assert (out.combine, out.capacity) == (data.combine, data.capacity)
        assert torch.equal(out.cell, data.cell)
        assert torch.equal(out.net, data.net)
        assert float(out.share) == pytest.approx(data.share)
    assert torch.equal(Batch.from_data_list([batch, batch]).cell[: len(batch.cell)], batch.cell)


def test_data_of_ones_own_becomes_a_circuit():
    whole = circuits.load("synthetic/64", label="rudy")
    plain = Data(x=whole.x, cell=whole.cell.to(torch.uint8), net=whole.net.int())
    own = [Circuit.from_data(plain), Circuit(**plain.to_dict()), Circuit.from_data(Data.from_dict(whole.to_dict()))]
    assert own[0].cell.dtype == own[0].net.dtype == torch.int64
    want = CircuitGraph.from_data(whole, norm="sum")
    for data in own:
        batch = CircuitGraph.from_data(Batch.from_data_list([data] * 5), norm="sum")
        assert torch.equal(batch.degree, want.degree.repeat(5))
    assert "n_id" not in plain, "the data given is left as it is"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(cell=torch.tensor([0.0]), net=torch.tensor([0])), "cell has dtype float64: it takes integers"),
        (dict(cell=torch.tensor([[0]]), net=torch.tensor([0])), r"cell has shape \(1, 1\): it takes a 1-D array"),
        (dict(cell=torch.tensor([0, 1]), net=torch.tensor([True, False])), "net has dtype bool: it takes integers"),
        (dict(cell=torch.tensor([0, 1]), net=torch.tensor([0])), "cell has 2 entries and net has 1"),
        (
            dict(cell=torch.tensor([0, 4]), net=torch.tensor([0, 0])),
            "cell holds 0 to 4: a Circuit of 4 cells has 0 to 3",
        ),
        (dict(cell=torch.tensor([-1, 0]), net=torch.tensor([0, 0])), "cell holds -1 to 0"),
        (dict(cell=torch.tensor([0, 1]), net=torch.tensor([0, -2])), "net holds -2: nets are numbered from 0"),
        (
            dict(cell=torch.tensor([0, 1]), net=torch.tensor([0, 0]), num_nodes=None),
            "no number of cells: give it num_no",
        ),
    ],
)
def test_pins_that_make_no_circuit(wrong, message):
    with pytest.raises(ValueError, match=message):
        Circuit(**{"num_nodes": 4} | wrong)


def test_data_without_pins_makes_no_circuit():
    with pytest.raises(ValueError, match="data has no pins"):
        Circuit.from_data(Data(x=torch.zeros(2, 1), edge_index=torch.tensor([[0], [1]])))
    plain = Data(num_nodes=2, cell=torch.tensor([0, 1]), net=torch.tensor([0, 0]))
    with pytest.raises(ValueError, match="each circuit's cells numbered from 0"):
        Circuit.from_data(Batch.from_data_list([plain, plain]))


@pytest.mark.parametrize("num_cells", [26, 64])  # as many cells as features have names, and not
@pytest.mark.parametrize("kind", ["order", "mask"])
def test_a_subgraph_keeps_the_pins_of_its_cells(num_cells, kind):
    whole = circuits.load(f"synthetic/{num_cells}", label="rudy")
    nodes = torch.randperm(num_cells, generator=torch.Generator().manual_seed(0))[:20]
    if kind == "mask":
        nodes = nodes.sort().values
    part = whole.subgraph(nodes if kind == "order" else torch.isin(torch.arange(num_cells), nodes))
    dense = CircuitGraph.from_data(whole, norm="sum", self_loops=False)._matrix.toarray()
    made = CircuitGraph.from_data(part, norm="sum", self_loops=False)._matrix.toarray()
    np.testing.assert_array_equal(made, dense[nodes][:, nodes])
    assert torch.equal(part.x, whole.x[nodes])
    assert (part.num_nodes, part.feature_names, part.grid) == (20, whole.feature_names, whole.grid)
    assert len(Batch.from_data_list([part, whole]).to_data_list()) == 2


def test_a_subgraph_of_a_batch_is_of_each_circuit():
    one, other = circuits.load("synthetic/64", label="rudy"), circuits.load("synthetic/40", label="rudy")
    batch = Batch.from_data_list([one, other])
    part = batch.subgraph(torch.arange(10, 84))
    halves = one.subgraph(torch.arange(10, 64)), other.subgraph(torch.arange(20))
    assert part.ptr.tolist() == [0, 54, 74]
    degrees = [CircuitGraph.from_data(data, norm="sum").degree for data in (part, *halves)]
    assert torch.equal(degrees[0], torch.cat(degrees[1:]))
    with pytest.raises(RuntimeError, match="not created via 'Batch.from_data_list"):
        part.to_data_list()
    with pytest.raises(ValueError, match="subset names a cell twice"):
        one.subgraph(torch.tensor([1, 1]))


NEEDS_EDGES = {
    "components": transforms.LargestConnectedComponents(),
    "line graph": transforms.LineGraph(),
    "virtual node": transforms.VirtualNode(),
    "random nodes": lambda data: RandomNodeLoader(data, 2),
    "neighbours": lambda data: NeighborLoader(data, [2]),
    "clusters": lambda data: ClusterData(data, 2),
}


@pytest.mark.filterwarnings("ignore:Using 'NeighborSampler' without")
@pytest.mark.parametrize("use", NEEDS_EDGES.values(), ids=NEEDS_EDGES)
def test_what_needs_edges_says_where_they_come_from(use):
    data = circuits.load("synthetic/64", label="rudy")
    assert not hasattr(data, "edge_index")
    with pytest.raises(AttributeError, match=r"pins .cell and net. and no edge_index: ToEdgeIndex\(\) makes one"):
        use(data)


def test_pins_beside_edges_are_renumbered_or_refused():
    whole = circuits.load("synthetic/64", label="rudy")
    both = ToEdgeIndex(keep_pins=True)(copy.copy(whole))
    for part in RandomNodeLoader(both, 3, shuffle=True):
        pins, edges = (CircuitGraph.from_data(data, "sum", self_loops=False) for data in (part, ToEdgeIndex()(part)))
        assert torch.equal(pins.degree, edges.degree)
    line = transforms.LineGraph()(ToEdgeIndex("once", keep_pins=True)(copy.copy(whole)))
    with pytest.raises(ValueError, match="chosen or reordered"):
        CircuitGraph.from_data(line)
    for call in (
        lambda: both.edge_subgraph(torch.arange(3)),
        lambda: both.to_heterogeneous(torch.zeros(64, dtype=int), torch.zeros(both.num_edges, dtype=int)),
    ):
        with pytest.raises(ValueError, match=r"no pin: take ToEdgeIndex\(\) without keep_pins"):
            call()
    with pytest.raises(ValueError, match="use Batch.from_data_list"):
        whole.concat(whole)


@pytest.mark.filterwarnings("error")
def test_circuits_are_copied_and_stored_whole(tmp_path):
    given = [labelled("rudy"), circuits.load("synthetic/64")]

    class Kept(InMemoryDataset):
        def __init__(self):
            super().__init__()
            self.load(tmp_path / "kept.pt", data_cls=Circuit)

    Kept.save(given, tmp_path / "kept.pt")
    disk = OnDiskDataset(str(tmp_path / "disk"))
    disk.extend(given)
    for number, data in enumerate(given):
        copies = [copy.copy(data), copy.deepcopy(data), data.clone(), pickle.loads(pickle.dumps(data)), disk[number]]
        assert all(same(one, data) for one in copies)
        assert torch.equal(CircuitGraph.from_data(Kept()[number]).degree, CircuitGraph.from_data(data).degree)
    disk.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(label="none"), "label 'none' is unknown: it is one of circuitnet, wires, routed, rudy"),
        (dict(label=["rudy"]), "label .'rudy'. is unknown"),
        (dict(label="circuitnet"), "made of CircuitNet's own maps: give them, or take label='routed'"),
        (dict(combine=1), "combine is 1, needed one of"),
    ],
)
def test_no_other_label_is_made(options, message):
    with pytest.raises(ValueError, match=message):
        to_data(generate(64), **options)


def test_a_circuit_takes_what_a_graph_takes_and_keeps_what_its_pins_have():
    column = pd.Series([0, 1, 2, 2], index=[5, 7, 7, 9])
    given = dict(x=torch.ones(3, 1), net=np.array([0, 0, 0, 1], ">i4"))
    assert Circuit(cell=column, **given).cell.tolist() == [0, 1, 2, 2]
    with pytest.raises(ValueError, match="cell .*mask"):
        Circuit.from_data(Data(cell=np.ma.array([0, 1, 2, 2], mask=[0, 1, 0, 0]), **given))
    part = Circuit(cell=column, direction=torch.arange(4), **given).subgraph(torch.tensor([2, 0]))
    assert (part.cell.tolist(), part.net.tolist(), part.direction.tolist()) == ([1, 0, 0], [0, 0, 1], [0, 2, 3])
    whole = Circuit(cell=column, **given)
    assert Batch.from_data_list([whole.subgraph(torch.arange(2)), whole]).cell.tolist() == [0, 1, 2, 3, 4, 4]
    named = Circuit(cell=column, num_nets=5, **given)
    assert Batch.from_data_list([named.subgraph(torch.arange(2)), named]).net.tolist() == [0, 0, 5, 5, 5, 6]
