"""The built site as one file, the same bytes for the same pages."""

import gzip
import os
import tarfile
from pathlib import Path

from gsrgnn.version import __version__


def pack(html: Path, archive: Path) -> Path:
    """Pack the files under `html`, in the order of their names and without dates or owners, into `archive` (.tar.gz).

    Raises FileNotFoundError where there is no built book.
    """
    if not (html / "index.html").exists():
        raise FileNotFoundError(f"no built book in {html}: make book")
    new = archive.with_name(f".{archive.name}.new")
    name = archive.name.removesuffix(".tar.gz")
    with (
        new.open("wb") as file,
        gzip.GzipFile("", "wb", mtime=0, fileobj=file) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(path for path in html.rglob("*") if path.is_file() and not path.name.startswith(".")):
            member = tarfile.TarInfo(f"{name}/{path.relative_to(html).as_posix()}")
            member.size, member.mode = path.stat().st_size, 0o644
            with path.open("rb") as content:
                tar.addfile(member, content)
    os.replace(new, archive)
    return archive


if __name__ == "__main__":
    print(pack(Path("_build/html"), Path(f"_build/gsrgnn-book-{__version__}.tar.gz")))
