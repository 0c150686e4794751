"""The walkthrough chapters as slides: marks in the sources, of which the site makes decks."""

import re
from pathlib import Path

import pytest

from gsrgnn.lab.notebooks import read_source, tags

ROOT = Path(__file__).parents[1]
NAMES = ("01_group_sparsity", "02_aggregation", "03_coupling", "04_forward", "05_backward", "06_audit")


@pytest.mark.parametrize("name", NAMES)
def test_headings_start_slides_and_solutions_come_later(name):
    for cell in read_source(ROOT / "notebooks" / f"{name}.py").cells:
        mark = cell.metadata.get("slideshow", {}).get("slide_type")
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#+ ", cell.source, flags=re.MULTILINE)
            assert len(headings) <= 1, f"two headings on one slide: {cell.source[:60]}"
            if headings:
                assert cell.source.startswith(headings[0])
                assert mark in ("slide", "subslide")
        elif "hide-cell" in tags(cell):
            assert mark == "fragment"
        elif "parameters" in tags(cell) or cell.source.startswith(("import", "from")):
            assert mark == "skip"


@pytest.mark.parametrize("name", NAMES)
def test_a_chapter_opens_with_goals_and_ends_with_exercises_solved(name):
    cells = read_source(ROOT / "notebooks" / f"{name}.py").cells
    assert "Afterwards you can" in cells[0].source
    text = "\n".join(cell.source for cell in cells)
    assert "## Recap" in text
    exercises = text[text.index("## Exercises") :]
    asked = re.findall(r"^\*\*\d\.\*\*", exercises, flags=re.MULTILINE)
    assert 2 <= len(asked) <= 3
    assert sum("hide-cell" in tags(cell) for cell in cells) == len(asked)
