from pathlib import Path

import pytest

from gsrgnn.cli import extras
from gsrgnn.lab import experiments, notebooks
from gsrgnn.lab import sweep as lab_sweep


def test_run_passes_on_what_was_asked_for(gsrgnn, checkout, monkeypatch):
    calls = []
    monkeypatch.setattr(notebooks, "run", lambda *args, **options: calls.append((*args, options)))
    assert gsrgnn("run", "page", "-p", "k=8", "-p", "name=x", "--timeout", "5", "--force").exit_code == 0
    assert gsrgnn("run", "elsewhere/page.py", "-o", "made.ipynb").exit_code == 0
    here = Path.cwd()
    (first, second) = calls
    assert first[:3] == (here / "notebooks" / "page.py", here / "runs" / "page.ipynb", {"k": 8, "name": "x"})
    assert first[3] | {"say": None} == {"root": here, "timeout": 5, "force": True, "say": None}
    assert second[:3] == (Path("elsewhere/page.py"), here / "made.ipynb", {})


def test_a_book_of_an_unknown_profile_is_an_error(gsrgnn, checkout):
    (checkout / "notebooks" / "page.py").write_text("1")
    unknown = gsrgnn("book", "--profile", "huge")
    assert unknown.stderr.startswith("error: no profile is called 'huge': use one of smoke")


@pytest.mark.parametrize("there", [[], ["_toc.yml"], ["notebooks"]])
@pytest.mark.parametrize("command", ["run depth", "book", "sweep smoke", "programme", "scoreboard"])
def test_what_needs_a_checkout_says_so_in_one_line(gsrgnn, tmp_path, there, command):
    for name in there:
        (tmp_path / name).mkdir()
    result = gsrgnn(*command.split())
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"error: gsrgnn {command.removesuffix(' smoke')} needs a checkout of the repository, which {tmp_path} is not: "
        "git clone it, pip install '.[book]' and call this in its folder\n"
    )


@pytest.mark.parametrize("command", ["run depth", "run own.py", "book", "sweep smoke", "programme", "scoreboard"])
def test_what_needs_the_extra_book_says_so_in_one_line(gsrgnn, checkout, monkeypatch, command):
    monkeypatch.setattr(extras, "installed", lambda extra: extra != "book")
    result = gsrgnn(*command.split())
    assert (result.exit_code, result.stdout) == (1, "")
    name = command.removesuffix(" smoke")
    assert result.stderr == f"error: gsrgnn {name} needs the extra book: pip install 'gsrgnn[book]'\n"


def test_a_notebook_of_one_s_own_needs_no_checkout(gsrgnn, tmp_path):
    (tmp_path / "own.py").write_text("# %%\nprint(6 * 7)\n")
    assert gsrgnn("run", "own.py").stdout.endswith("written: runs/own.ipynb\n")
    assert "42" in (tmp_path / "runs" / "own.ipynb").read_text()


def test_the_help_says_what_there_is_and_what_holds_if_nothing_is_given(gsrgnn):
    book, sweep, run = (gsrgnn(command, "--help").stdout for command in ("book", "sweep", "run"))
    assert all(profile in book for profile in experiments.PROFILES)
    assert all(name in sweep for name in (*experiments.SWEEPS, *experiments.EXPERIMENTS, lab_sweep.SMOKE))
    assert f"default: {notebooks.TIMEOUT}" in book
    assert f"default: {notebooks.TIMEOUT}" in run
    assert f"default: {lab_sweep.TIMEOUT}" in sweep


def test_what_cannot_be_written_is_said_in_one_line(gsrgnn, tmp_path):
    (tmp_path / "a.py").write_text("# %%\n1\n")
    (tmp_path / "runs").touch()  # in the place of the folder, so that root cannot write there either
    result = gsrgnn("run", "a.py")
    assert result.exit_code == 1
    assert result.stderr == f"error: File exists: {tmp_path / 'runs'}\n"
