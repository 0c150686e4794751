import hashlib
import io
import multiprocessing
import pickle
import random
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_design import NAME, map_files, small_design, write_design, write_maps
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.nn import GCNConv

from gsrgnn import CircuitGraph, circuits
from gsrgnn.circuits import congestion, netlist_file, synthetic
from gsrgnn.circuits import dataset as module
from gsrgnn.circuits.dataset import CircuitDataset, ToEdgeIndex


def equal(one, other):
    return one.keys() == other.keys() and all(
        torch.equal(value, other[key]) if torch.is_tensor(value) else value == other[key]
        for key, value in one.to_dict().items()
    )


@pytest.fixture
def loads(monkeypatch):
    """The names that circuits.load is asked for."""
    asked = []
    load = circuits.load

    def asked_load(name, *args, **options):
        asked.append(name)
        return load(name, *args, **options)

    monkeypatch.setattr(circuits, "load", asked_load)
    return asked


def kept(root):
    return sorted(path.name for path in (root / "processed").iterdir() if not path.name.endswith(".lock"))


def test_it_is_what_load_gives_made_once(tmp_path, loads):
    first, second = CircuitDataset(tmp_path, "synthetic/64"), CircuitDataset(str(tmp_path), "synthetic/64")
    assert loads == ["synthetic/64"]
    assert len(first) == len(second) == len(kept(tmp_path)) == 1
    assert equal(second[0], circuits.load("synthetic/64"))
    assert type(second[0]) is type(circuits.load("synthetic/64"))
    assert second.num_node_features == second[0].x.shape[1]
    assert repr(second) == "CircuitDataset('synthetic/64', label='routed')"
    CircuitDataset(tmp_path, "synthetic/64", force_reload=True)
    assert loads.count("synthetic/64") == 4
    assert len(kept(tmp_path)) == 1


def test_what_differs_is_kept_apart(tmp_path, monkeypatch):
    CircuitDataset(tmp_path, "synthetic/64")
    assert CircuitDataset(tmp_path, "synthetic/64", label="rudy")[0].label == "rudy"
    assert CircuitDataset(tmp_path, "synthetic/64", combine="sum")[0].combine == "sum"
    placed = CircuitDataset(tmp_path, "synthetic/64", features="placed")[0]
    assert (placed.features, placed.num_features) == ("placed", len(placed.feature_names))
    absolute = CircuitDataset(tmp_path, "synthetic/64", units="capacity", combine="both")[0]
    assert (absolute.units, absolute.label_scale, absolute.y.shape[1]) == ("capacity", 1.0, 2)
    assert CircuitDataset(tmp_path, "synthetic/40")[0].num_nodes == 40
    assert "edge_index" in CircuitDataset(tmp_path, "synthetic/64", pre_transform=ToEdgeIndex())[0]
    assert "edge_weight" not in CircuitDataset(tmp_path, "synthetic/64", pre_transform=ToEdgeIndex("repeat"))[0]
    monkeypatch.setattr(module, "code_hash", lambda package: "another version")
    CircuitDataset(tmp_path, "synthetic/64")
    assert len(kept(tmp_path)) == 9


def test_a_transform_is_made_at_every_access(tmp_path):
    dataset = CircuitDataset(tmp_path, "synthetic/64", transform=ToEdgeIndex())
    assert "edge_index" in dataset[0]
    assert "edge_index" not in CircuitDataset(tmp_path, "synthetic/64")[0]
    assert len(kept(tmp_path)) == 1


def test_circuitnets_files_are_part_of_it(tmp_path):
    root = tmp_path / "circuitnet"
    write_design(root, small_design())
    with pytest.warns(UserWarning, match="simulated label"):
        first = CircuitDataset(tmp_path, NAME, circuitnet_root=root)
    assert first[0].label == "routed"
    horizontal = torch.rand(10, 10).double().numpy()
    write_maps(root, horizontal, horizontal)
    assert CircuitDataset(tmp_path, NAME, circuitnet_root=root)[0].label == "circuitnet"
    assert CircuitDataset(tmp_path, NAME, label="routed", circuitnet_root=root)[0].label == "routed"
    write_maps(root, horizontal, 2 * horizontal)
    second = CircuitDataset(tmp_path, NAME, circuitnet_root=root)
    assert second[0].label_scale == pytest.approx(2 * horizontal.max(), rel=1)
    assert len(kept(tmp_path)) == 4


def refuse(data):
    return False


class Anything:
    pass


def with_an_object(data):
    data.anything = Anything()
    return data


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(name="synthetic/none"), "no circuit 'synthetic/none'"),
        (dict(name="synthetic/64", label="circuitnet"), "no label of CircuitNet's"),
        (dict(name="synthetic/64", pre_filter=refuse), "pre_filter leaves nothing"),
        (dict(name="synthetic/64", pre_transform=with_an_object), "what pre_transform made of .* cannot be kept"),
    ],
)
def test_what_cannot_be_made_leaves_nothing(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        CircuitDataset(tmp_path, **options)
    assert kept(tmp_path) == []


def test_damaged_maps_leave_nothing(tmp_path):
    root = tmp_path / "circuitnet"
    write_design(root, small_design())
    write_maps(root, torch.rand(10, 10).numpy(), torch.rand(10, 10).numpy())
    map_files(root)["vertical"].write_bytes(b"")
    with pytest.raises(ValueError, match=r"GR_vertical.*download it again"):
        CircuitDataset(tmp_path, NAME, circuitnet_root=root)
    assert kept(tmp_path) == []


def test_an_interrupted_making_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*paths):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            CircuitDataset(tmp_path, "synthetic/64")
    assert kept(tmp_path) == []
    assert len(CircuitDataset(tmp_path, "synthetic/64")) == 1


def test_a_damaged_file_is_refused_wherever_it_is_damaged(tmp_path):
    CircuitDataset(tmp_path, "synthetic/64")
    (name,) = kept(tmp_path)
    file = tmp_path / "processed" / name
    whole = file.read_bytes()
    draw = random.Random(0)
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        for content in (damaged, whole[: draw.randrange(len(whole))], whole + b"\0"):
            file.write_bytes(content)
            with pytest.raises(ValueError, match=rf"{name} is not as it was written: use force_reload=True"):
                CircuitDataset(tmp_path, "synthetic/64")
    assert len(CircuitDataset(tmp_path, "synthetic/64", force_reload=True)) == 1
    assert file.read_bytes() == whole


def test_a_kept_file_is_never_run(tmp_path):
    CircuitDataset(tmp_path, "synthetic/64")
    (name,) = kept(tmp_path)
    touched = tmp_path / "touched"

    class Attack:
        def __reduce__(self):
            return open, (str(touched), "w")

    module._write({"x": Attack()}, tmp_path / "processed" / name)
    with pytest.raises(ValueError, match=rf"{name} holds what is not read back.*force_reload=True"):
        CircuitDataset(tmp_path, "synthetic/64")
    assert not touched.exists()
    torch.load(tmp_path / "processed" / name, weights_only=False)
    assert touched.exists(), "the attack is live"


def test_a_kept_file_that_was_packed_is_not_unpacked(tmp_path):
    CircuitDataset(tmp_path, "synthetic/64")
    (name,) = kept(tmp_path)
    file = tmp_path / "processed" / name
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(10_000_000))
    file.write_bytes(packed.getvalue() + hashlib.sha256(packed.getvalue()).digest())
    with pytest.raises(ValueError, match=rf"{name} holds what is not read back .it is packed.*force_reload=True"):
        CircuitDataset(tmp_path, "synthetic/64")


def test_a_kept_circuit_is_read_where_nothing_can_be_written(tmp_path, monkeypatch):
    CircuitDataset(tmp_path, "synthetic/64")
    for lock in (tmp_path / "processed").glob(".*.lock"):
        lock.unlink()

    def refuse_lock(path):
        raise PermissionError(path)

    monkeypatch.setattr(module, "FileLock", refuse_lock)
    assert CircuitDataset(tmp_path, "synthetic/64")[0].num_nodes == 64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(name=64), "name is 64: it takes text"),
        (dict(label=None), "label None is unknown: it is one of auto"),
        (dict(combine=["max"]), r"combine \['max'\] is unknown: it is one of max"),
        (dict(root=5), "root is 5: give the path of the folder"),
    ],
)
def test_arguments_of_another_type(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        CircuitDataset(**{"root": tmp_path, "name": "synthetic/64"} | options)


def test_a_root_may_be_bytes(tmp_path):
    assert CircuitDataset(bytes(tmp_path), "synthetic/64")[0].num_nodes == 64
    assert len(kept(tmp_path)) == 1


def test_a_simulated_label_is_said_at_the_caller_each_time(tmp_path):
    root = tmp_path / "circuitnet"
    write_design(root, small_design())
    for _ in range(2):  # made, then kept
        with pytest.warns(UserWarning, match="simulated label") as said:
            CircuitDataset(tmp_path, NAME, circuitnet_root=root)
        assert [one.filename for one in said] == [__file__]


def prepare(root, barrier, queue):
    barrier.wait()
    queue.put(pickle.dumps(CircuitDataset(root, "synthetic/2000")[0].to_dict()))


@pytest.mark.slow
def test_two_processes_at_once_both_have_a_whole_one(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    barrier, queue = spawn.Barrier(2), spawn.Queue()
    processes = [spawn.Process(target=prepare, args=(tmp_path, barrier, queue)) for _ in range(2)]
    for process in processes:
        process.start()
    got = [pickle.loads(queue.get(timeout=120)) for _ in processes]
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    want = circuits.load("synthetic/2000")
    assert all(equal(type(want).from_dict(data), want) for data in got)
    assert len(kept(tmp_path)) == 1


# PyG's own models


@pytest.mark.parametrize("self_loops", [False, True])
@pytest.mark.parametrize("max_net", [None, 4])
@pytest.mark.parametrize("multiplicity", ["edge_weight", "repeat", "once"])
def test_edges_are_those_of_the_circuits_graph(multiplicity, self_loops, max_net):
    data = circuits.load("synthetic/64", label="rudy")
    options = dict(norm="sum", self_loops=self_loops, max_net=max_net, multiplicity=multiplicity != "once")
    want = CircuitGraph.from_data(data, **options)
    edges = ToEdgeIndex(multiplicity, self_loops, max_net)(data)
    assert edges.edge_index.dtype == torch.int64
    assert ("edge_weight" in edges) == (multiplicity == "edge_weight")
    graph = CircuitGraph.from_data(edges, norm="sum")
    assert torch.equal(graph.degree, want.degree)
    for made, wanted in zip(graph.adjacency(), want.through("edges").adjacency(), strict=True):
        assert torch.equal(made, wanted)
    if multiplicity == "repeat":
        assert edges.num_edges == want.num_edges


def test_pins_go_unless_they_are_kept():
    data = circuits.load("synthetic/64", label="rudy")
    assert "cell" in data
    assert not {"cell", "net"} & set(ToEdgeIndex()(data).keys())
    assert "cell" in data, "the circuit given is left as it is"
    assert {"cell", "net", "edge_index"} <= set(ToEdgeIndex(keep_pins=True)(data).keys())
    with pytest.raises(ValueError, match="multiplicity 'none' is unknown: it is edge_weight, repeat or once"):
        ToEdgeIndex("none")
    with pytest.raises(ValueError, match="keep_pins is 'no': it takes True or False"):
        ToEdgeIndex(keep_pins="no")


@pytest.mark.parametrize("multiplicity", ["edge_weight", "repeat"])
def test_a_model_of_pygs_learns_a_circuit(tmp_path, multiplicity):
    (data,) = CircuitDataset(tmp_path, "synthetic/64", label="rudy", transform=ToEdgeIndex(multiplicity))
    one, two = GCNConv(data.num_features, 16), GCNConv(16, 1)
    optimizer = torch.optim.Adam([*one.parameters(), *two.parameters()], lr=0.02)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        hidden = one(data.x, data.edge_index, data.edge_weight).relu()
        out = two(hidden, data.edge_index, data.edge_weight)
        loss = (out - data.y)[data.train_mask].square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 4


def test_repeated_edges_and_weights_are_one_operator_to_pyg(tmp_path):
    data = circuits.load("synthetic/64", label="rudy")
    weighted, repeated = ToEdgeIndex()(data), ToEdgeIndex("repeat")(data)
    conv = GCNConv(data.num_features, 4)
    torch.testing.assert_close(
        conv(data.x, weighted.edge_index, weighted.edge_weight), conv(data.x, repeated.edge_index)
    )


def test_edges_take_the_place_of_older_ones():
    old = dict(edge_index=torch.tensor([[0], [1]]), edge_weight=torch.ones(1), edge_attr=torch.ones(1, 2))
    pins = Data(num_nodes=3, cell=torch.tensor([0, 1, 2]), net=torch.tensor([0, 0, 0]), **old)
    assert set(ToEdgeIndex("once")(pins).keys()) == {"edge_index", "num_nodes"}
    assert ToEdgeIndex()(pins).edge_weight.tolist() == [1] * 6
    twice = ToEdgeIndex("repeat", keep_pins=True)
    assert torch.equal(twice(twice(pins)).edge_index, twice(pins).edge_index)


def test_a_batch_of_circuits_has_edges_within_each():
    one, two = (circuits.load(f"synthetic/{size}", label="rudy") for size in (40, 64))
    edges = ToEdgeIndex()(Batch.from_data_list([one, two])).edge_index
    parts = ToEdgeIndex()(one).edge_index, ToEdgeIndex()(two).edge_index + 40
    assert torch.equal(edges, torch.cat(parts, dim=1))


PINS = dict(cell=torch.tensor([0, 1]), net=torch.tensor([0, 0]))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Data(num_nodes=2, edge_index=torch.tensor([[0], [1]])), "data has no pins .cell and net., which ToEdgeIndex"),
        (HeteroData(), "data is a HeteroData: it takes a PyG Data"),
        (PINS, "data is a dict"),
        (Data(**PINS), "data does not say how many nodes it has"),
        (Batch.from_data_list([Data(num_nodes=2, **PINS)] * 2), "has each circuit's cells numbered from 0"),
    ],
    ids=lambda value: None if isinstance(value, str) else type(value).__name__,
)
def test_data_without_pins_has_no_edges(data, message):
    with pytest.raises(ValueError, match=message):
        ToEdgeIndex()(data)


@pytest.mark.parametrize("multiplicity", ["edge_weight", "repeat", "once"])
def test_edges_that_do_not_fit_are_refused(multiplicity, monkeypatch):
    monkeypatch.setattr("gsrgnn.memory.free_memory", lambda device: 8e9)
    data = Data(num_nodes=80_000, cell=torch.arange(80_000), net=torch.zeros(80_000, dtype=torch.long))
    with pytest.raises(MemoryError, match="8.0 GB are free: leave out large nets with max_net.*via='nets'"):
        ToEdgeIndex(multiplicity)(data)
    assert ToEdgeIndex(multiplicity, max_net=1000)(data).num_edges == 0


@pytest.mark.parametrize("multiplicity", ["edge_weight", "repeat"])
def test_the_edges_themselves_need_room(multiplicity, monkeypatch):
    """1,000 pins on a net: 16 MB for the clique matrix, 32 for its edges."""
    data = Data(num_nodes=1000, cell=torch.arange(1000), net=torch.zeros(1000, dtype=torch.long))
    monkeypatch.setattr("gsrgnn.memory.free_memory", lambda device: 25e6)
    with pytest.raises(MemoryError, match="an edge_index of 999,000 edges takes"):
        ToEdgeIndex(multiplicity)(data)


def test_a_part_of_a_circuit_has_edges_of_its_own(tmp_path):
    (data,) = CircuitDataset(tmp_path, "synthetic/64", transform=ToEdgeIndex())
    part = data.subgraph(torch.arange(20, 40))
    assert part.num_nodes == 20
    assert CircuitGraph.from_data(part).num_edges == len(part.edge_weight) > 0


def test_a_circuit_in_a_file_is_made_again_when_the_file_changes(tmp_path):
    file = tmp_path / "mine.npz"
    netlist = synthetic.generate(64)
    netlist = replace(netlist, size=np.full((64, 2), 0.5))
    for scale, files in ((1, 1), (2, 2), (1, 2)):
        maps = congestion.Congestion(np.ones(netlist.grid) * scale, np.ones(netlist.grid), (1.0, 1.0), 1.0)
        netlist_file.write(file, netlist, maps, {"name": "mine"})
        (data,) = CircuitDataset(tmp_path, str(file))
        assert (data.name, data.label_scale) == ("mine", scale)
        assert len(kept(tmp_path)) == files
