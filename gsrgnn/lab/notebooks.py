"""Run the notebooks: py:percent in, executed ipynb out, redone only where what it depends on has changed.

An executed notebook carries in its metadata what it was made from (`key`). A run compares that with what it
would be made from now, and says which part differs. Prose is no part of it: new prose is put around the
outputs that are there.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from filelock import FileLock, Timeout
from nbformat import NotebookNode

from gsrgnn.lab import files, records
from gsrgnn.lab import parameters as parameters_of
from gsrgnn.lab.execution import execute
from gsrgnn.provenance import code_hash, hash_files, provenance

TIMEOUT = 900  # seconds a cell
WHY = {
    "code": "the notebook's code changed",
    "parameters": "parameters changed",
    "package": "the package's source changed",
    "dependencies": "requirements.lock changed",
    "data": "the data under CIRCUITNET_ROOT changed",
    "records": "the records in results/ changed",
}


def run(
    source: Path,
    output: Path,
    parameters: dict | None = None,
    *,
    root: Path,
    timeout: int = TIMEOUT,
    force: bool = False,
    failed: Path | None = None,
    say: Callable[[str], None] = print,
) -> NotebookNode:
    """Make `output` (ipynb) from `source` (py:percent), unless it is there and made from the same things.

    The notebook runs in a kernel process of this very Python, in folder `root`. `output` is replaced only by
    a notebook that ran to its end; one that did not is kept at `failed`, by default in `root`/_build/failed.
    Returns the executed notebook.

    Raises ValueError for a parameter that the notebook lacks and for a value of another kind than it declares,
    `execution.NotebookFailed` where a cell raises, takes longer than `timeout` seconds or loses its kernel, OSError
    where nothing can be written (before anything is run, or with what was computed kept elsewhere: `files.Kept`).
    """
    parameters = parameters or {}
    failed = failed or root / "_build" / "failed" / output.name
    files.check_writable(output)
    with alone(output.with_name(f".{output.name}.lock"), say):
        notebook = read_source(source)
        check_parameters(notebook, parameters, source)
        key = fingerprint(notebook, parameters, root)
        earlier = read_executed(output)
        reason = "--force" if force else why(key, earlier)
        if reason is None:
            merged = assemble(notebook, earlier)
            if merged == earlier:
                say("unchanged, skipped")
            else:
                write(merged, output)
                say("prose changed: put around the results that are there, nothing run")
            return merged
        say(f"running ({reason})")
        started = time.monotonic()
        executed = execute(notebook, source, failed, parameters, root, timeout)
        seconds = time.monotonic() - started
        executed.metadata = {
            "kernelspec": notebook.metadata.kernelspec,
            "language_info": executed.metadata.language_info,
            "gsrgnn": {"key": key, "seconds": seconds, "made": made(notebook, parameters, seconds)},
        }
        executed = nbformat.reads(nbformat.writes(executed).replace(f"{root}{os.sep}", ""), as_version=4)
        executed = assemble(notebook, executed)
        write(executed, output)
        say(f"done in {seconds:.0f} s")
        return executed


def read_source(path: Path) -> NotebookNode:
    """The notebook in a py:percent file, with cell ids that depend on nothing but the cells' order."""
    if not path.exists():
        there = sorted(other.stem for other in path.parent.glob("*.py"))
        raise FileNotFoundError(f"no notebook {path}: {path.parent} has {', '.join(there) or 'none'}")
    notebook = jupytext.read(path, fmt="py:percent")
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    notebook.metadata = NotebookNode(
        kernelspec=NotebookNode(name="python3", display_name="Python 3", language="python")
    )
    return notebook


def declared_parameters(notebook: NotebookNode) -> dict[str, str]:
    """Name and default (as source text) of each parameter that the cells tagged `parameters` assign."""
    return {name: parameter.default for name, parameter in parameters_of.declared(notebook).items()}


def check_parameters(notebook: NotebookNode, parameters: dict, source: Path) -> None:
    """Raises ValueError where `parameters` holds a name that the parameters cell does not assign, or a value of
    another kind than it declares: that of the annotation or of the default, any where that is None."""
    declared = declared_parameters(notebook)
    if unknown := [name for name in parameters if name not in declared]:
        has = f"has {', '.join(declared)}" if declared else "has none (no cell is tagged parameters)"
        raise ValueError(f"{source.name} has no parameter {', '.join(unknown)}: it {has}")
    if refused := parameters_of.refused(notebook, parameters):
        raise ValueError(f"{source.name}: {'; '.join(refused)}")


def fingerprint(notebook: NotebookNode, parameters: dict, root: Path) -> dict[str, str]:
    """What the notebook's results depend on, a hash each; the keys are those of `WHY`."""
    lock = root / "requirements.lock"
    return {
        "code": digest(code_cells(notebook)),
        "parameters": digest(sorted((name, repr(value)) for name, value in parameters.items())),
        "package": code_hash(),
        "dependencies": hash_files([lock], root) if lock.exists() else "none",
        "data": _data_present(),
        "records": hash_files(records.sound_files(root / "results"), root) if _reads_records(notebook) else "none",
    }


def code_cells(notebook: NotebookNode) -> list[list]:
    """Source and tags of each code cell, in order: what a notebook does, without its prose."""
    return [[cell.source, tags(cell)] for cell in notebook.cells if cell.cell_type == "code"]


def _reads_records(notebook: NotebookNode) -> bool:
    return any('"results' in source for source, _ in code_cells(notebook))


def made(notebook: NotebookNode, parameters: dict, seconds: float) -> list[list[str]]:
    """How a notebook that ran just now was made, as rows of name and value: parameters, then provenance."""
    used = declared_parameters(notebook) | {name: repr(value) for name, value in parameters.items()}
    rows = {f"parameter `{name}`": value for name, value in used.items()}
    return [list(row) for row in (rows | {"duration": f"{seconds:.0f} s"} | provenance()).items()]


def why(key: dict[str, str], earlier: NotebookNode | None) -> str | None:
    """Why a notebook with this key has to run, in words; None where the earlier run still holds."""
    if earlier is None:
        return "not run before"
    made_from = earlier.metadata.gsrgnn.key
    return "; ".join(words for part, words in WHY.items() if made_from.get(part) != key[part]) or None


def read_executed(path: Path) -> NotebookNode | None:
    """The executed notebook at `path`; None where there is none that `run` has made, or a damaged one."""
    try:
        notebook = nbformat.reads(files.read(path), as_version=4)
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError, nbformat.reader.NotJSONError):
        return None
    made_from = notebook.metadata.get("gsrgnn")
    return notebook if isinstance(made_from, dict) and {"key", "seconds", "made"} <= set(made_from) else None


def assemble(notebook: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """Source cells with the outputs of `executed`, code cells matched in order, and a box on their making."""
    results = [cell for cell in executed.cells if cell.cell_type == "code"]
    injected = next((cell for cell in results if "injected-parameters" in tags(cell)), None)
    results = iter(cell for cell in results if cell is not injected)
    cells = []
    for cell in notebook.cells:
        cell = NotebookNode(cell)
        cells.append(cell)
        if cell.cell_type == "code":
            result = next(results)
            cell.outputs = result.outputs
            cell.execution_count = result.execution_count
            if injected and "parameters" in tags(cell):
                hidden = {"tags": ["injected-parameters", "remove-cell"]}
                cells.append(NotebookNode(injected, id="injected-parameters", metadata=NotebookNode(hidden)))
    cells.append(nbformat.v4.new_markdown_cell(_provenance_box(executed.metadata.gsrgnn.made), id="provenance"))
    return nbformat.from_dict({"cells": cells, "metadata": executed.metadata, "nbformat": 4, "nbformat_minor": 5})


def tags(cell: NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", []))


def write(notebook: NotebookNode, path: Path) -> None:
    """Write the notebook, whole or not at all; what cannot be written is kept elsewhere, see `files.write_or_keep`."""
    files.write_or_keep(f"{nbformat.writes(notebook)}\n", path)


@contextmanager
def alone(lock: Path, say: Callable[[str], None] = print) -> Iterator[None]:
    """Holds `lock` (a file, kept) during the block; waits, and says so, where another process holds it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        say("waiting for another process that is making the same")
        held.acquire()
    try:
        yield
    finally:
        held.release()


def digest(value: Any) -> str:
    """Hash (12 hex digits) of a value that JSON can hold."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]


def _data_present() -> str:
    """Hash of which files of which size lie under CIRCUITNET_ROOT, wherever that is."""
    root = os.environ.get("CIRCUITNET_ROOT")
    if not root:
        return "none"
    found = sorted(Path(root).rglob("*.np[yz]"))
    return digest([(path.relative_to(root).as_posix(), path.stat().st_size) for path in found])


def _provenance_box(rows: list[list[str]]) -> str:
    table = "\n".join(f"| {name} | `{value.replace('|', '/')}` |" for name, value in rows)
    return f"```{{admonition}} How this page was made\n:class: dropdown\n\n| What | Value |\n|:--|:--|\n{table}\n```"
