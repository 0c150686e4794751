"""Which files of the package some code depends on: what a record is made from."""

import ast
from collections.abc import Iterator
from pathlib import Path

from gsrgnn.provenance import PACKAGE, files_in


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
                files = [path] if path.is_file() else files_in(path)
                yield from (file for file in files if file.suffix != ".py")
