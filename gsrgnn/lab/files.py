"""Files that appear whole or not at all, and what a fault of the file system means for whoever meets it."""

import errno
import os
import shlex
import stat
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import combinations
from pathlib import Path

MOST = 500_000_000  # bytes
FULL = (errno.ENOSPC, errno.EDQUOT)
WHAT_TO_DO = {
    **dict.fromkeys(FULL, "make room and call this again"),
    errno.EROFS: "name a place that can be written to",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "get the right to read and write there, or name another place"),
}


class Kept(OSError):
    """What could not be written lies elsewhere; the message says where, and what to do."""


def read(path: Path, most: int = MOST) -> str:
    """The text of a file, UTF-8.

    Raises OSError, for what is no file as well (a folder, a pipe) and for more than ``most`` bytes.
    """
    if not stat.S_ISREG((found := os.stat(path)).st_mode):
        raise OSError(errno.EINVAL, "Is no file", str(path))
    if found.st_size > most:
        words = f"Too large: {found.st_size / 1e6:,.0f} MB, and {most / 1e6:,.0f} MB at most are read"
        raise OSError(errno.EFBIG, words, str(path))
    return path.read_text(encoding="utf-8")


def write(text: str, path: Path) -> None:
    """Write ``text`` at ``path``, in UTF-8, at a temporary name beside it that is renamed. Raises OSError."""
    temporary = beside(path)
    try:
        # Half a surrogate pair has no UTF-8; its escape is what JSON writes for it as well.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def beside(path: Path) -> Path:
    """The temporary name at which this process writes a file: two that write the same one do not write into another."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def write_or_keep(text: str, path: Path) -> None:
    """`written_or_kept` by `write`."""
    written_or_kept(partial(write, text), path)


def written_or_kept(write: Callable[[Path], object], path: Path) -> None:
    """``write(path)`` of what took long to compute: where it fails that is kept in the folder for temporary files.

    Raises `Kept` then; OSError where that fails as well.
    """
    try:
        write(path)
    except OSError as error:
        try:
            kept = Path(tempfile.mkdtemp(prefix="gsrgnn-")) / path.name
            write(kept)
        except OSError:
            raise error from None
        move = ["mv", str(kept), str(path)]
        words = f"{error.strerror}: {path}; what was computed is kept: make room and call {shlex.join(move)}"
        raise Kept(error.errno, words) from None


def check_writable(path: Path) -> None:
    """Raises OSError, before the work, where no file could be written at ``path``; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "Is a folder, and a file is to be written there", str(path))
    if path.is_char_device() or path.is_block_device():  # a renamed file would take the place of /dev/null
        raise OSError(errno.EINVAL, "Is a device, and a file is to be written there", str(path))
    with tempfile.TemporaryFile(dir=path.parent):
        pass


def check_apart(written: Sequence[Path], read: Iterable[Path]) -> None:
    """Raises ValueError where a file would be written over one that is read, or two at the same place."""
    for path in written:
        if path.exists() and any(given.exists() and path.samefile(given) for given in read):
            raise ValueError(f"{path} would be written over what is read: name another file")
    for one, other in combinations(written, 2):
        if one.resolve() == other.resolve():
            raise ValueError(f"{one} would be written twice, with different contents: name two files")


def plainly(error: OSError) -> str:
    """An OSError in one line: what happened, to which file, and what to do where that is known."""
    if error.strerror is None or isinstance(error, Kept):
        return error.strerror or str(error)
    name = error.filename2 or error.filename
    where = f": {shown(os.fspath(name))}" if isinstance(name, str | bytes | os.PathLike) else ""
    advice = f"; {WHAT_TO_DO[error.errno]}" if error.errno in WHAT_TO_DO else ""
    return f"{error.strerror}{where}{advice}"


def shown(path: str | bytes | Path) -> str:
    """A path as a terminal can show it, whatever bytes are in it."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
