"""The operators in threaded Numba. Each writes into arrays that the caller owns and makes none of size N.

Work is cut into `BLOCKS` runs of rows, whatever the number of threads, and every sum is made inside one run in
row order: results do not depend on the thread count. Runs over a graph hold about equally many entries, since a
clock net's cells have thousands of neighbours and most cells have few.
"""

import numba
import numpy as np

from gsrgnn.kernels.adjacency import Incidence

BLOCKS = 64

_jit = numba.njit(cache=True, nogil=True, error_model="numpy")
_threaded = numba.njit(cache=True, nogil=True, parallel=True, error_model="numpy")


@_jit
def _even_bounds(num_rows):
    return (np.arange(BLOCKS + 1) * num_rows) // BLOCKS


@_jit
def _balanced_bounds(indptr):
    """Row bounds of blocks of about equal work, an entry and a row counting alike."""
    num_rows = len(indptr) - 1
    total = indptr[num_rows] + num_rows
    bounds = np.empty(BLOCKS + 1, np.int64)
    bounds[0] = 0
    bounds[BLOCKS] = num_rows
    for b in range(1, BLOCKS):
        target = total * b // BLOCKS
        low, high = bounds[b - 1], num_rows
        while low < high:
            middle = (low + high) // 2
            if indptr[middle] + middle < target:
                low = middle + 1
            else:
                high = middle
        bounds[b] = low
    return bounds


@_jit
def _select_row(row, k, keys, exponent, values, indices):
    """Top k of one row by bisection on integer keys that order as the floats do. False if one is not finite."""
    num_columns = len(row)
    integer = keys.dtype.type
    magnitude = integer(~(integer(1) << integer(keys.itemsize * 8 - 1)))
    floats = keys.view(row.dtype)
    for j in range(num_columns):
        floats[j] = row[j] + row.dtype.type(0)  # -0 and +0 are one value, hence one key
    bad = 0
    low = magnitude
    high = integer(~magnitude)
    for j in range(num_columns):
        bits = keys[j]
        bad += (bits & exponent) == exponent
        key = integer(bits ^ ((bits >> integer(keys.itemsize * 8 - 1)) & magnitude))
        keys[j] = key
        low = min(low, key)
        high = max(high, key)
    if bad:
        return False
    # Largest threshold that at least k keys reach.
    if k == num_columns:
        high = low
    while low < high:
        middle = integer((low | high) - ((low ^ high) >> integer(1)))
        count = np.int32(0)
        for j in range(num_columns):
            count += np.int32(keys[j] >= middle)
        if count == k:
            low = high = middle
        elif count > k:
            low = middle
        else:
            high = integer(middle - integer(1))
    above = np.int32(0)
    for j in range(num_columns):
        above += np.int32(keys[j] > low)
    ties = k - above
    t = 0
    for j in range(num_columns):
        if keys[j] >= low and (keys[j] > low or ties > 0):
            ties -= keys[j] == low
            values[t] = row[j]
            indices[t] = j
            t += 1
            if t == k:
                break
    return True


@_threaded
def _group_sparse(x, values, indices, keys, exponent):
    num_rows, k = values.shape
    bounds = _even_bounds(num_rows)
    first_bad = np.full(BLOCKS, -1, np.int64)
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            if not _select_row(x[i], k, keys[b], exponent, values[i], indices[i]):
                first_bad[b] = i
                break
    return first_bad


_KEYS = {4: (np.int32, np.int32(0x7F800000)), 8: (np.int64, np.int64(0x7FF0000000000000))}


def group_sparse(x, values, indices):
    """`reference.group_sparse` into ``values [N, k]`` and ``indices [N, k]``.

    Returns the first row that holds a NaN or an infinity, or -1; rows after it may be left unwritten.
    """
    integer, exponent = _KEYS[x.itemsize]
    keys = np.empty((BLOCKS, x.shape[1]), integer)
    bad = _group_sparse(x, values, indices, keys, exponent)
    return int(bad[bad >= 0].min(initial=len(x))) if (bad >= 0).any() else -1


@_threaded
def gather(x, indices, values):
    """`reference.gather` into ``values [N, k]``."""
    for i in numba.prange(len(indices)):
        for t in range(indices.shape[1]):
            values[i, t] = x[i, indices[i, t]]


@_threaded
def scatter_add(values, indices, out):
    """Add `reference.scatter` to ``out [N, D]``."""
    for i in numba.prange(len(indices)):
        for t in range(indices.shape[1]):
            out[i, indices[i, t]] += values[i, t]


@_threaded
def pack_mask(indices, mask):
    """`reference.pack_mask` into ``mask``, uint8 ``[N, ceil(D / 8)]``."""
    for i in numba.prange(len(indices)):
        mask[i] = 0
        for t in range(indices.shape[1]):
            column = np.int64(indices[i, t])
            mask[i, column >> 3] |= np.uint8(1 << (column & 7))


@_threaded
def unpack_mask(mask, indices):
    """`reference.unpack_mask` into ``indices [N, k]``."""
    for i in numba.prange(len(indices)):
        t = 0
        for byte in range(mask.shape[1]):
            for bit in range(8):
                if mask[i, byte] >> bit & 1:
                    indices[i, t] = 8 * byte + bit
                    t += 1


def aggregate(graph, values, indices, out, nets=None):
    """`reference.aggregate` into ``out [N, D]``, over an `Adjacency` or, through ``nets [M, D]``, an `Incidence`."""
    if isinstance(graph, Incidence):
        _sum_kept(graph.to_nets, values, indices, nets)
        _sum_rows(graph.to_cells, nets, out)
        _add_kept_diagonal(graph.diagonal, values, indices, out)
    else:
        _sum_kept(graph, values, indices, out)


def aggregate_backward(transposed, grad, indices, dvalues, nets=None):
    """`reference.aggregate_backward` into ``dvalues [N, k]``, ``transposed`` and ``nets`` as for `aggregate`."""
    if isinstance(transposed, Incidence):
        _sum_rows(transposed.to_nets, grad, nets)
        _sample(transposed.to_cells, nets, indices, dvalues)
        _sample_diagonal(transposed.diagonal, grad, indices, dvalues)
    else:
        _sample(transposed, grad, indices, dvalues)


def aggregate_dense(graph, x, out, nets=None):
    """`reference.aggregate_dense` into ``out [N, D]``, ``graph`` and ``nets`` as for `aggregate`."""
    if isinstance(graph, Incidence):
        _sum_rows(graph.to_nets, x, nets)
        _sum_rows(graph.to_cells, nets, out)
        _add_diagonal(graph.diagonal, x, out)
    else:
        _sum_rows(graph, x, out)


@_threaded
def _sum_kept(adjacency, values, indices, out):
    """`reference.aggregate` into ``out [N, D]``."""
    indptr, sources, weight, out_scale, in_scale = adjacency
    bounds = _balanced_bounds(indptr)
    k = indices.shape[1]
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            row = out[i]
            row[:] = 0
            for e in range(indptr[i], indptr[i + 1]):
                j = sources[e]
                w = weight[e] * in_scale[j]
                for t in range(k):
                    row[indices[j, t]] += w * values[j, t]
            for c in range(len(row)):
                row[c] *= out_scale[i]


@_threaded
def _sample(transposed, grad, indices, dvalues):
    """`reference.aggregate_backward` into ``dvalues [N, k]``."""
    indptr, sources, weight, out_scale, in_scale = transposed
    bounds = _balanced_bounds(indptr)
    k = indices.shape[1]
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            row = dvalues[i]
            kept = indices[i]
            row[:] = 0
            for e in range(indptr[i], indptr[i + 1]):
                j = sources[e]
                w = weight[e] * in_scale[j]
                for t in range(k):
                    row[t] += w * grad[j, kept[t]]
            for t in range(k):
                row[t] *= out_scale[i]


@_threaded
def _sum_rows(adjacency, x, out):
    """`reference.aggregate_dense` into ``out [N, D]``."""
    indptr, sources, weight, out_scale, in_scale = adjacency
    bounds = _balanced_bounds(indptr)
    width = x.shape[1]
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            row = out[i]
            row[:] = 0
            for e in range(indptr[i], indptr[i + 1]):
                j = sources[e]
                w = weight[e] * in_scale[j]
                for c in range(width):
                    row[c] += w * x[j, c]
            for c in range(width):
                row[c] *= out_scale[i]


@_threaded
def _add_kept_diagonal(diagonal, values, indices, out):
    for i in numba.prange(len(indices)):
        for t in range(indices.shape[1]):
            out[i, indices[i, t]] += diagonal[i] * values[i, t]


@_threaded
def _sample_diagonal(diagonal, grad, indices, dvalues):
    for i in numba.prange(len(indices)):
        for t in range(indices.shape[1]):
            dvalues[i, t] += diagonal[i] * grad[i, indices[i, t]]


@_threaded
def _add_diagonal(diagonal, x, out):
    for i in numba.prange(len(x)):
        for c in range(x.shape[1]):
            out[i, c] += diagonal[i] * x[i, c]


@_jit
def _row_moments(row, eps):
    real = row.dtype.type
    mean = real(0)
    for c in range(len(row)):
        mean += row[c]
    mean /= real(len(row))
    variance = real(0)
    for c in range(len(row)):
        variance += (row[c] - mean) ** 2
    return mean, real(1) / np.sqrt(variance / real(len(row)) + real(eps))


@_threaded
def add_layer_norm(z, gain, bias, eps, x):
    """``x += layer_norm(z)``: the residual update of a layer."""
    bounds = _even_bounds(len(z))
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            mean, rstd = _row_moments(z[i], eps)
            for c in range(z.shape[1]):
                x[i, c] += (z[i, c] - mean) * rstd * gain[c] + bias[c]


@_threaded
def undo_layer_norm(z, gain, bias, eps, x, grad, dgain, dbias):
    """Take `add_layer_norm` back and differentiate it, in one pass over the rows.

    ``x -= layer_norm(z)`` recovers the layer's input; ``z`` becomes the gradient with respect to ``z`` for the
    incoming ``grad [N, D]``; ``dgain`` and ``dbias`` ``[BLOCKS, D]`` receive the parameters' gradients by block.
    """
    bounds = _even_bounds(len(z))
    width = z.shape[1]
    count = z.dtype.type(width)
    for b in numba.prange(BLOCKS):
        dgain[b] = 0
        dbias[b] = 0
        for i in range(bounds[b], bounds[b + 1]):
            mean, rstd = _row_moments(z[i], eps)
            sum_scaled = z.dtype.type(0)
            sum_product = z.dtype.type(0)
            for c in range(width):
                normal = (z[i, c] - mean) * rstd
                x[i, c] -= normal * gain[c] + bias[c]
                dgain[b, c] += grad[i, c] * normal
                dbias[b, c] += grad[i, c]
                scaled = grad[i, c] * gain[c]
                sum_scaled += scaled
                sum_product += scaled * normal
            sum_scaled /= count
            sum_product /= count
            for c in range(width):
                normal = (z[i, c] - mean) * rstd
                z[i, c] = rstd * (grad[i, c] * gain[c] - sum_scaled - normal * sum_product)
