"""The package as a wheel that the site carries, for notebooks that are taken along."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from gsrgnn.provenance import files_in
from gsrgnn.version import __version__

NAME: str = f"gsrgnn-{__version__}-py3-none-any.whl"

SOURCES: tuple[str, ...] = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "gsrgnn", "results")
"""What a wheel is made of, of a checkout."""

EPOCH: str = "315532800"
"""The first second that a zip file can name, so that the same sources make the same bytes."""


def offered(root: Path) -> str:
    """The name of the wheel that a site built at `root` carries; "" where `root` holds no package."""
    return NAME if (root / "pyproject.toml").exists() else ""


def sources(root: Path) -> list[Path]:
    """The files under `root` of which its wheel is made; none where it holds no package."""
    if not offered(root):
        return []
    places = [root / name for name in SOURCES]
    return [path for place in places for path in (files_in(place) if place.is_dir() else [place]) if path.exists()]


def make(root: Path, folder: Path) -> Path:
    """Build the wheel of the package at `root` into `folder`, without a network.

    Raises RuntimeError with the last lines of pip where it fails.
    """
    with tempfile.TemporaryDirectory() as place:
        copy, made = Path(place, "sources"), Path(place, "made")  # a build leaves things beside its sources
        for path in sources(root):
            target = copy / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "wheel"]
        command += ["--no-build-isolation", "--no-deps", "--wheel-dir", str(made), str(copy)]
        environment = os.environ | {"SOURCE_DATE_EPOCH": EPOCH}
        built = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if built.returncode != 0:
            raise RuntimeError(f"no wheel could be made of {root}\n{built.stdout[-2000:]}")
        (wheel,) = made.iterdir()
        return Path(shutil.move(wheel, folder / wheel.name))
