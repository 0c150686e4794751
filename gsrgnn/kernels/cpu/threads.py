"""How rows are shared out among threads, and the compilers that every kernel is made with."""

import numba
import numpy as np

from gsrgnn.jit import jit

BLOCKS = 64

inner = jit()
inlined = numba.njit(inline="always")  # a call hands over every array in seven parts, too dear for one row
inner_reassociated = jit(fastmath={"contract", "reassoc"})
threaded = jit(parallel=True)
contracted = jit(parallel=True, fastmath={"contract"})
reassociated = jit(parallel=True, fastmath={"contract", "reassoc"})


@inner
def even_bounds(num_rows):
    """Row bounds of blocks of equally many rows, int64 ``[BLOCKS + 1]``."""
    return (np.arange(BLOCKS + 1) * num_rows) // BLOCKS


@inner
def balanced_bounds(indptr):
    """Row bounds of blocks of about equal work, an entry and a row counting alike.

    A clock net's cells have thousands of neighbours and most cells have few.
    """
    num_rows = len(indptr) - 1
    total = indptr[num_rows] + num_rows
    bounds = np.empty(BLOCKS + 1, np.int64)
    bounds[0] = 0
    bounds[BLOCKS] = num_rows
    for b in range(1, BLOCKS):
        target = total * b // BLOCKS
        low, high = bounds[b - 1], num_rows
        while low < high:
            middle = (low + high) // 2
            if indptr[middle] + middle < target:
                low = middle + 1
            else:
                high = middle
        bounds[b] = low
    return bounds


def first(bad):
    """The first row of those that the blocks name (-1 for none), or -1."""
    return int(bad[bad >= 0].min(initial=np.iinfo(np.int64).max)) if (bad >= 0).any() else -1
