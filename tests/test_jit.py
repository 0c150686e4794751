"""Compiled functions work, and are compiled once where they can be kept, whatever becomes of Numba's cache."""

import importlib.util
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numba
import pytest

import gsrgnn
from gsrgnn import jit

SOURCE = """
from gsrgnn.jit import jit

@jit()
def double(x):
    return x + x

@jit()
def square(x):
    return x * x
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Imports a module of two functions as a new process does: nothing compiled, no warning given yet."""
    (tmp_path / "loops.py").write_text(SOURCE)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)

    def load():
        monkeypatch.setattr(jit, "_warned", [])
        spec = importlib.util.spec_from_file_location("loops", tmp_path / "loops.py")
        spec.loader.exec_module(loops := importlib.util.module_from_spec(spec))
        return loops

    return load


def test_without_a_folder_to_write_one_warning_names_the_remedy(load, tmp_path, monkeypatch):
    (tmp_path / "__pycache__").write_text("a file, which root cannot write into either")
    monkeypatch.setattr(numba.config, "CACHE_DIR", os.devnull)
    with pytest.warns(RuntimeWarning, match="NUMBA_CACHE_DIR") as given:
        loops = load()
    assert len(given) == 1
    assert (loops.double(2), loops.square(3)) == (4, 9)
    assert jit.cache_folder(loops.double) is None


def test_a_folder_that_cannot_be_written_any_more_costs_one_warning(load, tmp_path):
    loops = load()
    assert jit.cache_folder(loops.double) == str(tmp_path / "__pycache__")
    shutil.rmtree(tmp_path / "__pycache__")
    (tmp_path / "__pycache__").touch()
    with pytest.warns(RuntimeWarning, match=r"NUMBA_CACHE_DIR.*__pycache__") as given:
        assert (loops.double(2), loops.square(3)) == (4, 9)
    assert len(given) == 1


@pytest.mark.parametrize("damaged", ["*.nbi", "*.nbc"])
def test_a_damaged_file_is_made_anew(load, tmp_path, damaged):
    load().double(2)
    (file,) = tmp_path.rglob(damaged)
    file.write_bytes(file.read_bytes()[:-100])
    with warnings.catch_warnings(action="error"):
        assert load().double(2) == 4
        (loops := load()).double(2)
    assert sum(loops.double.stats.cache_hits.values()) == 1


def test_machine_code_of_other_arguments_is_not_run(load, tmp_path):
    load().double(2)
    load().double(2.5)
    first, second = sorted(tmp_path.rglob("*.nbc"))
    shutil.copy(first, second)  # as two processes leave it that number their files at the same time
    assert load().double(2.5) == 5


def test_the_package_runs_where_nothing_can_be_written(tmp_path):
    shutil.copytree(Path(gsrgnn.__file__).parent, tmp_path / "gsrgnn", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in {path.parent for path in tmp_path.rglob("*.py")}:
        (folder / "__pycache__").touch()
    code = "import gsrgnn; from gsrgnn.kernels.cpu import threads; print(gsrgnn.__file__, threads.even_bounds(64)[1])"
    nowhere = {"HOME": os.devnull, "XDG_CACHE_HOME": os.devnull, "NUMBA_CACHE_DIR": os.devnull}
    env = os.environ | {"PYTHONPATH": ""} | nowhere
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert run.stdout == f"{tmp_path / 'gsrgnn' / '__init__.py'} 1\n", run.stderr
    assert run.stderr.count("RuntimeWarning: every process compiles") == 1
