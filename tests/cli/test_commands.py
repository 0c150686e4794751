import os
import signal
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gsrgnn import cli, jit
from gsrgnn.cli import app, parse_parameter
from gsrgnn.kernels.cpu import threads
from gsrgnn.lab import notebooks


@pytest.fixture
def gsrgnn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k=8", 8),
        ("k=1e-3", 1e-3),
        ("k=true", True),
        ("k=False", False),
        ("k=null", None),
        ("k=[1, 2]", [1, 2]),
        ("k=sparse", "sparse"),
        ("k=circuitnet/7157-a=b", "circuitnet/7157-a=b"),
        ("k='8'", "8"),
        ("k=", ""),
    ],
)
def test_parameters_are_python_values_or_words(text, value):
    assert parse_parameter(text) == ("k", value)
    assert type(parse_parameter(text)[1]) is type(value)


@pytest.mark.parametrize("text", ["k", "=8", "k k=8"])
def test_a_parameter_without_a_name_and_a_value_is_an_error(gsrgnn, text):
    result = gsrgnn("run", "page", "-p", text)
    assert result.exit_code == 1
    assert result.stderr == f"error: -p {text}: expected NAME=VALUE, as in -p k=8\n"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["-p", "k=1", "-p", "k=2"], "-p k is given more than once (1, 2): give it once"),
        (["-p", "class=3"], "-p class=3: class is a word of Python's, which no parameter can have for a name"),
        (["-p", "=3"], "-p =3: expected NAME=VALUE, as in -p k=8"),
    ],
)
@pytest.mark.parametrize("folder", [[], ["--results", "results"]])
def test_parameters_that_cannot_be_meant_are_errors(gsrgnn, given, says, folder):
    assert gsrgnn("run", "page", *given, *folder).stderr == f"error: {says}\n"


@pytest.mark.parametrize("value", [8, 1e-3, True, None, [1, 2], "sparse", "8", "true", "None", "", "a=b", "1or2", (1,)])
def test_an_option_is_read_as_the_value_that_it_was_made_of(value):
    name, read = parse_parameter(cli.as_option("k", value))
    assert (name, repr(read)) == ("k", repr(value))


@pytest.mark.parametrize("text", ["k={[]: 1}", "k=" + "[" * 10**5, "k=" + "9" * 5000])
def test_what_python_cannot_read_is_a_word(text):
    assert parse_parameter(text) == ("k", text[2:])


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (
            OSError(28, "No space left on device", "a.json"),
            1,
            "error: No space left on device: a.json; make room and call this again\n",
        ),
        (KeyboardInterrupt(), 130, "interrupted: what is finished is kept\n"),
    ],
)
def test_faults_of_the_file_system_and_ctrl_c_are_one_line(gsrgnn, monkeypatch, error, code, says):
    def run(*given, **options):
        raise error

    monkeypatch.setattr(notebooks, "run", run)
    result = gsrgnn("run", "page")
    assert (result.exit_code, result.stderr) == (code, says)


def test_sigterm_runs_what_ends_the_kernel(gsrgnn, monkeypatch):
    def run(*given, **options):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            ended.append(True)

    ended = []
    monkeypatch.setattr(notebooks, "run", run)
    assert gsrgnn("run", "page").exit_code == 128 + signal.SIGTERM
    assert ended == [True]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_run_passes_on_what_was_asked_for(gsrgnn, monkeypatch):
    calls = []
    monkeypatch.setattr(notebooks, "run", lambda *args, **options: calls.append((*args, options)))
    assert gsrgnn("run", "page", "-p", "k=8", "-p", "name=x", "--timeout", "5", "--force").exit_code == 0
    assert gsrgnn("run", "elsewhere/page.py", "-o", "made.ipynb").exit_code == 0
    here = Path.cwd()
    (first, second) = calls
    assert first[:3] == (here / "notebooks" / "page.py", here / "runs" / "page.ipynb", {"k": 8, "name": "x"})
    assert first[3] | {"say": None} == {"root": here, "timeout": 5, "force": True, "say": None}
    assert second[:3] == (Path("elsewhere/page.py"), here / "made.ipynb", {})


def test_errors_are_one_line_unless_debugging(gsrgnn):
    result = gsrgnn("run", "page")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: no notebook ")
    assert result.stderr.count("\n") == 1
    assert isinstance(gsrgnn("--debug", "run", "page").exception, FileNotFoundError)


def test_a_book_of_an_unknown_profile_or_in_another_folder_is_an_error(gsrgnn, tmp_path):
    assert gsrgnn("book").stderr.startswith("error: no _toc.yml in ")
    (tmp_path / "_toc.yml").write_text("root: index\nchapters: [{file: chapters/page}]")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "page.py").write_text("1")
    unknown = gsrgnn("book", "--profile", "huge")
    assert unknown.stderr.startswith("error: no profile is called 'huge': use one of smoke")


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


def test_doctor_fails_where_a_kernel_does(gsrgnn, monkeypatch):
    checks = [("group_sparse", True, "equal"), ("aggregate", False, "off by 3")]
    monkeypatch.setattr("gsrgnn.kernels.self_check.self_check", lambda: checks)
    result = gsrgnn("doctor")
    assert result.exit_code == 1
    assert "aggregate: FAILED (off by 3)" in result.stdout
    assert result.stderr == "error: kernels that do not agree with the reference: aggregate\n"


def test_profiles_in_the_help_are_those_there_are(gsrgnn):
    assert all(profile in gsrgnn("book", "--help").stdout for profile in cli.experiments.PROFILES)


def test_what_cannot_be_written_is_said_in_one_line(gsrgnn, tmp_path):
    (tmp_path / "a.py").write_text("# %%\n1\n")
    (tmp_path / "runs").touch()  # in the place of the folder, so that root cannot write there either
    result = gsrgnn("run", "a.py")
    assert result.exit_code == 1
    assert result.stderr == f"error: File exists: {tmp_path / 'runs'}\n"
