"""Whether threads that wait for others spin or sleep, as the machine is quiet or busy.

GCC's OpenMP, from which torch's and Numba's threads come on Linux, lets a waiting thread spin for milliseconds. That
makes small graphs twice as fast; but where another process has taken a core, the thread that spins keeps its own from
the one that it waits for. OpenMP spins a thousandth as long where its threads are more than the cores, and counts those
of all that call it. So while others compute, there are two more, of a caller that never goes on.
"""

import ctypes
import os
import time
from contextlib import suppress
from threading import Event, Lock, Thread

import psutil
import torch

LOOK_EVERY = 0.5  # seconds
BUSY, QUIET = 0.4, 0.2  # cores that others use of those that this process has threads for
SHARED_OUT = 2**16  # entries of a tensor that torch shares out among threads


class Waiting:
    """Looks now and then how much of its cores a process has to itself, and chooses.

    What OMP_WAIT_POLICY or GOMP_SPINCOUNT say is left alone, and so is another OpenMP than GCC's.
    """

    def __init__(self) -> None:
        self._lock, self._end = Lock(), None
        self._next = 0.0
        self._seen: tuple[float, float, float] | None = None

    @property
    def asleep(self) -> bool:
        """Whether threads that wait sleep."""
        return self._end is not None

    def look(self) -> None:
        """To be called often: it costs a reading of the clock, every half second one of the system's counters."""
        if time.monotonic() < self._next or not self._lock.acquire(blocking=False):
            return
        try:
            self._next = time.monotonic() + LOOK_EVERY
            self._choose()
        except Exception:  # what a system does not tell costs speed on a busy machine, and no kernel its result
            self._next = float("inf")
        finally:
            self._lock.release()

    def _choose(self):
        if self._openmp is None:
            self._next = float("inf")
            return
        seen, self._seen = self._seen, counters()
        if seen is None:
            return
        seconds, all_cores, own = (now - before for now, before in zip(self._seen, seen, strict=True))
        others = (all_cores - own) / max(seconds, 1e-9) - spare()
        if others > BUSY and not self.asleep:
            self._sleep()
        elif others < QUIET and self.asleep:
            self._end.set()
            self._end = None

    @property
    def _openmp(self):
        if {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
            return None
        try:
            return ctypes.CDLL("libgomp.so.1")  # which torch has loaded
        except OSError:
            return None

    def _sleep(self):
        ready, end = Event(), Event()
        with suppress(RuntimeError):  # there can be no more threads, or no memory for one
            Thread(target=_idle, args=(self._openmp, ready, end), name="gsrgnn-idle", daemon=True).start()
            ready.wait()
            self._end = end


def spare() -> int:
    """Cores that this process may use and has no thread for."""
    return len(_cores()) - torch.get_num_threads()


def counters() -> tuple[float, float, float]:
    """Seconds: of the clock; that all processes together have had of this one's cores; that this process has had."""
    cores = psutil.cpu_times(percpu=True)
    mine = [core for number, core in enumerate(cores) if number in _cores()]
    others = "idle", "iowait", "guest", "guest_nice"  # a guest's time is its user's too
    busy = sum(sum(core) - sum(getattr(core, name, 0) for name in others) for core in mine)
    return time.monotonic(), busy, time.process_time()


def _cores():
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)


def _idle(openmp, ready, end):
    try:
        torch.get_num_threads()  # or torch would set this thread's number at its first loop
        openmp.omp_set_num_threads(2)  # of this thread alone
        torch.zeros(SHARED_OUT).exp_()
    finally:
        ready.set()
    end.wait()


waiting = Waiting()
