"""What is done with entries one by one, a warp a row: to fixed-point numbers, and from CBSR rows to dense ones."""

import functools

import numpy as np

from gsrgnn.kernels.cuda.compiler import FIXED, FLOAT, LANES, SIZE, WARPS, Kernel, at, cuda, pointer
from gsrgnn.kernels.cuda.warp import round_int, sync_warp


@functools.cache
def to_fixed():
    """``(x, columns, start, scale, rows, width, out)``: of each row of ``x`` the columns from ``start`` on."""

    def to_fixed(x, columns, start, scale, rows, width, out):
        i = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if i >= rows:
            return
        for c in range(cuda.threadIdx.x, width, LANES):
            out[at(i, width, c)] = round_int(np.float32(x[at(i, columns, np.int32(start + c))] * scale[0]))

    return Kernel(to_fixed, [pointer(FLOAT), SIZE, SIZE, pointer(FLOAT), SIZE, SIZE, pointer(FIXED)])


@functools.cache
def scatter_add(index):
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
def scatter_fixed(index):
    """``(values, indices, k, scale, rows, width, out)``: zeros, then the kept entries."""

    def scatter_fixed(values, indices, k, scale, rows, width, out):
        i = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if i >= rows:
            return
        for c in range(cuda.threadIdx.x, width, LANES):
            out[at(i, width, c)] = np.int32(0)
        sync_warp()
        for t in range(cuda.threadIdx.x, k, LANES):
            place = at(i, k, t)
            out[at(i, width, indices[place])] = round_int(np.float32(values[place] * scale[0]))

    return Kernel(scatter_fixed, [pointer(FLOAT), pointer(index), SIZE, pointer(FLOAT), SIZE, SIZE, pointer(FIXED)])


@functools.cache
def scatter_over(index):
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
