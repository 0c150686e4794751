"""The graph as plain arrays, edge by edge or net by net: what every aggregation kernel reads."""

from typing import Any, NamedTuple


class Adjacency(NamedTuple):
    """``A[i, j] = out_scale[i] * weight[e] * in_scale[j]`` for the entries ``e`` of row ``i``.

    The weights count (pin pairs, or what the user gave); the normalisation is diagonal and stays in the two
    scales, so all three norms of a graph share one structure.

    Args:
        indptr: int64 ``[N + 1]``; row ``i`` owns the entries ``indptr[i] .. indptr[i + 1]``.
        indices: int32 ``[nnz]``, the column (source node) of each entry.
        weight: float ``[nnz]``.
        out_scale, in_scale: float ``[N]``.
    """

    indptr: Any
    indices: Any
    weight: Any
    out_scale: Any
    in_scale: Any


class Incidence(NamedTuple):
    """The same matrix in factors, ``A = out_scale (B B^T + diagonal) in_scale`` with ``B [cells, nets]`` counting pins.

    ``B`` has an entry for each pin (each cell and net it lies on) where ``A`` has one for each pair of a net's cells.

    Args:
        cell_ptr: int64 ``[N + 1]``; cell ``i`` owns the entries ``cell_ptr[i] .. cell_ptr[i + 1]`` of the next two.
        cell_nets, cell_pins: int32 and float, the nets of a cell and its number of pins on each.
        net_ptr: int64 ``[M + 1]``, likewise for the nets.
        net_cells, net_pins: int32 and float, the cells of a net and their numbers of pins on it.
        diagonal, out_scale, in_scale: float ``[N]``.
    """

    cell_ptr: Any
    cell_nets: Any
    cell_pins: Any
    net_ptr: Any
    net_cells: Any
    net_pins: Any
    diagonal: Any
    out_scale: Any
    in_scale: Any
