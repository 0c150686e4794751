"""A CBSR matrix times a dense one: a warp a row of the result, and the gradients of both."""

import functools

import numpy as np

from gsrgnn.kernels.cuda.compiler import FLOAT, WARPS, Kernel, array, cuda, types
from gsrgnn.kernels.cuda.layer_norm import BLOCKS, SHARED, sum_float


@functools.cache
def product(items, index):
    """``(values, indices, matrix, out)`` for at most ``32 * items`` columns of ``matrix``."""

    def product(values, indices, matrix, out):
        row = cuda.blockIdx.x * WARPS + cuda.threadIdx.y
        if row >= out.shape[0]:
            return
        lane = cuda.threadIdx.x
        columns = out.shape[1]
        sums = cuda.local.array(items, types.float32)
        for r in range(items):
            sums[r] = np.float32(0)
        for t in range(values.shape[1]):
            value, m = values[row, t], indices[row, t]
            for r in range(items):
                if lane + 32 * r < columns:
                    sums[r] += value * matrix[m, lane + 32 * r]
        for r in range(items):
            if lane + 32 * r < columns:
                out[row, lane + 32 * r] = sums[r]

    return Kernel(product, [array(FLOAT), array(index), array(FLOAT), array(FLOAT)])


@functools.cache
def values_gradient(items, index):
    """``(indices, matrix, grad, dvalues)``: ``dV[i, t]`` is the product of row ``I[i, t]`` with the gradient's row."""

    def values_gradient(indices, matrix, grad, dvalues):
        row = cuda.blockIdx.x * WARPS + cuda.threadIdx.y
        if row >= grad.shape[0]:
            return
        lane = cuda.threadIdx.x
        columns = grad.shape[1]
        entries = cuda.local.array(items, types.float32)
        for r in range(items):
            entries[r] = grad[row, lane + 32 * r] if lane + 32 * r < columns else np.float32(0)
        for t in range(indices.shape[1]):
            m = indices[row, t]
            dot = np.float32(0)
            for r in range(items):
                if lane + 32 * r < columns:
                    dot += entries[r] * matrix[m, lane + 32 * r]
            dot = sum_float(dot)
            if lane == 0:
                dvalues[row, t] = dot

    return Kernel(values_gradient, [array(index), *[array(FLOAT)] * 3])


def tile(rows):
    """Columns that a warp of `matrix_gradient` keeps in shared memory, for all ``rows`` of the matrix."""
    return min(32, SHARED // (4 * rows))


@functools.cache
def matrix_gradient(index):
    """``(values, indices, grad, tile, dmatrix)``: a warp a run of rows (`BLOCKS` of them) and ``tile`` columns.

    A lane owns a column: whatever rows of the matrix's gradient an entry goes to, no two lanes meet.
    """

    def matrix_gradient(values, indices, grad, tile, dmatrix):
        sums = cuda.shared.array(0, types.float32)
        lane = cuda.threadIdx.x
        run, first = cuda.blockIdx.x % BLOCKS, (cuda.blockIdx.x // BLOCKS) * tile
        rows, columns = dmatrix.shape[1], grad.shape[1]
        c = first + lane
        if lane < tile and c < columns:
            for d in range(rows):
                sums[d * tile + lane] = np.float32(0)
            for i in range(run * grad.shape[0] // BLOCKS, (run + 1) * grad.shape[0] // BLOCKS):
                g = grad[i, c]
                for t in range(indices.shape[1]):
                    sums[np.int64(indices[i, t]) * tile + lane] += values[i, t] * g
            for d in range(rows):
                dmatrix[run, d, c] = sums[d * tile + lane]

    return Kernel(matrix_gradient, [array(FLOAT), array(index), array(FLOAT), types.int64, array(FLOAT, 3)], 1)
