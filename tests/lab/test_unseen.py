"""The experiment on CircuitNet's own placements, at its smallest: for who has the data it is one parameter."""

import shutil
from pathlib import Path

import pytest

from gsrgnn import circuits
from gsrgnn.lab import records
from gsrgnn.lab.experiments import Point
from gsrgnn.lab.folds import family
from gsrgnn.lab.sweep import Places, run_point

ROOT = Path(__file__).parents[2]
CIRCUITNET = [name for name in circuits.available() if name.startswith("circuitnet/")]


@pytest.mark.slow
@pytest.mark.skipif(
    not {family(name) for name in CIRCUITNET} > {"zero-riscy"}, reason="no placements under CIRCUITNET_ROOT"
)
def test_circuitnet_s_own_split_is_by_design(tmp_path):
    shutil.copytree(ROOT / "notebooks" / "experiments", tmp_path / "notebooks" / "experiments")
    parameters = {"designs": ["circuitnet/*"], "held": ["zero-riscy"], "model": "GCN", "num_layers": 1}
    point = Point("unseen", parameters | {"hidden_channels": 4, "steps": 2})
    places = Places(tmp_path, tmp_path / "results")
    assert run_point(point, places).finished
    rows = records.read(places.record(point))["rows"]
    assert {row["circuit"] for row in rows} == {name for name in CIRCUITNET if family(name) == "zero-riscy"}
    assert {family(name) for row in rows for name in row["trained_on"].split(", ")} <= {"RISCY", "RISCY-FPU"}
