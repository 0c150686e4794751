"""Every CUDA kernel against the reference without a GPU. Run by `test_cuda.py` in a process of its own.

With NUMBA_ENABLE_CUDASIM=1 the kernels run in Numba's simulator, which is chosen when numba is imported, hence the
process; without, as PTX on `ptx_machine`: all threads together, and a few checks in a random order as well. With
``--seed`` all are in the order that it chooses; ``--at-size`` are larger ones; ``--part 0`` and ``--part 1`` are every
other one. Prints a line a check; the exit status is 1 where one fails.
"""

import argparse
import copy
import os
import sys
import traceback
import warnings
from contextlib import ExitStack
from unittest.mock import patch

import numpy as np
import pytest
import torch

sys.path.insert(0, str(__import__("pathlib").Path(__file__).parent))
PARSER = argparse.ArgumentParser()
PARSER.add_argument("--seed", type=int)
PARSER.add_argument("--part", type=int, choices=[0, 1])
PARSER.add_argument("--at-size", action="store_true")
ASKED = PARSER.parse_args()
SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
if SIMULATED:
    import simulated_warp

    sys.modules["gsrgnn.kernels.cuda.warp"] = simulated_warp
    warnings.filterwarnings("ignore", "overflow encountered in scalar")  # which is what a hash does

from gsrgnn import CircuitGraph, cbsr, kernels, reversible  # noqa: E402
from gsrgnn.kernels import Adjacency, Incidence, index_dtype, reference  # noqa: E402
from gsrgnn.kernels.cuda import layer_norm, operators, plan, probes, top_k  # noqa: E402
from gsrgnn.kernels.cuda.compiler import types  # noqa: E402

RNG = np.random.default_rng(0)
STEPS = 2.0**20


def operator(graph, dtype=torch.float32, transposed=False):
    """`CircuitGraph.operator` as a GPU gets it."""
    return (graph.incidence if graph.via == "nets" else graph.adjacency)(dtype, transposed)


def scale_of(count, width, one_step=False):
    """A `Scale` as tensors and, entry by entry, as an array."""
    fewer = RNG.integers(-8, 1, (3, max(count, width))) * (not one_step)
    parts = [np.float32(STEPS * 2.0 ** fewer[i][:n]) for i, n in enumerate((count, width, width))]
    return (kernels.Scale(*map(torch.from_numpy, parts)), np.minimum(np.maximum(parts[0][:, None], parts[1]), parts[2]))


def tensors(part):
    return (
        torch.from_numpy(np.ascontiguousarray(part))
        if isinstance(part, np.ndarray)
        else type(part)(*map(tensors, part))
    )


def poisoned(shape, dtype=np.float32):
    return torch.from_numpy(np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 77, dtype))


def rows(count, width, ties):
    if ties:
        return RNG.choice([-1.0, -0.0, 0.0, 1.0, 2.0], (count, width)).astype(np.float32)
    return (RNG.standard_normal((count, width)) * 10.0 ** RNG.integers(-30, 30)).astype(np.float32)


def adjacency(counts, columns=None, scaled=True):
    columns = columns or len(counts)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    in_scale = RNG.random(columns) if scaled else np.ones(columns)
    return Adjacency(
        indptr,
        RNG.integers(0, columns, indptr[-1]).astype(np.int32),
        RNG.random(indptr[-1]).astype(np.float32),
        RNG.random(len(counts)).astype(np.float32),
        in_scale.astype(np.float32),
    )


def kept(count, width, k):
    values, indices = reference.group_sparse(RNG.standard_normal((count, width)).astype(np.float32), k)
    return np.ascontiguousarray(values), indices.astype(index_dtype(width))


def close(got, want, tolerance=1e-4):
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=tolerance)


def check_top_k(width, k, ties):
    x = rows(5, width, ties)
    values, indices = poisoned((5, k)), poisoned((5, k), index_dtype(width))
    assert operators.group_sparse(torch.from_numpy(x), values, indices) == -1
    want_values, want_indices = reference.group_sparse(x, k)
    np.testing.assert_array_equal(indices, want_indices)
    np.testing.assert_array_equal(values, want_values)
    for one_step in (True, False):
        scale, steps = scale_of(5, width, one_step)
        fixed = reference.to_fixed(x / np.abs(x).max(), steps)
        floats = fixed.astype(np.float32) / steps
        values, indices = poisoned((5, k)), poisoned((5, k), index_dtype(width))
        operators.group_sparse_fixed(torch.from_numpy(fixed), scale, values, indices)
        _, want_indices = reference.group_sparse(fixed if one_step else floats, k)
        np.testing.assert_array_equal(indices, want_indices)
        np.testing.assert_array_equal(values, reference.gather(floats, want_indices))


def check_not_finite(bad):
    x = rows(6, 40, False)
    x[3, 39] = x[5, 0] = bad
    assert operators.group_sparse(torch.from_numpy(x), poisoned((6, 2)), poisoned((6, 2), np.uint8)) == 3
    flag = torch.full((1,), operators.FINE, dtype=torch.int32)
    operators.group_sparse(torch.from_numpy(x), poisoned((6, 2)), poisoned((6, 2), np.uint8), bad=flag)
    assert int(flag) == 3


def check_aggregation(counts, width, k, scaled):
    graph = adjacency(counts, scaled=scaled)
    values, indices = kept(len(counts), width, k)
    x = RNG.standard_normal((len(counts), width)).astype(np.float32)
    graph_, values_, indices_, x_ = tensors(graph), *map(tensors, (values, indices, x))
    for packed_from in (0, 10**9) if k <= 6 else (0,):  # a row of more than 6 fits no sector
        out = poisoned(x.shape)
        with patch.object(operators, "PACKED_FROM", packed_from):
            operators.aggregate(graph_, values_, indices_, out)
        close(out, reference.aggregate(graph, values, indices, width))
    again = poisoned(x.shape)
    operators.aggregate(graph_, values_, indices_, again)
    assert torch.equal(out, again)
    dvalues = poisoned(values.shape)
    operators.aggregate_backward(graph_, x_, indices_, dvalues)
    close(dvalues, reference.aggregate_backward(graph, x, indices))
    out = poisoned(x.shape)
    operators.aggregate_dense(graph_, x_, out)
    close(out, reference.aggregate_dense(graph, x))


def check_atomic(width, k, norm, count=20):
    pins = RNG.integers(0, count, 60), RNG.integers(0, 9, 60)
    graph = CircuitGraph.from_pins(*pins, count, norm=norm).through("edges")
    straight = operators.prepare(operator(graph))
    transposed = operators.prepare(operator(graph, transposed=True), straight)
    assert plan.of(straight) is plan.of(transposed)
    grad, (_, indices) = RNG.standard_normal((count, width)).astype(np.float32), kept(count, width, k)
    dvalues = poisoned(indices.shape)
    with patch.dict(os.environ, GSRGNN_ATOMIC="1"):
        operators.aggregate_backward(transposed, tensors(grad), tensors(indices), dvalues)
    want = reference.aggregate_backward(Adjacency(*(part.numpy() for part in transposed)), grad, indices)
    close(dvalues, want)


def check_bad_input():
    x, flag = torch.zeros(6, 40), torch.full((1,), operators.FINE, dtype=torch.int32)
    values, indices = torch.zeros(6, 2), torch.zeros(6, 2, dtype=torch.uint8)
    kernel, scale = top_k.kernel(2, False, types.uint8), [torch.ones(1)] * 3
    for wrong, error in (
        (x.double(), TypeError),
        (x.half(), TypeError),
        (torch.zeros(40, 6).T, ValueError),
        (x.to("meta"), ValueError),
    ):
        with pytest.raises(error):
            kernel(2, wrong, *scale, 6, 40, 2, values, indices, flag)
    with pytest.raises(OverflowError):
        kernel(2, x, *scale, 2**31, 40, 2, values, indices, flag)


def check_probes():
    out = poisoned(2 * probes.THREADS)
    x = torch.arange(8 * probes.THREADS, dtype=torch.float32)
    probes.read()(2, x, 2 * probes.THREADS, 2, out)
    assert out.sum() == 2 * x.sum()
    probes.add_shared()(2, 2, out, shared=4 * probes.BANKED * probes.THREADS)
    assert (out == 2 * probes.BANKED).all()
    probes.multiply_add()(2, 1, 0.5, 1.0, out)
    close(out, np.full(len(out), 2 * probes.CHAINS))


def check_bfloat16(width, k):
    graph = adjacency([3, 0, 40])
    values, indices = kept(3, width, k)
    short = torch.from_numpy(values).bfloat16()
    out = poisoned((3, width))
    operators.aggregate(tensors(graph), short, tensors(indices), out)
    close(out, reference.aggregate(graph, short.float().numpy(), indices, width))
    x = torch.from_numpy(RNG.standard_normal((3, width)).astype(np.float32)).bfloat16()
    out = poisoned((3, width))
    operators.aggregate_dense(tensors(graph), x, out)
    close(out, reference.aggregate_dense(graph, x.float().numpy()))


def check_nets(width, k):
    count, num_nets = 7, 4
    pins = RNG.poisson(0.5, (count, num_nets)).astype(np.float32)
    direct = RNG.poisson(0.3, (count, count)).astype(np.float32)
    out_scale, in_scale = RNG.random((2, count)).astype(np.float32)
    matrix = out_scale[:, None] * (pins @ pins.T + direct) * in_scale
    ones = np.ones(num_nets, np.float32)
    graph = tensors(
        Incidence(
            Adjacency(*csr(pins.T), ones, in_scale),
            Adjacency(*csr(pins), out_scale, ones),
            Adjacency(*csr(direct), out_scale, in_scale),
        )
    )
    values, indices = kept(count, width, k)
    x = RNG.standard_normal((count, width)).astype(np.float32)
    out, nets, dvalues = poisoned(x.shape), poisoned((num_nets, width)), poisoned(values.shape)
    operators.aggregate(graph, tensors(values), tensors(indices), out, nets)
    close(out, matrix @ reference.scatter(values, indices, width))
    short, out, nets = tensors(values).bfloat16(), poisoned(x.shape), poisoned((num_nets, width))
    operators.aggregate(graph, short, tensors(indices), out, nets)
    close(out, matrix @ reference.scatter(short.float().numpy(), indices, width))
    nets = poisoned((num_nets, width))
    operators.aggregate_backward(graph, tensors(x), tensors(indices), dvalues, nets)
    close(dvalues, reference.gather(matrix @ x, indices))
    out, nets = poisoned(x.shape), poisoned((num_nets, width))
    operators.aggregate_dense(graph, tensors(x), out, nets)
    close(out, matrix @ x)


def csr(matrix):
    places, columns = np.nonzero(matrix)
    return (
        np.searchsorted(places, np.arange(len(matrix) + 1)).astype(np.int64),
        columns.astype(np.int32),
        matrix[places, columns],
    )


def check_entries(width, k):
    x = RNG.standard_normal((5, width)).astype(np.float32)
    values, indices = kept(5, width, k)
    out, over = torch.from_numpy(x.copy()), torch.from_numpy(values.copy())
    operators.scatter_over(over, tensors(indices), out)
    np.testing.assert_array_equal(over, values + reference.gather(x, indices))
    np.testing.assert_array_equal(out, reference.scatter(over.numpy(), indices, width))
    out = poisoned(x.shape, np.int32)
    scale, steps = scale_of(5, width)
    operators.to_fixed(torch.from_numpy(np.hstack([x + 1, x])), width, scale, out)
    np.testing.assert_array_equal(out, reference.to_fixed(x, steps))
    back = poisoned((5, 2 * width))
    operators.from_fixed(out, scale, width, back)
    np.testing.assert_array_equal(back[:, width:], out.numpy() / steps)
    assert back[:, :width].isnan().all()
    scale.row[2] = torch.nan
    operators.from_fixed(out, scale, 0, back)
    np.testing.assert_array_equal(back[:, 0].isnan(), [False, False, True, False, False])
    scale, steps = scale_of(5, width)
    out = torch.from_numpy(x.copy())
    operators.scatter_add(tensors(values), tensors(indices), out)
    np.testing.assert_array_equal(out, x + reference.scatter(values, indices, width))
    out = poisoned(x.shape, np.int32)
    operators.scatter_fixed(tensors(values), tensors(indices), scale, out)
    np.testing.assert_array_equal(out, reference.to_fixed(reference.scatter(values, indices, width), steps))


def check_dropout(width, k):
    values, indices = kept(5, width, k)
    for seed, p in ((0, 0.5), (2**63 - 2, 0.1), (2**40 + 3, 0.999)):
        mask = reference.dropout_mask(seed, 5, 7 + width, p)[:, 7:]
        want = values * reference.gather(mask, indices).astype(np.float32)
        out, over = poisoned(values.shape), torch.from_numpy(values.copy())
        operators.dropout(tensors(values), tensors(indices), 7, torch.tensor([seed]), p, out)
        operators.dropout(over, tensors(indices), 7, torch.tensor([seed]), p, over)
        np.testing.assert_array_equal(out, want)
        np.testing.assert_array_equal(over, want)


def check_product(width, k, columns):
    count = 5
    values, indices = kept(count, width, k)
    matrix = RNG.standard_normal((width, columns)).astype(np.float32)
    grad = RNG.standard_normal((count, columns)).astype(np.float32)
    out = poisoned(grad.shape)
    operators.product(tensors(values), tensors(indices), tensors(matrix), out)
    close(out, reference.product(values, indices, matrix))
    dvalues, dmatrix = poisoned(values.shape), poisoned((operators.BLOCKS, *matrix.shape))
    operators.product_backward(*map(tensors, (values, indices, matrix, grad)), dvalues, dmatrix)
    for got, want in zip(
        (dvalues, dmatrix.sum(0)), reference.product_backward(values, indices, matrix, grad), strict=True
    ):
        close(got, want)


def check_layer_norm(count, width):
    z, x, grad = RNG.standard_normal((3, count, width)).astype(np.float32)
    bias, gain, shift = RNG.standard_normal((3, width)).astype(np.float32)
    scale, steps = scale_of(count, width)
    before = reference.to_fixed(x, steps)
    out, dz = torch.from_numpy(before.copy()), torch.from_numpy(z.copy())
    vectors = [*map(tensors, (bias, gain, shift))]
    assert operators.add_layer_norm(tensors(z), *vectors, 1e-2, scale, out) == -1
    close(out.numpy() / steps, x + reference.layer_norm(z + bias, gain, shift, 1e-2), 1e-3)
    back = out.clone()
    operators.add_layer_norm(tensors(z), *vectors, 1e-2, scale, back, sign=-1)
    np.testing.assert_array_equal(back, before)
    sums = [poisoned((operators.BLOCKS, width)) for _ in range(3)]
    operators.undo_layer_norm(dz, *vectors, 1e-2, scale, out, tensors(grad), *sums)
    np.testing.assert_array_equal(out, before)
    want_dz, want_dgain, want_dshift = reference.layer_norm_backward(z + bias, gain, 1e-2, grad)
    for got, want in (
        (dz, want_dz),
        (sums[0].sum(0), want_dz.sum(0)),
        (sums[1].sum(0), want_dgain),
        (sums[2].sum(0), want_dshift),
    ):
        close(got, want, 1e-3)
    z[count // 2, 0] = np.inf
    with np.errstate(invalid="ignore"):
        assert operators.add_layer_norm(tensors(z), *vectors, 1e-2, scale, out) == count // 2


def check_stack(residual, first, via, dropout=0.0):
    """The reversible stack on these kernels, forward, back and inverted, beside the same on the CPU's."""
    graph = CircuitGraph.from_pins([0, 1, 2, 2, 3, 4, 5, 5], [0, 0, 0, 1, 1, 2, 2, 2], 6).through(via)
    torch.manual_seed(0)
    stack = reversible.ReversibleStack(8, 2, 2, residual, first, dropout=dropout)
    x = torch.randn(6, 8)
    results = []
    for simulated in (False, True):
        with ExitStack() as patches:
            if simulated:
                patches.enter_context(patch.object(kernels, "on", lambda device: operators))
                for module in (cbsr, reversible):
                    patches.enter_context(patch.object(module, "array", lambda tensor: tensor.detach().contiguous()))
                    patches.enter_context(patch.object(module, "operator", operator))
            torch.manual_seed(1)
            run, given = copy.deepcopy(stack), x.clone().requires_grad_()
            out = run(given, graph)
            (out * torch.linspace(-1, 1, 8)).sum().backward()
            if simulated and residual == "dense" and not dropout:
                close(run.inverse(out.detach(), graph), x)
            results.append([out.detach(), given.grad, *(p.grad for p in run.parameters())])
    for want, got in zip(*results, strict=True):
        close(got, want)


# Python threads are slow: as few blocks as cover every path. Rows are cut from 64 entries on, not from 256.
layer_norm.BLOCKS = operators.BLOCKS = 2
sys.modules["gsrgnn.kernels.cuda.products"].BLOCKS = 2
plan.SHORTEST_SPAN = 64
CHECKS = [
    (check_top_k, 1, 1, False),
    (check_top_k, 33, 33, True),
    (check_top_k, 70, 8, True),
    (check_top_k, 192, 8, False),
    (check_top_k, 300, 5, False),
    (check_not_finite, np.nan),
    (check_not_finite, -np.inf),
    (check_aggregation, [0, 1, 5, 0, 70], 40, 4, True),
    (check_aggregation, [33, 64, 65], 33, 5, False),
    (check_aggregation, [3, 0, 70], 300, 40, True),
    (check_aggregation, [2, 1], 1, 1, False),
    (check_aggregation, [7, 70], 70, 70, False),
    (check_atomic, 40, 4, "mean"),
    (check_atomic, 40, 33, "sym"),
    (check_probes,),
    (check_bad_input,),
    (check_bfloat16, 40, 8),
    (check_nets, 40, 4),
    (check_nets, 33, 33),
    (check_entries, 40, 4),
    (check_entries, 300, 33),
    (check_dropout, 40, 4),
    (check_dropout, 300, 33),
    (check_product, 40, 4, 40),
    (check_product, 33, 33, 7),
    (check_layer_norm, 5, 40),
    (check_layer_norm, 3, 1),
    (check_layer_norm, 2, 192),
    (check_stack, "sparse", "aggregate", "nets"),
    (check_stack, "dense", "transform", "edges"),
    (check_stack, "sparse", "aggregate", "edges", 0.4),
]
IN_ANY_ORDER = [  # each kernel, small
    (check_top_k, 33, 33, True),
    (check_aggregation, [2, 0, 65], 33, 4, True),
    (check_atomic, 40, 4, "mean"),
    (check_probes,),
    (check_bfloat16, 40, 8),
    (check_nets, 33, 4),
    (check_entries, 40, 4),
    (check_dropout, 40, 4),
    (check_product, 33, 4, 7),
    (check_layer_norm, 3, 1),
]
AT_SIZE = [
    (check_top_k, 1024, 128, True),
    (check_top_k, 192, 192, False),
    (check_top_k, 257, 5, True),
    (check_aggregation, [3000, 1, 0, 1, 600, 2], 192, 8, True),
    (check_aggregation, [100, 0, 40], 1024, 128, False),
    (check_aggregation, [50, 33], 300, 5, True),
    (check_aggregation, [64, 2, 31], 192, 31, False),
    (check_aggregation, [64, 2, 31], 192, 33, False),
    (check_bfloat16, 192, 10),
    (check_bfloat16, 300, 40),
    (check_nets, 192, 16),
    (check_atomic, 192, 7, "mean"),
    (check_entries, 1024, 128),
    (check_dropout, 1024, 128),
    (check_product, 192, 64, 192),
    (check_product, 1024, 3, 50),
    (check_layer_norm, 700, 96),
    (check_layer_norm, 9, 1024),
    (check_stack, "sparse", "transform", "edges"),
    (check_stack, "dense", "aggregate", "nets"),
]


def failures(checks, seed=None):
    """How many of the checks fail, in the order of a seed."""
    if not SIMULATED:
        import run_compiled

        run_compiled.install(seed)
    failed = 0
    for check, *arguments in checks:
        try:
            check(*arguments)
            print(f"ok     {check.__name__}{tuple(arguments)}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED {check.__name__}{tuple(arguments)}\n{traceback.format_exc()}", flush=True)
    return failed


if __name__ == "__main__":
    asked = AT_SIZE if ASKED.at_size else CHECKS
    failed = failures(asked if ASKED.part is None else asked[ASKED.part :: 2], ASKED.seed)
    if not SIMULATED and not ASKED.at_size and ASKED.seed is None:
        failed += failures(IN_ANY_ORDER, seed=1)
    sys.exit(failed > 0)
