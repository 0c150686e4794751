from types import SimpleNamespace

import pytest
from docutils import nodes
from docutils.utils import new_document

from gsrgnn.book.site import reading


def page(words, *more):
    document = new_document("a page")
    section = nodes.section("", nodes.title("", "Title"), nodes.paragraph("", "word " * words), *more)
    document += section
    return document


@pytest.mark.parametrize(("words", "minutes"), [(3, 1), (199, 1), (400, 3), (399, 2)])
def test_words_take_time(words, minutes):
    assert reading.minutes(page(words)) == minutes


def test_outputs_are_looked_at_and_not_read():
    output = nodes.container("", nodes.literal_block("", "word " * 1000), classes=["cell_output"])
    assert reading.minutes(page(199 + 150, output)) == 2
    assert reading.minutes(page(199 + 150, output.deepcopy(), output.deepcopy())) == 3
    assert reading.minutes(page(199 - 50 + 1, nodes.math_block("", "x^2"))) == 2


@pytest.mark.parametrize(("name", "lines"), [("chapters/01_one", 1), ("chapters/index", 0), ("book/glossary", 0)])
def test_chapters_say_it_below_their_title(name, lines):
    document = page(10)
    app = SimpleNamespace(env=SimpleNamespace(docname=name), config=SimpleNamespace(root_doc="chapters/index"))
    reading.add(app, document)
    found = [line for line in document.findall(nodes.paragraph) if "reading-time" in line["classes"]]
    assert [line.astext() for line in found] == ["1 min to read"] * lines
    if lines:
        assert isinstance(document[0][0], nodes.title)
        assert document[0][1] is found[0]
