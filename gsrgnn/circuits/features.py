"""Features of a cell before placement: what the netlist and the library say of it, nothing of where it lies.

The columns are the same for every circuit, so that a model trained on one can be tried on another. Their rule: a cell
that lies elsewhere has the same features. What is known after placement is in `gsrgnn.circuits.placement_features`.
"""

import re

import numpy as np
from numpy.typing import NDArray

from gsrgnn.circuits.netlist import Netlist

# Function of a cell by the name that its library gives it (CircuitNet's or `library`); the first that fits counts.
_FUNCTIONS = {
    "clock gate": r"CKL.*|CLKGATE",
    "flip-flop": r"S?E?DF.*",
    "latch": r"L[HN].*|LATCH",
    "buffer": r"BUFF?|CKB|CLKBUF",
    "inverter": r"INV|CKN|CKND",
    "delay": r"DEL\d*",
    "and": r"(CK)?I?AN\d|AND\d",
    "or": r"(CK)?I?OR\d",
    "nand": r"(CK)?I?ND\d|NAND\dB?",
    "nor": r"(CK)?I?NR\d|NOR\dB?",
    "xor": r"(CK)?X(O|N)R\d|XNOR\d",
    "and-or": r"(AO|OA)\d+",
    "and-or-invert": r"M?I?(AOI|OAI)\d+",
    "multiplexer": r"(CK)?MUX\d+N?",
    "adder": r"(FA|HA)\d*",
    "constant": r"TIE.*|LOGIC[01]",
    "other": r".*",
}
MACRO_HEIGHT = 4.0  # gcells; a row of standard cells is about half a gcell high
_ROUNDING = 1e-12  # a deviation no larger is that of equal numbers

FEATURE_NAMES = [
    *(f"is {function}" for function in _FUNCTIONS),
    "is macro",
    "log2 drive strength",
    "width",
    "height",
    "pins",
    "nets",
    "mean net size",
    "largest net",
    "clique degree",
]


def cell_features(netlist: Netlist, standardised: bool = True) -> NDArray[np.float32]:
    """float32 [N, F], columns `FEATURE_NAMES`: "is ..." 0 or 1; the others of mean 0 and deviation 1 in each circuit.

    Width and height are those of `cell_size`. Net sizes are in pins; the clique degree counts the other pins on a
    cell's nets. All but the drive strength go through log(1 + x) first. standardised: False leaves out the last step,
    so that a cell's numbers mean the same in every circuit.
    """
    types, of_type = _types(netlist)
    function = np.array([_function(name) for name in types])[of_type]
    drive = np.array([_log2_drive(name) for name in types])[of_type]
    size = cell_size(netlist)

    num_cells = netlist.num_cells
    net_size = np.bincount(netlist.net)[netlist.net]
    pins = np.bincount(netlist.cell, minlength=num_cells)
    largest = np.zeros(num_cells, dtype=np.int64)
    np.maximum.at(largest, netlist.cell, net_size)
    num_nets = netlist.net.max(initial=-1) + 1
    distinct = np.unique(netlist.cell * num_nets + netlist.net) // num_nets
    total = np.bincount(netlist.cell, net_size, minlength=num_cells)
    nets = np.bincount(distinct, minlength=num_cells)
    counts = [pins, nets, total / np.maximum(pins, 1), largest, total - pins]

    continuous = np.column_stack([drive, *np.log1p([*size.T, *counts])])
    if standardised:
        deviation = continuous.std(axis=0)
        varies = deviation > _ROUNDING
        continuous = np.where(varies, continuous - continuous.mean(axis=0), 0) / np.where(varies, deviation, 1)
    one_hot = np.eye(len(_FUNCTIONS))[function]
    macro = size[:, 1:] > MACRO_HEIGHT
    return np.hstack([one_hot, macro, continuous]).astype(np.float32)


def cell_size(netlist: Netlist) -> NDArray[np.float64]:
    """float64 [N, 2], width and height in gcells: the cell's own where the netlist has them.

    Else means over the boxes of the cells of the same type, because one cell's box also tells where it lies.
    """
    if netlist.size is not None:
        return netlist.size
    _, of_type = _types(netlist)
    extent = (netlist.box[:, 2:] - netlist.box[:, :2]).astype(float)
    count = np.bincount(of_type)
    return np.stack([np.bincount(of_type, side) / count for side in extent.T], axis=1)[of_type]


def _types(netlist):
    """The names of the cell types, each once, and int64 [N], the type of each cell."""
    types = {name: i for i, name in enumerate(dict.fromkeys(netlist.cell_type))}
    return list(types), np.array([types[name] for name in netlist.cell_type])


def _function(cell_type):
    name = cell_type.split("_")[0]
    return next(i for i, pattern in enumerate(_FUNCTIONS.values()) if re.fullmatch(pattern, name, re.DOTALL))


def _log2_drive(cell_type):
    """Drive strength of "ND2_x4_0" and "NAND2_X4" is 4; x0 is the half strength; names without one count as 1."""
    found = re.search(r"_[xX]([0-9]{1,3})(_|$)", cell_type)
    return np.log2(max(int(found[1]), 0.5)) if found else 0.0
