"""Damaged files of every format: each gives a clean error that names the file, or a circuit that is whole."""

import hashlib
import io
import json
import random
import resource
import time
import tracemalloc
import zipfile

import numpy as np
import pytest
import small_def
from small_design import NAME, map_files, small_design, write_design, write_maps

from gsrgnn import circuits
from gsrgnn.circuits import netlist_file, packaged
from gsrgnn.circuits.congestion import routed
from gsrgnn.circuits.data import to_data
from gsrgnn.circuits.synthetic import generate

pytestmark = pytest.mark.filterwarnings("ignore:simulated label", "ignore:.* instances of .* and the others are left")
PER_FILE = 200
SECONDS, MEGABYTES = 20, 500  # for one file, and for all of them over what was there before


def flip(draw, content):
    for _ in range(draw.choice([1, 1, 1, 3, 16])):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)


def cut(draw, content):
    del content[draw.randrange(len(content)) :]


def insert(draw, content):
    at = draw.randrange(len(content) + 1)
    content[at:at] = draw.randbytes(draw.choice([1, 2, 8, 64]))


def remove(draw, content):
    at = draw.randrange(len(content))
    del content[at : at + draw.choice([1, 2, 8, 64])]


def swap(draw, content):
    length = draw.choice([1, 4, 16])
    one, other = sorted(draw.randrange(max(1, len(content) - length)) for _ in range(2))
    content[one : one + length], content[other : other + length] = (
        content[other : other + length],
        content[one : one + length],
    )


def repeat(draw, content):
    at = draw.randrange(len(content))
    content[at:at] = content[at : at + draw.choice([1, 8, 64])] * draw.choice([1, 3])


def fill(draw, content):
    at = draw.randrange(len(content))
    length = len(content[at : at + draw.choice([1, 2, 4, 8])])
    content[at : at + length] = bytes([draw.choice([0, 1, 0x7F, 0x80, 0xFF])]) * length


MUTATIONS = [flip, flip, cut, insert, remove, swap, repeat, fill]


def check_all(file, load, seed):
    """Loads `file` in `PER_FILE` damaged versions; (refused, loaded) counts."""
    whole = file.read_bytes()
    draw = random.Random(seed)
    refused = loaded = 0
    started, peak = time.monotonic(), peak_megabytes()
    for number in range(PER_FILE):
        damaged = bytearray(whole)
        while damaged == whole:
            mutation = draw.choice(MUTATIONS)
            mutation(draw, damaged)
        file.write_bytes(damaged)
        try:
            data = load()
        except (ValueError, FileNotFoundError) as error:
            words = str(error)
            refused += 1
        else:
            words = None
            check_whole(data)
            loaded += 1
        assert words is None or (file.name in words and len(words) < 1000), (number, mutation, words)
    file.write_bytes(whole)
    check_whole(load())
    assert time.monotonic() - started < SECONDS
    assert peak_megabytes() - peak < MEGABYTES
    return refused, loaded


def check_whole(data):
    nodes = data.num_nodes
    assert nodes == len(data.x) == len(data.y) == len(data.pos) == len(data.gcell) == len(data.train_mask) > 0
    assert len(data.cell) == len(data.net) > 0
    assert 0 <= data.cell.min() <= data.cell.max() < nodes
    assert data.net.min() == 0
    for values in (data.x, data.y, data.pos):
        assert values.isfinite().all()
    assert 0 <= data.y.min() <= data.y.max() <= 1
    assert data.gcell.min() >= 0
    assert (data.gcell[:, 2:].max(dim=0).values < data.gcell.new_tensor(data.grid)).all()
    assert (data.gcell[:, :2] <= data.gcell[:, 2:]).all()


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize("kind", ["node_attr", "net_attr", "pin_attr", "placement"])
def test_a_damaged_netlist_or_placement(tmp_path, kind):
    file = write_design(tmp_path, small_design())[kind]
    refused, loaded = check_all(file, lambda: circuits.load(NAME, tmp_path), kind)
    assert refused > PER_FILE / 2
    assert loaded > 0


@pytest.mark.parametrize("way", ["horizontal", "vertical"])
@pytest.mark.parametrize("precision", ["<f8", ">f4"])
def test_a_damaged_map(tmp_path, way, precision):
    write_design(tmp_path, small_design())
    values = np.random.default_rng(0).uniform(0, 2, (10, 10)).astype(precision)
    write_maps(tmp_path, values, values.T)
    refused, loaded = check_all(map_files(tmp_path)[way], lambda: circuits.load(NAME, tmp_path), f"{way}{precision}")
    assert refused > PER_FILE / 4
    assert loaded > 0


def small_arrays():
    """What a file of a shipped circuit holds (`gsrgnn.circuits.netlist_file`), of a synthetic one of 40 cells."""
    netlist = generate(40)
    maps = routed(netlist)
    types, of_cell = np.unique(netlist.cell_type, return_inverse=True)
    return {
        "cell": netlist.cell.astype(np.uint8),
        "net": netlist.net.astype(np.uint8),
        "type": of_cell.astype(np.uint8),
        "types": types,
        "sizes": np.full((len(types), 2), 0.5),
        "box": netlist.box.astype(np.uint16),
        "horizontal": maps.horizontal,
        "vertical": maps.vertical,
        "capacity": np.array(maps.capacity),
        "share": np.array(maps.share),
    }


def shipped(folder, packed):
    """`packed` as the circuit "riscv/small" of `folder`, with a checksum that fits."""
    file = folder / "small.npz"
    file.write_bytes(packed)
    record = {"riscv/small": {"cells": 40, "sha256": hashlib.sha256(packed).hexdigest()}}
    (folder / "origins.json").write_text(json.dumps(record))
    return file


def packed(save=np.savez_compressed, **arrays):
    buffer = io.BytesIO()
    save(buffer, **small_arrays() | arrays)
    return buffer.getvalue()


def test_a_damaged_shipped_file_never_fits_its_checksum(tmp_path):
    file = shipped(tmp_path, packed())
    refused, loaded = check_all(file, lambda: read_small(tmp_path), "sealed")
    assert (refused, loaded) == (PER_FILE, 0)


def read_small(folder):
    netlist, maps = packaged.read("riscv/small", folder)
    return to_data(netlist, "routed", maps=maps)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_shipped_file_whose_checksum_was_forged(tmp_path, save):
    file = shipped(tmp_path, packed(save))

    def forged():
        shipped(tmp_path, file.read_bytes())
        return read_small(tmp_path)

    refused, loaded = check_all(file, forged, save.__name__)
    assert refused > PER_FILE / 2
    assert loaded > 0


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_file_of_ones_own(tmp_path, save):
    file = tmp_path / "mine.npz"
    file.write_bytes(packed(save, about=np.array('{"name": "mine"}')))
    refused, loaded = check_all(file, lambda: circuits.load(file), f"own{save.__name__}")
    assert refused > PER_FILE / 2
    assert loaded > 0


@pytest.mark.parametrize(
    "about", ["", "[]", "null", '{"name": 1}', '{"name": ""}', "[" * 10**5, '{"name": "a\\u0007"}']
)
def test_a_file_that_does_not_say_what_it_is(tmp_path, about):
    file = tmp_path / "mine.npz"
    file.write_bytes(packed(about=np.array(about)))
    with pytest.raises(ValueError, match=r"mine\.npz holds (no word about what it is|about of)"):
        circuits.load(file)


def test_damaged_numbers_of_a_shipped_file_are_refused_or_whole(tmp_path):
    """The same with the mutations inside the arrays, where neither zip nor npy would notice."""
    arrays = small_arrays()
    draw = random.Random("arrays")
    outcomes = {"refused": 0, "loaded": 0}
    for _ in range(PER_FILE):
        name = draw.choice(list(arrays))
        content = bytearray(arrays[name].tobytes())
        draw.choice([flip, swap, fill])(draw, content)
        changed = np.frombuffer(content, arrays[name].dtype).reshape(arrays[name].shape)
        shipped(tmp_path, packed(np.savez, **{name: changed}))
        words = None
        try:
            check_whole(read_small(tmp_path))
            outcomes["loaded"] += 1
        except ValueError as error:
            words = str(error)
            outcomes["refused"] += 1
        assert words is None or "small.npz " in words, (name, words)
    assert min(outcomes.values()) > PER_FILE / 20


def test_a_bomb_is_not_unpacked(tmp_path):
    bomb = packed(horizontal=np.zeros((5_000, 5_000), np.float32))
    assert len(bomb) < 2**20
    before = peak_megabytes()
    with pytest.raises(ValueError, match=r"small\.npz is damaged .*bytes unpacked, of .* allowed"):
        packaged.read("riscv/small", shipped(tmp_path, bomb).parent)
    size = (5_000 * 5_000 * 4 + 128).to_bytes(4, "little")
    assert bomb.count(size) >= 1
    lying = bomb.replace(size, (1000).to_bytes(4, "little"))
    with pytest.raises(ValueError, match=r"small\.npz is damaged"):
        packaged.read("riscv/small", shipped(tmp_path, lying).parent)
    assert peak_megabytes() - before < 50


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_zipfile_unpacks_without_a_bound_is_not_unpacked(method):
    size = 2**24
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("cell.npy", bytes(size))
    lying = buffer.getvalue().replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"small\.npz is damaged .*neither stored nor deflated"):
            netlist_file.unpack(lying, "small.npz")
        assert tracemalloc.get_traced_memory()[1] < size / 4
    finally:
        tracemalloc.stop()


def test_a_directory_of_more_members_than_arrays_is_not_read():
    many = b"PK\1\2" + bytes(42)
    with pytest.raises(ValueError, match=r"small\.npz is damaged .*100,000 members, of 10 needed"):
        netlist_file.unpack(many * 100_000, "small.npz")


def test_objects_and_foreign_members_of_a_shipped_file_are_refused(tmp_path):
    for arrays in ({"types": np.array(["A", None], object)}, {"more": np.zeros(3)}):
        with pytest.raises(ValueError, match=r"small\.npz (is damaged|holds)"):
            packaged.read("riscv/small", shipped(tmp_path, packed(**arrays)).parent)
    buffer = io.BytesIO(packed())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("../../outside.npy", archive.read("cell.npy"))
    with pytest.raises(ValueError, match=r"small\.npz holds .*outside"):
        packaged.read("riscv/small", shipped(tmp_path, buffer.getvalue()).parent)
    assert not list(tmp_path.parent.parent.glob("outside*"))


@pytest.mark.parametrize("name", ["small.def", "small.def.gz"])
def test_a_damaged_def(tmp_path, name):
    file = small_def.write(tmp_path, name=name)
    refused, loaded = check_all(file, lambda: circuits.load(file), name)
    assert refused > PER_FILE / 3
    assert loaded > 0 or name.endswith(".gz")


def test_a_damaged_lef(tmp_path):
    file = small_def.write(tmp_path, small_def.LEF, "small.lef")
    design = small_def.write(tmp_path)
    refused, loaded = check_all(file, lambda: circuits.load(design, lef=file), "lef")
    assert min(refused, loaded) > PER_FILE / 20
