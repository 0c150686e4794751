"""Each notebook as it is downloaded, alone in an empty folder: its first line installs it, and it runs to its end."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import clean_environment
import nbformat
import pytest

from gsrgnn.book.build import chapter_names
from gsrgnn.book.site import downloads
from gsrgnn.book.site.address import Address
from gsrgnn.book.site.wheel import make as make_wheel
from gsrgnn.lab.notebooks import check_parameters, read_source

ROOT = Path(__file__).parents[2]
NAMES = list(chapter_names(ROOT))
SMALL = {
    "08_circuits": {"shipped": ["riscv/picorv32-small"], "stand_in": "synthetic/300"},
    "09_through_nets": {"circuit": "synthetic/300", "widths": [8, 16], "k": 4, "repeats": 2},
    "10_reversible": {
        "circuit": "synthetic/200",
        "hidden_channels": 16,
        "k": 4,
        "depths": [1, 3, 10],
        "peak_depths": [3],
        "autograd_depth": 3,
        "small_circuit": "synthetic/200",
        "rounding_depths": [1, 3],
        "draws": 1,
        "wide": 32,
        "repeats": 2,
    },
    "11_training": {"circuit": "riscv/picorv32-small", "num_layers": 3, "hidden_channels": 16, "epochs": 2},
    "13_gpu": {"compile_width": 32},
}
"""Parameters with which a chapter takes seconds."""

# All in one process, a new namespace and an empty folder each: what torch and the kernels take to load is taken once.
# pip installs for the first; that it finds nothing to do for the others is not waited for.
RUN = """
import json, os, sys, time
import nbformat
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import Markdown
shell = InteractiveShell.instance()
shell.display_formatter.formatters["text/plain"].for_type(Markdown, lambda shown, out, cycle: out.text(shown.data))
start, failed, installed = time.monotonic(), {}, []
for path, folder, small in json.load(sys.stdin):
    os.chdir(folder)
    shell.reset(new_session=False)
    shell.user_ns["__spec__"] = None  # as in a kernel; processes that a notebook starts look for it
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            print(f"{time.monotonic() - start:.0f} s", path, cell.id, file=sys.stderr)
            done = shell.run_cell(cell.source)
            if not done.success:
                failed[path] = repr(done.error_before_exec or done.error_in_exec)
                break
            if cell.id == "install" and not installed:
                installed.append(path)
                shell.register_magic_function(print, "line", "pip")
            if "parameters" in cell.metadata.get("tags", []):
                shell.user_ns.update(small)
print("failed: " + json.dumps(failed))
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    html = tmp_path_factory.mktemp("plain")
    (html / downloads.FOLDER).mkdir(parents=True)
    for name in NAMES:
        nbformat.write(read_source(ROOT / "notebooks" / f"{name}.py"), html / downloads.FOLDER / f"{name}.ipynb")
    shutil.copytree(ROOT / "book", html / "_sources" / "book", ignore=shutil.ignore_patterns("_*"))
    return html


@pytest.fixture
def site(plain, tmp_path):
    """What a site has of the notebooks, which were not executed, before they are made ready to be taken along."""
    return Path(shutil.copytree(plain, tmp_path / "site"))


def read(site, name):
    return nbformat.read(site / downloads.FOLDER / f"{name}.ipynb", as_version=4)


@pytest.mark.parametrize(
    ("address", "line"),
    [
        (Address("", ""), '%pip install --quiet "./a.whl[book]"'),
        (Address("", "https://g.org/a/b"), '%pip install --quiet "gsrgnn[book] @ git+https://g.org/a/b"'),
        (
            Address("https://b.org/x/", "https://g.org/a/b"),
            '%pip install --quiet "gsrgnn[book] @ https://b.org/x/a.whl"',
        ),
    ],
)
def test_the_first_cell_installs_and_no_link_leads_into_a_checkout(site, address, line):
    downloads.open_with_install(site, "a.whl", address)
    for name in NAMES:
        notebook = read(site, name)
        nbformat.validate(notebook)
        assert line in notebook.cells[0].source.splitlines(), name
        assert sum(line in cell.source for cell in notebook.cells) == 1, name
        text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        assert not [words for words in (".ipynb)", ".md)", ".ipynb#", ".md#", "](../", "[](") if words in text], name
    goals = read(site, "01_group_sparsity").cells[1].source
    assert ("notation](https://b.org/x/book/notation.html)" in goals) == bool(address.site)


@pytest.mark.slow
def test_every_downloaded_notebook_runs_in_a_clean_environment(site, tmp_path):
    wheel = make_wheel(ROOT, tmp_path)
    python = clean_environment.make(tmp_path / "clean", wheel, {"book"}, others=("pip",))
    downloads.open_with_install(site, wheel.name, Address("", ""))
    calls = []
    for name in NAMES:
        check_parameters(read(site, name), SMALL.get(name, {}), Path(f"{name}.py"))
        folder = tmp_path / "alone" / name
        folder.mkdir(parents=True)
        notebook = Path(shutil.copy(site / downloads.FOLDER / f"{name}.ipynb", folder))
        shutil.copy(wheel, folder)
        calls.append([str(notebook), str(folder), SMALL.get(name, {})])
    environment = clean_environment.variables(python, tmp_path) | {"PIP_NO_INDEX": "1"}
    ran = subprocess.run(
        [python, "-c", RUN], input=json.dumps(calls), env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.rpartition("failed: ")[2]) == {}
    assert "told in a checkout only" in ran.stdout
    assert "There is no record in `results`" not in ran.stdout
    missed = set(re.findall(r"`gsrgnn sweep cpu --only (\w+)` makes the records", ran.stdout))
    assert not [name for name in missed if any((ROOT / "results" / name).glob("*.json"))]
