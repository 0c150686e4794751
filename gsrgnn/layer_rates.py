"""A learning rate for each layer of a `ReversibleStack`, which has one tensor for all layers; a rate of 0 freezes."""

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from gsrgnn.reversible import ReversibleStack

Rates: TypeAlias = Sequence[float] | Tensor

REFUSED = torch.optim.LBFGS, torch.optim.Rprop


def set_layer_rates(optimizer: torch.optim.Optimizer, stack: ReversibleStack, rates: Rates) -> Tensor:
    """From now on ``optimizer`` moves layer ``l`` of ``stack`` ``rates[l]`` times as far at each step.

    The optimizer steps as ever, then each layer is put at that share of its way. So a layer of rate 0 keeps its
    parameters bit by bit, whatever weight decay and earlier gradients' momentum would do, and any other moves as with
    ``rates[l]`` times the optimizer's rate. That holds where an entry's step is in proportion to the rate, as with SGD,
    Adam, AdamW and RMSprop. Scaling the gradients would not do: Adam divides by their size, and its steps stay as long.

    The moments of a frozen layer go on: let go, it moves by its latest gradients. During a step the stack's parameters
    are held twice. The rates of a second call for the same optimizer multiply those of the first.

    Args:
        optimizer: over the stack's parameters, among others; those that another one moves it does not hold back. It is
            bound to these parameters: a deep copy of the two has no rates.
        rates: ``[L]`` finite numbers, at least 0.

    Returns the rates as a tensor ``[L]`` that every step reads: change it in place to freeze and unfreeze layers.
    Raises ValueError for other rates, for a parametrized stack, and for an optimizer that has not its
    parameters or is `REFUSED`.
    """
    if isinstance(optimizer, REFUSED):
        raise ValueError(
            f"{type(optimizer).__name__}'s steps are not in proportion to its rate: take Adam, AdamW, SGD or RMSprop"
        )
    if len(parameters := [*stack.parameters(recurse=False)]) < len(stack.parameters_now()):
        raise ValueError("the stack's parameters are parametrized and have no layers of their own: undo that first")
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    if not any(id(parameter) in held for parameter in parameters):
        raise ValueError("the optimizer has not the stack's parameters: make it of model.parameters()")
    factor = torch.tensor(checked_rates(stack, rates), dtype=torch.float64).to(stack.weight)
    before: list[Tensor] = []

    def keep(*_):
        before[:] = [parameter.detach().clone() for parameter in parameters]

    @torch.no_grad()
    def put(*_):
        back = 1 - factor.to(parameters[0])
        for parameter, old in zip(parameters, before, strict=True):
            share = back.view(-1, *[1] * (old.ndim - 1))
            parameter.lerp_(old, share)  # exact where the rate is 1
            torch.where(share == 1, old, parameter, out=parameter)  # a frozen layer takes no NaN of its step either
        before.clear()

    optimizer.register_step_pre_hook(keep)
    optimizer.register_step_post_hook(put)
    return factor


def checked_rates(stack: ReversibleStack, rates: Rates) -> list[float]:
    """``rates`` as numbers, one a layer of ``stack``. Raises ValueError unless they are finite and at least 0."""
    try:
        found = torch.as_tensor(rates, dtype=torch.float64).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"rates cannot be read as numbers ({error}): give one a layer") from error
    if found.shape != (stack.num_layers,):
        raise ValueError(
            f"rates has shape {list(found.shape)} and the stack {stack.num_layers} layers: give one a layer"
        )
    for layer, rate in enumerate(found.tolist()):
        if not 0 <= rate < float("inf"):
            raise ValueError(f"the rate of layer {layer} is {rate}: it takes a finite number, at least 0")
    return found.tolist()
