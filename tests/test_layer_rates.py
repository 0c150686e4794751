"""A learning rate a layer, and frozen layers, beside the same with a parameter of its own for each layer."""

import copy

import pytest
import torch
from torch_geometric import seed_everything
from torch_geometric.data import Data

from gsrgnn import GSRGNN, CircuitGraph
from gsrgnn.baselines import RevGNN
from gsrgnn.layer_rates import set_layer_rates
from gsrgnn.reversible import ReversibleStack
from gsrgnn.training import train

LAYERS, NODES = 5, 30
RATES = [0.0, 1.0, 0.1, 1.7, 1.0]
GRAPH = CircuitGraph.from_edge_index(torch.arange(90).reshape(2, 45) * 7 % NODES, NODES, self_loops=True)
X = (torch.arange(8.0 * NODES).reshape(NODES, 8) ** 2).sin()
OPTIMIZERS = {
    "Adam": lambda p: torch.optim.Adam(p, 1e-2),
    "Adam with weight decay": lambda p: torch.optim.Adam(p, 1e-2, weight_decay=0.1, amsgrad=True),
    "AdamW": lambda p: torch.optim.AdamW(p, 1e-2, weight_decay=0.1),
    "SGD": lambda p: torch.optim.SGD(p, 1e-2, momentum=0.9, weight_decay=0.1, nesterov=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, 1e-2, momentum=0.5),
}


def made():
    seed_everything(0)
    return ReversibleStack(8, LAYERS, 2)


def step(stack, optimizer):
    optimizer.zero_grad()
    stack(X.to(stack.weight), GRAPH).square().mean().backward()
    optimizer.step()


def with_parameters_of_their_own(stack, make, rates, steps):
    """``stack`` trained with a leaf for each layer's slice of each parameter, and the rates in parameter groups."""
    leaves = {name: [t.detach().clone().requires_grad_() for t in p] for name, p in stack.named_parameters()}
    optimizer = make([{"params": [of[layer] for of in leaves.values()]} for layer in range(LAYERS)])
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] *= rate
    for _ in range(steps):
        optimizer.zero_grad()
        stacked = {name: torch.stack(of) for name, of in leaves.items()}
        torch.func.functional_call(stack, stacked, (X.to(stack.weight), GRAPH)).square().mean().backward()
        optimizer.step()
    return {name: torch.stack(of) for name, of in leaves.items()}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_rate_a_layer_is_that_of_parameters_of_their_own(make):
    stack = made().double()
    want = with_parameters_of_their_own(stack, make, RATES, steps=6)
    before, optimizer = copy.deepcopy(stack), make(stack.parameters())
    set_layer_rates(optimizer, stack, RATES)
    for _ in range(6):
        step(stack, optimizer)
    for name, parameter in stack.named_parameters():
        torch.testing.assert_close(parameter, want[name], rtol=1e-10, atol=1e-12)
        assert torch.equal(parameter[0], getattr(before, name)[0])
        for layer in range(1, LAYERS):
            assert not torch.equal(parameter[layer], getattr(before, name)[layer])


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_layer_frozen_midway_stays_bit_by_bit_and_the_others_are_those_of_one_put_back_by_hand(make):
    """Momentum of the steps before, and weight decay, move nothing; and a frozen layer can be let go again."""
    results = []
    for by_hand in (False, True):
        stack = made()
        optimizer = make(stack.parameters())
        rates = None if by_hand else set_layer_rates(optimizer, stack, [1.0] * LAYERS)
        for number in range(9):
            frozen = 3 <= number < 6
            held = [p[2:4].detach().clone() for p in stack.parameters()]
            if rates is not None:
                rates[2:4] = 0.0 if frozen else 1.0
            step(stack, optimizer)
            if by_hand and frozen:
                with torch.no_grad():
                    for parameter, old in zip(stack.parameters(), held, strict=True):
                        parameter[2:4] = old
            same = [torch.equal(p[2:4], old) for p, old in zip(stack.parameters(), held, strict=True)]
            assert same == [frozen] * 4
        results.append([*stack.parameters()])
    assert all(map(torch.equal, *results))


def test_rates_of_one_change_nothing():
    results = []
    for rates in (None, [1.0] * LAYERS):
        stack = made()
        optimizer = OPTIMIZERS["AdamW"](stack.parameters())
        if rates:
            set_layer_rates(optimizer, stack, rates)
        for _ in range(4):
            step(stack, optimizer)
        results.append([*stack.parameters()])
    assert all(map(torch.equal, *results))


@pytest.mark.parametrize("gradient", [float("nan"), float("inf"), 3e38])
def test_a_frozen_layer_takes_nothing_of_a_step_that_is_not_finite(gradient):
    stack = made()
    before, optimizer = copy.deepcopy(stack), torch.optim.SGD(stack.parameters(), 10.0)
    set_layer_rates(optimizer, stack, RATES)
    for parameter in stack.parameters():
        parameter.grad = torch.full_like(parameter, gradient)
    optimizer.step()
    for name, parameter in stack.named_parameters():
        assert torch.equal(parameter[0], getattr(before, name)[0])
        assert not parameter[1].isfinite().any()


def test_scaled_gradients_are_no_rate_under_adam():
    """Why the step is scaled: Adam's is the same at gradients a hundred times smaller, and SGD's a hundredth."""
    moved = {}
    for name, factor in ((name, factor) for name in ("Adam", "SGD") for factor in (1.0, 0.01)):
        stack = made().double()
        before, optimizer = stack.weight.detach().clone(), getattr(torch.optim, name)(stack.parameters(), lr=1e-3)
        handle = stack.weight.register_hook(lambda gradient, factor=factor: factor * gradient)
        step(stack, optimizer)
        handle.remove()
        moved[name, factor] = (stack.weight - before).norm().item()
    assert moved["Adam", 0.01] == pytest.approx(moved["Adam", 1.0], rel=1e-2)
    assert moved["SGD", 0.01] == pytest.approx(0.01 * moved["SGD", 1.0], rel=1e-6)


def data():
    part = torch.arange(NODES) % 10
    return Data(x=X, y=X[:, 0] + X[:, 1].square(), train_mask=part < 6, val_mask=part == 6, test_mask=part > 7)


def test_train_takes_rates_and_goes_on_with_them(tmp_path):
    def run(epochs=5, rates=RATES, **options):
        seed_everything(0)
        model = GSRGNN(8, 8, num_layers=LAYERS, k=2)
        before = copy.deepcopy(model)
        train(model, data(), GRAPH, epochs=epochs, learning_rate=0.01, layer_rates=rates, **options)
        return before, model

    before, whole = run()
    for name, parameter in whole.layers.named_parameters():
        assert torch.equal(parameter[0], getattr(before.layers, name)[0])
        assert not torch.equal(parameter[1], getattr(before.layers, name)[1])
    assert not torch.equal(whole.encoder.weight, before.encoder.weight)
    path = tmp_path / "run"
    run(2, checkpoint=path)
    _, resumed = run(checkpoint=path, rates=torch.tensor(RATES, dtype=torch.float64))
    assert all(map(torch.equal, resumed.parameters(), whole.parameters()))
    for other in (None, [1.0] * LAYERS):
        with pytest.raises(ValueError, match="of a training with another layer_rates: give what it was begun with"):
            run(checkpoint=path, rates=other)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ([1.0] * 4, r"rates has shape \[4\] and the stack 5 layers"),
        (1.0, r"rates has shape \[\] and the stack 5 layers"),
        ([1, 1, -0.5, 1, 1], r"the rate of layer 2 is -0.5: it takes a finite number, at least 0"),
        ([1, 1, 1, float("nan"), 1], "the rate of layer 3 is nan"),
        ([1, 1, 1, float("inf"), 1], "the rate of layer 3 is inf"),
        (["all"] * 5, "rates cannot be read as numbers"),
    ],
)
def test_bad_rates(rates, message):
    stack = made()
    with pytest.raises(ValueError, match=message):
        set_layer_rates(torch.optim.Adam(stack.parameters()), stack, rates)


def test_an_optimizer_that_cannot_have_them():
    stack = made()
    with pytest.raises(ValueError, match="the optimizer has not the stack's parameters: make it of model.parameters"):
        set_layer_rates(torch.optim.Adam(made().parameters()), stack, RATES)
    with pytest.raises(ValueError, match="LBFGS's steps are not in proportion to its rate"):
        set_layer_rates(torch.optim.LBFGS(stack.parameters()), stack, RATES)
    torch.nn.utils.parametrizations.weight_norm(stack, "weight")  # its parameters lie in a module of their own
    with pytest.raises(ValueError, match="the stack's parameters are parametrized and have no layers of their own"):
        set_layer_rates(torch.optim.Adam(stack.parameters()), stack, RATES)
    model = RevGNN(8, 8, num_layers=LAYERS)
    state = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match=r"RevGNN has 0 ReversibleStacks .*: .*layer.requires_grad_\(False\)"):
        train(model, data(), GRAPH, epochs=1, layer_rates=RATES)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in state.items())
