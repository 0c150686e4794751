"""A window: the minutes that a machine is had for, and what is begun in them."""

import math
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

LONGEST = 1e8  # seconds, three years: a timer takes no more than so many digits


class Closed(BaseException):
    """Raised where a window closes, or has too little left. No error: what handles those is to let it pass."""


class Window:
    """Minutes from now on; without end if not given.

    Raises ValueError for a window that is not longer than 0.
    """

    def __init__(self, minutes: float = math.inf) -> None:
        if not minutes > 0:
            raise ValueError(f"--minutes {minutes:g}: a window is longer than 0 minutes")
        self.minutes = minutes
        self._end = time.monotonic() + 60 * minutes

    @property
    def bounded(self) -> bool:
        """Whether it ends at all."""
        return math.isfinite(self.minutes)

    @property
    def left(self) -> float:
        """Seconds until it closes, never below 0."""
        return max(0.0, self._end - time.monotonic())

    def need(self, seconds: float, what: str) -> None:
        """Raises `Closed` where ``what`` is expected to take longer than is left."""
        if seconds > self.left:
            never = f", more than a window of {self.minutes:g} min has" if seconds > 60 * self.minutes else ""
            raise Closed(f"{what} would take about {in_words(seconds)}{never}, and {in_words(self.left)} are left")

    @contextmanager
    def closing(self) -> Iterator[None]:
        """In the block, which the main thread runs, `Closed` is raised when the window closes."""
        if not self.bounded or self.left > LONGEST:
            yield
            return

        def close(number, frame):
            raise Closed(f"the window of {self.minutes:g} min is over")

        before = signal.signal(signal.SIGALRM, close)
        signal.setitimer(signal.ITIMER_REAL, max(self.left, 1e-3))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


ENDLESS = Window()


@dataclass(frozen=True)
class Task:
    """Something to be run in one go, in words, and the seconds that it is expected to take."""

    words: str
    seconds: float


def plan(tasks: Iterable[Task], minutes: float, first: float = 0.0) -> tuple[list[list[Task]], list[Task]]:
    """Which window of so many minutes each task falls into, and the tasks that are too long for any.

    In order; where one does not fit into what is left of a window, the next one that does is taken before it. ``first``
    are the seconds that every window takes more. Raises ValueError as `Window` does.
    """
    room, waiting, too_long, windows = 60 * Window(minutes).minutes - first, [], [], []
    for task in tasks:
        (waiting if task.seconds <= room else too_long).append(task)
    while waiting:
        left, taken, later = room, [], []
        for task in waiting:
            fits = task.seconds <= left
            (taken if fits else later).append(task)
            left -= task.seconds * fits
        windows.append(taken)
        waiting = later
    return windows, too_long


def programme(tasks: Iterable[Task], minutes: float, first: float = 0.0) -> str:
    """The `plan` in text: a line a task, with its window, its time and that of all up to it, and the total."""
    windows, too_long = plan(tasks, minutes, first)
    lines, total = ["window   expected     in all"], 0.0
    for number, taken in enumerate(windows, 1):
        total += first
        for task in taken:
            total += task.seconds
            lines.append(f"{number:>6}  {clock(task.seconds):>9}  {clock(total):>9}  {task.words}")
    lines += [f"{'none':>6}  {clock(task.seconds):>9}  {'':>9}  {task.words}" for task in too_long]
    number = f"{len(windows)} window{'s' * (len(windows) != 1)} of {minutes:g} min"
    lines.append(f"in all {clock(total)} min in {number}, of each {first:.0f} s for its start")
    if too_long:
        lines.append(f"too long for any: {len(too_long)}; --minutes with more, or without it, runs them")
    return "\n".join(lines)


def clock(seconds: float) -> str:
    """A duration as minutes and seconds, 3:05."""
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"


def in_words(seconds: float) -> str:
    """A duration as a line shows it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
