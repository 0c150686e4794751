"""A CBSR matrix times a dense one: a warp a row of the result, and the gradients of both."""

import functools

import numpy as np

from gsrgnn.kernels.cuda.compiler import FLOAT, LANES, SIZE, WARPS, Kernel, at, cuda, pointer, types
from gsrgnn.kernels.cuda.layer_norm import BLOCKS, SHARED, sum_float


@functools.cache
def product(items: int, index: types.Type) -> Kernel:
    """``(values, indices, k, matrix, rows, columns, out)`` for at most ``32 * items`` columns of ``matrix``."""

    def product(values, indices, k, matrix, rows, columns, out):
        row = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if row >= rows:
            return
        lane = cuda.threadIdx.x
        sums = cuda.local.array(items, types.float32)
        for r in range(items):
            sums[r] = np.float32(0)
        for t in range(k):
            kept = at(row, k, t)
            value, place = values[kept], at(indices[kept], columns, lane)
            for r in range(items):
                if np.int32(lane + LANES * r) < columns:
                    sums[r] += value * matrix[place + np.uint64(LANES * r)]
        place = at(row, columns, lane)
        for r in range(items):
            if np.int32(lane + LANES * r) < columns:
                out[place + np.uint64(LANES * r)] = sums[r]

    return Kernel(product, [pointer(FLOAT), pointer(index), SIZE, pointer(FLOAT), SIZE, SIZE, pointer(FLOAT)])


@functools.cache
def values_gradient(items: int, index: types.Type) -> Kernel:
    """``(indices, k, matrix, grad, rows, columns, dvalues)``.

    ``dV[i, t]`` is the product of row ``I[i, t]`` of the matrix with the gradient's row.
    """

    def values_gradient(indices, k, matrix, grad, rows, columns, dvalues):
        row = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if row >= rows:
            return
        lane = cuda.threadIdx.x
        entries = cuda.local.array(items, types.float32)
        place = at(row, columns, lane)
        for r in range(items):
            there = np.int32(lane + LANES * r) < columns
            entries[r] = grad[place + np.uint64(LANES * r)] if there else np.float32(0)
        for t in range(k):
            kept = at(row, k, t)
            place = at(indices[kept], columns, lane)
            dot = np.float32(0)
            for r in range(items):
                if np.int32(lane + LANES * r) < columns:
                    dot += entries[r] * matrix[place + np.uint64(LANES * r)]
            dot = sum_float(dot)
            if lane == 0:
                dvalues[kept] = dot

    return Kernel(values_gradient, [pointer(index), SIZE, pointer(FLOAT), pointer(FLOAT), SIZE, SIZE, pointer(FLOAT)])


def tile(rows: int) -> int:
    """Columns that a warp of `matrix_gradient` keeps in shared memory, for all ``rows`` of the matrix."""
    return min(32, SHARED // (4 * rows))


@functools.cache
def matrix_gradient(index: types.Type) -> Kernel:
    """``(values, indices, k, grad, rows, columns, tile, kept_rows, dmatrix)``.

    A warp takes a run of rows (`BLOCKS` of them) and ``tile`` columns of ``dmatrix [BLOCKS, kept_rows, columns]``. A
    lane owns a column: whatever rows of the matrix's gradient an entry goes to, no two lanes meet.
    """

    def matrix_gradient(values, indices, k, grad, rows, columns, tile, kept_rows, dmatrix):
        sums = cuda.shared.array(0, types.float32)
        lane = cuda.threadIdx.x
        run, first = np.int32(cuda.blockIdx.x % BLOCKS), np.int32((cuda.blockIdx.x // BLOCKS) * tile)
        c = np.int32(first + lane)
        if lane < tile and c < columns:
            for d in range(kept_rows):
                sums[np.uint32(d * tile + lane)] = np.float32(0)
            for i in range(np.int32(np.int64(run) * rows // BLOCKS), np.int32(np.int64(run + 1) * rows // BLOCKS)):
                g = grad[at(i, columns, c)]
                for t in range(k):
                    kept = at(i, k, t)
                    sums[np.uint32(np.int32(indices[kept]) * tile + lane)] += values[kept] * g
            for d in range(kept_rows):
                dmatrix[at(np.int32(run * kept_rows + d), columns, c)] = sums[np.uint32(d * tile + lane)]

    return Kernel(
        matrix_gradient, [pointer(FLOAT), pointer(index), SIZE, pointer(FLOAT), *[SIZE] * 4, pointer(FLOAT)], 1
    )
