"""The side by side: its rows, what they say when something is missing, and records that cannot be trusted."""

import copy
import importlib.util
import json
import math

import pytest
from typer.testing import CliRunner

from gsrgnn import baselines
from gsrgnn.book import figures
from gsrgnn.cli import app
from gsrgnn.kernels.gpu import gpu_missing
from gsrgnn.lab import bench, measure

ONLY = "RevGNN edge_index,RevGNN csr,CheckpointSAGE sqrt,GSR k=4,GSR dense"
TINY = {"circuit": "synthetic/64", "hidden": 16, "layers": 2, "k": [4, 2, 8], "only": ONLY, "gradient_layers": [2]}


def run(folder, **options):
    return bench.run(**TINY | {"output": folder / "record.json", "say": lambda words: None} | options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def record(folder):
    return run(folder, memory_layers=[2, 4])


def test_the_record_is_whole_and_reads_back(record, folder):
    assert bench.read(folder / "record.json") == record
    assert [path.name for path in folder.iterdir()] == ["record.json"]
    assert record["complete"]
    assert [row["name"] for row in record["rows"]] == [
        "RevGNN edge_index",
        "RevGNN csr",
        "FusedRevGNN csr",
        "CheckpointSAGE sqrt(L) csr",
        "CheckpointSAGE sqrt(L) nets",
        "GSR k=4 edges",
        "GSR k=4 nets",
        "GSR dense k=4 nets",
    ]
    for row in record["rows"]:
        assert row["state"] == "measured", row["note"]
        assert row["seconds"]["step"] >= row["seconds"]["forward"] > 0
        assert all(memory["peak"] > memory["before"] > 0 for memory in row["memory"].values())


def test_a_step_by_kernel(record):
    """Two layers: what Algorithm 1 does a layer, forward and once more going back."""
    profile = {entry["name"]: entry for entry in record["profile"]}
    assert {entry["row"] for entry in record["profile"]} == {"GSR k=4 nets"}
    assert {
        name: profile[name]["calls"]
        for name in (
            "to_fixed",
            "group_sparse_fixed",
            "add_layer_norm",
            "undo_layer_norm",
            "scatter_fixed",
            "scatter_over",
        )
    } == {
        "to_fixed": 2,
        "group_sparse_fixed": 6,
        "add_layer_norm": 4,
        "undo_layer_norm": 4,
        "scatter_fixed": 2,
        "scatter_over": 2,
    }
    assert profile["to_fixed"]["moved_bytes"] == 2 * 2 * 64 * 8 * 4
    seconds = [entry["seconds"] for entry in record["profile"]]
    assert seconds == sorted(seconds, reverse=True)
    assert min(seconds) > 0


def test_every_row_of_the_full_table():
    names = [row.name for row in bench.rows(384, [64, 4, 8, 16, 32, 192, 4])]
    assert len(names) == len(set(names)) == 15 + 3 + 4 + 10 + 3
    assert {
        "GCN nets",
        "GraphSAGE segment_csr",
        "RevGNN edges",
        "FusedRevGNN nets",
        "CheckpointSAGE each layer nets",
        "GSR k=64 edges",
        "GSR dense k=16 nets",
    } <= set(names)
    assert [r.options["k"] for r in bench.rows(32, [4, 8, 16], "GSR k*nets")] == [4, 8]
    assert [row.name for row in bench.rows(32, [4], "*GNN csr, GSR k=4 n")] == [
        "RevGNN csr",
        "FusedRevGNN csr",
        "GSR k=4 nets",
    ]
    with pytest.raises(ValueError, match="no row matches 'GAT': there are GCN edge_index, "):
        bench.rows(32, [4], "GAT")


def test_sqrt_checkpoints_follow_the_depth():
    row = next(row for row in bench.rows(16, [4]) if row.name == "CheckpointSAGE sqrt(L) csr")
    assert [row.make(5, 16, layers).segment for layers in (1, 10, 100)] == [1, 3, 10]


def test_the_table_is_arithmetic_on_the_record(record):
    record = copy.deepcopy(record)
    for row, step in zip(record["rows"], (8.0, 4.0, 2.0, 2.5, 3.0, 0.5, 0.25, 1.0), strict=True):
        row["seconds"] = {"forward": 0.1, "backward": 0.2, "step": step}
    record["floor"]["seconds"] = 0.125
    record["rows"][6]["memory"]["4"] = {"before": 10 * 10**6, "peak": 25 * 10**6}
    table = bench.table(record)
    assert bench.best_peer(record)["name"] == "FusedRevGNN csr"
    assert list(table["RevGNN edge_index / this"]) == [1, 2, 4, 3.2, 8 / 3, 16, 32, 8]
    assert table.loc["GSR k=4 nets", "best peer / this"] == 8
    assert table.loc["GSR k=4 nets", "this / floor"] == 2
    assert table.loc["GSR k=4 nets", "growth MB, 4 layers"] == 15
    assert table.loc["GSR k=4 nets", "step ms"] == 250
    text = bench.report(record)
    for part in ("best peer  FusedRevGNN csr, 2,000.0 ms", "synthetic/64: 64 cells", "floor      125.0 ms"):
        assert part in text


def test_observations_are_flat_a_row_and_depth(record):
    found = bench.observations(record)
    assert [(o["contender"], o["memory_layers"]) for o in found[:3]] == [
        ("RevGNN edge_index", 2),
        ("RevGNN edge_index", 4),
        ("RevGNN csr", 2),
    ]
    assert len(found) == 2 * len(record["rows"])
    first = found[1]
    assert first["step_low"] <= first["step_seconds"] == record["rows"][0]["seconds"]["step"] <= first["step_high"]
    assert first["memory_peak"] == record["rows"][0]["memory"]["4"]["peak"]
    assert all(isinstance(value, int | float | str) for o in found for value in o.values())


def test_the_floor_counts_the_products_and_the_streams(monkeypatch):
    shapes = []
    monkeypatch.setattr(measure, "product_seconds", lambda *shape, device: shapes.append(shape) or 0.5)
    monkeypatch.setattr(measure, "copy_speed", lambda *size, device: 1000.0)
    least = bench.floor(nodes=100, features=7, hidden=16, layers=3, pins=50)
    model = bench.rows(16, [4], "GSR k=4 nets")[0].make(7, 16, 3)
    parameters = sum(p.numel() for p in model.parameters())
    assert shapes == [(100, 8, 8), (8, 100, 8), (100, 7, 16), (7, 100, 16)]
    assert least["products_seconds"] == 0.5 * (3 * 8 + 2)
    assert least["multiplications"] == 3 * 8 * 100 * 8 * 8 + 2 * 100 * 7 * 16
    assert least["streamed_bytes"] == 4 * (3 * 6 * 100 * 16 + 7 * parameters + 100 * 7 + 2 * 50)
    assert least["seconds"] == least["products_seconds"] + least["streamed_bytes"] / 1000


def test_a_row_that_fails_says_so_and_the_others_go_on(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch_scatter", None)
    monkeypatch.setattr(baselines.FusedRevGNN, "run", lambda *given: (_ for _ in ()).throw(MemoryError()))
    monkeypatch.setattr(measure, "peak_memory", lambda *given: measure.Peak(10, 30))
    record = run(folder, only="RevGNN,GSR k=4 nets")
    states = {row["name"]: (row["state"], row["note"]) for row in record["rows"]}
    assert states["RevGNN segment_csr"] == ("not installed", bench.NOT_INSTALLED)
    assert states["FusedRevGNN csr"] == ("failed", "out of memory")
    assert states["RevGNN nets"] == states["GSR k=4 nets"] == ("measured", "")
    assert bench.read(folder / "record.json") == record
    assert math.isnan(bench.table(record).loc["FusedRevGNN csr", "step ms"])
    for line in ("RevGNN segment_csr: not installed: make baselines, ", "FusedRevGNN csr: failed: out of memory"):
        assert line in bench.report(record)
    for draw in (figures.bench.steps, figures.bench.memory):
        texts = [text.get_text() for text in draw(record).axes[0].texts]
        assert texts.count("not installed") == 1


def test_kept_bytes_are_counted_in_the_allocators_mode_of_their_row(folder, monkeypatch):
    modes, counted = [], {}
    monkeypatch.setattr(bench, "LARGE", 1000)
    monkeypatch.setattr(measure, "keep_freed_memory", modes.append)
    monkeypatch.setattr(measure, "kept_bytes", lambda make, apart: counted.setdefault(len(counted), modes[-1]) and 0)
    monkeypatch.setattr(measure, "peak_memory", lambda *given: measure.Peak(10, 30))
    run(folder, output=folder / "modes.json", only="RevGNN edge_index,GSR k=4 nets", gradient_layers=())
    assert list(counted.values()) == [False, True]


def test_rows_over_the_limit_are_left_out(folder, monkeypatch):
    seconds = {"RevGNN edge_index": 3.0, "RevGNN csr": 1.0}
    plain = bench._Trainer.step
    monkeypatch.setattr(bench._Trainer, "step", lambda self: plain(self) | {"step": seconds[self.name]})
    plain_init = bench._Trainer.__init__
    monkeypatch.setattr(
        bench._Trainer,
        "__init__",
        lambda self, row, *given: setattr(self, "name", row.name) or plain_init(self, row, *given),
    )
    monkeypatch.setattr(measure, "peak_memory", lambda *given: measure.Peak(10, 30))
    record = run(folder, only="RevGNN edge_index,RevGNN csr*", layers=2, memory_layers=[1, 4], limit=3.5)
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
def test_ctrl_c_keeps_what_was_measured_and_no_half_of_a_record(tmp_path, monkeypatch, where):
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
    record = bench.read(partial)
    assert not record["complete"]
    assert record["rows"][0]["state"] == "measured"
    assert bench.report(record).startswith("INCOMPLETE")
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
def test_bad_arguments(tmp_path, options, match):
    with pytest.raises(ValueError, match=match):
        run(tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def remove(part, name):
    def change(record):
        del part(record)[name]

    return change


def put(part, name, value):
    def change(record):
        part(record)[name] = value

    return change


def whole(record):
    return record


def first(record):
    return record["rows"][0]


MUTATIONS = {
    "another format": (put(whole, "format", "gsrgnn bench 0"), "is no record of the format 'gsrgnn bench 1'"),
    "no floor": (remove(whole, "floor"), "the record lacks 'floor'"),
    "no nodes": (remove(lambda r: r["graph"], "nodes"), "graph lacks 'nodes'"),
    "no code hash": (remove(lambda r: r["provenance"], "code hash"), "provenance lacks 'code hash'"),
    "a missing row": (remove(lambda r: r["rows"], 3), r"missing: CheckpointSAGE sqrt\(L\) csr; unknown: none"),
    "an unknown row": (put(first, "name", "GAT"), "missing: RevGNN edge_index; unknown: GAT"),
    "rows in a table": (put(whole, "rows", {}), "the record has {} for 'rows'"),
    "NaN": (put(lambda r: first(r)["seconds"], "step", math.nan), "holds NaN for a number"),
    "a negative time": (put(lambda r: r["floor"], "seconds", -1.0), "floor has -1.0 for 'seconds'"),
    "text for a time": (put(lambda r: first(r)["seconds"], "forward", "fast"), "has 'fast' for 'forward'"),
    "a better median": (put(lambda r: first(r)["seconds"], "step", 1e-9), "are not the median of 5 times"),
    "a round too few": (lambda r: first(r)["times"]["step"].pop(), "are not the median of 5 times"),
    "no kept bytes": (remove(first, "kept_bytes"), "lacks 'kept_bytes'"),
    "an unknown state": (put(first, "state", "fine"), "has the state 'fine'"),
    "failed for no reason": (put(first, "state", "failed"), "is failed and does not say why"),
    "failed with times": (lambda r: first(r).update(state="failed", note="x"), "is failed and has times"),
    "no memory": (put(first, "memory", {}), "has memory for no depth, not 2, 4"),
    "no peak": (put(lambda r: first(r)["memory"], "4", {"before": 1}), "memory of 4 layers lacks 'peak'"),
    "complete by hand": (put(whole, "complete", 1), "the record has 1 for 'complete'"),
    "an edited code hash": (put(lambda r: r["provenance"], "code hash", "0" * 12), "was changed after it"),
    "an edited peak": (lambda r: first(r)["memory"]["2"].update(peak=2**40), "was changed after it was written"),
}


@pytest.mark.parametrize(("change", "match"), MUTATIONS.values(), ids=MUTATIONS)
def test_a_changed_record_is_refused(record, tmp_path, change, match):
    changed = copy.deepcopy(record)
    change(changed)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(changed))
    with pytest.raises(ValueError, match=match) as raised:
        bench.read(path)
    assert str(path) in str(raised.value)
    assert str(raised.value).endswith("run gsrgnn bench again")


def test_files_that_are_no_record(tmp_path):
    path = tmp_path / "record.json"
    with pytest.raises(FileNotFoundError, match="gsrgnn bench makes one"):
        bench.read(path)
    for content in (b"", b"{", b"[]", b"\xff\xfe", b'{"format": "gsrgnn bench 1"}'):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="record.json"):
            bench.read(path)


def test_damaged_records_are_named_and_the_others_read(record, tmp_path):
    bench.write(copy.deepcopy(record), tmp_path / "bench-a.json")
    (tmp_path / "bench-loop.json").symlink_to("bench-loop.json")
    (tmp_path / "bench-folder.json").mkdir()
    for name, change in {"k": ["a"], "hidden": 10**400, "memory_layers": [None]}.items():
        other = copy.deepcopy(record)
        other["parameters"][name] = change
        bench.write(other, tmp_path / f"bench-{name}.json")
    (tmp_path / "bench-cuda-a.json").write_text("{")
    (tmp_path / "bench-a.partial.json").write_text("{")
    found, wrong = bench.read_all(tmp_path)
    assert [r["graph"] for r in found] == [record["graph"]]
    assert [words.partition(".json")[0].rpartition("-")[2] for words in wrong] == [
        "folder",
        "hidden",
        "k",
        "loop",
        "memory_layers",
    ]
    assert [len(part) for part in bench.read_all(tmp_path, "cuda")] == [0, 1]


def test_where_nothing_can_be_written_nothing_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "_times", lambda *given: pytest.fail("measured"))
    (tmp_path / "record.json").mkdir()
    with pytest.raises(IsADirectoryError):
        run(tmp_path)


def test_a_record_of_other_code_or_another_machine_says_so(record, monkeypatch):
    monkeypatch.setattr(bench, "provenance", lambda: record["provenance"])
    assert bench.differences(record) == {}
    other = copy.deepcopy(record)
    other["provenance"] |= {"code hash": "0" * 12, "CPU": "Z80"}
    then = {name: then for name, (then, _) in bench.differences(other).items()}
    assert then == {"code hash": "0" * 12, "CPU": "Z80"}


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
    assert bench.read("results/bench-synthetic-64-16-1.json")["parameters"]["k"] == [4, 2]
    if missing := gpu_missing():
        stderr = CliRunner().invoke(app, ["bench", "--device", "cuda"]).stderr
        assert stderr == f"error: device is 'cuda' and no GPU can be used: {missing}\n"
    wrong = CliRunner().invoke(app, ["bench", "--k", "4;8"])
    assert wrong.stderr == "error: --k 4;8: expected whole numbers and commas, as in 4,8,16\n"

    def interrupted(**options):
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "run", interrupted)
    assert CliRunner().invoke(app, ["bench"]).exit_code == 130


@pytest.mark.skipif(
    importlib.util.find_spec("torch_scatter") is None, reason="torch_scatter is not installed: make baselines"
)
def test_the_row_of_torch_scatter(folder, monkeypatch):
    monkeypatch.setattr(measure, "peak_memory", lambda *given: measure.Peak(10, 30))
    (row,) = run(folder, only="GraphSAGE segment")["rows"]
    assert row["state"] == "measured"
