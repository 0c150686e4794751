"""The record reads back, and one that cannot be trusted does not."""

import copy
import json
import math

import pytest

from gsrgnn.lab import records
from gsrgnn.lab.bench import record as bench_record
from gsrgnn.lab.bench.record import differences, observations, read, read_all


def test_the_record_is_whole_and_reads_back(record, folder):
    assert read(folder / "record.json") == record
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


def test_observations_are_flat_a_row_and_depth(record):
    found = observations(record)
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
    "another format": (put(whole, "format", "gsrgnn bench 0"), "is no record of the format 'gsrgnn bench 2'"),
    "an older format": (put(whole, "format", "gsrgnn bench 1"), "'gsrgnn bench 2', but of the older 'gsrgnn bench 1'"),
    "no speeds": (remove(whole, "speeds"), "the record lacks 'speeds'"),
    "no nodes": (remove(lambda r: r["graph"], "nodes"), "graph lacks 'nodes'"),
    "no code hash": (remove(lambda r: r["provenance"], "code hash"), "provenance lacks 'code hash'"),
    "a missing row": (remove(lambda r: r["rows"], 3), r"missing: CheckpointSAGE sqrt\(L\) csr; unknown: none"),
    "an unknown row": (put(first, "name", "GAT"), "missing: RevGNN edge_index; unknown: GAT"),
    "rows in a table": (put(whole, "rows", {}), "the record has {} for 'rows'"),
    "NaN": (put(lambda r: first(r)["seconds"], "step", math.nan), "holds NaN for a number"),
    "a negative time": (put(lambda r: r["speeds"], "bytes", -1.0), "speeds has -1.0 for 'bytes'"),
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
        read(path)
    assert str(path) in str(raised.value)
    assert str(raised.value).endswith("run gsrgnn bench again")


def test_files_that_are_no_record(tmp_path):
    path = tmp_path / "record.json"
    with pytest.raises(FileNotFoundError, match="gsrgnn bench makes one"):
        read(path)
    for content in (b"", b"{", b"[]", b"\xff\xfe", b'{"format": "gsrgnn bench 2"}'):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="record.json"):
            read(path)


def test_damaged_records_are_named_and_the_others_read(record, tmp_path):
    records.write(copy.deepcopy(record), tmp_path / "bench-a.json")
    (tmp_path / "bench-loop.json").symlink_to("bench-loop.json")
    (tmp_path / "bench-folder.json").mkdir()
    for name, change in {"k": ["a"], "hidden": 10**400, "memory_layers": [None]}.items():
        other = copy.deepcopy(record)
        other["parameters"][name] = change
        records.write(other, tmp_path / f"bench-{name}.json")
    (tmp_path / "bench-cuda-a.json").write_text("{")
    (tmp_path / "bench-a.partial.json").write_text("{")
    found, wrong = read_all(tmp_path)
    assert [r["graph"] for r in found] == [record["graph"]]
    assert [words.partition(".json")[0].rpartition("-")[2] for words in wrong] == [
        "folder",
        "hidden",
        "k",
        "loop",
        "memory_layers",
    ]
    assert [len(part) for part in read_all(tmp_path, "cuda")] == [0, 1]


def test_a_record_of_other_code_or_another_machine_says_so(record, monkeypatch):
    monkeypatch.setattr(bench_record, "provenance", lambda: record["provenance"])
    assert differences(record) == {}
    other = copy.deepcopy(record)
    other["provenance"] |= {"code hash": "0" * 12, "CPU": "Z80"}
    then = {name: then for name, (then, _) in differences(other).items()}
    assert then == {"code hash": "0" * 12, "CPU": "Z80"}
