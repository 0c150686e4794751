"""The wheel, installed where there is what it asks for and nothing else, and its commands in an empty folder."""

import json
import subprocess
from pathlib import Path
from zipfile import ZipFile

import clean_environment
import pytest
from clean_environment import PIP

from gsrgnn.book.site.wheel import NAME
from gsrgnn.book.site.wheel import make as make_wheel
from gsrgnn.lab.records import sound_files

ROOT = Path(__file__).parents[1]
INVOKE = """
import json, os, sys
from gsrgnn.cli import app
from typer.testing import CliRunner
results = []
for folder, command in json.loads(sys.argv[1]):
    os.chdir(folder)
    result = CliRunner().invoke(app, command.split())
    results.append([result.exit_code, result.stdout, result.stderr])
print(json.dumps(results))
"""
IMPORT = """
import importlib, json, pkgutil
import gsrgnn
missing = {}
for module in pkgutil.walk_packages(gsrgnn.__path__, "gsrgnn."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        missing[module.name] = error.name
print(json.dumps([missing, gsrgnn.circuits.load("riscv/picorv32").num_nodes]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return make_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def clean(wheel, tmp_path_factory):
    """Runs a command there, in an empty folder or in `cwd`."""
    home = tmp_path_factory.mktemp("home")
    python = clean_environment.make(tmp_path_factory.mktemp("clean"), wheel)
    subprocess.run([*PIP, "--python", python, "install", "--no-index", "--no-deps", wheel], check=True)

    def run(*command, cwd=None):
        environment = clean_environment.variables(python, home)
        cwd = cwd or tmp_path_factory.mktemp("empty")
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)

    return run


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel):
    with ZipFile(wheel) as archive:
        there = {name for name in archive.namelist() if ".dist-info/" not in name}
        (entry_points,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        assert "gsrgnn = gsrgnn.cli:app" in archive.read(entry_points).decode()
    files = (path for path in (ROOT / "gsrgnn").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert wheel.name == NAME
    records = {
        f"gsrgnn_records/{path.relative_to(ROOT / 'results').as_posix()}" for path in sound_files(ROOT / "results")
    }
    assert records
    assert there - {path.relative_to(ROOT).as_posix() for path in files} == records
    assert {"gsrgnn/circuits/packaged_data/picorv32.npz", "gsrgnn/lab/record.schema.json"} < there
    assert {"gsrgnn/shipped/congestion.safetensors", "gsrgnn/shipped/congestion.md"} < there
    assert {f"gsrgnn/book/data/{name}" for name in ("errata.yml", "reported.csv", "table2.csv")} < there


def test_each_command_helps_and_says_what_it_needs(clean, tmp_path):
    helps = [
        "--help",
        *(
            f"{name} --help"
            for name in ("train", "predict", "run", "book", "sweep", "programme", "scoreboard", "bench", "doctor")
        ),
    ]
    helps += ["data --help", *(f"data {name} --help" for name in ("fetch", "build", "list", "table"))]
    on_checkouts = ["run depth", "book", "sweep smoke", "programme", "scoreboard"]
    outside, checkout = tmp_path / "outside", tmp_path / "checkout"
    outside.mkdir()
    (checkout / "notebooks").mkdir(parents=True)
    (checkout / "_toc.yml").touch()
    calls = [(str(outside), command) for command in [*helps, *on_checkouts, "run own.py", "data list"]]
    calls += [(str(checkout), command) for command in on_checkouts]
    ran = clean("python", "-c", INVOKE, json.dumps(calls))
    assert ran.returncode == 0, ran.stderr
    results = dict(zip(calls, json.loads(ran.stdout), strict=True))
    for command in helps:
        code, out, err = results[str(outside), command]
        assert (code, err) == (0, ""), command
        assert out.startswith("Usage: "), command
    for command in on_checkouts:
        name = command.removesuffix(" smoke")
        needs_one = (
            f"needs a checkout of the repository, which {outside} is not: "
            "git clone it, pip install '.[book]' and call this in its folder"
        )
        assert results[str(outside), command] == [1, "", f"error: gsrgnn {name} {needs_one}\n"]
        needs_extra = "needs the extra book: pip install 'gsrgnn[book]'"
        assert results[str(checkout), command] == [1, "", f"error: gsrgnn {name} {needs_extra}\n"]
    assert results[str(outside), "run own.py"] == [1, "", f"error: gsrgnn run own.py {needs_extra}\n"]
    code, out, err = results[str(outside), "data list"]
    assert code == 0
    assert "riscv/picorv32" in out.split()


def test_what_the_library_and_the_bench_import_is_there_and_a_circuit_loads(clean):
    ran = clean("python", "-c", IMPORT)
    assert ran.returncode == 0, ran.stderr
    missing, cells = json.loads(ran.stdout)
    assert cells == 13786
    rooms = ("gsrgnn.book", "gsrgnn.kernels.cuda")
    lab = {f"gsrgnn.lab.{name}" for name in ("execution", "notebooks", "parameters", "programme", "sweep")}
    assert {name for name in missing if not name.startswith(rooms)} == lab
    assert set(missing.values()) <= {"IPython", "docutils", "jupytext", "matplotlib", "nbformat", "yaml", "numba_cuda"}


@pytest.mark.slow
def test_the_model_that_ships_predicts(clean, tmp_path):
    ran = clean("gsrgnn", "predict", "shipped", "riscv/picorv32-small", "-o", "cells.csv", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "pearson " in ran.stdout
    assert "note: NRMS, SSIM and EMD need scikit-image: pip install 'gsrgnn[book]'\n" in ran.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells.csv", "cells.gcells.csv"]
    picture = clean("gsrgnn", "predict", "shipped", "riscv/picorv32-small", "--picture", "die.png", cwd=tmp_path)
    assert picture.stderr == "error: gsrgnn predict --picture needs the extra book: pip install 'gsrgnn[book]'\n"


@pytest.mark.slow
def test_the_wheel_s_kernels_bench_and_tables_work(clean, tmp_path):
    doctor = clean("gsrgnn", "doctor")
    assert doctor.returncode == 0, doctor.stderr
    assert "extras missing   baselines, book, cuda\n" in doctor.stdout
    assert doctor.stdout.count(": ok (") > 5
    size = "--circuit synthetic/300 --hidden 16 --layers 2 --k 4 --gradient-layers 2"
    bench = clean("gsrgnn", "bench", *size.split(), "--only", "GSR k=4 nets", cwd=tmp_path)
    assert bench.returncode == 0, bench.stderr
    assert "GSR" in bench.stdout
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["bench-synthetic-300-16-2.json"]
    table = clean("gsrgnn", "data", "table", "synthetic/64", "--json", cwd=tmp_path)
    assert table.returncode == 0, table.stderr
    assert (tmp_path / "results" / "circuits.json").exists()
