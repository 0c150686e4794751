"""What the end of a process is called, and how to end one with all that it started.

That memory ran out is a result of an experiment, so only what is known to be that is called so.
"""

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from uuid import uuid4

import psutil

MARK = "GSRGNN_STARTED_BY"
CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGSYS, signal.SIGTRAP}
MEMORY_ERRORS = ("MemoryError", "_ArrayMemoryError", "OutOfMemoryError")  # Python's, NumPy's, PyTorch's of a GPU
ALLOCATOR = re.compile("can't allocate memory|DefaultCPUAllocator: not enough memory")  # PyTorch's of a CPU


def in_words(exit_code: int) -> str:
    """How a process ended, by the exit code that `subprocess` or `multiprocessing` gives."""
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    number = -exit_code
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    return f"crashed with {name}" if number in CRASHES else f"killed by {name} from outside"


def killed_for_memory(exit_code: int, before: int | None) -> bool:
    """Whether a process that was alive when `oom_kills` gave ``before`` was killed for lack of memory."""
    now = oom_kills()
    return exit_code == -signal.SIGKILL and None not in (before, now) and now > before


def speaks_of_memory(kind: str, message: str) -> bool:
    """Whether an exception, by the name of its class and its message, says that memory ran out."""
    return kind in MEMORY_ERRORS or kind == "RuntimeError" and bool(ALLOCATOR.search(message))


def oom_kills() -> int | None:
    """How many processes the system has killed for lack of memory; None where no counter can be read.

    Counted are those of our cgroup, which the processes that we start are in; of the whole machine where that has no
    counter.
    """
    return _count(counter) if (counter := _counter()) else None


@cache
def _counter() -> Path | None:
    return next((path for path in _counters(Path("/proc")) if _count(path) is not None), None)


def _count(path: Path) -> int | None:
    try:
        found = re.search(r"^oom_kill (\d+)$", path.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None


def _counters(proc: Path) -> Iterator[Path]:
    """Where a counter may be: in our cgroup of version 1 or 2, then the machine's."""
    with suppress(OSError, ValueError):
        groups = [line.split(":", 2) for line in (proc / "self" / "cgroup").read_text().splitlines()]
        mounts = [line.split() for line in (proc / "self" / "mountinfo").read_text().splitlines()]
        for name, kind in (("memory.oom_control", "cgroup"), ("memory.events", "cgroup2")):
            for _, controllers, group in groups:
                if ("memory" in controllers.split(",")) if kind == "cgroup" else not controllers:
                    for fields in mounts:
                        root, at, (found, _, options) = fields[3], fields[4], fields[fields.index("-") + 1 :][:3]
                        inside = group == root or group.startswith(root.rstrip("/") + "/")
                        if found == kind and inside and (kind == "cgroup2" or "memory" in options.split(",")):
                            yield Path(at.replace(r"\040", " "), group.removeprefix(root).lstrip("/"), name)
    yield proc / "vmstat"


def mark() -> tuple[str, dict[str, str]]:
    """A new mark, and the environment variable by which all that is started with it, and below, can be found."""
    new = uuid4().hex
    return new, {MARK: f"{os.environ.get(MARK, '')} {new}".strip()}


def end_marked(mark: str, session: int | None = None) -> None:
    """Kill every process that was started with the mark, detached ones too, and those of the session."""
    for _ in range(50):  # what is being killed may have started another
        found = list(_marked(mark, session))
        if not found:
            return
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        time.sleep(0.02)


def _marked(mark: str, session: int | None) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if (
                process.pid != os.getpid()
                and process.status() != psutil.STATUS_ZOMBIE
                and (session == os.getsid(process.pid) or mark in process.environ().get(MARK, "").split())
            ):
                yield process
