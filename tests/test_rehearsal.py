"""The GPU path without a card: on the pretend one of `pretend_card`, in processes of its own."""

import json
import shutil
import subprocess
import sys

import pytest
import torch

pytest.importorskip("numba_cuda", reason="numba-cuda is not installed: pip install 'gsrgnn[cuda]'")
if torch.version.cuda is not None:
    pytest.skip(
        "the pretend card stands in a CPU build of torch: this one asks its own driver", allow_module_level=True
    )

from pretend_card import HERE, environment

from gsrgnn.lab import records
from gsrgnn.lab.experiments import EXPERIMENTS

ROOT = HERE.parents[1]
COMMAND = "-c", "from gsrgnn.cli import app; app()"
SMALLEST = {
    "circuit": "synthetic/60",
    "num_layers": 2,
    "hidden_channels": 32,
    "device": "cuda",
}
FEW = {"epochs": 2, "learning_rates": [1e-2]}
SHORTENED = {
    "depth": FEW,
    "quality": FEW | {"ks": [2], "resamples": 20},
    "beyond": FEW | {"k": 2},
    "speed": {"ks": [2]},
    "memory": {"ks": [2]},
    "profile": {},
    "ten_graphs": {"ks": [2]},
    "unseen": {"designs": ["synthetic/60", "synthetic/61", "synthetic/62"], "k": 2, "steps": 2},
}


def on_the_card(*arguments, timeout=600, cwd=ROOT, **variables):
    """What a Python says that has the card; it must end well."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
        env=environment(**variables),
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    return done.stdout


def pytest_on_the_card(*arguments, **options):
    """Runs pytest on the card; returns how many passed and the reasons of what was skipped."""
    out = on_the_card("-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *arguments, **options)
    return out


def test_the_card_is_strict():
    assert "passed" in pytest_on_the_card(HERE / "checks.py")


def test_a_graph_goes_to_the_card():
    some = "device or elsewhere"
    assert "skipped" not in pytest_on_the_card("-m", "gpu", ROOT / "tests" / "test_gpu.py", "-k", some)


@pytest.mark.slow
def test_every_gpu_test():
    out = pytest_on_the_card("-m", "gpu", ROOT / "tests", f"--ignore={__file__}", timeout=1800)
    reasons = {line.split(": ", 1)[1] for line in out.splitlines() if line.startswith("SKIPPED")}
    assert all("real card" in why or "compute-sanitizer" in why or "GB of GPU memory" in why for why in reasons), (
        reasons
    )


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment(experiment, tmp_path):
    assert EXPERIMENTS.keys() == SHORTENED.keys()
    shutil.copytree(ROOT / "notebooks" / "experiments", tmp_path / "notebooks" / "experiments")
    program = (
        "import json, sys; from pathlib import Path; from gsrgnn.lab.sweep import Places, run_point; "
        "from gsrgnn.lab.experiments import Point; "
        "status = run_point(Point(sys.argv[1], json.loads(sys.argv[2])), Places(*map(Path, sys.argv[3:]))); "
        "print(status.state)"
    )
    parameters = SMALLEST | SHORTENED[experiment]
    if "designs" in parameters:
        del parameters["circuit"]
    out = on_the_card(
        "-c",
        program,
        experiment,
        json.dumps(parameters),
        tmp_path,
        tmp_path / "results",
        PRETEND_CARD_PTX="0",
        PRETEND_CARD_BYTES=str(2**28),
    )
    assert out.split()[-1] == "done"
    (path,) = (tmp_path / "results").rglob("*.json")
    rows = records.read(path)["rows"]
    assert rows
    assert not [row for row in rows if row.get("state") == "failed"], rows


@pytest.mark.slow
def test_the_bench(tmp_path):
    only = "RevGNN csr,FusedRevGNN csr,CheckpointSAGE sqrt*nets,GSR k=2 nets"
    arguments = ["--device", "cuda", "--circuit", "synthetic/60", "--hidden", "16", "--layers", "2", "--k", "2"]
    program = (
        "from gsrgnn.cli import app; from gsrgnn.lab import kernel_table; from functools import partial; "
        "kernel_table.CIRCUITS, kernel_table.run = (), partial(kernel_table.run, widths=[32], ks=[4], repeats=1); app()"
    )
    arguments += ["--only", only, "-o", tmp_path / "bench.json"]
    out = on_the_card(
        "-c", program, "bench", *arguments, cwd=tmp_path, PRETEND_CARD_PTX="0", PRETEND_CARD_BYTES=str(2**28)
    )
    record = json.loads((tmp_path / "bench.json").read_text())
    assert record["complete"]
    assert {row["name"]: row["note"] for row in record["rows"] if row["state"] != "measured"} == {}
    assert all(row["memory"]["2"]["peak"] > 0 for row in record["rows"])
    assert [row["name"] for row in record["rows"] if "captured_seconds" in row] == ["GSR k=2 nets"]
    table = json.loads((tmp_path / "results" / "kernels-cuda.json").read_text())
    failed = {row["name"]: row["note"] for row in table["rows"] if "note" in row}
    assert failed.keys() <= {"cuSPARSE bfloat16", "torch_scatter.segment_csr"}, failed  # the CPU has no such product
    assert "aggregate_backward, nets" in out


@pytest.mark.slow
def test_a_model_is_trained_and_predicts(tmp_path):
    small = ["--device", "cuda", "--hidden", "32", "--layers", "2", "--k", "2", "--epochs", "2"]
    card = {"PRETEND_CARD_PTX": "0", "PRETEND_CARD_BYTES": str(2**28)}
    on = ("--on", "synthetic/60", "--validate", "synthetic/61")
    on_the_card(*COMMAND, "train", *on, "-o", tmp_path / "model.pt", *small, **card)
    predicted = ("synthetic/62", "--score", "-o", tmp_path / "cells.csv", "--device", "cuda")
    assert "pearson " in on_the_card(*COMMAND, "predict", tmp_path / "model.pt", *predicted, **card)


@pytest.mark.slow
def test_doctor():
    out = on_the_card(*COMMAND, "doctor")
    assert "pretend card" in out
    assert "on the GPU" in out
