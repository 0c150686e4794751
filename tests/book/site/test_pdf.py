import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gsrgnn.book.site.address import Address
from gsrgnn.book.site.chromium import Heading
from gsrgnn.book.site.citation import Citation
from gsrgnn.book.site.front_matter import front_matter
from gsrgnn.book.site.join import Printed
from gsrgnn.book.site.pdf import make

ROOT = Path(__file__).parents[3]


@pytest.fixture
def root(tmp_path):
    """A book of one page, of which nothing is built."""
    for name in ("_config.yml", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    return tmp_path


def test_without_a_book_there_is_nothing_to_print(root):
    with pytest.raises(FileNotFoundError, match=r"no index.html in .*: make book"):
        make(root, root / "book.pdf")


def test_without_chromium_nothing_is_printed(root, monkeypatch):
    pytest.importorskip("playwright")
    (root / "_build" / "html").mkdir(parents=True)
    (root / "_build" / "html" / "index.html").touch()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="no chromium, .*: apt install chromium"):
        make(root, root / "book.pdf")
    assert not list(root.glob("*.pdf"))


@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium")
def test_a_page_without_its_picture_is_named(root):
    pytest.importorskip("playwright")
    html = root / "_build" / "html"
    html.mkdir(parents=True)
    (html / "index.html").write_text('<article><section id="a"><h1>A</h1><img src="none.png"></section></article>')
    with (
        ThreadPoolExecutor() as threads,  # playwright is had once a thread, and the tests' own tab may be in this one
        pytest.raises(RuntimeError, match=r"/index.html cannot be printed: no picture at .*/none.png"),
    ):
        threads.submit(make, root, root / "book.pdf").result()


def test_the_contents_have_every_page_with_its_number():
    page = Printed("file:///a.html", 38, b"", [Heading(1, "5. Back & forth", "back"), Heading(2, "Down", "down")])
    citation = Citation(ROOT / "CITATION.cff")
    html = front_matter("A book", citation, Address("", ""), ROOT / "book/_static/die.png", [("A <part>", [page])])
    assert '<h2>A &lt;part&gt;</h2><a href="file:///a.html" data-page="38"><span>5. Back &amp; forth</span>' in html
    assert f"Version {citation.version}, {citation.date}" in html
    assert "Yuebo Luo" in html
    assert "Down" not in html
