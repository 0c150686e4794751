"""Printed pages of the book as one PDF: links between them lead within it, and it has bookmarks and page numbers."""

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote, urldefrag

from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.annotations import Link
from pypdf.constants import PageLabelStyle
from pypdf.generic import ArrayObject, Fit, IndirectObject, NameObject

from gsrgnn.book.site.chromium import Heading


class Printed(NamedTuple):
    """A page of the site on sheets of paper: its address, the number of its first sheet, the PDF, and its headings."""

    address: str
    first: int
    pdf: bytes
    headings: Sequence[Heading]


Parts = Sequence[tuple[str, Sequence[Printed]]]
"""Captions, "" for none, and the pages below them."""


class _Place(NamedTuple):
    sheet: int
    top: float


def sheets(pdf: bytes) -> int:
    """How many sheets a PDF has."""
    return len(PdfReader(io.BytesIO(pdf)).pages)


def join(front: bytes, parts: Parts, home: str, site: str, metadata: Mapping[str, str]) -> bytes:
    """One PDF of `front`, whose sheets are numbered i, ii, ..., and of the pages of `parts`, numbered from 1.

    A link to one of the pages leads to its place; one to another file under `home`, where the pages were printed from,
    to that file under `site`, or nowhere where this is "".
    """
    writer = PdfWriter()
    places: dict[str, _Place] = {}
    printed = [Printed("", 1, front, ()), *(page for _, pages in parts for page in pages)]
    links = []
    for page in printed:
        reader, first = PdfReader(io.BytesIO(page.pdf)), len(writer.pages)
        for sheet, content in enumerate(reader.pages, start=first):
            links += [(sheet, rect, page.address * target.startswith("#") + target) for rect, target in _links(content)]
            content.pop("/Annots", None)
        places[page.address] = _Place(first, float(reader.pages[0].mediabox.top))
        for name, found in reader.named_destinations.items():
            sheet = reader.get_destination_page_number(found)
            places[f"{page.address}#{unquote(name.lstrip('/'))}"] = _Place(first + sheet, float(found.top))
        writer.append(reader, import_outline=False)
    writer.root_object.pop("/Dests", None)
    writer.root_object.pop("/Names", None)

    for sheet, rect, target in links:
        page, name = urldefrag(target)
        place = places.get(f"{page}#{unquote(name)}") or places.get(page)
        if place:
            writer.add_annotation(sheet, Link(rect=rect, target_page_index=place.sheet, fit=_at(place)))
        elif not target.startswith(home) or site:
            writer.add_annotation(sheet, Link(rect=rect, url=target.replace(home, site, 1)))

    begin = sheets(front)
    writer.set_page_label(0, begin - 1, style=PageLabelStyle.LOWERCASE_ROMAN)
    writer.set_page_label(begin, len(writer.pages) - 1, style=PageLabelStyle.DECIMAL, start=1)
    _bookmark(writer, parts, places)
    writer.metadata = {f"/{name}": words for name, words in metadata.items()}
    writer.root_object[NameObject("/PageMode")] = NameObject("/UseOutlines")
    writer.compress_identical_objects()
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def _links(sheet: PageObject) -> Iterator[tuple[ArrayObject, str]]:
    """The links of a sheet, where they are and where they lead; "#name" is in the same document."""
    for reference in sheet.get("/Annots", ()):
        link = reference.get_object()
        if "/Dest" in link:
            yield link["/Rect"], "#" + link["/Dest"].lstrip("/")
        elif "/URI" in link.get("/A", ()):
            yield link["/Rect"], link["/A"]["/URI"]


def _at(place: _Place) -> Fit:
    return Fit.xyz(top=place.top)


def _bookmark(writer: PdfWriter, parts: Parts, places: Mapping[str, _Place]) -> None:
    """Parts, in them pages, in these the sections; only parts are opened."""

    def add(words: str, where: str, parent: IndirectObject | None) -> IndirectObject:
        place = places[where]
        return writer.add_outline_item(
            title=words, page_number=place.sheet, parent=parent, fit=_at(place), is_open=parent is None
        )

    for caption, pages in parts:
        part = add(caption, pages[0].address, None) if caption else None
        for page in pages:
            above = {0: part}
            for level, words, id in page.headings:
                where = page.address if level == 1 else f"{page.address}#{id}"
                above[level] = add(words, where, next(above[one] for one in range(level - 1, -1, -1) if one in above))
                above = {one: item for one, item in above.items() if one <= level}
