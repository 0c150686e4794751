"""The built site as one PDF: every page as a browser prints it, with a cover, contents, and numbers throughout.

Each page is printed by itself, its sheets numbered on from those of the page before, and then they are joined. So no id
or style of one page meets another's, and the contents know on which sheet a page begins.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from gsrgnn.book.site import chromium
from gsrgnn.book.site.address import address
from gsrgnn.book.site.citation import Citation
from gsrgnn.book.site.contents import pages, parts
from gsrgnn.book.site.front_matter import STYLE, front_matter
from gsrgnn.book.site.join import Printed, join, sheets
from gsrgnn.version import __version__

if TYPE_CHECKING:
    from playwright.sync_api import Page

SHEET: str = """
@page {{
  size: A4; margin: 18mm 20mm 20mm;
  @bottom-left {{ content: {words}; font: 8pt sans-serif; color: #48566b; }}
  @bottom-right {{ content: counter(page); font: 9pt sans-serif; color: #48566b; width: 15mm; }}
}}
html {{ counter-reset: page {before}; }}
.toctree-wrapper {{ display: none; }}
"""
"""Of a page's sheets. Its list of pages is left out: the contents have it, with page numbers."""


def make(root: Path, file: Path, say: Callable[[str], None] = print) -> Path:
    """Print the pages of `root`/_build/html, in the order of the table of contents, into `file`.

    Raises FileNotFoundError where there is no built book, RuntimeError where there is nothing to print it with.
    """
    html = root / "_build" / "html"
    for page in pages(root):
        if not (html / f"{page}.html").exists():
            raise FileNotFoundError(f"no {page}.html in {html}: make book")
    title, citation, place = _title(root), Citation(root / "CITATION.cff"), address()
    home = f"{html.resolve().as_uri()}/"
    made: list[tuple[str, list[Printed]]] = []
    before = 0
    with chromium.paper() as tab:
        for caption, names in parts(root):
            made.append((caption, []))
            for name in names:
                page = _print(tab, f"{home}{name}.html", title, before)
                made[-1][1].append(page)
                before += sheets(page.pdf)
                say(f"{name}: pages {page.first} to {before}")
        tab.set_content(front_matter(title, citation, place, html / "_static" / "die.png", made))
        front = chromium.printed(tab, STYLE)

    metadata = {
        "Title": f"{title}, version {citation.version}",
        "Author": ", ".join(citation.authors),
        "Subject": f"{citation.paper_title} (arXiv {citation.arxiv}), rerun step by step",
        "CreationDate": f"D:{citation.date.replace('-', '')}000000Z",
    }
    new = file.with_name(f".{file.name}.new")
    new.write_bytes(join(front, made, home, place.site, metadata))
    os.replace(new, file)
    return file


def _print(tab: "Page", where: str, book: str, before: int) -> Printed:
    """The page at `where`, its sheets numbered on from `before`."""
    tab.goto(where)
    title = chromium.headings(tab)[0].words
    words = title if title == book else f"{book}  ·  {title}"
    pdf = chromium.printed(tab, SHEET.format(words=_css(words), before=before))
    return Printed(where, before + 1, pdf, chromium.headings(tab))


def _title(root: Path) -> str:
    return yaml.safe_load((root / "_config.yml").read_text())["title"]


def _css(words: str) -> str:
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'


if __name__ == "__main__":
    try:
        made = make(Path(), Path(f"_build/gsrgnn-book-{__version__}.pdf"))
    except (OSError, RuntimeError) as error:
        sys.exit(str(error))
    print(made)
