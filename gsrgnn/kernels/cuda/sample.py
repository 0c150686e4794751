"""The sampled backward of aggregation: a warp a chunk of a row of the transposed graph, its sums in registers.

A lane holds one kept column of the row and reads that column of each neighbour's gradient. Nothing is scattered, so
nothing needs atomics and the sum has one order. For k below 32 groups of k lanes take several neighbours at a time.
"""

import functools

import numpy as np

from gsrgnn.kernels.cuda.compiler import FLOAT, LANES, SIZE, WARPS, Kernel, at, cuda, pointer, types
from gsrgnn.kernels.cuda.sum_kept import CHUNKS, EDGES, neighbour, place_in_group, write
from gsrgnn.kernels.cuda.warp import shuffle


@functools.cache
def kernel(rounds: int, scaled: bool, index: types.Type, onto: bool = False) -> Kernel:
    """``(chunks, row, start, length, slot, sources, weight, out_scale, in_scale, width, grad, indices, k, dvalues,
    partial)``.

    ``k <= 32 * rounds``; without ``scaled`` every ``in_scale`` is 1; ``onto`` adds to what ``dvalues`` holds.
    """
    ahead = 4 if rounds == 1 else 2  # neighbours whose entries are fetched before any is added
    fetched = ahead * rounds

    def sample(
        chunks,
        row,
        start,
        length,
        slot,
        sources,
        weight,
        out_scale,
        in_scale,
        width,
        grad,
        indices,
        k,
        dvalues,
        partial,
    ):
        chunk = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if chunk >= chunks:
            return
        lane = cuda.threadIdx.x
        lanes, group, first_t = place_in_group(lane, k)
        groups = np.int32(np.uint32(LANES) // np.uint32(lanes))
        begins = group if group < groups else LANES  # beyond any entry
        i, piece = row[chunk], slot[chunk]
        columns = cuda.local.array(rounds, types.int32)
        sums = cuda.local.array(rounds, types.float32)
        terms = cuda.local.array(fetched, types.float32)
        for r in range(rounds):
            t = np.int32(first_t + LANES * r)
            columns[r] = np.int32(indices[at(i, k, t)]) if rounds == 1 or t < k else np.int32(0)
            sums[r] = np.float32(0)
        entries, begin = length[chunk], start[chunk]
        first = np.int32(0)
        while first < entries:
            inside = np.int32(first + lane) < entries
            source, factor = neighbour(begin + first + lane, inside, sources, weight, in_scale, scaled)
            count = min(LANES, np.int32(entries - first))
            entry = begins
            while np.int32(entry - begins) < count:
                for a in range(ahead):
                    j, w = shuffle(source, entry), shuffle(factor, entry)
                    for r in range(rounds):
                        term = w * grad[at(j, width, columns[r])]
                        terms[a * rounds + r] = term if entry < count else np.float32(0)
                    entry = np.int32(entry + groups)
                for a in range(ahead):
                    for r in range(rounds):
                        sums[r] += terms[a * rounds + r]
            first = np.int32(first + LANES)
        scale = out_scale[i]
        for r in range(rounds):
            total = np.float32(0)
            for g in range(groups):
                total += shuffle(sums[r], np.int32(g * lanes + first_t))
            t = np.int32(first_t + LANES * r)
            if group == 0 and t < k:
                write(total, i, piece, scale, k, t, dvalues, partial, onto)

    return Kernel(sample, [*CHUNKS, *EDGES, SIZE, pointer(FLOAT), pointer(index), SIZE, pointer(FLOAT), pointer(FLOAT)])
