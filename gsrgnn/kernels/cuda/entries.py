"""One thread an entry of a CBSR matrix: gather, scatter, and the diagonal of a factored graph."""

import functools

import numpy as np

from gsrgnn.kernels.cuda.compiler import FIXED, FLOAT, WARPS, Kernel, array, cuda
from gsrgnn.kernels.cuda.warp import round_int, sync_warp

THREADS = 32 * WARPS


@functools.cache
def gather(index):
    """``(x, indices, values)``."""

    def gather(x, indices, values):
        entry = cuda.blockIdx.x * THREADS + cuda.threadIdx.y * 32 + cuda.threadIdx.x
        k = indices.shape[1]
        if entry < indices.shape[0] * k:
            i, t = entry // k, entry % k
            values[i, t] = x[i, indices[i, t]]

    return Kernel(gather, [array(FLOAT), array(index), array(FLOAT)])


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
def add_kept_diagonal(index):
    """``(diagonal, values, indices, out)``: ``out[i, I[i, t]] += diagonal[i] * V[i, t]``."""

    def add_kept_diagonal(diagonal, values, indices, out):
        entry = cuda.blockIdx.x * THREADS + cuda.threadIdx.y * 32 + cuda.threadIdx.x
        k = indices.shape[1]
        if entry < indices.shape[0] * k:
            i, t = entry // k, entry % k
            out[i, indices[i, t]] += diagonal[i] * values[i, t]

    return Kernel(add_kept_diagonal, [array(FLOAT, 1), array(FLOAT), array(index), array(FLOAT)])


@functools.cache
def sample_diagonal(index):
    """``(diagonal, grad, indices, dvalues)``: ``dV[i, t] += diagonal[i] * grad[i, I[i, t]]``."""

    def sample_diagonal(diagonal, grad, indices, dvalues):
        entry = cuda.blockIdx.x * THREADS + cuda.threadIdx.y * 32 + cuda.threadIdx.x
        k = indices.shape[1]
        if entry < indices.shape[0] * k:
            i, t = entry // k, entry % k
            dvalues[i, t] += diagonal[i] * grad[i, indices[i, t]]

    return Kernel(sample_diagonal, [array(FLOAT, 1), array(FLOAT), array(index), array(FLOAT)])


@functools.cache
def add_diagonal():
    """``(diagonal, x, out)``, one thread an entry of a dense matrix: ``out[i, c] += diagonal[i] * x[i, c]``."""

    def add_diagonal(diagonal, x, out):
        entry = cuda.blockIdx.x * THREADS + cuda.threadIdx.y * 32 + cuda.threadIdx.x
        width = x.shape[1]
        if entry < x.shape[0] * width:
            i, c = entry // width, entry % width
            out[i, c] += diagonal[i] * x[i, c]

    return Kernel(add_diagonal, [array(FLOAT, 1), array(FLOAT), array(FLOAT)])
