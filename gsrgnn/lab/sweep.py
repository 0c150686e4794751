"""Run an experiment's points through papermill, a process a point, and keep a record of each.

A point is finished when its record is there, and a record appears whole, by renaming. So whatever ends a sweep loses
the points under way and nothing else, and the next call goes on from there. So it may be given a `Window`: it begins
what is expected to fit, and what overruns nevertheless is ended and remembered to have been too long.
"""

import ast
import errno
import json
import math
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
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
from gsrgnn.lab.window import Task, Window, in_words
from gsrgnn.provenance import PACKAGE, hash_files, provenance

TIMEOUT = 24 * 3600  # seconds a cell
STARTUP = 4.0  # seconds until a notebook has imported what it needs
FIRST = 30.0  # seconds more that the first point of a window may take: a new machine compiles the kernels of its CPU
LONGER = 1.25  # times as long as it was given in vain: what a point is then expected to take at the least
START_METHOD = "forkserver"  # imports once, then a process a point is cheap
DONE, STALE, FAILED, DAMAGED, TO_DO, NOT_FINISHED = "done", "stale", "failed", "damaged", "to do", "not finished"
SMOKE = "_build/smoke"  # where smoke's records go: they show that it works and are no results


@dataclass(frozen=True)
class Status:
    """Where a point stands.

    Attributes:
        state: "done", or "out of memory" which is a result too; "stale" where the code that made the record has
            changed; "failed" where there is no record but a notebook that failed; "damaged" where the record cannot be
            trusted; "not finished" where a window closed over it; "to do".
        note: why, in words.
        seconds: how long the point took, None where it has no record.
        had: seconds that it was given in a window that closed over it, 0 where there was none.
    """

    point: Point
    state: str
    note: str = ""
    seconds: float | None = None
    had: float = 0.0

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

    def overrun(self, point: Point) -> Path:
        return self.failed(point).with_suffix(".overrun.json")

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
        failed, had = places.failed(point), _had(point, places, now)
        if had:
            return Status(point, NOT_FINISHED, f"a window closed over it after {in_words(had)}", had=had)
        if failed.exists():
            return Status(point, FAILED, f"see {failed.relative_to(places.root)}")
        return Status(point, TO_DO)
    except ValueError as error:
        return Status(point, DAMAGED, str(error), had=_had(point, places, now))
    changed = [f"the {part}'s code" for part in now if record["key"][part] != now[part]]
    if changed:
        why = f"{' and '.join(changed)} changed since"
        return Status(point, STALE, why, record["seconds"], _had(point, places, now))
    state = DONE if record["state"] == records.MEASURED else records.OUT_OF_MEMORY
    return Status(point, state, record["note"], record["seconds"])


def _had(point: Point, places: Places, now: dict[str, str]) -> float:
    """Seconds that this very code was given in a window that closed over it."""
    try:
        overrun = json.loads(files.read(places.overrun(point)))
        return float(overrun["seconds"]) if overrun["key"] == now else 0.0
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


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
    for leftover in (places.failed(point), places.log(point), places.overrun(point)):
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
    minutes: float = math.inf,
    timeout: int = TIMEOUT,
    say: Callable[[str], None] = print,
) -> list[Status]:
    """Run every point of a profile that is not finished; returns where each stands afterwards, failures included.

    What has no record comes first, then what failed, what is stale last. ``jobs`` points run at a time, each with its
    share of the cores; an experiment that measures time or memory has the machine to itself.

    Args:
        root: the folder of the sources, which holds notebooks/experiments.
        folder: where the records lie; `results_folder` if not given.
        only: experiments to run.
        keep_stale: leave the points alone whose record is stale.
        minutes: the window, from the call on. No point is begun that is not `expected` to fit into what is left, the
            next one that does is; what is under way when the window closes is ended, and "not finished".
        say: called with a line for each point that starts or ends; on a terminal there is a bar beside.

    Raises ValueError for an unknown profile, experiment or parameter and where a point needs a GPU that is not there,
    RuntimeError when the disk is full or read-only. On Ctrl-C the points under way are ended, and it is raised again.
    """
    if jobs < 1:
        raise ValueError(f"--jobs {jobs}: run at least 1 point at a time")
    window = Window(minutes)
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
        return _Sweep(statuses, places, jobs, keep_stale, window, timeout, say).run()


class _Sweep:
    """A sweep under way: `run` is its one method."""

    def __init__(self, statuses, places, jobs, keep_stale, window, timeout, say):
        self.now = {_id(status.point): status for status in statuses}
        self.places, self.jobs, self.window, self.timeout, self.print = places, jobs, window, timeout, say
        self.waiting = [status.point for status in in_order(statuses) if status.state != STALE or not keep_stale]
        self.first = FIRST if window.bounded else 0.0
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
                    if not self.running:
                        break
                    self._collect()
                    if not self.window.left:
                        self._end()
            finally:
                for _, process, _, mark in self.running.values():
                    end(process.pid, mark)
                    process.join()
        if self.window.bounded:
            self._say_what_is_left()
        return list(self.now.values())

    def _next(self):
        """The first point that fits into what is left of the window."""
        if not self.window.bounded:
            return next(iter(self.waiting), None)
        known, left = rates(self.now.values()), self.window.left - self.first
        return next((p for p in self.waiting if expected(self.now[_id(p)], known)[0] <= left), None)

    def _start(self):
        while len(self.running) < self.jobs and (point := self._next()):
            beside = [other for other, *_ in self.running.values()]
            if beside and any(EXPERIMENTS[each.experiment].timed for each in (point, *beside)):
                return
            self.waiting.remove(point)
            self.first = 0.0
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
        most = min(self.window.left, 1.0 if sys.stderr.isatty() else 3600.0)
        for pipe in connection.wait(list(self.running), timeout=most):
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
            took = in_words(time.monotonic() - start)
            note = f": {outcome.note}" if outcome.note else ""
            self._say(f"{point.experiment} {point.name}: {outcome.state}, {took}{note}")
            self.bar.update(1)
        if self.bar is not None and not self.bar.disable:
            self.bar.set_description_str(", ".join(p.experiment for p, *_ in self.running.values()), refresh=False)
            self.bar.set_postfix_str(self._left())

    def _end(self):
        """The window is over: end what is under way, and keep how long it had."""
        for pipe, (point, process, start, mark) in list(self.running.items()):
            end(process.pid, mark)
            process.join()
            del self.running[pipe]
            made_from, had = key(self.places.source(point), point.on_gpu), time.monotonic() - start
            now = status(point, self.places, made_from)
            if not now.finished:
                overrun = self.places.overrun(point)
                overrun.parent.mkdir(parents=True, exist_ok=True)
                files.write(json.dumps({"key": made_from, "seconds": had}), overrun)
                now = replace(now, state=NOT_FINISHED, note=f"the window closed over it after {in_words(had)}", had=had)
            self.now[_id(point)] = now
            self._say(f"{point.experiment} {point.name}: {now.state}")

    def _say_what_is_left(self):
        left = [s for s in in_order(self.now.values()) if s.point in self.waiting or s.state == NOT_FINISHED]
        known, minutes = rates(self.now.values()), self.window.minutes
        for status in left:
            if status.state == FAILED:
                self.now[_id(status.point)] = replace(status, state=TO_DO, note=f"failed before, {status.note}")
            seconds = FIRST + expected(status, known)[0]
            if seconds > 60 * minutes:
                words = f"about {in_words(seconds)} expected: too long for any window of {minutes:g} min"
                self.now[_id(status.point)] = replace(self.now[_id(status.point)], note=words)
        if left:
            much = f"{len(left)} points, {time_left(self.now.values(), [status.point for status in left])}"
            self.print(f"the window of {minutes:g} min has no room for what remains ({much}): the same command goes on")

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


def in_order(statuses: Iterable[Status]) -> list[Status]:
    """What is not finished, in the order in which it is run: first what has no record, then what failed or was ended
    by a window, then what is stale; each by worth."""
    rank = {FAILED: 1, NOT_FINISHED: 1, STALE: 2}
    return sorted((s for s in statuses if not s.finished), key=lambda s: rank.get(s.state, 0))


def rates(statuses: Iterable[Status]) -> dict[tuple[str, str | None], float]:
    """How many times their estimates the points with a record took, beside `STARTUP`, by experiment and circuit.

    The circuit None is all of them.
    """
    sums: dict = {}
    for status in statuses:
        if status.seconds is not None and status.state != records.OUT_OF_MEMORY:
            for circuit in (status.point.parameters.get("circuit"), None):
                took, estimated = sums.get(place := (status.point.experiment, circuit), (0.0, 0.0))
                sums[place] = took + max(0.0, status.seconds - STARTUP), estimated + status.point.estimate
    return {place: took / estimated for place, (took, estimated) in sums.items()}


def expected(status: Status, known: dict[tuple[str, str | None], float]) -> tuple[float, bool]:
    """Seconds that a point will take, and whether points of its experiment that have been measured say so.

    It is `STARTUP` and the point's estimate, times its experiment's rate of `rates` on the same circuit, or on any;
    where none has been measured, the estimate as it stands. It is more than what the point was given in a window in
    vain.
    """
    experiment, circuit = status.point.experiment, status.point.parameters.get("circuit")
    rate = known.get((experiment, circuit), known.get((experiment, None)))
    seconds = STARTUP + (1.0 if rate is None else rate) * status.point.estimate
    return max(seconds, LONGER * status.had), rate is not None


def time_left(
    statuses: Iterable[Status], waiting: Iterable[Point], since: dict[tuple[str, str], float] | None = None
) -> str:
    """How long the ``waiting`` points will take, in words, as `expected` has it.

    ``since`` has the seconds that points under way have had, by experiment and name.
    """
    statuses = list(statuses)
    known, of = rates(statuses), {_id(status.point): status for status in statuses}
    total, estimated = 0.0, 0
    for point in waiting:
        seconds, measured = expected(of.get(_id(point), Status(point, TO_DO)), known)
        total += max(0.0, seconds - (since or {}).get(_id(point), 0.0))
        estimated += not measured
    by = f", {estimated} points by estimate" if estimated else ""
    return f"about {in_words(total)} left{by}"


def tasks(statuses: list[Status], keep_stale: bool = False) -> list[Task]:
    """What is not finished, in the order in which it is run, with the seconds that are `expected`."""
    known, found = rates(statuses), []
    for status in in_order(statuses):
        if status.state != STALE or not keep_stale:
            seconds, measured = expected(status, known)
            words = f"{status.point.experiment} {status.point.name}" + " (estimated)" * (not measured)
            found.append(Task(words, seconds))
    return found


def listing(statuses: list[Status]) -> str:
    """A line a point, then how many are in which state and how long the rest will take."""
    lines = []
    for s in statuses:
        took = in_words(s.seconds) if s.seconds is not None else ""
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
