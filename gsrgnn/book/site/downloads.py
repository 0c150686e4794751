"""Notebooks as they are downloaded: each opens with a cell that installs what it uses and lays out its records.

Results stay on the page: whoever runs the notebook makes results of their own.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import nbformat

from gsrgnn.book.site.address import Address

FOLDER: str = "_sources/chapters"
"""Where the pages' download button finds them."""

CELL: str = "install"
MADE: str = "provenance"
"""The cell in which `lab.notebooks` says how an executed notebook was made."""

PAGE = re.compile(r"\[([^\]]*)\]\((?:\.\./)?((?:book|chapters)/)?(\w+)\.(?:ipynb|md)(#[\w-]*)?\)")
"""A link to another page, as a chapter has it."""


def open_with_install(html: Path, wheel: str, address: Address) -> None:
    """Put the first cell into each notebook that the site at `html` offers, in place.

    `wheel` is the name of the file at the site's root. Links to other pages lead to the site where its address is
    known; where it is not, their words stay.
    """
    titles = {path.with_suffix("").relative_to(html / "_sources").as_posix(): _title(path) for path in _pages(html)}
    for path in sorted((html / FOLDER).glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        cells = [cell for cell in notebook.cells if cell.id not in (CELL, MADE)]
        for cell in cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
            elif cell.cell_type == "markdown":
                cell.source = PAGE.sub(lambda link: _link(link, address, titles), cell.source)
        notebook.cells = [nbformat.v4.new_code_cell(install(wheel, address), id=CELL), *cells]
        notebook.metadata.pop("gsrgnn", None)
        nbformat.write(notebook, path)


def install(wheel: str, address: Address) -> str:
    """The first cell: where the package comes from, by the addresses that are known."""
    if address.site:
        where, wanted = "from the site of the book", f'"gsrgnn[book] @ {address.site}{wheel}"'
    elif address.repository:
        where, wanted = "from its repository", f'"gsrgnn[book] @ git+{address.repository}"'
    else:
        where, wanted = (
            f"from {wheel}: put that file, which the foot of each page of the book offers, beside this notebook",
            f'"./{wheel}[book]"',
        )
    return (
        f"# Once, in Python 3.11 or newer: gsrgnn, {where}.\n"
        "# It brings torch: on Linux 3 GB, unless a torch is there already.\n"
        f"%pip install --quiet {wanted}\n"
        "from gsrgnn.book import carried\n\n"
        "print(carried.lay_out())"
    )


def _pages(html: Path) -> list[Path]:
    return [path for path in (html / "_sources").rglob("*") if path.suffix in (".ipynb", ".md")]


def _title(page: Path) -> str:
    text = page.read_text()
    if page.suffix == ".ipynb":
        text = "\n".join(cell.source for cell in nbformat.reads(text, as_version=4).cells)
    heading = re.search(r"^# (.+)$", text, re.MULTILINE)
    return heading[1] if heading else page.stem


def _link(found: re.Match, address: Address, titles: Mapping[str, str]) -> str:
    words, folder, name, anchor = found.groups()
    page = f"{folder or 'chapters/'}{name}"
    words = words or titles.get(page, name)
    return f"[{words}]({address.site}{page}.html{anchor or ''})" if address.site else words
