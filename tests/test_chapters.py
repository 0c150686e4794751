"""The executed notebooks, as the book shows them.

`make book` executes them; executing them here once more would double that time and check nothing new. So
these tests read what it made, and skip where it was made from other code than the one under test.
"""

import itertools
import re
from pathlib import Path

import pytest

from gsrgnn.book.build import chapter_names
from gsrgnn.lab.notebooks import WHY, fingerprint, read_executed, read_source, tags

ROOT = Path(__file__).parents[1]
NAMES = list(chapter_names(ROOT))


def test_every_notebook_is_a_chapter():
    assert sorted(NAMES) == sorted(path.stem for path in (ROOT / "notebooks").glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_has_parameters_and_a_title(name):
    cells = read_source(ROOT / "notebooks" / f"{name}.py").cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    assert sum("parameters" in tags(cell) for cell in cells) == 1


@pytest.mark.parametrize("name", [name for name in NAMES if name[:2] in {str(number) for number in range(14, 24)}])
def test_the_pages_of_the_experiments_have_one_form(name):
    cells = read_source(ROOT / "notebooks" / f"{name}.py").cells
    lines = [line for cell in cells if cell.cell_type == "markdown" for line in cell.source.splitlines()]
    form = ["## What came out", "## What differs, and why", "## How it is measured", "## Run it again"]
    headings = [line for line in lines if line.startswith("## ")]
    assert [line for line in headings if line in form] == form
    assert (headings[0], headings[-1]) == (form[0], form[-1])


def quotes(name):
    """What a notebook quotes, as (the rest of the line with its place, whether code follows)."""
    cells = read_source(ROOT / "notebooks" / f"{name}.py").cells
    for cell, following in itertools.pairwise(cells):
        if cell.cell_type == "markdown" and "\n> " in cell.source:
            quote = cell.source[cell.source.index("\n> ") + 3 :].replace("\n> ", " ")
            yield quote, following.cell_type == "code"


@pytest.mark.parametrize("name", [name for name in NAMES if any(quotes(name))])
def test_a_quote_of_the_paper_names_its_place_is_short_and_stands_above_code(name):
    for quote, above_code in quotes(name):
        assert re.fullmatch(r'The paper, (section|equation|algorithm) [\d.]+: "[^"\n]+"', quote), quote
        assert len(quote.split()) <= 40, quote
        assert above_code, quote


def test_the_walkthrough_quotes_the_paper():
    walkthrough = [name for name in NAMES if "01" <= name[:2] <= "05"]
    assert len(walkthrough) == 5
    assert [name for name in walkthrough if not any(quotes(name))] == []


@pytest.fixture(params=NAMES)
def chapter(request):
    executed = read_executed(ROOT / "chapters" / f"{request.param}.ipynb")
    if executed is None:
        pytest.skip("not executed: make book")
    return request.param, executed


def test_a_chapter_was_made_from_this_code(chapter):
    name, executed = chapter
    now = fingerprint(read_source(ROOT / "notebooks" / f"{name}.py"), {}, ROOT)
    made_from = executed.metadata.gsrgnn.key
    changed = [WHY[part] for part in now if part != "parameters" and now[part] != made_from[part]]
    if changed:
        pytest.skip(f"{', '.join(changed)} since it was executed: make book")


def test_a_chapter_ran_to_its_end_in_silence(chapter):
    _, executed = chapter
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    assert all(cell.execution_count for cell in code if cell.source.strip())
    assert [output for output in outputs if output.output_type == "error"] == []
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
