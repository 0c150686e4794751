"""The standard cells the shipped circuits are mapped to: names, functions, sizes.

A small library of our own, in the manner of a 28 nm one. Widths are in gcells (2.25 um) and follow the mean
extent that cells of the same function have in CircuitNet's placement 7157; every standard cell is
`ROW_HEIGHT` gcells high. A name is the function and the drive strength, as "NAND2_x1".
"""

import re

import numpy as np
from numpy.typing import NDArray

ROW_HEIGHT = 0.47  # gcells
# Combinational cells: output pin, function in Liberty's notation, width at drive strength 1.
_GATES = {
    "INV": ("Z", "!A", 0.18),
    "BUF": ("Z", "A", 0.28),
    "AND2": ("Z", "A*B", 0.35),
    "AND3": ("Z", "A*B*C", 0.48),
    "AND4": ("Z", "A*B*C*D", 0.58),
    "OR2": ("Z", "A+B", 0.37),
    "OR3": ("Z", "A+B+C", 0.48),
    "OR4": ("Z", "A+B+C+D", 0.75),
    "NAND2": ("Z", "!(A*B)", 0.28),
    "NAND3": ("Z", "!(A*B*C)", 0.37),
    "NAND4": ("Z", "!(A*B*C*D)", 0.47),
    "NAND2B": ("Z", "!(!A*B)", 0.40),
    "NOR2": ("Z", "!(A+B)", 0.29),
    "NOR3": ("Z", "!(A+B+C)", 0.37),
    "NOR4": ("Z", "!(A+B+C+D)", 0.48),
    "NOR2B": ("Z", "!(!A+B)", 0.41),
    "XOR2": ("Z", "A^B", 0.68),
    "XNOR2": ("Z", "!(A^B)", 0.74),
    "AO21": ("Z", "(A*B)+C", 0.46),
    "AO22": ("Z", "(A*B)+(C*D)", 0.60),
    "OA21": ("Z", "(A+B)*C", 0.50),
    "OA22": ("Z", "(A+B)*(C+D)", 0.54),
    "AOI21": ("Z", "!((A*B)+C)", 0.38),
    "AOI22": ("Z", "!((A*B)+(C*D))", 0.47),
    "AOI211": ("Z", "!((A*B)+C+D)", 0.48),
    "AOI221": ("Z", "!((A*B)+(C*D)+E)", 0.66),
    "AOI222": ("Z", "!((A*B)+(C*D)+(E*F))", 0.70),
    "OAI21": ("Z", "!((A+B)*C)", 0.38),
    "OAI22": ("Z", "!((A+B)*(C+D))", 0.49),
    "OAI211": ("Z", "!((A+B)*C*D)", 0.48),
    "OAI221": ("Z", "!((A+B)*(C+D)*E)", 0.59),
    "MAOI22": ("Z", "!((A*B)+!(C+D))", 0.55),
    "MOAI22": ("Z", "!((A+B)*!(C*D))", 0.54),
    "MUX2": ("Z", "(A*!S)+(B*S)", 0.66),
}
# Flip-flops and the latch: the body of the Liberty group, the input pins, width.
_STORAGE = {
    "DFF": ('ff(IQ,IQN) { clocked_on : "CK"; next_state : "D"; }', "CK D", 1.60),
    "DFFR": ('ff(IQ,IQN) { clocked_on : "CK"; next_state : "D"; clear : "!RN"; }', "CK D RN", 1.79),
    "DFFS": ('ff(IQ,IQN) { clocked_on : "CK"; next_state : "D"; preset : "!SN"; }', "CK D SN", 1.84),
    "LATCH": ('latch(IQ,IQN) { enable : "EN"; data_in : "D"; }', "EN D", 0.93),
}
# Cells the mapping cannot choose: full adders (of multipliers) and the clock gates of the RTL.
_PLACED_BY_HAND = {"FA": 1.64, "CLKGATE": 1.30}
OUTPUTS = {"Z", "Q", "S", "CO"}
_SINKS_PER_DRIVE = {2: 16, 4: 64, 8: 256}  # a driver of more sinks than this has that drive strength
_RAM = re.compile(r"RAM_(\d+)x(\d+)")


def liberty() -> str:
    """The library as the text of a Liberty file: areas and functions, no timing."""
    cells = [
        _cell(name, width, [*_inputs(re.findall("[A-Z]", function)), _output(out, function)])
        for name, (out, function, width) in _GATES.items()
    ]
    cells += [
        _cell(name, width, [group, *_inputs(pins.split()), _output("Q", "IQ")])
        for name, (group, pins, width) in _STORAGE.items()
    ]
    return "library(gsrgnn) {\n" + "".join(cells) + "}\n"


def drive_strength(sinks: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64 [N], the drive strength of cells that drive so many pins (int64 [N]): 1, 2, 4 or 8."""
    drive = np.ones(len(sinks), dtype=np.int64)
    for strength, more_than in _SINKS_PER_DRIVE.items():
        drive[sinks > more_than] = strength
    return drive


def size_of(cell_type: str) -> tuple[float, float]:
    """Width and height in gcells of "NAND2_x1" or of a memory, "RAM_32x32" (words x bits).

    A drive strength of 2 adds a half to the width, of 4 a whole, and so on. A memory is a square of 200 gcells
    for what surrounds the array and 0.05 a bit: about 0.25 um^2, a dense 28 nm memory. KeyError for a name of
    another library.
    """
    ram = _RAM.fullmatch(cell_type)
    if ram:
        side = float(np.ceil(np.sqrt(200 + 0.05 * int(ram[1]) * int(ram[2]))))
        return side, side
    name, drive = cell_type.rsplit("_x", 1)
    return _WIDTH[name] * (1 + np.log2(int(drive)) / 2), ROW_HEIGHT


def _cell(name, width, body):
    lines = "".join(f"    {line}\n" for line in body)
    return f"  cell({name}) {{\n    area : {width * ROW_HEIGHT:.4f};\n{lines}  }}\n"


def _inputs(pins):
    return [f"pin({pin}) {{ direction : input; }}" for pin in sorted(set(pins))]


def _output(pin, function):
    return f'pin({pin}) {{ direction : output; function : "{function}"; }}'


_WIDTH = (
    {name: width for name, (*_, width) in _GATES.items()}
    | {name: width for name, (*_, width) in _STORAGE.items()}
    | _PLACED_BY_HAND
)
