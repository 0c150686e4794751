"""Where operators leave their results: on the card where what they are given lies there; mixing raises."""

from functools import partial

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from pretend_card import capture, memory

aten = torch.ops.aten
COPIES = {aten.copy_.default, aten._to_copy.default, aten._foreach_copy_.default}
INDEXED = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
WAITING = {
    aten._local_scalar_dense.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.unique_consecutive.default,
    aten.equal.default,
    aten.is_nonzero.default,
    aten.repeat_interleave.Tensor,
}
waits: list[str] = []
"""The operators for whose result the host had to wait, since the list was last cleared."""


class Placed(TorchDispatchMode):
    """Marks what operators make, and refuses what a card would refuse."""

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = _tensors((args, kwargs))
        there = [memory.on_card(tensor) for tensor in given]
        if not any(there):
            return operator(*args, **kwargs)
        check_one_device(operator, args, given, there)
        if operator in WAITING or _between(operator, given, there) or (operator in INDEXED and _by_truth(args[1])):
            wait(str(operator))
        known = {tensor.untyped_storage()._cdata for tensor in given if tensor.layout == torch.strided}
        out = compute(operator, args, kwargs)
        made = [tensor for tensor in _tensors(out) if not _of(tensor, known)]
        if operator in WAITING and not isinstance(out, torch.Tensor | tuple):
            return out
        if operator not in INDEXED or memory.on_card(args[0]):
            for tensor in made:
                memory.put(tensor)
        if operator.namespace != "gsrgnn":  # what those do is noted one by one
            capture.note(partial(compute, operator), (args, kwargs), {}, out, made)
        return out


def compute(operator, args, kwargs):
    """Run the operator; where the CPU has none for bfloat16, in float32, rounded in the end, as on a card."""
    try:
        return operator(*args, **kwargs)
    except RuntimeError as error:
        if "not implemented for 'BFloat16'" not in str(error):
            raise
    out = kwargs.get("out")
    wide = tree_map_only(
        torch.Tensor, lambda tensor: tensor.float() if tensor.dtype == torch.bfloat16 else tensor, args
    )
    name = operator.overloadpacket.__name__
    rounded = getattr(torch, name)(*wide, **{key: value for key, value in kwargs.items() if key != "out"}).bfloat16()
    return rounded if out is None else out.copy_(rounded)


def check_one_device(operator, args, given, there):
    """Raises RuntimeError, in torch's words, where tensors of two devices meet.

    As in torch a CPU's tensor of no dimension may stand beside a card's in what works entry by entry, and a card's
    tensor may be indexed by a CPU's.
    """
    if operator in COPIES:
        return
    others = [tensor for tensor, card in zip(given, there, strict=True) if not card]
    if operator in INDEXED and there[0]:
        indices = {id(index) for index in args[1] if index is not None}
        others = [tensor for tensor in others if id(tensor) not in indices]
    if torch.Tag.pointwise in operator.tags or operator in INDEXED:
        others = [tensor for tensor in others if tensor.dim()]
    if others:
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, {memory.CARD} and cpu! "
            f"(in {operator})"
        )


def wait(what: str) -> None:
    """The host waits for the card. Raises RuntimeError in a capture."""
    if capture.current():
        raise RuntimeError(f"CUDA error: operation not permitted when stream is capturing ({what})")
    waits.append(what)


def _between(operator, given, there):
    """Whether the host's memory is copied from or to, as where a card's tensor is indexed by one of the host's."""
    return operator in COPIES | INDEXED and any(
        tensor.dim() and not card for tensor, card in zip(given, there, strict=True)
    )


def _by_truth(indices):
    return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in indices)


def _of(tensor, known):
    return tensor.layout == torch.strided and tensor.untyped_storage()._cdata in known


def _tensors(value):
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]
