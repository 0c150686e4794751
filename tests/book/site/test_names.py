"""A page of names beside a page of the reference, as Sphinx builds them."""

import shutil
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from sphinx.testing.util import SphinxTestApp

ROOT = Path(__file__).parents[3]
REFERENCE = """# Reference

```{eval-rst}
.. autoclass:: gsrgnn.CBSR
   :members:
.. autofunction:: gsrgnn.aggregate
.. autofunction:: gsrgnn.kernels.reference.aggregate
.. autofunction:: gsrgnn.kernels.reference.product
.. autofunction:: gsrgnn.circuits.packaged.path
.. autofunction:: gsrgnn.metrics.correlations
.. autofunction:: gsrgnn.evaluation.measures
.. autoclass:: gsrgnn.circuits.table1.Row
   :members:
```

```{commands} gsrgnn.cli:app
```
"""
LINKED = {
    "CBSR": "gsrgnn.CBSR",
    "aggregate": "gsrgnn.aggregate",
    "reference.aggregate": "gsrgnn.kernels.reference.aggregate",
    "product(values, indices, matrix)": "gsrgnn.kernels.reference.product",
    "CBSR.to_dense()": "gsrgnn.CBSR.to_dense",
    "gsrgnn data list": "gsrgnn-data-list",
    "gsrgnn bench --device cuda": "gsrgnn-bench",
}
PLAIN = ["path", "to_dense", "torch.product", "gsrgnn.kernels", "gsrgnn nothing", "CBSR ("]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    shutil.copy(ROOT / "CITATION.cff", folder)
    mentions = [f"`{name}`" for name in [*LINKED, *PLAIN]]
    (folder / "index.md").write_text(
        f"# `CBSR` in a title\n\n{', '.join(mentions)}\n\n[`CBSR`](inner/reference.md) and again `CBSR`\n"
    )
    (folder / "inner").mkdir()
    (folder / "inner" / "reference.md").write_text("---\norphan: true\n---\n" + REFERENCE)
    (folder / "conf.py").write_text(
        'extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "gsrgnn.book.site"]\n'
        'default_role = "py:obj"\n'
    )
    app = SphinxTestApp("html", srcdir=folder)
    app.build()
    app.cleanup()
    pages = [folder / "_build" / "html" / f"{name}.html" for name in ("index", "inner/reference")]
    return [BeautifulSoup(page.read_text(), "html.parser") for page in pages], app.warning.getvalue()


def test_names_and_commands_lead_to_their_entries_and_other_words_nowhere(built):
    (page, reference), warnings = built
    assert warnings == ""
    links = {a.get_text(): a["href"] for a in page.find_all("p")[0].find_all("a")}
    assert links == {name: f"inner/reference.html#{element}" for name, element in LINKED.items()}
    assert all(reference.find(id=element) for element in LINKED.values())


def test_a_name_is_linked_where_it_comes_first_and_stands_in_no_link_or_title(built):
    (page, _), _ = built
    last = page.find_all("p")[1]
    assert [a["href"] for a in last.find_all("a")] == ["inner/reference.html"]
    assert page.h1.find("a", class_="reference") is None


def test_docstrings_read_as_they_are_meant(built):
    (_, reference), _ = built
    share = reference.find(id="gsrgnn.circuits.table1.Row.held_share").find_next("dd").get_text()
    assert share.strip().startswith("The share of the cells held out for validation")
    measures = reference.find(id="gsrgnn.evaluation.measures").find_next("dd")
    assert "evaluate" in [code.get_text() for code in measures.find_all("code")]


def test_each_command_is_described_with_its_options(built):
    (_, reference), _ = built
    train = reference.find(id="gsrgnn-train")
    while train.name not in ("section", "[document]"):
        train = train.parent
    assert "--learning-rate" in train.get_text()
    assert "none of --on" in " ".join(train.get_text().split())
