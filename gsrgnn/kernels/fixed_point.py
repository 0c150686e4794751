"""The fixed-point numbers of the stream: integers that count steps, every entry with a step fitted to its reach.

An entry starts at ``x[i, c]`` and each layer adds a row of a LayerNorm to it, whose entries lie within
``sqrt(d - 1) |gain| + |shift|``. So it stays within ``min(largest of row i, largest of column c) + reach[c]``, and its
step is as small as that allows: a node, a column or a gain that is far out of line leaves the others their digits.

Where something is out of line, or far smaller than what the layers add, a float32 stream has integers of 64 bits on a
CPU, so that the column that a large gain reaches late has its digits before, and an entry that GS drops has them after.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gsrgnn.kernels.adjacency import Array

FIXED = {torch.float32: torch.int32, torch.float64: torch.int64}
ALIKE = 4  # columns that reach up to this many times what half of them do share a step: their integers then compare
OUT_OF_LINE = 8  # times what half of the columns reach
TINY = 2.0**-10  # of what a layer adds to these
COARSEST = {torch.float32: 2.0**-20, torch.float64: 2.0**-32}  # step, times the entry where that exceeds 1
SLACK = 1 + 2**-10  # of a bound, for what rounding adds
SMALLEST = 2.0**-60  # bound that is told from zero


class Scale(NamedTuple):
    """Steps a unit: of entry ``(i, c)`` ``min(max(row[i], column[c]), reach[c])``, all powers of two.

    Args:
        row: float ``[N]``.
        column, reach: float ``[D]``.
    """

    row: Array
    column: Array
    reach: Array

    def dense(self) -> Tensor:
        """Steps a unit of every entry, ``[N, D]``; of torch tensors."""
        return torch.minimum(torch.maximum(self.row[:, None], self.column), self.reach)


def scales(row: Tensor, column: Tensor, gain: Tensor, shift: Tensor) -> tuple[torch.dtype, tuple[Scale, Scale]]:
    """The integers' dtype and the `Scale` of each of the two groups; NaN in every row where a bound is not finite.

    Nothing waits for a GPU.

    Args:
        row, column: ``[N]`` and ``[2 d]``, the largest magnitudes in the stream's rows and columns.
        gain, shift: ``[L, 2, d]``, the LayerNorms' parameters.
    """
    d = gain.shape[-1]
    reach = (math.sqrt(d - 1) * gain.abs() + shift.abs()).double().sum(0)
    half = reach.median(dim=1, keepdim=True).values
    ordinary = torch.where(reach <= ALIKE * half, reach, 0).amax(1, keepdim=True)
    largest = torch.maximum(row.double().amax(), reach.amax())
    smallest = torch.where(row > 0, row, torch.inf).double().amin()
    out_of_line = (largest > OUT_OF_LINE * half.amin()) | (smallest < TINY * half.amax() / len(gain))
    wide = not row.is_cuda and bool(out_of_line)
    reach = torch.maximum(reach, ordinary).to(row.dtype)
    finite = torch.isfinite(row).all() & torch.isfinite(reach).all()
    integer = torch.int64 if wide else FIXED[row.dtype]
    row, column, reach = (_steps(bound, integer) for bound in (row, column.view(2, d), reach))
    row = torch.where(finite, row, math.nan)
    return integer, (Scale(row, column[0], reach[0]), Scale(row, column[1], reach[1]))


def crowded(x: Tensor, scale: Sequence[Scale]) -> list[int] | None:
    """Row and column of an entry of ``x [N, 2 d]`` that loses digits to what is in its row and its column; else None.

    ``scale`` are the two groups' `Scale`. Two entries out of line leave the two where their rows and columns cross no
    small step; nor does a gain that no integer spans.
    """
    least = min(min(max(own.row.min(), own.column.min()), own.reach.min()) for own in scale)
    if 1 / least <= COARSEST[x.dtype]:
        return None
    steps = torch.cat([own.dense() for own in scale], dim=1)
    lost = 1 / steps > COARSEST[x.dtype] * x.abs().clamp_min(1)
    return lost.nonzero()[0].tolist() if lost.any() else None


def _steps(bound, integer):
    """The most steps a unit, a power of two, for which the sum of two numbers within ``bound`` does not overflow."""
    bits, bias, digits = (torch.int32, 127, 23) if bound.itemsize == 4 else (torch.int64, 1023, 52)
    exponent = torch.frexp((bound.double() * SLACK).clamp(SMALLEST, torch.finfo(torch.float64).max)).exponent
    power = 8 * integer.itemsize - 2 - exponent.to(bits)
    return ((power + bias) << digits).view(bound.dtype)  # 2 ** power, to the bit
