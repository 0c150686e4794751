"""Table 1 of the paper: its ten circuits, and synthetic stand-ins of their sizes."""

import csv
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from gsrgnn.arguments import natural
from gsrgnn.circuits import synthetic
from gsrgnn.circuits.netlist import Netlist

FILE = Path(__file__).with_name("table1.csv")
_UNITS = {"k": 1_000, "M": 1_000_000}


@dataclass(frozen=True)
class Row:
    """A circuit of Table 1. Counts are the printed ones: "69.8k" is 69,800.

    number: 1 to 10; name: CircuitNet's, in full; train, val, test: cells of each part of the split.
    """

    number: int
    name: str
    nodes: int
    edges: int
    train: int
    val: int
    test: int

    @property
    def code(self) -> str:
        """The paper's short name, as 5324-F or 356-R: CircuitNet's number, F for an FPU in the core, else R."""
        return f"{self.name.split('-')[0]}-{'F' if '-FPU-' in self.name else 'R'}"

    @property
    def held_share(self) -> float:
        """The share of the cells held out for validation, and as much for test: 0.10 or 0.15."""
        return round(20 * self.val / self.nodes) / 20


@cache
def rows() -> tuple[Row, ...]:
    """The ten `Row`s, as a tuple in the paper's order."""
    with FILE.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(line for line in file if not line.startswith("#"))
        return tuple(
            Row(
                int(row["number"]),
                row["circuitnet_name"],
                *(_count(row[column]) for column in ("nodes", "edges", "train", "val", "test")),
            )
            for row in table
        )


def stand_in(code: str, seed: int = 0) -> Netlist:
    """A synthetic Netlist "synthetic/<code>" with the nodes and edges of the row `code`; ValueError if there is none.

    Rows of the same counts, as 1886-R and 639-R, have different circuits.
    """
    row = next((row for row in rows() if row.code == code), None)
    if row is None:
        raise ValueError(f"no row {code!r} in Table 1: there are {', '.join(row.code for row in rows())}")
    seed = natural("seed", seed)
    netlist = synthetic.generate(row.nodes, seed * len(rows()) + row.number, num_edges=row.edges)
    return replace(netlist, name=f"synthetic/{code}")


def held_share(name: str) -> float:
    """`Row.held_share` of the circuit `name` if it is in Table 1, by either name, else 0.10.

    name: as `gsrgnn.circuits.load` takes it: "circuitnet/5324-...", "synthetic/5324-F" or any other.
    """
    shares = {f"circuitnet/{row.name}": row.held_share for row in rows()}
    shares |= {f"synthetic/{row.code}": row.held_share for row in rows()}
    return shares.get(name, 0.10)


def _count(printed):
    return round(float(printed[:-1]) * _UNITS[printed[-1]])
