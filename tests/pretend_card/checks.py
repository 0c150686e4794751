"""Whether the pretend card is as strict as a real one. `test_rehearsal.py` runs it, in a process that has the card."""

import ctypes
import pickle
import threading

import numpy as np
import pytest
import torch

from gsrgnn import GSRGNN, CircuitGraph
from gsrgnn.cuda_graph import captured
from gsrgnn.kernels.cuda import operators
from pretend_card import launch, memory, placed, shown


@pytest.fixture
def x():
    return torch.randn(6, 4, device="cuda")


def test_it_is_seen_where_python_looks(x):
    assert (x.device, x.is_cuda, x.is_cpu, x.get_device()) == (torch.device("cuda:0"), True, False, 0)
    for made in (x + 1, x[2:], x.T, torch.zeros_like(x), x.new_empty(3), torch.empty(2, device=x.device), x.long()):
        assert made.is_cuda
    for made in (x.cpu(), x.to("cpu"), torch.randn(3), x.to("cpu", torch.float64)):
        assert not made.is_cuda
    with torch.device("cuda"):
        assert torch.ones(3).is_cuda
    module = torch.nn.Linear(4, 2).to("cuda")
    assert module.weight.is_cuda
    module(x).sum().backward()
    assert module.weight.grad.is_cuda
    assert torch.autograd.grad(module(x).sum(), module.weight)[0].is_cuda
    assert not module.cpu().weight.is_cuda
    assert torch.cuda.is_available()


def test_a_copy_is_another_tensor(x):
    back = x.cpu()
    back.zero_()
    assert x.cpu().all()
    assert x.to("cuda") is x


MIXED = {
    "a sum": lambda x: x + torch.ones(4),
    "a product": lambda x: x @ torch.ones(4, 2),
    "a choice of rows": lambda x: x.index_select(0, torch.tensor([1])),
    "an index on the card of a CPU's tensor": lambda x: torch.ones(9)[(x[:, 0] > 9).long()],
    "a number on the card beside a CPU's tensor": lambda x: torch.ones(4) * x.sum(),
    "a mask": lambda x: torch.where(torch.ones(6, 4) > 0, x, x),
    "in place": lambda x: torch.ones(6, 4).add_(x),
    "a number of the CPU in a product": lambda x: torch.cat([x, torch.ones(1, 4)]),
    "out": lambda x: torch.mm(x, x.T, out=torch.empty(6, 6)),
}


@pytest.mark.parametrize("mix", MIXED.values(), ids=MIXED)
def test_mixing_raises(x, mix):
    with pytest.raises(RuntimeError, match="same device"):
        mix(x)


def test_what_a_card_allows_beside_a_tensor(x):
    assert (x * torch.tensor(2.0)).is_cuda
    assert x[torch.tensor([1, 2])].is_cuda
    x.copy_(torch.ones(6, 4))
    torch.empty(6, 4).copy_(x)
    assert float(x.sum()) == 24


HOST = {
    "numpy": lambda x: x.numpy(),
    "asarray": np.asarray,
    "an address": lambda x: ctypes.c_float.from_address(x.data_ptr()),
    "an address as a number": lambda x: hex(x.data_ptr()),
    "dlpack": np.from_dlpack,
}


@pytest.mark.parametrize("read", HOST.values(), ids=HOST)
def test_the_host_reads_nothing_without_a_copy(x, read):
    with pytest.raises((TypeError, AttributeError)):
        read(x)


def test_there_is_one_card(x):
    for move in (lambda: x.cuda(1), lambda: x.to("cuda:1"), lambda: torch.empty(1, device="cuda:3")):
        with pytest.raises(RuntimeError, match="invalid device ordinal"):
            move()


def test_a_wait_is_noted(x):
    placed.waits.clear()
    x.relu().sum()
    assert placed.waits == []
    float(x.sum()), x.cpu(), bool((x > 0).all()), x[x > 0], torch.cuda.synchronize()
    assert len(placed.waits) == 5


def test_memory_is_counted_and_ends():
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    large = torch.empty(2**18, device="cuda")
    assert torch.cuda.memory_allocated() - before == 2**20
    view = large[:5]
    del large
    assert torch.cuda.memory_allocated() - before == 2**20
    del view
    assert torch.cuda.memory_allocated() == before
    assert torch.cuda.max_memory_allocated() - before == 2**20
    with pytest.raises(torch.OutOfMemoryError):
        torch.empty(memory.TOTAL + 1, dtype=torch.uint8, device="cuda")
    assert torch.cuda.memory_allocated() == before


WAITS = {
    "a number": lambda x: x.sum().item(),
    "a copy": lambda x: x.cpu(),
    "a copy to the card": lambda x: torch.ones(3).cuda(),
    "a copy into a tensor of the host": lambda x: torch.ones(6, 4).copy_(x),
    "a copy of a tensor of the host": lambda x: x.copy_(torch.ones(6, 4)),
    "a tensor of numbers": lambda x: torch.tensor([1.0, 2.0], device="cuda"),
    "a list": lambda x: x.tolist(),
    "an index of the host's": lambda x: x[torch.tensor([1, 2])],
    "a mask": lambda x: x[x > 0],
    "nonzero": lambda x: x.nonzero(),
    "a comparison": lambda x: torch.equal(x, x),
    "synchronize": lambda x: torch.cuda.synchronize(),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_nothing_waits_in_a_capture(x, wait):
    with (
        pytest.raises(RuntimeError, match="not permitted when stream is capturing"),
        torch.cuda.graph(torch.cuda.CUDAGraph()),
    ):
        wait(x)
    assert not torch.cuda.is_current_stream_capturing()


def test_a_capture_does_nothing_until_it_is_replayed(x):
    total = torch.zeros(4, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = x.sum(0) * 2
        total += out
    assert not total.any()
    assert out.isnan().all()
    for times in (1, 2):
        graph.replay()
        torch.testing.assert_close(out, x.sum(0) * 2)
        torch.testing.assert_close(total, times * out)
    x.fill_(1)
    graph.replay()
    assert out.tolist() == [12] * 4


def test_a_step_that_waits_is_not_captured(x):
    model = torch.nn.Linear(4, 1).cuda()
    optimizer = torch.optim.Adam(model.parameters(), capturable=True)
    before = model.weight.tolist()

    def step():
        model(x).sum().item()
        return model(x).sum().detach()

    with pytest.raises(RuntimeError, match="the step cannot be captured: .*stream is capturing"):
        captured(step, model, optimizer)
    assert model.weight.tolist() == before


def test_a_launch_is_checked(x):
    kernel = launch.compiler.Kernel(test_a_launch_is_checked, [launch.compiler.pointer(launch.compiler.FLOAT)])
    with pytest.raises(ValueError, match="Expected a cuda device"):
        kernel(1, x.cpu())
    with pytest.raises(ValueError, match="strided"):
        kernel(1, x.T)
    with pytest.raises(TypeError, match="it takes torch.float32"):
        kernel(1, x.double())
    with pytest.raises(AssertionError):
        kernel(1, x, shared=2**17)


@pytest.mark.parametrize("rows", [12, 2000])  # as PTX, by the CPU's kernels
def test_operators_launch_and_compute(rows):
    x = torch.randn(rows, 32)
    values, indices = torch.full((rows, 4), torch.nan).cuda(), torch.full((rows, 4), 77, dtype=torch.uint8).cuda()
    launch.launches.clear()
    assert operators.group_sparse(x.cuda(), values, indices) == -1
    assert len(launch.launches) == 1
    want = x.topk(4, dim=1).indices.sort(1).values
    assert torch.equal(indices.cpu().long(), want)
    assert torch.equal(values.cpu(), x.gather(1, want))


def test_a_thread_has_the_card(x):
    seen = []
    thread = threading.Thread(target=lambda: seen.append((x + 1).device))
    thread.start()
    thread.join()
    assert seen == [torch.device("cuda:0")]


def test_a_device_without_an_index_is_told_from_the_tensors():
    """What was wrong once: `CircuitGraph.to` kept "cuda", which no tensor on the card says."""
    graph = CircuitGraph.from_edge_index(torch.tensor([[0, 1, 2], [1, 2, 0]]), 3)
    wrong = graph._changed(device=torch.device("cuda"), _prepared={})
    model = GSRGNN(4, 8, num_layers=1, k=2).cuda()
    with pytest.raises(ValueError, match="x is on cuda:0"):
        model(torch.randn(3, 4).cuda(), wrong)
    assert model(torch.randn(3, 4).cuda(), graph.to("cuda")).is_cuda


def test_a_graph_that_was_sent_lies_where_it_lay():
    graph = CircuitGraph.from_edge_index(torch.tensor([[0, 1, 2], [1, 2, 0]]), 3).to("cuda")
    assert pickle.loads(pickle.dumps(graph)).device == torch.device("cuda:0")


def test_every_operator_of_ours_sees_the_card_inside():
    there = {name.removeprefix("gsrgnn::") for name in torch._C._dispatch_get_all_op_names() if "gsrgnn::" in name}
    assert shown.operators().keys() == there
