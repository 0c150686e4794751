"""How make finds a Python, makes .venv of it and runs the tests, with a Python that writes down what it is asked."""

import shutil
import subprocess
from pathlib import Path

import pytest

PYTHON = """#!/bin/sh
case "$*" in
    "-m venv"*) rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python;;
    "-c import ensurepip"*) [ ! -e too-old ]; exit;;
    "-c "*) echo 3.10.1; exit;;
esac
echo "$*" >> asked
case "$*" in *requirements.lock) [ ! -e cut-short ];; esac
"""


@pytest.fixture
def make(tmp_path):
    """Makes .venv in a folder of its own; what came of it, and what Python was asked for."""
    if not shutil.which("make"):
        pytest.skip("there is no make")
    shutil.copy(Path(__file__).parents[1] / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)

    def make(*options):
        (tmp_path / "asked").write_text("")
        command = ["make", ".venv/.complete", f"PYTHON={tmp_path / 'python'}", *options]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        pip = "-m pip install --quiet --disable-pip-version-check "
        return run, [line.removeprefix(pip) for line in (tmp_path / "asked").read_text().splitlines()]

    return make


LOCK = ["-r requirements.lock", "--no-build-isolation --no-deps -e ."]


def test_an_environment_is_made_once(make, tmp_path):
    run, asked = make()
    assert (run.returncode, asked) == (0, ["-m venv --clear .venv", *LOCK])
    run, asked = make()
    assert (run.returncode, asked) == (0, [])
    (tmp_path / ".venv/.complete").unlink()
    (tmp_path / ".venv/.incomplete").touch()
    assert make()[1] == ["-m venv --clear .venv", *LOCK]


def test_what_was_cut_short_is_made_from_nothing(make, tmp_path):
    (tmp_path / "cut-short").touch()
    assert make()[0].returncode != 0
    (tmp_path / "cut-short").unlink()
    run, asked = make()
    assert (run.returncode, asked) == (0, ["-m venv --clear .venv", *LOCK])


def test_an_environment_of_the_users_own_is_kept(make, tmp_path):
    (tmp_path / ".venv/bin").mkdir(parents=True)
    shutil.copy(tmp_path / "python", tmp_path / ".venv/bin/python")
    run, asked = make()
    assert (run.returncode, asked) == (0, ["-m ensurepip", *LOCK])


def test_torch_is_installed_first_where_the_user_says_how(make):
    assert make("TORCH=torch==2.13.0 -i there")[1][1:] == ["torch==2.13.0 -i there", *LOCK]


def test_the_long_tests_come_after_the_others_and_none_runs_twice(make):
    workers = "-n logical --maxprocesses 4 --dist loadfile"
    quick, long = f"-m pytest {workers} -m not slow", f"-m pytest {workers} -m slow"
    assert make("test")[1][-1] == quick
    assert make("test-all")[1] == [quick, long]
    assert make("test", "test-all")[1] == [quick, long]


def test_an_unsupported_python_is_refused_in_words(make, tmp_path):
    (tmp_path / "too-old").touch()
    run, asked = make()
    assert run.returncode != 0
    assert asked == []
    assert "Python 3.11 to 3.14 with venv (Debian: apt install python3-venv) is needed" in run.stdout
    assert f"{tmp_path}/python is 3.10.1: make PYTHON=" in run.stdout
    assert not (tmp_path / ".venv").exists()
