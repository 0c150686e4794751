import copy
import gc

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck
from torch.library import opcheck

from gsrgnn import CBSR, CircuitGraph, aggregate, group_sparse
from gsrgnn.graph import NORMS

GRAPH = CircuitGraph.from_pins([0, 1, 1, 2, 3], [0, 0, 1, 1, 1], 5)


def test_group_sparse_keeps_the_largest_in_column_order():
    kept = group_sparse(torch.tensor([[3.0, -5.0, 3.0, 4.0], [-1.0, -1.0, -2.0, -1.0]]), 2)
    assert kept.values.tolist() == [[3, 4], [-1, -1]]
    assert kept.indices.tolist() == [[0, 3], [0, 1]]
    assert kept.indices.dtype == torch.uint8
    assert kept.to_dense().tolist() == [[3, 0, 0, 4], [-1, -1, 0, 0]]


@pytest.mark.parametrize(("width", "dtype"), [(256, torch.uint8), (257, torch.int16), (32769, torch.int32)])
def test_the_last_column_fits_the_index_dtype(width, dtype):
    kept = group_sparse(torch.arange(width, dtype=torch.float32)[None], 1)
    assert (kept.indices.dtype, kept.indices.item()) == (dtype, width - 1)


@pytest.mark.parametrize("norm", NORMS)
def test_aggregate_is_the_matrix_product(norm):
    graph = CircuitGraph.from_edge_index(torch.randint(0, 5, (2, 14)), 5, torch.rand(14), norm, self_loops=True)
    matrix = aggregate(graph, torch.eye(5, dtype=torch.float64))
    kept = group_sparse(torch.randn(5, 9, dtype=torch.float64), 3)
    torch.testing.assert_close(aggregate(graph, kept), matrix @ kept.to_dense())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("k", [1, 3, 6])
def test_gradients(norm, k):
    graph = CircuitGraph.from_edge_index(torch.randint(0, 5, (2, 14)), 5, torch.rand(14), norm)
    x = torch.randn(5, 6, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: aggregate(graph, group_sparse(x, k)), x)
    assert gradcheck(lambda x: group_sparse(x, k).to_dense(), x)
    assert gradcheck(lambda x: aggregate(graph, x), x)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("self_loops", [True, False])
def test_nets_and_edges_are_one_operator(norm, self_loops):
    pins = torch.randint(0, 30, (120,)), torch.randint(0, 12, (120,))
    graph = CircuitGraph.from_pins(*pins, 31, norm, self_loops)
    x = torch.randn(31, 9, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(31, 9, dtype=torch.float64)
    for select in (lambda x: group_sparse(x, 4), lambda x: x):
        results = []
        for via in ("edges", "nets"):
            out = aggregate(graph, select(x), via=via)
            results.append((out, *torch.autograd.grad((out * weight).sum(), x)))
        for edges, nets in zip(*results, strict=True):
            torch.testing.assert_close(nets, edges, rtol=0, atol=1e-12)


def test_strided_input_and_gradient():
    x = torch.randn(12, 5).T.requires_grad_()
    aggregate(GRAPH, group_sparse(x, 2)).T.square().sum().backward()
    strided, x.grad = x.grad, None
    plain = x.detach().contiguous().requires_grad_()
    aggregate(GRAPH, group_sparse(plain, 2)).square().sum().backward()
    torch.testing.assert_close(strided, plain.grad)


@pytest.mark.parametrize("k", [0, -1, 7, 1.5])
def test_k_out_of_range(k):
    with pytest.raises(ValueError, match=f"k is {k} and there are 6 columns"):
        group_sparse(torch.randn(5, 6), k)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_not_finite(bad):
    x = torch.randn(5, 6)
    x[3, 2] = bad
    with pytest.raises(ValueError, match=rf"x\[3, 2\] is {bad}"):
        group_sparse(x, 2)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.randn(5), r"x is \[5\]"),
        ([[1.0]], "x is list"),
        (torch.ones(5, 6, dtype=torch.int64), "dtype torch.int64"),
        (torch.ones(5, 6, dtype=torch.float16), "dtype torch.float16"),
    ],
)
def test_not_a_float_matrix(x, message):
    with pytest.raises(ValueError, match=message):
        group_sparse(x, 1)
    with pytest.raises(ValueError, match=message):
        aggregate(GRAPH, x)


def test_sizes_and_devices_that_differ():
    with pytest.raises(ValueError, match="x has 4 rows and the graph 5 nodes"):
        aggregate(GRAPH, torch.randn(4, 6))
    with pytest.raises(ValueError, match="x has 4 rows and the graph 5 nodes"):
        aggregate(GRAPH, group_sparse(torch.randn(4, 6), 2))
    with pytest.raises(ValueError, match="x is on meta and the graph on cpu"):
        aggregate(GRAPH, torch.randn(5, 6, device="meta"))


@pytest.mark.parametrize(
    ("values", "indices", "columns", "message"),
    [
        ([[1.0]], [[0, 1]], 3, r"values \[1, 1\] and indices \[1, 2\] differ"),
        ([[1.0]], [[0.0]], 3, "indices has dtype torch.float32: it takes uint8"),
        ([[1]], [[0]], 3, "values has dtype torch.int64: it takes float32"),
        ([[1.0]], [[0]], 3.5, "num_columns is 3.5: it takes a whole number"),
        ([[1.0]], [[0]], None, "num_columns is None"),
        ([[1.0]], [[0]], 2**40, "num_columns is 1099511627776"),
        ([[1.0]], [[3]], 3, r"indices reach from 3 to 3, outside 0 \.\. 2"),
        ([[1.0]], [[-1]], 3, "indices reach from -1"),
        ([[1.0, 2.0]], [[1, 1]], 3, "must ascend"),
        ([[1.0, 2.0]], [[0, 1]], 1, "k is 2 and the matrix has 1 columns"),
    ],
)
def test_bad_cbsr(values, indices, columns, message):
    with pytest.raises(ValueError, match=message):
        CBSR(torch.tensor(values), torch.tensor(indices), columns)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: CBSR([[1.0]], torch.zeros(1, 1, dtype=torch.long), 2), "values is list: it takes a dense tensor"),
        (lambda: CBSR(torch.ones(1, 1), torch.zeros(1, 1, dtype=torch.long, device="meta"), 2), "the indices on meta"),
        (lambda: group_sparse(torch.eye(5).to_sparse(), 1), "x is torch.sparse_coo: it takes a dense tensor"),
        (lambda: aggregate(GRAPH, torch.eye(5).to_sparse_csr()), "x is torch.sparse_csr: it takes a dense tensor"),
        (lambda: aggregate(torch.zeros(2, 3), torch.eye(5)), "graph is a Tensor: it takes a CircuitGraph"),
        (lambda: aggregate(None, torch.eye(5)), "graph is a NoneType: it takes a CircuitGraph"),
        *(
            (lambda k=k: group_sparse(torch.eye(5), k), "k is a whole number in 1 .. 5")
            for k in (0, 6, 2.5, float("nan"), float("inf"), None, True, "2", [2])
        ),
    ],
)
def test_what_is_no_such_thing(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_k_of_another_kind_of_whole_number():
    assert group_sparse(torch.eye(5), 2.0).k == group_sparse(torch.eye(5), np.int64(2)).k == 2


def test_differentiating_twice_is_refused():
    x = torch.randn(5, 6, requires_grad=True)
    (grad,) = torch.autograd.grad(aggregate(GRAPH, group_sparse(x, 2)).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_torch_accepts_the_registered_operators(dtype):
    x = torch.randn(5, 6, dtype=dtype)
    values, indices = torch.ops.gsrgnn.group_sparse(x, 2)
    ops, number = torch.ops.gsrgnn, GRAPH.number
    for op, arguments in (
        (ops.group_sparse, (x.clone().requires_grad_(), 2)),
        (ops.scatter, (values, indices, 6)),
        (ops.aggregate, (values.clone().requires_grad_(), indices, 6, number)),
        (ops.aggregate_backward, (x, indices, number)),
        (ops.aggregate_dense, (x.clone().requires_grad_(), number, False)),
    ):
        opcheck(op.default, arguments)


@pytest.mark.parametrize("via", ["edges", "nets"])
def test_bfloat16_is_summed_in_float32_and_has_its_gradient_in_bfloat16(via):
    graph = CircuitGraph.from_pins([0, 1, 1, 2, 3], [0, 0, 1, 1, 1], 6).through(via)  # cells 4 and 5 have no pin
    kept = group_sparse(torch.randn(6, 9), 4)
    short = CBSR(kept.values.bfloat16().requires_grad_(), kept.indices, 9)
    wide = CBSR(short.values.detach().float().requires_grad_(), kept.indices, 9)
    for first, second, x, y in (
        (short, wide, short.values, wide.values),
        (
            dense := short.to_dense().detach().requires_grad_(),
            full := dense.detach().float().requires_grad_(),
            dense,
            full,
        ),
    ):
        out, expected = aggregate(graph, first), aggregate(graph, second)
        assert out.dtype == torch.float32
        assert torch.equal(out, expected)
        out.square().sum().backward()
        expected.square().sum().backward()
        assert x.grad.dtype == torch.bfloat16
        assert torch.equal(x.grad, y.grad.bfloat16())
    for arguments in (
        (torch.ops.gsrgnn.aggregate, (short.values, kept.indices, 9, graph.number)),
        (torch.ops.gsrgnn.aggregate_dense, (dense, graph.number, False)),
    ):
        opcheck(arguments[0].default, arguments[1])
    with pytest.raises(ValueError, match="x has dtype torch.float16: it takes float32, float64 or bfloat16"):
        aggregate(graph, CBSR(kept.values.half(), kept.indices, 9))
    with pytest.raises(ValueError, match="x has dtype torch.bfloat16: it takes float32 or float64"):
        group_sparse(dense, 2)


@pytest.mark.parametrize("via", ["edges", "nets"])
def test_compiling_does_not_break_the_graph_of_a_function(via):
    graph = CircuitGraph.from_pins([0, 1, 1, 2, 3], [0, 0, 1, 1, 1], 5).through(via)

    def function(x):
        return aggregate(graph, aggregate(graph, group_sparse(x.sin(), 2)).cos())

    results = []
    for call in (function, torch.compile(function, fullgraph=True, backend="aot_eager")):
        x = torch.linspace(0, 1, 30).reshape(5, 6).requires_grad_()
        out = call(x)
        out.square().sum().backward()
        results.append((out.detach(), x.grad))
    for plain, compiled in zip(*results, strict=True):
        torch.testing.assert_close(compiled, plain)


def test_a_graph_lives_until_the_backward_pass_and_a_copy_has_a_number_of_its_own():
    graph = CircuitGraph.from_pins([0, 1, 1, 2], [0, 0, 1, 1], 3)
    assert copy.deepcopy(graph).number != graph.number
    x = torch.randn(3, 4, requires_grad=True)
    out = aggregate(graph, group_sparse(x, 2))
    del graph
    gc.collect()
    out.sum().backward()
    assert x.grad is not None
