"""What Python sees of a tensor on the card, and how it gets there and back."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from pretend_card import capture, memory
from pretend_card.placed import Placed, wait

T = torch.Tensor
CPU = torch.device("cpu")


class Address:
    """Of memory on the card: to be compared, and handed to a launch; no number that the host could follow."""

    def __init__(self, tensor: torch.Tensor) -> None:
        with torch._C.DisableTorchFunction():
            self.tensor, self._value = tensor, T.data_ptr(tensor)

    def __mod__(self, size: int) -> int:
        return self._value % size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __index__(self) -> int:
        raise TypeError("an address on cuda:0, followed on the host: a real card's would end the process")


def _question(name: str, answer: Callable[[bool], Any]):
    getter = getattr(T, name).__get__
    return getter, lambda tensor: answer(memory.on_card(tensor)) if memory.on_card(tensor) else getter(tensor)


QUESTIONS = dict(
    _question(name, answer)
    for name, answer in {
        "device": lambda on: memory.CARD,
        "is_cuda": lambda on: True,
        "is_cpu": lambda on: False,
    }.items()
) | {T.get_device: lambda tensor: memory.CARD.index if memory.on_card(tensor) else -1}


class Shown(TorchFunctionMode):
    """Answers in the place of a card's tensors, moves them, makes them."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function in QUESTIONS:
            return QUESTIONS[function](args[0])
        if function is T.backward:
            with self:  # what a backward function asks is asked here too
                return _backward(*args, **kwargs)
        if function in HOST and memory.on_card(args[0]):
            return HOST[function](args[0], *args[1:], **kwargs)
        if function in (T.to, T.cuda, T.cpu):
            return _move(function, *args, **kwargs)
        if function is torch._C._nn._parse_to:  # a whole number is a card's
            args = [torch.device("cuda", argument) if type(argument) is int else argument for argument in args]
        device = kwargs.get("device")
        if device is None and function in (T.new_empty, T.new_full, T.new_zeros, T.new_ones, T.new_tensor):
            out = function(*args, **kwargs)
            return memory.put(out) if memory.on_card(args[0]) else out
        if device is None:
            return function(*args, **kwargs)
        if function in FROM_HOST and is_card(device):
            wait("a copy to the card")
        kwargs["device"] = CPU
        out = function(*args, **kwargs)
        made = [leaf for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        if not is_card(device):
            return out
        for tensor in made:
            memory.put(tensor)
        capture.note(function, args, kwargs, out, made)
        return out


def is_card(device: torch.device | str | int) -> bool:
    """Whether this names the card. Raises RuntimeError for a card that there is not, in torch's words."""
    device = torch.device("cuda", device) if isinstance(device, int) else torch.device(device)
    if device.type == "cuda" and device.index not in (None, 0):
        raise RuntimeError("CUDA error: invalid device ordinal")
    return device.type == "cuda"


def _move(function, tensor, *args, **kwargs):
    """`Tensor.to`, `cuda` and `cpu`."""
    here = memory.on_card(tensor)
    target, rest = {T.cpu: False, T.cuda: True}.get(function), []
    for argument in (*args, *(kwargs.pop(name, None) for name in ("device", "dtype", "other"))):
        if isinstance(argument, str | torch.device) or type(argument) is int:
            target = is_card(argument)
        elif isinstance(argument, torch.Tensor):
            target, rest = memory.on_card(argument), [argument.dtype]
        elif isinstance(argument, torch.dtype):
            rest.append(argument)
    kwargs.pop("non_blocking", None)
    if target is None or target == here:
        return tensor.to(*rest, **kwargs) if rest or kwargs else tensor
    if target:
        if capture.current():
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing (a copy to the card)")
        return memory.put(tensor.to(*rest, **kwargs | {"copy": True}))
    wait("a copy to the host")
    return memory.take_off(tensor.to(*rest, **kwargs | {"copy": True}))


def _to_numpy(tensor, *, force=False):
    if not force:
        raise TypeError(
            "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory "
            "first."
        )
    return tensor.detach().cpu().numpy()


def _refuse(tensor, *args, **kwargs):
    return _to_numpy(tensor)


HOST = {
    T.numpy: _to_numpy,
    T.__array__: _refuse,
    T.__dlpack__: _refuse,
    T.data_ptr: Address,
}


def _to_list(tensor):
    wait("a copy to the host")
    return T.tolist(tensor)


FROM_HOST = {torch.tensor, torch.as_tensor, torch.from_numpy}
HOST[T.tolist] = _to_list


def _backward(tensor, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    torch.autograd.backward(tensor, gradient, retain_graph, create_graph, inputs=inputs)


def install() -> None:
    """Enter both modes, here and in every thread that begins; and inside operators, where torch turns modes off."""
    shown, placed = Shown(), Placed()
    shown.__enter__()
    placed.__enter__()
    within = _with(shown, placed)
    threading.Thread.run = within(threading.Thread.run)
    hooks = torch.autograd.graph.saved_tensors_hooks
    begin = hooks.__init__
    hooks.__init__ = lambda self, *functions: begin(self, *map(within, functions))
    torch.autograd.has_torch_function = lambda arguments: False
    library = torch.library.Library("gsrgnn", "IMPL")
    install.library = library  # for as long as the process

    for name, function in operators().items():
        library.impl(name, within(function), "CPU")


def _with(*modes):
    """Decorator: torch turns modes off for what it calls from within an operator; they are on in the function."""

    def decorate(function):
        @wraps(function)
        def call(*arguments, **options):
            with ExitStack() as stack:
                for mode in modes:
                    stack.enter_context(mode)
                return function(*arguments, **options)

        return call

    return decorate


def operators() -> dict[str, Callable]:
    """The functions behind ``torch.ops.gsrgnn``, by name."""
    from gsrgnn import baselines, cbsr

    return {
        "group_sparse": cbsr._group_sparse,
        "scatter": cbsr._scatter,
        "aggregate": cbsr._aggregate,
        "aggregate_backward": cbsr._sample,
        "aggregate_dense": cbsr._aggregate_dense,
        "product": baselines._product,
    }
