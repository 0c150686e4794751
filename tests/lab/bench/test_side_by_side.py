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
from gsrgnn.lab.bench import record as bench_record
from gsrgnn.lab.bench import side_by_side
from gsrgnn.lab.bench.record import earlier, read
from gsrgnn.lab.bench.report import report, table
from gsrgnn.lab.bench.trainer import Trainer
from gsrgnn.lab.window import Closed, Window


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
    for figure in (figures.bench.steps(record, {}), figures.bench.memory(record)):
        texts = [text.get_text() for text in figure.axes[0].texts]
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
    assert "INCOMPLETE" in figures.bench.steps(record, {}).get_supxlabel()


def test_calls_with_a_window_measure_each_part_once(run, tmp_path, monkeypatch):
    peaks, room = [], [1]
    monkeypatch.setattr(measure, "peak_memory", lambda *given: peaks.append(given[3:]) or measure.Peak(10, 30))

    class Narrow(Window):
        """Has room for so many parts."""

        def need(self, seconds, what):
            if not room[0]:
                raise Closed(f"{what} would take longer")
            room[0] -= 1

    def call(parts):
        room[0] = parts
        return run(tmp_path, only="RevGNN csr,GSR k=4 nets", memory_layers=[1, 2], window=Narrow(60), say=said.append)

    said = []
    assert call(0)["rows"][0]["state"] == "not reached"
    assert said[-2:] == [
        "the times of all rows would take longer: the same command goes on",
        f"ended early, what was measured is kept: {tmp_path / 'record.partial.json'}",
    ]
    first = call(3)
    times = first["rows"][0]["times"]
    assert (len(times["step"]), len(peaks), first["complete"]) == (5, 2, False)
    assert read(tmp_path / "record.partial.json") == first
    assert [list(row["memory"]) for row in call(1)["rows"]] == [["1", "2"], ["1"], []]
    last = call(9)
    assert last["complete"]
    assert last["rows"][0]["times"] == times
    assert len(peaks) == 3 * 2
    assert [len(call["measured"]) for call in last["calls"]] == [0, 5, 1, 3 + 2 + 1]
    assert last["calls"][1]["measured"][:3] == ["times", "a step by kernel", "as a user runs it"]
    assert "measured in 3 calls" in report(last)
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]
    assert call(0) == last == read(tmp_path / "record.json")
    assert said[-1] == f"complete already: {tmp_path / 'record.json'}"


def test_a_window_that_closes_over_the_rounds_leaves_no_half_of_the_times(run, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "peak_memory", lambda *given: measure.Peak(10, 30))
    turns = measure.in_turn

    def closing(*given):
        for number, turn in enumerate(turns(*given)):
            if number == 4:
                raise Closed("the window is over")
            yield turn

    with monkeypatch.context() as patch:
        patch.setattr(measure, "in_turn", closing)
        partial = run(tmp_path, only="RevGNN csr,GSR k=4 nets", window=Window(60))
    assert len(partial["rows"][0]["times"]["step"]) < 5
    whole = run(tmp_path, only="RevGNN csr,GSR k=4 nets", window=Window(60))
    assert whole["complete"]
    assert read(tmp_path / "record.json") == whole


def test_other_parameters_or_other_code_start_anew(run, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "peak_memory", lambda *given: measure.Peak(10, 30))
    options = {"only": "GSR k=4 nets", "gradient_layers": (), "window": Window(60)}
    whole = run(tmp_path, **options)
    parameters = whole["parameters"]
    assert earlier(tmp_path / "record.json", parameters) == whole
    assert earlier(tmp_path / "record.json", parameters | {"steps": 6}) is None
    assert earlier(tmp_path / "none.json", parameters) is None
    monkeypatch.setattr(bench_record, "provenance", lambda: whole["provenance"] | {"code hash": "0" * 12})
    assert earlier(tmp_path / "record.json", parameters) is None


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
        stderr = CliRunner().invoke(app, ["bench", "--kernels", "--minutes", "9"]).stderr
        assert stderr == f"error: the kernel table needs a GPU: {missing}\n"
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
