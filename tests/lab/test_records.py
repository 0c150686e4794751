import copy
import json
import math
import os

import nbformat
import numpy as np
import pytest
from sample_record import RECORD

from gsrgnn.lab import records


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "depth" / "point.json"
    records.write(copy.deepcopy(RECORD), path)
    return path


def test_a_record_reads_back(path):
    assert records.read(path) == RECORD | {"checksum": records.checksum(RECORD)}
    assert [file.name for file in path.parent.iterdir()] == ["point.json"]


def rows(**changes):
    return {"rows": [RECORD["rows"][0] | changes]}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"format": "gsrgnn point 0"}, r"at \$.format: 'gsrgnn point 1' was expected"),
        ({"seconds": -1}, r"at \$.seconds: -1 is less than the minimum"),
        ({"key": {"notebook": "0123456789ab"}}, r"at \$.key: 'package' is a required property"),
        ({"extra": 1}, "'extra' was unexpected"),
        ({"state": "fine"}, r"at \$.state: 'fine' is not one of"),
        ({"state": "out of memory"}, "does not fit the schema"),
        ({"state": "out of memory", "rows": []}, r"at \$.note: '' should be non-empty"),
        ({"rows": []}, r"at \$.rows"),
        (rows(pearson=1.5), r"at \$.rows\[0\].pearson: 1.5 is greater than the maximum of 1"),
        (rows(pearson=[1]), r"at \$.rows\[0\].pearson"),
        ({"rows": [{"pearson": 0.5}]}, "is a required property"),
        ({"provenance": {}}, r"at \$.provenance: 'date' is a required property"),
    ],
)
def test_what_does_not_fit_the_schema_is_refused(path, changes, match):
    records.write(RECORD | changes, path)
    with pytest.raises(ValueError, match=match) as raised:
        records.read(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("experiment", ["profile", "speed", "memory", "beyond", "quality", "unseen"])
def test_each_experiment_has_columns_of_its_own(path, experiment):
    records.write(RECORD | {"experiment": experiment}, path)
    with pytest.raises(ValueError, match="is a required property"):
        records.read(path)


def test_what_was_edited_by_hand_is_refused(path):
    path.write_text(path.read_text().replace("0.5", "0.6"))
    with pytest.raises(ValueError, match="was changed after it was written"):
        records.read(path)
    for content in (b"", b"{", b"[]", b"\xff\xfe", b"null"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="point.json"):
            records.read(path)


# Name -> what makes a file of that name that is no record.
ODD = {
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "loop": lambda path: path.symlink_to(path.name),
    "nowhere": lambda path: path.symlink_to("none"),
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "nested": lambda path: path.write_text("[" * 10**5),
    "deep": lambda path: path.write_text('{"rows": ' + "[" * 900 + "]" * 900 + "}"),
    "digits": lambda path: path.write_text("9" * 5000),
    "infinite": lambda path: path.write_text('{"a": NaN}'),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_file_or_no_json_is_named_and_the_rest_is_read(path, name):
    odd = path.with_name(f"{name}.json")
    ODD[name](odd)
    with pytest.raises(ValueError, match=f"{name}.json"):
        records.read(odd)
    found, (wrong,) = records.read_all(path.parents[1])
    assert len(found) == 1
    assert wrong.startswith(str(odd))


def test_a_file_of_any_size_is_refused_and_an_unreadable_folder_named(path, monkeypatch):
    monkeypatch.setattr(records, "LARGEST", 100)
    with pytest.raises(ValueError, match=r"point.json cannot be read \(Too large: 0 MB, and 0 MB at most are read\)"):
        records.read(path)
    monkeypatch.undo()
    (path.parents[1] / "speed").symlink_to("speed")
    found, wrong = records.read_all(path.parents[1])
    assert len(found) == 1
    assert wrong == [f"{path.parents[1] / 'speed'} cannot be read (Too many levels of symbolic links)"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(path):
    path.chmod(0)
    assert records.read_all(path.parents[1]) == ([], [f"{path} cannot be read (Permission denied)"])


def test_a_name_in_any_bytes_can_be_shown(path):
    path.with_name(os.fsdecode(b"\xff.json")).write_text("{")
    (wrong,) = records.read_all(path.parents[1])[1]
    assert r"\xff.json is not JSON" in wrong
    wrong.encode()


def test_circuits_that_did_not_load_are_left_out_and_damage_is_named(tmp_path):
    whole = {"circuit": "a", "cells": 1, "nets": 1, "pins": 2, "edges": 1}
    made = {"date": "", "code hash": "", "CPU": "", "cores": ""}
    circuits = [whole, {"circuit": "b", "error": "no"}]
    (tmp_path / "c.json").write_text(json.dumps({"circuits": circuits, "provenance": made}))
    assert records.read_circuits(tmp_path / "c.json")["circuits"] == [whole]
    for text in ("{", "[]", '{"circuits": 3}', json.dumps({"circuits": [{"circuit": "a"}], "provenance": made})):
        (tmp_path / "c.json").write_text(text)
        with pytest.raises(ValueError, match="c.json"):
            records.read_circuits(tmp_path / "c.json")


def test_a_record_of_routers_is_read_and_damage_is_named(tmp_path):
    entry = {"circuit": "a", "cells": 1, "nets": 1, "wire_length": 1.5, "our_wire_length": 1.0}
    entry |= {"spearman": {"overflow": None, "wires": 0.5}}
    record = {"designs": [entry], "provenance": {"date": "", "code hash": ""}}
    (tmp_path / "r.json").write_text(json.dumps(record))
    assert records.read_routers(tmp_path / "r.json") == record
    for broken in ([], {"designs": [entry]}, record | {"designs": [entry | {"spearman": {"wires": "high"}}]}):
        (tmp_path / "r.json").write_text(json.dumps(broken))
        with pytest.raises(ValueError, match="r.json"):
            records.read_routers(tmp_path / "r.json")


def test_every_record_is_read_but_those_that_are_none_and_these_are_named(path):
    records.write(RECORD | {"seconds": 2}, path.with_name("other.json"))
    (path.parent / "edited.json").write_text(path.read_text().replace("0.5", "0.6"))
    moved = path.parents[1] / "quality" / "point.json"
    moved.parent.mkdir()
    moved.write_bytes(path.read_bytes())
    found, wrong = records.read_all(path.parents[1])
    assert [record["seconds"] for record in found] == [2, 1.5]
    assert [text.partition(" ")[0] for text in wrong] == [str(path.with_name("edited.json")), str(moved)]
    assert len(records.read_all(path.parents[1], "depth")[0]) == 2
    assert records.read_all(path.parent / "none") == ([], [])


def test_nothing_half_written_stays(path, monkeypatch):
    before = path.read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        records.write(RECORD | {"seconds": math.nan}, path)

    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records.os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        records.write(RECORD | {"seconds": 2}, path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["point.json"]


def test_a_frame_has_a_line_a_row_with_parameters_and_origin():
    lost = RECORD | {
        "state": "out of memory",
        "note": "killed",
        "rows": [],
        "provenance": RECORD["provenance"] | {"GPU": "a card (driver 1)"},
    }
    frame = records.frame([RECORD | {"rows": RECORD["rows"] * 2}, lost])
    assert len(frame) == 3
    assert list(frame["record state"]) == ["measured", "measured", "out of memory"]
    assert list(frame["machine"]) == ["Z80, 2 cores", "Z80, 2 cores", "a card (driver 1)"]
    assert list(frame["seed"]) == [0, 0, 0]
    assert list(frame["pearson"].isna()) == [False, False, True]
    assert records.frame([]).empty


def test_what_a_notebook_publishes_is_found_again(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    records.publish([{"k": np.int64(4), "loss": np.float32(0.5)}, {"k": 8, "loss": math.nan}], "RUDY", {"torch": 2})
    output = nbformat.v4.new_output("display_data", data=shown[0])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[output])])
    notebook = nbformat.reads(nbformat.writes(notebook), as_version=4)
    assert records.published(notebook) == {
        "rows": [{"k": 4, "loss": 0.5}, {"k": 8, "loss": None}],
        "made": {"label source": "RUDY", "threads": "2 torch"},
    }
    json.dumps(records.published(notebook))
    notebook.cells *= 2
    with pytest.raises(ValueError, match=r"calls records.publish 2 times: once is needed"):
        records.published(notebook)
