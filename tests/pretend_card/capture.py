"""CUDA graphs: what is launched in a capture is noted and not done, and done by each replay in the same memory."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch.utils._pytree import tree_leaves, tree_map_only

from pretend_card import memory

_capturing: list["Graph"] = []


def current() -> "Graph | None":
    """The graph that is being captured."""
    return _capturing[-1] if _capturing else None


def note(
    function: Callable, arguments: tuple, options: dict, out: object = None, made: Sequence[torch.Tensor] = ()
) -> None:
    """In a capture: that ``function(*arguments, **options)`` gave ``out``, of which the tensors ``made`` are new.

    Noted are the storages, as addresses are on a card: a tensor may be given another one later.
    """
    if graph := current():
        places = [place for place, leaf in enumerate(_tensors(out)) if any(leaf is tensor for tensor in made)]
        with memory.plain(), torch.no_grad():
            arguments, options, made = tree_map_only(
                torch.Tensor, torch.Tensor.detach, (arguments, options, list(made))
            )
        graph.notes.append((partial(function, *arguments, **options), places, made))


class Graph:
    """Stands in for `torch.cuda.CUDAGraph`."""

    def __init__(self, keep_graph=False):
        self.notes, self.captured = [], False

    def capture_begin(self, pool=None, capture_error_mode="global"):
        if _capturing:
            raise RuntimeError("CUDA error: a capture is under way")
        self._before = [(storage, storage.clone()) for storage in memory.live()]
        _capturing.append(self)

    def capture_end(self):
        _capturing.remove(self)
        with memory.plain():
            for storage in memory.live():
                storage.fill_(255)  # of what a capture makes nothing is there before the first replay
            for storage, value in self._before:
                storage.copy_(value)
        del self._before
        self.captured = True

    def replay(self):
        if not self.captured:
            raise RuntimeError("Called CUDAGraph::replay without a preceding successful capture.")
        with memory.plain(), torch.no_grad():
            for again, places, made in self.notes:
                out = _tensors(again())
                for place, tensor in zip(places, made, strict=True):
                    _allocate(tensor)
                    tensor.copy_(out[place])

    def reset(self):
        self.notes, self.captured = [], False

    def pool(self):
        return 0, id(self)


def _allocate(tensor):
    """What was made in a capture and freed there has its memory again, as in the capture's own pool."""
    storage = tensor.untyped_storage()
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    needed = (tensor.storage_offset() + last + 1) * tensor.itemsize if tensor.numel() else 0
    if storage.nbytes() < needed:
        storage.resize_(needed)


def install() -> None:
    """See to what frees a tensor's memory by hand, as reversible models do."""
    resize = torch.UntypedStorage.resize_

    def resize_and_note(storage, size):
        note(resize, (storage, size), {})
        return resize(storage, size)

    torch.UntypedStorage.resize_ = resize_and_note


def _tensors(value):
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]
