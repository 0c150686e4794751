"""What a GPU can do at most, measured: kernels that do one thing alone, as fast as it goes.

`gsrgnn.lab.limits` bounds the other kernels by what these reach on the same GPU in the same run.
"""

import functools
from collections.abc import Callable

import numpy as np
import torch

from gsrgnn.kernels.cuda.compiler import FLOAT, SIZE, WARPS, Kernel, at, cuda, pointer, types
from gsrgnn.kernels.cuda.warp import sync_warp

THREADS = 32 * WARPS
CHAINS, LINKS = 8, 32  # of `multiply_add`: independent chains of a thread, and how much of each a round adds
BANKED = 8  # sums of a lane in `add_shared`, each in a row of 32 of its own


@functools.cache
def read() -> Kernel:
    """``(x, quarter, passes, out)``: every pass reads ``x [4 * quarter]`` whole, ``out`` ``[threads]`` gets the sums.

    In each pass a block reads another part, far from its last one: what it finds, the L2 cache has and its own does
    not. ``quarter`` is a multiple of the threads of the grid.
    """

    def read(x, quarter, passes, out):
        threads = np.int32(cuda.gridDim.x * THREADS)
        own = np.int32(cuda.threadIdx.y * 32 + cuda.threadIdx.x)
        block = cuda.blockIdx.x
        first = second = third = fourth = np.float32(0)
        for _ in range(passes):
            place = np.int32(block * THREADS + own)
            while place < quarter:
                first += x[place]
                second += x[at(1, quarter, place)]
                third += x[at(2, quarter, place)]
                fourth += x[at(3, quarter, place)]
                place = np.int32(place + threads)
            block = np.int32(np.uint32(block + 37) % np.uint32(cuda.gridDim.x))
        out[np.int32(cuda.blockIdx.x * THREADS + own)] = first + second + third + fourth

    return Kernel(read, [pointer(FLOAT), SIZE, SIZE, pointer(FLOAT)])


@functools.cache
def add_shared() -> Kernel:
    """``(rounds, out)``: a lane adds 1 to each of `BANKED` sums in shared memory, every lane in a bank of its own."""

    def add_shared(rounds, out):
        sums = cuda.shared.array(0, types.float32)
        own = np.int32(cuda.threadIdx.y * BANKED * 32 + cuda.threadIdx.x)
        for u in range(BANKED):
            sums[np.uint32(own + 32 * u)] = np.float32(0)
        for _ in range(rounds):
            for u in range(BANKED):
                sums[np.uint32(own + 32 * u)] += np.float32(1)
            sync_warp()  # or the sums would stay in registers
        total = np.float32(0)
        for u in range(BANKED):
            total += sums[np.uint32(own + 32 * u)]
        out[np.int32(cuda.blockIdx.x * THREADS + cuda.threadIdx.y * 32 + cuda.threadIdx.x)] = total

    return Kernel(add_shared, [SIZE, pointer(FLOAT)])


@functools.cache
def multiply_add() -> Kernel:
    """``(rounds, factor, term, out)``: a round is `LINKS` times ``y = y factor + term`` in each of `CHAINS` chains."""

    def multiply_add(rounds, factor, term, out):
        chains = cuda.local.array(CHAINS, types.float32)
        for c in range(CHAINS):
            chains[c] = np.float32(c)
        for _ in range(rounds):
            for _ in range(LINKS):
                for c in range(CHAINS):
                    chains[c] = np.float32(cuda.fma(chains[c], factor, term))
        total = np.float32(0)
        for c in range(CHAINS):
            total += chains[c]
        out[np.int32(cuda.blockIdx.x * THREADS + cuda.threadIdx.y * 32 + cuda.threadIdx.x)] = total

    return Kernel(multiply_add, [SIZE, FLOAT, FLOAT, pointer(FLOAT)])


def l2_speed(size: int, blocks: int, seconds: Callable[[Callable[[], None]], float], passes: int = 50) -> float:
    """Bytes a second that ``blocks`` blocks read of about ``size`` bytes again and again.

    Args:
        seconds: function that says how long a call takes.
    """
    threads = blocks * THREADS
    quarter = max(1, size // 16 // threads) * threads
    x, out = torch.ones(4 * quarter, device="cuda"), torch.empty(threads, device="cuda")
    return passes * x.nbytes / seconds(lambda: read()(blocks, x, quarter, passes, out))


def shared_speed(blocks: int, seconds: Callable[[Callable[[], None]], float], rounds: int = 1000) -> float:
    """Bytes a second that all shared memories together load and store."""
    out = torch.empty(blocks * THREADS, device="cuda")
    moved = 2 * 4 * BANKED * rounds * len(out)
    return moved / seconds(lambda: add_shared()(blocks, rounds, out, shared=4 * BANKED * THREADS))


def issue_rate(blocks: int, seconds: Callable[[Callable[[], None]], float], rounds: int = 100) -> float:
    """Instructions of a warp a second, all multiprocessors together."""
    out = torch.empty(blocks * THREADS, device="cuda")
    instructions = rounds * LINKS * CHAINS * blocks * WARPS
    return instructions / seconds(lambda: multiply_add()(blocks, rounds, 0.5, 1.0, out))
