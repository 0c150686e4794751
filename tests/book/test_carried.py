import shutil

import pytest

from gsrgnn.book.carried import CARRIED, lay_out


def test_records_are_laid_out_once_and_nothing_is_replaced(tmp_path):
    carried = tmp_path / "carried"
    (carried / "speed").mkdir(parents=True)
    (carried / "speed" / "a.json").write_text("{}")
    folder = tmp_path / "results"
    assert lay_out(folder, carried) == f"{folder}: 1 files of records, which came with gsrgnn"
    (folder / "speed" / "a.json").write_text("mine")
    assert lay_out(folder, carried) == f"{folder}: left as it is"
    assert (folder / "speed" / "a.json").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["carried", "results"]


def test_of_two_notebooks_that_begin_at_once_one_is_quicker(tmp_path, monkeypatch):
    carried, folder = tmp_path / "carried", tmp_path / "results"
    carried.mkdir()
    (carried / "a.json").write_text("{}")
    copy = shutil.copytree

    def copied_by_both(*given, **options):
        copy(carried, folder)
        return copy(*given, **options)

    monkeypatch.setattr(shutil, "copytree", copied_by_both)
    assert lay_out(folder, carried) == f"{folder}: left as it is"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["carried", "results"]


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    (tmp_path / "carried").mkdir()

    def full(*given, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(OSError, match="No space left"):
        lay_out(tmp_path / "results", tmp_path / "carried")
    assert [path.name for path in tmp_path.iterdir()] == ["carried"]


def test_without_records_it_says_what_brings_them(tmp_path):
    assert lay_out(tmp_path / "results", tmp_path / "none").endswith(
        "no records came with this gsrgnn; the book's wheel brings them"
    )
    assert not (tmp_path / "results").exists()
    assert not CARRIED.exists()  # in a checkout they are where they are made
