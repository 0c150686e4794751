"""The label that a circuit comes with, for which nothing is routed."""

import numpy as np
import pytest
import small_def
from small_design import NAME, small_design, write_design, write_maps

from gsrgnn import circuits
from gsrgnn.circuits import congestion, known
from gsrgnn.circuits.data import to_data


@pytest.fixture(autouse=True)
def _nothing_is_routed(monkeypatch):
    monkeypatch.delattr(congestion, "routed")


def test_what_ships_has_its_routing():
    netlist, label, maps = known("riscv/picorv32-small")
    assert (label, netlist.cell_name) == ("routed", None)
    assert np.array_equal(to_data(netlist, label, maps=maps).y, circuits.load("riscv/picorv32-small").y)


def test_a_synthetic_circuit_has_none():
    netlist, label, maps = known("synthetic/64")
    assert (label, maps) == (None, None)
    data = to_data(netlist, None)
    assert data.y is None
    assert not {"label", "label_source", "label_scale", "units", "combine", "capacity", "share"} & set(data.keys())
    assert data.x.shape[0] == len(data.train_mask) == 64


def test_a_def_has_its_wires_and_its_cells_names(tmp_path):
    netlist, label, maps = known(small_def.write(tmp_path))
    assert (label, maps.horizontal.shape) == ("wires", netlist.grid)
    assert netlist.cell_name == [r"top/a\[0\]", "b", "c", "d", "ram"]
    no_tracks = "\n".join(line for line in small_def.DEF.splitlines() if not line.startswith("TRACKS"))
    assert known(small_def.write(tmp_path, no_tracks))[1:] == (None, None)
    with pytest.raises(ValueError, match="lef goes with a DEF file, which 'synthetic/64' is not"):
        known("synthetic/64", lef=[])


def test_circuitnet_s_maps_are_taken_where_they_are(tmp_path):
    write_design(tmp_path, small_design())
    netlist, label, maps = known(NAME, tmp_path)
    assert (netlist.cell_name, label, maps) == (["a", "b", "c", "ram"], None, None)
    write_maps(tmp_path, np.ones((10, 10)), np.zeros((10, 10)))
    netlist, label, maps = known(NAME, tmp_path)
    assert label == "circuitnet"
    assert maps.horizontal.all()
