"""Run an experiment's points through papermill, a process a point, and keep a record of each.

A point is finished when its record is there, and a record appears whole, by renaming. So whatever ends a sweep loses
the points under way and nothing else, and the next call goes on from there.
"""

import ast
import errno
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing import connection
from pathlib import Path
from threading import RLock, Thread

import psutil
import torch
from tqdm import tqdm

from gsrgnn.lab import ends, files, records
from gsrgnn.lab.execution import NotebookFailed
from gsrgnn.lab.experiments import EXPERIMENTS, Point, points
from gsrgnn.lab.notebooks import (
    alone,
    check_parameters,
    code_cells,
    declared_parameters,
    digest,
    read_source,
)
from gsrgnn.lab.notebooks import run as run_notebook
from gsrgnn.lab.reached import reached
from gsrgnn.provenance import PACKAGE, hash_files, provenance

TIMEOUT = 24 * 3600  # seconds a cell
STARTUP = 4.0  # seconds until a notebook has imported what it needs
START_METHOD = "forkserver"  # imports once, then a process a point is cheap
DONE, STALE, FAILED, DAMAGED, TO_DO = "done", "stale", "failed", "damaged", "to do"
SMOKE = "_build/smoke"  # where smoke's records go: they show that it works and are no results


@dataclass(frozen=True)
class Status:
    """Where a point stands.

    Attributes:
        state: "done", or "out of memory" which is a result too; "stale" where the code that made the record has
            changed; "failed" where there is no record but a notebook that failed; "damaged" where the record cannot be
            trusted; "to do".
        note: why, in words.
        seconds: how long the point took, None where it has no record.
    """

    point: Point
    state: str
    note: str = ""
    seconds: float | None = None

    @property
    def finished(self) -> bool:
        return self.state in (DONE, records.OUT_OF_MEMORY)


@dataclass(frozen=True)
class Places:
    """Where a sweep's files lie: notebooks and executed notebooks under ``root``, records in ``folder``."""

    root: Path
    folder: Path

    def source(self, point: Point) -> Path:
        return self.root / "notebooks" / "experiments" / f"{point.experiment}.py"

    def executed(self, point: Point) -> Path:
        return self.root / "runs" / point.experiment / f"{point.name}.ipynb"

    def failed(self, point: Point) -> Path:
        return self.root / "_build" / "failed" / point.experiment / f"{point.name}.ipynb"

    def log(self, point: Point) -> Path:
        return self.failed(point).with_suffix(".log")

    def record(self, point: Point) -> Path:
        return self.folder / point.experiment / f"{point.name}.json"


def results_folder(profile: str, root: Path) -> Path:
    """Where the records of a profile lie: results/, but for smoke's, which are a build product."""
    return root / (SMOKE if profile == "smoke" else "results")


def key(source: Path, on_gpu: bool, package: Path = PACKAGE) -> dict[str, str]:
    """What a record depends on beside its parameters: the notebook's code, and as much of the package as that reaches.

    Prose is in neither, nor is any module of the package that takes no part, such as the figures; nor are the CUDA
    kernels, unless the record is made ``on_gpu``.
    """
    cells = code_cells(read_source(source))
    files = reached("\n".join(text for text, _ in cells), package)
    if not on_gpu:
        files = {path for path in files if package / "kernels" / "cuda" not in path.parents}
    return {"notebook": digest(cells), "package": hash_files(files, package)}


def status(point: Point, places: Places, now: dict[str, str]) -> Status:
    """How things stand with a point whose notebook's `key` is ``now``."""
    try:
        record = records.read(places.record(point))
        if (record["experiment"], record["parameters"]) != (point.experiment, point.parameters):
            raise ValueError(f"{places.record(point)} is a record of another point")
    except FileNotFoundError:
        failed = places.failed(point)
        if failed.exists():
            return Status(point, FAILED, f"see {failed.relative_to(places.root)}")
        return Status(point, TO_DO)
    except ValueError as error:
        return Status(point, DAMAGED, str(error))
    changed = [f"the {part}'s code" for part in now if record["key"][part] != now[part]]
    if changed:
        return Status(point, STALE, f"{' and '.join(changed)} changed since", record["seconds"])
    state = DONE if record["state"] == records.MEASURED else records.OUT_OF_MEMORY
    return Status(point, state, record["note"], record["seconds"])


def check(wanted: Iterable[Point], places: Places) -> None:
    """Raises ValueError where a point's notebook is missing or refuses its parameters, see `check_parameters`."""
    notebook = cache(read_source)
    for point in wanted:
        source = places.source(point)
        check_parameters(notebook(source), point.parameters, source)


def survey(wanted: Iterable[Point], places: Places) -> list[Status]:
    """`status` of every point, in order. Raises ValueError as `check` does."""
    wanted = list(wanted)
    check(wanted, places)
    key_of = cache(key)
    return [status(point, places, key_of(places.source(point), point.on_gpu)) for point in wanted]


def run_point(
    point: Point, places: Places, timeout: int = TIMEOUT, say: Callable[[str], None] = lambda words: None
) -> Status:
    """Execute the point's notebook and write its record, unless it is finished; returns where it stands now.

    Memory that is known to have run out is written down as the result. Raises what `notebooks.run` does for any other
    failure, and OSError where nothing can be written; an earlier record then stays as it is.
    """
    source = places.source(point)
    made_from = key(source, point.on_gpu)
    earlier = status(point, places, made_from)
    if earlier.finished:
        say("finished already, skipped")
        return earlier
    files.check_writable(places.record(point))
    declared = declared_parameters(read_source(source))
    record = {
        "format": records.FORMAT,
        "experiment": point.experiment,
        "parameters": point.parameters,
        "defaults": {name: _default(text) for name, text in declared.items() if name not in point.parameters},
        "key": made_from,
    }
    started = time.monotonic()
    try:
        notebook = run_notebook(
            source,
            places.executed(point),
            point.parameters,
            root=places.root,
            timeout=timeout,
            failed=places.failed(point),
            say=say,
        )
    except NotebookFailed as error:
        if not error.out_of_memory:
            raise
        record |= {"state": records.OUT_OF_MEMORY, "note": error.happened, "seconds": time.monotonic() - started}
        measured = {"rows": [], "made": {"label source": "not known", "threads": "not known"}}
    else:
        record |= {"state": records.MEASURED, "note": "", "seconds": notebook.metadata.gsrgnn.seconds}
        measured = records.published(notebook)
    record |= {"provenance": provenance() | measured["made"], "rows": measured["rows"]}
    records.check(record | {"checksum": records.checksum(record)}, f"what {source.name} publishes")
    records.write(record, places.record(point))
    for leftover in (places.failed(point), places.log(point)):
        leftover.unlink(missing_ok=True)
    return status(point, places, made_from)


def _default(text: str):
    """A default's value, its source text where it is no plain value."""
    try:
        return json.loads(json.dumps(ast.literal_eval(text)))
    except (ValueError, TypeError):
        return text


def run(
    profile: str,
    root: Path,
    *,
    folder: Path | None = None,
    only: list[str] | None = None,
    jobs: int = 1,
    keep_stale: bool = False,
    timeout: int = TIMEOUT,
    say: Callable[[str], None] = print,
) -> list[Status]:
    """Run every point of a profile that is not finished; returns where each stands afterwards, failures included.

    What has no record comes first, what is stale last. ``jobs`` points run at a time, each with its share of the
    cores; an experiment that measures time or memory has the machine to itself.

    Args:
        root: the folder of the sources, which holds notebooks/experiments.
        folder: where the records lie; `results_folder` if not given.
        only: experiments to run.
        keep_stale: leave the points alone whose record is stale.
        say: called with a line for each point that starts or ends; on a terminal there is a bar beside.

    Raises ValueError for an unknown profile, experiment or parameter and where a point needs a GPU that is not there,
    RuntimeError when the disk is full or read-only. On Ctrl-C the points under way are ended, and it is raised again.
    """
    if jobs < 1:
        raise ValueError(f"--jobs {jobs}: run at least 1 point at a time")
    places = Places(root, folder or results_folder(profile, root))
    wanted = points(profile, only)
    with alone(root / "_build" / "sweeps" / f"{digest(os.fspath(places.folder.resolve()))}.lock", say):
        statuses = survey(wanted, places)
        on_gpu = [s for s in statuses if not s.finished and s.point.on_gpu]
        if on_gpu and not torch.cuda.is_available():
            raise ValueError(
                f"{len(on_gpu)} points of {profile} run on a GPU and PyTorch finds none (gsrgnn doctor): "
                "smoke and cpu need none"
            )
        return _Sweep(statuses, places, jobs, keep_stale, timeout, say).run()


class _Sweep:
    """A sweep under way: `run` is its one method."""

    def __init__(self, statuses, places, jobs, keep_stale, timeout, say):
        self.now = {_id(status.point): status for status in statuses}
        self.places, self.jobs, self.timeout, self.print = places, jobs, timeout, say
        again = [] if keep_stale else [status for status in statuses if status.state == STALE]
        self.waiting = [s.point for s in statuses if not s.finished and s.state != STALE] + [s.point for s in again]
        self.running = {}  # pipe -> (point, process, start, mark)
        self.bar = None

    def run(self):
        finished = sum(status.finished for status in self.now.values())
        if finished:
            self.print(f"{finished} of {len(self.now)} points are finished already")
        terminal = sys.stderr.isatty()
        bar = "{desc} {bar} {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
        tqdm.monitor_interval = 0  # no thread of its own
        tqdm.set_lock(RLock())  # in place of a semaphore, which a kill would leave behind
        with tqdm(total=len(self.now), initial=finished, disable=not terminal, bar_format=bar, leave=False) as self.bar:
            try:
                while self.waiting or self.running:
                    self._start()
                    self._collect()
            finally:
                for _, process, _, mark in self.running.values():
                    end(process.pid, mark)
                    process.join()
        return list(self.now.values())

    def _start(self):
        while self.waiting and len(self.running) < self.jobs:
            point = self.waiting[0]
            beside = [other for other, *_ in self.running.values()]
            if beside and any(EXPERIMENTS[each.experiment].timed for each in (point, *beside)):
                return
            self.waiting.pop(0)
            shared = self.jobs > 1 and not EXPERIMENTS[point.experiment].timed
            threads = max(1, _cores() // self.jobs) if shared else None
            context = multiprocessing.get_context(START_METHOD)
            context.set_forkserver_preload(["__main__", __name__])
            ours, theirs = context.Pipe(duplex=False)
            mark, marked = ends.mark()
            work = (theirs, point, self.places, self.timeout, _environment(threads) | marked, mark)
            process = context.Process(target=_work, args=work, name=point.name)
            process.start()
            theirs.close()
            self.running[ours] = point, process, time.monotonic(), mark
            self._say(f"{point.experiment} {point.name}: running")

    def _collect(self):
        for pipe in connection.wait(list(self.running), timeout=1.0 if sys.stderr.isatty() else None):
            point, process, start, mark = self.running.pop(pipe)
            try:
                outcome = pipe.recv()
            except EOFError:
                process.join()
                outcome = f"its process ended without an answer: {ends.in_words(process.exitcode)}"
            ends.end_marked(mark)
            process.join()
            if isinstance(outcome, OSError):
                if outcome.errno in (*files.FULL, errno.EROFS):
                    raise RuntimeError(f"{outcome.strerror}, what is finished is kept") from outcome
                outcome = outcome.strerror
            if isinstance(outcome, Exception):
                outcome = str(outcome)
            if isinstance(outcome, str):
                outcome = Status(point, FAILED, outcome)
            self.now[_id(point)] = outcome
            took = _words(time.monotonic() - start)
            note = f": {outcome.note}" if outcome.note else ""
            self._say(f"{point.experiment} {point.name}: {outcome.state}, {took}{note}")
            self.bar.update(1)
        if self.bar is not None and not self.bar.disable:
            self.bar.set_description_str(", ".join(p.experiment for p, *_ in self.running.values()), refresh=False)
            self.bar.set_postfix_str(self._left())

    def _left(self):
        since = {_id(point): time.monotonic() - start for point, _, start, _ in self.running.values()}
        return time_left(self.now.values(), self.waiting + [p for p, *_ in self.running.values()], since)

    def _say(self, words):
        left = self._left() if self.waiting else ""
        place = f"[{len(self.now) - len(self.waiting) - len(self.running)}/{len(self.now)}]"
        if self.bar is not None and not self.bar.disable:
            tqdm.write(f"{place} {words}", file=sys.stderr)
        else:
            self.print(f"{place} {words}" + (f"; {left}" if left else ""))


def time_left(statuses: Iterable[Status], waiting: Iterable[Point], since: dict[tuple, float] | None = None) -> str:
    """How long the ``waiting`` points will take, in words, from the points with a record.

    Beside `STARTUP` a point's time is taken to grow with its `size`, at the rate of its experiment's points on the same
    circuit, or on any. ``since`` has the seconds that points under way have had, by experiment and name.
    """
    known = [(status.point, status.seconds) for status in statuses if status.seconds is not None]
    total, unknown = 0.0, 0
    for point in waiting:
        same = [(other, seconds) for other, seconds in known if other.experiment == point.experiment]
        close = [(o, s) for o, s in same if o.parameters.get("circuit") == point.parameters.get("circuit")] or same
        if not close:
            unknown += 1
            continue
        rate = sum(max(0.0, s - STARTUP) for _, s in close) / sum(other.size for other, _ in close)
        total += max(0.0, STARTUP + rate * point.size - (since or {}).get(_id(point), 0.0))
    if unknown and not total:
        return "time left not known yet"
    and_more = f" and {unknown} points of experiments that have not run yet" if unknown else ""
    return f"about {_words(total)} left{and_more}"


def listing(statuses: list[Status]) -> str:
    """A line a point, then how many are in which state and how long the rest will take."""
    lines = []
    for s in statuses:
        took = _words(s.seconds) if s.seconds is not None else ""
        note = f"  ({s.note})" if s.note else ""
        lines.append(f"{s.state:13} {took:>10}  {s.point.experiment:8} {s.point.name}{note}")
    waiting = [s.point for s in statuses if not s.finished]
    left = f"; {time_left(statuses, waiting)}" if waiting else ""
    return "\n".join([*lines, f"{len(statuses)} points: {_counts(statuses)}{left}"])


def summary(statuses: list[Status]) -> str:
    """How a sweep ended: how many are in which state, and everything that is not simply done."""
    lines = [
        f"{s.state}: {s.point.experiment} {s.point.name}" + f"\n  {s.note}" * bool(s.note)
        for s in statuses
        if s.state != DONE
    ]
    return "\n".join([*lines, f"{len(statuses)} points: {_counts(statuses)}"])


def _counts(statuses: list[Status]) -> str:
    states = [s.state for s in statuses]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)) or "none"


def _words(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def _work(pipe, point: Point, places: Places, timeout: int, environment: dict[str, str], mark: str) -> None:
    """In the point's process: run it and answer with its `Status` or with the exception."""
    os.setsid()  # Ctrl-C is our parent's business
    Thread(target=_end_with_parent, args=(mark,), daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)
    try:
        places.log(point).parent.mkdir(parents=True, exist_ok=True)
        with places.log(point).open("w") as log:
            for stream in (sys.stdout, sys.stderr):  # the kernel's as well
                os.dup2(log.fileno(), stream.fileno())
        answer = run_point(point, places, timeout)
    except OSError as error:
        answer = OSError(error.errno, files.plainly(error))
    except Exception as error:
        answer = str(error) if isinstance(error, ValueError | RuntimeError) else f"{type(error).__name__}: {error}"
    pipe.send(answer)


def _end_with_parent(mark: str) -> None:
    multiprocessing.parent_process().join()
    end(os.getpid(), mark)


def end(pid: int, mark: str) -> None:
    """Kill a process that a sweep started, its kernel, and what else was started with the mark."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    ends.end_marked(mark)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _environment(threads: int | None) -> dict[str, str]:
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS")
    return dict(os.environ) | (dict.fromkeys(names, str(threads)) if threads else {})


def _id(point: Point) -> tuple[str, str]:
    return point.experiment, point.name


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
