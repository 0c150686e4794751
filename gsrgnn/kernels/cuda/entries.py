"""What is done with entries one by one: to fixed-point numbers, and from CBSR rows to dense ones."""

import functools

import numpy as np

from gsrgnn.kernels.cuda.compiler import FIXED, FLOAT, WARPS, Kernel, array, cuda, types
from gsrgnn.kernels.cuda.warp import round_int, sync_warp

THREADS = 32 * WARPS


@functools.cache
def to_fixed():
    """``(x, start, scale, out)``: the columns of ``x`` from ``start`` on, one thread an entry of ``out``."""

    def to_fixed(x, start, scale, out):
        entry = cuda.blockIdx.x * THREADS + cuda.threadIdx.y * 32 + cuda.threadIdx.x
        width = out.shape[1]
        if entry < out.shape[0] * width:
            i, c = entry // width, entry % width
            out[i, c] = round_int(np.float32(x[i, start + c] * scale[0]))

    return Kernel(to_fixed, [array(FLOAT), types.int64, array(FLOAT, 1), array(FIXED)])


@functools.cache
def scatter_add(index):
    """``(values, indices, out)``; the columns of a row are distinct, so no two threads add to one place."""

    def scatter_add(values, indices, out):
        entry = cuda.blockIdx.x * THREADS + cuda.threadIdx.y * 32 + cuda.threadIdx.x
        k = indices.shape[1]
        if entry < indices.shape[0] * k:
            i, t = entry // k, entry % k
            out[i, indices[i, t]] += values[i, t]

    return Kernel(scatter_add, [array(FLOAT), array(index), array(FLOAT)])


@functools.cache
def scatter_fixed(index):
    """``(values, indices, scale, out)``, a warp a row: zeros, then the kept entries."""

    def scatter_fixed(values, indices, scale, out):
        i = cuda.blockIdx.x * WARPS + cuda.threadIdx.y
        if i >= out.shape[0]:
            return
        for c in range(cuda.threadIdx.x, out.shape[1], 32):
            out[i, c] = 0
        sync_warp()
        for t in range(cuda.threadIdx.x, indices.shape[1], 32):
            out[i, indices[i, t]] = round_int(np.float32(values[i, t] * scale[0]))

    return Kernel(scatter_fixed, [array(FLOAT), array(index), array(FLOAT, 1), array(FIXED)])


@functools.cache
def scatter_over(index):
    """``(values, indices, out)``, a warp a row: adds to the values what ``out`` holds there, then scatters them."""

    def scatter_over(values, indices, out):
        i = cuda.blockIdx.x * WARPS + cuda.threadIdx.y
        if i >= out.shape[0]:
            return
        for t in range(cuda.threadIdx.x, indices.shape[1], 32):
            values[i, t] += out[i, indices[i, t]]
        sync_warp()
        for c in range(cuda.threadIdx.x, out.shape[1], 32):
            out[i, c] = np.float32(0)
        sync_warp()
        for t in range(cuda.threadIdx.x, indices.shape[1], 32):
            out[i, indices[i, t]] = values[i, t]

    return Kernel(scatter_over, [array(FLOAT), array(index), array(FLOAT)])
