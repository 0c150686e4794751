"""Where a result comes from: the source that made it, the versions and the machine it ran on."""

import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

from gsrgnn.version import __version__

PACKAGE = Path(__file__).parent


def code_hash(package: Path = PACKAGE) -> str:
    """Hash (12 hex digits) of every file of the package, names included, caches left out."""
    return hash_files(files_in(package), package)


def files_in(folder: Path) -> Iterator[Path]:
    """Every file below a folder, caches left out."""
    return (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def hash_files(files: Iterable[Path], root: Path) -> str:
    """Hash (12 hex digits) of files' contents and of their names relative to `root`, in any order given."""
    digest = hashlib.sha256()
    for path in sorted(files):
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest.update(os.fsencode(f"{path.relative_to(root).as_posix()}\0{size}\0"))
            while chunk := file.read(2**20):
                digest.update(chunk)
    return digest.hexdigest()[:12]


@cache
def machine() -> dict[str, str]:
    """The machine in words: CPU model, cores in all and usable by us, operating system, GPU or "none"."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "CPU": _cpu_model(),
        "cores": f"{os.cpu_count()}, {usable} usable",
        "threads set": os.environ.get("NUMBA_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or "no limit",
        "OS": _operating_system(),
        "GPU": _gpu(),
    }


@cache
def versions() -> dict[str, str]:
    """Versions of Python, this package and what the numbers depend on."""
    libraries = ("torch", "torch_geometric", "numba", "numpy", "scipy", "scikit-learn")
    return {
        "gsrgnn": __version__,
        "Python": platform.python_version(),
        **{name: version(name) for name in libraries},
    }


def provenance() -> dict[str, str]:
    """Date (local time with its zone), code hash, versions and machine of a result made now."""
    return {
        "date": datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"),
        "code hash": code_hash(),
        **versions(),
        **machine(),
    }


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _operating_system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform(terse=True)


def _gpu() -> str:
    """Name and driver from nvidia-smi: asking torch would hold memory on the card for as long as we live."""
    if not shutil.which("nvidia-smi"):
        return "none"
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    cards = [
        f"{name} (driver {driver})"
        for name, driver in (line.rsplit(", ", 1) for line in answer.stdout.splitlines() if ", " in line)
    ]
    return "; ".join(cards) if answer.returncode == 0 and cards else "none"
