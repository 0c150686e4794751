"""The site's pictures: the card that is shown beside a link to it, and its icon, rows with one kept entry each."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from gsrgnn.book.site.head import CARD, CARD_SIZE

DARK, DIM, KEPT = "#12263a", "#3d5a73", "#8fd744"
GRID: tuple[str, ...] = ("x..", ".x.", "..x")
"""The icon's entries; x is kept."""
CELL, GAP, EDGE = 8, 2, 2
SIDE: int = 3 * CELL + 2 * GAP + 2 * EDGE


def draw(html: Path, title: str, lines: list[str], figure: Path) -> None:
    """Write card.png, favicon.svg and favicon.png into the built book at `html`; `figure` is the card's picture."""
    _card(html / CARD, title, lines, figure)
    squares = "".join(
        f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" rx="1.5" fill="{colour}"/>' for x, y, colour in _cells()
    )
    (html / "_static" / "favicon.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}">'
        f'<rect width="{SIDE}" height="{SIDE}" rx="6" fill="{DARK}"/>{squares}</svg>\n'
    )
    _icon(html / "_static" / "favicon.png")


def _cells() -> list[tuple[int, int, str]]:
    step = CELL + GAP
    return [
        (EDGE + column * step, EDGE + row * step, KEPT if mark == "x" else DIM)
        for row, marks in enumerate(GRID)
        for column, mark in enumerate(marks)
    ]


def _card(path: Path, title: str, lines: list[str], figure: Path) -> None:
    width, height = CARD_SIZE
    card = Figure(figsize=(width / 100, height / 100), dpi=100, facecolor="white")
    card.text(0.04, 0.87, title, fontsize=44, fontweight="bold", color=DARK, va="center")
    for place, line in enumerate(lines):
        card.text(0.04, 0.76 - 0.065 * place, line, fontsize=20, color=DIM, va="center")
    axes = card.add_axes((0.03, 0.0, 0.94, 0.66))
    axes.imshow(imread(figure), interpolation="lanczos")
    axes.set_axis_off()
    card.savefig(path, metadata={"Software": None})
    with Image.open(path) as drawn:
        drawn.convert("RGB").quantize(256).save(path, optimize=True)


def _icon(path: Path) -> None:
    icon = Figure(figsize=(1, 1), dpi=96)
    axes = icon.add_axes((0, 0, 1, 1), xlim=(0, SIDE), ylim=(SIDE, 0))
    axes.set_axis_off()
    for x, y, side, corner, colour in [
        (0, 0, SIDE, 6, DARK),
        *((x, y, CELL, 1.5, colour) for x, y, colour in _cells()),
    ]:
        style = f"round,pad=0,rounding_size={corner}"
        axes.add_patch(FancyBboxPatch((x, y), side, side, boxstyle=style, facecolor=colour, linewidth=0))
    icon.savefig(path, transparent=True, metadata={"Software": None})
