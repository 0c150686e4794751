"""Group sparsity: the k largest entries of each row, a warp a row.

Each lane holds every 32nd entry of the row in registers, as integers that order as the numbers do. The warp bisects on
the integer threshold that exactly k entries reach, at most 32 steps of a count each, and then writes the kept entries
in the order of their columns: of each 32 a ballot says which lanes keep theirs, the bits below a lane's own say where.
"""

import functools

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
from gsrgnn.kernels.cuda.warp import atomic_min, ballot, float_bits, max_uint, min_uint, sum_int

SIGN = np.uint32(0x80000000)
MINUS_INFINITY, INFINITY = np.uint32(0x007FFFFF), np.uint32(0xFF800000)  # as keys; what lies beyond is a NaN


@device
def float_key(value):
    """uint32 that orders as float32 does; -0 and +0 are one value, hence one key."""
    bits = float_bits(value + np.float32(0))
    return np.uint32(bits ^ (np.uint32(0xFFFFFFFF) if bits >= SIGN else SIGN))


@device
def fixed_key(value):
    """uint32 that orders as int32 does."""
    return np.uint32(np.uint32(value) ^ SIGN)


@device
def key_of_float(value, steps, one_step):
    return float_key(value)


@device
def key_of_fixed(value, steps, one_step):
    """In a row of one step by the integers themselves, in any other by the floats that they are rounded to."""
    return fixed_key(value) if one_step else float_key(np.float32(np.float32(value) / steps))


@device
def float_value(value, steps):
    return value


@device
def fixed_value(value, steps):
    return np.float32(np.float32(value) / steps)


@functools.cache
def kernel(items: int, fixed: bool, index: types.Type) -> Kernel:
    """``(x, row, column, reach, rows, width, k, values, indices, bad)`` for rows of at most ``32 * items`` columns.

    ``row``, ``column`` and ``reach`` are the `Scale` of a fixed-point ``x``, not looked at where it is of floats.
    ``bad [1]`` becomes the first row that holds a NaN or an infinity, if it was higher.
    """
    key_of, value_of = (key_of_fixed, fixed_value) if fixed else (key_of_float, float_value)
    lowest, highest = (-1, 2**32) if fixed else (int(MINUS_INFINITY), int(INFINITY))

    def top_k(x, row_scale, column, reach, rows, width, k, values, indices, bad):
        row = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if row >= rows:
            return
        lane = cuda.threadIdx.x
        keys = cuda.local.array(items, types.uint32)
        one_step, own = True, np.float32(1)
        if fixed:
            own = row_scale[row]
            least, most = np.uint32(0xFFFFFFFF), np.uint32(0)
            for j in range(items):
                c = np.int32(lane + LANES * j)
                if c < width:
                    bits = float_bits(steps(own, column[c], reach[c]))
                    least, most = min(least, bits), max(most, bits)
            one_step = min_uint(least) == max_uint(most)
        low, high = np.uint32(0xFFFFFFFF), np.uint32(0)
        for j in range(items):
            c = np.int32(lane + LANES * j)
            keys[j] = np.uint32(0)
            if c < width:
                scale = steps(own, column[c], reach[c]) if fixed else own
                key = key_of(x[at(row, width, c)], scale, one_step)
                low, high = min(low, key), max(high, key)
                keys[j] = key
        low, high = min_uint(low), max_uint(high)
        if lane == 0 and (low <= lowest or high >= highest):
            atomic_min(bad, np.uint64(0), row)
        if k == width:
            high = low
        while low < high:  # low becomes the largest threshold that at least k entries reach
            span = np.uint32(high - low)
            middle = np.uint32(low + (span >> np.uint32(1)) + (span & np.uint32(1)))
            count = np.int32(0)
            for j in range(items):
                count = np.int32(count + np.int32(keys[j] >= middle))
            count = sum_int(count)
            if count == k:
                low = high = middle
            elif count > k:
                low = middle
            else:
                high = np.uint32(middle - np.uint32(1))
        above = np.int32(0)
        for j in range(items):
            above = np.int32(above + np.int32(keys[j] > low))
        ties = np.int32(k - sum_int(above))
        before = np.uint32((np.uint32(1) << np.uint32(lane)) - np.uint32(1))
        written, tied = np.int32(0), np.int32(0)
        for j in range(items):
            c = np.int32(lane + LANES * j)
            there = c < width
            equal = np.uint32(ballot(there and keys[j] == low))
            earlier = np.int32(tied + np.int32(cuda.popc(np.uint32(equal & before))))
            keep = there and (keys[j] > low or (keys[j] == low and earlier < ties))
            kept = np.uint32(ballot(keep))
            if keep:
                place = at(row, k, np.int32(written + np.int32(cuda.popc(np.uint32(kept & before)))))
                scale = steps(own, column[c], reach[c]) if fixed else own
                values[place] = value_of(x[at(row, width, c)], scale)
                indices[place] = c
            written = np.int32(written + np.int32(cuda.popc(kept)))
            tied = np.int32(tied + np.int32(cuda.popc(equal)))

    return Kernel(
        top_k,
        [
            pointer(FIXED if fixed else FLOAT),
            *SCALE,
            SIZE,
            SIZE,
            SIZE,
            pointer(FLOAT),
            pointer(index),
            pointer(types.int32),
        ],
    )
