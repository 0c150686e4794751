"""A small run of the bench, whole and as a record."""

import pytest

from gsrgnn.lab.bench import side_by_side

ONLY = "RevGNN edge_index,RevGNN csr,CheckpointSAGE sqrt,GSR k=4,GSR dense"
TINY = {"circuit": "synthetic/64", "hidden": 16, "layers": 2, "k": [4, 2, 8], "only": ONLY, "gradient_layers": [2]}


@pytest.fixture(scope="session")
def run():
    """Runs the bench on a small circuit, with other options where they are given, into a folder's ``record.json``."""

    def tiny(folder, **options):
        return side_by_side.run(**TINY | {"output": folder / "record.json", "say": lambda words: None} | options)

    return tiny


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Holds `record`, and nothing else."""
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="session")
def record(run, folder):
    return run(folder, memory_layers=[2, 4])
