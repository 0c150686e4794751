"""A wheel of this checkout, and environments that have just what its metadata asks for."""

import os
import subprocess
import sys
import sysconfig
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZipFile

from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def needed(requirements: list[Requirement], extras: set[str] = frozenset()) -> dict[str, set[str]]:
    """Name and extras of every distribution that these requirements bring, with those of the extras."""
    found, waiting = {}, [(need, extra) for need in requirements for extra in {"", *extras}]
    while waiting:
        need, asked_for = waiting.pop()
        if need.marker and not need.marker.evaluate({"extra": asked_for}):
            continue
        extras = found.setdefault(canonicalize_name(need.name), set())
        for extra in {"", *need.extras} - extras:
            extras.add(extra)
            waiting += [(Requirement(text), extra) for text in distribution(need.name).requires or ()]
    return found


def make(place: Path, wheel: Path, extras: set[str] = frozenset(), others: tuple[str, ...] = ()) -> Path:
    """Make an environment at `place` for a wheel, without the wheel itself; returns its Python.

    What it has are links to the distributions here: those that the wheel needs, with extras, and `others`.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": place}))
    with ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Metadata.from_email(archive.read(metadata))
    for name in [*needed(metadata.requires_dist, extras), *others]:
        here = distribution(name)
        for top in {file.parts[0] for file in here.files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(here.locate_file(top))
    return place / "bin" / "python"


def variables(python: Path, home: Path) -> dict[str, str]:
    """Of a process in such an environment: nothing of this one but where commands are."""
    return {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(home)}
