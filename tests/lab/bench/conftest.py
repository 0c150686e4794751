"""A small run of the bench, whole and as a record."""

import os

import pytest
from filelock import FileLock

from gsrgnn.lab.bench import side_by_side
from gsrgnn.lab.bench.record import read

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
    """Holds `record`, and nothing else; the same one in all workers of a run."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "bench"
    place.mkdir(exist_ok=True)
    return place


@pytest.fixture(scope="session")
def record(run, folder):
    with FileLock(folder.with_suffix(".lock")):
        path = folder / "record.json"
        return read(path) if path.exists() else run(folder, memory_layers=[2, 4])
