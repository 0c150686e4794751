"""How a matrix is shown: as HTML in a notebook (styled by ``book/_static/walkthrough.css``), as text elsewhere."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import ArrayLike

from gsrgnn.book.walkthrough.printed import Printed

VERDICTS: dict[str, str] = {
    "agrees": "=",
    "agrees under the other reading": "⇄",
    "differs by rounding": "≈",
    "cannot agree": "≠",
    "unreadable in our copy": "?",
}
"""What an audit can say of a printed number, and the sign that stands for it."""


@dataclass(frozen=True)
class Matrix:
    """A matrix ready to be shown; made by `matrix` and `check`."""

    values: np.ndarray
    name: str = ""
    decimals: int = 2
    kept: np.ndarray | None = None
    columns: tuple[object, ...] = ()
    groups: tuple[str, ...] = ("group 1",)
    derived: np.ndarray | None = None
    expected: dict[tuple[int, int], str] | None = None
    other: str = "printed"
    verdicts: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        return show(self)._repr_html_()

    def __repr__(self) -> str:
        return repr(show(self))


def matrix(
    values: ArrayLike | Printed,
    name: str = "",
    kept: ArrayLike | None = None,
    columns: Iterable[object] | None = None,
    groups: int | Iterable[str] = 1,
    decimals: int | None = None,
    against: ArrayLike | Printed | Matrix | None = None,
    verdicts: ArrayLike | None = None,
) -> Matrix:
    """Dress a two-dimensional array for `show`.

    Args:
        values: ``[rows, columns]`` numbers, a torch tensor on the CPU included, or a `Printed`.
        name: caption of the table.
        kept: the entries to mark: bool ``[rows, columns]``, or column indices ``[rows, k]`` as in CBSR.
        columns: one header a column; 0, 1, 2, ... when not given.
        groups: number of equal column groups to set apart, or their names.
        decimals: digits after the point; 2, or 0 for whole numbers, when not given.
        against: another matrix of this shape; an entry that shows another number there is framed and names it.
        verdicts: str ``[rows, columns]``, keys of `VERDICTS`; each entry carries the sign.
    """
    derived = None
    if isinstance(values, Printed):
        name, derived, values = name or values.name, values.provenance == "D", values.array
    values = np.asarray(values)
    if values.ndim != 2:
        raise ValueError(f"a matrix has two dimensions, this array has {values.ndim}: reshape it")
    num_columns = values.shape[1]
    columns = tuple(range(num_columns)) if columns is None else tuple(columns)
    if len(columns) != num_columns:
        raise ValueError(f"{len(columns)} column headers for {num_columns} columns: give one a column")
    names = tuple(groups) if not isinstance(groups, int) else tuple(f"group {g + 1}" for g in range(groups))
    if not names or num_columns % len(names):
        raise ValueError(f"{num_columns} columns do not split into {len(names)} equal groups: choose a divisor")
    if decimals is None:
        decimals = 0 if np.issubdtype(values.dtype, np.integer) or values.dtype == bool else 2
    if kept is not None:
        kept = np.asarray(kept)
        if kept.dtype != bool:
            mask = np.zeros(values.shape, dtype=bool)
            np.put_along_axis(mask, kept.astype(np.int64), True, axis=1)
            kept = mask
        if kept.shape != values.shape:
            raise ValueError(f"the kept mask has shape {kept.shape}, the matrix {values.shape}: they must be equal")
    expected, other = None, "printed"
    if against is not None:
        against = matrix(against) if not isinstance(against, Matrix) else against
        if against.values.shape != values.shape:
            raise ValueError(f"against has shape {against.values.shape}, the matrix {values.shape}: they must be equal")
        pairs = {at: (number(v, decimals), number(against.values[at], decimals)) for at, v in np.ndenumerate(values)}
        expected = {at: there for at, (here, there) in pairs.items() if here != there}
        other = against.name or "the other"
    if verdicts is not None:
        verdicts = np.asarray(verdicts)
        if verdicts.shape != values.shape:
            raise ValueError(f"verdicts have shape {verdicts.shape}, the matrix {values.shape}: they must be equal")
        if unknown := set(verdicts.ravel().tolist()) - set(VERDICTS):
            raise ValueError(f"verdict {sorted(unknown)[0]!r} is unknown; it is one of {', '.join(VERDICTS)}")
    return Matrix(values, name, decimals, kept, columns, names, derived, expected, other, verdicts)


def show(*items: ArrayLike | Printed | Matrix | str, caption: str = "") -> "Row":
    """Set matrices in a row: arrays, `Printed`, `Matrix`, and strings as the operators between them."""
    return Row([item if isinstance(item, str | Matrix) else matrix(item) for item in items], caption)


def number(value: float, decimals: int) -> str:
    """Fixed decimals and a true minus; a zero is a lone 0, padded so that the points stay in line."""
    if not np.isfinite(value):
        return "?"
    if value == 0:
        return "0" + ("\u2008" + "\u2007" * decimals if decimals else "")
    return f"{value:.{decimals}f}".replace("-", "\u2212")


_IN_A_ROW = "display: flex; align-items: center; gap: 0.5rem; overflow-x: auto"

# What a matrix needs where the book's style sheet is not at hand: in Jupyter, on a slide.
_STYLE = (
    "<style>"
    ".gsr-matrix td:nth-child(2){border-left:1.5px solid}.gsr-matrix td:last-child{border-right:1.5px solid}"
    ".gsr-matrix td.gsr-edge{border-left:1.5px dashed}.gsr-kept b{text-decoration:underline 2px}"
    ".gsr-differs{outline:2px dashed;outline-offset:-2px}.gsr-differs small{display:block}"
    "</style>"
)


class Row:
    """Matrices and operators side by side, as `show` gives them."""

    def __init__(self, items: list[Matrix | str], caption: str) -> None:
        self.items, self.caption = items, caption

    def _repr_html_(self) -> str:
        parts = [
            _table(item) if isinstance(item, Matrix) else f'<span class="gsr-operator">{escape(item)}</span>'
            for item in self.items
        ]
        notes = [note for item in self.items if isinstance(item, Matrix) for note in item.notes]
        if self.caption:
            notes.insert(0, self.caption)
        below = "".join(f"<p>{escape(note)}</p>" for note in notes)
        return (
            f'<figure class="gsr-matrices">{_STYLE}<div class="gsr-row" style="{_IN_A_ROW}" tabindex="0" '
            f'role="group" aria-label="{escape(self._label(), quote=True)}">{"".join(parts)}</div>'
            + (f"<figcaption>{below}</figcaption>" if below else "")
            + "</figure>"
        )

    def _label(self) -> str:
        names = [item if isinstance(item, str) else item.name or "matrix" for item in self.items]
        return " ".join(names)

    def __repr__(self) -> str:
        blocks = [_text(item) for item in self.items]
        height = max(len(block) for block in blocks)
        lines = []
        for block in blocks:
            if len(block) == 1:
                block = [" " * len(block[0])] * (height // 2) + block
            lines.append([line.ljust(len(block[0])) for line in block + [""] * (height - len(block))])
        rows = [" ".join(parts).rstrip() for parts in zip(*lines, strict=True)]
        notes = [note for item in self.items if isinstance(item, Matrix) for note in item.notes]
        return "\n".join(rows + notes + [self.caption] * bool(self.caption))


def _table(m: Matrix) -> str:
    num_columns = m.values.shape[1]
    width = num_columns // len(m.groups)
    first = set(range(width, num_columns, width))
    edge = [' class="gsr-edge"' if c in first else "" for c in range(num_columns)]
    head = "".join(f'<th scope="col"{edge[c]}>{escape(str(label))}</th>' for c, label in enumerate(m.columns))
    if len(m.groups) > 1:
        tops = "".join(
            f'<th scope="colgroup" colspan="{width}"{edge[g * width]}>{escape(group)}</th>'
            for g, group in enumerate(m.groups)
        )
        head = f"<tr><td></td>{tops}</tr><tr><td></td>{head}</tr>"
    else:
        head = f"<tr><td></td>{head}</tr>"
    body = "".join(
        f'<tr><th scope="row">{r}</th>{"".join(_cell(m, r, c, c in first) for c in range(num_columns))}</tr>'
        for r in range(len(m.values))
    )
    return (
        f'<table class="gsr-matrix"><caption>{escape(m.name)}</caption>'
        f"<thead>{head}</thead><tbody>{body}</tbody></table>"
    )


def _cell(m: Matrix, row: int, column: int, is_edge: bool) -> str:
    text = plain = escape(number(m.values[row, column], m.decimals))
    classes = ["gsr-edge"] * is_edge + ["gsr-zero"] * bool(m.values[row, column] == 0)
    words = []
    if m.derived is not None and m.derived[row, column]:
        text = f"<i>{text}</i>"
        words.append("derived")
    if m.kept is not None and m.kept[row, column]:
        classes.append("gsr-kept")
        text = f"<b>{text}</b>"
        words.append("kept")
    if m.expected and (row, column) in m.expected:
        classes.append("gsr-differs")
        other = escape(m.expected[row, column])
        text = f"{text}<small>≠ {other}</small>"
        words.append(f"{escape(m.other, quote=True)} {other}")
    if m.verdicts is not None:
        verdict = str(m.verdicts[row, column])
        classes.append(f"gsr-verdict-{list(VERDICTS).index(verdict)}")
        text = f"{text}<small> {VERDICTS[verdict]}</small>"
        words.append(verdict)
    label = ", ".join([plain, *words])
    attributes = f' class="{" ".join(classes)}"' * bool(classes) + f' aria-label="{label}"' * bool(words)
    return f"<td{attributes}>{text}</td>"


def _text(item: Matrix | str) -> list[str]:
    if isinstance(item, str):
        return [item]
    kept = np.zeros(item.values.shape, bool) if item.kept is None else item.kept
    expected = item.expected or {}
    signs = {} if item.verdicts is None else {at: VERDICTS[str(v)] for at, v in np.ndenumerate(item.verdicts)}
    cells = [
        [f"[{number(v, item.decimals)}]" if kept[r, c] else f" {number(v, item.decimals)} " for c, v in enumerate(row)]
        for r, row in enumerate(item.values)
    ]
    for (r, c), value in expected.items():
        cells[r][c] = f"{cells[r][c].strip()}≠{value}"
    for (r, c), sign in signs.items():
        cells[r][c] = f"{cells[r][c].rstrip()} {sign}"
    width = max(len(cell) for row in cells for cell in row)
    lines = ["|" + " ".join(cell.rjust(width) for cell in row) + "|" for row in cells]
    return [item.name.ljust(len(lines[0])), *lines]
