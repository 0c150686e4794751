"""`-p NAME=VALUE`: a notebook's parameters as the command line gives them."""

import ast
import warnings
from keyword import iskeyword


def parse_parameters(texts: list[str]) -> dict[str, object]:
    """The values of all `-p`, by name. Raises ValueError as `parse_parameter` does, and for a name given twice."""
    given = {}
    for text in texts:
        name, value = parse_parameter(text)
        if name in given:
            raise ValueError(f"-p {name} is given more than once ({given[name]!r}, {value!r}): give it once")
        given[name] = value
    return given


def parse_parameter(text: str) -> tuple[str, object]:
    """`"k=8"` to ("k", 8): Python literals, true, false and null as in YAML, everything else a string.

    Raises ValueError where there is no `=`, or no name before it.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ValueError(f"-p {text}: expected NAME=VALUE, as in -p k=8")
    if iskeyword(name):
        raise ValueError(f"-p {text}: {name} is a word of Python's, which no parameter can have for a name")
    words = {"true": True, "false": False, "null": None}
    if value in words:
        return name, words[value]
    try:
        with warnings.catch_warnings(action="ignore"):  # of what Python makes of a word like 1or2
            return name, ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return name, value


def as_option(name: str, value: object) -> str:
    """The text from which `parse_parameter` makes this name and value."""
    plain = f"{name}={value}"
    return plain if repr(parse_parameter(plain)[1]) == repr(value) else f"{name}={value!r}"
