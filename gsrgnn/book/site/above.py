"""What a node of a page stands in."""

from collections.abc import Iterator

from docutils import nodes


def above(node: nodes.Node) -> Iterator[nodes.Node]:
    """The nodes that hold this one, the nearest first."""
    while (node := node.parent) is not None:
        yield node
