"""What the head of a page says to search engines, to reference managers and to whoever shows a link to it."""

import re
from html import escape

from docutils import nodes
from sphinx.application import Sphinx

from gsrgnn.book.site.above import above
from gsrgnn.book.site.address import Address
from gsrgnn.book.site.citation import Citation

CARD: str = "_static/card.png"
CARD_SIZE: tuple[int, int] = (1200, 630)
CARD_ALT: str = "Three maps of a chip: congestion, what GSR-GNN predicts, and the difference"
LONGEST: int = 200
"""Characters of a description, about what a search engine shows of it."""

ABOUT: str = "A paper on deep graph networks for circuits, rerun: its steps, its figures and what holds of its results."
"""The description of a page that has no text of its own."""


def describe(doctree: nodes.document | None) -> str:
    """A page's first paragraph that stands in no box and in no output, cut at a word."""
    inside = (nodes.Admonition, nodes.container, nodes.list_item, nodes.table)
    for paragraph in doctree.findall(nodes.paragraph) if doctree is not None else ():
        if not paragraph["classes"] and not any(isinstance(one, inside) for one in above(paragraph)):
            words = re.sub(r"\s+", " ", paragraph.astext()).strip()
            return words if len(words) <= LONGEST else words[: LONGEST - 1].rpartition(" ")[0].rstrip(",.;:") + " …"
    return ABOUT


def tags(app: Sphinx, page: str, context: dict, description: str, citation: Citation, address: Address) -> str:
    """The elements, one a line. Those that need the site's address are left out where it is not known."""
    icons = [
        f'<link rel="icon" href="{context["pathto"](f"_static/favicon.{kind}", 1)}" {words} />'
        for kind, words in (("png", 'type="image/png" sizes="96x96"'), ("svg", 'type="image/svg+xml"'))
    ]
    if page not in app.env.titles:  # search, index, 404: not what somebody should find
        return "\n    ".join(["", *_elements("name", {"robots": "noindex"}), *icons])
    front = page == app.config.root_doc
    title = app.env.titles[page].astext()
    named = {
        "description": description,
        "citation_title": app.config.html_title if front else title,
        "citation_author": citation.authors,
        "citation_publication_date": citation.date.replace("-", "/"),
        "citation_language": "en",
        "citation_public_url": context.get("pageurl"),
        "citation_reference": ";".join(
            [
                f"citation_title={citation.paper_title}",
                *(f"citation_author={author}" for author in citation.paper_authors),
                f"citation_publication_date={citation.paper_year}",
                f"citation_arxiv_id={citation.arxiv}",
            ]
        ),
        "twitter:card": "summary_large_image" if address.site else "summary",
    }
    shown = {
        "og:title": title,
        "og:type": "website" if front else "article",
        "og:site_name": app.config.html_title,
        "og:description": description,
        "og:url": context.get("pageurl"),
    }
    if address.site:
        sizes = dict(zip(("og:image:width", "og:image:height"), map(str, CARD_SIZE), strict=True))
        shown |= {"og:image": address.site + CARD, **sizes, "og:image:alt": CARD_ALT}
    return "\n    ".join(["", *_elements("name", named), *_elements("property", shown), *icons])


def _elements(key: str, values: dict[str, str | list[str] | None]) -> list[str]:
    pairs = [(name, one) for name, value in values.items() for one in (value if isinstance(value, list) else [value])]
    return [f'<meta {key}="{name}" content="{escape(value, quote=True)}" />' for name, value in pairs if value]
