"""More than one layout a design: the circuits that ship, placed and routed again in other ways.

CircuitNet has each of its designs many times, at other utilisations and with other places of macros; here `grid` names
such layouts and `make` makes one. What a gcell has room for belongs to the technology and not to a layout: the capacity
is that of the design's shipped layout, so that a fuller die has more congestion and not a larger capacity.

A layout follows from its name, the netlist and the code alone: the same arrays each time on one machine. On another
machine, or with another version of Numba, rounding may differ in a last digit, and placements with it, as those of
`synthesis` do.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from gsrgnn.circuits import congestion, netlist_file, packaged, placement
from gsrgnn.circuits.placement import UTILISATION, Macros
from gsrgnn.provenance import hash_files

# (utilisation, aspect, macros, seed): the shipped layout, what differs from it in one thing, and in several.
_WAYS: tuple[tuple[float, float, Macros, int], ...] = (
    (UTILISATION, 1.0, "corners", 0),
    (0.5, 1.0, "corners", 0),
    (0.6, 1.0, "corners", 0),
    (0.8, 1.0, "corners", 0),
    (UTILISATION, 0.5, "corners", 0),
    (UTILISATION, 2.0, "corners", 0),
    (UTILISATION, 1.0, "corners", 1),
    (UTILISATION, 1.0, "corners", 2),
    (0.6, 2.0, "corners", 3),
    (0.8, 0.5, "corners", 4),
)
_WITH_MACROS: tuple[tuple[float, float, Macros, int], ...] = (
    (UTILISATION, 1.0, "border", 5),
    (UTILISATION, 1.0, "scattered", 6),
)
_SECONDS_A_PIN = 3e-5  # a first guess, corrected by what is measured


@dataclass(frozen=True)
class Layout:
    """One way to place a circuit that ships. The last four are arguments of `gsrgnn.circuits.placement.place`."""

    design: str
    utilisation: float
    aspect: float
    macros: Macros
    seed: int

    @property
    def name(self) -> str:
        return f"{self.design}-u{self.utilisation:.2f}-a{self.aspect:.2f}-{self.macros}-s{self.seed}"

    @property
    def file(self) -> str:
        return f"{self.name.replace('/', '-')}.npz"


def grid(designs: Iterable[str] | None = None) -> list[Layout]:
    """The layouts of the circuits `designs` (all that ship), the smallest design first: ten each, twelve with macros.

    ValueError lists the circuits if one is none of them.
    """
    records = packaged.origins()
    for name in designs or ():
        packaged.path(name)
    return [
        Layout(name, *way)
        for name in records
        if designs is None or name in designs
        for way in (*_WAYS, *(_WITH_MACROS if records[name]["macros"] else ()))
    ]


def make(layout: Layout, folder: str | os.PathLike[str]) -> Path:
    """Places and routes one layout and writes it into `folder`, whole or not at all; the file's path."""
    netlist, shipped = packaged.read(layout.design)
    way = {key: value for key, value in asdict(layout).items() if key != "design"}
    box, die = placement.place(netlist.cell, netlist.net, netlist.size, **way)  # type: ignore[arg-type]
    placed = replace(netlist, name=layout.name, box=box, grid=die)
    maps = congestion.routed(placed, capacity=shipped.capacity)
    file = Path(folder) / layout.file
    netlist_file.write(file, placed, maps, _about(layout))
    return file


def is_made(layout: Layout, folder: str | os.PathLike[str]) -> bool:
    """Whether `folder` has the layout, whole, of the netlist that ships and of today's placer and router."""
    try:
        return netlist_file.read(Path(folder) / layout.file)[2] == {"name": layout.name} | _about(layout)
    except (OSError, ValueError):
        return False


def make_all(
    layouts: Sequence[Layout],
    folder: str | os.PathLike[str],
    *,
    jobs: int = 1,
    say: Callable[[str], object] = print,
) -> int:
    """Makes those of `layouts` that `folder` has not, each a file of its own: how many were made.

    A call that is killed loses the layouts under way, `jobs` of them, and the next call goes on. jobs: threads.
    say: called with a line of text before, and after every layout with the time that is left.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    waiting = [layout for layout in layouts if not is_made(layout, folder)]
    left = sum(map(_pins, waiting))
    jobs = max(min(jobs, len(waiting)), 1)
    say(f"{len(layouts) - len(waiting)} of {len(layouts)} layouts are there; {_minutes(left, _SECONDS_A_PIN / jobs)}")
    started, done = time.perf_counter(), 0
    for count, layout in enumerate(_made(waiting, folder, jobs), 1):
        done += _pins(layout)
        left -= _pins(layout)
        rest = _minutes(left, (time.perf_counter() - started) / done)
        say(f"{count}/{len(waiting)} {layout.name}; {rest}")
    return len(waiting)


def _made(waiting, folder, jobs):
    """The layouts, each when it is made; the loops of placer and router let other threads run."""
    with ThreadPoolExecutor(jobs) as pool:
        under_way = {pool.submit(make, layout, folder): layout for layout in waiting}
        try:
            for finished in as_completed(under_way):
                finished.result()
                yield under_way[finished]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _about(layout: Layout) -> dict[str, Any]:
    sealed = packaged.origins()[layout.design]["sha256"]
    return asdict(layout) | {"netlist_sha256": sealed, "code": _code()}


@cache
def _code():
    """Of the files that a layout follows from."""
    folder = Path(__file__).parent
    return hash_files((folder / f"{name}.py" for name in ("placement", "routing", "congestion")), folder)


@cache
def _pins_of_designs():
    return {name: record["pins"] for name, record in packaged.origins().items()}


def _pins(layout):
    return _pins_of_designs()[layout.design]


def _minutes(pins, seconds_a_pin):
    minutes = pins * seconds_a_pin / 60
    return f"about {minutes:.0f} min left" if minutes >= 1 else f"about {60 * minutes:.0f} s left"
