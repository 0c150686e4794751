"""The residual update ``x += LayerNorm(z + bias)`` of a fixed-point ``x``, and the same taken off and differentiated.

What is taken off must equal what was added to the last bit. Both kernels compute it with the same functions, in which
every product that is added to something is an explicit fused multiply-add: the compiler has nothing left to contract in
one kernel and not in the other.
"""

import functools
import math

import numpy as np

from gsrgnn.kernels.cuda.compiler import (
    FIXED,
    FLOAT,
    LANES,
    SIZE,
    WARPS,
    Kernel,
    at,
    cuda,
    device,
    pointer,
    types,
)
from gsrgnn.kernels.cuda.entries import SCALE, steps
from gsrgnn.kernels.cuda.warp import atomic_min, round_int, shuffle, shuffle_xor, sync_warp

BLOCKS = 256
SHARED = 48 * 1024


@device
def sum_float(value):
    """The sum over the lanes, in one order, the same in every lane."""
    value = np.float32(value + shuffle_xor(value, 16))
    value = np.float32(value + shuffle_xor(value, 8))
    value = np.float32(value + shuffle_xor(value, 4))
    value = np.float32(value + shuffle_xor(value, 2))
    return np.float32(value + shuffle_xor(value, 1))


@device
def row_mean(total, width):
    return shuffle(np.float32(total / np.float32(width)), 0)


@device
def reciprocal_deviation(squares, width, eps):
    variance = cuda.fma(squares, np.float32(np.float32(1) / np.float32(width)), np.float32(eps))
    return shuffle(np.float32(np.float32(1) / np.float32(math.sqrt(np.float32(variance)))), 0)


@device
def update(normal, gain, shift, scale):
    return round_int(np.float32(np.float32(cuda.fma(normal, gain, shift)) * scale))


def warps(width: int) -> int:
    """Warps in a block of `undo`: each has three rows of sums in shared memory."""
    return min(8, SHARED // (12 * width))


@functools.cache
def add(items: int) -> Kernel:
    """``(z, bias, gain, shift, eps, row, column, reach, sign, rows, width, x, bad)``, a warp a row.

    A row has at most ``32 * items`` columns; ``row``, ``column`` and ``reach`` are the `Scale` of ``x``, ``sign`` is 1
    or -1. ``bad [1]`` becomes the first row whose moments are not finite, if it was higher.
    """

    def add_layer_norm(z, bias, gain, shift, eps, row_scale, column, reach, sign, rows, width, x, bad):
        row = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if row >= rows:
            return
        lane = cuda.threadIdx.x
        entries = cuda.local.array(items, types.float32)
        total = np.float32(0)
        for r in range(items):
            c = np.int32(lane + LANES * r)
            entries[r] = np.float32(0)
            if c < width:
                entries[r] = z[at(row, width, c)] + bias[c]
            total += entries[r]
        mean = row_mean(sum_float(total), width)
        squares = np.float32(0)
        for r in range(items):
            if np.int32(lane + LANES * r) < width:
                entries[r] -= mean
                squares = np.float32(cuda.fma(entries[r], entries[r], squares))
        rstd = reciprocal_deviation(sum_float(squares), width, eps)
        if lane == 0 and not (math.isfinite(mean) and rstd > np.float32(0)):
            atomic_min(bad, np.uint64(0), row)
        for r in range(items):
            c = np.int32(lane + LANES * r)
            if c < width:
                place = at(row, width, c)
                scale = steps(row_scale[row], column[c], reach[c])
                step = update(np.float32(entries[r] * rstd), gain[c], shift[c], scale)
                x[place] = np.int32(x[place] + np.int32(sign * step))

    return Kernel(
        add_layer_norm, [*[pointer(FLOAT)] * 4, FLOAT, *SCALE, SIZE, SIZE, SIZE, pointer(FIXED), pointer(types.int32)]
    )


@functools.cache
def undo(items: int, warps: int) -> Kernel:
    """``(z, bias, gain, shift, eps, row, column, reach, rows, width, x, grad, dbias, dgain, dshift)``.

    `BLOCKS` blocks of ``warps``. A block takes every `BLOCKS`-th run of rows; a lane adds up the gradients of its own
    columns in shared memory, and the block adds up its warps in their order.
    """

    def undo_layer_norm(
        z, bias, gain, shift, eps, row_scale, column, reach, rows, width, x, grad, dbias, dgain, dshift
    ):
        sums = cuda.shared.array(0, types.float32)
        lane, warp, block = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.x
        base = np.int32(warp * 3 * width)
        for c in range(lane, np.int32(3 * width), LANES):
            sums[np.uint32(base + c)] = np.float32(0)
        sync_warp()
        entries = cuda.local.array(items, types.float32)
        for row in range(np.int32(block * warps + warp), rows, np.int32(BLOCKS * warps)):
            total = np.float32(0)
            for r in range(items):
                c = np.int32(lane + LANES * r)
                entries[r] = np.float32(0)
                if c < width:
                    entries[r] = z[at(row, width, c)] + bias[c]
                total += entries[r]
            mean = row_mean(sum_float(total), width)
            squares = np.float32(0)
            for r in range(items):
                if np.int32(lane + LANES * r) < width:
                    entries[r] -= mean
                    squares = np.float32(cuda.fma(entries[r], entries[r], squares))
            rstd = reciprocal_deviation(sum_float(squares), width, eps)
            scaled = product = np.float32(0)
            for r in range(items):
                c = np.int32(lane + LANES * r)
                if c < width:
                    place, own = at(row, width, c), np.int32(base + c)
                    normal = np.float32(entries[r] * rstd)
                    entries[r] = normal
                    scale = steps(row_scale[row], column[c], reach[c])
                    x[place] = np.int32(x[place] - update(normal, gain[c], shift[c], scale))
                    g = grad[place]
                    scaled += g * gain[c]
                    product += g * gain[c] * normal
                    sums[np.uint32(own + width)] += g * normal
                    sums[np.uint32(own + 2 * width)] += g
            scaled = sum_float(scaled) / np.float32(width)
            product = sum_float(product) / np.float32(width)
            for r in range(items):
                c = np.int32(lane + LANES * r)
                if c < width:
                    place = at(row, width, c)
                    dz = np.float32(rstd * (grad[place] * gain[c] - scaled - entries[r] * product))
                    z[place] = dz
                    sums[np.uint32(base + c)] += dz
        cuda.syncthreads()
        for c in range(np.int32(warp * 32 + lane), width, np.int32(warps * 32)):
            first, second, third = np.float32(0), np.float32(0), np.float32(0)
            for w in range(warps):
                own = np.int32(w * 3 * width + c)
                first += sums[np.uint32(own)]
                second += sums[np.uint32(own + width)]
                third += sums[np.uint32(own + 2 * width)]
            place = at(block, width, c)
            dbias[place] = first
            dgain[place] = second
            dshift[place] = third

    return Kernel(
        undo_layer_norm,
        [*[pointer(FLOAT)] * 4, FLOAT, *SCALE, SIZE, SIZE, pointer(FIXED), *[pointer(FLOAT)] * 4],
        warps,
    )
