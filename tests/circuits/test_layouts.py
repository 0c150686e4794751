import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.loader import DataLoader

from gsrgnn.circuits import congestion, layouts, netlist_file, packaged
from gsrgnn.circuits.dataset import LayoutDataset
from gsrgnn.circuits.features import FEATURE_NAMES
from gsrgnn.circuits.layouts import Layout
from gsrgnn.circuits.placement_features import PLACED_NAMES

SMALLEST = packaged.names()[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The layouts of the smallest circuit."""
    folder = tmp_path_factory.mktemp("layouts")
    assert layouts.make_all(layouts.grid([SMALLEST]), folder, say=lambda line: None) == len(layouts.grid([SMALLEST]))
    return folder


def test_forty_layouts_of_six_designs_or_more():
    everything = layouts.grid()
    assert len({layout.name for layout in everything}) == len({layout.file for layout in everything}) >= 40
    assert len({layout.design for layout in everything}) >= 6
    assert all(layout.macros == "corners" or packaged.origins()[layout.design]["macros"] for layout in everything)
    with pytest.raises(ValueError, match="no circuit 'riscv/rocket' .*riscv/ibex"):
        layouts.grid(["riscv/rocket"])


def test_the_first_layout_is_the_shipped_one_and_the_others_are_not(made):
    first, *others = layouts.grid([SMALLEST])
    shipped, shipped_maps = packaged.read(SMALLEST)
    netlist, maps, about = netlist_file.read(made / first.file)
    for ours, theirs in ((netlist.cell, shipped.cell), (netlist.net, shipped.net), (netlist.size, shipped.size)):
        assert np.array_equal(ours, theirs)
    assert netlist.cell_type == shipped.cell_type
    assert (netlist.name, about["design"]) == (first.name, SMALLEST)
    length = {layout: np.abs(netlist_file.read(made / layout.file)[0].box - netlist.box).sum() for layout in others}
    assert min(length.values()) > 0
    assert np.array_equal(maps.capacity, shipped_maps.capacity)


@pytest.mark.slow
def test_a_layout_made_again_is_the_same_in_another_process(made, tmp_path):
    layout = Layout(SMALLEST, 0.6, 2.0, "corners", 3)
    assert layout in layouts.grid([SMALLEST])
    layouts.make(layout, tmp_path)
    assert (tmp_path / layout.file).read_bytes() == (made / layout.file).read_bytes()
    program = f"from gsrgnn.circuits import layouts; layouts.make(layouts.{layout!r}, {str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert (tmp_path / layout.file).read_bytes() == (made / layout.file).read_bytes()


def test_a_fuller_die_is_smaller_and_more_congested(made):
    read = {layout: netlist_file.read(made / layout.file) for layout in layouts.grid([SMALLEST])}
    of = {layout.utilisation: read[layout] for layout in read if layout.seed == 0 and layout.aspect == 1}
    area = {utilisation: np.prod(netlist.grid) for utilisation, (netlist, _, _) in of.items()}
    assert area[0.5] > area[0.6] > area[0.7] > area[0.8]
    shares = {utilisation: maps.share for utilisation, (_, maps, _) in of.items()}
    assert shares[0.5] < shares[0.7] < shares[0.8]
    for layout, (netlist, maps, _) in read.items():
        width, height = netlist.grid
        assert width / height == pytest.approx(layout.aspect, rel=0.05)
        label = congestion.cell_label(maps.horizontal, maps.vertical, netlist.box)
        assert (label > 0).mean() == pytest.approx(maps.share, abs=1e-6)


def test_what_is_there_is_kept_and_what_is_damaged_or_of_another_netlist_made_again(made):
    layout = layouts.grid([SMALLEST])[1]
    file = made / layout.file
    whole = file.read_bytes()
    before = {path: path.stat().st_mtime_ns for path in made.iterdir()}
    said = []
    assert layouts.make_all(layouts.grid([SMALLEST]), made, say=said.append) == 0
    assert said[0].startswith(f"{len(before)} of {len(before)} layouts are there")
    assert {path: path.stat().st_mtime_ns for path in made.iterdir()} == before
    netlist, maps, about = netlist_file.read(file)
    for content in (whole[:-100], None):
        if content is None:
            netlist_file.write(file, netlist, maps, about | {"netlist_sha256": "another"})
        else:
            file.write_bytes(content)
        assert not layouts.is_made(layout, made)
        assert layouts.make_all(layouts.grid([SMALLEST]), made, say=said.append) == 1
        assert file.read_bytes() == whole
    assert said[-1] == f"1/1 {layout.name}; about 0 s left"


@pytest.mark.slow
def test_a_killed_call_leaves_whole_files_and_the_next_goes_on(made, tmp_path):
    program = (
        "from gsrgnn.circuits import layouts; "
        f"layouts.make_all(layouts.grid([{SMALLEST!r}]), {str(tmp_path)!r}, say=lambda line: print(line, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("2/"):
                break
        process.kill()
    found = list(tmp_path.glob("[!.]*.npz"))
    assert 2 <= len(found) < len(list(made.iterdir()))
    for file in found:
        assert file.read_bytes() == (made / file.name).read_bytes()
    missing = len(layouts.grid([SMALLEST])) - len(found)
    assert layouts.make_all(layouts.grid([SMALLEST]), tmp_path, jobs=2, say=lambda line: None) == missing
    assert {file.name: file.read_bytes() for file in tmp_path.glob("[!.]*.npz")} == {
        file.name: file.read_bytes() for file in made.iterdir()
    }


# The data set


def test_an_item_is_a_circuit_that_knows_its_layout(made):
    dataset = LayoutDataset(made)
    assert len(dataset) == len(layouts.grid([SMALLEST]))
    assert dataset.designs == [SMALLEST]
    assert repr(dataset) == f"LayoutDataset({len(dataset)} layouts, 1 designs)"
    found = {Layout(data.design, data.utilisation, data.aspect, data.macros, data.seed) for data in dataset}
    assert found == set(layouts.grid([SMALLEST]))
    (data,) = (data for data in dataset if data.aspect == 0.5 and data.utilisation == 0.7)
    netlist, maps, _ = netlist_file.read(made / f"{data.name.replace('/', '-')}.npz")
    label = congestion.cell_label(maps.horizontal, maps.vertical, netlist.box)
    np.testing.assert_allclose(data.y[:, 0].numpy(), label, rtol=1e-6, atol=1e-9)
    assert (data.label_scale, data.units, data.label, data.features) == (1.0, "capacity", "routed", "netlist")
    assert data.grid == netlist.grid
    assert torch.equal(data.x, dataset[0].x), "features know nothing of a layout"
    wire = LayoutDataset(made, label="rudy")[0]
    assert "capacity" not in wire
    assert (wire.label_scale, wire.units) == (1.0, "wire length")
    assert wire.y.max() > 1
    batch = next(iter(DataLoader(dataset, batch_size=2)))
    assert batch.design == [SMALLEST, SMALLEST]
    assert batch.utilisation.tolist() == pytest.approx([dataset[0].utilisation, dataset[1].utilisation])


def test_placed_features_differ_by_layout_and_both_directions_are_two_columns(made):
    one, other = (LayoutDataset(made, combine="both", features="placed")[i] for i in (0, 1))
    netlist_columns = [PLACED_NAMES.index(name) for name in FEATURE_NAMES]
    assert torch.equal(one.x[:, netlist_columns], other.x[:, netlist_columns])
    assert not torch.equal(one.x, other.x)
    assert (one.features, one.y.shape) == ("placed", (one.num_nodes, 2))
    netlist, maps, _ = netlist_file.read(made / f"{one.name.replace('/', '-')}.npz")
    label = congestion.cell_label(maps.horizontal, maps.vertical, netlist.box, "both")
    np.testing.assert_allclose(one.y.numpy(), label, rtol=1e-6, atol=1e-9)


def test_a_split_has_no_design_in_two_parts(made, tmp_path):
    file = made / layouts.grid([SMALLEST])[0].file
    netlist, maps, about = netlist_file.read(file)
    for design in ("one", "two", "three"):
        for seed in range(2):
            named = replace(netlist, name=f"{design}-{seed}")
            netlist_file.write(
                tmp_path / f"{design}{seed}.npz", named, maps, about | {"design": design, "name": design}
            )
    dataset = LayoutDataset(tmp_path)
    parts = dataset.split(val=["two"], test=["three"])
    assert [part.designs for part in parts] == [["one"], ["two"], ["three"]]
    assert [{data.design for data in part} for part in parts] == [{"one"}, {"two"}, {"three"}]
    assert [len(part) for part in parts] == [2, 2, 2]
    assert [len(part) for part in parts[0].split(test=["one"])] == [0, 0, 2]
    with pytest.raises(ValueError, match="no layouts of a design 'four': there are one, three, two"):
        dataset.split(val=["four"])
    with pytest.raises(ValueError, match="val and test both name two"):
        dataset.split(val=["two"], test=["two"])


def test_folders_without_layouts_say_how_to_make_them(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*none: make them with `gsrgnn data layouts -o"):
        LayoutDataset(tmp_path / "none")
    with pytest.raises(ValueError, match="has no layouts: make them"):
        LayoutDataset(tmp_path)
    with pytest.raises(ValueError, match="label 'circuitnet' is unknown: layouts have routed or rudy"):
        LayoutDataset(tmp_path, label="circuitnet")
    with pytest.raises(ValueError, match="combine is 'min'"):
        LayoutDataset(tmp_path, combine="min")
    with pytest.raises(ValueError, match="features 'all' is unknown: it is one of netlist, placed"):
        LayoutDataset(tmp_path, features="all")
    with pytest.raises(ValueError, match="label 'rudy' has no two directions"):
        LayoutDataset(tmp_path, label="rudy", combine="both")
    file = tmp_path / "shipped.npz"
    file.write_bytes(packaged.path(SMALLEST).read_bytes())
    with pytest.raises(ValueError, match=r"shipped\.npz holds no word about what it is"):
        LayoutDataset(tmp_path)
    netlist_file.write(file, *packaged.read(SMALLEST), {})
    with pytest.raises(ValueError, match=r"shipped\.npz is no layout"):
        LayoutDataset(tmp_path)
