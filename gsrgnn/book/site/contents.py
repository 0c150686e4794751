"""The table of contents: which pages the book has, in which order and parts."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml


class Part(NamedTuple):
    """A part's caption, "" for what stands before the first one, and its pages as paths without suffix."""

    caption: str
    pages: list[str]


def parts(root: Path) -> list[Part]:
    """The parts of `root`/_toc.yml in reading order; the first holds the front page.

    What has no caption goes on with the part before it: there its chapters begin to be numbered.
    """
    toc = yaml.safe_load((root / "_toc.yml").read_text())
    found = [Part("", list(_files({key: value for key, value in toc.items() if key != "parts"})))]
    for part in toc.get("parts", ()):
        if "caption" in part:
            found.append(Part(part["caption"], []))
        found[-1].pages.extend(_files(part))
    return found


def pages(root: Path) -> list[str]:
    """Every page of the table of contents, in reading order, as a path without suffix."""
    return [page for part in parts(root) for page in part.pages]


def _files(entry: object) -> Iterator[str]:
    if isinstance(entry, list):
        for item in entry:
            yield from _files(item)
    elif isinstance(entry, dict):
        yield from (entry[key] for key in ("root", "file") if key in entry)
        yield from _files([value for value in entry.values() if isinstance(value, list)])
