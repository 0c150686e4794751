"""One style: one ink on a transparent ground, a few colours, and where a label comes from.

Series differ by line, marker or position as well as by colour. A figure that uses a label prints where the label comes
from.
"""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

P = ParamSpec("P")
Drawn = TypeVar("Drawn")

INK: str = "#767778"
"""Text and axes: readable on white and on the dark page; `display.show` replaces it with the page's text colour."""

PALETTE: tuple[str, ...] = ("#0072b2", "#d55e00", "#00916a", "#b8609c", "#8a7300")
"""Series: blue, vermilion, green, purple, ochre (after Okabe and Ito), at least 3:1 on white and on dark."""

DASHES: tuple[tuple[float, ...], ...] = ((), (4, 2), (1, 1.5), (6, 2, 1, 2), (3, 1, 1, 1))
"""Series again, by their lines: points drawn and left out; the first is solid."""

STYLE: dict[str, object] = {
    "figure.figsize": (3.7, 3.0),
    "figure.facecolor": "none",
    "figure.dpi": 100,
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.prop_cycle": mpl.cycler(color=PALETTE),
    "axes.formatter.useoffset": False,
    "grid.color": INK,
    "grid.alpha": 0.2,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
    "image.interpolation": "nearest",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana"],  # each text of a drawing names them all
    "svg.fonttype": "none",
    "svg.hashsalt": "gsrgnn",
}


def styled(draw: Callable[P, Drawn]) -> Callable[P, Drawn]:
    """Have a function draw in the book's style."""

    @functools.wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Drawn:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return wrapper


def new_figure(width: float | None = None, height: float | None = None) -> tuple[Figure, Axes]:
    """An empty figure and its axes; width and height in inches, those of `STYLE` where not given."""
    default = mpl.rcParams["figure.figsize"]
    figure = Figure(figsize=(width or default[0], height or default[1]), layout="constrained")
    return figure, figure.add_subplot()


def name_label(figure: Figure, source: str) -> None:
    """One line below the axes that says where the label comes from."""
    figure.supxlabel(f"label: {source}", fontsize=8, x=0.5)


def plain_ticks(axis: Axis) -> None:
    """A few ticks on a logarithmic axis, as plain numbers, however short it is."""
    low, high = axis.get_view_interval()
    subs = (1, 2, 5) if high < 300 * low else (1,)
    axis.set_major_locator(MaxNLocator(5) if high < 8 * low else LogLocator(subs=subs))
    axis.set_major_formatter("{x:,g}")
    axis.set_minor_locator(NullLocator())
