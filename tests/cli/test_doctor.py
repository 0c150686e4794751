import os

import pytest

from gsrgnn import jit
from gsrgnn.cli import extras
from gsrgnn.kernels.cpu import threads


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


@pytest.mark.parametrize(("lacking", "says"), [(set(), "none"), ({"book", "cuda"}, "book, cuda")])
def test_doctor_names_the_extras_that_are_not_there(gsrgnn, monkeypatch, lacking, says):
    monkeypatch.setattr(extras, "installed", lambda extra: extra not in lacking)
    monkeypatch.setattr("gsrgnn.kernels.self_check.self_check", lambda: [])
    assert f"\nextras missing   {says}\n" in gsrgnn("doctor").stdout


def test_doctor_fails_where_a_kernel_does(gsrgnn, monkeypatch):
    checks = [("group_sparse", True, "equal"), ("aggregate", False, "off by 3")]
    monkeypatch.setattr("gsrgnn.kernels.self_check.self_check", lambda: checks)
    result = gsrgnn("doctor")
    assert result.exit_code == 1
    assert "aggregate: FAILED (off by 3)" in result.stdout
    assert result.stderr == "error: kernels that do not agree with the reference: aggregate\n"
