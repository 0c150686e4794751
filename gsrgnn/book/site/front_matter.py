"""The first pages of the book on paper, as HTML: the cover, and the contents with page numbers."""

import base64
from html import escape
from pathlib import Path

from gsrgnn.book.site.address import Address
from gsrgnn.book.site.citation import Citation
from gsrgnn.book.site.join import Parts

STYLE: str = """
@page { size: A4; margin: 22mm 24mm; }
body { font: 11pt/1.45 sans-serif; margin: 0; color: #12263a; }
a { color: inherit; text-decoration: none; }
h1 { font-size: 34pt; line-height: 1.15; margin: 45mm 0 5mm; }
img { width: 100%; margin: 12mm 0; }
.contents { break-before: page; }
.contents h1 { font-size: 22pt; margin: 0 0 6mm; }
h2 { font-size: 10.5pt; margin: 3.5mm 0 .5mm; break-after: avoid; }
.contents a { display: flex; align-items: baseline; gap: 2mm; font-size: 10pt; line-height: 1.45; }
.contents a::after { content: attr(data-page); order: 3; }
.contents a span { order: 1; }
.contents i { flex: 1; order: 2; border-bottom: 1px dotted #8a98a6; }
"""


def front_matter(title: str, citation: Citation, address: Address, picture: Path, parts: Parts) -> str:
    """One page of HTML; `picture` is the cover's."""
    drawn = base64.b64encode(picture.read_bytes()).decode()
    authors = [" ".join(reversed(name.split(", "))) for name in citation.paper_authors]
    contents = "".join(
        f"<h2>{escape(caption)}</h2>" * bool(caption)
        + "".join(
            f'<a href="{escape(page.address)}" data-page="{page.first}">'
            f"<span>{escape(page.headings[0].words)}</span><i></i></a>"
            for page in pages
        )
        for caption, pages in parts
    )
    where = f'<p><a href="{escape(address.site)}">{escape(address.site)}</a></p>' * bool(address.site)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8" /><title>{escape(title)}</title></head>'
        f"<body><h1>{escape(title)}</h1>"
        f"<p>{escape(citation.paper_title)}, the paper by {escape(', '.join(authors))} "
        f'(<a href="{citation.paper_address}">arXiv {citation.arxiv}</a>), rerun step by step.</p>'
        f'<img alt="" src="data:image/png;base64,{drawn}" />'
        f"<p>{escape(', '.join(citation.authors))}<br />Version {citation.version}, {citation.date}<br />"
        f'{escape(citation.licence)}</p>{where}<div class="contents"><h1>Contents</h1>{contents}</div></body></html>'
    )
