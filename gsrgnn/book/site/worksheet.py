"""A sheet of paper for the lesson of the page for teachers, and its key: the same sheet before its answers are taken out."""

import re
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gsrgnn.book.site.policy import CHARSET
from gsrgnn.book.walkthrough import EXAMPLE, Matrix, matrix, show
from gsrgnn.book.walkthrough.layer_steps import forward
from gsrgnn.book.walkthrough.trace import Trace
from gsrgnn.kernels import reference

SHEET, KEY = "book/worksheet.html", "book/worksheet_key.html"
FIRST_K, K = 2, 1
"""Entries that GS keeps a row: in the first task, and in all others."""


EXIT: str = (
    "(<i>V</i>₂, <i>I</i>₂), what GS kept of group 2: <i>f</i>(<i>X</i>₂) needs nothing else of <i>X</i>₂, and gives "
    "<i>X</i>₁&nbsp;=&nbsp;<i>Y</i>₁&nbsp;−&nbsp;<i>f</i>(<i>X</i>₂). Subtracting alone does not reach further back: <i>X</i>₂ is the new group "
    "2 of the layer before and is known where GS kept it, so <i>Y</i>₂&nbsp;−&nbsp;<i>f</i>(<i>Y</i>₁) of that layer has gaps. "
    "(<i>V</i>₁, <i>I</i>₁) need not be kept: GS of <i>Y</i>₁ gives them again."
)
"""The answer to the last task."""


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

    def asked(*items: Matrix | str) -> str:
        return _row(*items) if is_key else _emptied(_row(*items))

    def line(answer: str, room: str = "line") -> str:
        return f'<p class="answer {room}">{answer if is_key else ""}</p>'

    two = [row for row in range(4) if np.count_nonzero(of.out[row]) == 2]
    three = [row for row in range(4) if np.count_nonzero(of.out[row]) > 2]
    lost = [f"row {row}, column {column + 2}: {layer['X2'][row, column]:.2f}" for row, column in np.argwhere(of.lost)]
    slots = [f"slot {slot}" for slot in range(FIRST_K)]
    name = "" if is_key else '<p class="name">Name</p>'
    assert not three
    return f"""{name}
<div class="given">{_row(matrix(of.A, "A"), matrix(of.X, "X", groups=2))}
<p><i>A</i> says who receives from whom: row <i>i</i> has a 1 at each neighbour of node <i>i</i>. <i>X</i> has a row of
features for each node. Rows and columns are counted from 0. GS keeps the <i>k</i> largest entries of every row.</p></div>
<section class="short"><h2>1. GS as CBSR, <i>k</i> = {FIRST_K}</h2>
<p>Write the kept values <i>V</i> and their columns <i>I</i>, in the order of the columns.</p>
{asked(matrix(of.V, "V", columns=slots), matrix(of.I, "I", columns=slots))}</section>
<section class="long"><h2>2. Aggregation, from here on <i>k</i> = {K}</h2>
<p>Write <i>V</i> and <i>I</i> again, then the sum of the neighbours' kept values, each in the column where the neighbour
kept it. Which rows have two entries, and why?</p>
{asked(matrix(of.V_one, "V"), matrix(of.I_one, "I"), "→", matrix(of.out, "A · scatter(V, I)"))}
{line(f"Rows {_listed(two)}: their neighbours kept different columns.")}</section>
<h2>3. Coupling, forwards</h2>
<p>Group 1 is the left half of <i>X</i>, group 2 the right; <i>f</i> is task 2 on two columns. First
<i>Y</i>₁&nbsp;=&nbsp;<i>X</i>₁&nbsp;+&nbsp;<i>f</i>(<i>X</i>₂), then <i>Y</i>₂&nbsp;=&nbsp;<i>X</i>₂&nbsp;+&nbsp;<i>f</i>(<i>Y</i>₁).</p>
{asked(matrix(layer["M1"], "f(X₂)"), "→", matrix(layer["Y1"], "Y₁"), "→", matrix(layer["M2"], "f(Y₁)"), "→",
       matrix(layer["Y2"], "Y₂"))}
<h2>4. Coupling, undone</h2>
<p>Give your neighbour <i>Y</i>₁ and <i>Y</i>₂ alone. <i>X</i>₂&nbsp;=&nbsp;<i>Y</i>₂&nbsp;−&nbsp;<i>f</i>(<i>Y</i>₁), then
<i>X</i>₁&nbsp;=&nbsp;<i>Y</i>₁&nbsp;−&nbsp;<i>f</i>(<i>X</i>₂). The sparse layer adds to what GS kept of <i>X</i>₂, and not to
<i>X</i>₂: which entry of <i>X</i> could then not be found again?</p>
{asked(matrix(layer["X2"], "X₂ again"), "→", matrix(layer["X1"], "X₁ again"))}
{line(f"{'; '.join(lost).capitalize()}. Any smaller number there gives the same <i>Y</i>. The other entries that GS drops are 0.")}
<h2>5. Before you leave</h2>
<p>Which pair must the sparse layer keep for the way back, and why?</p>
{line(EXIT, "lines")}"""


def _listed(rows: list[int]) -> str:
    return " and ".join([", ".join(map(str, rows[:-1])), str(rows[-1])])


def _row(*items: Matrix | str) -> str:
    return show(*items)._repr_html_()


def _emptied(row: str) -> str:
    """The same matrices with nothing in them."""

    def body(found: re.Match) -> str:
        return re.sub(r"<td[^>]*>.*?</td>", '<td class="room"></td>', found[0])

    return re.sub(r"<tbody>.*?</tbody>", body, row, flags=re.DOTALL)
