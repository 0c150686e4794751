"""Every CPU kernel against the readable reference, on outputs poisoned beforehand."""

import numba
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from gsrgnn import CircuitGraph, kernels
from gsrgnn.cbsr import operator
from gsrgnn.kernels import cpu, reference
from gsrgnn.kernels.cpu.row_groups import RowGroups
from gsrgnn.kernels.order import cheaper_order
from gsrgnn.kernels.self_check import self_check

DTYPES = st.sampled_from([np.float32, np.float64])
TOLERANCE = {np.float32: 1e-4, np.float64: 1e-12}


def poisoned(shape, dtype):
    return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 77, dtype)


def scale_of(shape, most, dtype, one_step=False):
    """A `Scale` of at most ``2**most`` steps a unit; down to 2**-6 of that unless every entry has one step."""
    fewer = np.random.default_rng(abs(most)).integers(-6, 1, 3 * max(shape)) * (not one_step)
    rows, columns = shape
    return kernels.Scale(
        *(
            np.ldexp(1.0, most + fewer[i : i + n]).astype(dtype)
            for i, n in zip((0, rows, rows + columns), (rows, columns, columns), strict=True)
        )
    )


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
    adjacency = kernels.Adjacency(
        indptr,
        rng.integers(0, rows, indptr[-1]).astype(np.int32),
        *(rng.standard_normal(n).astype(x.dtype) / 10 for n in (indptr[-1], rows, rows)),
    )
    k = draw(st.integers(1, width))
    values, indices = reference.group_sparse(x, k)
    index_dtype = draw(st.sampled_from([kernels.index_dtype(width), np.dtype("int64")]))
    return x, adjacency, np.ascontiguousarray(values), indices.astype(index_dtype)


@pytest.mark.parametrize("k", [0, 5])
def test_the_reference_refuses_a_k_that_no_row_has(k):
    with pytest.raises(ValueError, match=f"k is {k} and a row has 4 columns"):
        reference.group_sparse(np.ones((2, 4)), k)


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


def check_aggregation(graph, adjacency, x, values, indices):
    """Every aggregation over ``graph``, what `cpu.prepare` may have made of ``adjacency``."""
    tolerance = dict(rtol=0, atol=TOLERANCE[x.dtype.type])
    out = poisoned(x.shape, x.dtype)
    cpu.aggregate(graph, values, indices, out)
    np.testing.assert_allclose(out, reference.aggregate(adjacency, values, indices, x.shape[1]), **tolerance)
    dvalues = poisoned(values.shape, x.dtype)
    cpu.aggregate_backward(graph, x, indices, dvalues)
    np.testing.assert_allclose(dvalues, reference.aggregate_backward(adjacency, x, indices), **tolerance)
    out = poisoned(x.shape, x.dtype)
    cpu.aggregate_dense(graph, x, out)
    np.testing.assert_allclose(out, reference.aggregate_dense(adjacency, x), **tolerance)


@given(problems())
def test_aggregation(problem):
    x, adjacency, values, indices = problem
    check_aggregation(adjacency, adjacency, x, values, indices)


@given(problems(), st.integers(1, 20))
def test_aggregation_over_shared_neighbours(problem, cliques):
    """Rows that share their neighbours, an empty one and one that shares none, go in groups of eight."""
    x, adjacency, values, indices = problem
    rows, rng = len(x), np.random.default_rng(cliques)
    clique = rng.integers(0, cliques, rows)
    matrix = sparse.csr_array((clique[:, None] == clique) * rng.integers(1, 3, (rows, rows)).astype(x.dtype))
    matrix = sparse.csr_array(sparse.diags_array((rng.random(rows) < 0.9).astype(x.dtype)) @ matrix)
    adjacency = adjacency._replace(
        indptr=matrix.indptr.astype(np.int64), indices=matrix.indices.astype(np.int32), weight=matrix.data / rows
    )
    prepared = cpu.prepare(adjacency)
    assert isinstance(prepared, RowGroups) == (
        2
        * sum(
            len(np.unique(matrix[group].indices))
            for group in np.split(np.argsort(np.diff(matrix.indptr), kind="stable"), range(8, rows, 8))
        )
        <= matrix.nnz
    )
    check_aggregation(prepared, adjacency, x, values, indices)


def test_a_transposed_graph_shares_the_groups_of_the_same_structure():
    ones = np.ones(16, np.float32)
    adjacency = kernels.Adjacency(
        np.arange(17) * 16, np.tile(np.arange(16, dtype=np.int32), 16), np.ones(256, np.float32), ones, ones
    )
    straight = cpu.prepare(adjacency)
    transposed = cpu.prepare(adjacency._replace(out_scale=2 * ones), straight)
    assert transposed.columns is straight.columns
    assert transposed.adjacency.out_scale[0] == 2
    copied = adjacency._replace(indices=adjacency.indices.copy())
    assert cpu.prepare(copied, straight).columns is not straight.columns


@given(problems())
def test_scatter(problem):
    x, _, values, indices = problem
    scattered = reference.scatter(values, indices, x.shape[1])
    out = x.copy()
    cpu.scatter_add(values, indices, out)
    np.testing.assert_array_equal(out, x + scattered)
    out, kept = x.copy(), values.copy()
    cpu.scatter_over(kept, indices, out)
    np.testing.assert_array_equal(kept, values + reference.gather(x, indices))
    np.testing.assert_array_equal(out, reference.scatter(kept, indices, x.shape[1]))


@given(problems(), st.sampled_from([1, 5, 16, 64, 83, 211]))
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
    for got, want in zip(
        (dvalues, dmatrix.sum(0)), reference.product_backward(values, indices, matrix, grad), strict=True
    ):
        np.testing.assert_allclose(got, want, **tolerance)


@given(matrices(), st.booleans(), st.data())
def test_fixed_point(x, one_step, data):
    k = data.draw(st.sampled_from([1, min(8, x.shape[1]), x.shape[1]]))
    most = min(100, 8 * x.itemsize - 2 - int(np.frexp(np.abs(x).max())[1]))
    scale = scale_of(x.shape, most, x.dtype, one_step)
    steps = np.minimum(np.maximum(scale.row[:, None], scale.column), scale.reach)
    fixed = poisoned(x.shape, {4: np.int32, 8: np.int64}[x.itemsize])
    cpu.to_fixed(np.hstack([x + 1, x]), x.shape[1], scale, fixed)
    np.testing.assert_array_equal(fixed, reference.to_fixed(x, steps))
    values, indices = poisoned((len(x), k), x.dtype), poisoned((len(x), k), kernels.index_dtype(x.shape[1]))
    cpu.group_sparse_fixed(fixed, scale, values, indices)
    floats = fixed.astype(x.dtype) / steps
    want, want_indices = reference.group_sparse(fixed if one_step else floats, k)
    np.testing.assert_array_equal(indices, want_indices)
    np.testing.assert_array_equal(values, reference.gather(floats, want_indices))
    back = poisoned((len(x), 2 * x.shape[1]), x.dtype)
    cpu.from_fixed(fixed, scale, x.shape[1], back)
    np.testing.assert_array_equal(back[:, x.shape[1] :], floats)
    assert np.isnan(back[:, : x.shape[1]]).all()
    out = poisoned(fixed.shape, fixed.dtype)
    cpu.scatter_fixed(values, indices, scale, out)
    np.testing.assert_array_equal(out, reference.to_fixed(reference.scatter(values, indices, x.shape[1]), steps))


@given(matrices(), st.sampled_from([None, np.nan, np.inf, -np.inf]), st.data())
def test_magnitudes(x, bad, data):
    if bad is not None:
        x[data.draw(st.integers(0, len(x) - 1)), data.draw(st.integers(0, x.shape[1] - 1))] = bad
    row, column = poisoned(len(x), x.dtype), poisoned(x.shape[1], x.dtype)
    cpu.magnitudes(x, row, column)
    np.testing.assert_array_equal(row, np.abs(x).max(1))
    np.testing.assert_array_equal(column, np.abs(x).max(0))


@given(DTYPES, st.integers(1, 130), st.sampled_from([1, 2, 31, 192]), st.integers(0, 2**32 - 1))
def test_layer_norm(dtype, rows, width, seed):
    z, x, grad = np.random.default_rng(seed).standard_normal((3, rows, width)).astype(dtype)
    bias, gain, shift = np.random.default_rng(seed).standard_normal((3, width)).astype(dtype)
    scale = scale_of(x.shape, 24 if dtype is np.float32 else 50, dtype)
    steps = np.minimum(np.maximum(scale.row[:, None], scale.column), scale.reach)
    before, dz = reference.to_fixed(x, steps), z.copy()
    out = before.copy()
    assert cpu.add_layer_norm(z, bias, gain, shift, 1e-2, scale, out) == -1
    tolerance = dict(rtol=0, atol=TOLERANCE[dtype] * 10)
    np.testing.assert_allclose(out / steps, x + reference.layer_norm(z + bias, gain, shift, 1e-2), **tolerance)
    dbias, dgain, dshift = poisoned((3, cpu.BLOCKS, width), dtype)
    cpu.undo_layer_norm(dz, bias, gain, shift, 1e-2, scale, out, grad, dbias, dgain, dshift)
    np.testing.assert_array_equal(out, before)
    want_dz, want_dgain, want_dshift = reference.layer_norm_backward(z + bias, gain, 1e-2, grad)
    for got, want in (
        (dz, want_dz),
        (dbias.sum(0), want_dz.sum(0)),
        (dgain.sum(0), want_dgain),
        (dshift.sum(0), want_dshift),
    ):
        np.testing.assert_allclose(got, want, **tolerance)


def pins_of(rng, cells):
    """Nets of all sizes, one of every cell."""
    net = np.concatenate([rng.integers(1, 1 + cells // 2 + 1, 2 * cells), np.zeros(cells, int)])
    cell = np.concatenate([rng.integers(0, cells, 2 * cells), np.arange(cells)])
    return CircuitGraph.from_pins(torch.tensor(cell), torch.tensor(net), cells)


@given(DTYPES, st.integers(1, 130), st.integers(0, 2**32 - 1))
def test_layer_norm_of_a_sum_made_on_the_way(dtype, cells, seed):
    """What `add_layer_norm` adds, `undo_layer_norm` takes off."""
    rng, width = np.random.default_rng(seed), 24
    graph = pins_of(rng, cells)
    h, x, grad = rng.standard_normal((3, cells, width)).astype(dtype)
    bias, gain, shift = rng.standard_normal((3, width)).astype(dtype)
    scale = scale_of(x.shape, 24 if dtype is np.float32 else 50, dtype)
    steps = np.minimum(np.maximum(scale.row[:, None], scale.column), scale.reach)
    before = reference.to_fixed(x, steps)
    exact = graph.adjacency(torch.float64)
    z = reference.aggregate_dense(kernels.Adjacency(*(part.numpy() for part in exact)), h.astype(float)).astype(dtype)
    tolerance = dict(rtol=0, atol=TOLERANCE[dtype] * 100)
    for route in ("edges", "nets"):
        through = graph.through(route)
        prepared = operator(through, torch.from_numpy(h).dtype)
        source = prepared, h, poisoned((through.num_summed_nets, width), dtype)
        out, work = before.copy(), poisoned(z.shape, dtype)
        assert cpu.add_layer_norm(work, bias, gain, shift, 1e-2, scale, out, source=source) == -1
        np.testing.assert_allclose(out / steps, x + reference.layer_norm(z + bias, gain, shift, 1e-2), **tolerance)
        dz, sums = poisoned(z.shape, dtype), poisoned((3, cpu.BLOCKS, width), dtype)
        cpu.undo_layer_norm(dz, bias, gain, shift, 1e-2, scale, out, grad, *sums, source)
        np.testing.assert_array_equal(out, before)
        want, dgain, dshift = reference.layer_norm_backward(z + bias, gain, 1e-2, grad)
        for got, wanted in ((dz, want), *zip(sums.sum(1), (want.sum(0), dgain, dshift), strict=True)):
            np.testing.assert_allclose(got, wanted, **tolerance)


@given(DTYPES, st.integers(1, 200), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_the_gradient_of_a_product_of_a_sum_made_on_the_way(dtype, cells, k, seed):
    rng, width, columns = np.random.default_rng(seed), 24, 83
    graph = pins_of(rng, cells)
    z = rng.standard_normal((cells, columns)).astype(dtype)
    values, indices = (np.ascontiguousarray(part) for part in reference.group_sparse(rng.random((cells, width)), k))
    values, matrix = values.astype(dtype), rng.standard_normal((width, columns)).astype(dtype)
    exact = kernels.Adjacency(*(part.numpy() for part in graph.adjacency(torch.float64)))
    want = reference.product_backward(values, indices, matrix, reference.aggregate_dense(exact, z.astype(float)))
    for route in ("edges", "nets"):
        through = graph.through(route)
        source = operator(through, torch.from_numpy(z).dtype), z, poisoned((through.num_summed_nets, columns), dtype)
        work, dvalues = poisoned(z.shape, dtype), poisoned(values.shape, dtype)
        dmatrix = poisoned((cpu.BLOCKS, *matrix.shape), dtype)
        cpu.product_backward(values, indices, matrix, work, dvalues, dmatrix, source)
        for got, wanted in zip((dvalues, dmatrix.sum(0)), want, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=0, atol=TOLERANCE[dtype] * 1000)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_layer_norm_names_the_first_row_that_is_not_finite(bad):
    z = np.random.default_rng(0).standard_normal((130, 7)).astype(np.float32)
    z[[41, 97], 3] = bad
    ones = np.ones(7, np.float32)
    scale = scale_of(z.shape, 20, z.dtype)
    assert cpu.add_layer_norm(z, ones, ones, ones, 1e-5, scale, np.zeros(z.shape, np.int32)) == 41


def test_results_do_not_depend_on_the_number_of_threads():
    rng = np.random.default_rng(0)
    z, x, grad = rng.standard_normal((3, 1000, 48)).astype(np.float32)
    bias, gain, shift = rng.standard_normal((3, 48)).astype(np.float32)
    values, indices = (np.ascontiguousarray(part) for part in reference.group_sparse(x, 5))
    scale = scale_of(x.shape, 20, x.dtype, one_step=True)
    results = []
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        sums, dmatrix = np.empty((3, cpu.BLOCKS, 48), np.float32), np.empty((cpu.BLOCKS, 48, 48), np.float32)
        cpu.undo_layer_norm(z.copy(), bias, gain, shift, 1e-5, scale, reference.to_fixed(x, 2.0**20), grad, *sums)
        cpu.product_backward(values, indices, z[:48], grad, np.empty_like(values), dmatrix)
        results.append([sums.sum(1), dmatrix.sum(0)])
    for one, many in zip(*results, strict=True):
        np.testing.assert_array_equal(one, many)


@pytest.mark.parametrize(
    ("edges", "k", "first"), [(10**6, 4, "transform"), (10**9, 4, "aggregate"), (10**9, 32, "transform")]
)
def test_the_cheaper_order(edges, k, first):
    """Few edges: the Linear decides. Many: CBSR makes them cheap, until k is a large part of the width."""
    adjacency = kernels.Adjacency(None, range(edges), None, None, None)
    assert cheaper_order(adjacency, 30_000, 192, k) == first


def test_self_check_agrees_and_no_other_device_is_offered():
    assert all(agrees for _, agrees, _ in self_check())
    with pytest.raises(ValueError, match="no kernels for device 'xpu'"):
        kernels.on("xpu")


@given(problems(), st.integers(0, 2**63 - 2), st.sampled_from([0.1, 0.5, 0.999]), st.sampled_from([0, 300]))
def test_dropout(problem, seed, p, start):
    x, _, values, indices = problem
    mask = reference.dropout_mask(seed, len(x), start + x.shape[1], p)[:, start:]
    want, out = values * reference.gather(mask, indices).astype(x.dtype), poisoned(values.shape, x.dtype)
    cpu.dropout(values, indices, start, np.array([seed]), p, out)
    np.testing.assert_array_equal(out, want)
    cpu.dropout(values, indices, start, np.array([seed]), p, values)
    np.testing.assert_array_equal(values, want)


def test_the_numbers_of_dropout_are_those_of_splitmix64():
    """The first of the state 1234567, as other implementations give them."""
    assert reference.split_mix(np.uint64(1234567), np.arange(3)).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_a_mask_drops_its_share_of_every_row_and_column_and_keeps_the_mean():
    for seed, p in ((0, 0.2), (1, 0.2), (2**62, 0.7)):
        mask = reference.dropout_mask(seed, 1500, 700, p)
        assert set(np.unique(mask)) == {0, 1 / (1 - p)}
        for axis, count in enumerate(mask.shape):
            share = (mask == 0).mean(axis)
            assert np.abs(share - p).max() < 6 * (p * (1 - p) / count) ** 0.5
        together = np.corrcoef(mask[:200])
        assert np.abs(together - np.eye(200)).max() < 6 / 700**0.5
