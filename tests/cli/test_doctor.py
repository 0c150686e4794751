import os
from dataclasses import replace
from importlib.util import find_spec

import pytest

from gsrgnn import jit
from gsrgnn.cli import extras
from gsrgnn.kernels.cpu import threads

with_cuda = pytest.mark.skipif(not find_spec("numba_cuda"), reason="numba-cuda is not installed")


@pytest.fixture
def compiled(monkeypatch):
    """What `report.compile_all` finds, in place of compiling all CUDA kernels; None without numba-cuda."""
    if not find_spec("numba_cuda"):
        return None
    from gsrgnn.kernels.cuda import report

    kernel = report.Compiled("top k", "9.0", registers=40, spills=0, stack=0, slow=0, threads=128, cubin=1)
    found = [kernel, replace(kernel, registers=64)]
    monkeypatch.setattr(report, "ptxas", lambda: "ptxas")
    monkeypatch.setattr(report, "compile_all", lambda capability: found)
    return found


@with_cuda
def test_doctor_says_what_the_compiler_makes_of_the_cuda_kernels(gsrgnn, monkeypatch, compiled):
    monkeypatch.setattr("gsrgnn.kernels.self_check.self_check", lambda: [])
    assert "compile sm_90: 2 kernels, at most 64 registers, no spills\n" in gsrgnn("doctor").stdout
    compiled.append(replace(compiled[0], name="sum", spills=8))
    assert "compile sm_80: 3 kernels, at most 64 registers, spills in sum\n" in gsrgnn("doctor").stdout


@with_cuda
@pytest.mark.slow
def test_doctor_compiles_the_cuda_kernels(gsrgnn):
    from gsrgnn.kernels.cuda import report

    if report.ptxas() is None:
        pytest.skip("ptxas is not installed: pip install nvidia-cuda-nvcc")
    lines = [line for line in gsrgnn("doctor").stdout.splitlines() if "compile sm_" in line]
    assert len(lines) == 2
    assert all(line.endswith("registers, no spills") for line in lines)


@pytest.mark.usefixtures("compiled")
def test_doctor_reports_versions_data_and_kernels(gsrgnn, monkeypatch):
    monkeypatch.setenv("CIRCUITNET_ROOT", os.devnull)
    monkeypatch.setattr("gsrgnn.circuits.available", lambda: ["circuitnet/sample"])
    monkeypatch.setattr("gsrgnn.kernels.self_check.self_check", lambda: [("aggregate", True, "1e-16")])
    result = gsrgnn("doctor")
    assert result.exit_code == 0
    for expected in (
        "torch ",
        "numba ",
        "CPU ",
        "GPU ",
        os.devnull,
        "circuitnet/sample",
        f"machine code     {jit.cache_folder(threads.even_bounds)}\n",
        "aggregate: ok (1e-16)",
    ):
        assert expected in result.stdout


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(("lacking", "says"), [(set(), "none"), ({"book", "cuda"}, "book, cuda")])
def test_doctor_names_the_extras_that_are_not_there(gsrgnn, monkeypatch, lacking, says):
    monkeypatch.setattr(extras, "installed", lambda extra: extra not in lacking)
    monkeypatch.setattr("gsrgnn.kernels.self_check.self_check", lambda: [])
    assert f"\nextras missing   {says}\n" in gsrgnn("doctor").stdout


@pytest.mark.usefixtures("compiled")
def test_doctor_fails_where_a_kernel_does(gsrgnn, monkeypatch):
    checks = [("group_sparse", True, "equal"), ("aggregate", False, "off by 3")]
    monkeypatch.setattr("gsrgnn.kernels.self_check.self_check", lambda: checks)
    result = gsrgnn("doctor")
    assert result.exit_code == 1
    assert "aggregate: FAILED (off by 3)" in result.stdout
    assert result.stderr == "error: kernels that do not agree with the reference: aggregate\n"
