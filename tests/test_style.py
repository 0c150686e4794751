"""One style, hints that hold, and imports that point down: what ruff, mypy and import-linter say of the checkout."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "gsrgnn").rglob("*.py"))
LIBRARY = [path for path in MODULES if path.relative_to(ROOT / "gsrgnn").parts[0] not in ("lab", "book", "cli")]
ABOVE = re.compile(r"gsrgnn\.(lab|book|cli)\b")
COMPILED = {"device", "inlined", "inner"}  # decorators of what Numba compiles into its callers
LINT_IMPORTS = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"

CALLER = """
import numpy as np

import gsrgnn

graph = gsrgnn.CircuitGraph.from_pins([0, 1], [0, 0], np.int64(2))
graph.neighbors(np.int64(1))
gsrgnn.group_sparse("x", 2)
gsrgnn.circuits.load(7)
gsrgnn.circuit
"""
WRONG = [("8", "[arg-type]"), ("9", "[arg-type]"), ("10", "[attr-defined]")]


def run(*arguments, cwd=ROOT):
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize(
    "command",
    ["ruff check --no-cache --output-format concise", "ruff format --no-cache --check", "mypy"],
)
def test_the_checkout_is_as_it_should_be(command):
    done = run("-m", *command.split())
    assert done.returncode == 0, done.stdout + done.stderr


def test_whoever_calls_the_library_is_checked_too(tmp_path):
    (tmp_path / "caller.py").write_text(CALLER)
    done = run("-m", "mypy", str(tmp_path / "caller.py"))
    found = [line.partition("caller.py:")[2] for line in done.stdout.splitlines() if "error:" in line]
    assert [(line.partition(":")[0], line.rpartition(" ")[2]) for line in found] == WRONG, done.stdout + done.stderr
    assert done.returncode == 1


def test_imports_point_down():
    done = run("-c", LINT_IMPORTS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "wrong", "contract"),
    [
        ("kernels/order.py", "import gsrgnn.models", "Kernels know no graph"),
        ("circuits/pieces.py", "from gsrgnn.training import train", "Circuits know no model"),
        ("graph.py", "from gsrgnn import reversible", "Storeys"),
        ("metrics.py", "from matplotlib import pyplot", "The library draws nothing"),
        ("kernels/cuda/compiler.py", "from gsrgnn.kernels.cuda import report", "CUDA kernels"),
        ("book/figures/__init__.py", "import torch", "Figures are drawn"),
        ("book/figures/style.py", "import numba", "Figures are drawn"),
        ("training.py", "import yaml", "The library draws nothing"),
        ("lab/depth.py", "import networkx", "The lab draws nothing"),
        ("kernels/reference.py", "import torch", "The reference is NumPy alone"),
        ("__init__.py", "import matplotlib", "The door brings"),
        ("__init__.py", "from gsrgnn.lab.bench import report", "The door brings"),
    ],
)
def test_an_import_that_points_up_is_found(module, wrong, contract, tmp_path):
    shutil.copytree(ROOT / "gsrgnn", tmp_path / "gsrgnn", ignore=lambda folder, names: _no_code(folder, names))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "gsrgnn" / module).open("a") as file:
        file.write(f"\n\ndef late():\n    {wrong}\n")
    done = run("-c", LINT_IMPORTS, cwd=tmp_path)
    assert done.returncode == 1
    broken = done.stdout.partition("Broken contracts")[2]
    assert contract in " ".join(broken.split()), done.stdout


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_import_by_name_points_up(path):
    assert _named_above(ast.parse(path.read_text())) == []


def test_an_import_by_name_that_points_up_is_found():
    code = """
'''Above is gsrgnn.lab.'''
class A:
    "Not gsrgnn.book either."
    def f(self):
        "Nor gsrgnn.cli."
        import_module("gsrgnn.lab.bench")
        return {"page": "gsrgnn.book"}, f"gsrgnn.cli.{self}", "gsrgnn.label", "gsrgnn.circuits.library"
"""
    assert _named_above(ast.parse(code)) == ["gsrgnn.lab.bench", "gsrgnn.book", "gsrgnn.cli."]


def _named_above(module):
    """The strings of a module, docstrings apart, that begin with the name of a storey above the library."""
    docstrings = {
        part.body[0].value
        for part in ast.walk(module)
        if isinstance(part, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(part) is not None
    }
    texts = (part for part in ast.walk(module) if isinstance(part, ast.Constant) and isinstance(part.value, str))
    return [text.value for text in texts if text not in docstrings and ABOVE.match(text.value)]


def _no_code(folder, names):
    return [name for name in names if Path(folder, name).is_file() and not name.endswith(".py")]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_public_functions_have_hints(path):
    assert [where for where, function in _public(ast.parse(path.read_text())) if not _hinted(function)] == []


def test_a_hint_that_is_missing_is_found():
    code = """
class A:
    def f(self, x: int, *, y) -> int: ...
    def g(self) -> int: ...
    def h(self): ...
@device
def i(x): ...
def j(*a) -> None: ...
"""
    assert [where for where, function in _public(ast.parse(code)) if not _hinted(function)] == ["A.f", "A.h", "j"]


def _public(node, inside=""):
    """Name and definition of the functions and methods that are public, but for those that Numba compiles."""
    for part in node.body:
        if isinstance(part, ast.ClassDef) and not part.name.startswith("_"):
            yield from _public(part, f"{part.name}.")
        elif isinstance(part, ast.FunctionDef):
            public = not part.name.startswith("_") or part.name in ("__init__", "__call__")
            if public and not COMPILED & {ast.unparse(decorator) for decorator in part.decorator_list}:
                yield inside + part.name, part


def _hinted(function):
    given = function.args
    arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    named = [one for one in arguments if one is not None and one.arg not in ("self", "cls")]
    return function.returns is not None and all(one.annotation is not None for one in named)
