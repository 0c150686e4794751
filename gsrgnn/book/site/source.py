"""Where an entry of the reference is written: the line in the repository, where the repository's address is known."""

import importlib
import inspect
from operator import attrgetter
from pathlib import Path

from gsrgnn.book.site.address import address

ROOT: Path = Path(__file__).parents[3]
"""The checkout, whose branch main the repository shows."""


def resolve(domain: str, entry: dict[str, str]) -> str | None:
    """The address of an ``entry``, ``{"module", "fullname"}`` (`sphinx.ext.linkcode`); None where it has none."""
    repository = address().repository
    if not repository or not entry.get("module"):
        return None
    try:
        thing = attrgetter(entry["fullname"])(importlib.import_module(entry["module"]))
        thing = inspect.unwrap(thing.fget if isinstance(thing, property) else thing)
        file, (lines, first) = inspect.getsourcefile(thing), inspect.getsourcelines(thing)
    except (AttributeError, TypeError):  # an instance's, a constant
        return None
    return f"{repository}/blob/main/{Path(file).relative_to(ROOT).as_posix()}#L{first}-L{first + len(lines) - 1}"
