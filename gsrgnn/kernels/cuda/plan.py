"""How the rows of a graph are divided among warps: made once for each graph and device.

A warp takes one chunk: a whole row, or a piece of a row that is longer than the span. The pieces of a row are added
up afterwards in their order, so that no output is ever added to by two workers and results do not depend on timing.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from gsrgnn.kernels.adjacency import Adjacency

SHORTEST_SPAN = 256


class Plan(NamedTuple):
    """Chunks of the rows of an `Adjacency` ``[R, C]``, long ones first.

    Args:
        row, length, slot: int32 ``[chunks]``; ``slot`` is where a piece's sum is kept, or -1 for a whole row.
        start: int64 ``[chunks]``, the chunk's first entry.
        split: int32 ``[S, 3]``: a row that was cut, its first slot and how many it has.
        slots: pieces of cut rows.
    """

    row: Tensor
    start: Tensor
    length: Tensor
    slot: Tensor
    split: Tensor
    slots: int


def make(indptr: Tensor, span: int | None = None) -> Plan:
    """The `Plan` of the rows ``indptr`` (int64 ``[R + 1]``), its arrays on the device of ``indptr``.

    Rows longer than ``span`` are cut; by default twice the mean length, and at least 256.
    """
    device, indptr = indptr.device, indptr.cpu()
    lengths = indptr.diff()
    if span is None:
        span = max(SHORTEST_SPAN, 2 * int(indptr[-1]) // max(1, len(lengths)))
    pieces = ((lengths + span - 1) // span).clamp_min(1)
    row = torch.repeat_interleave(torch.arange(len(lengths)), pieces)
    piece = torch.arange(len(row)) - torch.repeat_interleave(pieces.cumsum(0) - pieces, pieces)
    start = indptr[:-1][row] + piece * span
    length = torch.minimum(indptr[1:][row] - start, torch.tensor(span))
    cut = pieces[row] > 1
    slot = torch.where(cut, cut.cumsum(0) - 1, -1)
    split = torch.stack([row[cut & (piece == 0)], slot[cut & (piece == 0)], pieces[pieces > 1]], dim=1)
    size = length.double().clamp_min(1).log2().floor()  # neighbours in a block take about equally long
    order = size.argsort(descending=True, stable=True)
    chunks = row.int()[order], start[order], length.int()[order], slot.int()[order]
    row, start, length, slot, split = (part.contiguous().to(device) for part in (*chunks, split.int()))
    return Plan(row, start, length, slot, split, int(cut.sum()))


_plans, _ones, _symmetric = (WeakTensorKeyDictionary() for _ in range(3))


def of(adjacency: Adjacency) -> Plan:
    """The `Plan` of an `Adjacency`, kept as long as its ``indptr`` is."""
    if adjacency.indptr not in _plans:
        _plans[adjacency.indptr] = make(adjacency.indptr)
    return _plans[adjacency.indptr]


def scaled(adjacency: Adjacency) -> bool:
    """False where every ``in_scale`` is 1 and need not be read."""
    if adjacency.in_scale not in _ones:
        _ones[adjacency.in_scale] = bool((adjacency.in_scale == 1).all())
    return not _ones[adjacency.in_scale]


def mark_symmetric(adjacency: Adjacency) -> None:
    """To be called where the transposed graph has the same entries."""
    _symmetric[adjacency.indptr] = True


def symmetric(adjacency: Adjacency) -> bool:
    """Whether `mark_symmetric` was called for it or its transpose."""
    return adjacency.indptr in _symmetric
