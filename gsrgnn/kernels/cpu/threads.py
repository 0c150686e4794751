"""How rows are shared out among threads, and the compilers that every kernel is made with."""

from collections.abc import Callable
from functools import update_wrapper
from threading import Lock
from types import FunctionType
from typing import Any, Generic, TypeVar, TypeVarTuple

import numba
import numpy as np

from gsrgnn.jit import jit
from gsrgnn.kernels import forks
from gsrgnn.kernels.cpu.waiting import waiting

BLOCKS = 64

inner = jit()
inlined = numba.njit(inline="always")  # a call hands over every array in seven parts, too dear for one row
inner_reassociated = jit(fastmath={"contract", "reassoc"})


Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


class _Threaded(Generic[*Arguments, Result]):
    """A kernel whose blocks of rows run on Numba's threads, whoever calls it.

    Several Python threads may call at once: where Numba's threads serve one caller at a time, the others wait. A forked
    process takes the blocks one after another, with the same results but for rounding (`forks`).
    """

    _shared = False  # whether the threads are known to serve several callers at once
    _turn = Lock()

    def __init__(self, function: Callable[[*Arguments], Result], **options: Any) -> None:
        update_wrapper(self, function)
        self._on_threads = jit(parallel=True, **options)(function)
        alone = FunctionType(function.__code__, function.__globals__, function.__name__)
        alone.__qualname__ = f"{function.__qualname__}_alone"  # by which its compiled code is kept
        self._alone = jit(**options)(alone)

    def __call__(self, *arguments: *Arguments) -> Result:
        if forks.forked:
            return self._alone(*arguments)
        waiting.look()
        if _Threaded._shared:
            return self._on_threads(*arguments)
        with _Threaded._turn:
            result = self._on_threads(*arguments)
            _Threaded._shared = numba.threading_layer() != "workqueue"
        return result


def threaded(function: Callable[[*Arguments], Result]) -> _Threaded[*Arguments, Result]:
    """Decorator of a kernel whose blocks of rows run on Numba's threads."""
    return _Threaded(function)


def contracted(function: Callable[[*Arguments], Result]) -> _Threaded[*Arguments, Result]:
    """`threaded`, where the compiler may make one instruction of a product and a sum."""
    return _Threaded(function, fastmath={"contract"})


def reassociated(function: Callable[[*Arguments], Result]) -> _Threaded[*Arguments, Result]:
    """`contracted`, where it may add in another order too."""
    return _Threaded(function, fastmath={"contract", "reassoc"})


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


@inlined
def steps_of(row, column, reach):
    """Steps a unit of an entry, from its parts of a `Scale`."""
    return min(max(row, column), reach)


def first(bad: np.ndarray) -> int:
    """The first row of those that the blocks name (-1 for none), or -1."""
    return int(bad[bad >= 0].min(initial=np.iinfo(np.int64).max)) if (bad >= 0).any() else -1
