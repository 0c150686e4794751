"""A matrix as the paper prints it: its numbers, their digits, and which of them our copy lets us read."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Printed:
    """A matrix as the paper prints it.

    Args:
        name: what the paper calls it.
        source: where the paper prints it.
        values: float ``[rows, columns]``, NaN where unreadable.
        decimals: int ``[rows, columns]``, digits printed after the point.
        provenance: str ``[rows, columns]``: ``"R"`` read, ``"D"`` derived (the only value that makes the
            readable products come out), ``"?"`` unreadable.
    """

    name: str
    source: str
    values: np.ndarray
    decimals: np.ndarray
    provenance: np.ndarray

    @classmethod
    def parse(cls, name: str, source: str, text: str) -> "Printed":
        """Read one matrix row a line; an entry ends in ``d`` where derived, and is ``?`` where unreadable."""
        cells = [line.split() for line in text.strip().splitlines()]
        numbers = [[cell.rstrip("d") for cell in row] for row in cells]
        return cls(
            name,
            source,
            values=np.array([[np.nan if n == "?" else float(n) for n in row] for row in numbers]),
            decimals=np.array([[len(n.partition(".")[2]) for n in row] for row in numbers]),
            provenance=np.array([["?" if c == "?" else "D" if c.endswith("d") else "R" for c in row] for row in cells]),
        )

    @property
    def array(self) -> np.ndarray:
        """``values``, as int64 where every entry is a whole number."""
        whole = np.isfinite(self.values).all() and not self.decimals.any()
        return self.values.astype(np.int64) if whole else self.values

    @property
    def half_unit(self) -> np.ndarray:
        """Half a unit of each entry's last printed digit; a lone 0 has the digits of its matrix."""
        digits = np.where(self.values == 0, self.decimals.max(), self.decimals)
        return 0.5 * 10.0**-digits
