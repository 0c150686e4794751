"""At the top of each chapter where its numbers come from: computed when the book was built, or records of a machine."""

import json
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from gsrgnn.book.origin import MIME
from gsrgnn.lab.records import machine_in_words

COMPUTED, RECORDS, BOTH = "gsr-computed", "gsr-from-records", "gsr-of-both"


def add(app: Sphinx, doctree: nodes.document) -> None:
    """Put the mark below the title of a page that is a notebook which this package has run; at its end on the front."""
    path = Path(app.env.doc2path(app.env.docname))
    title = next(doctree.findall(nodes.title), None)
    if path.suffix != ".ipynb" or title is None:
        return
    notebook = json.loads(path.read_text(encoding="utf-8"))
    if "gsrgnn" in notebook["metadata"]:
        section = title.parent
        at = len(section) if app.env.docname == app.config.root_doc else section.index(title) + 1
        section.insert(at, mark(notebook))


def mark(notebook: dict) -> nodes.container:
    """The mark of an executed notebook."""
    made = dict(notebook["metadata"]["gsrgnn"]["made"])
    run = f"{made['date'][:10]}, in {made['duration']}, on {machine_in_words(made)}"
    said = list(_handed_over(notebook))
    records = list(dict.fromkeys(sentence for each in said for sentence in each["records"]))
    computed = "; ".join(each["computed"] for each in said if each["computed"])
    if not said:
        return _box(COMPUTED, "Computed when this book was built", f": {run}.", [])
    if computed:
        return _box(BOTH, "In part computed, in part from records", f". Computed {run}: {computed}.", records)
    return _box(RECORDS, "From records", ". Nothing was measured when this page was made.", records)


def _handed_over(notebook: dict) -> Iterator[dict]:
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if MIME in output.get("data", {}):
                yield output["data"][MIME]


def _box(kind: str, what: str, more: str, records: list[str]) -> nodes.container:
    line = nodes.paragraph("", "", nodes.strong("", what), nodes.Text(more))
    items = [nodes.list_item("", nodes.paragraph("", sentence)) for sentence in records]
    return nodes.container("", line, *([nodes.bullet_list("", *items)] if items else []), classes=["gsr-mark", kind])
