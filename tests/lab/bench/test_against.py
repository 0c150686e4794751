"""A record against an earlier one: what is beyond the spread of rounds is named, and nothing else."""

import copy
import json

import pytest
from typer.testing import CliRunner

from gsrgnn.cli import app
from gsrgnn.lab import records
from gsrgnn.lab.bench.against import compare
from gsrgnn.lab.bench.contenders import REFERENCE

OURS = "GSR k=4 nets"


def timed(record, **factors):
    """A copy whose every row took 1.0 to 1.2 seconds a round, times its factor."""
    record = copy.deepcopy(record)
    for row in record["rows"]:
        factor = factors.get(row["name"], 1.0)
        row["times"]["step"] = [factor * seconds for seconds in (1.0, 1.05, 1.1, 1.15, 1.2)]
        row["seconds"]["step"] = factor * 1.1
        row["memory"] = {"2": {"before": 10**6, "peak": 11 * 10**6}}
    return record


def found(*given, **options):
    return [(change.row, change.what, change.worse) for change in compare(*given, **options).changes]


@pytest.mark.parametrize(
    ("factor", "changes"),
    [(1.0, []), (1.19, []), (1.3, [(OURS, "step", True)]), (0.9, []), (0.8, [(OURS, "step", False)])],
)
def test_a_step_is_slower_where_its_rounds_and_those_of_then_do_not_meet(record, factor, changes):
    assert found(timed(record), timed(record, **{OURS: factor})) == changes


def test_by_ratios_a_slower_machine_is_no_slower_code(record):
    slow = timed(record, **dict.fromkeys((row["name"] for row in record["rows"]), 3.0))
    assert {change[1] for change in found(timed(record), slow)} == {"step"}
    assert found(timed(record), slow, by_ratios=True) == []
    slow["provenance"]["CPU"] = "Z80"
    comparison = compare(timed(record), slow)
    assert comparison.reference == REFERENCE
    assert comparison.changes == []
    other = timed(record, **{OURS: 1.5})
    assert found(timed(record), other, by_ratios=True) == [(OURS, "step", True)]
    assert found(timed(record), timed(record, **{OURS: 1.4}), by_ratios=True) == []  # the reference's rounds spread too


def test_memory_is_larger_beyond_what_two_measurements_differ_by_and_what_is_kept_at_all(record):
    now = timed(record)
    by_name = {row["name"]: row for row in now["rows"]}
    by_name[OURS]["memory"]["2"]["peak"] = 12 * 10**6
    by_name["RevGNN csr"]["memory"]["2"]["peak"] += 10**5
    by_name[REFERENCE]["kept_bytes"] += 4
    assert found(timed(record), now) == [(REFERENCE, "kept", True), (OURS, "memory of 2 layers", True)]
    text = compare(timed(record), now).report(record)
    assert f"{OURS}, memory of 2 layers: larger by 10% (10 MB, now 11)" in text
    assert "nothing is slower" in compare(timed(record), timed(record)).report(record)


def test_what_cannot_be_compared_is_refused_or_left_out_in_words(record):
    then, now = timed(record), timed(record)
    now["rows"][0] |= {"state": "left out", "note": "slow"}
    comparison = compare(then, now)
    assert comparison.left_out == [f"{REFERENCE}, which the later record lacks"]
    assert compare(then, now, by_ratios=True).reference == "RevGNN csr"
    with pytest.raises(ValueError, match=r"hidden 32 \(record: 16\); its own is gsrgnn bench --circuit synthetic/64"):
        compare(then, now | {"parameters": now["parameters"] | {"hidden": 32}})
    with pytest.raises(ValueError, match="they are two circuits"):
        compare(then, now | {"graph": now["graph"] | {"edges": 1}})
    with pytest.raises(ValueError, match="is incomplete"):
        compare(then | {"complete": False}, now)
    ours = [row for row in now["rows"] if row["ours"]]
    with pytest.raises(ValueError, match="share no row that is not GSR-GNN"):
        compare(then, now | {"rows": ours}, by_ratios=True)


@pytest.mark.slow
def test_the_command_runs_the_bench_again_and_says_what_changed(record, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    then = copy.deepcopy(record)
    row = next(row for row in then["rows"] if row["name"] == OURS)
    row["kept_bytes"] -= 4
    records.write(then, tmp_path / "then.json")
    p = record["parameters"]
    given = ["bench", "--circuit", p["circuit"], "--layers", "2", "--k", "4", "--only", f"{REFERENCE},GSR k=4 nets"]
    given += ["--gradient-layers", "2", "--against", "then.json"]
    refused = CliRunner().invoke(app, [*given, "--hidden", "32"])
    assert "a record of another bench" in f"{refused.exception}{refused.output}"
    ran = CliRunner().invoke(app, [*given, "--hidden", "16", "--ratios"])
    assert ran.exit_code == 0, ran.output
    assert f"in times of {REFERENCE}, 2 rows:" in ran.output
    assert f"{OURS}, kept: larger by" in ran.output
    assert "not compared: RevGNN csr, which the later record lacks" in ran.output
    assert json.loads((tmp_path / "_build" / "then.json").read_text())["complete"]
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".json"] == ["then.json"]
    itself = CliRunner().invoke(app, [*given, "--hidden", "16", "-o", "then.json"])
    assert "give another name by -o" in f"{itself.exception}{itself.output}"
