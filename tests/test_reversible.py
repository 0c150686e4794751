import copy
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from gsrgnn import CircuitGraph
from gsrgnn.kernels import reference
from gsrgnn.lab.exactness import gradient_error, plain
from gsrgnn.reversible import FIXED, ORDERS, RESIDUALS, VALUES, ReversibleStack

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


def stack_of(num_layers, residual, first=None, values="full", dropout=0.0):
    stack = ReversibleStack(WIDTH, num_layers, K, residual, first, values, dropout).double()
    for parameter in (stack.gain, stack.shift):
        torch.nn.init.normal_(parameter)
    return stack


def gradients(run, stack, x, graph, weight):
    return torch.autograd.grad((run(x, graph) * weight).sum(), [x, *stack.parameters()])


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("first", ORDERS)
@pytest.mark.parametrize("residual", RESIDUALS)
@pytest.mark.parametrize("num_layers", [1, 3, 20])
def test_forward_and_gradient_are_those_of_autograd(graph, x, num_layers, residual, first, values):
    stack, weight = stack_of(num_layers, residual, first, values), torch.randn_like(x)
    torch.testing.assert_close(stack(x, graph), plain(stack, x, graph), rtol=1e-12, atol=1e-12)
    want = gradients(lambda *a: plain(stack, *a), stack, x, graph, weight)
    with stack.scratch(x, graph) as scratch:
        for work in vars(scratch).values():
            if isinstance(work, torch.Tensor) and work.is_floating_point():
                work.fill_(float("nan"))
    got = gradients(stack, stack, x, graph, weight)
    for ours, theirs in zip(got, want, strict=True):
        assert (ours - theirs).norm() <= 1e-9 * theirs.norm()


def mask_of_the_next_pass(stack):
    """``[N, width]``, of the forward pass that follows; it will draw the same."""
    state = torch.get_rng_state()
    seed, p = stack.draw()
    torch.set_rng_state(state)
    return torch.from_numpy(reference.dropout_mask(int(seed), NODES, WIDTH, p))


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("first", ORDERS)
@pytest.mark.parametrize("residual", RESIDUALS)
def test_dropout_is_one_mask_for_all_layers_and_the_gradient_that_of_autograd(graph, x, residual, first, values):
    stack, weight = stack_of(5, residual, first, values, dropout=0.4), torch.randn_like(x)
    mask = mask_of_the_next_pass(stack)
    assert 0.3 < (mask == 0).float().mean() < 0.5
    state = torch.get_rng_state()
    torch.testing.assert_close(stack(x, graph), plain(stack, x, graph, mask=mask), rtol=1e-12, atol=1e-12)
    torch.set_rng_state(state)
    with torch.no_grad():
        torch.testing.assert_close(stack(x, graph), plain(stack, x, graph, mask=mask), rtol=1e-12, atol=1e-12)
    other = mask_of_the_next_pass(stack)
    assert not torch.equal(other, mask)
    want = gradients(lambda *a: plain(stack, *a, mask=other), stack, x, graph, weight)
    got = gradients(stack, stack, x, graph, weight)
    for ours, theirs in zip(got, want, strict=True):
        assert (ours - theirs).norm() <= 1e-9 * theirs.norm()
    stack.eval()
    assert torch.equal(stack(x, graph), stack_of_same(stack, dropout=0.0)(x, graph))


def stack_of_same(stack, **options):
    other = ReversibleStack(WIDTH, stack.num_layers, K, stack.residual, stack.first, stack.values, **options).double()
    other.load_state_dict(stack.state_dict())
    return other


def test_dropout_is_not_stored(graph):
    saved = []
    for dropout in (0.0, 0.5):
        stack, x, kept = ReversibleStack(WIDTH, 7, K, dropout=dropout), torch.randn(NODES, WIDTH), []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, kept=kept: kept.append(t.nbytes) or t, lambda t: t):
            stack(x, graph)
        saved.append(kept)
    assert saved[0] == saved[1]


def test_dropout_is_drawn_from_torch_s_generator_and_changed_by_nothing_after_it(graph, x):
    stack = stack_of(3, "sparse", dropout=0.5)

    def result(between=lambda: None):
        torch.manual_seed(3)
        out = stack(x, graph)
        between()
        return out, *torch.autograd.grad(out.square().sum(), [x, *stack.parameters()])

    def another_pass():
        torch.rand(7)
        stack(x.detach() + 1, graph)
        stack.eval()
        stack.dropout = 0.1

    want, again, disturbed = result(), result(), result(another_pass)
    for first, second, third in zip(want, again, disturbed, strict=True):
        assert torch.equal(first, second)
        assert torch.equal(first, third)


@pytest.mark.parametrize("first", ORDERS)
def test_with_dropout_going_back_ends_at_the_input_to_the_last_bit(netlist, first):
    x = torch.randn(NODES, WIDTH).requires_grad_()
    stack = ReversibleStack(WIDTH, 200, K, "dense", first, dropout=0.3)
    stack(x, netlist).sum().backward()
    with stack.scratch(x, netlist) as scratch:
        for recovered, group, scale in zip(scratch.groups, x.detach().chunk(2, dim=1), stack.scale(x)[1], strict=True):
            assert torch.equal(recovered, (group * scale.dense()).round().to(torch.int32))


def test_with_dropout_there_is_an_inverse_in_eval_mode_alone(graph, x):
    stack = stack_of(5, "dense", dropout=0.5)
    for ask in (stack.inverse, stack.choices):
        with pytest.raises(ValueError, match=r"has a mask of its own: call .eval\(\) on it"):
            ask(x, graph)
    stack.eval()
    torch.testing.assert_close(stack.inverse(stack(x, graph), graph), x.detach(), rtol=0, atol=1e-10)


def test_a_checkpoint_draws_the_dropout_again(graph, x):
    stack = stack_of(3, "sparse", dropout=0.5)
    torch.manual_seed(0)
    want = torch.autograd.grad(stack(x, graph).square().sum(), [x, *stack.parameters()])
    torch.manual_seed(0)
    checkpoint(stack, x, graph, use_reentrant=False).square().sum().backward()
    for tensor, gradient in zip([x, *stack.parameters()], want, strict=True):
        torch.testing.assert_close(tensor.grad, gradient)


@pytest.mark.parametrize("residual", RESIDUALS)
def test_gradient_through_the_nets(netlist, x, residual):
    stack, weight = stack_of(3, residual), torch.randn_like(x)
    assert netlist.via == "nets"
    want = gradients(stack, stack, x, netlist.through("edges"), weight)
    for ours, theirs in zip(gradients(stack, stack, x, netlist, weight), want, strict=True):
        assert (ours - theirs).norm() <= 1e-9 * theirs.norm()


def test_rounded_values_are_kept_in_half_the_bytes_and_are_what_the_forward_pass_computed_with(graph, x):
    outs, kept = [], []
    for values in VALUES:
        torch.manual_seed(0)
        stack = ReversibleStack(WIDTH, 5, K, values=values)
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
            outs.append(stack(x.detach().float(), graph))
    assert 0 < (outs[0] - outs[1]).norm() < 0.1 * outs[0].norm()
    full, short = (tensor for tensor in kept if tensor.shape == (5, NODES, K) and tensor.is_floating_point())
    assert (full.itemsize, short.itemsize) == (4, 2)
    assert torch.equal(stack(x.detach().float(), graph), outs[1])


@pytest.mark.parametrize("residual", RESIDUALS)
def test_rounded_values_of_many_layers_overflow_nothing(graph, residual):
    torch.manual_seed(0)
    stack, x = ReversibleStack(WIDTH, 600, K, residual, values="bfloat16"), torch.randn(NODES, WIDTH)
    assert gradient_error(stack, x, graph)["same choices"] < 1e-2
    if residual == "dense":
        assert (stack.inverse(stack(x, graph), graph) - x).abs().max() < 1e-4


def test_dense_inverse_gives_the_input_back(graph, x):
    stack = stack_of(20, "dense")
    torch.testing.assert_close(stack.inverse(stack(x, graph), graph), x.detach(), rtol=0, atol=1e-10)
    with pytest.raises(ValueError, match="sparse residual drops part of group 2"):
        stack_of(1, "sparse").inverse(x, graph)


@pytest.mark.parametrize("residual", RESIDUALS)
def test_forwards_may_overlap_and_gradients_accumulate(graph, x, residual):
    stack, other = stack_of(4, residual), torch.randn_like(x)
    parameters = list(stack.parameters())
    want = [
        a + b
        for a, b in zip(
            torch.autograd.grad(plain(stack, x, graph).sum(), parameters),
            torch.autograd.grad(plain(stack, other, graph).sum(), parameters),
            strict=True,
        )
    ]
    first, second = stack(x, graph).sum(), stack(other, graph).sum()
    first.backward(retain_graph=True)
    second.backward()
    for parameter, gradient in zip(stack.parameters(), want, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    (once,) = torch.autograd.grad(first, x)
    torch.testing.assert_close(once, x.grad)


@pytest.mark.parametrize("num_layers", [10, 100])
@pytest.mark.parametrize(("residual", "bytes_a_row"), [("sparse", K * (4 + 1)), ("dense", 0)])
def test_bytes_saved_for_backward(graph, num_layers, residual, bytes_a_row):
    stack, saved = ReversibleStack(WIDTH, num_layers, K, residual), []
    x = torch.randn(NODES, WIDTH)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        stack(x, graph)
    parameters = {p.data_ptr() for p in stack.parameters()}
    activations = sum(t.nbytes for t in saved if t.data_ptr() not in parameters)
    scale = 4 * (NODES + 2 * WIDTH)
    assert activations == x.nbytes + num_layers * NODES * bytes_a_row + scale


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("first", ORDERS)
def test_going_back_ends_at_the_input_to_the_last_bit(netlist, dtype, first):
    """Also where rows are full of ties, which rounding would break in favour of other columns."""
    for x in (torch.randn(NODES, WIDTH), torch.randn(NODES, WIDTH).round()):
        x = x.to(dtype).requires_grad_()
        stack = ReversibleStack(WIDTH, 200, K, "dense", first).to(dtype)
        stack(x, netlist).sum().backward()
        given = x.detach().chunk(2, dim=1)
        with stack.scratch(x, netlist) as scratch:
            for recovered, group, scale in zip(scratch.groups, given, stack.scale(x)[1], strict=True):
                assert torch.equal(recovered, (group * scale.dense()).round().to(FIXED[dtype]))


@pytest.mark.parametrize("residual", RESIDUALS)
def test_single_precision_at_a_hundred_layers(netlist, residual):
    """At the choices of the float32 run: beside them the two forwards may differ, and then the gradients do."""
    error = gradient_error(ReversibleStack(WIDTH, 100, K, residual), torch.randn(NODES, WIDTH), netlist)
    assert error["same choices"] < 1e-5
    assert 0 <= error["choices that differ"] < 1e-2


def test_the_stream_never_overflows():
    """Rows of LayerNorm at their bound, all of one sign: the worst that the scale has to allow for."""
    stack = ReversibleStack(WIDTH, 50, 1, "dense")
    with torch.no_grad():
        stack.weight.zero_()
        stack.bias.zero_()
        stack.bias[..., 3] = 1e3
    graph = CircuitGraph.from_edge_index(torch.empty(2, 0, dtype=torch.long), 1, self_loops=True)
    x = torch.full((1, WIDTH), 5.0)
    largest = float(stack(x, graph).detach().max())
    assert largest == pytest.approx(5 + 50 * (WIDTH / 2 - 1) ** 0.5, rel=1e-3)
    assert 2**29 < largest * stack.scale(x)[1][1].dense().max() < 2**31


def test_one_buffer_serves_every_step(graph):
    stack, x = ReversibleStack(WIDTH, 3, K), torch.randn(NODES, WIDTH)
    places = set()
    for _ in range(3):
        loss = stack(x, graph).sum()
        places.add(loss.grad_fn.next_functions[0][0].saved_tensors[-1].data_ptr())
        loss.backward()
    assert len(places) == 1
    first = stack(x, graph).sum()
    first.backward(retain_graph=True)
    stack(x, graph)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        first.backward()


@pytest.mark.parametrize(
    "hooks",
    [
        lambda: torch.autograd.graph.save_on_cpu(),
        lambda: torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t),
    ],
)
def test_hooks_on_what_is_saved_hide_no_buffer_that_was_used_again(graph, x, hooks):
    stack = stack_of(3, "sparse")
    want = torch.autograd.grad(stack(x, graph).sum(), x)[0]
    with hooks():
        out = stack(x, graph)
    for _ in range(2):
        assert torch.equal(torch.autograd.grad(out.sum(), x, retain_graph=True)[0], want)
    stack(x.detach() + 1, graph)
    stack(x, graph)
    with pytest.raises(RuntimeError, match="modified by an inplace operation: a backward pass gave it back"):
        torch.autograd.grad(out.sum(), x)


@pytest.mark.parametrize("residual", RESIDUALS)
@pytest.mark.parametrize("use_reentrant", [False, True])
def test_in_a_checkpoint(graph, x, residual, use_reentrant):
    stack = stack_of(3, residual)
    want = torch.autograd.grad(stack(x, graph).square().sum(), [x, *stack.parameters()])
    checkpoint(stack, x, graph, use_reentrant=use_reentrant).square().sum().backward()
    for tensor, gradient in zip([x, *stack.parameters()], want, strict=True):
        torch.testing.assert_close(tensor.grad, gradient)


def test_backward_passes_of_one_forward_pass_in_several_threads(graph, x):
    stack = stack_of(10, "sparse")
    out = stack(x, graph)
    want = torch.autograd.grad(out.sum(), x, retain_graph=True)[0]

    def work(_):
        try:
            got = torch.autograd.grad(out.sum(), x, retain_graph=True)[0]
        except RuntimeError as error:  # another thread's forward pass has the buffer
            return "modified by an inplace operation" in str(error)
        stack(x, graph)
        return torch.equal(got, want)

    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(work, range(30)))


@pytest.mark.parametrize(
    ("residual", "free", "advice"),
    [("sparse", 20_000, "lower the width, k or the depth"), ("dense", 5_000, "lower the width")],
)
def test_a_buffer_that_does_not_fit(graph, monkeypatch, residual, free, advice):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=free))
    stack = ReversibleStack(WIDTH, 40, K, residual)
    with pytest.raises(MemoryError, match=rf"the stack needs 0.0 GB .* 40 layers, k {K}.* are free: {advice}"):
        stack(torch.randn(NODES, WIDTH), graph)
    monkeypatch.undo()
    stack(torch.randn(NODES, WIDTH), graph).sum().backward()


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


@pytest.mark.parametrize("residual", RESIDUALS)
def test_the_gradient_is_at_the_parameters_that_the_forward_pass_read(graph, x, residual):
    """Also where they are swapped in for the call alone, or computed anew at each access."""
    stack = stack_of(3, residual)
    others = {name: (2 * p).detach().requires_grad_() for name, p in stack.named_parameters()}
    loss = torch.func.functional_call(stack, others, (x, graph)).square().sum()
    got = torch.autograd.grad(loss, [x, *others.values()])
    swapped = copy.deepcopy(stack)
    swapped.load_state_dict(others, strict=False)
    want = torch.autograd.grad(plain(swapped, x, graph).square().sum(), [x, *swapped.parameters()])
    for ours, theirs in zip(got, want, strict=True):
        torch.testing.assert_close(ours, theirs)

    class Drifting(torch.nn.Module):
        factor = 1.0

        def forward(self, weight):
            self.factor *= 1.5
            return weight * self.factor

    torch.nn.utils.parametrize.register_parametrization(stack, "weight", Drifting(), unsafe=True)
    stack.parametrizations.weight[0].factor = 1.0
    loss = stack(x, graph).square().sum()
    factor = stack.parametrizations.weight[0].factor
    swapped = copy.deepcopy(swapped)
    with torch.no_grad():
        swapped.weight.copy_(stack.parametrizations.weight.original * factor)
        for name in ("bias", "gain", "shift"):
            getattr(swapped, name).copy_(getattr(stack, name))
    (got,) = torch.autograd.grad(loss, stack.parametrizations.weight.original)
    (want,) = torch.autograd.grad(plain(swapped, x, graph).square().sum(), swapped.weight)
    torch.testing.assert_close(got, factor * want)


def test_threads_that_share_a_stack_get_their_own_numbers(graph):
    stack, others = ReversibleStack(WIDTH, 20, K), [torch.randn(NODES, WIDTH) for _ in range(4)]

    def gradient(x):
        x = x.clone().requires_grad_()
        return torch.autograd.grad(stack(x, graph).square().sum(), x)[0]

    want = [(stack(x, graph).detach(), gradient(x)) for x in others]

    def work(number):
        x, (out, grad) = others[number], want[number]
        for _ in range(15):
            with torch.no_grad():
                yield torch.equal(stack(x, graph), out)
            yield torch.equal(gradient(x), grad)

    with ThreadPoolExecutor(len(others)) as pool:
        right = [*pool.map(lambda number: all(work(number)), range(len(others)))]
    assert right == [True] * len(others)


def test_a_prediction_in_inference_mode_leaves_the_stack_fit_for_training(graph, x):
    stack = stack_of(2, "sparse")
    with torch.inference_mode():
        out = stack(x.detach().clone(), graph)
    loss = stack(x, graph)
    torch.testing.assert_close(loss, out)
    loss.sum().backward()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_and_other_dtypes(graph, dtype):
    stack, x = ReversibleStack(WIDTH, 3, K), torch.randn(NODES, WIDTH)
    want = stack(x, graph)
    with torch.autocast("cpu", dtype=dtype):
        assert torch.equal(stack(x, graph), want)
        given = x.to(dtype).requires_grad_()
        out = stack(given, graph)
        out.sum().backward()
    assert out.dtype == torch.float32
    assert given.grad.dtype == dtype
    with pytest.raises(ValueError, match=f"x has dtype {dtype} and the parameters torch.float32"):
        stack(x.to(dtype), graph)
    with pytest.raises(ValueError, match=f"the parameters are {dtype}: the stack takes float32 or float64"):
        stack.to(dtype)(x.to(dtype), graph)


@pytest.mark.parametrize("other", [{"k": K + 1}, {"residual": "dense"}])
def test_a_state_of_another_k_or_residual_is_refused(other):
    saved = ReversibleStack(WIDTH, 2, K).state_dict()
    with pytest.raises(RuntimeError, match=f"of a stack with k={K} and residual='sparse', and this one has"):
        ReversibleStack(WIDTH, 2, **{"k": K, **other}).load_state_dict(saved)


def test_differentiating_twice_is_refused_at_once(graph, x):
    with pytest.raises(RuntimeError, match="cannot be differentiated again: call backward without create_graph=True"):
        torch.autograd.grad(stack_of(2, "dense")(x, graph).square().sum(), x, create_graph=True)


def test_a_failed_step_leaves_the_stack_usable(graph, x):
    stack = stack_of(3, "dense")
    want = stack(x, graph)
    broken = x.detach().clone()
    broken[7, 11] = float("nan")
    with pytest.raises(ValueError, match=r"x\[7, 11\] is nan"):
        stack(broken, graph)
    torch.testing.assert_close(stack(x, graph), want)


def test_copies_and_state_travel_without_scratch(graph, x):
    stack = stack_of(2, "sparse")
    want = stack(x, graph)
    torch.testing.assert_close(copy.deepcopy(stack)(x, graph), want)
    loaded = ReversibleStack(WIDTH, 2, K).double()
    loaded.load_state_dict(stack.state_dict())
    torch.testing.assert_close(loaded(x, graph), want)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(width=15, num_layers=1, k=1), "width is 15"),
        (dict(width=16, num_layers=0, k=1), "num_layers is 0"),
        (dict(width=16, num_layers=1, k=9), "k is 9 and there are 8 columns"),
        (dict(width=16, num_layers=1, k=0), "k is 0"),
        (dict(width=16, num_layers=1, k=1, residual="none"), "residual 'none' is unknown; it is one of sparse, dense"),
        (dict(width=16, num_layers=1, k=1, values="half"), "values 'half' is unknown; it is one of full, bfloat16"),
        *(
            (
                dict(width=16, num_layers=1, k=1, dropout=p),
                f"dropout is {p!r}: it takes a number, at least 0 and below 1",
            )
            for p in (1, -0.1, float("nan"), "0.5", None, True)
        ),
    ],
)
def test_bad_stack(arguments, message):
    with pytest.raises(ValueError, match=message):
        ReversibleStack(**arguments)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.randn(NODES, 14), rf"x has shape \[{NODES}, 14\] and the stack takes \[N, 16\]"),
        (torch.randn(NODES - 1, WIDTH), f"x has {NODES - 1} rows and the graph {NODES} nodes"),
        (torch.randn(NODES, WIDTH).double(), "x has dtype torch.float64 and the parameters torch.float32"),
        (torch.randn(NODES, WIDTH, device="meta"), "x is on meta, the graph on cpu, .* the shift on cpu"),
    ],
)
def test_input_that_does_not_fit(graph, x, message):
    with pytest.raises(ValueError, match=message):
        ReversibleStack(WIDTH, 1, K)(x, graph)


OUT_OF_LINE = {
    "a node": lambda x, stack: x[7].mul_(1e7),
    "an entry": lambda x, stack: x[7, 12].fill_(-1e7),
    "a column": lambda x, stack: x[:, 12].mul_(1e7),
    "half of the nodes": lambda x, stack: x[: NODES // 2].mul_(1e9),
    "a gain": lambda x, stack: stack.gain[1, 0, 3].fill_(1e6),
    "a shift": lambda x, stack: stack.shift[1, 1, 3].fill_(-1e6),
    "nothing": lambda x, stack: None,
    "everything": lambda x, stack: x.mul_(1e7),
    "everything, tiny": lambda x, stack: (x.mul_(1e-9), stack.gain.mul_(1e-9)),
    "tiny beside what layers add": lambda x, stack: (x.mul_(1e-7), stack.bias.zero_()),
    "tiny in half of the nodes": lambda x, stack: (x[: NODES // 2].mul_(1e-7), stack.bias.zero_()),
    "entries whose row and column cross": lambda x, stack: (x[7, 12].fill_(1e10), x[9, 3].fill_(1e10)),
}


@pytest.mark.parametrize("residual", RESIDUALS)
@pytest.mark.parametrize("case", OUT_OF_LINE)
def test_what_is_out_of_line_costs_nothing_else_its_digits(graph, residual, case):
    """Row by row as exact as floats that autograd keeps, at the same choices; gradients too, and exact going back."""
    stack, x = ReversibleStack(WIDTH, 3, K, residual), torch.randn(NODES, WIDTH)
    with torch.no_grad():
        OUT_OF_LINE[case](x, stack)
    exact, choices = copy.deepcopy(stack).double(), stack.choices(x, graph)
    weight = torch.randn(NODES, WIDTH) / x.abs().amax(1, keepdim=True)

    def results(run, stack, x):
        x = x.detach().requires_grad_()
        out = run(x)
        return [out.detach(), *torch.autograd.grad((out * weight.to(out)).sum(), [x, *stack.parameters()])]

    want = results(lambda x: plain(exact, x, graph, choices), exact, x.double())
    floats = results(lambda x: plain(stack, x, graph, choices), stack, x)
    ours = results(lambda x: stack(x, graph), stack, x)
    for got, theirs, right in zip(ours, floats, want, strict=True):
        size = right.abs().amax(-1, keepdim=True).clamp_min(1e-30)
        error, theirs = ((part - right).abs() / size for part in (got, theirs))
        assert error.max() <= 20 * theirs.max() + 1e-6


def test_a_range_that_the_stream_does_not_hold_is_refused(graph):
    stack, x = ReversibleStack(WIDTH, 3, K), torch.randn(NODES, WIDTH)
    crossed = x.clone()
    crossed[7, 12] = crossed[9, 3] = 1e20
    with pytest.raises(ValueError, match=r"x\[7, 3\] is .* and its row and column reach 1e\+20"):
        stack(crossed, graph)
    with pytest.raises(ValueError, match="block 1 of layer 0 overflows in row .*; or x is too large to be squared"):
        stack(1e25 * x, CircuitGraph.from_edge_index(torch.arange(NODES).repeat(2, 1), NODES, norm="sum"))
    with torch.no_grad():
        stack.gain.fill_(3e38)
    with pytest.raises(ValueError, match="or they add up to what is not"):
        stack(x, graph)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1e-6, 1e-3, 0.7, 300.0, 1e30])
def test_a_scale_is_as_fine_as_an_entry_that_never_overflows_allows(dtype, size):
    stack = ReversibleStack(16, 5, 4).to(dtype)
    x = torch.randn(30, 16, dtype=dtype) * size
    x[3] *= 1e6
    with torch.no_grad():
        stack.gain[2, 1, 4] = 1e6
    reach = (7**0.5 * stack.gain.abs() + stack.shift.abs()).detach().double().sum(0)
    size = x.double().abs()
    integer, scale = stack.scale(x)
    for group, own, added in zip(size.chunk(2, dim=1), scale, reach, strict=True):
        steps = own.dense().double()
        assert ((group + added) * steps < 2.0 ** (8 * integer.itemsize - 1)).all()
        assert torch.equal(torch.frexp(steps).mantissa, torch.full_like(steps, 0.5))
        largest = torch.minimum(size.amax(1)[:, None], group.amax(0))
        assert ((largest + added) * steps > 2.0 ** (8 * integer.itemsize - 6)).all()
    x[3, 4] = torch.inf
    with pytest.raises(ValueError, match=r"x\[3, 4\] is inf"):
        stack.scale(x)
