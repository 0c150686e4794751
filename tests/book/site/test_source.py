import inspect
from pathlib import Path

import pytest

from gsrgnn import CBSR, group_sparse
from gsrgnn.book.site.source import resolve

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("name", "thing"), [("group_sparse", group_sparse), ("CBSR", CBSR), ("CBSR.k", CBSR.k.fget)])
def test_an_entry_leads_to_its_lines(monkeypatch, name, thing):
    monkeypatch.setenv("GSRGNN_REPOSITORY", "https://example.org/someone/gsrgnn/")
    place, _, lines = resolve("py", {"module": "gsrgnn", "fullname": name}).partition("#L")
    assert place == "https://example.org/someone/gsrgnn/blob/main/gsrgnn/cbsr.py"
    first, last = map(int, lines.split("-L"))
    written = (ROOT / "gsrgnn" / "cbsr.py").read_text().splitlines(keepends=True)
    assert "".join(written[first - 1 : last]) == inspect.getsource(thing)


def test_there_is_no_link_where_the_repository_is_not_known_or_nothing_is_written(monkeypatch):
    monkeypatch.delenv("GSRGNN_REPOSITORY", raising=False)
    assert resolve("py", {"module": "gsrgnn", "fullname": "CBSR"}) is None
    monkeypatch.setenv("GSRGNN_REPOSITORY", "https://example.org/someone/gsrgnn")
    assert resolve("py", {"module": "gsrgnn.baselines", "fullname": "AGGREGATIONS"}) is None
