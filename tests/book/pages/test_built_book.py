"""The built book: complete, whole without a network, with no link that leads nowhere."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from gsrgnn.book.build import pages

ROOT = Path(__file__).parents[3]
HTML = ROOT / "_build" / "html"
PAGES = pages(ROOT)

pytestmark = pytest.mark.skipif(not (HTML / "index.html").exists(), reason="no _build/html: make book")


@pytest.fixture(scope="module")
def soups():
    paths = [path for path in HTML.rglob("*.html") if path.parent != HTML / "_static"]
    return {path: BeautifulSoup(path.read_text(), "html.parser") for path in paths}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_of_the_table_of_contents_is_there_and_holds_no_traceback(soups, page):
    text = soups[HTML / f"{page}.html"].find("article").get_text()
    assert len(text) > 100
    assert "Traceback (most recent call last)" not in text
    assert f"{ROOT}/" not in text


@pytest.mark.parametrize("page", PAGES)
def test_no_output_is_left_as_it_was_written(soups, page):
    outputs = "\n".join(output.get_text() for output in soups[HTML / f"{page}.html"].select(".cell_output"))
    assert "|:--" not in outputs
    assert "object>" not in outputs


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("chapters/")])
def test_every_chapter_says_where_its_numbers_come_from_and_numbers_its_figures(page):
    soup = BeautifulSoup((HTML / f"{page}.html").read_text(), "html.parser")
    (mark,) = soup.select("article .gsr-mark")
    assert mark.find_previous("h1")
    chapter = soup.select_one("h1 > .section-number")
    before = f"{int(chapter.get_text().rstrip('. '))}." if chapter else ""
    figures = soup.select("article .gsr-figure")
    numbers = [figure.select_one("figcaption > .gsr-number").get_text() for figure in figures]
    assert numbers == [f"Figure {before}{place + 1}" for place in range(len(figures))]
    assert not soup.select("a.gsr-ref")


def test_nothing_is_loaded_from_elsewhere(soups):
    loads = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
    outside = [
        f"{path.relative_to(HTML)}: {element}"
        for path, soup in soups.items()
        for tag, attribute in loads.items()
        for element in soup.find_all(tag, **{attribute: True})
        if urlsplit(element[attribute]).netloc and "canonical" not in element.get("rel", [])
    ]
    styles = [path for path in HTML.rglob("*.css") if "url(http" in path.read_text() or "url(//" in path.read_text()]
    assert outside == styles == []


def test_every_link_and_image_within_the_book_leads_somewhere(soups, prefix):
    ids = {path: {e["id"] for e in soup.find_all(id=True)} for path, soup in soups.items()}
    astray = []
    for path, soup in soups.items():
        targets = [e["href"] for e in soup.find_all(["a", "link"], href=True)]
        targets += [e["src"] for e in soup.find_all(["img", "script"], src=True)]
        for target in map(urlsplit, targets):
            if target.scheme or target.netloc:
                continue
            file = path
            if target.path.startswith(prefix):  # in the page for wrong addresses
                file = HTML / unquote(target.path.removeprefix(prefix))
            elif target.path:
                file = (path.parent / unquote(target.path)).resolve()
            wants = unquote(target.fragment)
            if not file.is_file() or (wants and file in ids and wants not in ids[file]):
                astray.append(f"{path.relative_to(HTML)}: {target.geturl()}")
    assert astray == []


def test_lists_of_definitions_have_terms_and_what_opens_has_a_name(soups):
    wrong = [
        f"{path.relative_to(HTML)}: {element}"[:200]
        for path, soup in soups.items()
        for element in [*soup.select("dl:not(:has(> dt, > div > dt))"), *soup.select("summary:not([aria-label])")]
        if element.name == "dl" or not element.get_text().strip()
    ]
    assert wrong == []


def test_names_in_the_text_lead_to_the_reference(soups):
    leading = {
        path.relative_to(HTML).as_posix(): [a["href"] for a in soup.select("article a[href*='#gsrgnn']:has(> code)")]
        for path, soup in soups.items()
    }
    assert "../book/api/training.html#gsrgnn.training.train" in leading["chapters/11_training.html"]
    assert "training.html#gsrgnn.training.predict" in leading["book/api/metrics.html"]
    assert sum(bool(links) for page, links in leading.items() if page.startswith("chapters/")) > 5
