import subprocess
import sys
from importlib.metadata import version

import pytest

import gsrgnn as package


@pytest.mark.parametrize("before", [[], ["--debug"]])
@pytest.mark.parametrize("after", [[], ["no such command"]])
def test_the_version_is_one_line(gsrgnn, before, after):
    result = gsrgnn(*before, "--version", *after)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"gsrgnn {package.__version__}\n" == f"gsrgnn {version('gsrgnn')}\n"


def test_the_package_runs_as_a_module():
    result = subprocess.run([sys.executable, "-m", "gsrgnn", "no-such"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    assert "python -m gsrgnn" in result.stderr
