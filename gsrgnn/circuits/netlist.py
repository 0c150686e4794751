"""A placed netlist: what every circuit is before it becomes features and labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Netlist:
    """Cells, the nets that join them, and where the cells lie.

    cell, net: int64 [P], one entry a pin: the cell it belongs to and the net it is on, both from 0 without
    gaps. cell_type: list of N library names. box: int64 [N, 4], the gcells a cell covers (left, bottom,
    right, top, inclusive). grid: (W, H), gcells of the die. size: float64 [N, 2], width and height of each
    cell in gcells, or None where only the boxes are known. named: (cells of the netlist, cells of the placement) where
    only those in both are here; None where netlist and placement have the same cells. pin: float64 [P, 2], where each
    pin lies in gcells, and capacity: wires a gcell has room for, (horizontal, vertical); None where files do not say.
    cell_name: list of N names as the file spells them, None where it has none.
    """

    name: str
    cell: NDArray[np.int64]
    net: NDArray[np.int64]
    cell_type: list[str]
    box: NDArray[np.int64]
    grid: tuple[int, int]
    size: NDArray[np.float64] | None = None
    named: tuple[int, int] | None = None
    pin: NDArray[np.float64] | None = None
    capacity: tuple[float, float] | None = None
    cell_name: list[str] | None = None

    @property
    def num_cells(self) -> int:
        return len(self.cell_type)

    @property
    def centre(self) -> NDArray[np.float64]:
        """float64 [N, 2], each cell's centre in gcell units (gcell 0 spans 0 to 1)."""
        return (self.box[:, :2] + self.box[:, 2:] + 1) / 2
