import numpy as np
import pytest

from gsrgnn import CircuitGraph
from gsrgnn.circuits import table1

CODES = ["5324-F", "4474-F", "876-R", "1522-R", "1886-R", "639-R", "356-R", "6859-F", "6227-F", "7157-R"]


def test_the_rows():
    rows = table1.rows()
    assert [row.number for row in rows] == list(range(1, 11))
    assert [row.code for row in rows] == CODES
    assert (rows[0].nodes, rows[0].edges) == (69_800, 22_500_000)
    assert (rows[9].train, rows[9].val, rows[9].test) == (30_900, 3_900, 3_900)
    for row in rows:
        assert abs(row.train + row.val + row.test - row.nodes) <= 200


@pytest.mark.parametrize("code", CODES)
def test_a_stand_in_has_its_rows_counts(code):
    row = next(row for row in table1.rows() if row.code == code)
    netlist = table1.stand_in(code)
    assert netlist.name == f"synthetic/{code}"
    assert abs(netlist.num_cells / row.nodes - 1) <= 0.005
    graph = CircuitGraph.from_pins(netlist.cell, netlist.net, netlist.num_cells)
    assert abs(graph.num_edges / row.edges - 1) <= 0.02
    neighbours = graph.degree.numpy() - 1
    assert neighbours.min() == 1
    if code == "5324-F":
        assert neighbours.max() > 8_000
    assert np.bincount(netlist.net).max() > 10 * np.bincount(netlist.cell).mean()


def test_rows_of_the_same_counts_differ():
    one, other = table1.stand_in("1886-R"), table1.stand_in("639-R")
    assert one.num_cells == other.num_cells
    assert not np.array_equal(one.box, other.box)


@pytest.mark.parametrize("code", ["356-F", "356", "", "synthetic/356-R"])
def test_rows_there_are_not(code):
    with pytest.raises(ValueError, match=f"no row {code!r} in Table 1: there are 5324-F, .*7157-R"):
        table1.stand_in(code)


@pytest.mark.parametrize(("name", "share"), [
    ("synthetic/5324-F", 0.15), ("synthetic/639-R", 0.15), ("synthetic/356-R", 0.10), ("synthetic/639", 0.10),
    ("circuitnet/5324-RISCY-FPU-a-3-c2-u0.85-m4-p8-f0", 0.15), ("circuitnet/639-RISCY-a-1-c20-u0.7-m3-p2-f1", 0.15),
    ("circuitnet/7157-zero-riscy-a-1-c2-u0.8-m1-p1-f0", 0.10), ("riscv/picorv32", 0.10),
])  # fmt: skip
def test_the_share_held_out(name, share):
    assert table1.held_share(name) == share
