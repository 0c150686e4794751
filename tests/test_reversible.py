import copy

import pytest
import torch
from torch.nn.functional import layer_norm, linear

from gsrgnn import CircuitGraph, aggregate, group_sparse
from gsrgnn.reversible import EPS, RESIDUALS, ReversibleStack

WIDTH, K, NODES = 16, 3, 40


@pytest.fixture
def graph():
    return CircuitGraph.from_edge_index(torch.randint(0, NODES, (2, 200)), NODES, torch.rand(200), self_loops=True)


@pytest.fixture
def netlist():
    return CircuitGraph.from_pins(torch.randint(0, NODES, (150,)), torch.randint(0, 20, (150,)), NODES)


@pytest.fixture
def x():
    return torch.randn(NODES, WIDTH, dtype=torch.float64, requires_grad=True)


def stack_of(num_layers, residual, keep_masks=False):
    stack = ReversibleStack(WIDTH, num_layers, K, residual, keep_masks).double()
    for parameter in (stack.gain, stack.shift):
        torch.nn.init.normal_(parameter)
    return stack


def plain(stack, x, graph):
    """The same forward, left to autograd."""
    def block(kept, layer, b):
        z = linear(aggregate(graph, kept), stack.weight[layer, b], stack.bias[layer, b])
        return layer_norm(z, z.shape[1:], stack.gain[layer, b], stack.shift[layer, b], EPS)

    x1, x2 = x.chunk(2, dim=1)
    for layer in range(stack.num_layers):
        kept = group_sparse(x2, stack.k)
        x1 = x1 + block(kept, layer, 0)
        residual = kept.to_dense() if stack.residual == "sparse" else x2
        x2 = residual + block(group_sparse(x1, stack.k), layer, 1)
    return torch.cat([x1, x2], dim=1)


def gradients(run, stack, x, graph, weight):
    return torch.autograd.grad((run(x, graph) * weight).sum(), [x, *stack.parameters()])


@pytest.mark.parametrize("keep_masks", [False, True])
@pytest.mark.parametrize("residual", RESIDUALS)
@pytest.mark.parametrize("num_layers", [1, 3, 20])
def test_forward_and_gradient_are_those_of_autograd(graph, x, num_layers, residual, keep_masks):
    stack, weight = stack_of(num_layers, residual, keep_masks), torch.randn_like(x)
    torch.testing.assert_close(stack(x, graph), plain(stack, x, graph), rtol=1e-12, atol=1e-12)
    want = gradients(lambda *a: plain(stack, *a), stack, x, graph, weight)
    for scratch in stack.scratch(x, graph).__dict__.values():
        if isinstance(scratch, torch.Tensor) and scratch.is_floating_point():
            scratch.fill_(float("nan"))
    got = gradients(stack, stack, x, graph, weight)
    for ours, theirs in zip(got, want, strict=True):
        assert (ours - theirs).norm() <= 1e-9 * theirs.norm()


@pytest.mark.parametrize("residual", RESIDUALS)
def test_gradient_through_the_nets(netlist, x, residual):
    stack, weight = stack_of(3, residual), torch.randn_like(x)
    assert netlist.via == "nets"
    want = gradients(stack, stack, x, netlist.through("edges"), weight)
    for ours, theirs in zip(gradients(stack, stack, x, netlist, weight), want, strict=True):
        assert (ours - theirs).norm() <= 1e-9 * theirs.norm()


def test_dense_inverse_gives_the_input_back(graph, x):
    stack = stack_of(20, "dense")
    torch.testing.assert_close(stack.inverse(stack(x, graph), graph), x.detach(), rtol=0, atol=1e-10)
    with pytest.raises(ValueError, match="sparse residual drops part of group 2"):
        stack_of(1, "sparse").inverse(x, graph)


@pytest.mark.parametrize("residual", RESIDUALS)
def test_forwards_may_overlap_and_gradients_accumulate(graph, x, residual):
    stack, other = stack_of(4, residual), torch.randn_like(x)
    parameters = list(stack.parameters())
    want = [a + b for a, b in zip(torch.autograd.grad(plain(stack, x, graph).sum(), parameters),
                                  torch.autograd.grad(plain(stack, other, graph).sum(), parameters), strict=True)]
    first, second = stack(x, graph).sum(), stack(other, graph).sum()
    first.backward(retain_graph=True)
    second.backward()
    for parameter, gradient in zip(stack.parameters(), want, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    (once,) = torch.autograd.grad(first, x)
    torch.testing.assert_close(once, x.grad)


@pytest.mark.parametrize("num_layers", [10, 100])
@pytest.mark.parametrize(("residual", "keep_masks", "bytes_a_row"), [
    ("sparse", False, K * (4 + 1)), ("dense", False, 0), ("sparse", True, K * (4 + 1) + 1), ("dense", True, 2),
])
def test_bytes_saved_for_backward(graph, num_layers, residual, keep_masks, bytes_a_row):
    stack, saved = ReversibleStack(WIDTH, num_layers, K, residual, keep_masks), []
    x = torch.randn(NODES, WIDTH)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        stack(x, graph)
    parameters = {p.data_ptr() for p in stack.parameters()}
    activations = sum(t.nbytes for t in saved if t.data_ptr() not in parameters)
    assert activations == x.nbytes + num_layers * NODES * bytes_a_row


def test_masks_hold_the_choice_where_rounding_would_change_it(netlist):
    """Rows full of ties: recomputed, they tie no longer, and the k largest of them are others."""
    x = torch.randn(NODES, WIDTH).round(decimals=0).requires_grad_()
    weight, errors = torch.randn_like(x), {}
    for keep_masks in (True, False):
        stack = ReversibleStack(WIDTH, 5, K, "dense", keep_masks)
        got = gradients(stack, stack, x, netlist, weight)
        want = gradients(lambda *a, stack=stack: plain(stack, *a), stack, x, netlist, weight)
        errors[keep_masks] = max(float((a - b).norm() / b.norm()) for a, b in zip(got, want, strict=True))
    assert errors[True] < 1e-4
    assert errors[False] > 1e-3


def test_nothing_is_saved_without_grad(graph):
    stack = ReversibleStack(WIDTH, 5, K)
    x, allocated = torch.randn(NODES, WIDTH), []
    with torch.no_grad(), torch.autograd.graph.saved_tensors_hooks(allocated.append, lambda t: t):
        assert not stack(x, graph).requires_grad
    assert allocated == []


def test_parameters_changed_between_forward_and_backward(graph, x):
    stack = stack_of(2, "sparse")
    loss = stack(x, graph).sum()
    with torch.no_grad():
        stack.weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_differentiating_twice_is_refused(graph, x):
    (grad,) = torch.autograd.grad(stack_of(2, "dense")(x, graph).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


def test_a_failed_step_leaves_the_stack_usable(graph, x):
    stack = stack_of(3, "dense")
    want = stack(x, graph)
    broken = x.detach().clone()
    broken[7, 11] = float("nan")
    with pytest.raises(ValueError, match=r"x\[7, 3\] is nan"):
        stack(broken, graph)
    torch.testing.assert_close(stack(x, graph), want)


def test_copies_and_state_travel_without_scratch(graph, x):
    stack = stack_of(2, "sparse")
    want = stack(x, graph)
    torch.testing.assert_close(copy.deepcopy(stack)(x, graph), want)
    loaded = ReversibleStack(WIDTH, 2, K).double()
    loaded.load_state_dict(stack.state_dict())
    torch.testing.assert_close(loaded(x, graph), want)


@pytest.mark.parametrize(("arguments", "message"), [
    (dict(width=15, num_layers=1, k=1), "width is 15"),
    (dict(width=16, num_layers=0, k=1), "num_layers is 0"),
    (dict(width=16, num_layers=1, k=9), "k is 9 and there are 8 columns"),
    (dict(width=16, num_layers=1, k=0), "k is 0"),
    (dict(width=16, num_layers=1, k=1, residual="none"), "residual 'none' is unknown; it is one of sparse, dense"),
])
def test_bad_stack(arguments, message):
    with pytest.raises(ValueError, match=message):
        ReversibleStack(**arguments)


@pytest.mark.parametrize(("x", "message"), [
    (torch.randn(NODES, 14), rf"x has shape \[{NODES}, 14\] and the stack takes \[N, 16\]"),
    (torch.randn(NODES - 1, WIDTH), f"x has {NODES - 1} rows and the graph {NODES} nodes"),
    (torch.randn(NODES, WIDTH).double(), "x has dtype torch.float64 and the parameters torch.float32"),
    (torch.randn(NODES, WIDTH, device="meta"), "x is on meta"),
])
def test_input_that_does_not_fit(graph, x, message):
    with pytest.raises(ValueError, match=message):
        ReversibleStack(WIDTH, 1, K)(x, graph)
