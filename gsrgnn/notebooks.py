"""Run the notebooks: py:percent in, executed ipynb out, redone only where what it depends on has changed.

An executed notebook carries in its metadata what it was made from (`key`). A run compares that with what it
would be made from now, and says which part differs. Prose is no part of it: new prose is put around the
outputs that are there.
"""

import ast
import hashlib
import json
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import jupytext
import nbformat
import papermill
from filelock import FileLock, Timeout
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from gsrgnn.results import code_hash, hash_files, provenance

TIMEOUT = 900  # seconds a cell
logging.getLogger("papermill").setLevel(logging.ERROR)  # it guesses at parameters that check_parameters knows
WHY = {
    "code": "the notebook's code changed",
    "parameters": "parameters changed",
    "package": "the package's source changed",
    "dependencies": "requirements.lock changed",
    "data": "the data under CIRCUITNET_ROOT changed",
    "records": "the records in results/ changed",
    "paper": "what book/data has of the paper changed",
}


class NotebookFailed(RuntimeError):
    """A notebook did not run to its end; the message names the notebook, the cell and the exception.

    Attributes:
        happened: the exception in one line.
        out_of_memory: whether memory ran out.
    """

    def __init__(self, message: str, happened: str, out_of_memory: bool):
        super().__init__(message)
        self.happened, self.out_of_memory = happened, out_of_memory


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

    Raises ValueError for a parameter that the notebook lacks, NotebookFailed where a cell raises, takes
    longer than `timeout` seconds or loses its kernel.
    """
    parameters = parameters or {}
    failed = failed or root / "_build" / "failed" / output.name
    output.parent.mkdir(parents=True, exist_ok=True)
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
        executed = execute(notebook, source, output, failed, parameters, root, timeout)
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
    declared = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and "parameters" in tags(cell):
            for statement in ast.parse(cell.source).body:
                if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                    declared |= {
                        t.id: ast.unparse(statement.value) for t in targets if isinstance(t, ast.Name)
                    }
    return declared


def check_parameters(notebook: NotebookNode, parameters: dict, source: Path) -> None:
    """Raises ValueError where `parameters` holds a name that the parameters cell does not assign."""
    declared = declared_parameters(notebook)
    if unknown := [name for name in parameters if name not in declared]:
        has = f"has {', '.join(declared)}" if declared else "has none (no cell is tagged parameters)"
        raise ValueError(f"{source.name} has no parameter {', '.join(unknown)}: it {has}")


def fingerprint(notebook: NotebookNode, parameters: dict, root: Path) -> dict[str, str]:
    """What the notebook's results depend on, a hash each; the keys are those of `WHY`."""
    lock = root / "requirements.lock"
    return {
        "code": digest(code_cells(notebook)),
        "parameters": digest(sorted((name, repr(value)) for name, value in parameters.items())),
        "package": code_hash(),
        "dependencies": hash_files([lock], root) if lock.exists() else "none",
        "data": _data_present(),
        "records": hash_files((root / "results").rglob("*.json"), root) if _reads_records(notebook) else "none",
        "paper": hash_files((path for path in (root / "book" / "data").rglob("*") if path.is_file()), root),
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
    """The executed notebook at `path`; None where there is none that `run` has made."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except (FileNotFoundError, ValueError, nbformat.reader.NotJSONError):
        return None
    return notebook if "gsrgnn" in notebook.metadata else None


def execute(
    notebook: NotebookNode,
    source: Path,
    output: Path,
    failed: Path,
    parameters: dict,
    root: Path,
    timeout: int,
) -> NotebookNode:
    """The notebook after papermill ran it; on the way it is written at a hidden name beside `output`."""
    partial = output.with_name(f".{output.stem}.partial.ipynb")
    config = root / "_build" / "config"  # in place of the user's own
    config.mkdir(parents=True, exist_ok=True)
    environment = {
        "IPYTHONDIR": str(config / "ipython"),
        "MPLCONFIGDIR": str(config / "matplotlib"),
        "PYTHONWARNINGS": "ignore:IProgress not found",  # torch_geometric asks for a progress bar's widget
    }

    kernels = []

    class ThisPython(AsyncKernelManager):
        """Starts the kernel in this interpreter, whatever kernels the user has installed."""

        def __init__(self, **options):
            super().__init__(transport_encryption="auto", **options)

        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(**get_kernel_dict(), env=environment)

        async def start_kernel(self, **options):
            await super().start_kernel(**options)
            kernels.append(self.provisioner.process)

    try:
        return papermill.execute_notebook(
            notebook,
            str(partial).replace("{", "{{").replace("}", "}}"),
            parameters,
            kernel_name="python3",
            kernel_manager_class=ThisPython,
            execution_timeout=timeout,
            progress_bar={"desc": source.stem, "leave": False} if sys.stderr.isatty() else False,
            cwd=root,
        )
    except (PapermillExecutionError, CellTimeoutError, DeadKernelError) as error:
        where = _cell_reached(nbformat.read(partial, as_version=4))
        failed.parent.mkdir(parents=True, exist_ok=True)
        os.replace(partial, failed)
        happened = _what_happened(error, timeout)
        killed = bool(kernels) and kernels[-1].poll() == -signal.SIGKILL
        raise NotebookFailed(
            f"{source.name}, {where}\n  {happened}\n  the notebook up to there: {failed.relative_to(root)}",
            happened,
            _lacked_memory(error, killed),
        ) from error
    finally:
        partial.unlink(missing_ok=True)


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
            cell.outputs = [output for output in map(_without_progress_bars, result.outputs) if output]
            cell.execution_count = result.execution_count
            if injected and "parameters" in tags(cell):
                hidden = {"tags": ["injected-parameters", "remove-cell"]}
                cells.append(NotebookNode(injected, id="injected-parameters", metadata=NotebookNode(hidden)))
    cells.append(
        nbformat.v4.new_markdown_cell(_provenance_box(executed.metadata.gsrgnn.made), id="provenance")
    )
    return nbformat.from_dict(
        {"cells": cells, "metadata": executed.metadata, "nbformat": 4, "nbformat_minor": 5}
    )


def tags(cell: NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", []))


def write(notebook: NotebookNode, path: Path) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    nbformat.write(notebook, temporary)
    os.replace(temporary, path)


@contextmanager
def alone(lock: Path, say: Callable[[str], None] = print):
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


def digest(value) -> str:
    """Hash (12 hex digits) of a value that JSON can hold."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]


def _data_present() -> str:
    """Hash of which files of which size lie under CIRCUITNET_ROOT, wherever that is."""
    root = os.environ.get("CIRCUITNET_ROOT")
    if not root:
        return "none"
    found = sorted(Path(root).rglob("*.np[yz]"))
    return digest([(path.relative_to(root).as_posix(), path.stat().st_size) for path in found])


def _cell_reached(partial: NotebookNode) -> str:
    """The last code cell that was started, in words: its number among the code cells and its first lines."""
    code = [
        cell for cell in partial.cells if cell.cell_type == "code" and "injected-parameters" not in tags(cell)
    ]
    started = [cell for cell in code if cell.metadata.papermill.start_time]
    if not started:
        return "before its first code cell:"
    lines = started[-1].source.splitlines()
    shown = "".join(f"\n    {line}" for line in lines[:3] + ["..."] * (len(lines) > 3))
    return f"code cell {len(started)} of {len(code)}:{shown}"


def _what_happened(error: Exception, timeout: int) -> str:
    if isinstance(error, CellTimeoutError):
        return f"took longer than {timeout} s: give it more with --timeout"
    if isinstance(error, DeadKernelError):
        return "the kernel died: out of memory, most often"
    return f"{error.ename}: {error.evalue}"


def _lacked_memory(error: Exception, killed: bool) -> bool:
    if isinstance(error, DeadKernelError):
        return killed  # with SIGKILL, as the system does where memory runs out
    said = f"{getattr(error, 'ename', '')}: {getattr(error, 'evalue', '')}"
    return bool(re.match("MemoryError|.*OutOfMemoryError|RuntimeError.*(can't allocate|not enough) memory", said))


def _without_progress_bars(output: NotebookNode) -> NotebookNode | None:
    """The output, None where it is but tqdm's bars on stderr."""
    if output.get("name") != "stderr":
        return output
    lines = re.split(r"[\r\n]+", output.text)
    kept = [line for line in lines if line.strip() and not re.search(r"\d+%\|.*\||\d+it \[", line)]
    return NotebookNode(output, text="\n".join(kept) + "\n") if kept else None


def _provenance_box(rows: list[list[str]]) -> str:
    table = "\n".join(f"| {name} | `{value.replace('|', '/')}` |" for name, value in rows)
    return (
        "```{admonition} How this page was made\n:class: dropdown\n\n"
        f"| What | Value |\n|:--|:--|\n{table}\n```"
    )
