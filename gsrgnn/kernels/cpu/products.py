"""CBSR rows times a small matrix, and the gradients of both factors."""

import numba
import numpy as np

from gsrgnn.kernels.cpu.aggregation import Source, second_half, sum_cell
from gsrgnn.kernels.cpu.lanes import NARROW, add_rows, dot_and_add
from gsrgnn.kernels.cpu.threads import BLOCKS, balanced_bounds, contracted, even_bounds, inlined, reassociated

TOGETHER = 64  # rows whose entries are sorted by column: they stay in cache, a row's place fits a byte


@contracted
def product(values: np.ndarray, indices: np.ndarray, matrix: np.ndarray, out: np.ndarray) -> None:
    """`reference.product` into ``out [N, C]``."""
    bounds = even_bounds(len(out))
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            out[i] = 0
            add_rows(out[i], matrix, indices[i], values[i], None, 0, indices.shape[1])


def product_backward(
    values: np.ndarray,
    indices: np.ndarray,
    matrix: np.ndarray,
    grad: np.ndarray,
    dvalues: np.ndarray,
    dmatrix: np.ndarray,
    source: Source | None = None,
) -> None:
    """`reference.product_backward` into ``dvalues [N, k]`` and, by block, ``dmatrix [BLOCKS, D, C]``.

    With ``source``, ``(graph, z, nets)``, ``grad`` is `aggregate_dense` of ``z`` and made on the way, some rows at a
    time where that can be; the array ``grad [N, C]`` is then a work array.
    """
    _product_backward(*second_half(source, grad), values, indices, matrix, grad, dvalues, dmatrix)


@reassociated
def _product_backward(to_cells, nets, direct, z, values, indices, matrix, grad, dvalues, dmatrix):
    """Entries of a few rows at a time, sorted by column: a row of ``matrix`` and of ``dmatrix`` is then read once."""
    k = indices.shape[1]
    bounds = even_bounds(len(grad)) if direct is None else balanced_bounds(to_cells[0] + direct[0])
    for b in numba.prange(BLOCKS):
        dmatrix[b] = 0
        after = np.empty(len(matrix) + 1, np.int64)  # of each column: where its entries end
        rows, values_of = np.empty(TOGETHER * k, np.uint8), np.empty(TOGETHER * k, grad.dtype)
        places, dots = np.empty(TOGETHER * k, np.int64), np.empty((TOGETHER * k, NARROW), grad.dtype)
        for first in range(bounds[b], bounds[b + 1], TOGETHER):
            last = min(first + TOGETHER, bounds[b + 1])
            some = grad[first:last]
            if direct is not None:
                some = grad[bounds[b] : bounds[b] + last - first]  # stays in cache; no later row needs it
                for i in range(first, last):
                    sum_cell(to_cells, nets, direct, z, i, some[i - first])
            _sort(indices[first:last], values[first:last], after, rows, values_of, places)
            dots[: k * len(some)] = 0
            start = 0
            for c in range(len(matrix)):
                dot_and_add(some, rows, values_of, start, after[c], matrix[c], dmatrix[b, c], dots)
                start = after[c]
            for e in range(k * len(some)):
                i, t = divmod(places[e], k)
                dvalues[first + i, t] = dots[e].sum()


@inlined
def _sort(indices, values, after, rows, values_of, places):
    """The entries by column: where each column's end into ``after``, and their row, value and place among all."""
    after[:] = 0
    for i in range(len(indices)):
        for c in indices[i]:
            after[c + 1] += 1
    for c in range(len(after) - 1):
        after[c + 1] += after[c]
    for i in range(len(indices)):
        for t, c in enumerate(indices[i]):
            e = after[c]
            after[c] += 1
            rows[e], values_of[e], places[e] = i, values[i, t], i * len(indices[i]) + t
