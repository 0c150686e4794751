"""Probes of time and memory: contenders in turn, what a forward pass keeps, a process's peak, machine speeds."""

import ctypes
import gc
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

import psutil
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gsrgnn.lab import ends
from gsrgnn.memory import M_MMAP_THRESHOLD

OUT_OF_MEMORY = "out of memory"
Result = TypeVar("Result")


def in_turn(contenders: dict[str, Callable[[], Any]], rounds: int, warm_up: int = 1) -> Iterator[tuple[str, Any]]:
    """Call each contender once a round, so that what slows the machine for a while slows all of them.

    Args:
        contenders: name -> callable without arguments.
        rounds: rounds to report, after ``warm_up`` rounds that are not.

    Yields ``(name, result)`` of each call of the reported rounds as it ends. A contender that raises is not called
    again, and its exception is yielded as the result. KeyboardInterrupt passes through.
    """
    running = dict(contenders)
    for number in range(-warm_up, rounds):
        for name, call in list(running.items()):
            try:
                result = call()
            except Exception as error:  # whatever it is, the others go on
                result = error.with_traceback(None)
                del running[name]
            if number >= 0 or isinstance(result, Exception):
                yield name, result


def kept_bytes(forward: Callable[[], Tensor], apart: Iterable[Tensor] = ()) -> int:
    """Bytes that a forward pass leaves in memory for its backward pass.

    Counted is every storage, once and at its size afterwards, that ``forward`` either made and that is still alive
    when it has returned, or handed to autograd's ``saved_tensors_hooks``. The first finds what the hooks do not see
    (``GroupAddRev`` keeps tensors aside of autograd, and empties them); the second finds arrays that are written
    anew at each call and were made at an earlier one. Call ``forward`` once before, so that what is made once is
    there.

    Args:
        forward: callable without arguments that returns a tensor; that tensor itself is not counted.
        apart: tensors that exist anyway: parameters, inputs, the graph.
    """
    found = {}

    def note(tensors, but=()):
        for address, storage in _storages(tensors).items():
            if address not in but:
                found[address] = StorageWeakRef(storage)

    def pack(tensor):
        note(tensor)
        return tensor

    class Made(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            note(out, but=_storages((args, kwargs)))  # a view is not made
            return out

    gc.collect()
    with Made(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = forward()
    gc.collect()
    others = _storages((out, *apart))
    alive = [
        torch.UntypedStorage._new_with_weak_ptr(ref.cdata)
        for address, ref in found.items()
        if address not in others and not ref.expired()
    ]
    return sum(storage.nbytes() for storage in alive)


def _storages(value):
    """Address -> storage of every dense tensor in ``value``."""
    tensors = (t for t in tree_leaves(value) if isinstance(t, torch.Tensor) and t.layout == torch.strided)
    return {storage._cdata: storage for storage in map(torch.Tensor.untyped_storage, tensors)}


@dataclass(frozen=True)
class Peak:
    """Resident memory of a process in bytes: ``before`` the work began, and at its ``peak`` during the work."""

    before: int
    peak: int

    @property
    def growth(self) -> int:
        """What the work added at its peak."""
        return self.peak - self.before


def peak_memory(prepare: Callable[..., Any], work: Callable[[Any], Any], *arguments: Any) -> Peak:
    """`Peak` of ``work(prepare(*arguments))`` in a process of its own: before the work, and at its peak.

    Both functions must be importable. The highest resident size is the kernel's own count (VmHWM), set back when the
    work begins; ``ru_maxrss`` will not do, since on Linux a new process starts with its parent's. glibc is told to
    return freed blocks of 64 KiB and more at once. By default it may hold back those below 32 MB, to several times
    what is in use, and the figure would tell more of that than of the model.

    Raises MemoryError where the work does not get the memory or the system kills its process for lack of it,
    RuntimeError with the message of any other exception, or saying how the process ended.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", prepare.__module__, work.__module__])
    return _answer(context, _report_peak, prepare, work, arguments)


def peak_here(work: Callable[[], Result]) -> tuple[Result, Peak]:
    """What ``work()`` gives, and its `Peak` in this process, with what the allocator holds back of freed memory."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    _forget_peak()
    before = psutil.Process().memory_info().rss
    result = work()
    return result, Peak(before, max(before, _highest()))


def _answer(context, report, *arguments):
    """What ``report(pipe, *arguments)`` sends through its pipe, in a process of its own; text it sends is raised."""
    oom_kills = ends.oom_kills()
    process, pipe = _started(context, report, *arguments)
    try:
        with pipe:
            return _received(process, pipe, oom_kills)
    finally:
        process.terminate()
        process.join()


def _started(context, report, *arguments):
    """A process that runs ``report(pipe, *arguments)``, and our end of its pipe."""
    ours, theirs = context.Pipe()
    process = context.Process(target=report, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _received(process, pipe, oom_kills):
    """What the process sends; text it sends is raised."""
    try:
        answer = pipe.recv()
    except (EOFError, ConnectionError):
        process.join()
        if ends.killed_for_memory(process.exitcode, oom_kills):
            raise MemoryError(f"{OUT_OF_MEMORY}: the system killed the process for it") from None
        how = ends.in_words(process.exitcode).removeprefix("ended with ")
        raise RuntimeError(f"the process ended without an answer ({how})") from None
    if not isinstance(answer, str):
        return answer
    raise (MemoryError if answer.startswith(OUT_OF_MEMORY) else RuntimeError)(answer)


def _report_peak(pipe, prepare, work, arguments):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's business
    try:
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 2**16)
        with bounded_memory():
            state = prepare(*arguments)
            _, peak = peak_here(lambda: work(state))
            pipe.send(peak)
    except Exception as error:
        pipe.send(describe(error))


def gpu_memory(
    prepare: Callable[..., Any], work: Callable[[Any], Any], *arguments: Any, expandable: bool = False
) -> dict[str, int]:
    """Bytes of GPU memory of ``work(prepare(*arguments))``, by torch's allocator, in a process for that alone.

    The process is kept for the next call: it starts and compiles kernels once, and gives back to the GPU all that is
    free before each measurement. After an error there is a new one; `end_gpu_processes` ends it.

    Returns ``before``, allocated when the work began, and the peaks ``allocated``, ``active`` and ``reserved`` during
    it. What is reserved depends on how the allocator cuts its segments: ``expandable`` lets them grow, which PyTorch
    does not by default.

    Raises as `peak_memory` does.
    """
    oom_kills = ends.oom_kills()
    if expandable not in _gpu_processes:
        _gpu_processes[expandable] = _started(multiprocessing.get_context("spawn"), _report_gpu_peaks, expandable)
    process, pipe = _gpu_processes[expandable]
    try:
        pipe.send((prepare, work, arguments))
        return _received(process, pipe, oom_kills)
    except BaseException:  # what an error leaves on the GPU would be in the next measurement
        end_gpu_processes()
        raise


_gpu_processes: dict[bool, tuple[BaseProcess, Connection]] = {}  # by whether segments may grow


def end_gpu_processes() -> None:
    """End those that `gpu_memory` keeps."""
    while _gpu_processes:
        _, (process, pipe) = _gpu_processes.popitem()
        pipe.close()
        process.terminate()
        process.join()


def _report_gpu_peaks(pipe, expandable):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's business
    os.environ["PYTORCH_ALLOC_CONF"] = os.environ["PYTORCH_CUDA_ALLOC_CONF"] = f"expandable_segments:{expandable}"
    with suppress(EOFError):
        while True:
            prepare, work, arguments = pipe.recv()
            try:
                answer = _gpu_peaks(prepare, work, arguments)
            except Exception as error:
                answer = describe(error)
            give_back()  # the other process, whose segments may grow or may not, needs it
            pipe.send(answer)


def _gpu_peaks(prepare, work, arguments):
    state = prepare(*arguments)
    torch.cuda.synchronize()
    give_back()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work(state)
    torch.cuda.synchronize()
    stats = torch.cuda.memory_stats()
    return {"before": before, **{name: stats[f"{name}_bytes.all.peak"] for name in ("allocated", "active", "reserved")}}


def give_back() -> None:
    """Give the GPU back what torch holds of its memory and nobody uses; nothing where no GPU is in use."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _forget_peak():
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _highest():
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024


@contextmanager
def bounded_memory() -> Iterator[None]:
    """In the block, asking for more memory than is free raises, where the system would later kill the process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    statm = Path("/proc/self/statm")
    used = int(statm.read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0
    bound = used + psutil.virtual_memory().available
    allowed = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(bound, *allowed) if allowed else bound, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def describe(error: Exception) -> str:
    """An exception in one line; one that speaks of memory begins with `OUT_OF_MEMORY`."""
    line = " ".join(str(error).split())
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or ends.speaks_of_memory(type(error).__name__, line):
        return line if line.startswith(OUT_OF_MEMORY) else f"{OUT_OF_MEMORY}: {line}" if line else OUT_OF_MEMORY
    return f"{type(error).__name__}: {line}"


def copy_speed(size: int = 2**27, repeats: int = 5, device: str = "cpu") -> float:
    """Bytes a second at which this machine copies ``size`` bytes, read and written ones added: best of repeats."""
    source, target = torch.ones(2, size // 4, device=device)
    return 2 * source.nbytes / _fastest(lambda: target.copy_(source), repeats)


def product_seconds(rows: int, inner: int, columns: int, repeats: int = 5, device: str = "cpu") -> float:
    """Seconds of a product ``[rows, inner] @ [inner, columns]`` into an array made before: best of repeats."""
    left, right = torch.randn(rows, inner, device=device), torch.randn(inner, columns, device=device)
    out = torch.empty(rows, columns, device=device)
    return _fastest(lambda: torch.mm(left, right, out=out), repeats)


def wait() -> None:
    """Until what was launched on a GPU is done; at once where none is in use."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def _fastest(call, repeats):
    call()
    wait()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        wait()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
