"""A whole run of the bench: what it keeps when something is missing, fails or is interrupted."""

import importlib.util
import math
import sys

import pytest
from typer.testing import CliRunner

from gsrgnn import baselines
from gsrgnn.book import figures
from gsrgnn.cli import app
from gsrgnn.kernels.gpu import gpu_missing
from gsrgnn.lab import measure
from gsrgnn.lab.bench import side_by_side
from gsrgnn.lab.bench.record import read
from gsrgnn.lab.bench.report import report, table
from gsrgnn.lab.bench.trainer import Trainer


def test_a_row_that_fails_says_so_and_the_others_go_on(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_scatter", None)
    monkeypatch.setattr(baselines.FusedRevGNN, "run", lambda *given: (_ for _ in ()).throw(MemoryError()))
    monkeypatch.setattr(measure, "peak_memory", lambda *given: measure.Peak(10, 30))
    record = run(tmp_path, only="RevGNN segment_csr,RevGNN nets,FusedRevGNN csr,GSR k=4 nets")
    states = {row["name"]: (row["state"], row["note"]) for row in record["rows"]}
    state, note = states["RevGNN segment_csr"]
    assert state == "not installed"
    assert note.startswith("aggregation 'segment_csr' needs torch_scatter, which is not installed")
    assert states["FusedRevGNN csr"] == ("failed", "out of memory")
    assert states["RevGNN nets"] == states["GSR k=4 nets"] == ("measured", "")
    assert read(tmp_path / "record.json") == record
    assert math.isnan(table(record).loc["FusedRevGNN csr", "step ms"])
    for line in (
        "RevGNN segment_csr: not installed: aggregation 'segment_csr' ",
        "FusedRevGNN csr: failed: out of memory",
    ):
        assert line in report(record)
    for draw in (figures.bench.steps, figures.bench.memory):
        texts = [text.get_text() for text in draw(record).axes[0].texts]
        assert texts.count("not installed") == 1


def test_rows_over_the_limit_are_left_out(run, tmp_path, monkeypatch):
    seconds = {"RevGNN edge_index": 3.0, "RevGNN csr": 1.0}
    plain = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda self: plain(self) | {"step": seconds[self.name]})
    plain_init = Trainer.__init__
    monkeypatch.setattr(
        Trainer,
        "__init__",
        lambda self, row, *given: setattr(self, "name", row.name) or plain_init(self, row, *given),
    )
    monkeypatch.setattr(measure, "peak_memory", lambda *given: measure.Peak(10, 30))
    record = run(tmp_path, only="RevGNN edge_index,RevGNN csr*", layers=2, memory_layers=[1, 4], limit=3.5)
    edge_index, csr = record["rows"]
    assert edge_index["state"] == "left out"
    assert edge_index["note"] == "a step of 2 layers would take about 6 s, over the limit of 3.5 s"
    assert edge_index["memory"] == {
        "1": {"before": 10, "peak": 30},
        "4": {"note": "a step of 4 layers would take about 12 s, over the limit of 3.5 s"},
    }
    assert csr["state"] == "measured"
    assert "note" in csr["memory"]["4"]


@pytest.mark.parametrize("where", ["rounds", "memory"])
def test_ctrl_c_keeps_what_was_measured_and_no_half_of_a_record(run, tmp_path, monkeypatch, where):
    def interrupt(*given):
        raise KeyboardInterrupt

    kept = tmp_path / "record.json"
    kept.write_text("of an earlier run")
    if where == "memory":
        monkeypatch.setattr(measure, "peak_memory", interrupt)
    else:
        turns = measure.in_turn
        monkeypatch.setattr(
            measure, "in_turn", lambda *given: (interrupt() if n == 4 else turn for n, turn in enumerate(turns(*given)))
        )
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, only="RevGNN csr,GSR k=4")
    assert kept.read_text() == "of an earlier run"
    partial = tmp_path / "record.partial.json"
    assert sorted(tmp_path.iterdir()) == [kept, partial]
    record = read(partial)
    assert not record["complete"]
    assert record["rows"][0]["state"] == "measured"
    assert report(record).startswith("INCOMPLETE")
    assert "INCOMPLETE" in figures.bench.steps(record).get_supxlabel()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"device": "tpu"}, "device is 'tpu': the bench runs on 'cpu' or 'cuda'"),
        ({"steps": 4}, "steps is 4: it takes a whole number, at least 5"),
        ({"layers": 0}, "layers is 0"),
        ({"hidden": 15}, "hidden is 15"),
        ({"k": [0]}, "k is 0"),
        ({"memory_layers": [0]}, "memory_layers is 0"),
        ({"limit": 0}, "limit is 0"),
        ({"circuit": "synthetic/none"}, "no circuit 'synthetic/none'"),
        ({"only": "GAT"}, "no row matches 'GAT'"),
        ({"output": "record.txt"}, "record.txt: a record's name ends in .json"),
    ],
)
def test_bad_arguments(run, tmp_path, options, match):
    with pytest.raises(ValueError, match=match):
        run(tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_nothing_is_measured(run, tmp_path, monkeypatch):
    monkeypatch.setattr(side_by_side, "measure_times", lambda *given: pytest.fail("measured"))
    (tmp_path / "record.json").mkdir()
    with pytest.raises(IsADirectoryError):
        run(tmp_path)


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(measure, "peak_memory", lambda *given: measure.Peak(10, 30))
    arguments = [
        "bench",
        "--circuit",
        "synthetic/64",
        "--hidden",
        "16",
        "--layers",
        "1",
        "--k",
        "4,2",
        "--only",
        "GSR k=4,RevGNN csr",
        "--gradient-layers",
        "2",
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    assert "GSR k=4 nets" in result.stdout
    assert read("results/bench-synthetic-64-16-1.json")["parameters"]["k"] == [4, 2]
    if missing := gpu_missing():
        stderr = CliRunner().invoke(app, ["bench", "--device", "cuda"]).stderr
        assert stderr == f"error: device is 'cuda' and no GPU can be used: {missing}\n"
    wrong = CliRunner().invoke(app, ["bench", "--k", "4;8"])
    assert wrong.stderr == "error: --k 4;8: expected whole numbers and commas, as in 4,8,16\n"

    def interrupted(**options):
        raise KeyboardInterrupt

    monkeypatch.setattr(side_by_side, "run", interrupted)
    assert CliRunner().invoke(app, ["bench"]).exit_code == 130


@pytest.mark.skipif(
    importlib.util.find_spec("torch_scatter") is None, reason="torch_scatter is not installed: make baselines"
)
def test_the_row_of_torch_scatter(run, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "peak_memory", lambda *given: measure.Peak(10, 30))
    (row,) = run(tmp_path, only="GraphSAGE segment")["rows"]
    assert row["state"] == "measured"
