import gzip
import os
import random
import re
from pathlib import Path

import numpy as np
import pytest
from small_def import DEF, LEF, write

from gsrgnn.circuits import cell_sizes, words
from gsrgnn.circuits.design import GUESSED, read_def
from gsrgnn.circuits.lef import read_lef

WITH_R2G = pytest.mark.skipif(not os.environ.get("R2G_ROOT"), reason="R2G_ROOT is not set: needs its files")


def test_cells_nets_pins_and_names(tmp_path):
    design = read_def(write(tmp_path))
    netlist = design.netlist
    assert design.name == "small"
    assert design.die == (0, 0, 60, 60)
    assert design.cell_names == [r"top/a\[0\]", "b", "c", "d", "ram"]
    assert design.net_names == ["n1", r"n\[2\]", "n2", "MUSTJOIN"]
    assert design.pin_names == ["A1", "A1", "ZN", "A1", "ZN", "Q", "D", "A2"]
    assert netlist.cell.tolist() == [0, 1, 2, 3, 0, 4, 4, 3]
    assert netlist.net.tolist() == [0, 0, 1, 1, 1, 2, 2, 3]
    assert netlist.cell_type == ["NAND2_X1", "NAND2_X1", "INV_X4", "NAND2_X1", "RAM"]
    assert netlist.named == (5, 6)
    assert design.degree.tolist() == [3, 1, 2, 2, 0]
    stated = {"COMPONENTS": 6, "NETS": 5, "PINS": 2}
    assert design.counted == stated | {"connections": 8, "pin connections": 4, "unconnected": 1}
    assert stated.items() <= design.stated.items()


def test_wire_length_is_that_of_the_centre_lines(tmp_path):
    design = read_def(write(tmp_path))
    assert design.wire_length == pytest.approx(
        {"m2": 10 + 1 + 0.5 + 2, "m3": 20 + 1 + 1 + np.sqrt(2), "m4": 5}, abs=1e-9
    )
    assert design.total_wire_length == pytest.approx(40.5 + np.sqrt(2))
    wires = design.wires
    assert wires.layers == ["m2", "m3", "m4"]
    assert wires.net.tolist() == [0, 0, 0, 0, 0, 0, 1, 1, -1]
    assert wires.via_net.tolist() == [0, 0]
    assert wires.via_at.tolist() == [[0.5, 10.5], [20.5, 10.5]]
    assert wires.via_layers.tolist() == [[1, 2], [1, 2]]


@pytest.mark.parametrize("follows", ["+ WEIGHT 2 ", ""])
def test_a_property_whose_value_is_a_word_of_wiring(tmp_path, follows):
    text = re.sub(r"(- MUSTJOIN [^;]*)", rf"\1+ PROPERTY kind ROUTED {follows}", DEF)
    assert text != DEF
    assert read_def(write(tmp_path, text)).wire_length == read_def(write(tmp_path, name="plain.def")).wire_length


def test_a_layer_behind_a_via_that_nothing_describes(tmp_path):
    design = read_def(write(tmp_path, DEF.replace("MASK 2 up", "MASK 2 unknown")))
    assert design.wire_length["?"] == pytest.approx(5)
    assert design.total_wire_length == pytest.approx(40.5 + np.sqrt(2))


@pytest.mark.parametrize("lef", [False, True])
def test_boxes_and_sizes(tmp_path, lef):
    """Without LEF the NAND2 is as wide as from a to b, the inverter as from c to d, the RAM reaches the die's edge."""
    design = read_def(write(tmp_path), lef=[write(tmp_path, LEF, "small.lef.gz")] if lef else None)
    netlist = design.netlist
    assert design.size_source == ("LEF" if lef else GUESSED)
    assert netlist.grid == (4, 4)
    size = netlist.size * 15
    np.testing.assert_allclose(size[:4], [[1.2, 10], [1.2, 10], [0.8, 10], [1.2, 10]])
    np.testing.assert_allclose(size[4], [30, 18.5] if lef else [40, 20])
    right, top = (58.5, 50) if lef else (60, 60)
    assert netlist.box.tolist()[:4] == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]]
    assert netlist.box[4].tolist() == [2, 1, int(np.ceil(right / 15)) - 1, int(np.ceil(top / 15)) - 1]


def test_a_lef_of_several_files(tmp_path):
    layers, cells = LEF.split("SITE core")
    library = read_lef([write(tmp_path, layers, "tech.lef"), write(tmp_path, f"SITE core{cells}", "cells.lef")])
    assert library.sizes == {"NAND2_X1": (1.2, 10), "INV_X4": (0.8, 10), "TAP": (0.4, 10), "RAM": (30, 18.5)}
    assert library.directions == {"m2": "VERTICAL", "m3": "HORIZONTAL", "m4": "VERTICAL"}
    assert library.vias == {"other": ("m2", "m3")}


def test_gzip_line_ends_and_comments_change_nothing(tmp_path):
    plain = read_def(write(tmp_path), name="x")
    for number, text in enumerate((DEF.replace("\n", "\r\n"), re.sub(r" ;(?=\n)", " ; # no more", DEF))):
        other = read_def(write(tmp_path, text, f"{number}.def.gz"), name="x")
        assert other.counted == plain.counted
        assert other.wire_length == plain.wire_length
        assert (other.netlist.box == plain.netlist.box).all()


def test_lines_with_no_step_between_them_are_one_line(tmp_path):
    design = read_def(write(tmp_path, re.sub("GCELLGRID X .*", "GCELLGRID X 15000 DO 4 STEP 0 ;", DEF)))
    assert design.borders[0].tolist() == [0, 15, 60]


def test_without_gcellgrid_a_gcell_is_a_row_and_a_half(tmp_path):
    design = read_def(
        write(tmp_path, re.sub("GCELLGRID.*", "", DEF).replace("60000", "70000").replace("59600", "5000"))
    )
    assert design.netlist.grid == (4, 4)
    assert design.borders[0].tolist() == [0, 15, 30, 45, 70]


def test_sizes_from_gaps_are_an_upper_bound():
    rng = np.random.default_rng(0)
    widths = np.array([2, 3, 5, 9])
    kind = rng.integers(0, 4, (20, 30))
    gap = rng.integers(0, 3, kind.shape)
    left = np.cumsum(widths[kind] + gap, axis=1) - widths[kind]
    corner = np.column_stack([left.ravel(), np.repeat(np.arange(20) * 7, 30)])
    rows = np.array([[0, 7 * y, left[y, -1] + 20] for y in range(20)])
    turned = np.zeros(kind.size, bool)
    found = cell_sizes.from_gaps(kind.ravel(), corner, turned, rows, (0, 0, 500, 140))
    assert found.tolist() == [[width, 7] for width in widths]
    assert cell_sizes.from_gaps(kind.ravel(), corner + [0, 1], turned, rows, (0, 0, 500, 141)) is None


REFUSED = {  # what is replaced by what, what stands in the line that is named, and the message
    "no placement": (
        r"\+ (PLACED|FIXED|COVER) \( \d+ \d+ \) (N|FS|W)",
        "+ UNPLACED",
        "- top/a",
        "none of .* placed .6 of 6",
    ),
    "one not placed": (r"\+ PLACED \( 3600 10000 \) N", "", "- c INV_X4", "c is not placed .1 of 6"),
    "orientation of another format": (
        r"\( 3600 10000 \) N",
        "( 3600 10000 ) R0",
        "3600 10000",
        "COMPONENTS: an orientation is missing or none of N, S, .*, at 'R0'",
    ),
    "no nets": (r"(?s)NETS 5.*END NETS\n", "", "", "has no NETS: give the DEF of a netlist"),
    "empty nets": (r"(?s)NETS 5 ;.*END NETS\n", "NETS 0 ;\nEND NETS\n", "NETS 0", "NETS is empty"),
    "no components": (r"(?s)COMPONENTS.*END COMPONENTS\n", "", "", "has no COMPONENTS"),
    "two of one name": ("- d NAND2", "- b NAND2", "4400 10000", "a second component b: name each"),
    "unknown component": (r"\( c ZN \) \( d", "( cc ZN ) ( d", "( cc", r"net n\\\[2\\\] names the component cc, which"),
    "other count of components": ("COMPONENTS 6", "COMPONENTS 7", "COMPONENTS 7", "COMPONENTS says 7, and 6 are there"),
    "other count of nets": ("NETS 5", "NETS 50", "NETS 50", "NETS says 50, and 5 are there"),
    "other count of pins": ("PINS 2", "PINS 1", "PINS 1", "PINS says 1, and 2 are there"),
    "no count": ("NETS 5 ;", "NETS", "NETS", "NETS does not say how many, and 5"),
    "no units": ("UNITS.*", "", "", "has no UNITS: add UNITS DISTANCE MICRONS"),
    "units without number": ("MICRONS 1000", "MICRONS many", "UNITS", "UNITS has no number"),
    "no die": ("DIEAREA.*", "", "", "has no DIEAREA"),
    "a flat die": ("DIEAREA.*", "DIEAREA ( 0 0 ) ( 0 5 ) ;", "DIEAREA", "DIEAREA has no area"),
    "component beyond the die": (r"\( 59600 0 \)", "( 60001 0 )", "- tap", "component tap lies beyond the die"),
    "wire beyond the die": (r"\( 20500 \*", "( 60500 *", "- n1", "net n1 has a wire beyond the die"),
    "huge coordinate": (
        r"\( 20500 \*",
        "( 99999999999 *",
        "( 99999999999",
        "NETS: a coordinate is missing or no number",
    ),
    "coordinate that is a word": (r"\( 20500 \*", "( far *", "( far", "NETS: a coordinate"),
    "star at the beginning": (r"m2 \( 500 500 \)", "m2 ( * 500 )", "( * 500", r"NETS: a \* has no coordinate before"),
    "open parenthesis": (r"\( d A1 \)", "( d A1", "( d A1", "NETS: a parenthesis is missing"),
    "via without place": ("NEW m3 TAPER", "NEW m3 up", "m3 up", "NETS: a via or another word"),
    "cut in nets": (r"(?s)\+ FIXED m2 \( 2500.*", "", "", r"small.def is cut short: NETS .line \d+. does not end"),
    "cut before the end": (r"(?s)END DESIGN.*", "", "", "small.def is cut short: it has no END DESIGN"),
    "cut in a text": (r"(?s)quotes # .*", "", "a ; in", "a quote that is not closed"),
    "nets twice": (r"(?s)(NETS 5.*END NETS\n)", r"\1\1", "NETS 5", "a second NETS"),
    "an end of nothing": ("VERSION 5.8 ;", "END NETS", "END NETS", "END NETS ends nothing"),
    "endless tracks": ("DO 60 STEP 1000 LAYER m3", "DO 99999999 STEP 0.001 LAYER m3", "0.001", "TRACKS has .* allowed"),
    "too many gcells": ("DO 5 STEP 15000", "DO 60000 STEP 1", "", "has .* gcells, of 16,777,216 allowed"),
    "cells between rows": (
        r"ROW (.*) core 0 (\d)",
        r"ROW \1 core 0 7\2",
        "",
        "too many cells stand in no ROW.* give lef",
    ),
    "something else": ("(?s).+", "module a (b, c); endmodule\n", "", "has neither VERSION nor DESIGN: give a DEF file"),
    "nothing": ("(?s).+", "", "", "has neither VERSION nor DESIGN: give a DEF file"),
}


@pytest.mark.parametrize(("old", "new", "place", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_named_with_its_line(tmp_path, old, new, place, message):
    text = re.sub(old, new, DEF)
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=message) as error:
        read_def(path)
    check_line(path, str(error.value), place)


def check_line(path, words, place):
    assert words.startswith(str(path))
    line = re.match(r", line (\d+): ", words.removeprefix(str(path)))
    assert (line is not None) == bool(place)
    assert place in path.read_text().split("\n")[int(line[1]) - 1 if line else 0]


def test_a_cell_that_no_lef_knows(tmp_path):
    lef, path = write(tmp_path, LEF.replace("INV_X4", "INV_X5"), "small.lef"), write(tmp_path)
    with pytest.raises(ValueError, match="component c is a INV_X4, which is not in small.lef: add the LEF") as error:
        read_def(path, lef)
    check_line(path, str(error.value), "- c INV_X4")
    with pytest.raises(FileNotFoundError, match="no file .*none.lef"):
        read_def(path, tmp_path / "none.lef")
    with pytest.raises(ValueError, match="path is 5: give the path of a DEF or LEF file"):
        read_def(5)


BAD_LEF = {
    "no size": ("SIZE 0.8 BY 10", "CLASS CORE", "MACRO INV_X4", "cell INV_X4 has no SIZE"),
    "no number": ("SIZE 0.8 BY", "SIZE wide BY", "wide", "cell INV_X4 has the SIZE wide BY 10"),
    "cut short": (r"(?s)END NAND2_X1.*", "", "MACRO NAND2_X1", "MACRO NAND2_X1 does not end"),
    "something else": ("(?s).+", "nothing", "", "holds neither LAYER nor MACRO"),
}


@pytest.mark.parametrize(("old", "new", "place", "message"), BAD_LEF.values(), ids=BAD_LEF)
def test_a_bad_lef(tmp_path, old, new, place, message):
    path = write(tmp_path, re.sub(old, new, LEF), "small.lef")
    with pytest.raises(ValueError, match=message) as error:
        read_lef(path)
    check_line(path, str(error.value), place)


def test_gzip_of_something_else_cut_and_bombs(tmp_path, monkeypatch):
    path = tmp_path / "small.def.gz"
    path.write_bytes(gzip.compress(bytes(range(256))))
    with pytest.raises(ValueError, match=r"small.def.gz is gzip of something else, not text"):
        read_def(path)
    whole = gzip.compress(DEF.encode())
    path.write_bytes(whole[:-9])
    with pytest.raises(ValueError, match=r"small.def.gz is cut short: its gzip does not end"):
        read_def(path)
    path.write_bytes(whole[:200] + bytes(20) + whole[220:])
    with pytest.raises(ValueError, match=r"small.def.gz is (damaged gzip|gzip of something else)"):
        read_def(path)
    path.write_bytes(os.urandom(100) + b"\0")
    with pytest.raises(ValueError, match=r"small.def.gz is binary, not text"):
        read_def(path)
    monkeypatch.setattr(words, "MAX_BYTES", 10**6)
    path.write_bytes(gzip.compress(b" " * 10**7))
    with pytest.raises(ValueError, match=r"small.def.gz has more than 1,000,000 bytes unpacked"):
        read_def(path)
    path.write_bytes(gzip.compress(DEF[:1000].encode()) + gzip.compress(DEF[1000:].encode()))
    assert read_def(path).counted["NETS"] == 5


def test_words_of_any_text(tmp_path):
    draw = random.Random(0)
    tokens = ["".join(draw.choice("ab;()#\\[") for _ in range(draw.randint(1, 3))) for _ in range(20_000)]
    tokens = [token for token in tokens if token[0] != "#"] + [f"w{i}" for i in range(5000)]
    text = "".join(token + draw.choice([" ", "\n", "\t", "\r\n", " # c d\n"]) for token in tokens)
    found = words.Words(write(tmp_path, text))
    assert [found.text[i] for i in found.ids] == tokens
    last = len(tokens) - 1
    assert found.at(last) == tokens[last]
    assert found.line(last) == text[: text.rindex(tokens[last])].count("\n") + 1


DESIGNS = {  # components, nets, pins of PINS and connections, and wire length in database units: counted line by line
    "des3_area": (1735, 1852, 190, 6348, 44437170),
    "fir": (4281, 4917, 66, 14088, 67039510),
    "i2c_verilog": (944, 1003, 33, 2918, 13297550),
    "spi_top": (3216, 3187, 92, 9787, 130730720),
    "wb_dma_top": (4046, 4378, 432, 12043, 164165520),
}


@WITH_R2G
@pytest.mark.parametrize("name", DESIGNS)
def test_the_designs_of_r2g(name):
    path = next(Path(os.environ["R2G_ROOT"], "routing_def").glob(f"{name}_route.def*"))
    design = read_def(path)
    counted = design.counted
    found = counted["COMPONENTS"], counted["NETS"], counted["PINS"]
    connections = counted["connections"] + counted["pin connections"]
    assert (*found, connections, round(design.total_wire_length * 2000, 2)) == DESIGNS[name]
    placed = read_def(next(path.parents[1].glob(f"placement_def/{name}_place.def*")))
    assert placed.netlist.grid == design.netlist.grid
    assert placed.total_wire_length == 0
