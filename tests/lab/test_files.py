import errno
import os
from pathlib import Path

import pytest

from gsrgnn.lab import files


@pytest.fixture
def full(monkeypatch):
    """A disk on which nothing can be put at its place but in the folder for temporary files."""

    def replace(source, target, real=os.replace):
        if "kept" in Path(target).parts:
            return real(source, target)
        raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(target))

    monkeypatch.setattr(os, "replace", replace)


def test_what_took_long_is_kept_elsewhere_where_it_cannot_be_written(tmp_path, full, monkeypatch):
    (tmp_path / "kept").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "kept"))
    path = tmp_path / "a.json"
    with pytest.raises(files.Kept) as raised:
        files.write_or_keep("results", path)
    (kept,) = (tmp_path / "kept").glob("gsrgnn-*/a.json")
    assert kept.read_text() == "results"
    assert files.plainly(raised.value) == (
        f"No space left on device: {path}; what was computed is kept: make room and call mv {kept} {path}"
    )
    assert sorted(os.listdir(tmp_path)) == ["kept"]
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(OSError, match="No space left") as raised:
        files.write_or_keep("results", path)
    assert files.plainly(raised.value) == f"No space left on device: {path}; make room and call this again"


def test_half_a_character_is_written_as_json_has_it(tmp_path):
    files.write('{"a": "\ud800"}', tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == rb'{"a": "\ud800"}'


def test_where_nothing_can_be_written_is_found_before_the_work(tmp_path):
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "file").touch()
    for path in (tmp_path / "folder.json", tmp_path / "file" / "a.json", Path("/proc/none/a.json")):
        with pytest.raises(OSError, match=r"folder|exists|directory|permitted"):
            files.check_writable(path)
    files.check_writable(tmp_path / "new" / "a.json")
    assert os.listdir(tmp_path / "new") == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EROFS, "Read-only file system", "a"), "Read-only file system: a; name a place"),
        (
            PermissionError(errno.EACCES, "Permission denied", b"\xff"),
            r"Permission denied: \xff; get the right to read",
        ),
        (OSError(errno.EXDEV, "Invalid cross-device link", "a", None, "b"), "Invalid cross-device link: b"),
        (FileNotFoundError("no notebook a"), "no notebook a"),
    ],
)
def test_an_error_of_the_file_system_in_one_line(error, words):
    assert files.plainly(error).startswith(words)
    assert "\n" not in files.plainly(error)


def test_a_device_is_not_replaced_by_a_file():
    with pytest.raises(OSError, match="Is a device"):
        files.check_writable(Path(os.devnull))


def test_two_processes_that_write_the_same_file_leave_one_whole(tmp_path, monkeypatch):
    path, replace = tmp_path / "a.csv", os.replace

    def second(source, target):
        with monkeypatch.context() as patched:  # another process, which comes in between
            patched.setattr(os, "replace", replace)
            patched.setattr(os, "getpid", lambda: 1)
            files.write("second", path)
        replace(source, target)

    monkeypatch.setattr(os, "replace", second)
    files.write("first", path)
    assert path.read_text() == "first"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_nothing_is_written_over_what_is_read_nor_twice(tmp_path):
    read, new = tmp_path / "read.pl", tmp_path / "new.svg"
    read.touch()
    (tmp_path / "link").symlink_to(read)
    files.check_apart([new], [read, tmp_path / "none"])
    for written, says in (
        ([new, tmp_path / "link"], "over what is read"),
        ([new, tmp_path / "." / "new.svg"], "twice"),
    ):
        with pytest.raises(ValueError, match=says):
            files.check_apart(written, [read])
