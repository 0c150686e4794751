"""The warp operations that Numba's CUDA simulator lacks, in place of `gsrgnn.kernels.cuda.warp`. For tests only.

The simulator runs a thread of Python for each thread of a block; here the 32 of a warp meet at a barrier of their own,
each leaves its value and reads those of the others.
"""

import threading

import numpy as np
from numba import cuda

LANES = 32


class _Warp:
    def __init__(self):
        self.barrier, self.values = threading.Barrier(LANES), [None] * LANES


_creating = threading.Lock()


def _exchange(value):
    """The lane's number and the values of all lanes."""
    thread = threading.current_thread()
    number, lane = divmod(thread.thread_id, LANES)
    with _creating:
        warps = thread._manager.__dict__.setdefault("warps", {})
        warp = warps.setdefault(number, _Warp())
    warp.values[lane] = value
    warp.barrier.wait(timeout=60)
    values = list(warp.values)
    warp.barrier.wait(timeout=60)
    return lane, values


@cuda.jit(device=True)
def atomic_add(tensor, place, value):
    cuda.atomic.add(tensor, int(place), value)


@cuda.jit(device=True)
def atomic_min(tensor, place, value):
    cuda.atomic.min(tensor, int(place), value)


def sum_int(value):
    return np.int32(sum(map(int, _exchange(value)[1])))


def min_uint(value):
    return np.uint32(min(map(int, _exchange(value)[1])))


def max_uint(value):
    return np.uint32(max(map(int, _exchange(value)[1])))


def ballot(predicate):
    return sum(1 << lane for lane, set_ in enumerate(_exchange(bool(predicate))[1]) if set_)


def shuffle(value, lane):
    return _exchange(value)[1][int(lane) % LANES]


def shuffle_xor(value, mask):
    lane, values = _exchange(value)
    return values[lane ^ mask]


def sync_warp():
    _exchange(None)


def round_int(value):
    return np.int32(np.rint(np.float32(value)))


def float_bits(value):
    return np.float32(value).view(np.uint32)


def bits_float(bits):
    return np.uint32(bits).view(np.float32)
