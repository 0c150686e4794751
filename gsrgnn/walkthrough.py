"""The paper's 4-node examples as data, and how a matrix is shown and checked.

`matrix` wraps any two-dimensional array, `check` compares one with what the paper prints, `show` sets several
of them in a row with operators between::

    show(A, "·", matrix(X, "X", kept=indices), "=", check(A @ X, printed, terms=2))

In a notebook that is HTML (styled by ``book/_static/walkthrough.css``); elsewhere it is plain text.
"""

from dataclasses import dataclass, replace
from html import escape

import numpy as np

__all__ = ["EXAMPLE", "Deviation", "Matrix", "Printed", "check", "matrix", "show"]


@dataclass(frozen=True)
class Printed:
    """A matrix as the paper prints it.

    Args:
        name: what the paper calls it.
        source: where the paper prints it.
        values: float ``[rows, columns]``, NaN where unreadable.
        decimals: int ``[rows, columns]``, digits printed after the point.
        provenance: str ``[rows, columns]``: ``"R"`` read, ``"D"`` derived (the only value that makes the
            readable products come out), ``"?"`` unreadable.
    """

    name: str
    source: str
    values: np.ndarray
    decimals: np.ndarray
    provenance: np.ndarray

    @classmethod
    def parse(cls, name, source, text):
        """Read one matrix row a line; an entry ends in ``d`` where derived, and is ``?`` where unreadable."""
        cells = [line.split() for line in text.strip().splitlines()]
        numbers = [[cell.rstrip("d") for cell in row] for row in cells]
        return cls(
            name, source,
            values=np.array([[np.nan if n == "?" else float(n) for n in row] for row in numbers]),
            decimals=np.array([[len(n.partition(".")[2]) for n in row] for row in numbers]),
            provenance=np.array([["?" if c == "?" else "D" if c.endswith("d") else "R" for c in row]
                                 for row in cells]),
        )

    @property
    def array(self):
        """``values``, as int64 where every entry is a whole number."""
        whole = np.isfinite(self.values).all() and not self.decimals.any()
        return self.values.astype(np.int64) if whole else self.values


def _example(**texts):
    return {key: Printed.parse(name, "section 4.1", text) for key, (name, text) in texts.items()}


EXAMPLE = _example(
    adjacency=("A", """
        1  0  1  0
        0d 1d 0d 1d
        1d 0d 0d 1d
        0  1  1  0"""),
    relu=("ReLU(X)", """
        .37  .76  0    .79
        .58d 0d   .57d 0d
        0d   .55d .95d 0d
        0    0    .23  0"""),
    relu_out=("A · ReLU(X)", """
        .37  1.31 .95  .79
        .58d 0d   .80d 0d
        .37d .76d .23d .79d
        .58  .55  1.52 0"""),
    grad=("ReLU(∂L/∂Y)", """
        .23 0   .89 0
        .45 .78 0   .67
        0d  0d  0d  .38d
        0   .33 .66 0"""),
    grad_out=("Aᵀ · ReLU(∂L/∂Y)", """
        .23 0    .89  .38
        .56 1.11 .66  .67
        .23 .33  1.55 0
        .45 1.11 0    1.05"""),
    values=("Val", """
        .79
        .58d
        .95d
        .86"""),
    indices=("Idx", """
        3
        0d
        2d
        3"""),
    out=("X, next layer", """
        0   0  .95 .79d
        .58 0  0   .86
        0d  0d 0d  1.65d
        .58 0  .95 0"""),
    grad_values=("Val of the gradient", """
        .12
        .45d
        .55d
        .99"""),
    grad_rows=("∂L/∂X", """
        0    0  0     .67
        1.44 0  0     0
        0d   0d 1.11d 0d
        0    0  0     1.0"""),
)
"""Section 4.1: the adjacency, the conventional block forward and backward, the GS block (k = 1) likewise."""


@dataclass(frozen=True)
class Deviation:
    """A printed entry known not to follow from its inputs, with the reason that the page gives for it."""

    row: int
    column: int
    reason: str


@dataclass(frozen=True)
class Matrix:
    """A matrix ready to be shown; made by `matrix` and `check`."""

    values: np.ndarray
    name: str = ""
    decimals: int = 2
    kept: np.ndarray | None = None
    columns: tuple = ()
    groups: int = 1
    derived: np.ndarray | None = None
    expected: dict | None = None
    notes: tuple = ()

    def _repr_html_(self):
        return show(self)._repr_html_()

    def __repr__(self):
        return repr(show(self))


def matrix(values, name="", kept=None, columns=None, groups=1, decimals=None):
    """Dress a two-dimensional array for `show`.

    Args:
        values: ``[rows, columns]`` numbers, a torch tensor on the CPU included, or a `Printed`.
        name: caption of the table.
        kept: the entries to mark: bool ``[rows, columns]``, or column indices ``[rows, k]`` as in CBSR.
        columns: one header a column; 0, 1, 2, ... when not given.
        groups: number of equal column groups to set apart.
        decimals: digits after the point; 2, or 0 for whole numbers, when not given.
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
    if groups < 1 or num_columns % groups:
        raise ValueError(f"{num_columns} columns do not split into {groups} equal groups: choose a divisor")
    if decimals is None:
        decimals = 0 if np.issubdtype(values.dtype, np.integer) or values.dtype == bool else 2
    if kept is not None:
        kept = np.asarray(kept)
        if kept.dtype != bool:
            mask = np.zeros(values.shape, dtype=bool)
            np.put_along_axis(mask, kept.astype(np.int64), True, axis=1)
            kept = mask
        if kept.shape != values.shape:
            raise ValueError(f"the kept mask has shape {kept.shape}, the matrix {values.shape}: "
                             "they must be equal")
    return Matrix(values, name, decimals, kept, columns, groups, derived)


def check(computed, printed, terms=0, deviations=(), name="", kept=None):
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
        raise ValueError(f"computed has shape {computed.shape}, {printed.name} of {printed.source} "
                         f"{printed.values.shape}: they must be equal")
    digits = np.where(printed.values == 0, printed.decimals.max(), printed.decimals)
    tolerance = 0.5 * 10.0 ** -digits * (1 + np.asarray(terms))
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
    expected = {at: _number(printed.values[at], shown.decimals) for at in reasons}
    notes = [f"{shown.name}, {printed.source}: {_tally(printed, agrees, tolerance)}."]
    notes += [f"≠ row {at[0]}, column {at[1]}: printed {expected[at]}, computed "
              f"{_number(computed[at], shown.decimals)}. {reason}" for at, reason in reasons.items()]
    return replace(shown, derived=printed.provenance == "D", expected=expected, notes=tuple(notes))


def _tally(printed, agrees, tolerance):
    read = printed.provenance == "R"
    text = f"{(agrees & read).sum()} of {read.sum()} readable entries agree"
    if printed.decimals.any():
        bounds = dict.fromkeys(f"±{bound:g}" for bound in (tolerance.min(), tolerance.max()))
        text += f" within {' to '.join(bounds)}"
    for mark, word in (("D", "derived"), ("?", "unreadable")):
        if (printed.provenance == mark).any():
            text += f"; {(printed.provenance == mark).sum()} {word}"
    return text


def show(*items, caption=""):
    """Set matrices in a row: arrays, `Printed`, `Matrix`, and strings as the operators between them."""
    return _Row([item if isinstance(item, str | Matrix) else matrix(item) for item in items], caption)


def _number(value, decimals):
    """Fixed decimals and a true minus; a zero is a lone 0, padded so that the points stay in line."""
    if not np.isfinite(value):
        return "?"
    if value == 0:
        return "0" + ("\u2008" + "\u2007" * decimals if decimals else "")
    return f"{value:.{decimals}f}".replace("-", "\u2212")


_IN_A_ROW = "display: flex; align-items: center; gap: 0.5rem; overflow-x: auto"


class _Row:
    def __init__(self, items, caption):
        self.items, self.caption = items, caption

    def _repr_html_(self):
        parts = [_table(item) if isinstance(item, Matrix)
                 else f'<span class="gsr-operator">{escape(item)}</span>' for item in self.items]
        notes = [note for item in self.items if isinstance(item, Matrix) for note in item.notes]
        if self.caption:
            notes.insert(0, self.caption)
        below = "".join(f"<p>{escape(note)}</p>" for note in notes)
        return (f'<figure class="gsr-matrices"><div class="gsr-row" style="{_IN_A_ROW}" tabindex="0" '
                f'role="group" aria-label="{escape(self._label(), quote=True)}">{"".join(parts)}</div>'
                + (f"<figcaption>{below}</figcaption>" if below else "") + "</figure>")

    def _label(self):
        names = [item if isinstance(item, str) else item.name or "matrix" for item in self.items]
        return " ".join(names)

    def __repr__(self):
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


def _table(m):
    num_columns = m.values.shape[1]
    first = {g * num_columns // m.groups for g in range(1, m.groups)}
    edge = [' class="gsr-edge"' if c in first else "" for c in range(num_columns)]
    head = "".join(f'<th scope="col"{edge[c]}>{escape(str(label))}</th>' for c, label in enumerate(m.columns))
    if m.groups > 1:
        width = num_columns // m.groups
        tops = "".join(f'<th scope="colgroup" colspan="{width}"{edge[g * width]}>group {g + 1}</th>'
                       for g in range(m.groups))
        head = f"<tr><td></td>{tops}</tr><tr><td></td>{head}</tr>"
    else:
        head = f"<tr><td></td>{head}</tr>"
    body = "".join(
        f'<tr><th scope="row">{r}</th>{"".join(_cell(m, r, c, c in first) for c in range(num_columns))}</tr>'
        for r in range(len(m.values)))
    return (f'<table class="gsr-matrix"><caption>{escape(m.name)}</caption>'
            f"<thead>{head}</thead><tbody>{body}</tbody></table>")


def _cell(m, row, column, is_edge):
    text = escape(_number(m.values[row, column], m.decimals))
    classes = ["gsr-edge"] * is_edge + ["gsr-zero"] * bool(m.values[row, column] == 0)
    spoken = ""
    if m.derived is not None and m.derived[row, column]:
        text, spoken = f"<i>{text}</i>", f"{text}, derived"
    if m.kept is not None and m.kept[row, column]:
        classes.append("gsr-kept")
        text, spoken = f"<b>{text}</b>", f"{text}, kept"
    if m.expected and (row, column) in m.expected:
        classes.append("gsr-differs")
        printed = escape(m.expected[row, column])
        text, spoken = f"{text}<small>≠ {printed}</small>", f"{text}, printed {printed}"
    attributes = f' class="{" ".join(classes)}"' * bool(classes) + f' aria-label="{spoken}"' * bool(spoken)
    return f"<td{attributes}>{text}</td>"


def _text(item):
    if isinstance(item, str):
        return [item]
    kept = np.zeros(item.values.shape, bool) if item.kept is None else item.kept
    expected = item.expected or {}
    cells = [[f"[{_number(v, item.decimals)}]" if kept[r, c] else f" {_number(v, item.decimals)} "
              for c, v in enumerate(row)] for r, row in enumerate(item.values)]
    for (r, c), value in expected.items():
        cells[r][c] = f"{cells[r][c].strip()}≠{value}"
    width = max(len(cell) for row in cells for cell in row)
    lines = ["|" + " ".join(cell.rjust(width) for cell in row) + "|" for row in cells]
    return [item.name.ljust(len(lines[0])), *lines]
