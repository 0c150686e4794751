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
_contracted = numba.njit(cache=True, nogil=True, parallel=True, error_model="numpy", fastmath={"contract"})
_reassociated = numba.njit(cache=True, nogil=True, parallel=True, error_model="numpy", fastmath={"contract", "reassoc"})


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
def _float_keys(row, keys, exponent):
    """Integers that order as the floats of ``row`` do, into ``keys``; False if one is not finite."""
    integer = keys.dtype.type
    magnitude = integer(~(integer(1) << integer(keys.itemsize * 8 - 1)))
    floats = keys.view(row.dtype)
    for j in range(len(row)):
        floats[j] = row[j] + row.dtype.type(0)  # -0 and +0 are one value, hence one key
    bad = 0
    for j in range(len(row)):
        bits = keys[j]
        bad += (bits & exponent) == exponent
        keys[j] = integer(bits ^ ((bits >> integer(keys.itemsize * 8 - 1)) & magnitude))
    return bad == 0


@_jit
def _select_columns(keys, k, indices):
    """The columns of the k largest of ``keys``, ascending, ties to the lowest, by bisection on the threshold."""
    integer = keys.dtype.type
    low = high = keys[0]
    for j in range(len(keys)):
        low = min(low, keys[j])
        high = max(high, keys[j])
    if k == len(keys):
        high = low
    while low < high:  # low becomes the largest threshold that at least k keys reach
        middle = integer((low | high) - ((low ^ high) >> integer(1)))
        count = np.int32(0)
        for j in range(len(keys)):
            count += np.int32(keys[j] >= middle)
        if count == k:
            low = high = middle
        elif count > k:
            low = middle
        else:
            high = integer(middle - integer(1))
    above = np.int32(0)
    for j in range(len(keys)):
        above += np.int32(keys[j] > low)
    ties = k - above
    t = 0
    for j in range(len(keys)):
        if keys[j] >= low and (keys[j] > low or ties > 0):
            ties -= keys[j] == low
            indices[t] = j
            t += 1
            if t == k:
                break


@_threaded
def _group_sparse(x, values, indices, keys, exponent):
    num_rows, k = values.shape
    bounds = _even_bounds(num_rows)
    first_bad = np.full(BLOCKS, -1, np.int64)
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            if not _float_keys(x[i], keys[b], exponent):
                first_bad[b] = i
                break
            _select_columns(keys[b], k, indices[i])
            for t in range(k):
                values[i, t] = x[i, indices[i, t]]
    return first_bad


_KEYS = {4: (np.int32, np.int32(0x7F800000)), 8: (np.int64, np.int64(0x7FF0000000000000))}


def group_sparse(x, values, indices):
    """`reference.group_sparse` into ``values [N, k]`` and ``indices [N, k]``.

    Returns the first row that holds a NaN or an infinity, or -1; rows after it may be left unwritten.
    """
    integer, exponent = _KEYS[x.itemsize]
    keys = np.empty((BLOCKS, x.shape[1]), integer)
    return _first(_group_sparse(x, values, indices, keys, exponent))


def _first(bad):
    """The first row of those that the blocks name, or -1."""
    return int(bad[bad >= 0].min(initial=np.iinfo(np.int64).max)) if (bad >= 0).any() else -1


@_threaded
def group_sparse_fixed(x, scale, values, indices):
    """`reference.group_sparse` of the fixed-point ``x / scale`` into ``values [N, k]`` and ``indices [N, k]``."""
    bounds = _even_bounds(len(x))
    unit = values.dtype.type(1 / scale)
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            _select_columns(x[i], indices.shape[1], indices[i])
            for t in range(indices.shape[1]):
                values[i, t] = values.dtype.type(x[i, indices[i, t]]) * unit


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
def scatter_fixed(values, indices, scale, out):
    """`reference.scatter` into the fixed-point ``out [N, D]``."""
    scale = values.dtype.type(scale)
    for i in numba.prange(len(indices)):
        out[i] = 0
        for t in range(indices.shape[1]):
            out[i, indices[i, t]] = out.dtype.type(np.rint(values[i, t] * scale))


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
        _sum_rows(graph.to_cells, nets, out, graph.diagonal, x)
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


@_contracted
def _sum_rows(adjacency, x, out, diagonal=None, own=None):
    """`reference.aggregate_dense` into ``out [N, D]``, plus ``diagonal[i] * own[i]`` where a diagonal is given."""
    indptr, sources, weight, out_scale, in_scale = adjacency
    bounds = _balanced_bounds(indptr)
    width = x.shape[1]
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            row = out[i]
            row[:] = 0
            start, stop = indptr[i], indptr[i + 1]
            paired = start + (stop - start) // 2 * 2
            for e in range(start, paired, 2):
                j0, j1 = sources[e], sources[e + 1]
                w0, w1 = weight[e] * in_scale[j0], weight[e + 1] * in_scale[j1]
                for c in range(width):
                    row[c] += w0 * x[j0, c] + w1 * x[j1, c]
            for e in range(paired, stop):
                j = sources[e]
                w = weight[e] * in_scale[j]
                for c in range(width):
                    row[c] += w * x[j, c]
            for c in range(width):
                row[c] *= out_scale[i]
            if diagonal is not None:
                for c in range(width):
                    row[c] += diagonal[i] * own[i, c]


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


@_contracted
def product(values, indices, matrix, out):
    """`reference.product` into ``out [N, C]``."""
    bounds = _even_bounds(len(out))
    k = indices.shape[1]
    unrolled = k // 4 * 4
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            row = out[i]
            row[:] = 0
            for t in range(0, unrolled, 4):
                v0, v1, v2, v3 = values[i, t], values[i, t + 1], values[i, t + 2], values[i, t + 3]
                m0, m1 = matrix[indices[i, t]], matrix[indices[i, t + 1]]
                m2, m3 = matrix[indices[i, t + 2]], matrix[indices[i, t + 3]]
                for c in range(len(row)):
                    row[c] += v0 * m0[c] + v1 * m1[c] + v2 * m2[c] + v3 * m3[c]
            for t in range(unrolled, k):
                v, m = values[i, t], matrix[indices[i, t]]
                for c in range(len(row)):
                    row[c] += v * m[c]


@_reassociated
def product_backward(values, indices, matrix, grad, dvalues, dmatrix):
    """`reference.product_backward` into ``dvalues [N, k]`` and, by block, ``dmatrix [BLOCKS, D, C]``."""
    bounds = _even_bounds(len(grad))
    for b in numba.prange(BLOCKS):
        dmatrix[b] = 0
        for i in range(bounds[b], bounds[b + 1]):
            g = grad[i]
            for t in range(indices.shape[1]):
                v, m, dm = values[i, t], matrix[indices[i, t]], dmatrix[b, indices[i, t]]
                dot = grad.dtype.type(0)
                for c in range(len(g)):
                    dot += g[c] * m[c]
                    dm[c] += v * g[c]
                dvalues[i, t] = dot


@_jit
def _row_moments(z, bias, eps):
    """Mean and reciprocal deviation of ``z + bias``, summed in eight strands: one order on every machine."""
    real = z.dtype.type
    whole = len(z) // 8 * 8
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = real(0)
    for c in range(0, whole, 8):
        s0 += z[c] + bias[c]
        s1 += z[c + 1] + bias[c + 1]
        s2 += z[c + 2] + bias[c + 2]
        s3 += z[c + 3] + bias[c + 3]
        s4 += z[c + 4] + bias[c + 4]
        s5 += z[c + 5] + bias[c + 5]
        s6 += z[c + 6] + bias[c + 6]
        s7 += z[c + 7] + bias[c + 7]
    for c in range(whole, len(z)):
        s0 += z[c] + bias[c]
    mean = (((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))) / real(len(z))
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = real(0)
    for c in range(0, whole, 8):
        s0 += (z[c] + bias[c] - mean) ** 2
        s1 += (z[c + 1] + bias[c + 1] - mean) ** 2
        s2 += (z[c + 2] + bias[c + 2] - mean) ** 2
        s3 += (z[c + 3] + bias[c + 3] - mean) ** 2
        s4 += (z[c + 4] + bias[c + 4] - mean) ** 2
        s5 += (z[c + 5] + bias[c + 5] - mean) ** 2
        s6 += (z[c + 6] + bias[c + 6] - mean) ** 2
        s7 += (z[c + 7] + bias[c + 7] - mean) ** 2
    for c in range(whole, len(z)):
        s0 += (z[c] + bias[c] - mean) ** 2
    variance = (((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))) / real(len(z))
    return mean, real(1) / np.sqrt(variance + real(eps))


@_threaded
def _add_layer_norm(z, bias, gain, shift, eps, scale, x):
    bounds = _even_bounds(len(z))
    scale, integer = z.dtype.type(scale), x.dtype.type
    first_bad = np.full(BLOCKS, -1, np.int64)
    for b in numba.prange(BLOCKS):
        for i in range(bounds[b], bounds[b + 1]):
            mean, rstd = _row_moments(z[i], bias, eps)
            if not np.isfinite(mean + rstd):
                first_bad[b] = i
                break
            for c in range(z.shape[1]):
                normal = (z[i, c] + bias[c] - mean) * rstd
                x[i, c] += integer(np.rint((normal * gain[c] + shift[c]) * scale))
    return first_bad


def add_layer_norm(z, bias, gain, shift, eps, scale, x):
    """``x += layer_norm(z + bias)`` for a fixed-point ``x``: the residual update of a layer.

    Returns the first row of ``z`` that holds a NaN or an infinity, or -1; ``x`` is then of no use.
    """
    return _first(_add_layer_norm(z, bias, gain, shift, eps, scale, x))


@_threaded
def undo_layer_norm(z, bias, gain, shift, eps, scale, x, grad, dbias, dgain, dshift):
    """Take `add_layer_norm` back and differentiate it, in one pass over the rows.

    ``x`` is what it was before, to the last bit; ``z`` becomes the gradient with respect to ``z`` for the incoming
    ``grad [N, D]``; ``dbias``, ``dgain`` and ``dshift`` ``[BLOCKS, D]`` receive the parameters' gradients by block.
    """
    bounds = _even_bounds(len(z))
    width = z.shape[1]
    count = z.dtype.type(width)
    scale, integer = z.dtype.type(scale), x.dtype.type
    for b in numba.prange(BLOCKS):
        dbias[b] = 0
        dgain[b] = 0
        dshift[b] = 0
        for i in range(bounds[b], bounds[b + 1]):
            mean, rstd = _row_moments(z[i], bias, eps)
            for c in range(width):
                normal = (z[i, c] + bias[c] - mean) * rstd
                x[i, c] -= integer(np.rint((normal * gain[c] + shift[c]) * scale))
                z[i, c] = normal
                dgain[b, c] += grad[i, c] * normal
                dshift[b, c] += grad[i, c]
            sum_scaled, sum_product = _row_sums(grad[i], gain, z[i])
            sum_scaled /= count
            sum_product /= count
            for c in range(width):
                z[i, c] = rstd * (grad[i, c] * gain[c] - sum_scaled - z[i, c] * sum_product)
                dbias[b, c] += z[i, c]


@numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _row_sums(grad, gain, normal):
    """Sums of ``grad * gain`` and of ``grad * gain * normal``."""
    scaled = product = grad.dtype.type(0)
    for c in range(len(grad)):
        scaled += grad[c] * gain[c]
        product += grad[c] * gain[c] * normal[c]
    return scaled, product
