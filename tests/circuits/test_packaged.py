import hashlib
import io
import json
import shutil
import zipfile

import numpy as np
import pytest

from gsrgnn.circuits import library, netlist_file, packaged, statistics
from gsrgnn.circuits.congestion import cell_label
from gsrgnn.circuits.features import FEATURE_NAMES, MACRO_HEIGHT, cell_features

NAMES = packaged.names()
SMALLEST = "riscv/picorv32-small"
LICENCES = {
    "riscv/picorv32-small": "ISC",
    "riscv/picorv32": "ISC",
    "riscv/vexriscv": "MIT",
    "riscv/ibex": "Apache-2.0",
    "riscv/cv32e40p": "Apache-2.0",
    "crypto/sha256": "BSD-2-Clause",
    "bus/axi-crossbar": "MIT",
    "dsp/fft": "MIT",
}


@pytest.fixture(scope="module")
def circuits():
    return {name: packaged.read(name) for name in NAMES}


def test_circuits_of_four_families_of_5_to_35_thousand_cells_and_over_20_million_edges_in_8_megabytes():
    records = packaged.origins()
    assert set(NAMES) == set(LICENCES)
    cells = [record["cells"] for record in records.values()]
    assert cells == sorted(cells)
    assert 4_000 < cells[0] < 7_000
    assert 30_000 < cells[-1] < 40_000
    assert max(record["edges"] for record in records.values()) > 20_000_000
    assert max(record["macros"] for record in records.values()) > 0
    assert sum(packaged.path(name).stat().st_size for name in NAMES) < 8e6


@pytest.mark.parametrize("name", NAMES)
def test_counts_are_those_of_the_origins(name, circuits):
    netlist, maps = circuits[name]
    record, counts = packaged.origins()[name], statistics.summary(netlist)
    assert {key: record[key] for key in ("cells", "nets", "pins", "edges")} == {
        key: counts[key] for key in ("cells", "nets", "pins", "edges")
    }
    assert record["max_degree"] == counts["clique degree, largest"]
    assert record["macros"] == (netlist.size[:, 1] > MACRO_HEIGHT).sum()
    assert record["grid"] == list(netlist.grid) == list(maps.horizontal.shape)
    assert record["capacity"] == list(maps.capacity)
    assert 3 < counts["pins a cell"] < 5
    assert counts["clique degree, median"] > 5


@pytest.mark.parametrize("name", NAMES)
def test_every_origin_names_its_versions_and_its_licence(name):
    record = packaged.origins()[name]
    assert record["licence"] == LICENCES[name]
    assert all(record[key] for key in ("package", "package_version", "upstream", "top", "yosys", "script_sha256"))
    from_the_package_itself = record["package"] in record["upstream"]
    assert from_the_package_itself or len(record["upstream_commit"]) == 40
    licences = (packaged.FOLDER / "LICENSES.txt").read_text()
    assert record["upstream"] in licences
    assert packaged.path(name).name in licences


@pytest.mark.parametrize("name", NAMES)
def test_cells_have_neighbours_sizes_and_a_place(name, circuits):
    netlist, _ = circuits[name]
    net_size = np.bincount(netlist.net)
    others = np.zeros(netlist.num_cells, dtype=np.int64)
    np.maximum.at(others, netlist.cell, net_size[netlist.net] - 1)
    assert others.min() >= 1
    np.testing.assert_allclose(netlist.size, [library.size_of(kind) for kind in netlist.cell_type])
    width, height = netlist.grid
    assert netlist.box.min() >= 0
    assert (netlist.box[:, 2:] < [width, height]).all()
    taken = np.zeros(netlist.grid, dtype=np.int64)
    macro = netlist.size[:, 1] > MACRO_HEIGHT
    for left, bottom, right, top in netlist.box[macro]:
        taken[left : right + 1, bottom : top + 1] += 1
    assert taken.max(initial=0) <= 1
    x, y = netlist.centre[~macro].astype(int).T
    assert taken[x, y].sum() == 0
    gcells = (netlist.box[:, 2:] - netlist.box[:, :2] + 1).prod(axis=1)
    area = np.zeros(netlist.grid)
    for (left, bottom, right, top), part in zip(netlist.box, netlist.size.prod(axis=1) / gcells, strict=True):
        area[left : right + 1, bottom : top + 1] += part
    assert area.max() < 2


@pytest.mark.parametrize("name", NAMES)
def test_features_and_labels_tell_cells_apart(name, circuits):
    netlist, maps = circuits[name]
    x = cell_features(netlist)
    functions = [column for column in FEATURE_NAMES if column.startswith("is ")]
    shares = dict(zip(functions, x.mean(axis=0), strict=False))
    macros = packaged.origins()[name]["macros"]
    assert shares["is other"] + shares["is constant"] == pytest.approx(shares["is macro"])
    assert 0.05 < shares["is flip-flop"] < 0.3
    assert np.isfinite(x).all()
    varies = dict(zip(FEATURE_NAMES, x.std(axis=0) > 0, strict=True))
    constant = [column for column in FEATURE_NAMES[len(functions) :] if not varies[column]]
    assert constant == ([] if macros else ["height"])  # without macros all are one row high
    label = cell_label(maps.horizontal, maps.vertical, netlist.box)
    assert (label > 0).mean() == pytest.approx(maps.share, abs=1e-6)
    assert len(np.unique(label)) > 100


def test_placement_keeps_nets_together(circuits):
    for netlist, _ in circuits.values():
        small = np.bincount(netlist.net)[netlist.net] == 2
        order = np.argsort(netlist.net[small], kind="stable")
        cells = netlist.cell[small][order].reshape(-1, 2)
        apart = np.abs(np.diff(netlist.centre[cells], axis=1)).sum(axis=(1, 2))
        assert apart.mean() < 0.2 * sum(netlist.grid) / 3  # at random, a third of each side


def rewrite(folder, change):
    """The smallest circuit in `folder` with its arrays changed and a checksum that agrees."""
    shutil.copy(packaged.path(SMALLEST), folder)
    file = folder / packaged.path(SMALLEST).name
    with np.load(file) as packed:
        arrays = dict(packed)
    change(arrays)
    np.savez_compressed(file, **arrays)
    return sign(folder, file)


def sign(folder, file):
    record = packaged.origins()[SMALLEST] | {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    (folder / packaged.ORIGINS).write_text(json.dumps({SMALLEST: record}))
    return file


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda a: a.pop("net"), "needed cell, net"),
        (lambda a: a.update(types=a["types"].astype(object)), "damaged"),
        (lambda a: a.update(net=a["net"][:-1]), "pins' nets"),
        (lambda a: a.update(net=a["net"].astype(np.int32)), "net of int32"),
        (lambda a: a.update(cell=a["cell"] + np.uint16(1)), "leave out a cell"),
        (lambda a: a.update(net=a["net"].astype(np.uint64) * 2**50), "leave out a net"),
        (lambda a: a["type"].fill(200), "a cell of a type without a name"),
        (lambda a: a["box"].fill(5_000), "a box outside its die"),
        (lambda a: a.update(box=a["box"][:, :3]), "boxes of shape"),
        (lambda a: a["horizontal"].__setitem__((0, 0), np.nan), "horizontal that is no size"),
        (lambda a: a.update(vertical=a["vertical"][1:]), "maps of two shapes"),
        (lambda a: a["sizes"].fill(0), "no width or height"),
        (lambda a: a.update(share=np.array(2.0)), "out of range"),
    ],
)
def test_a_file_that_is_no_netlist_is_refused_by_name(change, found, tmp_path):
    file = rewrite(tmp_path, change)
    with pytest.raises(ValueError, match=found) as refused:
        packaged.read(SMALLEST, tmp_path)
    assert str(file) in str(refused.value)


def test_what_is_written_unchanged_is_read_unchanged(tmp_path):
    rewrite(tmp_path, lambda arrays: None)
    (one, one_maps), (other, other_maps) = packaged.read(SMALLEST, tmp_path), packaged.read(SMALLEST)
    np.testing.assert_array_equal(one.net, other.net)
    np.testing.assert_array_equal(one_maps.vertical, other_maps.vertical)


def test_other_bytes_than_the_checksum_are_refused(tmp_path):
    file = rewrite(tmp_path, lambda arrays: None)
    packed = bytearray(file.read_bytes())
    packed[len(packed) // 2] ^= 1
    file.write_bytes(packed)
    with pytest.raises(ValueError, match="checksum") as refused:
        packaged.read(SMALLEST, tmp_path)
    assert str(file) in str(refused.value)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    file = tmp_path / packaged.path(SMALLEST).name
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        np.save(header, np.zeros(1, np.uint16))
        archive.writestr("cell.npy", header.getvalue()[:128] + bytes(netlist_file.MAX_BYTES))
    sign(tmp_path, file)
    with pytest.raises(ValueError, match="allowed"):
        packaged.read(SMALLEST, tmp_path)


def test_missing_files_and_names_say_what_there_is(tmp_path):
    with pytest.raises(FileNotFoundError, match="origins.json"):
        packaged.read(SMALLEST, tmp_path)
    with pytest.raises(ValueError, match="riscv/cv32e40p"):
        packaged.read("riscv/rocket")
    rewrite(tmp_path, lambda arrays: None).unlink()
    with pytest.raises(FileNotFoundError, match="picorv32-small.npz"):
        packaged.read(SMALLEST, tmp_path)
    (tmp_path / packaged.ORIGINS).write_text('{"riscv/x": {}}')
    with pytest.raises(ValueError, match="origins.json is damaged"):
        packaged.read(SMALLEST, tmp_path)
