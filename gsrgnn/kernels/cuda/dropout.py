"""Dropout of the kept entries, a warp a row: its mask is computed wherever it is asked for, and stored nowhere."""

import functools

import numpy as np

from gsrgnn.kernels.cuda.compiler import FLOAT, LANES, SIZE, WARPS, Kernel, at, cuda, device, pointer, types


@device
def split_mix(state, number):
    """`reference.split_mix`."""
    z = state + (np.uint64(np.uint32(number)) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@functools.cache
def kernel(index: types.Type) -> Kernel:
    """``(values, indices, k, rows, start, seed, fewest, factor, out)``; ``out`` may be ``values``.

    An entry stays where the upper 31 bits of its number are ``fewest`` or more.
    """

    def dropout(values, indices, k, rows, start, seed, fewest, factor, out):
        i = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if i >= rows:
            return
        row = split_mix(np.uint64(seed[0]), i)
        for t in range(cuda.threadIdx.x, k, LANES):
            place = at(i, k, t)
            number = split_mix(row, np.int32(start + indices[place])) >> np.uint64(33)
            out[place] = np.float32(values[place] * factor) if np.int32(number) >= fewest else np.float32(0)

    return Kernel(
        dropout,
        [pointer(FLOAT), pointer(index), SIZE, SIZE, SIZE, pointer(types.int64), SIZE, FLOAT, pointer(FLOAT)],
    )
