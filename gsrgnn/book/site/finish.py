"""From built pages to a site: light, under a policy, with pictures, a page for wrong addresses and a map."""

import re
import shutil
from collections.abc import Sequence
from html import escape
from pathlib import Path

import yaml

from gsrgnn.book.site import pictures, slides, worksheet
from gsrgnn.book.site.address import Address
from gsrgnn.book.site.citation import Citation
from gsrgnn.book.site.icons import Icons
from gsrgnn.book.site.numbering import numbered
from gsrgnn.book.site.policy import CHARSET, with_policy

ICONS: str = "_static/scripts/fontawesome.js"

LICENSES: Path = Path(__file__).parents[2] / "circuits" / "packaged_data" / "LICENSES.txt"
"""Of the circuits that ship."""

UNUSED: tuple[str, ...] = (
    "_static/**/*.map",
    "_static/**/*.LICENSE.txt",
    f"{ICONS}*",
    "_static/locales",
    "_static/mathjax/input/tex/extensions/all-packages.js",
    "_static/vendor/fontawesome/webfonts/*.ttf",
    "_static/vendor/fontawesome/webfonts/fa-brands-400.*",
    "_static/vendor/fontawesome/webfonts/fa-regular-400.*",
)
"""What the theme brings and no page asks for."""

MATHJAX: tuple[str, ...] = ("tex-chtml.js", "output/chtml/fonts/woff-v2/*", "input/tex/extensions/*.js")
"""What pages may ask of MathJax: one renderer, its fonts, LaTeX packages on demand."""

EMPTY_HEADER = re.compile(r"<th\b[^>]*>\s*(?:<p>)?(?:\s|&nbsp;|\xa0)*(?:</p>)?\s*</th>")
SEPARATE = re.compile(r'(<table[^>]*class="[^"]*dataframe[^"]*"[^>]*>.*?</table>)', re.DOTALL)
SIGNATURE = re.compile(r'<dt class="sig .*?</dt>', re.DOTALL)
KEPT_OR_BLANKS = re.compile(r"(<(pre|script|style|textarea)\b.*?</\2>)|\s*\n\s*", re.DOTALL)
OUTSIDE = re.compile(r"^(?:[a-z]+:|//|/|#)")


def finish(root: Path, html: Path, pages: Sequence[str], address: Address) -> None:
    """Finish the pages that Sphinx wrote to `html` from the book at `root`, in place.

    `pages` are the pages of the table of contents, the first is the front page.

    Raises ValueError for a page that cannot be put under the policy, KeyError for an icon that is not known.
    """
    icons = Icons((html / ICONS).read_text())
    _redirect(html, pages[0])
    if "book/teaching" in pages:
        worksheet.write(html)
    for path in _written(html):
        page = _without_blanks(numbered(_mend(icons.drawn(path.read_text()))))
        path.write_text(_from_anywhere(page, address.path) if path == html / "404.html" else page)
    slides.write(html)
    for path in _written(html):
        path.write_text(_under_policy(path.read_text(), path.relative_to(html)))
    _prune(html)
    _write_pictures(root, html)
    shutil.copy(root / "LICENSE", html / "license.txt")
    shutil.copy(LICENSES, html / "licenses-of-circuits.txt")
    if address.site:
        _write_map(html, pages, address)


def _written(html: Path) -> list[Path]:
    return sorted(path for path in html.rglob("*.html") if path.parent != html / "_static")


def _under_policy(page: str, name: Path) -> str:
    try:
        return with_policy(page)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _mend(page: str) -> str:
    """Take out what the theme and the outputs bring and a page does without; make wide tables reachable by keyboard."""
    page = re.sub(rf'\s*<script[^>]*src="[^"]*{ICONS}[^"]*"[^>]*></script>', "", page)
    page = page.replace(' onclick="window.print()"', "")  # site.js has it
    page = page.replace('<summary aria-label="Toggle hidden content">', "<summary>")  # what is seen is the name
    page = page.replace('<div role="list" class="citation-list">', '<div class="citation-list">')  # of no list items
    page = page.replace(
        '<summary><span class="toctree-toggle"', '<summary aria-label="Its pages"><span class="toctree-toggle"'
    )
    page = SIGNATURE.sub(lambda found: _lines_of_signature(found[0]), page)
    page = re.sub(r"<title>(.*?) &#8212; \1</title>", r"<title>\1</title>", page)
    page = EMPTY_HEADER.sub("<td></td>", page)  # a header without words heads nothing
    return SEPARATE.sub(r'<div class="pst-scrollable-table-container">\1</div>', page)


def _without_blanks(page: str) -> str:
    """A page without blank lines and indentation, but where they are seen or run."""
    return KEPT_OR_BLANKS.sub(lambda found: found[1] or "\n", page)


def _lines_of_signature(signature: str) -> str:
    """A signature whose arguments, a line each, are no list of definitions without terms."""
    for element, other in (
        ("<dl>", "<div>"),
        ("</dl>", "</div>"),
        ("<dd>", '<div class="sig-line">'),
        ("</dd>", "</div>"),
    ):
        signature = signature.replace(element, other)
    return signature


def _from_anywhere(page: str, root: str) -> str:
    """A page whose links hold at every depth, since a server shows it in place of any other."""

    def absolute(found: re.Match) -> str:
        return found[0] if OUTSIDE.match(found[2]) else f'{found[1]}="{root}{found[2].removeprefix("./")}"'

    return re.sub(r'\b(href|src|action|data-content_root)="([^"]*)"', absolute, page)


def _redirect(html: Path, front: str) -> None:
    """The root's page, which leads on to the front page, says of itself what that one says."""
    page = _mend((html / f"{front}.html").read_text())
    said = re.findall(r"<title>.*?</title>|<meta (?:name|property)=[^>]*>|<link rel=\"canonical\"[^>]*>", page)
    (html / "index.html").write_text(
        f'<!DOCTYPE html>\n<html lang="en">\n  <head>\n    {CHARSET}\n    '
        + "\n    ".join(said)
        + f'\n    <meta http-equiv="refresh" content="0; url={front}.html" />\n  </head>\n'
        f'  <body><a href="{front}.html">To the front page</a></body>\n</html>\n'
    )


def _prune(html: Path) -> None:
    mathjax = html / "_static" / "mathjax"
    kept = {path for pattern in MATHJAX for path in mathjax.glob(pattern)}
    unused = {path for pattern in UNUSED for path in html.glob(pattern)}
    unused |= {path for path in mathjax.rglob("*") if path.is_file() and path not in kept}
    for path in unused:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for folder in sorted((path for path in mathjax.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def _write_pictures(root: Path, html: Path) -> None:
    citation = Citation(root / "CITATION.cff")
    title = yaml.safe_load((root / "_config.yml").read_text())["title"]
    lines = ["Deep graph networks for circuits: the paper", f"arXiv {citation.arxiv}, rerun step by step"]
    pictures.draw(html, title, lines, root / "book" / "_static" / "die.png")


def _write_map(html: Path, pages: Sequence[str], address: Address) -> None:
    places = "".join(f"  <url><loc>{escape(f'{address.site}{page}.html')}</loc></url>\n" for page in pages)
    (html / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        f"{places}</urlset>\n"
    )
