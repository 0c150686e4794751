"""A layer in pictures: the entries that GS keeps, and the paper's Figures 6 and 7 drawn from a layer's own matrices."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from gsrgnn.book.figures.style import INK, PALETTE, new_figure, styled
from gsrgnn.book.walkthrough.trace import Trace

__all__ = ["backward_flow", "forward_flow", "one_layer", "sparsity_pattern"]

CELL, ROW = 0.44, 0.17  # inches
LEFT, MIDDLE, RIGHT = 0.95, 2.25, 3.55
FLOORS = 1.36  # from the middle of one matrix to that of the one below
BLUE = PALETTE[0]


@styled
def sparsity_pattern(kept: ArrayLike, title: str = "") -> Figure:
    """Which entries of a matrix are kept: one dark cell each.

    Args:
        kept: bool ``[N, D]``.
        title: name of the matrix; the share of kept entries is added.
    """
    kept = np.asarray(kept, dtype=bool)
    figure, axes = new_figure(2.5, 0.55 + 2.1 * len(kept) / kept.shape[1])
    colors = mpl.colors.ListedColormap(["none", PALETTE[0]])
    axes.pcolormesh(kept, cmap=colors, vmin=0, vmax=1, edgecolor=mpl.colors.to_rgba(INK, 0.25), linewidth=0.3)
    axes.set(title=f"{title}: {kept.mean():.0%} kept", xlabel="column", ylabel="node", aspect="equal")
    axes.invert_yaxis()
    axes.grid(False)
    for side in (axes.xaxis, axes.yaxis):
        side.set_major_locator(MaxNLocator(4, integer=True))
    return figure


@styled
def one_layer() -> Figure:
    """A layer of GSR-GNN without numbers: two groups of columns, what is made of them, and the pair that is kept."""
    figure = Figure((4.9, 3.9))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 4.9), ylim=(-3.6, 0.3))
    axes.axis("off")
    columns, width, height = (0.95, 2.6, 4.2), 1.3, 0.46
    half, row = width / 2, (0, 1.1, 2.2, 3.3)

    def box(column, at, words, color=INK, line=1.0):
        corner = columns[column] - half, -row[at] - height / 2
        axes.add_patch(mpl.patches.Rectangle(corner, width, height, facecolor="none", edgecolor=color, linewidth=line))
        axes.text(columns[column], -row[at], words, ha="center", va="center", fontsize=9)

    def arrow(*points):
        axes.plot(*np.array(points).T, color=INK, linewidth=1)
        axes.annotate(
            "", points[-1], points[-2], arrowprops={"arrowstyle": "->", "color": INK, "shrinkA": 0, "shrinkB": 0}
        )

    def down(column, at):
        arrow((columns[column], -row[at] - height / 2), (columns[column], -row[at + 1] + height / 2))

    def across(column, other, at):
        side = half if other > column else -half
        arrow((columns[column] + side, -row[at]), (columns[other] - side, -row[at]))

    for column, at, words in (
        (0, 0, "group 1: x₁"),
        (2, 0, "group 2: x₂"),
        (1, 1, "f(V₂, I₂)"),
        (0, 1, "y₁ = x₁ + f"),
        (0, 2, "V₁, I₁"),
        (1, 2, "g(V₁, I₁)"),
        (2, 2, "y₂ = V₂ at I₂ + g"),
        (0, 3, "next layer: y₁"),
        (2, 3, "next layer: y₂"),
    ):
        box(column, at, words)
    box(2, 1, "V₂, I₂", BLUE, 2.4)
    for column, at in ((0, 0), (2, 0), (0, 1), (2, 1), (2, 2)):
        down(column, at)
    for column, other, at in ((2, 1, 1), (1, 0, 1), (0, 1, 2), (1, 2, 2)):
        across(column, other, at)
    beside = columns[0] - half - 0.15
    arrow((columns[0] - half, -row[1]), (beside, -row[1]), (beside, -row[3]), (columns[0] - half, -row[3]))
    axes.text(columns[2] - 0.1, -(row[0] + row[1]) / 2, "keep k of each row", ha="right", va="center", fontsize=8)
    axes.text(columns[0] + 0.1, -(row[1] + row[2]) / 2, "keep k of each row", ha="left", va="center", fontsize=8)
    return figure


@styled
def forward_flow(trace: Trace) -> Figure:
    """Figure 6: one layer forward, from a trace of `layer_steps.forward`."""
    c = _Canvas(floors=5)
    half = trace["X1"].shape[1]
    c.titles("group 1 (left columns)", "group 2 (right columns)")
    c.matrix(LEFT, 0, trace["X1"], "X₁")
    c.matrix(RIGHT, 0, trace["X2"], "X₂", kept=trace["I2"])
    c.step(MIDDLE, 0, 1, "split")
    c.coupling(
        1,
        trace,
        source=RIGHT,
        target=LEFT,
        pair=("V2", "I2"),
        made=("M1", "M₁"),
        sign="+",
        steps=(2, 3, 4),
        half=half,
    )
    c.matrix(LEFT, 2, trace["Y1"], "Y₁ = X₁ + M₁", kept=trace["I1"])
    name = "R₂ = scatter(V₂, I₂)" if trace.residual == "sparse" else "R₂ = X₂"
    c.matrix(RIGHT, 2, trace["R2"], name)
    c.down(RIGHT, 1, 2)
    c.coupling(
        3,
        trace,
        source=LEFT,
        target=RIGHT,
        pair=("V1", "I1"),
        made=("M2", "M₂"),
        sign="+",
        steps=(5, 6, 7),
        half=half,
    )
    c.matrix(RIGHT, 4, trace["Y2"], "Y₂ = R₂ + M₂")
    c.matrix(LEFT, 4, trace["Y1"], "Y₁")
    c.bypass(LEFT - 0.78, 2, 4)
    c.step(MIDDLE, 4, 8, "concatenate")
    return c.figure


@styled
def backward_flow(trace: Trace) -> Figure:
    """Figure 7: Algorithm 2 on one layer, from a trace of `layer_steps.algorithm2` with group 2 on the left."""
    c = _Canvas(floors=6)
    half = trace["G1"].shape[1]
    c.titles("group 2 (left columns)", "group 1 (right columns)")
    c.matrix(LEFT, 0, trace["G2"], "g₂", kept=trace["I2"])
    c.matrix(RIGHT, 0, trace["G1"], "g₁")
    c.step(MIDDLE, 0, 1, "split")
    c.coupling(
        1,
        trace,
        source=LEFT,
        target=RIGHT,
        pair=("V2", "I2"),
        made=("Z2", "block"),
        sign="−",
        steps=(2, 3, None),
        half=half,
    )
    c.matrix(RIGHT, 2, trace["M1"], "M₁ = g₁ − block", kept=trace["I1"])
    scattered = np.zeros_like(trace["G2"])
    np.put_along_axis(scattered, trace["I2"], trace["V2"], axis=1)
    c.matrix(LEFT, 2, scattered, "scatter(V₂, I₂)")
    c.down(LEFT, 1, 2)
    c.coupling(
        3,
        trace,
        source=RIGHT,
        target=LEFT,
        pair=("V1", "I1"),
        made=("Z1", "block"),
        sign="−",
        steps=(4, 5, 6),
        half=half,
    )
    c.matrix(LEFT, 4, trace["M2"], "M₂ = scatter − block", kept=trace["I2"])
    c.matrix(RIGHT, 4, trace["M1"], "M₁", kept=trace["I1"])
    c.bypass(RIGHT + 0.78, 2, 4)
    for x, number, name, label in ((LEFT, 8, "G2_next", "new g₂ at I₂"), (RIGHT, 7, "G1_next", "new g₁ at I₁")):
        c.matrix(x, 5, trace[name], label)
        c.down(x, 4, 5, "backward\nblock", number)
    c.step(MIDDLE, 5, 9, "concatenate")
    return c.figure


class _Canvas:
    """A sheet with two columns, one a group, and floors counted from the top; units are inches."""

    def __init__(self, floors: int):
        width, height = 4.5, FLOORS * (floors - 1) + 1.15
        self.figure = Figure(figsize=(width, height))
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(0, height))
        self.axes.set_axis_off()
        self.top = height - 0.72

    def y(self, floor: float) -> float:
        return self.top - floor * FLOORS

    def titles(self, left: str, right: str) -> None:
        for x, text in ((LEFT, left), (RIGHT, right)):
            self.axes.text(x, self.y(0) + 0.6, text, ha="center", fontsize=8, fontweight="bold")

    def matrix(
        self,
        x: float,
        floor: int,
        values: np.ndarray,
        name: str,
        kept: np.ndarray | None = None,
        decimals: int = 2,
        cell: float = CELL,
    ) -> None:
        """Numbers in brackets, kept ones bold with a bar below."""
        rows, columns = values.shape
        y, w, h = self.y(floor), columns * cell / 2, rows * ROW / 2
        self.axes.text(x, y + h + 0.07, name, ha="center", va="bottom", fontsize=8, fontstyle="italic")
        for side in (-1, 1):
            edge, lip = x + side * (w + 0.03), -side * 0.05
            self.axes.plot([edge + lip, edge, edge, edge + lip], [y + h, y + h, y - h, y - h], color=INK, linewidth=1)
        for (i, j), value in np.ndenumerate(values):
            is_kept = kept is not None and j in kept[i]
            at = x - w + (j + 0.5) * cell, y + h - (i + 0.5) * ROW
            self.axes.text(
                *at,
                _text(value, decimals),
                ha="center",
                va="center",
                fontsize=8,
                fontweight="bold" if is_kept else "normal",
                alpha=0.75 if value == 0 else 1,
            )
            if is_kept:
                self.axes.plot([at[0] - 0.16, at[0] + 0.16], [at[1] - 0.075] * 2, color=BLUE, linewidth=2)

    def coupling(
        self,
        floor: int,
        trace: Trace,
        source: float,
        target: float,
        pair: tuple[str, str],
        made: tuple[str, str],
        sign: str,
        steps: Sequence[int | None],
        half: int,
    ) -> None:
        """GS of the source group as CBSR, a block, its output at the target group and the sum (or difference)."""
        select, run, total = steps
        V, I = trace[pair[0]], trace[pair[1]]  # noqa: E741
        outward = 1 if source > target else -1
        number = pair[0][1].translate(str.maketrans("12", "₁₂"))
        shift = 0.27 if V.shape[1] == 1 else 0.42
        width = 0.42 if V.shape[1] == 1 else 0.38
        self.matrix(source - shift, floor, V, f"V{number}", cell=width)
        self.matrix(source + shift, floor, I, f"I{number}", decimals=0, cell=width - 0.08)
        self.down(source, floor - 1, floor, "GS", select)
        self.matrix(target, floor, trace[made[0]], made[1])
        near, far = MIDDLE + outward * 0.3, source - outward * 0.66
        self._arrow((far, self.y(floor)), (near, self.y(floor)))
        edge = target + outward * (half * CELL / 2 + 0.12)
        self._arrow((MIDDLE - outward * 0.3, self.y(floor)), (edge, self.y(floor)))
        box = mpl.patches.FancyBboxPatch(
            (MIDDLE - 0.26, self.y(floor) - 0.17),
            0.52,
            0.34,
            boxstyle="round,pad=0.03",
            facecolor="none",
            edgecolor=BLUE,
            linewidth=1.2,
        )
        self.axes.add_patch(box)
        self.axes.text(MIDDLE, self.y(floor), "block", ha="center", va="center", fontsize=8)
        self._badge(MIDDLE, self.y(floor) + 0.34, run)
        self.axes.text(target, self.y(floor - 0.5) + 0.02, sign, ha="center", va="center", fontsize=14)
        self.axes.text(target, self.y(floor + 0.5) + 0.02, "=", ha="center", va="center", fontsize=13)
        if total:
            self._badge(target + outward * 0.28, self.y(floor + 0.5) + 0.02, total)

    def down(self, x: float, first: int, second: int, label: str = "", number: int | None = None) -> None:
        start, end = self.y(first) - 0.4, self.y(second) + 0.58
        self._arrow((x, start), (x, end))
        middle = (start + end) / 2
        self.axes.text(x + 0.09, middle, label, va="center", fontsize=7.5)
        if number:
            self._badge(x - 0.2, middle, number)

    def bypass(self, x: float, first: int, second: int) -> None:
        """From a matrix around what stands below it to its second place."""
        inward = 0.26 if x < MIDDLE else -0.26
        self.axes.plot([x + inward, x, x], [self.y(first)] * 2 + [self.y(second)], color=INK, linewidth=0.9)
        self._arrow((x, self.y(second)), (x + inward, self.y(second)))

    def step(self, x: float, floor: int, number: int, label: str) -> None:
        self._badge(x, self.y(floor) + 0.12, number)
        self.axes.text(x, self.y(floor) - 0.14, label, ha="center", va="center", fontsize=8)

    def _arrow(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.axes.annotate(
            "",
            end,
            start,
            arrowprops={
                "arrowstyle": "-|>",
                "color": INK,
                "linewidth": 0.9,
                "shrinkA": 0,
                "shrinkB": 0,
                "mutation_scale": 8,
            },
        )

    def _badge(self, x: float, y: float, number: int) -> None:
        self.axes.add_patch(mpl.patches.Circle((x, y), 0.105, facecolor=BLUE, edgecolor="none"))
        self.axes.text(
            x, y - 0.005, str(number), ha="center", va="center", fontsize=7.5, color="white", fontweight="bold"
        )


def _text(value: float, decimals: int) -> str:
    return "0" if value == 0 else f"{value:.{decimals}f}".replace("-", "−")
