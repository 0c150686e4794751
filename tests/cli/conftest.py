import pytest
from typer.testing import CliRunner

from gsrgnn.cli import app


@pytest.fixture
def gsrgnn(tmp_path, monkeypatch):
    """The command, called in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.fixture
def checkout(tmp_path):
    """That folder as a checkout, with a book of one page and no notebook."""
    (tmp_path / "_toc.yml").write_text("root: index\nchapters: [{file: chapters/page}]")
    (tmp_path / "notebooks").mkdir()
    return tmp_path
