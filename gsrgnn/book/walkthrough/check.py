"""Hold a computed matrix against a printed one."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from gsrgnn.book.walkthrough.display import Matrix, matrix, number
from gsrgnn.book.walkthrough.printed import Printed


@dataclass(frozen=True)
class Deviation:
    """A printed entry known not to follow from its inputs, with the reason that the page gives for it."""

    row: int
    column: int
    reason: str


def check(
    computed: ArrayLike,
    printed: Printed,
    terms: ArrayLike = 0,
    deviations: Iterable[Deviation] = (),
    name: str = "",
    kept: ArrayLike | None = None,
) -> Matrix:
    """Assert that every legible entry of ``printed`` agrees with ``computed``; return it with verdicts.

    A printed number stands for itself to half a unit of its last digit (a lone 0 has its matrix's digits).
    An entry that sums ``terms`` numbers, each printed with the same rounding, may be off by ``(1 + terms)``
    times that. Derived entries are held to the same.

    Args:
        computed: ``[rows, columns]`` numbers.
        printed: the `Printed` matrix of the same shape.
        terms: rounded numbers summed in an entry: one number, or an array that broadcasts to the shape.
        deviations: every `Deviation` that is known; each must be there, or the list is out of date.
        name, kept: as in `matrix`.

    Raises:
        AssertionError: naming the entry and both numbers, when an entry disagrees undeclared or a declared
            deviation agrees after all.
    """
    computed = np.asarray(computed)
    if computed.shape != printed.values.shape:
        raise ValueError(
            f"computed has shape {computed.shape}, {printed.name} of {printed.source} "
            f"{printed.values.shape}: they must be equal"
        )
    tolerance = np.broadcast_to(printed.half_unit * (1 + np.asarray(terms)), printed.values.shape)
    agrees = (np.abs(computed - printed.values) <= tolerance + 1e-9) | (printed.provenance == "?")
    reasons = {(d.row, d.column): d.reason for d in deviations}
    for at in {*map(tuple, np.argwhere(~agrees).tolist()), *reasons}:
        numbers = f"computed {computed[at]:.4g}, printed {printed.values[at]:.4g}"
        entry = f"{printed.name} ({printed.source}), row {at[0]}, column {at[1]}: {numbers}"
        if at not in reasons:
            raise AssertionError(entry)
        if agrees[at]:
            raise AssertionError(f"{entry}: declared to deviate, but they agree")

    shown = matrix(computed, name or printed.name, kept=kept, decimals=int(printed.decimals.max()))
    expected = {at: number(printed.values[at], shown.decimals) for at in reasons}
    notes = [f"{shown.name}, {printed.source}: {_tally(printed, agrees, tolerance)}."]
    notes += [
        f"≠ row {at[0]}, column {at[1]}: printed {expected[at]}, computed "
        f"{number(computed[at], shown.decimals)}. {reason}"
        for at, reason in reasons.items()
    ]
    return replace(shown, derived=printed.provenance == "D", expected=expected, notes=tuple(notes))


def _tally(printed: Printed, agrees: np.ndarray, tolerance: np.ndarray) -> str:
    read = printed.provenance == "R"
    text = f"{(agrees & read).sum()} of {read.sum()} readable entries agree"
    if read.any() and printed.decimals.any():
        bounds = dict.fromkeys(f"±{bound:g}" for bound in (tolerance[read].min(), tolerance[read].max()))
        text += f" within {' to '.join(bounds)}"
    for mark, word in (("D", "derived"), ("?", "unreadable")):
        if (printed.provenance == mark).any():
            text += f"; {(printed.provenance == mark).sum()} {word}"
    return text
