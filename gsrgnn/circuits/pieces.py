"""A connected piece of a graph, small enough to draw: the node patterns of the paper's Figure 5."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray


def piece(
    neighbors: Callable[[int], ArrayLike], start: int, count: int, rng: np.random.Generator, fan_out: int = 3
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A piece of at most `count` nodes: its joined pairs, int64 [2, E], and its nodes, int64 [n].

    A pair is given once, by its places among the nodes. From the node `start` on, breadth first, up to `fan_out`
    random new neighbours of each node are taken; then all pairs among the nodes found that are joined. neighbors:
    function from a node to its neighbours. rng: a NumPy Generator.
    """
    nodes, at = [int(start)], 0
    while len(nodes) < count and at < len(nodes):
        fresh = np.setdiff1d(neighbors(nodes[at]), nodes)
        nodes += rng.permutation(fresh)[: min(fan_out, count - len(nodes))].tolist()
        at += 1
    joined = np.array([np.isin(nodes, neighbors(node)) for node in nodes])
    return np.stack(np.nonzero(np.triu(joined))), np.array(nodes)
