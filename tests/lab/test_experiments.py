from pathlib import Path

import pytest

from gsrgnn import circuits
from gsrgnn.circuits import table1
from gsrgnn.lab.experiments import EXPERIMENTS, PROFILES, SWEEPS, Point, parameters, points
from gsrgnn.lab.notebooks import check_parameters, read_source, tags

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_sets_parameters_that_its_notebooks_have(profile):
    for name, values in PROFILES[profile].items():
        source = NOTEBOOKS / f"{name}.py"
        check_parameters(read_source(source), values, source)


def test_an_unknown_profile_is_an_error_that_names_those_there_are():
    with pytest.raises(ValueError, match="no profile is called 'gpux': use one of smoke, cpu, deep, gpu, paper"):
        parameters("gpux", "11_training")
    with pytest.raises(ValueError, match="no profile is called 'gpux': use one of smoke, cpu, deep, gpu, paper"):
        points("gpux")
    with pytest.raises(ValueError, match="no experiment is called 'depht': use one of depth, profile, quality, speed,"):
        points("smoke", ["depht"])


@pytest.fixture(scope="module")
def sources():
    return {name: read_source(NOTEBOOKS / "experiments" / f"{name}.py") for name in EXPERIMENTS}


def test_every_experiment_has_a_notebook_that_opens_with_a_title_and_publishes_once(sources):
    assert set(EXPERIMENTS) == {path.stem for path in (NOTEBOOKS / "experiments").glob("*.py")}
    for name, notebook in sources.items():
        assert notebook.cells[0].source.startswith("# ")
        assert sum("parameters" in tags(cell) for cell in notebook.cells) == 1
        assert notebook.cells[-1].source.count("publish(") == 1, name


@pytest.mark.parametrize("profile", SWEEPS)
def test_every_point_sets_parameters_that_its_notebook_has_and_has_a_name_of_its_own(profile, sources):
    found = points(profile)
    names = {(point.experiment, point.name) for point in found}
    assert len(names) == len(found)
    assert all(point.estimate > 0 and len(point.name) <= 100 for point in found)
    without = {
        "gpu": {"beyond", "ten_graphs", "unseen"},
        "cpu": {"ten_graphs"},
        "deep": {"beyond", "unseen"},
        "paper": {"ten_graphs"},
    }
    assert {point.experiment for point in found} == set(EXPERIMENTS) - without.get(profile, set())
    for point in found:
        check_parameters(sources[point.experiment], point.parameters, Path(point.experiment))
    assert {point.experiment for point in points(profile, ["speed", "depth"])} == {"speed", "depth"}


def test_the_paper_s_grid_is_whole():
    found = points("paper")
    deep = [p.parameters for p in found if p.experiment == "depth" and p.parameters["model"] == "GSRGNN"]
    assert len(deep) == 10 * 2 * 11 * 3
    assert {(p["hidden_channels"], p["epochs"], p["seed"]) for p in deep} == {
        (width, 250, seed) for width in (256, 384) for seed in range(3)
    }
    assert {p["num_layers"] for p in deep} == {2, *range(10, 101, 10)}
    assert {tuple(p.parameters["ks"]) for p in found if p.experiment in ("quality", "speed")} == {(4, 8, 16, 32, 64)}


def test_the_deep_profile_is_about_ten_hours_and_compares_what_it_has_trained():
    found = points("deep")
    assert 8 * 3600 < sum(point.estimate for point in found) < 12 * 3600
    trained = [point.parameters for point in found if point.experiment == "depth"]
    shared = ("circuit", "hidden_channels", "num_layers", "epochs", "learning_rates", "tuning_layers", "seed")

    def run(parameters, model, k=8):
        return [str(parameters[name]) for name in shared] + [model, k if model == "GSRGNN" else None]

    there = [run(each, each["model"], each.get("k", 8)) for each in trained if not {"dropout", "residual"} & set(each)]
    for compared in (point.parameters for point in found if point.experiment == "quality"):
        assert run(compared, "RevGNN") in there
        assert all(run(compared, "GSRGNN", k) in there for k in compared["ks"])
    for each in trained:
        assert each["tuning_layers"] in (10, 40)
        assert each["tuning_layers"] <= max(10, each["num_layers"])


def test_real_circuits_are_those_that_are_there(monkeypatch):
    monkeypatch.setattr(circuits, "available", lambda: ["riscv/picorv32"])
    assert {p.parameters["circuit"] for p in points("cpu")} == {"riscv/cv32e40p", "riscv/picorv32"}
    of_one = [p.parameters for p in points("paper") if p.experiment != "unseen"]
    assert {p["circuit"] for p in of_one} == {f"synthetic/{row.code}" for row in table1.rows()}
    own = [f"circuitnet/{row.name}" for row in table1.rows()]
    monkeypatch.setattr(circuits, "available", lambda: [*own, "circuitnet/2017-RISCY-b-1-c2-u0.7-m1-p6-f0"])
    assert {p.parameters["circuit"] for p in points("paper") if p.experiment != "unseen"} == set(own)
    assert {p.parameters["circuit"] for p in points("cpu")} == {own[-1], "circuitnet/2017-RISCY-b-1-c2-u0.7-m1-p6-f0"}


def test_a_point_s_name_can_be_read_and_follows_every_parameter():
    point = Point("depth", {"circuit": "riscv/picorv32", "num_layers": 10, "learning_rates": [1e-3, 1e-2]})
    assert point.name.startswith("riscv-picorv32_10-")
    assert point.name == Point("depth", dict(reversed(point.parameters.items()))).name.replace(
        "10_riscv-picorv32", "riscv-picorv32_10"
    )
    other = Point("depth", point.parameters | {"learning_rates": [1e-3]})
    assert other.name != point.name


def test_unseen_holds_out_what_ships_and_r2g_s_where_it_is_found(monkeypatch):
    names = ["riscv/picorv32-small", "riscv/ibex", "crypto/sha256", "bus/axi-crossbar", "synthetic/5000"]
    monkeypatch.setattr(circuits, "available", lambda: [*names, "circuitnet/2017-RISCY-b-1-c2-u0.7-m1-p6-f0"])
    found = [p.parameters for p in points("cpu") if p.experiment == "unseen"]
    assert {(*p["designs"],) for p in found} == {(*names[:4],)}
    assert {(*p["test_only"],) for p in found} == {("riscv/ibex",)}
    first = found[:9]
    assert {(p["model"], p["num_layers"]) for p in first} == {
        *((model, depth) for model in ("GSRGNN", "RevGNN", "GraphSAGE", "GCN") for depth in (4, 10)),
        ("tree", 0),
    }
    assert all((p["split"], p["features"], p["seed"]) == ("family", "placed", 0) for p in first)
    held_out = {(p["model"], p["num_layers"], p["features"], p["seed"]) for p in found if p["split"] == "family"}
    assert len(held_out) == 2 * (4 * 3 * 3 + 1)  # both sets of features: models, depths, seeds; and the tree
    with_r2g = [*names, "r2g/fir", "r2g/spi_top", "r2g/i2c_verilog"]
    monkeypatch.setattr(circuits, "available", lambda: with_r2g)
    assert {(*p.parameters["designs"],) for p in points("cpu", ["unseen"])} == {(*names[:4],), (*with_r2g[5:],)}


def test_who_has_circuitnet_s_data_holds_out_zero_riscy_as_its_official_split_does(monkeypatch):
    own = [f"circuitnet/{row.name}" for row in table1.rows()]
    monkeypatch.setattr(circuits, "available", lambda: own)
    found = [p.parameters for p in points("paper", ["unseen"])]
    assert {(*p["designs"], *p["held"]) for p in found} == {("circuitnet/*", "zero-riscy")}
