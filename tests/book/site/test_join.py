import io

import pypdf
from pypdf.annotations import Link
from pypdf.generic import ArrayObject, FloatObject, NameObject, NullObject

from gsrgnn.book.site.chromium import Heading
from gsrgnn.book.site.join import Printed, join, sheets

HOME, SITE = "file:///built/", "https://example.org/book/"


def pdf(*links, places=(), sheets=2):
    """A PDF with `links` on its first sheet and named places on its last one, as Chromium writes them."""
    writer = pypdf.PdfWriter()
    for _ in range(sheets):
        writer.add_blank_page(200, 300)
    for target in links:
        writer.add_annotation(0, Link(rect=(0, 0, 9, 9), url=target))
    for name, top in places:
        place = [
            writer.pages[-1].indirect_reference,
            NameObject("/XYZ"),
            FloatObject(0),
            FloatObject(top),
            NullObject(),
        ]
        writer.add_named_destination_array(name, ArrayObject(place))
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def joined(*links, site="", home=HOME):
    headings = [Heading(1, "1. One", "one"), Heading(2, "Sums", "sums"), Heading(2, "What is lost", "lost")]
    one = Printed(f"{home}one.html", 1, pdf(*links, places=[("sums", 200), ("lost", 100)]), headings)
    two = Printed(
        f"{home}two.html", 3, pdf(places=[("sums", 50)]), [Heading(1, "2. Two", "two"), Heading(2, "Sums", "sums")]
    )
    parts = [("", [one]), ("The second part", [two])]
    return pypdf.PdfReader(io.BytesIO(join(pdf(sheets=1), parts, home, site, {"Title": "A book"})))


def led(book):
    """Where the links of the book lead: sheet and height within it, or an address."""
    found = []
    for one in book.pages[1].get("/Annots", ()):
        link = one.get_object()
        if "/A" in link:
            found.append(link["/A"]["/URI"])
        else:
            sheet, _, _, top, _ = link["/Dest"]
            found.append((book.get_page_number(sheet.get_object()), float(top)))
    return found


def test_links_lead_within_the_book():
    links = [f"{HOME}two.html", f"{HOME}two.html#sums", f"{HOME}one.html#sums", f"{HOME}two.html#not-there"]
    assert led(joined(*links)) == [(3, 300), (4, 50), (2, 200), (3, 300)]


def test_links_lead_within_the_book_wherever_the_checkout_lies():
    home = "file:///b%20%C3%BC/"
    assert led(joined(f"{home}two.html#sums", f"{home}one.html#sums", home=home)) == [(4, 50), (2, 200)]


def test_a_file_that_is_no_page_is_linked_where_it_is_published_and_else_not():
    links = ["https://example.org/x", f"{HOME}license.txt"]
    assert led(joined(*links)) == links[:1]
    assert led(joined(*links, site=SITE)) == [links[0], f"{SITE}license.txt"]


def test_pages_have_numbers_and_bookmarks():
    book = joined()
    assert book.page_labels == ["i", "1", "2", "3", "4"]
    (first, sections, part, (second, more)) = book.outline
    assert [first.title, part.title, second.title] == ["1. One", "The second part", "2. Two"]
    assert [[one.title for one in sections], [one.title for one in more]] == [["Sums", "What is lost"], ["Sums"]]
    assert [book.get_destination_page_number(one) for one in (first, sections[1], part, second, more[0])] == [
        1,
        2,
        3,
        3,
        4,
    ]
    assert (book.metadata.title, sheets(pdf())) == ("A book", 2)
