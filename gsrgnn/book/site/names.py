"""Names of the package and its commands, where a page sets them as code, as links to the reference."""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from gsrgnn.book.site.above import above
from gsrgnn.book.site.commands import label

NAME = re.compile(r"([A-Za-z_][\w.]*)(\(.*\))?")
COMMAND = re.compile(r"gsrgnn((?: [a-z]+)+)")
KINDS: tuple[str, ...] = ("class", "exception", "function", "method", "property")

WORDS: frozenset[str] = frozenset({"aggregate", "load", "predict", "train", "tune"})
"""Plain words that mean the function wherever a page sets them as code; others, as `path`, do in a call alone."""

NOT_IN: tuple[type[nodes.Node], ...] = (nodes.reference, nodes.title)

Place = tuple[str, str]
"""A page, and an element in it."""


def link(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Make a link of the first mention of each name in a page, whole as in `group_sparse` or called as in `train(...)`.

    What a docstring means to be a link is one at every mention. A name may have its class or modules before it. What
    could mean two entries is left alone; but names of ``gsrgnn`` itself come before those of its modules.
    """
    places, seen = names(app.env), set()
    for literal in list(doctree.findall(nodes.literal)):
        meant = "xref" in literal["classes"]
        place = _place(literal.astext(), places, app.env, meant)
        if place and (meant or place not in seen) and not any(isinstance(one, NOT_IN) for one in above(literal)):
            seen.add(place)
            there, element = place
            address = "" if there == page else app.builder.get_relative_uri(page, there)
            literal.replace_self(
                nodes.reference("", "", literal.deepcopy(), internal=True, refuri=f"{address}#{element}")
            )


def names(env: BuildEnvironment) -> dict[str, Place]:
    """What may be written -> the entry that it means."""
    found: dict[str, set[Place]] = {}
    entries = {name: entry for name, entry in env.domaindata["py"]["objects"].items() if entry.objtype in KINDS}
    for name, entry in entries.items():
        parts = name.split(".")
        shortest = 2 if entry.objtype in ("method", "property") else 1
        for length in range(shortest, len(parts) + 1):
            found.setdefault(".".join(parts[-length:]), set()).add((entry.docname, entry.node_id))
    own = {name: entries[f"gsrgnn.{name}"] for name in found if f"gsrgnn.{name}" in entries}
    return {name: places.pop() for name, places in found.items() if len(places) == 1} | {
        name: (entry.docname, entry.node_id) for name, entry in own.items()
    }


def _place(text: str, places: dict[str, Place], env: BuildEnvironment, meant: bool) -> Place | None:
    if command := COMMAND.fullmatch(text.partition(" -")[0]):
        words = command[1].split()
        labels = env.domaindata["std"]["anonlabels"]
        named = [label(" ".join(["gsrgnn", *words[:length]])) for length in (2, 1)]
        return next((labels[name] for name in named if name in labels), None)
    found = NAME.fullmatch(text)
    if not found or not (meant or found[2] or found[1] in WORDS or re.search("[A-Z_.]", found[1])):
        return None
    return places.get(found[1])
