"""The extras of this package, which `pip install gsrgnn` leaves out, and what to say where one is needed."""

import re
from importlib.metadata import PackageNotFoundError, requires, version


def installed(extra: str) -> bool:
    """Whether every package of an extra, such as "book", is installed, in whatever version."""
    wanted = [text for text in requires("gsrgnn") or () if re.search(rf"""extra == ['"]{extra}['"]""", text)]
    try:
        for text in wanted:
            version(re.match(r"[\w.-]+", text)[0])
    except PackageNotFoundError:
        return False
    return True


def need(extra: str, command: str) -> None:
    """Raises RuntimeError, which says what to install, where `gsrgnn COMMAND` lacks a package of the extra."""
    if not installed(extra):
        raise RuntimeError(f"gsrgnn {command} needs the extra {extra}: pip install 'gsrgnn[{extra}]'")
