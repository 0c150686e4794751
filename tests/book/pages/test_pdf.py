"""The whole book as a PDF: every page of it, its code in full, its links within it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pypdf
import pytest
from bs4 import BeautifulSoup

from gsrgnn.book.site.contents import pages

ROOT = Path(__file__).parents[3]
HTML = ROOT / "_build" / "html"
MAKE = "import sys; from pathlib import Path; from gsrgnn.book.site.pdf import make; make(*map(Path, sys.argv[1:]))"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (HTML / "index.html").exists(), reason="no _build/html: make book"),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on this machine"),
]


def squeezed(text):
    return re.sub(r"\s", "", text)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    file = tmp_path_factory.mktemp("pdf") / "book.pdf"
    subprocess.run(
        [sys.executable, "-c", MAKE, ROOT, file], cwd=ROOT, check=True
    )  # playwright starts once in a process
    return pypdf.PdfReader(file)


@pytest.fixture(scope="module")
def soups():
    return {page: BeautifulSoup((HTML / f"{page}.html").read_text(), "html.parser").article for page in pages(ROOT)}


def bookmarks(items):
    for item in items:
        yield from bookmarks(item) if isinstance(item, list) else [item]


def test_every_page_has_a_bookmark_with_its_number(book, soups):
    found = {squeezed(one.title): book.get_destination_page_number(one) for one in bookmarks(book.outline)}
    titles = [squeezed(soup.h1.get_text().removesuffix("#")) for soup in soups.values()]
    assert [title for title in titles if title not in found] == []
    assert any(title.startswith("24.") for title in titles)
    contents = squeezed(book.pages[1].extract_text())
    for title in titles:
        sheet = found[title]
        text = squeezed(book.pages[sheet].extract_text())
        assert title in text
        assert book.page_labels[sheet] in text
        assert title + book.page_labels[sheet] in contents


def test_the_longest_line_of_code_of_each_page_is_there_to_its_end(book, soups):
    text = squeezed("".join(sheet.extract_text() for sheet in book.pages))
    longest = []
    for soup in soups.values():
        for hidden in soup.select("details.hide"):
            hidden.decompose()
        longest += sorted("\n".join(code.get_text() for code in soup.select("pre")).splitlines(), key=len)[-1:]
    assert len(longest) > 20
    assert max(map(len, longest)) > 80
    assert [line for line in longest if squeezed(line)[-25:] not in text] == []


def test_links_stay_in_the_book_and_none_names_this_machine(book):
    links = [one.get_object() for sheet in book.pages for one in sheet.get("/Annots", ())]
    outside = [link["/A"]["/URI"] for link in links if "/A" in link]
    assert len(links) - len(outside) > 200
    assert [one for one in outside if not one.startswith("http")] == []
    assert str(ROOT) not in "".join(sheet.extract_text() for sheet in book.pages)
