from importlib.metadata import version

import pytest

import gsrgnn as package


@pytest.mark.parametrize("before", [[], ["--debug"]])
@pytest.mark.parametrize("after", [[], ["no such command"]])
def test_the_version_is_one_line(gsrgnn, before, after):
    result = gsrgnn(*before, "--version", *after)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"gsrgnn {package.__version__}\n" == f"gsrgnn {version('gsrgnn')}\n"
