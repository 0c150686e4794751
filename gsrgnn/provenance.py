"""Where a result comes from: the source that made it, the versions and the machine it ran on."""

import ast
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
    return hash_files(_files(package), package)


def _files(folder: Path) -> Iterator[Path]:
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


def reached(code: str, package: Path = PACKAGE) -> set[Path]:
    """The package's files that `code` (Python source) depends on: what it imports, what that imports, and so on.

    A module's name in a string counts as an import of it, and a data file as part of the package whose folder it lies
    in. Nothing is imported to find out.
    """
    found: set[Path] = set()
    to_read = [code]
    while to_read:
        for name in _named(to_read.pop()):
            for path in _files_of(name.split("."), package):
                if path not in found:
                    found.add(path)
                    to_read += [path.read_text()] if path.suffix == ".py" else []
    return found


def _named(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _files_of(parts: list[str], package: Path) -> Iterator[Path]:
    """The files behind a dotted name: every package on the way with its data, then the module if it is one."""
    folder = package.parent
    if parts[0] != package.name:
        return
    for part in parts:
        folder = folder / part
        if folder.with_suffix(".py").exists():
            yield folder.with_suffix(".py")
        if not (folder / "__init__.py").exists():
            return
        yield folder / "__init__.py"
        for path in folder.iterdir():
            if path.is_file() or path.name != "__pycache__" and not (path / "__init__.py").exists():
                files = [path] if path.is_file() else _files(path)
                yield from (file for file in files if file.suffix != ".py")


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
