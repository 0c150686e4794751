"""The sampled backward of aggregation in scatter form: a warp a chunk of a row, its gradient in shared memory.

`sample` reads of every neighbour's gradient the columns that a row kept. Here a row's own gradient stays on the chip;
each neighbour's k column numbers are read and k products are added to the neighbour's entries, with atomics, since
many rows add to them. Fewer bytes move, but the order of the additions and so the last bits change from run to run.
"""

import functools

import numpy as np

from gsrgnn.kernels.cuda.compiler import FLOAT, LANES, SIZE, WARPS, Kernel, at, cuda, pointer, types
from gsrgnn.kernels.cuda.sum_kept import CHUNKS, EDGES, neighbour, place_in_group
from gsrgnn.kernels.cuda.warp import atomic_add, shuffle, sync_warp


@functools.cache
def kernel(rounds: int, index: types.Type) -> Kernel:
    """``(chunks, row, start, length, slot, sources, weight, out_scale, in_scale, grad, width, indices, k, dvalues)``.

    The arrays of a transposed graph whose structure is symmetric, as `sample` takes them; ``dvalues`` is added to.
    ``k <= 32 * rounds``.
    """

    def sample_atomic(
        chunks, row, start, length, slot, sources, weight, out_scale, in_scale, grad, width, indices, k, dvalues
    ):
        own = cuda.shared.array(0, types.float32)
        chunk = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if chunk >= chunks:
            return
        lane, base = cuda.threadIdx.x, np.int32(cuda.threadIdx.y * width)
        i, entries, begin = row[chunk], length[chunk], start[chunk]
        scale = in_scale[i]
        c = lane
        while c < width:
            own[np.uint32(base + c)] = scale * grad[at(i, width, c)]
            c = np.int32(c + LANES)
        sync_warp()
        lanes, group, first_t = place_in_group(lane, k)
        groups = np.int32(np.uint32(LANES) // np.uint32(lanes))
        begins = group if group < groups else LANES  # beyond any entry
        first = np.int32(0)
        while first < entries:
            inside = np.int32(first + lane) < entries
            source, factor = neighbour(begin + first + lane, inside, sources, weight, out_scale, True)
            count = min(LANES, np.int32(entries - first))
            entry = begins
            while np.int32(entry - begins) < count:
                j, w = shuffle(source, entry), shuffle(factor, entry)
                for r in range(rounds):
                    t = np.int32(first_t + LANES * r)
                    if entry < count and (rounds == 1 or t < k):
                        place = at(j, k, t)
                        atomic_add(dvalues, place, w * own[np.uint32(base + np.int32(indices[place]))])
                entry = np.int32(entry + groups)
            first = np.int32(first + LANES)

    return Kernel(sample_atomic, [*CHUNKS, *EDGES, pointer(FLOAT), SIZE, pointer(index), SIZE, pointer(FLOAT)])
