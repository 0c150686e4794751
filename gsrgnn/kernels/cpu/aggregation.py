"""Sums over neighbours: of CBSR rows, of dense rows, and sampled at the kept positions; by edges or through nets."""

from typing import Any, TypeAlias

import numba
import numpy as np

from gsrgnn.kernels.adjacency import Incidence
from gsrgnn.kernels.cpu.lanes import add_rows
from gsrgnn.kernels.cpu.row_groups import Prepared, RowGroups, sample_groups, sum_kept_groups
from gsrgnn.kernels.cpu.threads import BLOCKS, balanced_bounds, contracted, inlined, threaded

Source: TypeAlias = tuple[Prepared, np.ndarray, np.ndarray | None]
"""A graph, an array and a work array for the nets' sums: what `aggregate_dense` makes of them is made on the way."""


def aggregate(
    graph: Prepared, values: np.ndarray, indices: np.ndarray, out: np.ndarray, nets: np.ndarray | None = None
) -> None:
    """`reference.aggregate` into ``out [N, D]``.

    ``graph`` is what `prepare` gives for an `Adjacency` or an `Incidence`, which goes through ``nets [M, D]``.
    """
    if isinstance(graph, Incidence):
        _sum_kept(graph.to_nets, values, indices, nets)
        _sum_kept_cells(graph.to_cells, nets, graph.direct, values, indices, out)
    elif isinstance(graph, RowGroups):
        sum_kept_groups(graph, values, indices, out)
    else:
        _sum_kept(graph, values, indices, out)


def aggregate_backward(
    transposed: Prepared, grad: np.ndarray, indices: np.ndarray, dvalues: np.ndarray, nets: np.ndarray | None = None
) -> None:
    """`reference.aggregate_backward` into ``dvalues [N, k]``, ``transposed`` and ``nets`` as for `aggregate`."""
    if isinstance(transposed, Incidence):
        _sum_rows(transposed.to_nets, grad, nets)
        _sample_cells(transposed.to_cells, nets, transposed.direct, grad, indices, dvalues)
    elif isinstance(transposed, RowGroups):
        sample_groups(transposed, grad, indices, dvalues)
    else:
        _sample(transposed, grad, indices, dvalues)


def aggregate_dense(graph: Prepared, x: np.ndarray, out: np.ndarray, nets: np.ndarray | None = None) -> None:
    """`reference.aggregate_dense` into ``out [N, D]``, ``graph`` and ``nets`` as for `aggregate`."""
    if isinstance(graph, Incidence):
        _sum_rows(graph.to_nets, x, nets)
        _sum_cells(graph.to_cells, nets, graph.direct, x, out)
    else:
        _sum_rows(graph.adjacency if isinstance(graph, RowGroups) else graph, x, out)


@contracted
def _sum_rows(adjacency, x, out):
    """`reference.aggregate_dense` into ``out [N, D]``."""
    indptr, sources, weight, out_scale, in_scale = adjacency
    bounds = balanced_bounds(indptr)
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            row = out[i]
            row[:] = 0
            add_row(indptr, sources, weight, in_scale, x, i, row)
            for c in range(len(row)):
                row[c] *= out_scale[i]


def second_half(source: Source | None, z: np.ndarray) -> tuple[Any, Any, Any, Any]:
    """What `sum_cell` has to sum for each row of ``z``; four times None where ``z`` is there."""
    if source is None:
        return None, None, None, None
    graph, x, nets = source
    if not isinstance(graph, Incidence):
        aggregate_dense(graph, x, z)
        return None, None, None, None
    _sum_rows(graph.to_nets, x, nets)
    return graph.to_cells, nets, graph.direct, x


@contracted
def _sum_cells(to_cells, nets, direct, x, out):
    bounds = balanced_bounds(to_cells[0] + direct[0])
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            sum_cell(to_cells, nets, direct, x, i, out[i])


@inlined
def sum_cell(to_cells, nets, direct, x, i, row):
    """Row ``i`` of `aggregate_dense` through the nets into ``row [D]``, the nets' sums being there."""
    indptr, sources, weight, _, ones = to_cells
    indptr1, sources1, weight1, out_scale, in_scale = direct
    row[:] = 0
    add_row(indptr, sources, weight, ones, nets, i, row)
    add_row(indptr1, sources1, weight1, in_scale, x, i, row)
    for c in range(len(row)):
        row[c] *= out_scale[i]


@inlined
def add_row(indptr, sources, weight, in_scale, x, i, row):
    """Add ``sum_j weight[i, j] in_scale[j] x[j]`` to ``row [D]``."""
    add_rows(row, x, sources, weight, in_scale, indptr[i], indptr[i + 1])


@threaded
def _sum_kept(adjacency, values, indices, out):
    """`reference.aggregate` into ``out [N, D]``."""
    indptr, sources, weight, out_scale, in_scale = adjacency
    bounds = balanced_bounds(indptr)
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            row = out[i]
            row[:] = 0
            _add_kept(indptr, sources, weight, in_scale, values, indices, i, row)
            for c in range(len(row)):
                row[c] *= out_scale[i]


@threaded
def _sum_kept_cells(to_cells, nets, direct, values, indices, out):
    indptr, sources, weight, _, ones = to_cells
    indptr1, sources1, weight1, out_scale, in_scale = direct
    bounds = balanced_bounds(indptr + indptr1)
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            row = out[i]
            row[:] = 0
            add_row(indptr, sources, weight, ones, nets, i, row)
            _add_kept(indptr1, sources1, weight1, in_scale, values, indices, i, row)
            for c in range(len(row)):
                row[c] *= out_scale[i]


@inlined
def _add_kept(indptr, sources, weight, in_scale, values, indices, i, row):
    """`add_row` for CBSR rows."""
    for e in range(indptr[i], indptr[i + 1]):
        j = sources[e]
        w = weight[e] * in_scale[j]
        for t in range(indices.shape[1]):
            row[indices[j, t]] += w * values[j, t]


@threaded
def _sample(transposed, grad, indices, dvalues):
    """`reference.aggregate_backward` into ``dvalues [N, k]``."""
    indptr, sources, weight, out_scale, in_scale = transposed
    bounds = balanced_bounds(indptr)
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            row = dvalues[i]
            row[:] = 0
            _add_sampled(indptr, sources, weight, in_scale, grad, indices[i], i, row)
            for t in range(len(row)):
                row[t] *= out_scale[i]


@threaded
def _sample_cells(to_cells, nets, direct, grad, indices, dvalues):
    indptr, sources, weight, _, ones = to_cells
    indptr1, sources1, weight1, out_scale, in_scale = direct
    bounds = balanced_bounds(indptr + indptr1)
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            row = dvalues[i]
            row[:] = 0
            _add_sampled(indptr, sources, weight, ones, nets, indices[i], i, row)
            _add_sampled(indptr1, sources1, weight1, in_scale, grad, indices[i], i, row)
            for t in range(len(row)):
                row[t] *= out_scale[i]


@inlined
def _add_sampled(indptr, sources, weight, in_scale, grad, kept, i, row):
    """`add_row` at the columns ``kept [k]`` alone."""
    for e in range(indptr[i], indptr[i + 1]):
        j = sources[e]
        w = weight[e] * in_scale[j]
        for t in range(len(kept)):
            row[t] += w * grad[j, kept[t]]
