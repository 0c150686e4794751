"""What is done with entries one by one, a warp a row: to fixed-point numbers, and from CBSR rows to dense ones."""

import functools

import numpy as np

from gsrgnn.kernels.cuda.compiler import FIXED, FLOAT, LANES, SIZE, WARPS, Kernel, at, cuda, device, pointer, types
from gsrgnn.kernels.cuda.warp import round_int, sync_warp

SCALE = [pointer(FLOAT)] * 3


@device
def steps(row, column, reach):
    """Steps a unit of an entry, from its parts of a `Scale`."""
    return min(max(row, column), reach)


@functools.cache
def to_fixed() -> Kernel:
    """``(x, columns, start, row, column, reach, rows, width, out)``: of ``x`` the columns from ``start`` on."""

    def to_fixed(x, columns, start, row, column, reach, rows, width, out):
        i = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if i >= rows:
            return
        for c in range(cuda.threadIdx.x, width, LANES):
            scaled = np.float32(x[at(i, columns, np.int32(start + c))] * steps(row[i], column[c], reach[c]))
            out[at(i, width, c)] = round_int(scaled)

    return Kernel(to_fixed, [pointer(FLOAT), SIZE, SIZE, *SCALE, SIZE, SIZE, pointer(FIXED)])


@functools.cache
def from_fixed() -> Kernel:
    """``(x, row, column, reach, rows, width, columns, start, out)``: into the columns of ``out`` from ``start`` on.

    A row whose scale is NaN becomes NaN.
    """

    def from_fixed(x, row, column, reach, rows, width, columns, start, out):
        i = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if i >= rows:
            return
        known = row[i] == row[i]
        for c in range(cuda.threadIdx.x, width, LANES):
            number = np.float32(np.float32(x[at(i, width, c)]) / steps(row[i], column[c], reach[c]))
            out[at(i, columns, np.int32(start + c))] = number if known else np.float32(np.nan)

    return Kernel(from_fixed, [pointer(FIXED), *SCALE, SIZE, SIZE, SIZE, SIZE, pointer(FLOAT)])


@functools.cache
def scatter_add(index: types.Type) -> Kernel:
    """``(values, indices, k, rows, width, out)``; the columns of a row are distinct, so no two lanes meet."""

    def scatter_add(values, indices, k, rows, width, out):
        i = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if i >= rows:
            return
        for t in range(cuda.threadIdx.x, k, LANES):
            place = at(i, k, t)
            out[at(i, width, indices[place])] += values[place]

    return Kernel(scatter_add, [pointer(FLOAT), pointer(index), SIZE, SIZE, SIZE, pointer(FLOAT)])


@functools.cache
def scatter_fixed(index: types.Type) -> Kernel:
    """``(values, indices, k, row, column, reach, rows, width, out)``: zeros, then the kept entries."""

    def scatter_fixed(values, indices, k, row, column, reach, rows, width, out):
        i = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if i >= rows:
            return
        for c in range(cuda.threadIdx.x, width, LANES):
            out[at(i, width, c)] = np.int32(0)
        sync_warp()
        for t in range(cuda.threadIdx.x, k, LANES):
            place = at(i, k, t)
            c = np.int32(indices[place])
            scaled = np.float32(values[place] * steps(row[i], column[c], reach[c]))
            out[at(i, width, c)] = round_int(scaled)

    return Kernel(scatter_fixed, [pointer(FLOAT), pointer(index), SIZE, *SCALE, SIZE, SIZE, pointer(FIXED)])


@functools.cache
def scatter_over(index: types.Type) -> Kernel:
    """``(values, indices, k, rows, width, out)``: adds to the values what ``out`` holds there, then scatters them."""

    def scatter_over(values, indices, k, rows, width, out):
        i = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if i >= rows:
            return
        for t in range(cuda.threadIdx.x, k, LANES):
            place = at(i, k, t)
            values[place] += out[at(i, width, indices[place])]
        sync_warp()
        for c in range(cuda.threadIdx.x, width, LANES):
            out[at(i, width, c)] = np.float32(0)
        sync_warp()
        for t in range(cuda.threadIdx.x, k, LANES):
            place = at(i, k, t)
            out[at(i, width, indices[place])] = values[place]

    return Kernel(scatter_over, [pointer(FLOAT), pointer(index), SIZE, SIZE, SIZE, pointer(FLOAT)])
