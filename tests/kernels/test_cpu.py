"""Every CPU kernel against the readable reference, on outputs poisoned beforehand."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsrgnn import kernels
from gsrgnn.kernels import cpu, reference

DTYPES = st.sampled_from([np.float32, np.float64])
TOLERANCE = {np.float32: 1e-4, np.float64: 1e-12}


def poisoned(shape, dtype):
    return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 77, dtype)


@st.composite
def matrices(draw, widths=(1, 2, 7, 33, 192, 300)):
    """Random rows; half of the draws are from few values, so that ties (and signed zeros) abound."""
    dtype, width = draw(DTYPES), draw(st.sampled_from(widths))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.integers(1, 130))
    if draw(st.booleans()):
        return rng.choice([-1.0, -0.0, 0.0, 1.0, 2.0], (rows, width)).astype(dtype)
    return (rng.standard_normal((rows, width)) * 10.0 ** rng.integers(-30, 30)).astype(dtype)


@st.composite
def problems(draw):
    """A graph with empty rows and one row of thousands, a CBSR matrix and a dense one."""
    x = draw(matrices((1, 5, 40, 300)))
    x = x / max(np.abs(x).max(), np.finfo(x.dtype).tiny)
    rows, width = x.shape
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    counts = rng.integers(0, 5, rows)
    counts[rng.integers(rows)] = draw(st.sampled_from([0, 3000]))
    indptr = np.concatenate([[0], np.cumsum(counts)])
    adjacency = kernels.Adjacency(indptr, rng.integers(0, rows, indptr[-1]).astype(np.int32),
                                  *(rng.standard_normal(n).astype(x.dtype) / 10 for n in (indptr[-1], rows, rows)))
    k = draw(st.integers(1, width))
    values, indices = reference.group_sparse(x, k)
    index_dtype = draw(st.sampled_from([kernels.index_dtype(width), np.dtype("int64")]))
    return x, adjacency, np.ascontiguousarray(values), indices.astype(index_dtype)


@given(matrices(), st.data())
def test_group_sparse(x, data):
    k = data.draw(st.sampled_from([1, min(8, x.shape[1]), x.shape[1]]))
    values, indices = poisoned((len(x), k), x.dtype), poisoned((len(x), k), kernels.index_dtype(x.shape[1]))
    assert cpu.group_sparse(x, values, indices) == -1
    want_values, want_indices = reference.group_sparse(x, k)
    np.testing.assert_array_equal(indices, want_indices)
    np.testing.assert_array_equal(values, want_values)


@given(matrices(), st.sampled_from([np.nan, -np.nan, np.inf, -np.inf]), st.data())
def test_group_sparse_names_the_first_row_that_is_not_finite(x, bad, data):
    first = data.draw(st.integers(0, len(x) - 1))
    x[first, data.draw(st.integers(0, x.shape[1] - 1))] = bad
    x[-1, 0] = np.nan
    assert cpu.group_sparse(x, np.empty((len(x), 1), x.dtype), np.empty((len(x), 1), np.int16)) == first


@given(problems())
def test_aggregation(problem):
    x, adjacency, values, indices = problem
    tolerance = dict(rtol=0, atol=TOLERANCE[x.dtype.type])
    out = poisoned(x.shape, x.dtype)
    cpu.aggregate(adjacency, values, indices, out)
    np.testing.assert_allclose(out, reference.aggregate(adjacency, values, indices, x.shape[1]), **tolerance)
    dvalues = poisoned(values.shape, x.dtype)
    cpu.aggregate_backward(adjacency, x, indices, dvalues)
    np.testing.assert_allclose(dvalues, reference.aggregate_backward(adjacency, x, indices), **tolerance)
    out = poisoned(x.shape, x.dtype)
    cpu.aggregate_dense(adjacency, x, out)
    np.testing.assert_allclose(out, reference.aggregate_dense(adjacency, x), **tolerance)


@given(problems())
def test_gather_and_scatter(problem):
    x, _, values, indices = problem
    out = poisoned(values.shape, x.dtype)
    cpu.gather(x, indices, out)
    np.testing.assert_array_equal(out, reference.gather(x, indices))
    out = x.copy()
    cpu.scatter_add(values, indices, out)
    np.testing.assert_array_equal(out, x + reference.scatter(values, indices, x.shape[1]))


@given(problems(), st.sampled_from([1, 5, 64]))
def test_product(problem, columns):
    x, _, values, indices = problem
    matrix = np.random.default_rng(0).standard_normal((x.shape[1], columns)).astype(x.dtype)
    out = poisoned((len(x), columns), x.dtype)
    cpu.product(values, indices, matrix, out)
    tolerance = dict(rtol=0, atol=TOLERANCE[x.dtype.type])
    np.testing.assert_allclose(out, reference.product(values, indices, matrix), **tolerance)
    grad = np.random.default_rng(1).standard_normal(out.shape).astype(x.dtype)
    dvalues, dmatrix = poisoned(values.shape, x.dtype), poisoned((cpu.BLOCKS, *matrix.shape), x.dtype)
    cpu.product_backward(values, indices, matrix, grad, dvalues, dmatrix)
    for got, want in zip((dvalues, dmatrix.sum(0)), reference.product_backward(values, indices, matrix, grad),
                         strict=True):
        np.testing.assert_allclose(got, want, **tolerance)


@given(matrices(), st.data())
def test_fixed_point(x, data):
    k = data.draw(st.sampled_from([1, min(8, x.shape[1]), x.shape[1]]))
    scale = 2.0 ** min(100, 8 * x.itemsize - 2 - int(np.frexp(np.abs(x).max())[1]))
    fixed = reference.to_fixed(x, scale)
    values, indices = poisoned((len(x), k), x.dtype), poisoned((len(x), k), kernels.index_dtype(x.shape[1]))
    cpu.group_sparse_fixed(fixed, scale, values, indices)
    want, want_indices = reference.group_sparse(fixed, k)
    np.testing.assert_array_equal(indices, want_indices)
    np.testing.assert_array_equal(values, want.astype(x.dtype) * x.dtype.type(1 / scale))
    out = poisoned(fixed.shape, fixed.dtype)
    cpu.scatter_fixed(values, indices, scale, out)
    np.testing.assert_array_equal(out, reference.to_fixed(reference.scatter(values, indices, x.shape[1]), scale))


@given(DTYPES, st.integers(1, 130), st.sampled_from([1, 2, 31, 192]), st.integers(0, 2**32 - 1))
def test_layer_norm(dtype, rows, width, seed):
    z, x, grad = np.random.default_rng(seed).standard_normal((3, rows, width)).astype(dtype)
    bias, gain, shift = np.random.default_rng(seed).standard_normal((3, width)).astype(dtype)
    scale = 2.0 ** (20 if dtype is np.float32 else 50)
    before, dz = reference.to_fixed(x, scale), z.copy()
    out = before.copy()
    assert cpu.add_layer_norm(z, bias, gain, shift, 1e-2, scale, out) == -1
    tolerance = dict(rtol=0, atol=TOLERANCE[dtype] * 10)
    np.testing.assert_allclose(out / scale, x + reference.layer_norm(z + bias, gain, shift, 1e-2), **tolerance)
    dbias, dgain, dshift = poisoned((3, cpu.BLOCKS, width), dtype)
    cpu.undo_layer_norm(dz, bias, gain, shift, 1e-2, scale, out, grad, dbias, dgain, dshift)
    np.testing.assert_array_equal(out, before)
    want_dz, want_dgain, want_dshift = reference.layer_norm_backward(z + bias, gain, 1e-2, grad)
    for got, want in ((dz, want_dz), (dbias.sum(0), want_dz.sum(0)), (dgain.sum(0), want_dgain),
                      (dshift.sum(0), want_dshift)):
        np.testing.assert_allclose(got, want, **tolerance)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_layer_norm_names_the_first_row_that_is_not_finite(bad):
    z = np.random.default_rng(0).standard_normal((130, 7)).astype(np.float32)
    z[[41, 97], 3] = bad
    ones = np.ones(7, np.float32)
    assert cpu.add_layer_norm(z, ones, ones, ones, 1e-5, 2.0**20, np.zeros(z.shape, np.int32)) == 41


def test_results_do_not_depend_on_the_number_of_threads():
    rng = np.random.default_rng(0)
    z, x, grad = rng.standard_normal((3, 1000, 48)).astype(np.float32)
    bias, gain, shift = rng.standard_normal((3, 48)).astype(np.float32)
    values, indices = (np.ascontiguousarray(part) for part in reference.group_sparse(x, 5))
    results = []
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        sums, dmatrix = np.empty((3, cpu.BLOCKS, 48), np.float32), np.empty((cpu.BLOCKS, 48, 48), np.float32)
        cpu.undo_layer_norm(z.copy(), bias, gain, shift, 1e-5, 2.0**20, reference.to_fixed(x, 2.0**20), grad, *sums)
        cpu.product_backward(values, indices, z[:48], grad, np.empty_like(values), dmatrix)
        results.append([sums.sum(1), dmatrix.sum(0)])
    for one, many in zip(*results, strict=True):
        np.testing.assert_array_equal(one, many)


@pytest.mark.parametrize(("edges", "k", "first"), [(10**6, 4, "transform"), (10**9, 4, "aggregate"),
                                                   (10**9, 32, "transform")])
def test_the_cheaper_order(edges, k, first):
    """Few edges: the Linear decides. Many: CBSR makes them cheap, until k is a large part of the width."""
    adjacency = kernels.Adjacency(None, range(edges), None, None, None)
    assert kernels.cheaper_order(adjacency, 30_000, 192, k) == first


def test_self_check_agrees_and_no_other_device_is_offered():
    assert all(agrees for _, agrees, _ in kernels.self_check())
    with pytest.raises(ValueError, match="no kernels for device 'xpu'"):
        kernels.on("xpu")
