"""What is done with the kept entries of each row by itself: to and from a dense matrix."""

import numba
import numpy as np

from gsrgnn.kernels.cpu.threads import BLOCKS, even_bounds, steps_of, threaded
from gsrgnn.kernels.fixed_point import Scale

INTEGER = {4: np.int32, 8: np.int64}
"""The integers of a float's size in bytes."""


@threaded
def scatter_add(values: np.ndarray, indices: np.ndarray, out: np.ndarray) -> None:
    """Add `reference.scatter` to ``out [N, D]``."""
    for i in numba.prange(len(indices)):
        for t in range(indices.shape[1]):
            out[i, indices[i, t]] += values[i, t]


@threaded
def scatter_over(values: np.ndarray, indices: np.ndarray, out: np.ndarray) -> None:
    """``out [N, D]`` becomes `reference.scatter` of the values plus what it held at their places."""
    for i in numba.prange(len(indices)):
        for t in range(indices.shape[1]):
            values[i, t] += out[i, indices[i, t]]
        out[i] = 0
        for t in range(indices.shape[1]):
            out[i, indices[i, t]] = values[i, t]


def magnitudes(x: np.ndarray, row: np.ndarray, column: np.ndarray) -> None:
    """The largest magnitude of every row of ``x`` into ``row [N]`` and of every column into ``column [D]``.

    NaN where a NaN is among them.
    """
    by_block = np.zeros((BLOCKS, len(column)), INTEGER[x.itemsize])
    _magnitudes(x.view(by_block.dtype), row.view(by_block.dtype), by_block)
    column[:] = by_block.max(axis=0).view(x.dtype)


@threaded
def _magnitudes(bits, row, column):
    """Without their sign the bits of floats order as the floats do, infinity next to last and NaN last."""
    bounds = even_bounds(len(bits))
    magnitude = np.iinfo(bits.dtype).max
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            largest = bits.dtype.type(0)
            for c in range(bits.shape[1]):
                entry = bits.dtype.type(bits[i, c] & magnitude)
                largest = max(largest, entry)
                column[b, c] = max(column[b, c], entry)
            row[i] = largest


@threaded
def to_fixed(x: np.ndarray, start: int, scale: Scale, out: np.ndarray) -> None:
    """`reference.to_fixed` of the columns of ``x`` from ``start`` on, into ``out [N, D]``; ``scale`` is a `Scale`."""
    rows, column, reach = scale
    for i in numba.prange(len(out)):
        columns, row = x[i, start:], out[i]
        for c in range(len(row)):
            row[c] = out.dtype.type(np.rint(columns[c] * steps_of(rows[i], column[c], reach[c])))


@threaded
def from_fixed(x: np.ndarray, scale: Scale, start: int, out: np.ndarray) -> None:
    """The numbers that the fixed-point ``x [N, D]`` stands for, into the columns of ``out`` from ``start`` on."""
    rows, column, reach = scale
    for i in numba.prange(len(x)):
        columns, row = out[i, start:], x[i]
        for c in range(len(row)):
            columns[c] = out.dtype.type(row[c]) / steps_of(rows[i], column[c], reach[c])


@threaded
def scatter_fixed(values: np.ndarray, indices: np.ndarray, scale: Scale, out: np.ndarray) -> None:
    """`reference.scatter` into the fixed-point ``out [N, D]``."""
    rows, column, reach = scale
    for i in numba.prange(len(indices)):
        out[i] = 0
        for t in range(indices.shape[1]):
            c = indices[i, t]
            out[i, c] = out.dtype.type(np.rint(values[i, t] * steps_of(rows[i], column[c], reach[c])))
