import subprocess
import sys
from pathlib import Path

import pytest

from gsrgnn.lab.experiments import EXPERIMENTS
from gsrgnn.lab.reached import reached
from gsrgnn.provenance import PACKAGE


def test_what_code_reaches_is_followed_through_packages_their_data_and_functions(tmp_path):
    package = tmp_path / "gsrgnn"
    for name, code in {
        "__init__.py": "",
        "table.csv": "1",
        "loop.py": "import torch\nfrom gsrgnn.data import load",
        "data/__init__.py": "def load(): from gsrgnn.data import maps",
        "data/files/a.npz": "",
        "data/unused.py": "",
        "data/maps.py": "import gsrgnn.loop\n'gsrgnn.data.named'",
        "data/named.py": "",
        "data/__pycache__/a.nbc": "",
        "other/__init__.py": "",
        "other/b.npz": "",
        "figures.py": "",
    }.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    found = {path.relative_to(package).as_posix() for path in reached("from gsrgnn import loop", package)}
    assert found == {
        "__init__.py",
        "table.csv",
        "loop.py",
        "data/__init__.py",
        "data/maps.py",
        "data/named.py",
        "data/files/a.npz",
    }
    assert reached("import os, gsrgnnx", package) == set()


def test_what_training_loads_is_reached_kernels_included():
    code = "from gsrgnn import kernels, training; kernels.on('cpu')"
    names = "import sys; print(*(m.__file__ for n, m in sys.modules.items() if n.partition('.')[0] == 'gsrgnn'))"
    loaded = subprocess.run([sys.executable, "-c", f"{code}; {names}"], capture_output=True, text=True, check=True)
    found = reached(code)
    assert {Path(path) for path in loaded.stdout.split()} <= found
    assert PACKAGE / "kernels" / "cpu" / "top_k.py" in found
    assert {path.relative_to(PACKAGE).parts[0] for path in found} & {"lab", "book", "cli"} == set()


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_depends_on_what_measures_and_on_nothing_that_runs_or_shows_it(experiment):
    source = PACKAGE.parent / "notebooks" / "experiments" / f"{experiment}.py"
    found = {path.relative_to(PACKAGE).as_posix() for path in reached(source.read_text())}
    assert {"lab/records.py", "lab/measure.py", "kernels/cuda/__init__.py"} <= found
    others = {"lab/sweep.py", "lab/notebooks.py", "lab/execution.py", "lab/bench/report.py", "lab/bench/targets.py"}
    others |= {
        f"{path.relative_to(PACKAGE)}" for storey in ("book", "cli") for path in (PACKAGE / storey).rglob("*.py")
    }
    assert all((PACKAGE / name).exists() for name in others)
    assert others & found == set()
