from pathlib import Path

import pytest

from gsrgnn.experiments import PROFILES, parameters
from gsrgnn.notebooks import check_parameters, read_source

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_sets_parameters_that_its_notebooks_have(profile):
    for name, values in PROFILES[profile].items():
        source = NOTEBOOKS / f"{name}.py"
        check_parameters(read_source(source), values, source)


def test_an_unknown_profile_is_an_error_that_names_those_there_are():
    with pytest.raises(ValueError, match="no profile is called 'gpux': use one of smoke, cpu"):
        parameters("gpux", "11_training")
