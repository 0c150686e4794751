"""How a figure or a table gets into a page, and a figure into a file.

`show` writes figures as inline SVG in which their ink is the page's own text colour, so the same figure serves a white
page and a dark one; several stand side by side where there is room and below each other where there is none.
"""

import hashlib
import io
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Protocol

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from gsrgnn.book.figures.style import INK, STYLE
from gsrgnn.lab import files

SMALLEST: int = 9
"""Height in CSS pixels below which no text falls: on a narrow screen a drawing scrolls in its frame before that."""


class Shown(Protocol):
    """What a notebook displays as HTML."""

    def _repr_html_(self) -> str: ...


def show(
    *figures: Figure | Iterable[Figure], alt: str, caption: str = "", setting: str = "", name: str = ""
) -> "Picture":
    """What a notebook displays for one figure or for several side by side.

    Args:
        figures: matplotlib figures, or sequences of them.
        alt: what the picture shows, in words, for a reader who cannot see it.
        caption: text below: what the picture says.
        setting: text below that, in small type: of what and where it was measured.
        name: by which `reference` finds the figure in its page.
    """
    flat = [f for item in figures for f in ([item] if isinstance(item, Figure) else item)]
    return Picture([_svg(figure) for figure in flat], alt, caption, setting, name)


def reference(name: str) -> str:
    """Words in Markdown or HTML that lead to a figure of the same page, and are its number in the book."""
    return f'<a class="gsr-ref" href="#{name}">the figure</a>'


def switch(views: Mapping[str, Iterable[Shown]]) -> "Switch":
    """What a notebook displays where the reader chooses one of several views; a single one is shown without a choice.

    Args:
        views: the choice in words -> what is shown under it, a list of what `show` and `table` return. The first is
            open. Without the book's style sheet all are, one below the other.
    """
    return Switch(views)


def table(
    frame: pd.DataFrame,
    formats: str | Callable[[object], str] | Mapping[str, object] | None = None,
    caption: str | None = None,
    index: bool = True,
    wrap: bool = False,
) -> Styler:
    """A frame as the book shows it: numbers to the right, words to the left, each header over what it heads.

    Args:
        frame: pandas DataFrame.
        formats: as for ``frame.style.format``: one format, or column -> format.
        caption: text above.
        index: show the row labels.
        wrap: let cells run over several lines where the window is narrow, as headers always do.
    """
    level = frame.columns.nlevels - 1
    sides = {"left": ["th.row_heading", "th.index_name"], "right": []}
    for place in range(frame.shape[1]):
        side = "right" if _is_of_numbers(frame.iloc[:, place]) else "left"
        sides[side] += [f"th.level{level}.col{place}", f"td.col{place}"]
    style = frame.style.format(formats).set_table_styles(
        [{"selector": ", ".join(ends), "props": f"text-align: {side}"} for side, ends in sides.items() if ends]
    )
    style = style.set_table_attributes(f'class="dataframe{" gsr-words" * wrap}"')
    if caption:
        style = style.set_caption(caption)
    return style if index else style.hide(axis="index")


NUMBER = re.compile(r"[<>≥≤~+−–-]?\s*\d[\d.,]*(?![\w-])(?!\s*/)")


def _is_of_numbers(column: pd.Series) -> bool:
    """Whether a column is one of numbers, or of texts most of which begin with one."""
    if pd.api.types.is_numeric_dtype(column):
        return True
    said = [str(value) for value in column if not pd.isna(value) and str(value) not in ("", "–")]
    return 2 * sum(bool(NUMBER.match(text)) for text in said) > len(said)


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure on a white ground, whole or not at all; the path's ending says how: ".png", ".svg" or ".pdf".

    Raises ValueError for an ending that matplotlib does not write, OSError where the file cannot be written.
    """
    path = Path(path)
    temporary = files.beside(path)
    try:
        with mpl.rc_context(STYLE):
            figure.savefig(temporary, format=path.suffix.removeprefix("."), dpi=200, facecolor="white")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


class Picture:
    """Drawings side by side, as `show` gives them: in columns as wide as each other where they are of one width."""

    def __init__(
        self, drawings: list[tuple[str, float, int]], alt: str, caption: str, setting: str = "", name: str = ""
    ) -> None:
        self.drawings, self.alt, self.caption, self.setting, self.name = drawings, alt, caption, setting, name

    def _repr_html_(self) -> str:
        widths = {width for _, width, _ in self.drawings}
        if len(self.drawings) > 1 and len(widths) == 1:
            (width,) = widths
            column = max(0.78 * width, *(least for _, _, least in self.drawings))
            style = f"grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, {column:.0f}px), 1fr))"
        else:
            style = "flex; flex-wrap: wrap"
        panels = "".join(
            f'<div style="flex: 1 1 {0.78 * width:.0f}px; min-width: 0; max-width: {1.35 * width:.0f}px">{svg}</div>'
            for svg, width, _ in self.drawings
        )
        setting = f'<small class="gsr-setting">{escape(self.setting)}</small>' * bool(self.setting)
        below = f"<figcaption>{escape(self.caption)}{setting}</figcaption>" * bool(self.caption or setting)
        name = f' id="{escape(self.name, quote=True)}"' * bool(self.name)
        return (
            f'<figure class="gsr-figure"{name} style="margin: 1rem 0"><div role="img" '
            f'aria-label="{escape(self.alt, quote=True)}" style="display: {style}; '
            'gap: 0.5rem; justify-content: safe center; align-items: flex-start; overflow-x: auto">'
            f"{panels}</div>{below}</figure>"
        )

    def __repr__(self) -> str:
        return "\n".join([f"[{self.alt}]", *filter(None, [self.caption, self.setting])])


class Switch:
    """Views of which the reader chooses one, as `switch` gives them."""

    def __init__(self, views: Mapping[str, Iterable[Shown]]) -> None:
        self.views = {name: "".join(part._repr_html_() for part in parts) for name, parts in views.items()}

    def _repr_html_(self) -> str:
        if len(self.views) == 1:
            return next(iter(self.views.values()))
        group = "view-" + hashlib.sha256("".join(self.views.values()).encode()).hexdigest()[:8]
        tabs = "".join(
            f'<input id="{group}-{place}" name="{group}" type="radio" class="sd-tab-input"{" checked" * (place == 0)}>'
            f'<label class="sd-tab-label" for="{group}-{place}">{escape(name)}</label>'
            f'<div class="sd-tab-content">{shown}</div>'
            for place, (name, shown) in enumerate(self.views.items())
        )
        return f'<div class="sd-tab-set">{tabs}</div>'

    def __repr__(self) -> str:
        return f"[one view each for {'; '.join(self.views)}]"


def _svg(figure: Figure) -> tuple[str, float, int]:
    """The figure as inline SVG in the page's text colour, its width in CSS pixels, and the least it can have."""
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = _lean(svg[svg.index("<svg") :]).replace(INK, "currentColor")
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    heights = [float(px) for px in re.findall(r"<text[^>]*?\bfont(?:-size)?: (?:\w+ )*([\d.]+)px", svg)]
    least = math.ceil(figure.get_figwidth() * 72 * SMALLEST / min(heights)) if heights else 0
    fluid = rf'\1 aria-hidden="true" style="width: 100%; min-width: {least}px; height: auto"'
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', fluid, svg, count=1)
    own = hashlib.sha256(svg.encode()).hexdigest()[:8]  # ids are global in a page
    svg = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{own}-", svg)
    return svg, figure.get_figwidth() * 96, least


def _lean(svg: str) -> str:
    """The drawing without what nothing refers to, lengths to a hundredth of a point, one style said once in a row."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(?<= (?:d|x|y)=")[^"]*', lambda lengths: _short(lengths[0]), svg)
    svg = re.sub(r' transform="rotate\(-?0 [^"]*"|(?<=>)\s+(?=<)', "", svg)
    referred = set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda own: own[0] if own[1] in referred else "", svg)
    mark = r'<(?:path d="[^"]*"|use xlink:href="[^"]*" x="[^"]*" y="[^"]*")'
    alike = rf"{mark}((?:(?! opacity)[^>])+)/>(?:{mark}\1/>)+"  # a group's opacity is that of all together
    return re.sub(alike, lambda row: f"<g{row[1]}>{row[0].replace(row[1], '')}</g>", svg)


def _short(lengths: str) -> str:
    return " ".join(re.sub(r"(\d\.\d\d)\d+", r"\1", lengths).split())
