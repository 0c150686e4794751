"""Aggregation of CBSR rows over edges: a warp a chunk of a row, its sum in shared memory.

A row's k columns are distinct, so k lanes add to k places at once without atomics. For k below 32 the warp takes
several neighbours at a time, each group of k lanes with a row of sums of its own, and adds the groups up at the end.
"""

import functools

import numpy as np

from gsrgnn.kernels.cuda.compiler import BFLOAT16, FLOAT, LANES, WARPS, Kernel, array, cuda, device, types
from gsrgnn.kernels.cuda.warp import bits_float, shuffle, sync_warp

ROOM = 2048  # floats of shared memory for a warp

CHUNKS = [array(types.int32, 1), array(types.int64, 1), array(types.int32, 1), array(types.int32, 1)]
EDGES = [array(types.int32, 1), array(FLOAT, 1), array(FLOAT, 1), array(FLOAT, 1)]


@device
def load_float(value):
    return value


@device
def load_bfloat16(value):
    return bits_float(np.uint32(np.uint32(value) << np.uint32(16)))


def groups(width, k):
    """Neighbours that a warp takes at a time."""
    return max(1, min(LANES // k, ROOM // width))


@functools.cache
def kernel(rounds, scaled, index, value=FLOAT, onto=False):
    """``(row, start, length, slot, sources, weight, out_scale, in_scale, values, indices, groups, out, partial)``.

    ``k <= 32 * rounds``; without ``scaled`` every ``in_scale`` is 1; ``onto`` adds to what ``out`` holds.
    """
    load = load_bfloat16 if value is BFLOAT16 else load_float
    ahead = 4 if rounds == 1 else 2  # neighbours whose entries are fetched before any is added
    fetched = ahead * rounds

    def sum_kept(row, start, length, slot, sources, weight, out_scale, in_scale, values, indices, groups, out,
                 partial):
        sums = cuda.shared.array(0, types.float32)
        chunk = cuda.blockIdx.x * WARPS + cuda.threadIdx.y
        if chunk >= row.shape[0]:
            return
        lane = cuda.threadIdx.x
        width, k = out.shape[1], values.shape[1]
        lanes = min(k, 32)  # of a group
        group, first_t = lane // lanes, lane % lanes
        base = cuda.threadIdx.y * groups * width
        own = base + min(group, groups - 1) * width
        columns = cuda.local.array(fetched, types.int32)
        terms = cuda.local.array(fetched, types.float32)
        for c in range(lane, groups * width, 32):
            sums[base + c] = np.float32(0)
        entries, begin = length[chunk], start[chunk]
        for first in range(0, entries, 32):
            source, factor = np.int32(0), np.float32(0)
            if first + lane < entries:
                source, factor = sources[begin + first + lane], weight[begin + first + lane]
                if scaled:
                    factor *= in_scale[source]
            count = min(32, entries - first)
            for base_entry in range(0, count, groups * ahead):
                for a in range(ahead):
                    entry = base_entry + a * groups + group
                    j, w = shuffle(source, entry & 31), shuffle(factor, entry & 31)
                    for r in range(rounds):
                        t = first_t + 32 * r
                        columns[a * rounds + r] = -1
                        if group < groups and entry < count and t < k:
                            columns[a * rounds + r] = indices[j, t]
                            terms[a * rounds + r] = w * load(values[j, t])
                for a in range(ahead):
                    sync_warp()
                    for r in range(rounds):
                        c = columns[a * rounds + r]
                        if c >= 0:
                            sums[own + c] += terms[a * rounds + r]
        sync_warp()
        i, place = row[chunk], slot[chunk]
        for c in range(lane, width, 32):
            total = sums[base + c]
            for g in range(1, groups):
                total += sums[base + g * width + c]
            if place < 0 and onto:
                out[i, c] += total * out_scale[i]
            elif place < 0:
                out[i, c] = total * out_scale[i]
            else:
                partial[place, c] = total

    return Kernel(sum_kept, [*CHUNKS, *EDGES, array(value), array(index), types.int64, array(FLOAT), array(FLOAT)])


@functools.cache
def combine(onto=False):
    """``(split, out_scale, partial, out)``: the sums of the rows that were cut, a warp a row, pieces in order."""

    def add_pieces(split, out_scale, partial, out):
        number = cuda.blockIdx.x * WARPS + cuda.threadIdx.y
        if number >= split.shape[0]:
            return
        i, first, pieces = split[number, 0], split[number, 1], split[number, 2]
        for c in range(cuda.threadIdx.x, out.shape[1], 32):
            total = np.float32(0)
            for piece in range(first, first + pieces):
                total += partial[piece, c]
            if onto:
                out[i, c] += total * out_scale[i]
            else:
                out[i, c] = total * out_scale[i]

    return Kernel(add_pieces, [array(types.int32), array(FLOAT, 1), array(FLOAT), array(FLOAT)])
