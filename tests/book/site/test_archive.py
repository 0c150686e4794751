import os
import tarfile

import pytest

from gsrgnn.book.site.archive import pack


def test_the_same_pages_are_the_same_bytes(tmp_path):
    packed = []
    for turn in ("first", "second"):
        html = tmp_path / turn / "html"
        for name in (
            ("index.html", "chapters/b.html", "chapters/a.html", ".made-from")
            if turn == "first"
            else (".made-from", "chapters/a.html", "chapters/b.html", "index.html")
        ):
            path = html / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
            os.utime(path, (len(packed), len(packed)))
        packed.append(pack(html, html.parent / "book-1.tar.gz"))
    assert packed[0].read_bytes() == packed[1].read_bytes()
    with tarfile.open(packed[0]) as tar:
        assert tar.getnames() == ["book-1/chapters/a.html", "book-1/chapters/b.html", "book-1/index.html"]
        assert tar.extractfile("book-1/chapters/b.html").read() == b"chapters/b.html"
    assert sorted(path.name for path in packed[0].parent.iterdir()) == ["book-1.tar.gz", "html"]


def test_without_a_book_there_is_nothing_to_pack(tmp_path):
    with pytest.raises(FileNotFoundError, match="make book"):
        pack(tmp_path, tmp_path / "book.tar.gz")
