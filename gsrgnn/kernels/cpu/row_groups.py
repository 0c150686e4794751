"""Sums over edges for eight rows at a time: cells on a common net have nearly the same neighbours.

The rows of a group share one list of neighbours, and every neighbour has a weight for each of the eight, zero where
there is no edge. A neighbour's CBSR row is then read once for the group, and each of its entries is added to eight
rows by one vector instruction, in an array that holds the group's sums with the rows beside each other.
"""

from typing import NamedTuple, TypeAlias

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from gsrgnn.kernels.adjacency import Adjacency, Incidence
from gsrgnn.kernels.cpu.threads import BLOCKS, balanced_bounds, contracted, inner

ROWS = 8


class RowGroups(NamedTuple):
    """An `Adjacency` of R rows, and its rows in groups of eight.

    Args:
        adjacency: the matrix by rows, with its scales.
        rows: int32 ``[R]``, the rows in the order of their groups.
        indptr: int64 ``[G + 1]``; group ``g`` owns the neighbours ``indptr[g] .. indptr[g + 1]``.
        columns: int32 ``[U]``, the neighbours.
        weight: float ``[U, 8]``, of each neighbour for each row of its group.
    """

    adjacency: Adjacency
    rows: np.ndarray
    indptr: np.ndarray
    columns: np.ndarray
    weight: np.ndarray


Prepared: TypeAlias = Adjacency | Incidence | RowGroups
"""What `prepare` gives."""


def prepare(graph: Adjacency | Incidence, other: Prepared | None = None) -> Prepared:
    """What the kernels take for a graph: `RowGroups` of an `Adjacency` whose rows share neighbours, else ``graph``.

    ``other`` is what was prepared for the transposed graph; the two share their groups if they share their structure.
    """
    if not isinstance(graph, Adjacency):
        return graph
    if isinstance(other, RowGroups) and np.may_share_memory(other.adjacency.indices, graph.indices):
        return other._replace(adjacency=graph)
    rows = np.argsort(np.diff(graph.indptr), kind="stable").astype(np.int32)
    indptr = _group_bounds(graph.indptr, graph.indices, rows, len(graph.in_scale))
    if 2 * indptr[-1] > len(graph.indices):
        return graph
    return RowGroups(graph, rows, indptr, *_fill_groups(*graph[:3], rows, len(graph.in_scale), indptr))


@inner
def _group_bounds(indptr, indices, rows, num_columns):
    seen_by = np.full(num_columns, -1)
    bounds = np.zeros((len(rows) + ROWS - 1) // ROWS + 1, np.int64)
    for place, i in enumerate(rows):
        group = place // ROWS
        for j in indices[indptr[i] : indptr[i + 1]]:
            bounds[group + 1] += seen_by[j] != group
            seen_by[j] = group
    return np.cumsum(bounds)


@inner
def _fill_groups(indptr, indices, weight, rows, num_columns, bounds):
    columns, weights = np.empty(bounds[-1], np.int32), np.zeros((bounds[-1], ROWS), weight.dtype)
    seen_by, at, free = np.full(num_columns, -1), np.empty(num_columns, np.int64), 0
    for place, i in enumerate(rows):
        group = place // ROWS
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
            if seen_by[j] != group:
                seen_by[j], at[j], columns[free] = group, free, j
                free += 1
            weights[at[j], place % ROWS] += weight[e]
    return columns, weights


def sum_kept_groups(groups: RowGroups, values: np.ndarray, indices: np.ndarray, out: np.ndarray) -> None:
    """`reference.aggregate` into ``out [N, D]``."""
    sums = np.empty((BLOCKS, out.shape[1], ROWS), out.dtype)
    _sum_kept_groups(*groups.adjacency[3:], *groups[1:], values, indices, out, sums)


@contracted
def _sum_kept_groups(out_scale, in_scale, rows, indptr, columns, weight, values, indices, out, sums):
    bounds = balanced_bounds(indptr)
    for b in numba.prange(BLOCKS):
        for g in range(bounds[b], bounds[b + 1]):
            sums[b] = 0
            for u in range(indptr[g], indptr[g + 1]):
                j = columns[u]
                for t in range(indices.shape[1]):
                    _add_to_eight(sums[b], np.intp(indices[j, t]), weight, u, in_scale[j] * values[j, t])
            for place, i in enumerate(rows[g * ROWS : (g + 1) * ROWS]):
                for c in range(out.shape[1]):
                    out[i, c] = sums[b, c, place] * out_scale[i]


@intrinsic
def _add_to_eight(context, sums, row, weight, at, value):
    """``sums[row] += weight[at] * value``, eight numbers in one instruction: LLVM does not find it by itself."""

    def generate(context, builder, signature, arguments):
        sums, row, weight, at, value = arguments
        real = context.get_value_type(signature.args[4])
        eight = ir.VectorType(real, ROWS)

        def pointer(kind, array, number):
            data = context.make_array(kind)(context, builder, array).data
            return builder.bitcast(builder.gep(data, [builder.mul(number, number.type(ROWS))]), eight.as_pointer())

        target, source = pointer(signature.args[0], sums, row), pointer(signature.args[2], weight, at)
        align = 4 if isinstance(real, ir.FloatType) else 8
        one = builder.insert_element(ir.Constant(eight, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        all_eight = builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), ROWS), [0] * ROWS))
        product = builder.fmul(builder.load(source, align=align), all_eight, flags=("contract",))
        builder.store(builder.fadd(builder.load(target, align=align), product, flags=("contract",)), target, align)
        return context.get_dummy_value()

    return types.void(sums, types.intp, weight, types.intp, value), generate


def sample_groups(groups: RowGroups, grad: np.ndarray, indices: np.ndarray, dvalues: np.ndarray) -> None:
    """`reference.aggregate_backward` into ``dvalues [N, k]``: a neighbour's row of ``grad`` is read once a group."""
    _sample_groups(*groups.adjacency[3:], *groups[1:], grad, indices, dvalues)


@contracted
def _sample_groups(out_scale, in_scale, rows, indptr, columns, weight, grad, indices, dvalues):
    bounds = balanced_bounds(indptr)
    for b in numba.prange(BLOCKS):
        for g in range(bounds[b], bounds[b + 1]):
            first, stop = g * ROWS, min((g + 1) * ROWS, len(rows))
            for place in range(first, stop):
                dvalues[rows[place]] = 0
            for u in range(indptr[g], indptr[g + 1]):
                j = columns[u]
                for place in range(first, stop):
                    w = weight[u, place - first] * in_scale[j]
                    if w != 0:
                        i = rows[place]
                        for t in range(indices.shape[1]):
                            dvalues[i, t] += w * grad[j, indices[i, t]]
            for place in range(first, stop):
                i = rows[place]
                for t in range(indices.shape[1]):
                    dvalues[i, t] *= out_scale[i]
