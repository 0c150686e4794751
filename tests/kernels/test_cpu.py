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


@given(problems())
def test_masks(problem):
    x, _, _, indices = problem
    mask = poisoned((len(x), -(-x.shape[1] // 8)), np.uint8)
    cpu.pack_mask(indices, mask)
    np.testing.assert_array_equal(mask, reference.pack_mask(indices, x.shape[1]))
    out = poisoned(indices.shape, indices.dtype)
    cpu.unpack_mask(mask, out)
    np.testing.assert_array_equal(out, indices)
    np.testing.assert_array_equal(reference.unpack_mask(mask, indices.shape[1]), indices)


@given(DTYPES, st.integers(1, 130), st.sampled_from([1, 2, 31, 192]), st.integers(0, 2**32 - 1))
def test_layer_norm(dtype, rows, width, seed):
    z, x, grad = np.random.default_rng(seed).standard_normal((3, rows, width)).astype(dtype)
    gain, bias = np.random.default_rng(seed).standard_normal((2, width)).astype(dtype)
    out, dz = x.copy(), z.copy()
    cpu.add_layer_norm(z, gain, bias, 1e-2, out)
    tolerance = dict(rtol=0, atol=TOLERANCE[dtype] * 10)
    np.testing.assert_allclose(out, x + reference.layer_norm(z, gain, bias, 1e-2), **tolerance)
    dgain, dbias = poisoned((2, cpu.BLOCKS, width), dtype)
    cpu.undo_layer_norm(dz, gain, bias, 1e-2, out, grad, dgain, dbias)
    np.testing.assert_allclose(out, x, **tolerance)
    want = reference.layer_norm_backward(z, gain, 1e-2, grad)
    for got, expected in zip((dz, dgain.sum(0), dbias.sum(0)), want, strict=True):
        np.testing.assert_allclose(got, expected, **tolerance)


def test_results_do_not_depend_on_the_number_of_threads():
    rng = np.random.default_rng(0)
    z, x, grad = rng.standard_normal((3, 1000, 48)).astype(np.float32)
    gain, bias = rng.standard_normal((2, 48)).astype(np.float32)
    results = []
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        dgain, dbias = np.empty((2, cpu.BLOCKS, 48), np.float32)
        cpu.undo_layer_norm(z.copy(), gain, bias, 1e-5, x.copy(), grad, dgain, dbias)
        results.append(dgain.sum(0))
    np.testing.assert_array_equal(*results)


def test_self_check_agrees_and_no_other_device_is_offered():
    assert all(agrees for _, agrees, _ in kernels.self_check())
    with pytest.raises(ValueError, match="no kernels for device 'xpu'"):
        kernels.on("xpu")
