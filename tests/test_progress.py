"""Where a bar is shown, and what is told to whom."""

import io
import sys
from types import SimpleNamespace

import pytest
from jupyter_client.manager import start_new_kernel

from gsrgnn.progress import told, watched

ROWS = [{"epoch": epoch, "loss": 0.5, "pearson": 0.25} for epoch in (3, 4)]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def tell(progress):
    with told(progress, 4, 2) as call:
        for row in ROWS:
            call(row)


def test_a_function_is_called_and_there_is_no_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    rows = []
    tell(rows.append)
    assert rows == ROWS
    assert sys.stderr.getvalue() == ""


@pytest.mark.parametrize(
    ("progress", "stream", "shown"),
    [(None, Terminal, True), (None, io.StringIO, False), (False, Terminal, False), (True, io.StringIO, True)],
)
def test_a_bar_is_shown_in_a_terminal_or_where_it_is_asked_for(monkeypatch, progress, stream, shown):
    monkeypatch.setattr(sys, "stderr", stream())
    tell(progress)
    last = sys.stderr.getvalue().rpartition("\r")[2]
    if shown:
        assert "4/4" in last
        assert "loss=0.5, pearson=0.25" in last
    else:
        assert last == ""


def test_without_stderr_nobody_watches(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert not watched()


def test_a_notebook_is_watched_where_its_front_end_takes_input():
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        found = []
        for allow_stdin in (True, False):
            client.execute_interactive(
                "from gsrgnn.progress import watched; print(watched())",
                allow_stdin=allow_stdin,
                timeout=60,
                output_hook=lambda message: found.append(message["content"].get("text")),
            )
        assert [text.strip() for text in found if text] == ["True", "False"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
