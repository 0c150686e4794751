"""What memory can still be had, asked before much of it is taken; and whether what is freed is kept."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

import psutil
import torch

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -2, -3, -4  # of glibc's mallopt


def free_memory(device: torch.device) -> int:
    """Bytes that can still be had there: of a GPU, what nobody holds and what torch holds and does not use."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    return psutil.virtual_memory().available


def check_memory(needed: float, what: str, instead: str, device: torch.device = torch.device("cpu")) -> None:  # noqa: B008
    """Raises MemoryError, which says for `what` and what to do `instead`, unless ``needed`` bytes can be had."""
    free = free_memory(device)
    if needed > free:
        raise MemoryError(f"{what} takes {needed / 1e9:,.1f} GB and {free / 1e9:,.1f} GB are free: {instead}")


def keep_freed_memory(keep: bool = True) -> None:
    """Let this process use freed memory again in place of giving it back, where glibc manages it; or no longer.

    By default an array of 32 MB and more is asked of the system anew each time, page by page, which slows a model that
    makes such arrays at every step. Arrays that are a good part of all memory are better not kept: what smaller ones
    leave of their place is of no use to the next. In a thread other than the first, and in the first one once it was
    refused memory, glibc can keep arrays below 64 MB only.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0 if keep else 2**16)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1 if keep else 2**26)
        libc.mallopt(M_TOP_PAD, 2**27 if keep else 2**17)  # two of the pieces that a thread other than the first takes
        if not keep:
            libc.mallopt(M_MMAP_THRESHOLD, 2**25)  # where glibc's own, which moves, ends
            libc.malloc_trim(0)


_keeping = 0
_counting = Lock()


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """In the block a step's arrays lie where those of the last one lay (`keep_freed_memory`); then all is given back.

    Around a training loop of one's own; `gsrgnn.training.train` does it itself. It is the whole process's, and blocks
    may lie within others and in several threads.
    """
    _count(1)
    try:
        yield
    finally:
        _count(-1)


def _count(more):
    global _keeping
    with _counting:
        _keeping += more
        if _keeping == (more > 0):
            keep_freed_memory(more > 0)
