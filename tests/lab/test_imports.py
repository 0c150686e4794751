"""The lab measures and keeps records without the libraries of notebooks and pages: gsrgnn[book]."""

import subprocess
import sys

BOOK = [
    "IPython",
    "ipykernel",
    "jupyter_book",
    "jupyter_client",
    "jupytext",
    "matplotlib",
    "nbclient",
    "nbconvert",
    "nbformat",
    "papermill",
    "seaborn",
    "sphinx",
]
CODE = f"""
import importlib, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BOOK}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
import gsrgnn.lab
for module in pkgutil.walk_packages(gsrgnn.lab.__path__, "gsrgnn.lab."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        print(module.name.removeprefix("gsrgnn.lab."), error.name)
"""


def test_only_what_runs_notebooks_needs_the_books_libraries():
    ended = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    lacking = dict(line.split() for line in ended.stdout.splitlines())
    assert set(lacking) == {"execution", "notebooks", "parameters", "programme", "sweep"}
    assert set(lacking.values()) <= set(BOOK)
