"""Search that finds numbers: 87.2 and 38,656 are words of the index, as 7157 is.

Sphinx splits at the point, drops what is left of a number when someone searches, and reads a row of a table whose
cells are written without a space between them as one word.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

INTEGERS_DROPPED: str = "queryTerm.match(/^\\d+$/)"


class Numbers(SearchEnglish):
    """English, with decimals and grouped digits as one word, in the index and in what is searched for."""

    _word_re = re.compile(r"\d+(?:[.,]\d+)+|\w+")
    js_splitter_code = r"""
var splitQuery = (query) =>
  query.match(/\p{Number}+(?:[.,]\p{Number}+)+|[\p{Letter}\p{Number}_\p{Emoji_Presentation}]+/gu) ?? [];
"""


def separate_cells(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put a space between the cells of tables that are written as HTML."""
    for raw in list(doctree.findall(nodes.raw)):
        if "html" in raw.get("format", "").split() and "<t" in raw.astext():
            spaced = re.sub(r"(</(?:t[dhr]|caption|thead|tbody)>)(?=<)", r"\1 ", raw.astext())
            raw.replace_self(nodes.raw("", spaced, format=raw["format"]))


def keep_integers(app: Sphinx, error: Exception | None) -> None:
    """Let a whole number be searched for, which Sphinx's script leaves out of every query."""
    tools = Path(app.outdir, "_static", "searchtools.js")
    if error is None and tools.exists():
        script = tools.read_text()
        if INTEGERS_DROPPED not in script:
            raise RuntimeError(f"{tools.name} has no {INTEGERS_DROPPED}: see how this Sphinx leaves numbers out")
        tools.write_text(script.replace(INTEGERS_DROPPED, "false"))
