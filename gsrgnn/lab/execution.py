"""Execute a notebook in a kernel of its own: its output has a bound, its end the right name, nothing stays behind."""

import json
import logging
import os
import re
import sys
import time
from collections import deque
from pathlib import Path

import nbformat
import papermill
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import CellTimeoutError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from papermill.log import logger

from gsrgnn.lab import ends, files, records

PRINTED = 1_000_000  # characters that a cell may print, 200 more counted for each message
SHOWN = 20_000_000  # bytes of images, tables and other things that a cell may show, counted likewise
ARRIVES = 120  # seconds within which a cell's output arrives after its end
DYING = 10  # seconds that a process may take to end that the system has killed for lack of memory, and counted
SAID = 10_000  # characters of an exception's message, and of a line of its traceback


class NotebookFailed(RuntimeError):
    """A notebook did not run to its end; the message names the notebook, the cell and what happened.

    Attributes:
        happened: that in one line.
        out_of_memory: whether memory is known to have run out: by the exception, or by the system's count of the
            processes that it killed for that.
    """

    def __init__(self, message: str, happened: str, out_of_memory: bool) -> None:
        super().__init__(message)
        self.happened, self.out_of_memory = happened, out_of_memory


def execute(
    notebook: NotebookNode, source: Path, failed: Path, parameters: dict, root: Path, timeout: int
) -> NotebookNode:
    """The notebook after papermill ran it in folder `root`; one that does not reach its end is written at `failed`.

    All processes that it started end with it. Raises NotebookFailed.
    """
    config = root / "_build" / "config"  # in place of the user's own
    config.mkdir(parents=True, exist_ok=True)
    mark, marked = ends.mark()
    environment = {
        "IPYTHONDIR": str(config / "ipython"),
        "MPLCONFIGDIR": str(config / "matplotlib"),
        # torch_geometric asks for a progress bar's widget; a page says itself what its label is.
        "PYTHONWARNINGS": "ignore:IProgress not found,ignore:simulated label for circuitnet",
        **marked,
    }
    run = _Run(environment)
    try:
        return papermill.execute_notebook(
            notebook,
            None,
            parameters,
            engine_name=_Engine.NAME,
            kernel_name="python3",
            run=run,
            execution_timeout=timeout,
            progress_bar={"desc": source.stem, "leave": False} if sys.stderr.isatty() else False,
            cwd=root,
        )
    except (PapermillExecutionError, CellTimeoutError, RuntimeError) as error:
        if run.notebook is None:
            raise
        happened, out_of_memory = _what_happened(error, run, timeout)
        kept = f"the notebook up to there: {os.path.relpath(failed, root)}"
        try:
            failed.parent.mkdir(parents=True, exist_ok=True)
            files.write(nbformat.writes(run.notebook), failed)
        except OSError as fault:
            kept = f"the notebook up to there could not be kept: {files.plainly(fault)}"
        where = _cell_reached(run.notebook)
        raise NotebookFailed(f"{source.name}, {where}\n  {happened}\n  {kept}", happened, out_of_memory) from error
    finally:
        ends.end_marked(mark, run.kernel.pid if run.kernel else None)


class _Run:
    """What is known of one execution.

    Attributes:
        environment: variables of the kernel.
        kernel: its process, None before it is started.
        oom_kills: `ends.oom_kills` `DYING` seconds before the kernel was last seen alive, or when it was started.
        notebook: with the outputs up to now.
    """

    def __init__(self, environment: dict[str, str]):
        self.environment = environment
        self.kernel = self.notebook = None
        self._counts = deque([(time.monotonic(), ends.oom_kills())])

    @property
    def oom_kills(self) -> int | None:
        return self._counts[0][1]

    def seen_alive(self, oom_kills: int | None) -> None:
        now = time.monotonic()
        self._counts.append((now, oom_kills))
        while self._counts[1][0] <= now - DYING:
            self._counts.popleft()


class _Engine(Engine):
    NAME = "gsrgnn"

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, *, run, execution_timeout, **_):
        run.notebook = nb_man.nb

        class ThisPython(AsyncKernelManager):
            """Starts the kernel in this interpreter, whatever kernels the user has installed."""

            def __init__(self, **options):
                super().__init__(transport_encryption="auto", **options)

            @property
            def kernel_spec(self) -> KernelSpec:
                return KernelSpec(**get_kernel_dict(), env=run.environment)

            async def start_kernel(self, **options):
                await super().start_kernel(**options)
                run.kernel = self.provisioner.process

        _Client(
            nb_man,
            run,
            kernel_name=kernel_name,
            kernel_manager_class=ThisPython,
            timeout=execution_timeout,
            startup_timeout=60,
            iopub_timeout=ARRIVES,
            log=logger,
        ).execute()


papermill_engines.register(_Engine.NAME, _Engine)
logger.setLevel(logging.CRITICAL)  # it guesses at parameters, and says of an end what the exception says


class _Client(PapermillNotebookClient):
    """Papermill's, which keeps of what a cell prints and shows as much as `PRINTED` and `SHOWN` allow."""

    def __init__(self, nb_man, run, **options):
        super().__init__(nb_man, **options)
        self.run = run

    def papermill_execute_cells(self):
        try:
            super().papermill_execute_cells()
        except BaseException:  # Ctrl-C or too long, not what a cell raises
            self.shutdown_kernel = "immediate"
            raise

    async def _async_check_alive(self):
        oom_kills = ends.oom_kills()
        await super()._async_check_alive()
        self.run.seen_alive(oom_kills)

    def process_message(self, msg, cell, cell_index):
        if not cell.outputs or self.clear_before_next_output:
            self.printed = self.shown = 0
        content = msg["content"]
        match msg["msg_type"]:
            case "stream":
                content["text"] = self._printed(content)
                if not content["text"]:
                    return None
            case "display_data" | "execute_result" | "update_display_data":
                if records.MIME not in content["data"]:
                    replaced = self._display_id_map.get((content.get("transient") or {}).get("display_id"), {})
                    content["data"] = self._shown(content["data"], cell, replaced.get(cell_index, ()))
                if not content["data"]:
                    return None
            case "error":
                content["evalue"] = content["evalue"][:SAID]
                content["traceback"] = [line[:SAID] for line in content["traceback"][:200]]
        return super().process_message(msg, cell, cell_index)

    def _printed(self, content):
        text = content["text"] if content["name"] == "stdout" else without_progress_bars(content["text"])
        room = PRINTED - self.printed
        if text:
            self.printed += len(text) + 200
        if room <= 0 or len(text) <= room:
            return text if room > 0 else ""
        return f"{text[:room]}\n[cut here: a cell keeps {PRINTED:,} characters of what it prints]\n"

    def _shown(self, data, cell, replaced):
        if self.shown > SHOWN:
            return {}
        size = _size(data)
        if self.shown + size > SHOWN:  # what an update takes the place of does not count
            self.shown = sum(
                _size(output.get("data", {})) for number, output in enumerate(cell.outputs) if number not in replaced
            )
        self.shown += size
        if self.shown <= SHOWN:
            return data
        kinds = ", ".join(data)
        return {"text/plain": f"[left out from here, {kinds}: a cell keeps {SHOWN / 1e6:g} MB of what it shows]"}


def _size(data: dict) -> int:
    return 200 + sum(len(value if isinstance(value, str) else json.dumps(value)) for value in data.values())


def without_progress_bars(text: str) -> str:
    """What was written to stderr without tqdm's bars."""
    lines = re.split(r"[\r\n]+", text)
    kept = [line for line in lines if line.strip() and not re.search(r"\d+%\|.*\||\d+it \[", line)]
    return "\n".join(kept) + "\n" if kept else ""


def _cell_reached(notebook: NotebookNode) -> str:
    """The last code cell that was started, in words: its number among the code cells and its first lines."""
    code = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    started = [cell for cell in code if cell.metadata.papermill.start_time]
    if not started:
        return "before its first code cell:"
    lines = started[-1].source.splitlines()
    shown = "".join(f"\n    {line}" for line in lines[:3] + ["..."] * (len(lines) > 3))
    return f"code cell {len(started)} of {len(code)}:{shown}"


def _what_happened(error: Exception, run: _Run, timeout: int) -> tuple[str, bool]:
    """In one line, and whether memory ran out."""
    if isinstance(error, CellTimeoutError):
        if "IOPub" in str(error):
            return f"what it printed and showed did not arrive within {ARRIVES} s after its end", False
        return f"took longer than {timeout} s: give it more with --timeout", False
    if isinstance(error, PapermillExecutionError):
        line = " ".join(f"{error.ename}: {error.evalue}".split())
        return line if len(line) <= 1000 else f"{line[:1000]} ...", ends.speaks_of_memory(error.ename, error.evalue)
    code = run.kernel and run.kernel.poll()
    if code is None:
        return f"the kernel does not answer: {error}", False
    if ends.killed_for_memory(code, run.oom_kills):
        return "out of memory: the system killed the kernel for it", True
    return f"the kernel died: {ends.in_words(code)}", False
