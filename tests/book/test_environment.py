"""What the page of machines and versions says: fabricated records, of two machines."""

import copy
import json

import pytest
from sample_record import RECORD

from gsrgnn.book import environment
from gsrgnn.lab import records


@pytest.fixture
def folder(tmp_path):
    """Three points of one machine, one of a GPU, a record of `gsrgnn data table`, and a file that is no record."""
    changes = [
        {"date": "2026-01-02 10:00:00+00:00", "code hash": "a" * 12},
        {"date": "2026-01-04 10:00:00+00:00", "code hash": "b" * 12},
        {"date": "2026-01-03 10:00:00+00:00", "code hash": "b" * 12},
        {"date": "2026-01-05 10:00:00+00:00", "code hash": "b" * 12, "GPU": "A card (driver 1)", "torch": "9.9"},
    ]
    for number, change in enumerate(changes):
        record = copy.deepcopy(RECORD)
        record["provenance"] |= change
        records.write(record, tmp_path / "depth" / f"{number}.json")
    table = {"circuits": [], "provenance": RECORD["provenance"] | {"date": "2026-01-01", "code hash": "c" * 12}}
    table["provenance"].pop("threads", None)
    (tmp_path / "circuits.json").write_text(json.dumps(table))
    (tmp_path / "depth" / "wrong.json").write_text("{}")
    return tmp_path


def test_each_record_has_a_line_and_what_is_none_is_said(folder):
    lines, wrong = environment.read(folder)
    assert sorted(lines["made"]) == ["data table", *["depth"] * 4]
    assert lines.set_index("made")["threads"]["data table"] == environment.NOT_SAID
    assert len(wrong) == 1
    assert "wrong.json" in wrong[0]


def test_records_of_one_machine_and_its_versions_are_one_environment(folder):
    lines, _ = environment.read(folder)
    shared = environment.common(lines)
    table = environment.environments(lines)
    assert shared["CPU"] == RECORD["provenance"]["CPU"]
    assert list(table["environment"]) == [1, 2, 3]
    assert list(table["records"]) == [3, 1, 1]
    assert {"GPU", "torch", "threads"} == set(table.columns) - {"environment", "records"}
    assert not set(shared.index) & set(table.columns)


def test_what_was_made_has_its_days_and_the_states_of_the_code(folder):
    table = environment.made(environment.read(folder)[0])
    first = table.loc[table["environment"] == 1].iloc[0]
    assert (first["made"], first["records"]) == ("depth", 3)
    assert first["days"] == "2026-01-02 to 2026-01-04"
    assert first["code"] == f"{'b' * 12} (2), {'a' * 12}"
    assert sorted(table["days"])[0] == "2026-01-01"


def test_a_card_is_counted_where_it_is_named(folder):
    lines, _ = environment.read(folder)
    there = environment.on_gpu(lines)
    assert len(there) == 1
    assert there["GPU"].iloc[0] not in ("none", environment.NOT_SAID)
    alone = json.loads((folder / "circuits.json").read_text())
    alone["provenance"] |= {"threads": ["a", 2]}
    del alone["provenance"]["GPU"]
    for path in folder.rglob("*.json"):
        path.unlink()
    (folder / "circuits.json").write_text(json.dumps(alone))
    lines, _ = environment.read(folder)
    assert len(environment.on_gpu(lines)) == 0
    assert list(environment.environments(lines)["records"]) == [1]


def test_where_there_is_no_record_there_is_no_line(tmp_path):
    lines, wrong = environment.read(tmp_path)
    assert lines.empty
    assert wrong == []


def test_the_lock_is_read_with_its_conditions(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("# made by a tool\n\na==1.0\nb==2.0 ; sys_platform == 'linux'\n")
    assert dict(environment.pinned(lock)) == {"a": "1.0", "b": "2.0 (sys_platform == 'linux')"}
    lock.write_text("a>=1.0\n")
    with pytest.raises(ValueError, match="pins no version"):
        environment.pinned(lock)
