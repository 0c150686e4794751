"""The estimate beside what was measured: within a factor that makes a plan of windows worth having."""

import re
from pathlib import Path
from statistics import median

import pytest

from gsrgnn.circuits import table1
from gsrgnn.lab import estimate, limits, records, step_model, sweep
from gsrgnn.lab.experiments import EXPERIMENTS, Point

ROOT = Path(__file__).parents[2]


def test_it_is_near_what_the_records_of_two_cores_took():
    found, _ = records.read_all(ROOT / "results")
    ratios = [
        record["seconds"] / (sweep.STARTUP + Point(record["experiment"], record["parameters"]).estimate)
        for record in found
        if record["provenance"]["GPU"] == "none" and record["provenance"]["cores"].startswith("2")
        if record["experiment"] != "unseen"  # whose points had one core each, and other work beside them
    ]
    assert 1 / 2 < median(ratios) < 2
    assert sum(1 / 3 < ratio < 3 for ratio in ratios) > 0.9 * len(ratios)


@pytest.mark.parametrize("code", ["356-R", "5324-F"])
def test_a_step_on_a_gpu_takes_about_one_to_three_times_the_least_that_it_can(code):
    (row,) = (row for row in table1.rows() if row.code == code)
    setting = estimate.Setting(estimate.H100, row.nodes, row.edges, 384)
    card, sizes = step_model.read_once(limits.H100), step_model.Sizes(row.nodes, row.edges)
    least = [(step_model.revgnn(card, sizes, 384, 100), setting.step(100, "RevGNN", "edge_index"))]
    least += [
        (step_model.gsr(card, sizes, 384, 100, k, "edges", "aggregate"), setting.step(100, "GSRGNN", "edges", k))
        for k in (4, 16, 64)
    ]
    for parts, expected in least:
        assert 0.9 * step_model.seconds(parts) <= expected <= 3 * step_model.seconds(parts)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_grows_with_depth_and_width_and_circuit(name, device):
    given = {
        "circuit": "synthetic/356-R",
        "model": "RevGNN",
        "num_layers": 10,
        "hidden_channels": 64,
        "k": 8,
        "ks": [4, 16],
        "epochs": 10,
        "learning_rates": [1e-3],
        "device": device,
    }
    designs = {"designs": ["synthetic/356-R", "riscv/ibex"], "steps": 10}
    larger = {"circuit": "synthetic/5324-F", "designs": ["synthetic/5324-F", "riscv/ibex"]}
    least = Point(name, given | designs).estimate
    assert least > 0
    for more in ({"num_layers": 100}, {"hidden_channels": 384}, larger):
        assert Point(name, given | designs | more).estimate > least
    unknown = {"circuit": "riscv/picorv32", "designs": ["r2g/none", "circuitnet/*"]}
    assert Point(name, given | designs | unknown).estimate > 0


def test_unseen_trains_a_model_for_each_family_and_none_on_what_is_only_tested():
    given = {"designs": ["riscv/ibex", "riscv/picorv32", "dsp/fft", "crypto/sha256"], "num_layers": 4, "steps": 900}
    given |= {"model": "GSRGNN", "hidden_channels": 64}
    apart = Point("unseen", given).estimate
    assert apart > 2 * Point("unseen", given | {"split": "cell"}).estimate
    assert apart > 2 * Point("unseen", given | {"held": ["dsp"]}).estimate
    assert apart > Point("unseen", given | {"test_only": ["riscv/ibex"]}).estimate
    assert Point("unseen", given | {"model": "tree"}).estimate < apart / 2


@pytest.mark.parametrize("name", estimate.CONTENDERS)
def test_the_contenders_are_the_notebook_s(name):
    source = (ROOT / "notebooks" / "experiments" / f"{name}.py").read_text()
    (found,) = re.findall(r'(?:contenders = |only=)"(.*)"', source)
    assert found == estimate.CONTENDERS[name]
