import pandas as pd
import pytest
import small_def
from readme_lines import PREDICT, README, commands, program
from typer.testing import CliRunner

from gsrgnn import load_model
from gsrgnn.cli import app


def test_its_lines_train_a_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(program(README), names)
    assert names["prediction"].shape == (600, 1)
    assert set(names["result"].test) == {"pearson", "spearman", "kendall", "r2"}


def test_the_page_on_predictions_has_the_same_commands():
    assert commands(PREDICT) == commands()


@pytest.mark.filterwarnings("ignore:simulated label")
def test_the_lines_of_the_page_for_own_code_run_one_after_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small_def.write(tmp_path, name="mine_route.def.gz")
    names = {}
    exec(program(), names)
    assert len(names["result"].history) == 4
    assert names["prediction"].shape == (600, 1)
    assert load_model("run.safetensors")(names["data"].x, names["graph"]).shape == (600, 1)


def test_its_commands_train_and_predict(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small_def.write(tmp_path, name="mine.def.gz")
    assert [command[0] for command in commands()] == ["predict", "predict", "train", "predict"]
    for command in commands():
        ran = CliRunner().invoke(app, command)
        assert ran.exit_code == 0, ran.output
        assert command[0] == "train" or "pearson " in ran.stdout
        assert ("R² is below 0" in ran.stderr) == ("r2 -" in ran.stdout)
    written = {f"{name}{ending}" for name in ("ibex", "mine") for ending in (".csv", ".gcells.csv", ".png")}
    assert {path.name for path in tmp_path.iterdir()} == {"model.pt", "mine.def.gz", *written}
    assert len(pd.read_csv("ibex.csv")) == 34367
