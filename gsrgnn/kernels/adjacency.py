"""The graph as plain arrays, edge by edge or net by net: what every aggregation kernel reads."""

from typing import Any, NamedTuple, TypeAlias

Array: TypeAlias = Any
"""An array of NumPy for the kernels of a CPU, a torch tensor for those of a GPU."""


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

    indptr: Array
    indices: Array
    weight: Array
    out_scale: Array
    in_scale: Array


class Incidence(NamedTuple):
    """A clique graph in factors: ``A = to_cells @ to_nets + direct``, all three with the scales of ``A``.

    ``to_nets`` is ``B^T`` and ``to_cells`` is ``B``, which counts the pins of each cell on each net. They have an
    entry for each cell and net that it lies on, where ``A`` has one for each pair of a net's cells. ``direct`` holds
    what is not worth a sum of its own: the pairs of cells on nets of two and three pins, and on its diagonal the
    self-loops less the pairs of a cell with itself that ``B B^T`` has.

    Args:
        to_nets: `Adjacency` ``[M, N]``.
        to_cells: `Adjacency` ``[N, M]``.
        direct: `Adjacency` ``[N, N]``.
    """

    to_nets: Adjacency
    to_cells: Adjacency
    direct: Adjacency
