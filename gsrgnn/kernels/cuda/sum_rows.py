"""Aggregation of dense rows (SpMM): a warp a chunk of a row, every 32nd column in a register of each lane."""

import functools

import numpy as np

from gsrgnn.kernels.cuda.compiler import BFLOAT16, FLOAT, LANES, SIZE, WARPS, Kernel, at, cuda, pointer, types
from gsrgnn.kernels.cuda.sum_kept import CHUNKS, EDGES, load_bfloat16, load_float, neighbour, write
from gsrgnn.kernels.cuda.warp import shuffle


@functools.cache
def kernel(items: int, scaled: bool, value: types.Type = FLOAT, onto: bool = False) -> Kernel:
    """``(chunks, row, start, length, slot, sources, weight, out_scale, in_scale, x, width, out, partial)``.

    At most ``32 * items`` columns; without ``scaled`` every ``in_scale`` is 1; ``onto`` adds to what ``out`` holds.
    """
    load = load_bfloat16 if value is BFLOAT16 else load_float

    def sum_rows(chunks, row, start, length, slot, sources, weight, out_scale, in_scale, x, width, out, partial):
        chunk = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if chunk >= chunks:
            return
        lane = cuda.threadIdx.x
        sums = cuda.local.array(items, types.float32)
        for r in range(items):
            sums[r] = np.float32(0)
        entries, begin = length[chunk], start[chunk]
        first = np.int32(0)
        while first < entries:
            inside = np.int32(first + lane) < entries
            source, factor = neighbour(begin + first + lane, inside, sources, weight, in_scale, scaled)
            count = min(LANES, np.int32(entries - first))
            entry = np.int32(0)
            while entry < count:
                j, w = shuffle(source, entry), shuffle(factor, entry)
                place = at(j, width, lane)
                for r in range(items):
                    if np.int32(lane + LANES * r) < width:
                        sums[r] += w * load(x[place + np.uint64(LANES * r)])
                entry = np.int32(entry + 1)
            first = np.int32(first + LANES)
        i, piece = row[chunk], slot[chunk]
        scale = out_scale[i]
        for r in range(items):
            c = np.int32(lane + LANES * r)
            if c < width:
                write(sums[r], i, piece, scale, width, c, out, partial, onto)

    return Kernel(sum_rows, [*CHUNKS, *EDGES, pointer(value), SIZE, pointer(FLOAT), pointer(FLOAT)])
