"""How long a chapter takes to read, below its title."""

import math

from docutils import nodes
from sphinx.application import Sphinx

from gsrgnn.book.site.above import above

WORDS: int = 200
"""Read in a minute, of prose and of code."""

LOOKED_AT: float = 0.25
"""Minutes for a formula of its own, a picture or a table."""


def add(app: Sphinx, doctree: nodes.document) -> None:
    """Put the minutes below the title of a chapter, but for the front page."""
    page, title = app.env.docname, next(doctree.findall(nodes.title), None)
    if page.startswith("chapters/") and page != app.config.root_doc and title is not None:
        line = nodes.paragraph("", f"{minutes(doctree)} min to read", classes=["reading-time"])
        title.parent.insert(title.parent.index(title) + 1, line)


def minutes(doctree: nodes.document) -> int:
    """Whole minutes for what is written, and for what is to be looked at; at least 1."""
    words = looked_at = 0
    for node in doctree.findall():
        if isinstance(node, nodes.Text) and not any("cell_output" in _classes(one) for one in above(node)):
            words += len(node.split())
        looked_at += isinstance(node, (nodes.math_block, nodes.image, nodes.table)) or "cell_output" in _classes(node)
    return max(1, math.ceil(words / WORDS + looked_at * LOOKED_AT))


def _classes(node: nodes.Node) -> list[str]:
    return node.get("classes", []) if isinstance(node, nodes.Element) else []
