from dataclasses import replace

import numpy as np
import pytest
from small_design import NAME

from gsrgnn import circuits
from gsrgnn.circuits.features import FEATURE_NAMES, _function, _log2_drive, cell_features
from gsrgnn.circuits.synthetic import generate


@pytest.mark.parametrize(
    ("cell_type", "function", "drive"),
    [
        ("ND2_0011_x4_0", "nand", 2),
        ("CKND2_x3_0", "nand", np.log2(3)),
        ("INR3_x0_0", "nor", -1),
        ("INV_x12_0", "inverter", np.log2(12)),
        ("CKLNQ_x1_0", "clock gate", 0),
        ("LNQ_x1_0", "latch", 0),
        ("DFSN_x1_0", "flip-flop", 0),
        ("CKXOR2_x1_0", "xor", 0),
        ("OA211_x0_0", "and-or", -1),
        ("MOAI22_0100_x2_0", "and-or-invert", 1),
        ("MUX2N_x1_0", "multiplexer", 0),
        ("TIEL_0000", "constant", 0),
        ("LOGIC1_X1", "constant", 0),
        ("CLKBUF_X3", "buffer", np.log2(3)),
        ("adv_dbg_if_2", "other", 0),
        ("", "other", 0),
        ("NAND2B_x2", "nand", 1),
        ("NOR3_x1", "nor", 0),
        ("AND4_x1", "and", 0),
        ("XNOR2_x8", "xor", 3),
        ("DFFR_x1", "flip-flop", 0),
        ("LATCH_x1", "latch", 0),
        ("CLKGATE_x4", "clock gate", 2),
        ("RAM_1024x32", "other", 0),
    ],
)
def test_function_and_drive_by_name(cell_type, function, drive):
    assert FEATURE_NAMES[_function(cell_type)] == f"is {function}"
    assert _log2_drive(cell_type) == drive


def test_counts_and_sizes(design, tmp_path):
    data = circuits.load(NAME, tmp_path, label="routed")
    expected = {
        "width": [1, 0, 0, 6],
        "height": [0, 0, 0, 7],
        "pins": [2, 1, 2, 3],
        "nets": [2, 1, 2, 2],
        "mean net size": [4, 5, 4, 13 / 3],
        "largest net": [5, 5, 5, 5],
        "clique degree": [6, 4, 6, 10],
    }
    for name, values in expected.items():
        logs = np.log1p(values)
        standard = (logs - logs.mean()) / (logs.std() or 1)
        column = data.x[:, data.feature_names.index(name)]
        np.testing.assert_allclose(column, standard, atol=1e-6, err_msg=name)


def test_sizes_count_in_place_of_boxes_where_there_are_any(design, tmp_path):
    netlist = circuits.read(NAME, tmp_path)
    size = np.array([[0.3, 0.5], [0.2, 0.5], [1.8, 0.5], [5.0, 6.0]])
    x = cell_features(replace(netlist, size=size))
    for column, sides in zip(("width", "height"), np.log1p(size).T, strict=True):
        standard = (sides - sides.mean()) / sides.std()
        np.testing.assert_allclose(x[:, FEATURE_NAMES.index(column)], standard, atol=1e-6)
    assert x[:, FEATURE_NAMES.index("is macro")].tolist() == [0, 0, 0, 1]


def test_what_is_the_same_for_all_cells_is_0():
    """A row's height in gcells is no round number, whose mean differs from it in the last digit."""
    netlist = replace(generate(300), size=np.tile([2.0, 2 / 3], (300, 1)))
    height = cell_features(netlist)[:, FEATURE_NAMES.index("height")]
    assert (height == 0).all()
