"""The sampled backward of aggregation: a warp a chunk of a row of the transposed graph, its sums in registers.

A lane holds one kept column of the row and reads that column of each neighbour's gradient. Nothing is scattered, so
nothing needs atomics and the sum has one order. For k below 32 groups of k lanes take several neighbours at a time.
"""

import functools

import numpy as np

from gsrgnn.kernels.cuda.compiler import FLOAT, WARPS, Kernel, array, cuda, types
from gsrgnn.kernels.cuda.sum_kept import CHUNKS, EDGES
from gsrgnn.kernels.cuda.warp import shuffle


@functools.cache
def kernel(rounds, scaled, index, onto=False):
    """``(row, start, length, slot, sources, weight, out_scale, in_scale, grad, indices, dvalues, partial)``.

    ``k <= 32 * rounds``; without ``scaled`` every ``in_scale`` is 1; ``onto`` adds to what ``dvalues`` holds.
    """

    def sample(row, start, length, slot, sources, weight, out_scale, in_scale, grad, indices, dvalues, partial):
        chunk = cuda.blockIdx.x * WARPS + cuda.threadIdx.y
        if chunk >= row.shape[0]:
            return
        lane = cuda.threadIdx.x
        k = indices.shape[1]
        lanes = min(k, 32)  # of a group
        groups = 32 // lanes
        group, first_t = lane // lanes, lane % lanes
        i, place = row[chunk], slot[chunk]
        columns = cuda.local.array(rounds, types.int32)
        sums = cuda.local.array(rounds, types.float32)
        for r in range(rounds):
            t = first_t + 32 * r
            columns[r] = indices[i, t] if t < k else 0
            sums[r] = np.float32(0)
        entries, begin = length[chunk], start[chunk]
        for first in range(0, entries, 32):
            source, factor = np.int32(0), np.float32(0)
            if first + lane < entries:
                source, factor = sources[begin + first + lane], weight[begin + first + lane]
                if scaled:
                    factor *= in_scale[source]
            count = min(32, entries - first)
            for base_entry in range(0, count, groups):
                entry = base_entry + group
                j, w = shuffle(source, entry & 31), shuffle(factor, entry & 31)
                if group < groups and entry < count:
                    for r in range(rounds):
                        sums[r] += w * grad[j, columns[r]]
        for r in range(rounds):
            total = np.float32(0)
            for g in range(groups):
                total += shuffle(sums[r], (g * lanes + first_t) & 31)
            t = first_t + 32 * r
            if group == 0 and t < k:
                if place < 0 and onto:
                    dvalues[i, t] += total * out_scale[i]
                elif place < 0:
                    dvalues[i, t] = total * out_scale[i]
                else:
                    partial[place, t] = total

    return Kernel(sample, [*CHUNKS, *EDGES, array(FLOAT), array(index), array(FLOAT), array(FLOAT)])
