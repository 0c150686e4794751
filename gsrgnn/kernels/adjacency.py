"""The graph as plain arrays, edge by edge or net by net: what every aggregation kernel reads."""

from typing import Any, NamedTuple


class Adjacency(NamedTuple):
    """``A[i, j] = out_scale[i] * weight[e] * in_scale[j]`` for the entries ``e`` of row ``i``, ``A`` being ``[R, C]``.

    The weights count (pin pairs, pins, or what the user gave); the normalisation is diagonal and stays in the two
    scales, so all three norms of a graph share one structure.

    Args:
        indptr: int64 ``[R + 1]``; row ``i`` owns the entries ``indptr[i] .. indptr[i + 1]``.
        indices: int32 ``[nnz]``, the column (source) of each entry.
        weight: float ``[nnz]``.
        out_scale, in_scale: float ``[R]`` and ``[C]``.
    """

    indptr: Any
    indices: Any
    weight: Any
    out_scale: Any
    in_scale: Any


class Incidence(NamedTuple):
    """A clique graph in factors: ``A = to_cells @ to_nets + diag(diagonal)``.

    ``to_nets`` is ``B^T`` and ``to_cells`` is ``B``, which counts the pins of each cell on each net, with the scales of
    ``A`` on the cells' side. They have an entry for each cell and net that it lies on, where ``A`` has one for each
    pair of a net's cells.

    Args:
        to_nets: `Adjacency` ``[M, N]``.
        to_cells: `Adjacency` ``[N, M]``.
        diagonal: float ``[N]``, scales included.
    """

    to_nets: Any
    to_cells: Any
    diagonal: Any
