import os
import random

import numpy as np
import pytest
from small_design import NAME, NETLIST, PLACEMENT, object_array, small_design, write_design

from gsrgnn import circuits
from gsrgnn.circuits import circuitnet

real = pytest.mark.skipif(
    not os.environ.get("CIRCUITNET_ROOT"), reason="CIRCUITNET_ROOT is not set: needs CircuitNet's files"
)


def clique_edges(data):
    """Directed edges of the clique graph, by Σ p² − Σ b² over nets of p pins and cells with b pins on them, + N."""
    _, on_net = np.unique(data.net.numpy() * data.num_nodes + data.cell.numpy(), return_counts=True)
    return (np.bincount(data.net.numpy()) ** 2).sum() - (on_net**2).sum() + data.num_nodes


@real
@pytest.mark.parametrize(
    ("name", "cells", "pins", "edges"),
    [
        ("7157-zero-riscy-a-1-c2-u0.8-m1-p1-f0", 38_656, 156_825, 6_768_184),
        ("2017-RISCY-b-1-c2-u0.7-m1-p6-f0", 28_781, 115_936, 1_406_739),
    ],
)
def test_the_papers_counts(name, cells, pins, edges):
    data = circuits.load(f"circuitnet/{name}")
    assert data.num_nodes == cells
    assert len(data.cell) == len(data.net) == pins
    assert clique_edges(data) == edges
    masks = data.train_mask.long() + data.val_mask.long() + data.test_mask.long()
    assert (masks == 1).all()
    assert int(data.val_mask.sum()) == int(data.test_mask.sum()) == round(cells / 10)
    assert data.x.isfinite().all()
    assert data.y.min() >= 0
    assert data.y.max() == 1
    assert data.label_source == "simulated: RUDY"


@real
def test_the_book_runs_on_the_papers_circuit():
    assert circuits.default() == "circuitnet/7157-zero-riscy-a-1-c2-u0.8-m1-p1-f0"


@pytest.mark.parametrize("layout", ["demo", "download"])
@pytest.mark.parametrize("above", [0, 1])
def test_both_layouts(tmp_path, layout, above):
    root = tmp_path / "circuitnet"
    write_design(root, small_design(), layout)
    data = circuits.load(NAME, root if above == 0 else tmp_path)
    assert data.num_nodes == 4
    assert circuits.available(root) == [NAME, "synthetic/5000"]


def test_a_root_one_level_too_deep(design, tmp_path):
    assert circuits.load(NAME, tmp_path / "graph_information").num_nodes == 4


def test_two_copies_are_not_guessed_between(tmp_path):
    for copy in ("one", "two"):
        write_design(tmp_path / copy, small_design())
    with pytest.raises(ValueError, match=r"twice.*one.*two"):
        circuits.load(NAME, tmp_path)


def test_cells_pins_and_boxes(design, tmp_path):
    data = circuits.load(NAME, tmp_path)
    assert data.cell.tolist() == [0, 0, 1, 2, 2, 3, 3, 3]
    assert data.net.tolist() == [0, 1, 1, 1, 0, 0, 1, 1]
    assert data.gcell.tolist() == [[3, 1, 4, 1], [0, 5, 0, 5], [9, 9, 9, 9], [1, 2, 7, 9]]
    assert data.pos.tolist() == [[4.0, 1.5], [0.5, 5.5], [9.5, 9.5], [4.5, 6.0]]
    assert data.grid == (10, 10)
    assert clique_edges(data) == 3 * 2 + (25 - 7) + 4
    is_macro = data.x[:, data.feature_names.index("is macro")]
    assert is_macro.tolist() == [0, 0, 0, 1]


def test_a_cells_features_do_not_tell_where_it_lies(design, tmp_path):
    before = circuits.load(NAME, tmp_path)
    arrays = small_design()
    arrays["placement"].item().update(a=[7, 7, 8, 7], b=[2, 2, 2, 2])
    write_design(tmp_path, arrays)
    after = circuits.load(NAME, tmp_path)
    assert (after.x == before.x).all()
    assert (after.y != before.y).any()


def test_numpy_integers_and_fortran_order_are_read(tmp_path):
    arrays = small_design()
    arrays["pin_attr"][2] = [np.int64(value) for value in arrays["pin_attr"][2]]
    arrays["pin_attr"] = np.asfortranarray(arrays["pin_attr"])
    write_design(tmp_path, arrays)
    assert circuits.load(NAME, tmp_path).cell.tolist() == [0, 0, 1, 2, 2, 3, 3, 3]


@pytest.mark.parametrize(
    ("placement", "share"),
    [("5324-RISCY-FPU-a-3-c2-u0.85-m4-p8-f0", 0.15), ("876-RISCY-a-2-c2-u0.75-m2-p5-f1", 0.1)],
)
def test_the_papers_splits(placement, share):
    from gsrgnn.circuits.data import to_data
    from gsrgnn.circuits.synthetic import generate

    netlist = generate(1000)
    data = to_data(type(netlist)(**{**netlist.__dict__, "name": f"circuitnet/{placement}"}))
    assert [int(m.sum()) for m in (data.val_mask, data.test_mask)] == [1000 * share] * 2
    assert (data.train_mask == ~(data.val_mask | data.test_mask)).all()


# Bad input


def test_no_root(monkeypatch):
    monkeypatch.delenv("CIRCUITNET_ROOT", raising=False)
    with pytest.raises(FileNotFoundError, match="set CIRCUITNET_ROOT"):
        circuits.load(NAME)
    assert circuits.available() == ["synthetic/5000"]
    assert circuits.default() == "synthetic/5000"


def test_a_root_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("CIRCUITNET_ROOT", str(tmp_path / "nowhere"))
    for call in (lambda: circuits.load(NAME), circuits.available, circuits.default):
        with pytest.raises(FileNotFoundError, match="nowhere.*set CIRCUITNET_ROOT"):
            call()


def test_a_root_without_circuitnet(tmp_path):
    (tmp_path / "inner").mkdir()
    with pytest.raises(FileNotFoundError, match=r"inner holds no graph_information.*set CIRCUITNET_ROOT"):
        circuits.load(NAME, tmp_path / "inner")


def test_an_unknown_name_lists_those_there_are(design, tmp_path):
    for name in ("circuitnet/9999-zero-riscy", "riscv/picorv32", "synthetic/356-R", "", "circuitnet/../x"):
        with pytest.raises(ValueError, match=f"{PLACEMENT}.*synthetic/5000"):
            circuits.load(name, tmp_path)
    with pytest.raises(ValueError, match=f"did you mean {NAME}"):
        circuits.load(NAME[:-1], tmp_path)


def test_a_placement_that_is_not_there_lists_those_that_are(design, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"1-{NETLIST}.*{PLACEMENT}"):
        circuits.load(f"circuitnet/1-{NETLIST}-u0.7-m1-p1-f0", tmp_path)


@pytest.mark.parametrize("kind", ["node_attr", "net_attr", "pin_attr", "placement"])
def test_a_missing_file(design, tmp_path, kind):
    design[kind].unlink()
    with pytest.raises(FileNotFoundError, match=design[kind].name):
        circuits.load(NAME, tmp_path)


def change(kind, row, column, value):
    def apply(arrays):
        arrays[kind][row, column] = value

    return apply


def replace(kind, value):
    def apply(arrays):
        arrays[kind] = value

    return apply


def place(**boxes):
    return lambda arrays: arrays["placement"].item().update(boxes)


WRONG = {
    "net index beyond the nets": ("pin_attr", change("pin_attr", 1, 0, 3), "names net 3, of 3 nets"),
    "negative net index": ("pin_attr", change("pin_attr", 1, 6, [0, -1]), "names net -1"),
    "cell index beyond the cells": ("pin_attr", change("pin_attr", 2, 0, 5), "names cell 5, of 5 cells"),
    "negative cell index": ("pin_attr", change("pin_attr", 2, 0, -1), "names cell -1"),
    "a cell by name": ("pin_attr", change("pin_attr", 2, 0, "a"), "cell index that is not an integer"),
    "a net that is True": ("pin_attr", change("pin_attr", 1, 0, True), "net index that is not an integer"),
    "a list in a list": ("pin_attr", change("pin_attr", 1, 6, [[0]]), "net index that is not an integer"),
    "two rows of pins": ("pin_attr", replace("pin_attr", object_array([["I"], [0]])), r"needed \(3, n\)"),
    "no pins": ("pin_attr", replace("pin_attr", np.empty((3, 0), object)), "no pin of a placed cell"),
    "plain integers": ("pin_attr", replace("pin_attr", np.zeros((3, 2), int)), "needed an object array"),
    "three rows of names": ("net_attr", replace("net_attr", object_array([["a"], ["b"]])), r"needed \(1, n\)"),
    "a name twice": ("node_attr", change("node_attr", 0, 1, "a"), "occurs twice"),
    "a name that is a number": ("node_attr", change("node_attr", 0, 1, 1), "name that is not text"),
    "a flat array": ("placement", replace("placement", object_array([["a"]])), "needed one dict"),
    "no dict": ("placement", replace("placement", np.array(None, dtype=object)), "needed one dict"),
    "a box of three": ("placement", place(a=[1, 2, 3]), "not four numbers"),
    "microns": ("placement", place(a=[1.5, 2.0, 3.0, 4.0]), "not in gcells"),
    "a box inside out": ("placement", place(a=[3, 1, 2, 1]), "right < left"),
    "a box off the die": ("placement", place(a=[-1, 1, 2, 1]), "outside gcells 0 to 4095"),
    "a box on the moon": ("placement", place(a=[1, 1, 10**9, 1]), "outside gcells 0 to 4095"),
    "another design": ("placement", replace("placement", np.array({"z": [0, 0, 0, 0]})), "none of the 5"),
}


@pytest.mark.parametrize(("kind", "apply", "message"), WRONG.values(), ids=WRONG)
def test_wrong_contents(tmp_path, kind, apply, message):
    arrays = small_design()
    apply(arrays)
    file = write_design(tmp_path, arrays)[kind]
    with pytest.raises(ValueError, match=f"{file.name}.*({message}).*download it again"):
        circuits.load(NAME, tmp_path)


def test_few_entries_that_stand_for_too_many_pins(tmp_path, monkeypatch):
    monkeypatch.setattr(circuitnet, "MAX_PINS", 8)
    write_design(tmp_path, small_design())
    with pytest.raises(ValueError, match="pin_attr.npy holds 9 pins, of 8 allowed"):
        circuits.load(NAME, tmp_path)


@pytest.mark.parametrize("kind", ["node_attr", "net_attr", "pin_attr", "placement"])
def test_a_file_cut_anywhere(design, tmp_path, kind):
    whole = design[kind].read_bytes()
    for length in range(len(whole)):
        design[kind].write_bytes(whole[:length])
        with pytest.raises(ValueError, match=f"{design[kind].name}.*download it again"):
            circuits.load(NAME, tmp_path)
    design[kind].write_bytes(whole + b"\0")
    with pytest.raises(ValueError, match="1 bytes after its end"):
        circuits.load(NAME, tmp_path)


@pytest.mark.parametrize("kind", ["node_attr", "net_attr", "pin_attr", "placement"])
def test_flipped_bits_fail_cleanly_or_load(design, tmp_path, kind):
    whole = design[kind].read_bytes()
    draw = random.Random(kind)
    refused = loaded = 0
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(draw.choice([1, 1, 3])):
            damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        design[kind].write_bytes(damaged)
        try:
            data = circuits.load(NAME, tmp_path)
        except ValueError as error:
            refused += str(tmp_path) in str(error) and "download it again" in str(error)
        else:
            loaded += 1
            assert 1 <= data.num_nodes <= 5
            assert data.x.isfinite().all()
            assert data.cell.max() < data.num_nodes
    assert refused + loaded == 400
    assert refused > 100
