"""The records that come with the installed package, for a notebook that was downloaded alone."""

import shutil
import tempfile
from pathlib import Path

from gsrgnn.provenance import PACKAGE

CARRIED: Path = PACKAGE.parent / "gsrgnn_records"
"""The wheel puts the files of `results` here, outside the package: they are no part of the code that is hashed."""


def lay_out(folder: Path | str = "results", carried: Path = CARRIED) -> str:
    """Copy the records to `folder`, where notebooks look for them, unless it is there; says in words what was done."""
    folder = Path(folder)
    if folder.exists():
        return f"{folder}: left as it is"
    if not carried.is_dir():
        return f"{folder}: no records came with this gsrgnn; the book's wheel brings them"
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        shutil.copytree(carried, new / folder.name)
        (new / folder.name).rename(folder)
    except OSError:
        if not folder.exists():
            raise
        return f"{folder}: left as it is"  # another notebook was quicker
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return f"{folder}: {sum(1 for _ in folder.rglob('*.json'))} files of records, which came with gsrgnn"
