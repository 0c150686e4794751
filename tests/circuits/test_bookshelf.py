import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gsrgnn import circuits
from gsrgnn.circuits import congestion
from gsrgnn.circuits.bookshelf import read_bookshelf

# Three movable nodes of one row's height, one of them turned, a block that is fixed and a pad of no size.
FILES = {
    "aux": "RowBasedPlacement : small.nodes small.nets small.wts small.pl small.scl\n",
    "nodes": """UCLA nodes 1.0
# Created by hand

NumNodes : 5
NumTerminals : 2
  a 4 12
  b 6 12
  c\t12 6
  block 60 48 terminal
  pad 0 0 terminal_NI
""",
    "nets": """UCLA nets 1.0

NumNets : 3
NumPins : 7
NetDegree : 3   n0
  a I : -1.0 2.0
  b O : 0 0
  block B : 10 -20   # a comment
NetDegree : 0 nothing
NetDegree : 4 n1
  c I : 5 1
  a O
  pad I :0 0
  a I : 1 1
""",
    "wts": "UCLA wts 1.0\n",
    "pl": """UCLA pl 1.0
a 100 200 : N
b 110 200 : FN
c 130 212 : W
block 0 0 : S /FIXED
pad 240 239 : N /FIXED_NI
""",
    "scl": """UCLA scl 1.0
NumRows : 2
CoreRow Horizontal
  Coordinate : 200
  Height : 12
  Sitewidth : 1
  Sitespacing : 1
  Siteorient : 1
  Sitesymmetry : 1
  SubrowOrigin : 0 NumSites : 240
End
CoreRow Horizontal
  Coordinate : 212
  Height : 12
  Sitewidth : 1
  Sitespacing : 1
  Siteorient : N
  Sitesymmetry : Y
  SubrowOrigin : 0
  NumSites : 240
End
""",
}
ROUTE = """route 1.0
Grid : 25 24 2
VerticalCapacity : 0 40
HorizontalCapacity : 40 20
MinWireWidth : 1 1
MinWireSpacing : 1 3
ViaSpacing : 0 0
GridOrigin : -5 0
TileSize : 10 10
BlockagePorosity : 0
NumNiTerminals : 1
  pad 2
"""


def write(folder, **changed):
    for kind, text in (FILES | changed).items():
        if text is not None:
            (folder / f"small.{kind}").write_text(text)
    return folder / "small.aux"


def changed(kind, old, new):
    assert FILES[kind].count(old) == 1
    return {kind: FILES[kind].replace(old, new)}


def test_cells_nets_places_and_pins(tmp_path):
    netlist = read_bookshelf(write(tmp_path))
    assert netlist.name == str(tmp_path / "small.aux")
    assert netlist.cell.tolist() == [0, 1, 3, 2, 0, 4, 0]
    assert netlist.net.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert netlist.cell_type == ["node_4x12", "node_6x12", "node_12x6", "node_60x48", "node_0x0"]
    assert netlist.cell_name == ["a", "b", "c", "block", "pad"]
    gcell = 12 / 0.47  # rows of 12 are 0.47 gcells high
    assert netlist.grid == (np.ceil(240 / gcell), np.ceil(239 / gcell))  # rows end at 224, the pad lies at 239
    np.testing.assert_allclose(netlist.size * gcell, [[4, 12], [6, 12], [6, 12], [60, 48], [0, 0]])
    assert netlist.capacity is None
    places = [[101, 208], [113, 206], [20, 44], [132, 223], [102, 206], [240, 239], [103, 207]]
    np.testing.assert_allclose(netlist.pin * gcell, places, rtol=1e-6)
    assert netlist.box[3].tolist() == [0, 0, 2, 1]
    at = (np.array([[100, 200], [104, 212]]) / gcell).astype(int)
    assert netlist.box[0].tolist() == [*at[0], *at[1]]
    assert netlist.box[4].tolist() == [9, 9, 9, 9]


def test_a_node_on_no_net_is_no_cell(tmp_path):
    nets = FILES["nets"].replace("NumPins : 7", "NumPins : 6").replace("NetDegree : 3 ", "NetDegree : 2 ")
    netlist = read_bookshelf(write(tmp_path, nets=nets.replace("  b O : 0 0\n", "")))
    assert netlist.cell.tolist() == [0, 2, 1, 0, 3, 0]
    assert netlist.cell_type == ["node_4x12", "node_12x6", "node_60x48", "node_0x0"]
    assert len(netlist.box) == len(netlist.size) == 4


def test_tiles_and_tracks_of_a_route_file(tmp_path):
    aux = write(tmp_path, aux=FILES["aux"].replace("small.scl", "small.scl small.route"), route=ROUTE)
    netlist = read_bookshelf(aux)
    assert netlist.grid == (25, 24)
    assert netlist.capacity == (40 / 2 + 20 / 4, 40 / 4)
    np.testing.assert_allclose(netlist.pin[0], [10.6, 20.8])
    assert netlist.box[0].tolist() == [10, 20, 10, 21]
    found = congestion.routed(netlist)
    assert found.capacity == netlist.capacity
    write(tmp_path, aux=FILES["aux"].replace("small.scl", "small.scl small.route"), route="UCLA " + ROUTE)
    assert read_bookshelf(aux).capacity == netlist.capacity
    assert congestion.routed(replace(netlist, capacity=(0.1, 0.1))).share > 0


def test_a_circuit_by_its_path_has_features_and_a_label(tmp_path):
    data = circuits.load(str(write(tmp_path)))
    assert (data.num_nodes, len(data.cell), data.label, data.name) == (5, 7, "routed", str(tmp_path / "small.aux"))
    assert circuits.read(write(tmp_path)).num_cells == 5
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.aux"):
        circuits.load(str(tmp_path / "none.aux"))
    with pytest.raises(ValueError, match="has no label of CircuitNet's"):
        circuits.load(str(write(tmp_path)), label="circuitnet")


def test_the_placement_of_a_placer(tmp_path):
    aux = write(tmp_path, pl="UCLA pl 1.0\n" + "".join(f"{name} 0 0 : N\n" for name in ("a", "b", "c", "block", "pad")))
    with pytest.raises(ValueError, match=r"small\.pl holds no placement, all 3 movable nodes lie at 0 0: give that of"):
        read_bookshelf(aux)
    other = tmp_path / "placed.pl"
    other.write_text(FILES["pl"])
    whole = tmp_path / "whole"
    whole.mkdir()
    assert np.array_equal(read_bookshelf(aux, pl=other).box, read_bookshelf(write(whole)).box)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed("nodes", "NumNodes : 5", "NumNodes : 6"), r"small\.nodes, line 4: NumNodes is 6, and the file has 5"),
        (changed("nodes", "NumTerminals : 2", ""), r"small\.nodes has no NumTerminals"),
        (changed("nodes", "  a 4 12", "  a nan 12"), r"small\.nodes, line 6: 'nan 12' is not what belongs here"),
        (changed("nodes", "  a 4 12", "  a 1e300 12"), r"small\.nodes, line 6: '1e300 12'"),
        (changed("nodes", "  a 4 12", "  a 4 -12"), r"small\.nodes, line 6: '4 -12'"),
        (changed("nodes", "  a 4 12", "  b 4 12"), r"small\.nodes, line 7: node 'b' is there twice"),
        (changed("nodes", "  a 4 12", "  a 4"), r"small\.nodes, line 6: needed a name, a width"),
        (changed("nodes", "UCLA nodes", "UCLA nets"), r"small\.nodes, line 1: this is no \.nodes file"),
        (changed("nodes", "NumNodes : 5", f"NumNodes : {10**30}"), r"line 4: NumNodes needs a number"),
        ({"nodes": ""}, r"small\.nodes is empty"),
        (changed("nets", "NumPins : 7", "NumPins : 8"), r"small\.nets, line 4: NumPins is 8, and the file has 7"),
        (changed("nets", "NumNets : 3", "NumNets : 2"), r"small\.nets, line 3: NumNets is 2"),
        (changed("nets", "  b O : 0 0\n", ""), r"small\.nets, line 8: a net before this line lacks 1 of its 3 pins"),
        (changed("nets", "NetDegree : 3", "NetDegree : 2"), r"small\.nets, line 8: a pin more than its net has"),
        (changed("nets", "  b O : 0 0", "  z O : 0 0"), r"small\.nets, line 7: node 'z' is not in the \.nodes file"),
        (changed("nets", "-1.0 2.0", "-1.0 inf"), r"small\.nets, line 6: '-1\.0 inf' is not"),
        (changed("nets", "  a I : 1 1\n", ""), r"small\.nets, line 10: the file ends 1 pins before this net does"),
        (
            changed("pl", "b 110 200 : FN\n", ""),
            r"small\.pl, line 5: the file ends without a place for 1 nodes, as 'b'",
        ),
        (changed("pl", "b 110 200", "a 110 200"), r"small\.pl places a node twice"),
        (changed("pl", "b 110 200", "z 110 200"), r"small\.pl, line 3: node 'z' is not"),
        (changed("pl", "b 110 200", "b nan 200"), r"small\.pl, line 3: 'nan 200' is not"),
        (changed("pl", "b 110 200", "b 999 200"), r"small\.pl: 1 nodes lie outside the die of .* gcells, as 'b'"),
        (changed("pl", ": FN", ": NF"), r"small\.pl, line 3: 'NF' is no orientation"),
        (changed("pl", "b 110 200 : FN", "b 110"), r"small\.pl, line 3: needed a node, two coordinates"),
        (changed("pl", "block 0 0", "block 0 -1e11"), r"small\.scl: the die would be"),
        (changed("scl", "NumRows : 2", "NumRows : 3"), r"small\.scl, line 2: NumRows is 3"),
        (changed("scl", "  SubrowOrigin : 0 NumSites : 240\n", ""), r"line 10: a row without numsites, subroworigin"),
        (changed("scl", "NumRows : 2\n", "NumRows : 2\nEnd\n"), r"small\.scl, line 3: 'End' outside a row"),
        ({"scl": FILES["scl"][:-8]}, r"small\.scl, line 20: the file ends within a row"),
        (changed("aux", "small.pl", "../small.pl"), r"small\.aux, line 1: '\.\./small\.pl' is no file of the same"),
        (changed("aux", "small.pl", ""), r"small\.aux names no \.pl file"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, change, said):
    with pytest.raises(ValueError, match=said):
        read_bookshelf(write(tmp_path, **change))


@pytest.mark.parametrize("kind", ["nodes", "nets", "pl", "scl", "wts"])
def test_a_file_of_the_set_that_is_missing(tmp_path, kind):
    aux = write(tmp_path)
    (tmp_path / f"small.{kind}").unlink()
    with pytest.raises(FileNotFoundError, match=rf"no file .*small\.{kind}"):
        read_bookshelf(aux)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Grid : 25 24 2", "Grid : 25 24 3", "line 3: VerticalCapacity has 2 numbers, needed 3"),
        ("Grid : 25 24 2", "Grid : 1e9 24 2", "the die would be 1e.09 x 24 gcells"),
        ("TileSize : 10 10", "TileSize : 0 10", "line 9: a tile without an area"),
        ("TileSize : 10 10", "", "has no TileSize: it is cut short"),
        ("HorizontalCapacity : 40 20", "HorizontalCapacity : 0 0", "line 4: no tracks in one of the directions"),
        ("HorizontalCapacity : 40 20", "HorizontalCapacity : 40 -20", "line 4: '40 -20' is not what belongs here"),
    ],
)
def test_a_route_file_that_is_none(tmp_path, old, new, said):
    assert ROUTE.count(old) == 1
    aux = FILES["aux"].replace("small.scl", "small.scl small.route")
    with pytest.raises(ValueError, match=rf"small\.route.*{said}"):
        read_bookshelf(write(tmp_path, aux=aux, route=ROUTE.replace(old, new)))


def test_damaged_files_are_refused_by_name_or_whole(tmp_path):
    """Bytes changed, lines dropped and ends cut, at random: an error of ours, or a netlist that the router takes."""
    draw = random.Random(0)
    refused = 0
    for _ in range(400):
        aux = write(tmp_path)
        file: Path = tmp_path / f"small.{draw.choice(list(FILES))}"
        content = bytearray(file.read_bytes())
        for _ in range(draw.randint(1, 3)):
            content[draw.randrange(len(content))] = draw.choice(b"\0 \n9-:.e#\xff")
        file.write_bytes(content[: draw.choice([len(content), draw.randrange(len(content))])])
        words = None
        try:
            congestion.routed(read_bookshelf(aux))
        except (ValueError, FileNotFoundError) as error:
            words = str(error)
            refused += 1
        assert words is None or str(tmp_path) in words
    assert 40 < refused < 400
