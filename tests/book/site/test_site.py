"""A book of two pages, published: what its pages, its map and its search say with and without addresses."""

import re
import shutil
import struct
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

from gsrgnn.book.build import build
from gsrgnn.book.site.search import Numbers

ROOT = Path(__file__).parents[3]
SITE, REPOSITORY = "https://example.org/book/", "https://github.com/someone/gsrgnn"
LONG = "A first paragraph that says in " + "very " * 60 + "many words what the page is about."


CHAPTER = """# %% [markdown] slideshow={"slide_type": "slide"}
# # A chapter

# %% tags=["parameters"] slideshow={"slide_type": "skip"}
k = 1
"""


@pytest.fixture(scope="module", params=[(SITE, REPOSITORY, "colab"), ("", "", "")], ids=["published", "at home"])
def site(request, tmp_path_factory):
    """The folder of the built pages; whether it was built with addresses."""
    root = tmp_path_factory.mktemp("book")
    for name in ("CITATION.cff", "LICENSE", "_config.yml", "book/_static", "book/_templates", "book/references.bib"):
        (root / name).parent.mkdir(exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, root / name)
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters: [{file: book/deep}, {file: chapters/02_aggregation}]\n"
    )
    (root / "notebooks").mkdir()
    (root / "notebooks" / "02_aggregation.py").write_text(CHAPTER)
    (root / "book" / "index.md").write_text(f"# GSR-GNN, executed\n\n:::{{note}}\nA box.\n:::\n\n{LONG}\n\nMore.\n")
    table = "<table><tr><th class='blank'>&nbsp;</th><td>87.2</td><td>38,656</td></tr></table>"
    (root / "book" / "deep.md").write_text(
        f"# Deep & 'wide'\n\nIt has 7157 cells, $x$.\n\n```{{raw}} html\n{table}\n```\n\n```text\na\n\n  b\n```\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in zip(("GSRGNN_SITE_URL", "GSRGNN_REPOSITORY", "GSRGNN_LAUNCH"), request.param, strict=True):
            patch.setenv(name, value)
        return build(root, say=lambda words: None).parent, bool(request.param[0])


def soup(path):
    return BeautifulSoup(path.read_text(), "html.parser")


def said(page):
    """What the head says: name or property -> its contents."""
    found = {}
    for meta in page.head.find_all("meta", content=True):
        found.setdefault(meta.get("name") or meta.get("property"), []).append(meta["content"])
    return found


def test_a_page_says_what_it_is(site):
    html, published = site
    front, deep = (said(soup(html / "book" / f"{name}.html")) for name in ("index", "deep"))
    assert deep["og:title"] == deep["citation_title"] == ["Deep & ‘wide’"]
    assert deep["description"] == deep["og:description"] == ["It has 7157 cells, x."]
    (description,) = front["description"]
    assert LONG.startswith(description.removesuffix(" …"))
    assert 150 < len(description) <= 200
    assert front["citation_title"] == ["GSR-GNN, executed"]
    assert "citation_arxiv_id=2603.27156" in front["citation_reference"][0]
    assert (front["og:type"], deep["og:type"]) == (["website"], ["article"])
    for address in ("og:url", "og:image", "citation_public_url"):
        assert (address in deep) == published


def test_addresses_are_told_where_they_are_known_and_nowhere_else(site):
    html, published = site
    page = soup(html / "book" / "deep.html")
    canonical = [link["href"] for link in page.find_all("link", rel="canonical")]
    assert canonical == [f"{SITE}book/deep.html"] * published
    assert [a["href"] for a in page.select(".site-footer a[href*='someone']")] == [REPOSITORY] * published
    assert len(page.select(".article-header-buttons a[href*='someone']")) == 2 * published
    assert ("example.org" in page.decode()) == published
    assert (html / "sitemap.xml").exists() == published
    if published:
        places = re.findall("<loc>(.*?)</loc>", (html / "sitemap.xml").read_text())
        assert places == [f"{SITE}{page}.html" for page in ("book/index", "book/deep", "chapters/02_aggregation")]


def test_a_chapter_alone_has_a_button_that_runs_it_and_one_for_its_slides(site):
    html, published = site
    chapter, other = (soup(html / f"{page}.html") for page in ("chapters/02_aggregation", "book/deep"))
    notebook = f"{REPOSITORY.removeprefix('https://')}/blob/notebooks/chapters/02_aggregation.ipynb"
    launch = [a["href"] for a in chapter.select("a[href*='colab']")]
    assert launch == [f"https://colab.research.google.com/{notebook.replace('.com', '', 1)}"] * published
    assert not other.select("a[href*='colab']")
    (slides,) = chapter.select("a[href*='slides']")
    deck = soup((html / "chapters" / slides["href"]).resolve())
    assert [section.get_text().strip() for section in deck.select("section")] == ["A chapter"]
    assert "script-src 'self'" in deck.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    assert not other.select("a[href*='slides']")


def test_the_footer_has_licence_paper_and_how_to_cite(site):
    html, published = site
    footer = soup(html / "book" / "deep.html").select_one(".site-footer")
    assert (html / "book" / footer.find("a", rel="license")["href"]).resolve().read_text() == (
        ROOT / "LICENSE"
    ).read_text()
    assert footer.find("a", href="https://arxiv.org/abs/2603.27156")
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    bibtex = footer.find("pre").get_text()
    for words in (cff["title"], cff["version"], cff["references"][0]["title"], "Luo, Yuebo and Li, Shiyang"):
        assert words in bibtex
    assert (REPOSITORY in bibtex) == published


def test_the_root_s_page_says_what_the_front_page_says(site):
    html, _ = site
    root, front = (soup(html / name) for name in ("index.html", "book/index.html"))
    assert root.find("meta", {"http-equiv": "refresh"})["content"] == "0; url=book/index.html"
    assert said(root)["og:title"] == said(front)["og:title"]
    assert root.title.get_text() == front.title.get_text() == "GSR-GNN, executed"


def test_the_page_for_wrong_addresses_loads_from_the_root(site):
    html, published = site
    page = soup(html / "404.html")
    root = "/book/" if published else "/"
    assert page.html["data-content_root"] == root
    loads = [e["href"] for e in page.head.find_all("link", href=True)] + [
        e["src"] for e in page.find_all("script", src=True)
    ]
    assert [one for one in loads if not one.startswith((root, SITE))] == []
    assert page.find("article").find("a", href=f"{root}book/index.html")


def test_the_pictures_are_there(site):
    html, _ = site
    card = (html / "_static" / "card.png").read_bytes()
    assert struct.unpack(">II", card[16:24]) == (1200, 630)
    for icon in soup(html / "404.html").find_all("link", rel="icon"):
        assert (html / "_static" / Path(icon["href"]).name).stat().st_size > 100


def test_pages_bring_no_script_of_icons_and_no_renderer_but_one(site):
    html, _ = site
    assert not list(html.rglob("fontawesome.js*"))
    assert [path.name for path in html.glob("_static/mathjax/*.js")] == ["tex-chtml.js"]
    assert soup(html / "book" / "deep.html").select("svg.fa-magnifying-glass path")


def test_the_index_has_numbers_as_words(site):
    html, _ = site
    index = (html / "searchindex.js").read_text()
    for number in ("87.2", "38,656", "7157"):
        assert f'"{number}"' in index or f"{number}:" in index


def test_words_are_split_at_points_but_numbers_are_not():
    assert Numbers({}).split("87.2% of 38,656 cells, k=4.") == ["87.2", "of", "38,656", "cells", "k", "4"]


def test_a_header_without_words_is_none(site):
    html, _ = site
    assert not [th for th in soup(html / "book" / "deep.html").find_all("th") if not th.get_text(strip=True)]


def test_a_page_has_no_blanks_but_where_they_are_seen_or_run(site):
    page = (site[0] / "book" / "deep.html").read_text()
    outside = re.sub(r"<(pre|script|style|textarea)\b.*?</\1>", "<as-it-is>", page, flags=re.DOTALL)
    assert not re.search(r"\n\s|\s\n", outside)
    assert "a\n\n  b" in page
