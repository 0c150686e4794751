import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_def import DEF, LEF, write

from gsrgnn import circuits
from gsrgnn.circuits import congestion, r2g
from gsrgnn.circuits.dataset import CircuitDataset
from gsrgnn.circuits.design import read_def
from gsrgnn.circuits.usage import usage

WITH_R2G = pytest.mark.skipif(not os.environ.get("R2G_ROOT"), reason="R2G_ROOT is not set: needs its files")
HEAD = """VERSION 5.8 ;
DESIGN four ;
UNITS DISTANCE MICRONS 10 ;
DIEAREA ( 0 0 ) ( 200 200 ) ;
ROW r0 core 0 0 N DO 20 BY 1 STEP 10 0 ;
ROW r1 core 0 100 N DO 20 BY 1 STEP 10 0 ;
TRACKS X 5 DO 20 STEP 10 LAYER m2 ;
TRACKS Y 5 DO 10 STEP 20 LAYER m2 m3 ;
TRACKS X 5 DO 20 STEP 10 LAYER m4 ;
GCELLGRID X 0 DO 2 STEP 100 ;
GCELLGRID Y 0 DO 2 STEP 100 ;
COMPONENTS 2 ;
- a A + PLACED ( 0 0 ) N ;
- b A + PLACED ( 100 100 ) N ;
END COMPONENTS
NETS 1 ;
- n ( a I ) ( b I )
"""
TAIL = """ ;
END NETS
END DESIGN
"""


def four(folder, wires):
    """A die of two by two gcells, 10 microns wide; m2 has ten vertical tracks a gcell, m3 five horizontal ones."""
    return read_def(write(folder, HEAD + wires + TAIL))


def test_wires_are_counted_where_they_run(tmp_path):
    maps = usage(four(tmp_path, "+ ROUTED m3 ( 50 5 ) ( 175 * ) NEW m2 ( 105 20 ) ( * 120 ) NEW m3 ( 0 115 ) ( 20 * )"))
    np.testing.assert_allclose(maps.horizontal, [[0.5 / 5, 0.2 / 5], [0.75 / 5, 0]])
    np.testing.assert_allclose(maps.vertical, [[0, 0], [0.8 / 10, 0.2 / 10]])
    assert maps.capacity == (5, 10)


def test_a_via_takes_a_piece_of_track_on_both_its_layers(tmp_path):
    maps = usage(four(tmp_path, "+ ROUTED m3 ( 50 5 ) ( 60 * ) NEW m2 ( 5 20 ) ( * 21 ) NEW m2 ( 100 100 ) up"))
    horizontal, vertical = np.zeros((2, 2)), np.zeros((2, 2))
    horizontal[:, 1] = 0.1  # on m3 2 microns of 10, in the gcells left and right of the via
    horizontal[0, 0] = 0.1
    vertical[1, :] = 0.05  # on m2 1 micron of 10
    vertical[0, 0] = 0.01
    np.testing.assert_allclose(maps.horizontal, horizontal / 5)
    np.testing.assert_allclose(maps.vertical, vertical / 10)


def test_what_a_long_wire_takes_adds_up(tmp_path):
    design = read_def(write(tmp_path))
    maps = usage(design)
    ends = design.wires.ends
    width = np.diff(design.borders[0])[:, None]
    tracks = np.array([15, 15, 15, 15])  # m3 alone runs horizontally
    vias = 2 * 1  # on m3, a pitch each
    assert (maps.horizontal * tracks * width).sum() == pytest.approx(np.abs(ends[:, 2] - ends[:, 0]).sum() + vias)


def test_a_lef_says_which_way_a_layer_runs(tmp_path):
    turned = LEF.replace("HORIZONTAL", "X").replace("VERTICAL", "HORIZONTAL").replace("X ;", "VERTICAL ;")
    maps = usage(read_def(write(tmp_path), write(tmp_path, turned, "small.lef")))
    assert maps.capacity == (15, 15)  # m2 by its y tracks, m3 by its x tracks; m4 has none in y


def test_no_wires_or_no_tracks_for_them(tmp_path):
    with pytest.raises(ValueError, match="has no wires: take the DEF that was written after routing"):
        usage(four(tmp_path, ""))
    design = read_def(write(tmp_path, re.sub("TRACKS.*", "", DEF)))
    with pytest.raises(ValueError, match="has wires and no TRACKS for them: .* label='routed'"):
        usage(design)


def test_load_makes_a_label_of_the_wires(tmp_path):
    path = write(tmp_path)
    data = circuits.load(path)
    assert (data.label, data.label_source, data.name) == ("wires", "the wires of a DEF file", str(path))
    maps = usage(read_def(path))
    label = congestion.cell_label(maps.horizontal, maps.vertical, data.gcell.numpy())
    np.testing.assert_allclose(data.y[:, 0] * data.label_scale, label, rtol=1e-6)
    assert data.capacity == maps.capacity
    assert (data.cells_in_netlist, data.cells_in_placement) == (5, 6)
    placed = write(tmp_path, re.sub(r"(?s)\+ (ROUTED|FIXED|NOSHIELD) m\d[^;+]*", "", DEF).replace("ROUTED m3", ""))
    assert circuits.load(placed).label == "routed"
    assert circuits.load(path, label="rudy").label == "rudy"
    with pytest.raises(ValueError, match="has no wires"):
        circuits.load(placed, label="wires")
    for wrong in ({"label": "wires"}, {"lef": path}):
        with pytest.raises(ValueError, match="goes with a DEF file, which 'synthetic/64' is not"):
            circuits.load("synthetic/64", **wrong)
    with pytest.raises(ValueError, match="has no label of CircuitNet's"):
        circuits.load(path, label="circuitnet")


def test_a_data_set_notices_another_file(tmp_path):
    path = write(tmp_path)
    first = CircuitDataset(tmp_path / "kept", str(path)).processed_file_names
    write(tmp_path, DEF.replace("( 20500 *", "( 30500 *"))
    second = CircuitDataset(tmp_path / "kept", str(path))
    assert first != second.processed_file_names
    assert second[0].label == "wires"


def test_names_of_r2g(tmp_path, monkeypatch):
    monkeypatch.delenv("R2G_ROOT", raising=False)
    assert r2g.names() == []
    with pytest.raises(
        FileNotFoundError, match="R2G's folder is not known: set R2G_ROOT to it, or run gsrgnn data fetch"
    ):
        circuits.load("r2g/small")
    monkeypatch.setenv("R2G_ROOT", str(tmp_path))
    for kind, name in (("routing_def", "one_route.def.gz"), ("placement_def", "two_place.def")):
        (tmp_path / kind).mkdir()
        write(tmp_path / kind, name=name)
    shutil.copy(tmp_path / "placement_def" / "two_place.def", tmp_path / "placement_def" / "one_place.def")
    assert r2g.names() == ["r2g/one", "r2g/two"]
    assert {"r2g/one", "r2g/two"} <= set(circuits.available())
    assert r2g.path("r2g/one") == tmp_path / "routing_def" / "one_route.def.gz"
    data = circuits.load("r2g/one")
    assert (data.name, data.label, data.label_source) == ("r2g/one", "wires", "OpenROAD routes (R2G)")
    assert circuits.read("r2g/two").name == "r2g/two"
    with pytest.raises(FileNotFoundError, match=r"no design 'r2g/../one' in .* .there are: r2g/one, r2g/two.: run"):
        circuits.load("r2g/../one")


@WITH_R2G
def test_our_router_agrees_with_openroad_on_the_length_of_wires():
    """Within a tenth, on every design: both connect the same pins over the same die."""
    for name in r2g.names():
        design = read_def(r2g.path(name))
        if not len(design.wires.net):
            continue
        netlist = design.netlist
        routes = congestion.routes(netlist, (1e9, 1e9))
        step = np.median(np.diff(design.borders[0]))
        assert routes.length * step == pytest.approx(design.total_wire_length, rel=0.1)


@WITH_R2G
def test_usage_of_a_design_is_a_share_of_its_tracks():
    path = next(Path(os.environ["R2G_ROOT"], "routing_def").glob("i2c_verilog_route.def*"))
    design = read_def(path)
    maps = usage(design)
    assert 0 < maps.horizontal.max() < 1
    assert 0 < maps.vertical.max() < 1
    assert circuits.load(path).label_source == "OpenROAD routes (R2G)"
