"""The residual update ``x += LayerNorm(z + bias)`` of a layer, and its undoing with the gradient.

One kernel does both, so that the same machine code makes an update and takes it off again: in fixed-point numbers
that gives ``x`` back to the last bit, in whatever order the compiler adds up a row.
"""

import numba
import numpy as np

from gsrgnn.kernels.cpu.aggregation import Source, second_half, sum_cell
from gsrgnn.kernels.cpu.threads import (
    BLOCKS,
    balanced_bounds,
    even_bounds,
    first,
    inner_reassociated,
    reassociated,
    steps_of,
)
from gsrgnn.kernels.fixed_point import Scale


def add_layer_norm(
    z: np.ndarray,
    bias: np.ndarray,
    gain: np.ndarray,
    shift: np.ndarray,
    eps: float,
    scale: Scale,
    x: np.ndarray,
    sign: int = 1,
    source: Source | None = None,
) -> int:
    """``x += sign * layer_norm(z + bias)`` for a fixed-point ``x`` with its `Scale`: the residual update of a layer.

    With ``source``, ``(graph, h, nets)``, ``z`` is `aggregate_dense` of ``h`` and made on the way, a row at a time
    where that can be; the array ``z [N, D]`` is then a work array.

    Returns the first row of ``z`` whose mean or variance is not finite, or -1; ``x`` is then of no use.
    """
    nothing = np.empty((0, z.shape[1]), z.dtype)
    bad = _update(
        *second_half(source, z), z, bias, gain, shift, eps, scale, sign, x, nothing, nothing, nothing, nothing
    )
    return first(bad)


def undo_layer_norm(
    z: np.ndarray,
    bias: np.ndarray,
    gain: np.ndarray,
    shift: np.ndarray,
    eps: float,
    scale: Scale,
    x: np.ndarray,
    grad: np.ndarray,
    dbias: np.ndarray,
    dgain: np.ndarray,
    dshift: np.ndarray,
    source: Source | None = None,
) -> None:
    """Take `add_layer_norm` back and differentiate it, in one pass over the rows.

    ``x`` is what it was before, to the last bit; ``z`` becomes the gradient with respect to ``z`` for the incoming
    ``grad [N, D]``; ``dbias``, ``dgain`` and ``dshift`` ``[BLOCKS, D]`` receive the parameters' gradients by block.
    """
    _update(*second_half(source, z), z, bias, gain, shift, eps, scale, -1, x, grad, dbias, dgain, dshift)


@reassociated
def _update(to_cells, nets, direct, h, z, bias, gain, shift, eps, scale, sign, x, grad, dbias, dgain, dshift):
    width = len(gain)
    backward = len(grad) > 0
    rows, column, reach = scale
    sign, integer = z.dtype.type(sign), x.dtype.type
    bounds = even_bounds(len(z)) if direct is None else balanced_bounds(to_cells[0] + direct[0])
    first_bad = np.full(BLOCKS, -1, np.int64)
    for b in numba.prange(BLOCKS):
        if backward:
            dbias[b] = 0
            dgain[b] = 0
            dshift[b] = 0
        for i in range(bounds[b], bounds[b + 1]):
            row = z[i]
            if direct is not None:
                if not backward:
                    row = z[bounds[b]]  # stays in cache; no later row needs it
                sum_cell(to_cells, nets, direct, h, i, row)
            mean, rstd = _moments(row, bias, eps)
            if not (np.isfinite(mean) and rstd > 0):  # it is 0 where the variance overflows
                first_bad[b] = i
                break
            for c in range(width):
                normal = (row[c] + bias[c] - mean) * rstd
                steps = sign * steps_of(rows[i], column[c], reach[c])
                x[i, c] += integer(np.rint((normal * gain[c] + shift[c]) * steps))
            if backward:
                _differentiate(row, bias, mean, rstd, gain, grad[i], dbias[b], dgain[b], dshift[b])
    return first_bad


@inner_reassociated
def _moments(row, bias, eps):
    """Mean and reciprocal deviation of ``row + bias``."""
    count = row.dtype.type(len(row))
    mean = variance = row.dtype.type(0)
    for c in range(len(row)):
        mean += row[c] + bias[c]
    mean /= count
    for c in range(len(row)):
        variance += (row[c] + bias[c] - mean) ** 2
    return mean, row.dtype.type(1) / np.sqrt(variance / count + row.dtype.type(eps))


@inner_reassociated
def _differentiate(row, bias, mean, rstd, gain, grad, dbias, dgain, dshift):
    """``row`` becomes its own gradient for the incoming ``grad``; the parameters' gradients are added to."""
    scaled = product = grad.dtype.type(0)
    for c in range(len(row)):
        row[c] = (row[c] + bias[c] - mean) * rstd
        scaled += grad[c] * gain[c]
        product += grad[c] * gain[c] * row[c]
    scaled /= grad.dtype.type(len(row))
    product /= grad.dtype.type(len(row))
    for c in range(len(row)):
        dgain[c] += grad[c] * row[c]
    for c in range(len(row)):
        dshift[c] += grad[c]
    for c in range(len(row)):
        row[c] = rstd * (grad[c] * gain[c] - scaled - row[c] * product)
    for c in range(len(row)):
        dbias[c] += row[c]
