"""A sheet of paper for the lesson of the page for teachers, and its key, which is the sheet with its answers."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gsrgnn.book.captions import listed
from gsrgnn.book.site.policy import CHARSET
from gsrgnn.book.walkthrough import EXAMPLE, Matrix, matrix, show
from gsrgnn.book.walkthrough.layer_steps import forward
from gsrgnn.book.walkthrough.trace import Trace
from gsrgnn.kernels import reference

SHEET, KEY = "book/worksheet.html", "book/worksheet_key.html"
FIRST_K, K = 2, 1
"""Entries that GS keeps a row: in the first task, and in all others."""


GIVEN: str = (
    "*A* says who receives from whom: row *i* has a 1 at each neighbour of node *i*, and some nodes are their own. *X* "
    "has a row of features for each node. Rows and columns are counted from 0. GS keeps the *k* largest entries of "
    "every row."
)

EXIT: str = (
    "(*V*₂, *I*₂), what GS kept of group 2: *f*(*X*₂) needs nothing else of *X*₂, and gives *X*₁~=~*Y*₁~−~*f*(*X*₂). "
    "Subtracting alone does not reach further back: *X*₂ is the new group 2 of the layer before and is known where GS "
    "kept it, so *Y*₂~−~*f*(*Y*₁) of that layer has gaps. (*V*₁, *I*₁) need not be kept: GS of *Y*₁ gives them again."
)
"""The answer to the last task, in the markup of `_html`."""


class Numbers(NamedTuple):
    """What the sheet asks for, of the 4-node example of section 4.1.

    Attributes:
        A, X: ``[4, 4]`` adjacency and features.
        V, I: ``[4, FIRST_K]`` GS of X.
        V_one, I_one: ``[4, K]`` the same with one entry a row.
        out: ``[4, 4]`` their aggregation.
        layer: a layer forward with the dense residual; group 1 is the left half of X.
        lost: bool ``[4, 2]``, the entries of group 2 that the sparse residual loses.
    """

    A: np.ndarray
    X: np.ndarray
    V: np.ndarray
    I: np.ndarray  # noqa: E741
    V_one: np.ndarray
    I_one: np.ndarray
    out: np.ndarray
    layer: Trace
    lost: np.ndarray


def numbers() -> Numbers:
    """Compute them, with the reference kernels."""
    A, X = EXAMPLE["adjacency"].array, EXAMPLE["relu"].array.copy()
    X[3, 3] = EXAMPLE["values"].array[3, 0]  # the first chapter says why
    V_one, I_one = reference.group_sparse(X, K)
    layer = forward(A, X, K, residual="dense")
    kept = forward(A, X, K, residual="sparse")["R2"]
    return Numbers(
        A, X, *reference.group_sparse(X, FIRST_K), V_one, I_one, A @ reference.scatter(V_one, I_one, 4), layer,
        kept != layer["X2"],
    )  # fmt: skip


def write(html: Path) -> None:
    """Write the sheet and its key into the site at `html`, without a policy."""
    for name, is_key in ((SHEET, False), (KEY, True)):
        (html / name).write_text(page(is_key))


def page(is_key: bool) -> str:
    """The sheet as a page of its own, with its answers or with room for them."""
    title = f"Worksheet: a layer that can be undone{', key' * is_key}"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n  <head>\n    {CHARSET}\n'
        '    <meta name="viewport" content="width=device-width, initial-scale=1" />\n'
        '    <meta name="robots" content="noindex" />\n'
        f"    <title>{title}</title>\n"
        '    <link rel="stylesheet" href="../_static/walkthrough.css" />\n'
        '    <link rel="stylesheet" href="../_static/worksheet.css" />\n'
        f"  </head>\n  <body>\n    <main>\n<h1>{title}</h1>\n{_tasks(numbers(), is_key)}\n"
        "    </main>\n  </body>\n</html>\n"
    )


def _tasks(of: Numbers, is_key: bool) -> str:
    layer = of.layer
    two, more = (
        np.flatnonzero(among(np.count_nonzero(of.out, axis=1))) for among in (lambda n: n == 2, lambda n: n > 2)
    )
    ((row, column),) = np.argwhere(of.lost)
    slots = [f"slot {slot}" for slot in range(FIRST_K)]
    assert not len(more)

    def asked(*items: Matrix | str) -> str:
        return _row(*items) if is_key else _emptied(_row(*items))

    def line(answer: str, room: str = "line") -> str:
        return f'<p class="answer {room}">{_html(answer) if is_key else ""}</p>'

    def task(number: int, title: str, words: str, *parts: str) -> str:
        return "\n".join([f"<h2>{number}. {_html(title)}</h2>", f"<p>{_html(words)}</p>", *parts])

    return "\n".join(
        [
            "" if is_key else '<p class="name">Name</p>',
            f'<div class="given">{_row(matrix(of.A, "A"), matrix(of.X, "X", groups=2))}',
            f"<p>{_html(GIVEN)}</p></div>",
            '<section class="short">',
            task(
                1,
                f"GS as CBSR, *k* = {FIRST_K}",
                "Write the kept values *V* and their columns *I*, in the order of the columns.",
                asked(matrix(of.V, "V", columns=slots), matrix(of.I, "I", columns=slots)),
            ),
            '</section><section class="long">',
            task(
                2,
                f"Aggregation, from here on *k* = {K}",
                "Write *V* and *I* again, then the sum of the neighbours' kept values, each in the column where the "
                "neighbour kept it. Which rows have two entries, and why?",
                asked(matrix(of.V_one, "V"), matrix(of.I_one, "I"), "→", matrix(of.out, "A · scatter(V, I)")),
                line(f"Rows {listed(two)}: their neighbours kept different columns."),
            ),
            "</section>",
            task(
                3,
                "Coupling, forwards",
                "Group 1 is the left half of *X*, group 2 the right; *f* is task 2 on two columns. First "
                "*Y*₁~=~*X*₁~+~*f*(*X*₂), then *Y*₂~=~*X*₂~+~*f*(*Y*₁).",
                asked(
                    *(matrix(layer["M1"], "f(X₂)"), "→", matrix(layer["Y1"], "Y₁"), "→"),
                    *(matrix(layer["M2"], "f(Y₁)"), "→", matrix(layer["Y2"], "Y₂")),
                ),
            ),
            task(
                4,
                "Coupling, undone",
                "Give your neighbour *Y*₁ and *Y*₂ alone. *X*₂~=~*Y*₂~−~*f*(*Y*₁), then *X*₁~=~*Y*₁~−~*f*(*X*₂). The "
                "sparse layer adds to what GS kept of *X*₂, and not to *X*₂: which entry of *X* could then not be "
                "found again?",
                asked(matrix(layer["X2"], "X₂ again"), "→", matrix(layer["X1"], "X₁ again")),
                line(
                    f"Row {row}, column {column + 2}: {layer['X2'][row, column]:.2f}. There any number below "
                    f"{layer['X2'][row].max():.2f} gives the same *Y*. The other entries that GS drops are 0."
                ),
            ),
            task(
                5,
                "Before you leave",
                "Which pair must the sparse layer keep for the way back, and why?",
                line(EXIT, "lines"),
            ),
        ]
    )


def _html(text: str) -> str:
    """Text in which *X* is set in italics and ~ does not break."""
    return re.sub(r"\*(\w+)\*", r"<i>\1</i>", text).replace("~", "&nbsp;")


def _row(*items: Matrix | str) -> str:
    return show(*items)._repr_html_()


def _emptied(row: str) -> str:
    """The same matrices with nothing in them."""

    def body(found: re.Match) -> str:
        return re.sub(r"<td[^>]*>.*?</td>", '<td class="room"></td>', found[0])

    return re.sub(r"<tbody>.*?</tbody>", body, row, flags=re.DOTALL)
