"""The model that comes with the package fits today's features, and its card is its own."""

import shlex

import pytest

from gsrgnn import circuits, load_model, model_file, shipped
from gsrgnn.circuits.data import FEATURES
from gsrgnn.lab.card import card
from gsrgnn.lab.prediction import predict_circuit

ABOUT = model_file.about(shipped.MODEL)


def test_it_takes_what_this_package_makes():
    names, _ = FEATURES[ABOUT["features"]]
    assert ABOUT["feature_names"] == names, "the features changed: make the model again, by its card's last lines"
    assert load_model(shipped.MODEL).in_channels == len(names)
    assert shipped.MODEL.stat().st_size < 2_000_000


def test_its_circuits_ship_and_those_it_was_tested_on_were_held_out():
    parts = [ABOUT[part] for part in ("trained_on", "validated_on", "tested_on")]
    names = [name for part in parts for name in part]
    assert set(names) == set(circuits.packaged.names())
    assert len(names) == len(set(names))
    assert all(parts)


def test_its_card_is_made_of_what_the_file_says():
    text = card(ABOUT, shipped.MODEL.name)
    assert shipped.MODEL.with_suffix(".md").read_text(encoding="utf-8") == text
    assert shlex.split(ABOUT["command"])[:2] == ["gsrgnn", "train"]
    assert ABOUT["command"].endswith("-o gsrgnn/shipped/congestion.safetensors")


@pytest.mark.parametrize("name", ABOUT["tested_on"])
def test_it_knows_something_of_a_circuit_that_it_has_not_seen(name):
    (row,) = [row for row in ABOUT["scores"] if row["circuit"] == name]
    assert row["pearson"] > 0.4
    found = predict_circuit(shipped.NAME, name).scores  # by today's features, whose names may be what they were
    assert found["pearson"] == pytest.approx(row["pearson"], abs=0.01)
