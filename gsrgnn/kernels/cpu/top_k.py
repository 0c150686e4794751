"""Group sparsity: the k largest entries of each row, by a search for the smallest value that is kept.

The search narrows the range of a row's values with one probe after another, each a count of the entries that reach
it. It is done when just k do, after about five probes: the first takes the place that the row before ended at, the
next ones interpolate between the two counts that enclose k. Where interpolating does not help (many equal values,
far outliers) the range is halved, so that the number of probes stays below that of the bits and a few.
"""

import numba
import numpy as np

from gsrgnn.kernels.cpu.lanes import count_reaching, find_reaching
from gsrgnn.kernels.cpu.threads import BLOCKS, even_bounds, first, inner, steps_of, threaded
from gsrgnn.kernels.fixed_point import Scale

INTERPOLATED = 8
_KEYS = {4: (np.int32, np.int32(0x7F800000)), 8: (np.int64, np.int64(0x7FF0000000000000))}


def group_sparse(x: np.ndarray, values: np.ndarray, indices: np.ndarray) -> int:
    """`reference.group_sparse` into ``values [N, k]`` and ``indices [N, k]``.

    Returns the first row that holds a NaN or an infinity, or -1; rows after it may be left unwritten.
    """
    integer, exponent = _KEYS[x.itemsize]
    keys = np.empty((BLOCKS, x.shape[1]), integer)
    return first(_group_sparse(x, values, indices, keys, exponent))


@threaded
def _group_sparse(x, values, indices, keys, exponent):
    bounds = even_bounds(len(x))
    first_bad = np.full(BLOCKS, -1, np.int64)
    for b in numba.prange(BLOCKS):
        place = 0.5
        for i in range(bounds[b], bounds[b + 1]):
            if not _float_keys(x[i], keys[b], exponent):
                first_bad[b] = i
                break
            place = _select_columns(keys[b], indices[i], place)
            for t in range(indices.shape[1]):
                values[i, t] = x[i, indices[i, t]]
    return first_bad


def group_sparse_fixed(x: np.ndarray, scale: Scale, values: np.ndarray, indices: np.ndarray) -> None:
    """`reference.group_sparse` of the fixed-point ``x`` with its `Scale` into ``values [N, k]`` and ``indices [N, k]``.

    In a row of one step the integers are compared, in any other the floats that they are rounded to.
    """
    integer, exponent = _KEYS[values.itemsize]
    limits = scale.column.max(), scale.reach.min(), scale.reach.max()
    _group_sparse_fixed(x, scale, limits, values, indices, np.empty((BLOCKS, x.shape[1]), integer), exponent)


@threaded
def _group_sparse_fixed(x, scale, limits, values, indices, keys, exponent):
    bounds = even_bounds(len(x))
    rows, column, reach = scale
    most_column, least_reach, most_reach = limits
    for b in numba.prange(BLOCKS):
        floats = np.empty(x.shape[1], values.dtype)
        place = 0.5
        for i in range(bounds[b], bounds[b + 1]):
            if rows[i] >= most_reach and least_reach == most_reach:
                steps = most_reach
            elif most_column <= rows[i] <= least_reach:
                steps = rows[i]
            else:
                steps = _one_step(rows[i], column, reach)
            if steps > 0:
                place = _select_columns(x[i], indices[i], place)
                for t in range(indices.shape[1]):
                    values[i, t] = values.dtype.type(x[i, indices[i, t]]) / steps
            else:
                for c in range(x.shape[1]):
                    floats[c] = values.dtype.type(x[i, c]) / steps_of(rows[i], column[c], reach[c])
                _float_keys(floats, keys[b], exponent)
                place = _select_columns(keys[b], indices[i], place)
                for t in range(indices.shape[1]):
                    values[i, t] = floats[indices[i, t]]


@inner
def _one_step(row, column, reach):
    """Steps a unit, where they are the same in every column of a row; else 0."""
    steps = steps_of(row, column[0], reach[0])
    for c in range(len(column)):
        if steps_of(row, column[c], reach[c]) != steps:
            return steps * 0
    return steps


@inner
def _float_keys(row, keys, exponent):
    """Integers that order as the floats of ``row`` do, into ``keys``; False if one is not finite."""
    integer = keys.dtype.type
    magnitude = integer(~(integer(1) << integer(keys.itemsize * 8 - 1)))
    floats = keys.view(row.dtype)
    for j in range(len(row)):
        floats[j] = row[j] + row.dtype.type(0)  # -0 and +0 are one value, hence one key
    highest = integer(0)
    for j in range(len(row)):
        highest = max(highest, integer(keys[j] & exponent))
        keys[j] = integer(keys[j] ^ integer(integer(keys[j] >> integer(keys.itemsize * 8 - 1)) & magnitude))
    return highest != exponent


@inner
def _select_columns(keys, indices, place):
    """The columns of the ``len(indices)`` largest keys, ascending, ties to the lowest.

    ``place`` is where between the smallest and the largest key to look first, 0 .. 1. Returns where the end was.
    """
    k = len(indices)
    low = high = keys[0]
    for j in range(len(keys)):
        low = min(low, keys[j])
        high = max(high, keys[j])
    bottom, span = np.float64(low), np.float64(high) - np.float64(low)
    low, reach = _threshold(keys, k, low, high, place)
    if reach == k:
        find_reaching(keys, low, indices)
    else:
        t, ties = 0, k
        for j in range(len(keys)):
            ties -= keys[j] > low
        for j in range(len(keys)):
            if keys[j] > low or keys[j] == low and ties > 0:
                ties -= keys[j] == low
                indices[t] = j
                t += 1
    return (np.float64(low) - bottom) / span if span > 0 else place


@inner
def _threshold(keys, k, low, high, place):
    """A key that just k keys reach, or where equal ones forbid that, the k-th largest; and how many reach it."""
    integer = keys.dtype.type
    reach, beyond = len(keys), 0  # keys that reach low, and that exceed high
    probes = 0
    while low < high and reach > k:
        probe = integer(low + np.int64((np.float64(high) - np.float64(low)) * place) + 1)
        if probes > INTERPOLATED or not low < probe <= high:
            probe = integer((low | high) - ((low ^ high) >> integer(1)))
        count = count_reaching(keys, probe)
        if count >= k:
            low, reach = probe, count
        else:
            high, beyond = integer(probe - integer(1)), count
        place = (reach - k) / (reach - beyond)
        probes += 1
    return low, reach
