"""Every number of the worked examples recomputed under both readings of the product, and judged.

A printed matrix is recomputed from the matrices printed before it, so that one slip counts once.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gsrgnn.book.walkthrough.display import VERDICTS, Row, matrix, show
from gsrgnn.book.walkthrough.examples import BACKWARD, EXAMPLE, FORWARD
from gsrgnn.book.walkthrough.layer_steps import READINGS, block, block_backward
from gsrgnn.book.walkthrough.printed import Printed
from gsrgnn.kernels import reference

AGREES, OTHER, ROUNDING, CANNOT, UNREADABLE = VERDICTS


@dataclass(frozen=True)
class Line:
    """A printed matrix and what it should be: NaN where that follows from an unreadable number."""

    printed: Printed
    neighbour: np.ndarray
    own: np.ndarray
    terms: np.ndarray | int
    how: str


def recomputed() -> dict[str, Line]:
    """Every printed matrix that follows from others, by ``section/name``, in the paper's order."""
    A = EXAMPLE["adjacency"].array
    n = A.sum(axis=1, keepdims=True)
    lines = {}

    def line(section, examples, name, results, terms, how):
        one, other = results if isinstance(results, tuple) else (results, results)
        lines[f"{section}/{name}"] = Line(examples[name], np.asarray(one, float), np.asarray(other, float), terms, how)

    def both(make):
        return tuple(make(reading) for reading in READINGS)

    e = {name: printed.array for name, printed in EXAMPLE.items()}
    line("4.1", EXAMPLE, "relu_out", A @ e["relu"], n, "A times ReLU(X)")
    line("4.1", EXAMPLE, "grad_out", A.T @ e["grad"], n, "Aᵀ times the gradient")
    V, I = reference.group_sparse(e["relu"], 1)  # noqa: E741
    line("4.1", EXAMPLE, "values", V, 0, "GS of ReLU(X), whose largest entry is that of X where one is positive")
    line("4.1", EXAMPLE, "indices", I, 0, "their columns")
    line("4.1", EXAMPLE, "out", both(lambda r: block(A, e["values"], e["indices"], 4, r)), n, "block of Val, Idx")
    line("4.1", EXAMPLE, "grad_values", reference.gather(e["grad"], e["indices"]), 0, "the gradient at Idx")
    incoming = reference.scatter(e["grad_values"], e["indices"], 4)
    rows = both(lambda r: reference.scatter(block_backward(A, incoming, e["indices"], r), e["indices"], 4))
    line("4.1", EXAMPLE, "grad_rows", rows, n, "backward block of these values, kept at Idx")

    f = {name: printed.array for name, printed in FORWARD.items()}
    X1, X2 = np.hsplit(f["X"], 2)
    V, I = reference.group_sparse(X2, 1)  # noqa: E741
    line("4.3", FORWARD, "V2", V, 0, "GS of the right group of X")
    line("4.3", FORWARD, "I2", I, 0, "its columns")
    line("4.3", FORWARD, "M1", both(lambda r: block(A, f["V2"], f["I2"], 2, r)), n, "block of Val, Idx of step 2")
    V, I = _known_rows(X1 + f["M1"])  # noqa: E741
    line("4.3", FORWARD, "V1", V, 1, "GS of left group + first block")
    line("4.3", FORWARD, "I1", I, 0, "its columns")
    line("4.3", FORWARD, "M2", both(lambda r: block(A, f["V1"], f["I1"], 2, r)), n, "block of Val, Idx of step 5")
    line(
        "4.3",
        FORWARD,
        "Y2",
        reference.scatter(f["V2"], f["I2"], 2) + f["M2"],
        2,
        "Val of step 2 at its columns + second block",
    )

    b = {name: printed.array for name, printed in BACKWARD.items()}
    left, right = np.hsplit(b["G"], 2)
    V, I = reference.group_sparse(left, 1)  # noqa: E741
    line("4.4", BACKWARD, "V2", V, 0, "GS of the left group")
    line("4.4", BACKWARD, "I2", I, 0, "its columns")
    line("4.4", BACKWARD, "Z2", both(lambda r: block(A, b["V2"], b["I2"], 2, r)), n, "block of Val, Idx of step 2")
    difference = right - b["Z2"]
    line("4.4", BACKWARD, "M1", abs(difference), 2, "|right group − first block|: our copy shows no signs")
    V, I = reference.group_sparse(difference, 1)  # noqa: E741
    line("4.4", BACKWARD, "V1", V, 2, "GS of the difference, with its signs")
    line("4.4", BACKWARD, "I1", I, 0, "its columns")
    line("4.4", BACKWARD, "Z1", both(lambda r: block(A, b["V1"], b["I1"], 2, r)), n, "block of Val, Idx of step 4")
    M2 = reference.scatter(b["V2"], b["I2"], 2) - b["Z1"]
    for name, grad, at in (("G2_next", M2, b["I2"]), ("G1_next", difference, b["I1"])):
        rows = both(lambda r, grad=grad, at=at: reference.scatter(block_backward(A, grad, at, r), at, 2))
        line("4.4", BACKWARD, name, rows, 2 * n, "backward block, at the positions remembered")
    return lines


def verdicts(line: Line) -> np.ndarray:
    """One of `VERDICTS` for each entry of the printed matrix.

    An entry agrees where the computed number, rounded to the printed digits, is the printed one. It differs by
    rounding where it does not, and would with other numbers that round to the printed summands. A number that
    was derived from the same products cannot be tested against them, and counts as unreadable.
    """
    printed = line.printed
    half = printed.half_unit + 1e-9
    with np.errstate(invalid="ignore"):
        near = {reading: abs(getattr(line, reading) - printed.values) for reading in READINGS}
        wide = half * (1 + np.asarray(line.terms))
        rounding = np.fmin(near["neighbour"], near["own"]) <= wide
        choices = [
            printed.provenance != "R",
            near["neighbour"] <= half,
            near["own"] <= half,
            rounding,
            np.isnan(near["neighbour"]) | np.isnan(near["own"]),
        ]
    return np.select(choices, [UNREADABLE, AGREES, OTHER, ROUNDING, UNREADABLE], CANNOT)


def beside(line: Line) -> Row:
    """The printed matrix with its verdicts, and beside it what either reading gives."""
    printed = matrix(line.printed, verdicts=verdicts(line), decimals=int(line.printed.decimals.max()))
    names = ("neighbour's column", "own column")
    if np.array_equal(line.neighbour, line.own, equal_nan=True):
        names = ("computed",)
    results = [
        matrix(values, name, decimals=printed.decimals)
        for name, values in zip(names, (line.neighbour, line.own), strict=False)
    ]
    return show(printed, *results, caption=f"Recomputed: {line.how}.")


def tally(lines: dict[str, Line]) -> pd.DataFrame:
    """How many entries of each printed matrix have each verdict."""
    rows = {key: pd.Series(verdicts(line).ravel()).value_counts() for key, line in lines.items()}
    return pd.DataFrame(rows).T.reindex(columns=list(VERDICTS)).fillna(0).astype(int)


def _known_rows(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """GS with k = 1 of the rows that could be read; NaN in the others."""
    known = np.isfinite(x).all(axis=1)
    V, I = np.full((len(x), 1), np.nan), np.full((len(x), 1), np.nan)  # noqa: E741
    V[known], I[known] = reference.group_sparse(x[known], 1)
    return V, I
