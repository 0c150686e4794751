import numpy as np
import pytest
import torch

from gsrgnn import circuits
from gsrgnn.circuits.features import FEATURE_NAMES
from gsrgnn.circuits.synthetic import generate


def test_the_same_circuit_every_time():
    one, other = circuits.load("synthetic/2000"), circuits.load("synthetic/2000")
    for key in ("x", "y", "pos", "cell", "net", "train_mask", "val_mask", "test_mask"):
        assert torch.equal(one[key], other[key]), key
    assert not np.array_equal(generate(2000).net, generate(2000, seed=1).net)


def test_its_data():
    data = circuits.load("synthetic/2000")
    assert data.name == "synthetic/2000"
    assert data.label_source == "simulated: RUDY"
    assert data.num_nodes == 2000
    assert data.x.shape == (2000, len(FEATURE_NAMES))
    assert data.x.dtype == data.y.dtype == data.pos.dtype == torch.float32
    assert data.y.shape == (2000, 1)
    assert data.y.min() >= 0
    assert data.y.max() == 1
    assert data.cell.dtype == data.net.dtype == torch.int64
    assert int(data.train_mask.sum()) == 1600


@pytest.mark.parametrize("cells", [16, 100, 12_345])
def test_its_shape(cells):
    netlist = generate(cells)
    size = np.bincount(netlist.net)
    assert size.min() >= 2
    assert netlist.cell.max() == cells - 1
    has_neighbour = np.zeros(cells, dtype=bool)
    for net in np.split(netlist.cell[np.argsort(netlist.net, kind="stable")], np.cumsum(size)[:-1]):
        has_neighbour[net] |= len(np.unique(net)) > 1
    assert has_neighbour.all()
    if cells > 10_000:
        assert 3 < len(netlist.cell) / cells < 5
        assert np.median(size) <= 3
        assert size.max() > 100 * np.median(size)


@pytest.mark.parametrize("name", ["synthetic/15", "synthetic/1000001"])
def test_sizes_there_are_not(name):
    with pytest.raises(ValueError, match=r"synthetic circuits have 16 to 1,000,000"):
        circuits.load(name)
