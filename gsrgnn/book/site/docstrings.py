"""The package's docstrings and signatures as Sphinx reads them: what is written for the eye, made plain to it."""

import inspect
import re
from functools import cache
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

CODE = re.compile(r"(``.+?``|(?<!`)`[^`]+`)")
PATH = re.compile(r"`[A-Za-z_][\w.]*`")
QUOTED = re.compile(r"""(?<![\w"])("[^"\s]*")(?![\w"])""")
ARRAY = re.compile(r"~?(?:numpy\.)?ndarray\[tuple\[~?(?:typing\.)?Any, \.\.\.\], ~?(?:numpy\.)?dtype\[([^\]]+)\]\]")


def prepare(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Change the docstring's ``lines`` in place, before napoleon reads its sections."""
    lines[:] = prepared(lines, _parameters(thing))
    if what == "property":
        # An empty comment: napoleon takes a first line such as "The share of the cells: 0.10" for a type and a text.
        lines[:0] = ["..", ""]


def prepared(lines: list[str], parameters: list[str]) -> list[str]:
    """Lines in reStructuredText.

    Where the text explains an argument, as in "share: of the cells", its name is bold, and begins a paragraph where it
    begins a line. Words in single backticks that are no name or an argument's, and strings in quotes, are code.
    """
    found: list[str] = []
    one = "|".join(map(re.escape, parameters)) or "(?!)"
    explained = re.compile(rf"(^|(?<=[.;] ))((?:{one})(?:, (?:and )?(?:{one}))*): ")
    for line in lines:
        if explained.match(line) and found and found[-1]:
            found.append("")
        parts = CODE.split(explained.sub(r"\1**\2**: ", line))
        parts[::2] = [QUOTED.sub(r"``\1``", part) for part in parts[::2]]
        parts[1::2] = [f"`{part}`" if _only_code(part, parameters) else part for part in parts[1::2]]
        followed = zip(parts, [*parts[1:], ""], strict=True)
        found.append("".join(part + "\\ " * (part[-1:] == "`" and after[:1].isalnum()) for part, after in followed))
    return found


def _only_code(part: str, parameters: list[str]) -> bool:
    """Whether what stands in single backticks is no name, or that of an argument."""
    return part[:2] != "``" and (not PATH.fullmatch(part) or part.strip("`") in parameters)


def shorten(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """The signature and what it returns, with names of types in place of all that they stand for."""
    return shortened(signature), shortened(returns)


def shortened(words: str | None) -> str | None:
    """``words`` with ``NDArray[...]``, ``ArrayLike`` and ``TensorLike``, as they stand in the source."""
    for spelt, alias in _aliases().items():
        words = words and words.replace(spelt, alias)
    return words and ARRAY.sub(r"NDArray[\1]", words)


@cache
def _aliases() -> dict[str, str]:
    from numpy.typing import ArrayLike

    from gsrgnn.arguments import TensorLike

    return {
        stringify_annotation(kind, "smart"): name
        for name, kind in (("TensorLike", TensorLike), ("ArrayLike", ArrayLike))
    }


def _parameters(thing: Any) -> list[str]:
    try:
        return list(inspect.signature(thing).parameters)
    except (TypeError, ValueError):
        return []
