"""The CUDA kernels on a GPU, at real sizes: against the CPU's, for `GSRGNN`, in a CUDA graph, out of memory.

pytest -m gpu
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch_geometric import seed_everything

from gsrgnn import CBSR, GSRGNN, CircuitGraph, aggregate, circuits, group_sparse, kernels
from gsrgnn.cbsr import operator
from gsrgnn.kernels import cpu, gpu, reference
from gsrgnn.kernels.self_check import self_check
from gsrgnn.training import train

MISSING = gpu.gpu_missing()
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]


@pytest.fixture(scope="module")
def cuda():
    return kernels.on("cuda")


@pytest.fixture(scope="module")
def data():
    return circuits.load("synthetic/20000", label="rudy")


@pytest.fixture(scope="module")
def graph(data):
    return CircuitGraph.from_data(data)


def poisoned(shape, dtype=torch.float32):
    return torch.full(shape, torch.nan if dtype.is_floating_point else 77, dtype=dtype, device="cuda")


def selected(x, k):
    values, indices = np.empty((len(x), k), np.float32), np.empty((len(x), k), kernels.index_dtype(x.shape[1]))
    cpu.group_sparse(x.numpy(), values, indices)
    return torch.from_numpy(values), torch.from_numpy(indices)


def test_self_check():
    assert [check for check in self_check("cuda") if not check[1]] == []


@pytest.mark.parametrize(
    ("width", "k"),  # a kernel a width, with every k that it can meet
    [
        *((1, 1), (33, 1), (33, 4), (33, 33), (128, 16), (128, 128), (300, 5), (300, 128)),
        *((192, k) for k in (1, 4, 16, 64, 128)),
        *((1024, k) for k in (1, 64, 128)),
    ],
)
@pytest.mark.parametrize("ties", [False, True])
def test_group_sparse(cuda, width, k, ties):
    num_rows = 70_000 if width <= 192 else 7_000
    x = torch.randint(-2, 3, (num_rows, width)).float() if ties else torch.randn(num_rows, width)
    want_values, want_indices = selected(x, k)
    values, indices = poisoned((len(x), k)), poisoned((len(x), k), want_indices.dtype)
    assert cuda.group_sparse(x.cuda(), values, indices) == -1
    assert torch.equal(indices.cpu(), want_indices)
    assert torch.equal(values.cpu(), want_values)
    fixed = torch.from_numpy(reference.to_fixed(x.numpy(), 2.0**20))
    scale = kernels.Scale(*(torch.full((size,), 2.0**20) for size in (len(x), width, width)))
    on_cpu, on_gpu = (kernels.Scale(*map(there, scale)) for there in (torch.Tensor.numpy, torch.Tensor.cuda))
    cpu.group_sparse_fixed(fixed.numpy(), on_cpu, want_values.numpy(), want_indices.numpy())
    cuda.group_sparse_fixed(fixed.cuda(), on_gpu, values, indices)
    assert torch.equal(indices.cpu(), want_indices)
    assert torch.equal(values.cpu(), want_values)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_the_first_row_that_is_not_finite(cuda, bad):
    x = torch.randn(70_000, 192, device="cuda")
    x[41_234, 191] = x[69_999, 0] = bad
    assert cuda.group_sparse(x, poisoned((70_000, 4)), poisoned((70_000, 4), torch.uint8)) == 41_234
    with pytest.raises(ValueError, match=r"x\[41234, 191\] is "):
        group_sparse(x, 4)


@pytest.mark.parametrize("via", ["edges", "nets"])
@pytest.mark.parametrize("norm", ["mean", "sym"])
@pytest.mark.parametrize(("width", "k"), [(192, 4), (192, 5), (128, 16), (192, 32), (192, 64), (300, 128)])
def test_aggregation(data, via, norm, width, k):
    graph = CircuitGraph.from_data(data, norm=norm).through(via)
    x = torch.randn(graph.num_nodes, width)
    results = []
    for device in ("cpu", "cuda"):
        there, given = graph.to(device), x.to(device).requires_grad_()
        out = aggregate(there, group_sparse(given, k))
        dense = aggregate(there, given)
        (grad,) = torch.autograd.grad((out.sin() + dense.cos()).sum(), given)
        results.append([tensor.detach().cpu() for tensor in (out, dense, grad)])
    for want, got in zip(*results, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("via", ["edges", "nets"])
@pytest.mark.parametrize(("width", "k"), [(192, 4), (192, 64), (300, 128)])
def test_bfloat16_is_summed_in_float32(graph, via, width, k):
    there = graph.through(via).to("cuda")
    kept = group_sparse(torch.randn(graph.num_nodes, width, device="cuda"), k)
    short = CBSR(kept.values.bfloat16().requires_grad_(), kept.indices, width)
    wide = CBSR(short.values.detach().float().requires_grad_(), kept.indices, width)
    outs = [aggregate(there, x) for x in (short, wide)]
    torch.testing.assert_close(*outs, rtol=1e-5, atol=1e-5)
    for out in outs:
        out.square().sum().backward()
    torch.testing.assert_close(short.values.grad, wide.values.grad.bfloat16(), rtol=1e-2, atol=1e-2)
    dense = short.to_dense().detach()
    torch.testing.assert_close(aggregate(there, dense), outs[0].detach(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("k", [4, 64])
def test_the_atomic_backward_is_the_other_one_but_for_rounding(cuda, graph, k):
    there = graph.through("edges").to("cuda")
    straight, transposed = (operator(there, torch.float32, transposed) for transposed in (False, True))
    assert straight.indptr is transposed.indptr
    grad = torch.randn(graph.num_nodes, 192, device="cuda")
    indices = group_sparse(grad, k).indices
    gathered, scattered = poisoned(indices.shape), poisoned(indices.shape)
    cuda.aggregate_backward(transposed, grad, indices, gathered)
    cuda.aggregate_backward_atomic(transposed, grad, indices, scattered)
    torch.testing.assert_close(scattered, gathered, rtol=1e-4, atol=1e-5)


def test_results_repeat_to_the_last_bit(graph):
    there = graph.through("edges").to("cuda")
    x = torch.randn(graph.num_nodes, 192, device="cuda")
    first, second = (aggregate(there, group_sparse(x, 8)) for _ in range(2))
    assert torch.equal(first, second)


def test_a_row_of_many_thousands_beside_rows_of_one(cuda):
    lengths = torch.ones(5000, dtype=torch.int64)
    lengths[17] = 200_000
    indptr = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    sources = torch.randint(0, 5000, (int(indptr[-1]),), dtype=torch.int32)
    adjacency = kernels.Adjacency(indptr, sources, torch.rand(len(sources)) / 1000, torch.rand(5000), torch.rand(5000))
    values, indices = selected(torch.randn(5000, 192), 8)
    out = poisoned((5000, 192))
    cuda.aggregate(kernels.Adjacency(*(part.cuda() for part in adjacency)), values.cuda(), indices.cuda(), out)
    want = np.empty((5000, 192), np.float32)
    cpu.aggregate(kernels.Adjacency(*(part.numpy() for part in adjacency)), values.numpy(), indices.numpy(), want)
    torch.testing.assert_close(out.cpu(), torch.from_numpy(want), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("residual", ["sparse", "dense"])
@pytest.mark.parametrize("first", ["aggregate", "transform"])
def test_the_model_and_its_gradient_are_those_of_the_cpu(graph, residual, first):
    seed_everything(0)
    model = GSRGNN(7, 64, num_layers=6, k=8, residual=residual, first=first)
    x = torch.randn(graph.num_nodes, 7)
    results = []
    for device in ("cpu", "cuda"):
        model = model.to(device)  # takes its gradients along, in place
        model.zero_grad()
        out = model(x.to(device), graph.to(device))
        out.square().mean().backward()
        results.append([out.detach().cpu(), *(p.grad.clone().cpu() for p in model.parameters())])
    for want, got in zip(*results, strict=True):  # a choice of GS may differ where two entries are as good as equal
        assert (got - want).norm() <= 2e-2 * want.norm()


def test_the_inverse_is_exact(graph):
    seed_everything(0)
    stack = GSRGNN(7, 64, num_layers=20, k=8, residual="dense").layers.cuda()
    x, there = torch.randn(graph.num_nodes, 64, device="cuda"), graph.to("cuda")
    with torch.no_grad():
        back = stack.inverse(stack(x, there), there)
    assert (back - x).abs().max() < 1e-5


def test_a_captured_step_trains_as_an_eager_one():
    data = circuits.load("synthetic/2000", label="rudy").to("cuda")
    there = CircuitGraph.from_data(data).to("cuda")
    results = []
    for cuda_graph in (False, True):
        seed_everything(0)
        model = GSRGNN(data.num_features, 64, num_layers=4, k=8).cuda()
        results.append(train(model, data, there, epochs=5, cuda_graph=cuda_graph).history.loss.to_numpy())
    np.testing.assert_allclose(*results, rtol=1e-3)


@pytest.mark.skipif("PRETEND_CARD" in os.environ, reason="torch.compile needs a real card: it makes code for it")
def test_torch_compile(graph):
    there = graph.to("cuda")

    def function(x):
        return aggregate(there, group_sparse(x.sin(), 8)).cos()

    x = torch.randn(graph.num_nodes, 64, device="cuda")
    torch.testing.assert_close(torch.compile(function, fullgraph=True)(x), function(x))


def test_other_streams_are_followed(cuda):
    x, side = torch.randn(70_000, 192), torch.cuda.Stream()
    want_values, _ = selected(x, 8)
    with torch.cuda.stream(side):
        values, indices = poisoned((70_000, 8)), poisoned((70_000, 8), torch.uint8)
        cuda.group_sparse(x.cuda(), values, indices)
    side.synchronize()
    assert torch.equal(values.cpu(), want_values)


def test_input_that_is_strided_or_elsewhere(graph):
    there = graph.to("cuda")
    x = torch.randn(64, graph.num_nodes, device="cuda").T
    torch.testing.assert_close(aggregate(there, group_sparse(x, 4)), aggregate(there, group_sparse(x.contiguous(), 4)))
    with pytest.raises(ValueError, match="x is on cpu and the graph on cuda"):
        aggregate(there, x.cpu())


def test_more_entries_than_31_bits_count(cuda):
    rows = 2**31 // 1024 + 1000
    if torch.cuda.mem_get_info()[0] < 12 * 2**30:
        pytest.skip("12 GB of GPU memory are needed")
    x = torch.zeros(rows, 1024, device="cuda")
    x[-1, 1000] = 7
    values, indices = poisoned((rows, 4)), poisoned((rows, 4), torch.int16)
    cuda.group_sparse(x, values, indices)
    assert values[-1].tolist() == [0, 0, 0, 7]
    assert indices[-1].tolist() == [0, 1, 2, 1000]
    assert not values[:-1].any()


def test_running_out_of_memory_leaves_the_process_usable(graph):
    there = graph.to("cuda")
    model = GSRGNN(7, 64, num_layers=100, k=8).cuda()
    x = torch.randn(graph.num_nodes, 7, device="cuda")
    hog = torch.empty(torch.cuda.mem_get_info()[0] - 2**26, dtype=torch.uint8, device="cuda")
    with pytest.raises((MemoryError, torch.OutOfMemoryError)):
        model(x, there).sum().backward()
    del hog
    torch.cuda.empty_cache()
    model(x, there).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.skipif(shutil.which("compute-sanitizer") is None, reason="compute-sanitizer is not installed")
def test_compute_sanitizer_finds_nothing():
    program = "from gsrgnn.kernels.self_check import self_check; assert all(ok for _, ok, _ in self_check('cuda'))"

    def check(tool):
        command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9", sys.executable, "-c", program]
        return subprocess.run(command, capture_output=True, text=True, timeout=600)

    tools = ("memcheck", "racecheck", "initcheck")
    with ThreadPoolExecutor() as at_once:  # each spends most of its time compiling
        for tool, done in zip(tools, at_once.map(check, tools), strict=True):
            assert done.returncode == 0, tool + done.stdout[-4000:] + done.stderr[-2000:]
