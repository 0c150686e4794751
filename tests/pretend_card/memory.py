"""What lies on the card: the marks of storages, and how much memory they take."""

import os
from contextlib import contextmanager
from threading import RLock

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import _disable_current_modes

TOTAL = int(os.environ.get("PRETEND_CARD_BYTES", 4 * 2**30))
CARD = torch.device("cuda:0")
ROUND = 512
"""Bytes: torch's allocator hands out multiples of this."""

_marks: dict[int, StorageWeakRef] = {}
"""By the storage's address; a weak reference keeps an address from being given to another storage."""
_lock = RLock()
_peak = 0
_bound = 0
"""Bytes that the marked storages had, of which some may be gone: `_sweep` makes it what there is."""


@contextmanager
def plain():
    """In the block torch is as without the card: tensors are the CPU's."""
    with torch._C.DisableTorchFunction(), _disable_current_modes():
        yield


def on_card(tensor: torch.Tensor) -> bool:
    with torch._C.DisableTorchFunction():
        if tensor.layout != torch.strided:
            return on_card(tensor.values())
        return tensor.untyped_storage()._cdata in _marks


def put(tensor: torch.Tensor) -> torch.Tensor:
    """Say that the tensor's storage lies on the card. Raises torch.OutOfMemoryError where it does not fit."""
    global _peak, _bound
    with torch._C.DisableTorchFunction():
        if tensor.layout != torch.strided:
            for part in (tensor.crow_indices(), tensor.col_indices(), tensor.values()):
                put(part)
            return tensor
        storage = tensor.untyped_storage()
        size = _rounded(storage)
        with _lock:
            if storage._cdata in _marks:
                return tensor
            if _bound + size > _peak:
                _sweep()
            if _bound + size > TOTAL:
                raise torch.OutOfMemoryError(
                    f"CUDA out of memory. Tried to allocate {storage.nbytes() / 2**20:.2f} MiB. GPU 0 has a total "
                    f"capacity of {TOTAL / 2**30:.2f} GiB of which {(TOTAL - _bound) / 2**20:.2f} MiB is free."
                )
            _bound += size
            _peak = max(_peak, _bound)
            _marks[storage._cdata] = StorageWeakRef(storage)
    return tensor


def take_off(tensor: torch.Tensor) -> torch.Tensor:
    """Say that the tensor's storage, a copy's, lies in the host's memory."""
    with torch._C.DisableTorchFunction(), _lock:
        _marks.pop(tensor.untyped_storage()._cdata, None)
    return tensor


def live() -> list[torch.UntypedStorage]:
    """The storages on the card."""
    with torch._C.DisableTorchFunction(), _lock:
        for address, reference in list(_marks.items()):
            if reference.expired():
                del _marks[address]
        return [torch.UntypedStorage._new_with_weak_ptr(reference.cdata) for reference in _marks.values()]


def _sweep():
    global _bound
    _bound = sum(map(_rounded, live()))


def allocated() -> int:
    """Bytes on the card now."""
    with _lock:
        _sweep()
        return _bound


def forget_peak() -> None:
    global _peak
    _peak = allocated()


def highest() -> int:
    """Bytes on the card at most since `forget_peak`."""
    return max(_peak, allocated())


def _rounded(storage):
    return -(-storage.nbytes() // ROUND) * ROUND
