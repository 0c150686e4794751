"""The whole book as a PDF: every page of it, its code in full, its links within it."""

import re
import shutil
import subprocess
import sys
import unicodedata
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
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text))  # fonts join "fi" to one letter


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    file = tmp_path_factory.mktemp("pdf") / "book.pdf"
    subprocess.run(
        [sys.executable, "-c", MAKE, ROOT, file], cwd=ROOT, check=True
    )  # playwright starts once in a process
    return pypdf.PdfReader(file)


@pytest.fixture(scope="module")
def texts(book):
    return [squeezed(sheet.extract_text()) for sheet in book.pages]


@pytest.fixture(scope="module")
def soups():
    return {page: BeautifulSoup((HTML / f"{page}.html").read_text(), "html.parser").article for page in pages(ROOT)}


def bookmarks(items):
    for item in items:
        yield from bookmarks(item) if isinstance(item, list) else [item]


def test_every_page_has_a_bookmark_with_its_number(book, texts, soups):
    found = {squeezed(one.title): book.get_destination_page_number(one) for one in bookmarks(book.outline)}
    titles = [squeezed(soup.h1.get_text().removesuffix("#")) for soup in soups.values()]
    assert [title for title in titles if title not in found] == []
    assert any(title.startswith("24.") for title in titles)
    contents = "".join(text for text, label in zip(texts, book.page_labels, strict=True) if not label.isdigit())
    for title in titles:
        sheet = found[title]
        assert title in texts[sheet]
        assert book.page_labels[sheet] in texts[sheet]
        assert title + book.page_labels[sheet] in contents


def test_the_longest_line_of_code_of_each_page_is_there_to_its_end(texts, soups):
    text = "".join(texts)
    longest = []
    for soup in soups.values():
        for hidden in soup.select("details.hide"):
            hidden.decompose()
        longest += sorted("\n".join(code.get_text() for code in soup.select("pre")).splitlines(), key=len)[-1:]
    assert len(longest) > 20
    assert max(map(len, longest)) > 80
    assert [line for line in longest if squeezed(line)[-25:] not in text] == []


def test_links_stay_in_the_book_and_none_names_this_machine(book, texts):
    links = [one.get_object() for sheet in book.pages for one in sheet.get("/Annots", ())]
    outside = [link["/A"]["/URI"] for link in links if "/A" in link]
    assert len(links) - len(outside) > 200
    assert [one for one in outside if not one.startswith("http")] == []
    assert f"{ROOT}/" not in "".join(texts)
