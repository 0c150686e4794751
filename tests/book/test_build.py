"""gsrgnn.book.build on a book of one notebook and one page; the book itself is looked at in test_built_book.py."""

import shutil
from pathlib import Path

import pytest

from gsrgnn.book.build import build, chapter_names, pages
from gsrgnn.lab import notebooks

TOC = """\
format: jb-book
root: book/index
parts:
  - caption: One
    chapters:
      - file: chapters/page
        sections:
          - file: book/deep
  - caption: Two
    chapters:
      - file: book/last
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "code_hash", lambda: "the package's")
    for folder in ("book/_static", "notebooks"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("CITATION.cff", "LICENSE", "book/_static/die.png"):
        shutil.copy(Path(__file__).parents[2] / name, tmp_path / name)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters: [{file: chapters/page}]\n")
    (tmp_path / "_config.yml").write_text(
        "title: Tiny\nonly_build_toc_files: true\nexecute: {execute_notebooks: 'off'}\n"
        "sphinx: {config: {html_theme_options: {use_fullscreen_button: false}}}\n"
    )
    (tmp_path / "book" / "index.md").write_text("# Tiny\n")
    (tmp_path / "notebooks" / "page.py").write_text('# %% [markdown]\n# # Page\n\n# %% tags=["parameters"]\nk = 1\n')
    return tmp_path


def test_pages_are_read_in_order(tmp_path):
    (tmp_path / "_toc.yml").write_text(TOC)
    assert pages(tmp_path) == ["book/index", "chapters/page", "book/deep", "book/last"]
    assert list(chapter_names(tmp_path)) == ["page"]


def test_a_book_is_built_once_and_a_broken_page_leaves_the_last_good_one(project):
    said = []
    index = build(project, say=said.append)
    assert index.exists()
    assert said[0] == "[1/1] page: running (not run before)"
    assert said[2:] == ["pages: building"]
    html = index.parent
    assert "How this page was made" in (html / "chapters" / "page.html").read_text()

    said.clear()
    build(project, say=said.append)
    assert said == ["[1/1] page: unchanged, skipped", "pages: unchanged, not rebuilt"]

    page = project / "book" / "index.md"
    page.write_text("# Tiny\n\n[](nowhere.md)\n")
    for _ in range(2):  # a warning does not go away by itself
        with pytest.raises(RuntimeError, match="(?s)the last good book stays in place.*nowhere"):
            build(project, say=said.append)
    assert "nowhere" not in (html / "book" / "index.html").read_text()

    page.write_text("# Mended\n")
    build(project, say=said.append)
    assert "Mended" in (html / "book" / "index.html").read_text()
    assert sorted(path.name for path in html.parent.iterdir()) == [".lock", "config", "html"]


def test_a_wrong_parameter_is_found_before_anything_runs(project):
    with pytest.raises(ValueError, match="page.py has no parameter kk: it has k"):
        build(project, lambda notebook: {"kk": 1}, say=pytest.fail)


def test_a_chapter_without_its_notebook_is_an_error(project):
    (project / "notebooks" / "page.py").rename(project / "notebooks" / "other.py")
    with pytest.raises(FileNotFoundError, match="notebooks has other"):
        build(project, say=pytest.fail)


def test_a_folder_without_a_book_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no _toc.yml in "):
        build(tmp_path, say=pytest.fail)
