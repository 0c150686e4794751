"""The built site as one PDF: every page as a browser prints it, with a cover, contents, and numbers throughout.

Each page is printed by itself, as a reader would print it, with its sheets numbered on from the page before, and then they
are joined. So one page's faults stay its own, and the contents know on which sheet a page begins.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from gsrgnn.book.site import chromium
from gsrgnn.book.site.address import address
from gsrgnn.book.site.citation import Citation
from gsrgnn.book.site.front_matter import STYLE, front_matter
from gsrgnn.book.site.join import Printed, join, sheets
from gsrgnn.version import __version__

SHEET: str = """
@page {{
  size: A4; margin: 18mm 20mm 20mm;
  @bottom-left {{ content: {words}; font: 8pt sans-serif; color: #48566b; }}
  @bottom-right {{ content: counter(page); font: 9pt sans-serif; color: #48566b; width: 15mm; }}
}}
html {{ counter-reset: page {before}; }}
"""


def make(root: Path, file: Path, say: Callable[[str], None] = print) -> Path:
    """Print the pages of `root`/_build/html, in the order of the table of contents, into `file`.

    Raises FileNotFoundError where there is no built book, RuntimeError where there is nothing to print it with.
    """
    html = root / "_build" / "html"
    parts = list(_parts(root))
    for page in ("index", *(page for _, names in parts for page in names)):
        if not (html / f"{page}.html").exists():
            raise FileNotFoundError(f"no {page}.html in {html}: make book")
    title, citation, place = _title(root), Citation(root / "CITATION.cff"), address()
    home = f"{html.resolve().as_uri()}/"
    before, total = 0, sum(len(names) for _, names in parts)
    made: list[tuple[str, list[Printed]]] = []
    contents = []
    with chromium.paper() as tab:
        for caption, names in parts:
            printed, entries = [], []
            for name in names:
                tab.goto(f"{home}{name}.html")
                found = chromium.headings(tab)
                words = found[0].words
                footer = words if words == title else f"{title}  ·  {words}"
                pdf = chromium.printed(tab, SHEET.format(words=_css(footer), before=before))
                printed.append(Printed(f"{home}{name}.html", pdf, found))
                entries.append((printed[-1].address, words, before + 1))
                before += sheets(pdf)
                say(f"[{sum(len(one) for _, one in made) + len(printed)}/{total}] {name}: to page {before}")
            made.append((caption, printed))
            contents.append((caption, entries))
        tab.set_content(front_matter(title, citation, place, html / "_static" / "die.png", contents))
        front = Printed("", chromium.printed(tab, STYLE), [])

    metadata = {
        "Title": f"{title}, version {citation.version}",
        "Author": ", ".join(citation.authors),
        "Subject": f"{citation.paper_title} (arXiv {citation.arxiv}), rerun step by step",
        "CreationDate": f"D:{citation.date.replace('-', '')}000000Z",
    }
    new = file.with_name(f".{file.name}.new")
    new.write_bytes(join(front, made, place.site, home, metadata))
    os.replace(new, file)
    return file


def _parts(root: Path) -> Iterator[tuple[str, list[str]]]:
    """The table of contents by its parts: the caption, and the pages as `gsrgnn.book.build.pages` has them."""
    toc = yaml.safe_load((root / "_toc.yml").read_text())
    yield "", [toc["root"]]
    for part in toc["parts"]:
        yield part["caption"], [chapter["file"] for chapter in part["chapters"]]


def _title(root: Path) -> str:
    return yaml.safe_load((root / "_config.yml").read_text())["title"]


def _css(words: str) -> str:
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'


if __name__ == "__main__":
    try:
        made = make(Path(), Path(f"_build/gsrgnn-book-{__version__}.pdf"))
    except (FileNotFoundError, RuntimeError) as error:
        sys.exit(str(error))
    print(made)
