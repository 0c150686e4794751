import os
import signal
import time

import pytest

from gsrgnn.lab import notebooks

pytestmark = pytest.mark.usefixtures("checkout")


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


def test_errors_are_one_line_unless_debugging(gsrgnn):
    result = gsrgnn("run", "page")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: no notebook ")
    assert result.stderr.count("\n") == 1
    assert isinstance(gsrgnn("--debug", "run", "page").exception, FileNotFoundError)
