"""Chapters as slides: a deck for each, of the finished page's own parts, with reveal.js beside it.

A heading of the page starts a slide. What does not fit on one is put on the next below it by `book/_static/slides.js`,
which measures in the browser. The notebooks' slide marks say which cells are left out and which come with a key press.
"""

import re
from html import escape
from importlib.metadata import distribution
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from sphinx.application import Sphinx

from gsrgnn.book.site.policy import CHARSET

CHAPTERS: tuple[str, ...] = ("01_group_sparsity", "02_aggregation", "03_coupling", "04_forward", "05_backward")
FOLDER: str = "slides"
REVEAL: str = "_static/reveal"
MARK: str = "slide-"
"""Start of the class that a cell's slide mark becomes."""

STYLES = ("pydata-sphinx-theme.css", "pygments.css", "mystnb", "book.css", "walkthrough.css")
LEFT_OUT = (
    f".{MARK}skip",
    "a.headerlink",
    "div.admonition.dropdown",
    ".tag_hide-input .cell_input",
    "summary",
    ".reading-time",
    ".gsr-mark",
)


def keep_marks(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Make a class of the slide mark of each cell, for which a page has no use and a deck has."""
    for cell in doctree.findall(nodes.container):
        mark = cell.get("cell_metadata", {}).get("slideshow", {}).get("slide_type")
        if mark:
            cell["classes"].append(f"{MARK}{mark}")


def offer(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Put the deck of a page, where it gets one, among what the page's button offers to download."""
    name = page.removeprefix("chapters/")
    for button in context.get("header_buttons", []):
        if name in CHAPTERS and button["label"] == "download-buttons":
            button["buttons"].append(
                {
                    "type": "link",
                    "url": context["pathto"](f"{FOLDER}/{name}.html", 1),
                    "text": "Slides",
                    "tooltip": "Show this chapter as slides",
                    "icon": "fas fa-display",
                    "label": "slides-button",
                }
            )


def write(html: Path) -> None:
    """Make the decks of those of `CHAPTERS` that the site at `html` has, from pages without a policy, in place.

    Raises FileNotFoundError where sphinx-revealjs, which brings reveal.js, is another than this was written for.
    """
    names = [name for name in CHAPTERS if (html / "chapters" / f"{name}.html").exists()]
    if not names:
        return
    reveal = Path(distribution("sphinx-revealjs").locate_file("sphinx_revealjs/_static/revealjs"))
    (html / REVEAL).mkdir()
    for name in ("dist/reveal.js", "dist/reveal.css", "LICENSE"):
        target = html / REVEAL / Path(name).name
        text = (reveal / name).read_text()
        target.write_text(re.sub(r"\s*//# sourceMappingURL=.*", "", text))
    (html / REVEAL / "LICENSE").rename(html / REVEAL / "license.txt")
    (html / FOLDER).mkdir()
    for name in names:
        (html / FOLDER / f"{name}.html").write_text(deck((html / "chapters" / f"{name}.html").read_text(), name))


def deck(page: str, name: str) -> str:
    """The deck of the finished page `page` of chapter `name`."""
    soup = BeautifulSoup(page, "html.parser")
    article = soup.select_one("article")
    for part in article.select(", ".join(LEFT_OUT)):
        part.decompose()
    for code in article.select(".cell_input pre"):
        _leave_out_show(code)
    for link in article.find_all("a", href=True):
        link["href"] = _from_deck(link["href"], name)
    title = escape(article.h1.get_text().strip())
    head = [
        str(link) for link in soup.head.find_all("link", rel="stylesheet") if any(s in link["href"] for s in STYLES)
    ]
    head += [
        str(script)
        for script in soup.head.find_all("script")
        if "window.MathJax" in script.text or "mathjax" in script.get("src", "")
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-theme="light" data-mode="light">\n  <head>\n    {CHARSET}\n'
        '    <meta name="viewport" content="width=device-width, initial-scale=1" />\n'
        '    <meta name="robots" content="noindex" />\n'
        f"    <title>{title}: slides</title>\n    "
        + "\n    ".join(head)
        + f'\n    <link rel="stylesheet" href="../{REVEAL}/reveal.css" />\n'
        '    <link rel="stylesheet" href="../_static/slides.css" />\n'
        f'    <script defer src="../{REVEAL}/reveal.js"></script>\n'
        '    <script defer src="../_static/slides.js"></script>\n'
        f'  </head>\n  <body>\n    <main>\n<div class="reveal" aria-label="Slides: {title}"><div class="slides">\n'
        + "\n".join(_sections(article))
        + "\n</div></div>\n    </main>\n  </body>\n</html>\n"
    )


def _sections(article: Tag) -> list[str]:
    """Each heading with what follows it up to the next, cells taken apart."""
    sections: list[list[str]] = []
    for block in _blocks(article):
        if block.name in ("h1", "h2", "h3"):
            sections.append([])
        if sections:
            sections[-1].append(str(block))
    return ['<section class="bd-article bd-content">\n' + "\n".join(blocks) + "\n</section>" for blocks in sections]


def _blocks(parent: Tag) -> list[Tag]:
    found = []
    for child in parent.find_all(True, recursive=False):
        classes = child.get("class", [])
        if child.name in ("section", "details"):
            found += _blocks(child)
        elif f"{MARK}fragment" in classes:
            for details in child.find_all("details"):
                details.unwrap()
            child["class"] = [*classes, "fragment"]
            found.append(child)
        elif "cell" in classes:
            found += _blocks(child)
        else:
            found.append(child)
    return found


def _leave_out_show(code: Tag) -> None:
    """Take `show(...)` from the end of a cell's code: what is seen says it."""
    lines = code.decode_contents().split("\n")
    words = [re.sub("<[^>]+>", "", line) for line in lines]
    last = max(at for at, line in enumerate(words) if at == 0 or line[:1].strip(" )"))
    if not words[last].startswith("show("):
        return
    if last == 0:
        code.find_parent(class_="cell_input").decompose()
    else:
        code.clear()
        code.append(BeautifulSoup("\n".join(lines[:last]).rstrip(), "html.parser"))


def _from_deck(target: str, name: str) -> str:
    if target.startswith("#"):
        return f"../chapters/{name}.html{target}"
    return target if re.match(r"[a-z]+:|\.\./", target) else f"../chapters/{target}"
