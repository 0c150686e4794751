import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext

import nbformat
import psutil
import pytest

from gsrgnn import provenance
from gsrgnn.lab import execution, files, notebooks
from gsrgnn.lab.execution import NotebookFailed
from gsrgnn.lab.notebooks import run

SOURCE = """\
# %% [markdown]
# # A page

# %% tags=["parameters"]
k = 2
name: str = "a|b"

# %%
print("k is", k)

# %% [markdown]
# The end.
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with one notebook; calling it runs the notebook and returns what was said."""
    monkeypatch.delenv("CIRCUITNET_ROOT", raising=False)
    monkeypatch.setattr(notebooks, "code_hash", lambda: "the package's")  # the real one is test_provenance.py's
    return Project(tmp_path)


class Project:
    def __init__(self, root):
        self.root, self.source, self.output = root, root / "page.py", root / "out" / "page.ipynb"
        self.source.write_text(SOURCE)

    def __call__(self, **options):
        said = []
        run(self.source, self.output, root=self.root, say=said.append, **{"timeout": 60, **options})
        return said

    def edit(self, old, new):
        text = self.source.read_text()
        assert old in text
        self.source.write_text(text.replace(old, new))

    def executed(self):
        return nbformat.read(self.output, as_version=4)


@pytest.fixture
def counted(monkeypatch):
    """Replaces the kernel by a stand-in that answers every code cell with the number of the run."""
    runs = []

    def execute(notebook, *_):
        runs.append(notebook)
        executed = nbformat.from_dict(dict(notebook))
        executed.cells = [nbformat.from_dict(dict(cell)) for cell in notebook.cells]
        for cell in executed.cells:
            if cell.cell_type == "code":
                cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=f"run {len(runs)}")]
                cell.execution_count = 1
        executed.metadata.language_info = {"name": "python"}
        return executed

    monkeypatch.setattr(notebooks, "execute", execute)
    return runs


def test_a_run_in_this_python_leaves_a_clean_page(project, monkeypatch):
    shadow = project.root / "home" / "kernels" / "python3"
    shadow.mkdir(parents=True)
    (shadow / "kernel.json").write_text('{"argv": ["false"], "display_name": "wrong", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(project.root / "home"))
    startup = project.root / "home" / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "0.py").write_text("raise SystemExit")
    monkeypatch.setenv("IPYTHONDIR", str(project.root / "home" / "ipython"))
    project.edit(
        'print("k is", k)',
        """\
print("k is", k)
import sys, os, warnings
print(sys.executable)
warnings.warn("a warning")
import tqdm.auto
from tqdm import tqdm
for _ in tqdm(range(3)): pass
print(os.getcwd() + "/here")""",
    )

    assert project(parameters={"k": 5})[0] == "running (not run before)"

    page = project.executed()
    streams = [output for cell in page.cells for output in cell.get("outputs", [])]
    text = "".join(output.text for output in streams)
    assert "k is 5" in text
    assert sys.executable in text
    assert "a warning" in text
    assert "it/s" not in text
    assert "IProgress" not in text
    assert str(project.root) not in nbformat.writes(page)
    injected = [cell for cell in page.cells if "injected-parameters" in notebooks.tags(cell)]
    assert [cell.metadata.tags for cell in injected] == [["injected-parameters", "remove-cell"]]
    box = page.cells[-1].source
    assert "| parameter `k` | `5` |" in box
    assert "| parameter `name` | `'a/b'` |" in box
    rows = [line.split(" | ")[0].strip("| ") for line in box.splitlines() if line.startswith("| ")]
    assert rows[:6] == ["What", "parameter `k`", "parameter `name`", "duration", "date", "code hash"]
    assert {"gsrgnn", "Python", "torch", "numba", "numpy", "CPU", "cores", "OS", "GPU"} <= set(rows)
    assert "papermill" not in nbformat.writes(page)
    assert project(parameters={"k": 5}) == ["unchanged, skipped"]
    assert sorted(os.listdir(project.output.parent)) == [".page.ipynb.lock", "page.ipynb"]


@pytest.mark.parametrize(
    ("cell", "timeout", "happened"),
    [
        ("raise KeyError('lost')", 60, "KeyError: 'lost'"),
        ("import time; time.sleep(60)", 1, "took longer than 1 s: give it more with --timeout"),
        ("import os; os._exit(9)", 60, "the kernel died: ended with exit code 9\n"),
        ("import os; os.kill(os.getpid(), 11)", 60, "the kernel died: crashed with SIGSEGV\n"),
    ],
)
def test_a_cell_that_fails_is_named_and_the_last_good_page_stays(project, cell, timeout, happened):
    project.output.parent.mkdir()
    project.output.write_text("the last good one")
    project.edit('print("k is", k)', f"first = 1\n{cell}\nthird = 3\nfourth = 4")

    with pytest.raises(NotebookFailed) as failure:
        project(parameters={"k": 3}, timeout=timeout)

    message = str(failure.value)
    shown = f"    first = 1\n    {cell}\n    third = 3\n    ...\n"
    assert message.startswith(f"page.py, code cell 2 of 2:\n{shown}")
    assert happened in message
    assert project.output.read_text() == "the last good one"
    assert "first = 1" in (project.root / "_build" / "failed" / "page.ipynb").read_text()
    assert not list(project.output.parent.glob(".*partial*"))


@pytest.mark.parametrize(("after", "ends"), [("", None), ("os.kill(os.getpid(), 9)", NotebookFailed)])
def test_what_a_cell_starts_ends_with_the_notebook(project, after, ends):
    started = """\
import os, subprocess
sleepers = [subprocess.Popen(["sleep", "60"], start_new_session=new, stdout=-3) for new in (False, True)]
open("pids", "w").write(" ".join(str(each.pid) for each in sleepers))
"""
    project.edit('print("k is", k)', started + after)
    with pytest.raises(ends, match="killed by SIGKILL from outside") if ends else nullcontext():
        project()
    pids = (project.root / "pids").read_text().split()
    assert len(pids) == 2
    wait_until(lambda: not any(running_still(int(pid)) for pid in pids), seconds=5)


def running_still(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE  # one that nobody asks after
    except psutil.NoSuchProcess:
        return False


def test_what_a_cell_prints_and_shows_has_a_bound(project, monkeypatch):
    monkeypatch.setattr(execution, "PRINTED", 5000)
    monkeypatch.setattr(execution, "SHOWN", 5000)
    project.edit(
        'print("k is", k)',
        """\
from IPython.display import display
print("a" * 1_000_000)
for _ in range(20):
    display({"image/png": "b" * 1000}, raw=True)
display({"application/vnd.gsrgnn.rows+json": {"rows": ["c" * 9000]}}, raw=True)

# %%
handle = display({"image/png": "d" * 3000}, raw=True, display_id=True)
for _ in range(3):
    handle.update({"image/png": "e" * 3000}, raw=True)
print("the next cell")""",
    )
    project()
    first, second = [cell.outputs for cell in project.executed().cells if cell.cell_type == "code"][1:]
    printed = "".join(output.text for output in first if output.output_type == "stream")
    assert printed == "a" * 5000 + "\n[cut here: a cell keeps 5,000 characters of what it prints]\n"
    images = [output.data for output in first if output.output_type == "display_data"]
    kinds = [kind for data in images for kind in data]
    assert kinds == ["image/png"] * 4 + ["text/plain", "application/vnd.gsrgnn.rows+json"]
    assert images[4]["text/plain"] == "[left out from here, image/png: a cell keeps 0.005 MB of what it shows]"
    assert second[0].data["image/png"] == "e" * 3000
    assert second[-1].text == "the next cell\n"


def test_an_exception_of_any_length_is_one_short_line(project):
    project.edit('print("k is", k)', "raise KeyError('x' * 10**6 + '\\n')")
    with pytest.raises(NotebookFailed) as failure:
        project()
    assert len(failure.value.happened) < 1100
    assert (project.root / "_build" / "failed" / "page.ipynb").stat().st_size < 10**5


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_what_was_computed_is_kept_where_it_cannot_be_written(project, counted, monkeypatch, tmp_path, reason):
    def replace(source, target, real=os.replace):
        if target == project.output:
            raise OSError(reason, os.strerror(reason), str(target))
        real(source, target)

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    with monkeypatch.context() as full:
        full.setattr(os, "replace", replace)
        with pytest.raises(files.Kept, match=f"{os.strerror(reason)}: .*page.ipynb; what was computed is kept"):
            project()
    (kept,) = (tmp_path / "temporary").glob("gsrgnn-*/page.ipynb")
    assert os.listdir(project.output.parent) == [".page.ipynb.lock"]
    kept.rename(project.output)
    assert project() == ["unchanged, skipped"]
    assert len(counted) == 1


def test_a_failed_notebook_is_written_beside_its_place_and_renamed(project, monkeypatch):
    """So that the folder of results may lie on another mount."""

    def replace(source, target, real=os.replace):
        if source.parent != target.parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    project.edit('print("k is", k)', "raise KeyError('lost')")
    with pytest.raises(NotebookFailed, match="lost"):
        project()
    assert "lost" in (project.root / "_build" / "failed" / "page.ipynb").read_text()


def test_what_lies_where_the_page_goes_is_replaced_or_named_before_anything_runs(project, counted):
    project.output.parent.mkdir()
    for content in ("{", '{"metadata": {"gsrgnn": {}}, "cells": [], "nbformat": 4, "nbformat_minor": 5}', "[" * 10**5):
        project.output.write_text(content)
        assert project()[0] == "running (not run before)"
    for make in (os.mkfifo, lambda path: path.symlink_to(path)):
        project.output.unlink()
        make(project.output)
        assert project()[0] == "running (not run before)"
    project.output.unlink()
    project.output.mkdir()
    with pytest.raises(IsADirectoryError):
        project()
    assert len(counted) == 5


def test_damaged_records_do_not_stop_a_notebook_that_reads_records(project, counted):
    (project.root / "results" / "folder.json").mkdir(parents=True)
    os.mkfifo(project.root / "results" / "pipe.json")
    (project.root / "results" / "loop.json").symlink_to("loop.json")
    project.source.write_text(SOURCE.replace('print("k is", k)', 'print("k is", k, "results/one.json")'))
    project()
    assert project() == ["unchanged, skipped"]


def test_ctrl_c_leaves_nothing_half_written_and_no_kernel(project):
    sleeps = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)"
    project.edit('print("k is", k)', sleeps)
    # A shell's background job, which this test may run in, hands on that SIGINT is to be ignored.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    run = f"from gsrgnn.cli import app; app(['run', {str(project.source)!r}, '-o', {str(project.output)!r}])"
    environment = {**os.environ, "PYTHONPATH": str(provenance.PACKAGE.parent)}
    running = subprocess.Popen(
        [sys.executable, "-c", f"{listen}; {run}"], cwd=project.root, env=environment, stderr=subprocess.PIPE, text=True
    )
    pid = project.root / "pid"
    wait_until(lambda: pid.exists() and pid.read_text())
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 130
    assert said == "interrupted: what is finished is kept\n"
    assert os.listdir(project.output.parent) == [".page.ipynb.lock"]
    wait_until(lambda: not os.path.exists(f"/proc/{pid.read_text()}"))


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def test_new_prose_goes_around_the_results_that_are_there(project, counted):
    project()
    project.edit("The end.", "The *other* end.")
    assert project() == ["prose changed: put around the results that are there, nothing run"]
    assert project() == ["unchanged, skipped"]
    assert len(counted) == 1
    page = project.executed()
    assert [cell.source for cell in page.cells][3] == "The *other* end."
    assert [cell.outputs[0].text for cell in page.cells if cell.cell_type == "code"] == ["run 1", "run 1"]


def test_a_new_record_runs_the_notebooks_that_read_records(project):
    (project.root / "results").mkdir()
    project.source.write_text(SOURCE.replace('print("k is", k)', 'print("k is", k, "results/one.json")'))
    project()
    (project.root / "results" / "one.json").write_text("{}")
    assert project()[0] == "running (the records in results/ changed)"
    assert "unchanged" in project()[0]


def test_what_the_paper_reports_is_among_what_a_notebook_depends_on(project, counted, monkeypatch):
    package = project.root / "gsrgnn"
    shutil.copytree(provenance.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(notebooks, "code_hash", lambda: provenance.code_hash(package))
    project()
    (package / "book" / "data" / "reported.csv").open("a").write("\n")
    assert project()[0] == "running (the package's source changed)"
    assert "unchanged" in project()[0]


def test_every_reason_to_run_again_is_said(project, counted, monkeypatch):
    project()
    project.edit("print(", "print(1, ")
    assert project()[0] == "running (the notebook's code changed)"
    project.edit("# %%\n", '# %% tags=["hide-input"]\n')
    assert project()[0] == "running (the notebook's code changed)"
    assert project(parameters={"k": 7})[0] == "running (parameters changed)"
    (project.root / "requirements.lock").write_text("a==1")
    assert project(parameters={"k": 7})[0] == "running (requirements.lock changed)"
    monkeypatch.setattr(notebooks, "code_hash", lambda: "other")
    assert project()[0] == "running (parameters changed; the package's source changed)"
    data = project.root / "data"
    data.mkdir()
    (data / "a.npy").write_bytes(b"1")
    monkeypatch.setenv("CIRCUITNET_ROOT", str(data))
    assert project()[0] == "running (the data under CIRCUITNET_ROOT changed)"
    data.rename(project.root / "moved")
    monkeypatch.setenv("CIRCUITNET_ROOT", str(project.root / "moved"))
    assert project() == ["unchanged, skipped"]
    assert project(force=True)[0] == "running (--force)"
    project.output.write_text("{ cut short")
    assert project()[0] == "running (not run before)"
    assert len(counted) == 9


def test_an_unknown_parameter_is_an_error_that_names_those_there_are(project, counted):
    with pytest.raises(ValueError, match="page.py has no parameter kk: it has k, name"):
        project(parameters={"kk": 1})
    project.edit(' tags=["parameters"]', "")
    with pytest.raises(ValueError, match="it has none"):
        project(parameters={"k": 1})
    assert not counted


def test_a_missing_notebook_names_those_there_are(project):
    with pytest.raises(FileNotFoundError, match=r"no notebook .*other.py: .* has page"):
        run(project.root / "other.py", project.output, root=project.root)


def test_a_second_process_waits_and_says_so(project):
    lock = project.root / "lock"
    holds = f"with FileLock({str(lock)!r}): print(flush=True); time.sleep(1)"
    code = f"from filelock import FileLock; import time\n{holds}"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        said = []
        with notebooks.alone(lock, said.append):
            assert said == ["waiting for another process that is making the same"]
    with notebooks.alone(lock, said.append):
        assert len(said) == 1
