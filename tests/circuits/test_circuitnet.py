import dataclasses
import os
import warnings

import numpy as np
import pytest
from small_design import NAME, NETLIST, PLACEMENT, map_files, object_array, small_design, write_design, write_maps

from gsrgnn import circuits
from gsrgnn.circuits import circuitnet
from gsrgnn.circuits.data import to_data
from gsrgnn.circuits.synthetic import generate

pytestmark = pytest.mark.filterwarnings("ignore:simulated label")
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
    assert data.label_source == "simulated: global routing"
    assert len(data.capacity) == 2
    assert data.cells_in_netlist > data.cells_in_placement * 0.98 > cells > 0.9 * data.cells_in_netlist


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
    assert [name for name in circuits.available(root) if name.startswith("circuitnet/")] == [NAME]


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
    before = circuits.load(NAME, tmp_path, label="rudy")
    arrays = small_design()
    arrays["placement"].item().update(a=[7, 7, 8, 7], b=[2, 2, 2, 2])
    write_design(tmp_path, arrays)
    after = circuits.load(NAME, tmp_path, label="rudy")
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
    data = to_data(dataclasses.replace(generate(1000), name=f"circuitnet/{placement}"), "rudy")
    assert [int(m.sum()) for m in (data.val_mask, data.test_mask)] == [1000 * share] * 2
    assert (data.train_mask == ~(data.val_mask | data.test_mask)).all()


# CircuitNet's own labels


def maps(shape=(10, 12)):
    """Overflow in the two gcells of cell a, (3, 1) and (4, 1), one of them both ways; under no other cell."""
    horizontal, vertical = np.zeros(shape), np.zeros(shape)
    horizontal[3, 1], vertical[3, 1], vertical[4, 1] = 0.5, 0.25, 1.0
    return horizontal, vertical


@pytest.mark.parametrize(
    ("combine", "of_a"), [("max", 0.75), ("sum", 0.875), ("horizontal", 0.25), ("vertical", 0.625)]
)
@pytest.mark.parametrize("label", ["auto", "circuitnet"])
def test_circuitnets_maps_are_the_label_where_they_are(design, tmp_path, label, combine, of_a):
    write_maps(tmp_path, *maps())
    data = circuits.load(NAME, tmp_path, label=label, combine=combine)
    np.testing.assert_allclose(data.y[:, 0] * data.label_scale, [of_a, 0, 0, 0], rtol=1e-6)
    assert data.y.max() == 1
    assert data.label_source == f"CircuitNet: global routing overflow ({combine})"
    assert (data.label, data.combine, data.grid) == ("circuitnet", combine, (10, 12))
    assert data.share == 0.25
    assert "capacity" not in data


def test_without_maps_the_label_is_simulated_or_refused(design, tmp_path):
    assert circuits.load(NAME, tmp_path).label_source == "simulated: global routing"
    assert circuits.load(NAME, tmp_path, label="rudy").label_source == "simulated: RUDY"
    with pytest.raises(FileNotFoundError, match=rf"no file .*{PLACEMENT}\.npy: get .*routability.*label='routed'"):
        circuits.load(NAME, tmp_path, label="circuitnet")


@pytest.mark.parametrize("label", ["routed", "rudy"])
def test_a_simulated_label_can_be_asked_for_where_there_are_maps(design, tmp_path, label):
    write_maps(tmp_path, *maps())
    assert circuits.load(NAME, tmp_path, label=label).label == label


@pytest.mark.parametrize("layout", ["demo", "download"])
@pytest.mark.parametrize("at", [".", "..", "inner"])
@pytest.mark.parametrize("folder", ["routability_features", "."])
def test_where_the_maps_may_lie(tmp_path, layout, at, folder):
    root = tmp_path / "outer" / "root"
    write_design(root, small_design(), layout)
    base = root / "graph_features" if at == "inner" and layout == "download" else root
    write_maps(base if at == "inner" else root / at, *maps(), folder=folder)
    assert circuits.load(NAME, root).label == "circuitnet"


@pytest.mark.parametrize("way", ["horizontal", "vertical"])
@pytest.mark.parametrize("label", ["auto", "circuitnet"])
def test_half_of_the_maps_is_refused(design, tmp_path, way, label):
    write_maps(tmp_path, *maps())
    map_files(tmp_path)[way].unlink()
    with pytest.raises(FileNotFoundError, match=f"no file .*GR_{way}_overflow.*the other half of"):
        circuits.load(NAME, tmp_path, label=label)


def folder_of_maps(root, folder, direction, values):
    """One map where a download or CircuitNet's own script puts it."""
    file = map_files(root, folder)[direction]
    file.parent.mkdir(parents=True)
    np.save(file, values)


PARTS = {
    "unpacked beside the graphs": ("graph_features", "routability_features_decompressed"),
    "a part": ("graph_features-001/graph_features", "routability_features-001/routability_features"),
    "a dated part": (
        "graph_features-20240110T093000Z-001/graph_features",
        "routability_features-20240110T094500Z-001/routability_features",
    ),
    "a part unpacked": (
        "graph_features-001/graph_features",
        "routability_features-001/routability_features_decompressed",
    ),
    "a part of the folder itself": ("graph_features", "routability_features-001"),
    "a part of the whole": ("graph_features", "CircuitNet-N28-002/routability_features_decompressed"),
}


@pytest.mark.parametrize("given", [".", "graphs"])
@pytest.mark.parametrize(("graphs", "labels"), PARTS.values(), ids=PARTS)
def test_layouts_of_downloads_and_of_circuitnets_script(tmp_path, graphs, labels, given):
    root = tmp_path / "download"
    write_design((root / graphs).parent, small_design(), "download")
    (root / graphs).parent.joinpath("graph_features").rename(root / "moved")
    (root / "moved").rename(root / graphs)
    (root / "routability_features" / "congestion").mkdir(parents=True)
    (root / "routability_features" / "congestion" / "congestion_global_routing.tar.gz").write_bytes(b"")
    for direction, values in zip(("horizontal", "vertical"), maps(), strict=True):
        folder_of_maps(root, labels, direction, values)
    assert circuits.load(NAME, root if given == "." else root / graphs).label == "circuitnet"


def test_maps_in_two_parts_of_a_download(design, tmp_path):
    horizontal, vertical = maps()
    folder_of_maps(tmp_path, "routability_features-001/routability_features", "horizontal", horizontal)
    with pytest.raises(FileNotFoundError, match=r"no file .*-001/.*GR_vertical_overflow.*the other half of"):
        circuits.load(NAME, tmp_path)
    folder_of_maps(tmp_path, "routability_features-002/routability_features", "vertical", vertical)
    data = circuits.load(NAME, tmp_path)
    np.testing.assert_allclose(data.y[:, 0] * data.label_scale, [0.75, 0, 0, 0], rtol=1e-6)


def test_a_label_that_is_simulated_unasked_is_said_at_the_caller(design, tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.warns(UserWarning, match=f"simulated label for {NAME}.*{tmp_path}.*label='routed'") as said:
        circuits.load(NAME, tmp_path)
    assert [one.filename for one in said] == [__file__]
    assert "\n" not in str(said[0].message)
    write_maps(tmp_path, *maps())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        circuits.load(NAME, tmp_path)
        map_files(tmp_path)["horizontal"].unlink()
        circuits.load(NAME, tmp_path, label="routed")
        circuits.load(NAME, tmp_path, label="rudy")
        circuits.load("synthetic/64")


# Names that differ between netlist and placement


def design_of(names, placed):
    """A chain of cells called `names`, each placed under the name in `placed`."""
    count = len(names)
    arrays = small_design()
    arrays["node_attr"] = object_array([names, ["INV_x1_0"] * count])
    arrays["net_attr"] = object_array([[f"n{i}" for i in range(count)]])
    arrays["pin_attr"] = object_array(
        [["I", "Z"] * count, [i // 2 for i in range(2 * count)], [(i + 1) // 2 % count for i in range(2 * count)]]
    )
    arrays["placement"] = np.array({name: [i, 0, i, 0] for i, name in enumerate(placed)}, dtype=object)
    return arrays


INSTANCES = [f"core/regs_i/mem_reg[{i}]" for i in range(98)] + ["core/U1", "core/U2"]
OTHERWISE = {
    "escaped brackets": (lambda name: name.replace("[", "\\[").replace("]", "\\]"), "a backslash"),
    "an escaped name": (lambda name: f"\\{name} ", "a backslash, a blank at the end"),
    "points between levels": (lambda name: name.replace("/", "."), "levels of the hierarchy"),
    "other brackets": (lambda name: name.replace("[", "<").replace("]", ">"), "brackets"),
    "underscores for brackets": (lambda name: name.replace("[", "_").replace("]", "_"), "brackets"),
    "capitals": (str.upper, "capital letters"),
    "two of them": (lambda name: "\\" + name.replace("/", ".") + " ", "a backslash.* and .*levels of the hierarchy"),
}


@pytest.mark.parametrize(("spell", "reason"), OTHERWISE.values(), ids=OTHERWISE)
@pytest.mark.parametrize("which", ["netlist", "placement"])
def test_names_spelled_otherwise_are_refused_and_the_reason_named(tmp_path, spell, reason, which):
    names, placed = [spell(name) for name in INSTANCES], INSTANCES
    if which == "placement":
        names, placed = placed, names
    write_design(tmp_path, design_of(names, placed))
    matched = len(set(names) & set(placed))
    with pytest.raises(
        ValueError,
        match=rf"{PLACEMENT}\.npy holds {matched or 'none'} of the 100 .*of 50% needed: "
        rf"{100 - matched} more differ only in .*{reason}",
    ) as refused:
        circuits.load(NAME, tmp_path)
    assert "\n" not in str(refused.value)


def test_some_names_spelled_otherwise_are_left_out_with_a_warning(tmp_path):
    placed = [name.replace("[", "\\[") if i % 3 == 0 else name for i, name in enumerate(INSTANCES)]
    write_design(tmp_path, design_of(INSTANCES, [*placed, "FILLER_1", "FILLER_2"]))
    with pytest.warns(UserWarning, match=r"67 of the 100 .*\(67%.*left out: 33 more differ only .*backslash") as said:
        data = circuits.load(NAME, tmp_path, label="rudy")
    assert [one.filename for one in said] == [__file__]
    assert (data.num_nodes, data.cells_in_netlist, data.cells_in_placement) == (67, 100, 102)


def test_few_cells_of_another_design_are_refused(tmp_path):
    write_design(tmp_path, design_of(INSTANCES, [f"other_{i}" for i in range(98)] + INSTANCES[:2]))
    with pytest.raises(ValueError, match="holds 2 of the 100 .*another design or release of CircuitNet"):
        circuits.load(NAME, tmp_path)


def test_what_a_placement_usually_lacks_is_counted_and_not_warned_of(design, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = circuits.load(NAME, tmp_path, label="rudy")
    assert (data.num_nodes, data.cells_in_netlist, data.cells_in_placement) == (4, 5, 5)
    shipped = circuits.load("synthetic/64", label="rudy")
    assert shipped.num_nodes == shipped.cells_in_netlist == shipped.cells_in_placement == 64


def changed(at, value):
    def change(values):
        values[at] = value
        return values

    return change


WRONG_MAPS = {
    "NaN": (changed((0, 0), np.nan), "a NaN or an infinity"),
    "infinity": (changed((0, 0), np.inf), "a NaN or an infinity"),
    "negative": (changed((0, 0), -0.5), "-0.5: an overflow is 0 or more"),
    "huge": (changed((0, 0), 1e7), "1e\\+07, of 1e\\+06 allowed"),
    "another width": (lambda values: values[:9], r"\(\d+, 12\) gcells, where .*horizontal.* holds \(\d+, 12\)"),
    "integers": (lambda values: values.astype(int), "int64, needed floats"),
    "complex": (lambda values: values.astype(complex), "complex128, needed floats"),
    "text": (lambda values: values.astype(str), "needed floats"),
    "objects": (lambda values: values.astype(object), "object, needed floats"),
    "records": (lambda values: np.zeros((10, 12), [("a", float)]), "needed floats"),
    "one side": (lambda values: values.ravel(), r"shape \(120,\), needed \[W, H\]"),
    "three sides": (lambda values: values[None], r"shape \(1, 10, 12\), needed \[W, H\]"),
    "nothing": (lambda values: values[:0], r"shape \(0, 12\), needed \[W, H\]"),
    "too wide": (lambda values: np.zeros((1025, 10)), r"shape \(1025, 10\), needed \[W, H\] of 1 to 1024"),
}


@pytest.mark.parametrize("way", ["horizontal", "vertical"])
@pytest.mark.parametrize(("change", "message"), WRONG_MAPS.values(), ids=WRONG_MAPS)
def test_wrong_maps(design, tmp_path, way, change, message):
    horizontal, vertical = maps()
    wrong = [change(horizontal), vertical] if way == "horizontal" else [horizontal, change(vertical)]
    write_maps(tmp_path, *wrong)
    with pytest.raises(ValueError, match=rf"{PLACEMENT}\.npy holds.*({message}).*download it again"):
        circuits.load(NAME, tmp_path)


def test_both_maps_too_small_for_the_placement(design, tmp_path):
    write_maps(tmp_path, *maps((10, 9)))
    with pytest.raises(ValueError, match=r"\(10, 9\) gcells, and the placement's cells reach \(10, 10\)"):
        circuits.load(NAME, tmp_path)


@pytest.mark.parametrize("kind", [np.float16, ">f4", np.float64])
def test_floats_of_any_width_and_order(design, tmp_path, kind):
    horizontal, vertical = maps()
    write_maps(tmp_path, np.asfortranarray(horizontal.astype(kind)), vertical.astype(kind))
    data = circuits.load(NAME, tmp_path)
    np.testing.assert_allclose(data.y[:, 0] * data.label_scale, [0.75, 0, 0, 0], rtol=1e-6)


def test_a_map_cut_anywhere(design, tmp_path):
    write_maps(tmp_path, *maps())
    file = map_files(tmp_path)["vertical"]
    whole = file.read_bytes()
    for content in [*(whole[:length] for length in range(len(whole))), whole + b"\0"]:
        file.write_bytes(content)
        with pytest.raises(ValueError, match=f"{PLACEMENT}.npy.*download it again"):
            circuits.load(NAME, tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(label="true"), "label 'true' is unknown: it is one of auto, circuitnet, wires, routed, rudy"),
        (dict(combine="mean"), "combine 'mean' is unknown: it is one of max, sum, horizontal, vertical"),
        (dict(label="circuitnet"), "'synthetic/64' has no label of CircuitNet's: use label='routed'"),
    ],
)
def test_options_that_are_none(options, message):
    with pytest.raises(ValueError, match=message):
        circuits.load("synthetic/64", **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(name=64), "name is 64: it takes text"),
        (dict(name=b"synthetic/64"), "name is b'synthetic/64': it takes text"),
        (dict(name=["synthetic/64"]), "name is .'synthetic/64'.: it takes text"),
        (dict(name="synthetic/0064"), "'synthetic/0064': did you mean synthetic/64"),
        (dict(name="synthetic/0005"), "asks for 5 cells: synthetic circuits have 16 to 1,000,000"),
        (dict(name="synthetic/" + "9" * 5000), r"asks for 99,.*\.\.\. cells: synthetic circuits have 16 to 1,000,000"),
        (dict(name="x" * 100_000), "no circuit 'xxx"),
        (dict(label=None), "label None is unknown"),
        (dict(label=["routed"]), "label .'routed'. is unknown"),
        (dict(label=np.array(["routed", "rudy"])), "label array.*is unknown"),
        (dict(combine=["max"]), "combine .'max'. is unknown"),
        (dict(name=NAME, root=5), "root is 5: give the path of CircuitNet's folder"),
        (dict(name=NAME, root=["here"]), "root is .'here'.: give the path"),
    ],
)
def test_arguments_of_another_type(arguments, message):
    with pytest.raises(ValueError, match=message) as refused:
        circuits.load(**{"name": "synthetic/64"} | arguments)
    assert len(str(refused.value)) < 2000
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("root", [str, bytes, lambda path: path])
def test_a_root_is_any_path(design, tmp_path, root):
    assert circuits.load(NAME, root(tmp_path), label="rudy").num_nodes == 4


# Bad input


def test_no_root(monkeypatch):
    monkeypatch.delenv("CIRCUITNET_ROOT", raising=False)
    with pytest.raises(FileNotFoundError, match="set CIRCUITNET_ROOT"):
        circuits.load(NAME)
    assert not [name for name in circuits.available() if name.startswith("circuitnet/")]
    assert circuits.default() == "riscv/picorv32"


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
    for name in ("circuitnet/9999-zero-riscy", "riscv/none", "synthetic/356-S", "", "circuitnet/../x", "riscv/../x"):
        with pytest.raises(ValueError, match=f"{PLACEMENT}.*riscv/picorv32.*synthetic/356-R.*synthetic/5000"):
            circuits.load(name, tmp_path)
    with pytest.raises(ValueError, match=f"did you mean {NAME}"):
        circuits.load(NAME[:-1], tmp_path)


def test_a_name_of_the_other_circuitnet_is_recognised():
    with pytest.raises(ValueError, match="CircuitNet-N14, whose files are not read here: take .* CircuitNet-N28"):
        circuits.load("circuitnet/RISCY_freq_50_mp_1_fpu_60_fpa_1.0_p_7_fi_ar")


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
    "a box off the die": ("placement", place(a=[-1, 1, 2, 1]), "outside gcells 0 to 1023"),
    "a box on the moon": ("placement", place(a=[1, 1, 10**9, 1]), "outside gcells 0 to 1023"),
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
