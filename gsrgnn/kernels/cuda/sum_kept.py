"""Aggregation of CBSR rows over edges: a warp a chunk of a row, its sum in shared memory.

A row's k columns are distinct, so k lanes add to k places at once without atomics. For k below 32 the warp takes
several neighbours at a time, each group of k lanes with a row of sums of its own, and adds the groups up at the end.

The L2 cache is read in sectors of 32 bytes. Where the values and indices of a row fit one sector, `packed` puts them
there, and a neighbour costs one in place of two.
"""

import functools

import numpy as np
import torch
from torch import Tensor

from gsrgnn.kernels.cuda.compiler import (
    BFLOAT16,
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
from gsrgnn.kernels.cuda.warp import bits_float, shuffle, sync_warp

ROOM = 2048  # floats of shared memory for a warp
SECTOR = 32  # bytes

CHUNKS = [SIZE, pointer(types.int32), pointer(types.int64), pointer(types.int32), pointer(types.int32)]
EDGES = [pointer(types.int32), *[pointer(FLOAT)] * 3]


@device
def load_float(value):
    return value


@device
def load_bfloat16(value):
    return bits_float(np.uint32(np.uint32(value) << np.uint32(16)))


@device
def neighbour(entry, there, sources, weight, in_scale, scaled):
    """The source of an entry and its weight, with ``in_scale`` where it is ``scaled``; zeros if it is not there."""
    source, factor = np.int32(0), np.float32(0)
    if there:
        source, factor = sources[entry], weight[entry]
        if scaled:
            factor *= in_scale[source]
    return source, factor


@device
def place_in_group(lane, k):
    """``(lanes, group, t)``: a neighbour is taken by k lanes, at most 32; how many, which of them, and where in it."""
    lanes = min(k, LANES)
    group = np.int32(np.uint32(lane) // np.uint32(lanes))
    return lanes, group, np.int32(lane - group * lanes)


@device
def write(total, i, piece, scale, width, column, out, partial, onto):
    """Where a chunk's sum goes: to its row of ``out``, or to ``partial`` if it is a piece of a row."""
    if piece >= 0:
        partial[at(piece, width, column)] = total
    elif onto:
        out[at(i, width, column)] += total * scale
    else:
        out[at(i, width, column)] = total * scale


def packed(values: Tensor, indices: Tensor) -> tuple[Tensor, int, Tensor, int, int]:
    """``(values, value_step, indices, index_step, index_first)`` for the kernel, a row's all in one sector.

    Raises ValueError where they are longer than that.
    """
    n, k = indices.shape
    if not fits_sector(values, indices):
        raise ValueError(f"{k} values and indices are more than the {SECTOR} bytes of a sector")
    rows = torch.empty(n, SECTOR, dtype=torch.uint8, device=values.device)
    floats, whole = rows.view(values.dtype), rows.view(indices.dtype)
    floats[:, :k] = values
    first = k * values.itemsize // indices.itemsize
    whole[:, first : first + k] = indices
    return floats, floats.shape[1], whole, whole.shape[1], first


def fits_sector(values: Tensor, indices: Tensor) -> bool:
    """Whether a row's values and indices do."""
    return indices.shape[1] * (values.itemsize + indices.itemsize) <= SECTOR


def groups(width: int, k: int) -> int:
    """Neighbours that a warp takes at a time, at most."""
    return max(1, min(32 // k, ROOM // width))


@functools.cache
def kernel(rounds: int, scaled: bool, index: types.Type, value: types.Type = FLOAT, onto: bool = False) -> Kernel:
    """``(chunks, row, start, length, slot, sources, weight, out_scale, in_scale, values, value_step, indices,
    index_step, index_first, k, groups, width, out, partial)``.

    Row ``i`` has its values from entry ``i * value_step`` on and its indices from ``i * index_step + index_first`` on.
    ``k <= 32 * rounds``; without ``scaled`` every ``in_scale`` is 1; ``onto`` adds to what ``out`` holds.
    """
    load = load_bfloat16 if value is BFLOAT16 else load_float
    ahead = 4 if rounds == 1 else 2  # neighbours whose entries are fetched before any is added
    fetched = ahead * rounds

    def sum_kept(
        chunks,
        row,
        start,
        length,
        slot,
        sources,
        weight,
        out_scale,
        in_scale,
        values,
        value_step,
        indices,
        index_step,
        index_first,
        k,
        groups,
        width,
        out,
        partial,
    ):
        sums = cuda.shared.array(0, types.float32)
        chunk = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if chunk >= chunks:
            return
        lane, base = cuda.threadIdx.x, np.int32(cuda.threadIdx.y * groups * width)
        begin, entries = start[chunk], length[chunk]
        taken_at_once = np.int32(1)  # few neighbours are not worth many rows of sums, to be cleared and added up
        while taken_at_once < groups and np.int32(taken_at_once * taken_at_once * width) < np.int32(64 * entries):
            taken_at_once = np.int32(taken_at_once + 1)
        _, group, first_t = place_in_group(lane, k)
        own = np.int32(base + group * width)
        spare = np.int32(WARPS * groups * width + cuda.threadIdx.y * LANES + lane)  # where what counts for nothing goes
        if group >= taken_at_once:
            group = LANES  # beyond any entry
        columns = cuda.local.array(fetched, types.int32)
        terms = cuda.local.array(fetched, types.float32)
        c = lane
        while c < np.int32(taken_at_once * width):
            sums[np.uint32(base + c)] = np.float32(0)
            c = np.int32(c + LANES)
        sums[np.uint32(spare)] = np.float32(0)
        first = np.int32(0)
        while first < entries:
            inside = np.int32(first + lane) < entries
            source, factor = neighbour(begin + first + lane, inside, sources, weight, in_scale, scaled)
            count = min(LANES, np.int32(entries - first))
            entry = group
            while np.int32(entry - group) < count:
                for a in range(ahead):
                    j, w = shuffle(source, entry), shuffle(factor, entry)
                    for r in range(rounds):
                        t = np.int32(first_t + LANES * r)
                        if rounds > 1 and t >= k:
                            t = np.int32(0)
                        value = load(values[at(j, value_step, t)])
                        column = np.int32(indices[at(j, index_step, np.int32(index_first + t))])
                        there = entry < count and (rounds == 1 or np.int32(first_t + LANES * r) < k)
                        columns[a * rounds + r] = np.int32(own + column) if there else spare
                        terms[a * rounds + r] = w * value
                    entry = np.int32(entry + taken_at_once)
                for a in range(ahead):
                    sync_warp()
                    for r in range(rounds):
                        sums[np.uint32(columns[a * rounds + r])] += terms[a * rounds + r]
            first = np.int32(first + LANES)
        sync_warp()
        i, piece = row[chunk], slot[chunk]
        scale = out_scale[i]
        c = lane
        while c < width:
            total = np.float32(0)
            for g in range(taken_at_once):
                total += sums[np.uint32(base + g * width + c)]
            write(total, i, piece, scale, width, c, out, partial, onto)
            c = np.int32(c + LANES)

    return Kernel(
        sum_kept, [*CHUNKS, *EDGES, pointer(value), SIZE, pointer(index), *[SIZE] * 5, pointer(FLOAT), pointer(FLOAT)]
    )


@functools.cache
def combine(onto: bool = False) -> Kernel:
    """``(rows, split, out_scale, width, partial, out)``: the sums of rows that were cut, a warp a row, in order."""

    def add_pieces(rows, split, out_scale, width, partial, out):
        number = np.int32(cuda.blockIdx.x * WARPS + cuda.threadIdx.y)
        if number >= rows:
            return
        i, first, pieces = split[at(number, 3, 0)], split[at(number, 3, 1)], split[at(number, 3, 2)]
        for c in range(cuda.threadIdx.x, width, LANES):
            total = np.float32(0)
            for piece in range(first, np.int32(first + pieces)):
                total += partial[at(piece, width, c)]
            write(total, i, np.int32(-1), out_scale[i], width, c, out, partial, onto)

    return Kernel(add_pieces, [SIZE, pointer(types.int32), pointer(FLOAT), SIZE, pointer(FLOAT), pointer(FLOAT)])
