"""Aggregation of dense rows (SpMM): a warp a chunk of a row, every 32nd column in a register of each lane."""

import functools

import numpy as np

from gsrgnn.kernels.cuda.compiler import BFLOAT16, FLOAT, WARPS, Kernel, array, cuda, types
from gsrgnn.kernels.cuda.sum_kept import CHUNKS, EDGES, load_bfloat16, load_float
from gsrgnn.kernels.cuda.warp import shuffle


@functools.cache
def kernel(items, scaled, value=FLOAT, onto=False):
    """``(row, start, length, slot, sources, weight, out_scale, in_scale, x, out, partial)``.

    At most ``32 * items`` columns; without ``scaled`` every ``in_scale`` is 1; ``onto`` adds to what ``out`` holds.
    """
    load = load_bfloat16 if value is BFLOAT16 else load_float

    def sum_rows(row, start, length, slot, sources, weight, out_scale, in_scale, x, out, partial):
        chunk = cuda.blockIdx.x * WARPS + cuda.threadIdx.y
        if chunk >= row.shape[0]:
            return
        lane = cuda.threadIdx.x
        width = x.shape[1]
        sums = cuda.local.array(items, types.float32)
        for r in range(items):
            sums[r] = np.float32(0)
        entries, begin = length[chunk], start[chunk]
        for first in range(0, entries, 32):
            source, factor = np.int32(0), np.float32(0)
            if first + lane < entries:
                source, factor = sources[begin + first + lane], weight[begin + first + lane]
                if scaled:
                    factor *= in_scale[source]
            for entry in range(min(32, entries - first)):
                j, w = shuffle(source, entry), shuffle(factor, entry)
                for r in range(items):
                    if lane + 32 * r < width:
                        sums[r] += w * load(x[j, lane + 32 * r])
        i, place = row[chunk], slot[chunk]
        for r in range(items):
            c = lane + 32 * r
            if c < width:
                if place < 0 and onto:
                    out[i, c] += sums[r] * out_scale[i]
                elif place < 0:
                    out[i, c] = sums[r] * out_scale[i]
                else:
                    partial[place, c] = sums[r]

    return Kernel(sum_rows, [*CHUNKS, *EDGES, array(value), array(FLOAT), array(FLOAT)])
