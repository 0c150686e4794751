import pytest
from small_design import small_design, write_design


@pytest.fixture
def design(tmp_path):
    """The small design's files in the demo's layout, by kind, under `tmp_path`."""
    return write_design(tmp_path, small_design())
