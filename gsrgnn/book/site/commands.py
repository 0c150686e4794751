"""A directive for the page of commands: what each says of itself with --help.

The page names the application, as in ``{commands} gsrgnn.cli:app``: nothing in the book imports what stands above it.
"""

import re
from importlib import import_module

from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from typer.cli import get_docs_for_click
from typer.main import get_command

HEADING = re.compile(r"^(#+ `(.+)`)$", re.MULTILINE)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


class Commands(SphinxDirective):
    """``{commands} MODULE:APP``: a heading for each command of a Typer application, its arguments and options."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The nodes, each heading with a label such as "gsrgnn-train".

        Raises ImportError or AttributeError, which end the build, where there is no such application.
        """
        return self.parse_text_to_nodes(describe(self.arguments[0]), allow_section_headings=True)


def label(command: str) -> str:
    """The label of the heading of a command such as "gsrgnn data list"."""
    return "-".join(command.split())


def describe(place: str) -> str:
    """Markdown on the commands of the Typer application at ``place``, "MODULE:NAME"; raises as `Commands.run`."""
    module, _, attribute = place.partition(":")
    group = get_command(getattr(import_module(module), attribute))
    name = module.partition(".")[0]
    context = group.make_context(name, [], resilient_parsing=True)
    words = "".join(
        get_docs_for_click(obj=group.commands[one], ctx=context, indent=1, call_prefix=name)
        for one in group.list_commands(context)
    )
    words = HEADING.sub(lambda found: f"({label(found[2])})=\n{found[1]}", words)
    return "\n".join(_with_options_as_code(line) for line in words.splitlines())


def _with_options_as_code(line: str) -> str:
    """Options that the text mentions, so that no typography makes one dash of their two."""
    parts = line.split("`")
    parts[::2] = [OPTION.sub(r"`\g<0>`", part) for part in parts[::2]]
    return "`".join(parts)
