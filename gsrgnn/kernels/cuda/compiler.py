"""numba-cuda behind one import: what kernels are written in, and how they are compiled and launched.

A kernel is compiled once for a signature given beforehand, and launched on torch's current stream. Every array is a
torch tensor, C-contiguous, of which the kernel gets the address; nothing is allocated here.

Kernels count in int32. Numba widens each sum and product of int32 to int64, which a GPU computes in several
instructions, so they are narrowed again where they are made: ``np.int32(lane + 32 * r)``. The one 64-bit number is the
place of an entry, which `at` computes.
"""

import functools
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

if not find_spec("numba_cuda"):
    raise ModuleNotFoundError("the CUDA kernels need numba-cuda: pip install 'gsrgnn[cuda]'", name="numba_cuda")

from numba import cuda, types
from numba.core import config

from gsrgnn.kernels.gpu import gpu_missing

SIMULATED = bool(config.ENABLE_CUDASIM)
config.CUDA_LOW_OCCUPANCY_WARNINGS = False  # a small graph makes a small grid
if not SIMULATED:  # the simulator has neither
    from numba.cuda.extending import intrinsic, register_jitable
else:
    intrinsic = register_jitable = None

__all__ = [
    "BFLOAT16",
    "FIXED",
    "FLOAT",
    "INDEX",
    "LANES",
    "SIMULATED",
    "SIZE",
    "WARPS",
    "Kernel",
    "at",
    "cuda",
    "device",
    "flat",
    "intrinsic",
    "pointer",
    "types",
]

LANES = np.int32(32)
WARPS = 4  # in a block, unless a kernel says otherwise

FLOAT, FIXED, BFLOAT16 = types.float32, types.int32, types.uint16
INDEX = {torch.uint8: types.uint8, torch.int16: types.int16}
SIZE = types.int32
DTYPES = {
    types.uint8: torch.uint8,
    types.int16: torch.int16,
    types.int32: torch.int32,
    types.int64: torch.int64,
    FLOAT: torch.float32,
    BFLOAT16: torch.bfloat16,
}

device = cuda.jit(device=True) if SIMULATED else register_jitable
"""Decorator of a function that kernels call."""


@device
def at(row, width, column):
    """The place of an entry in a matrix of ``width`` columns."""
    return np.uint64(np.uint32(row)) * np.uint64(np.uint32(width)) + np.uint64(np.uint32(column))


def pointer(dtype: types.Type) -> types.CPointer:
    """The type of a tensor argument, of any shape; the kernel finds an entry by its place."""
    return types.CPointer(dtype)


class Kernel:
    """A kernel and the one signature it is compiled for, at its first launch.

    Args:
        function: the Python function of a kernel.
        arguments: numba types of its arguments: `pointer`, `SIZE` or another scalar.
        warps: warps in a block; a block is ``(32, warps)`` threads.
    """

    def __init__(self, function: Callable[..., None], arguments: Sequence[types.Type], warps: int = WARPS) -> None:
        self.function, self.arguments, self.warps = function, tuple(arguments), warps
        self._sizes = [number for number, kind in enumerate(arguments) if kind == SIZE]
        self._dtypes = {
            number: DTYPES[kind.dtype] for number, kind in enumerate(arguments) if isinstance(kind, types.CPointer)
        }

    @functools.cached_property
    def _compiled(self):
        if not SIMULATED and (why := gpu_missing()):
            raise RuntimeError(f"the CUDA kernels cannot run here: {why}")
        return cuda.jit(types.void(*self.arguments))(self.function)

    def __call__(self, blocks: int, *arguments: Any, shared: int = 0) -> None:
        """Launch ``blocks`` blocks with ``shared`` bytes of dynamic shared memory each.

        Raises TypeError for a tensor of another dtype, ValueError where the tensors lie on several devices or one is
        strided, OverflowError where a size does not fit an int32: a kernel gets addresses and would read on.
        """
        if blocks == 0:
            return
        tensors = [arguments[number] for number in self._dtypes]
        for (number, dtype), tensor in zip(self._dtypes.items(), tensors, strict=True):
            if tensor.dtype is not dtype:
                raise TypeError(f"argument {number} of {self.function.__name__} is {tensor.dtype}: it takes {dtype}")
            if not tensor.is_contiguous():
                raise ValueError(f"argument {number} of {self.function.__name__} is strided: call .contiguous() on it")
        if len({tensor.device for tensor in tensors}) > 1:
            raise ValueError(
                f"a kernel's tensors lie on {sorted({str(tensor.device) for tensor in tensors})}: "
                "move them to one device with .to(device)"
            )
        if any(arguments[number] >= 2**31 for number in self._sizes):
            raise OverflowError("the CUDA kernels count rows and columns in int32: 2147483647 at the most")
        self.launch(blocks, arguments, shared)

    def launch(self, blocks: int, arguments: Sequence[Any], shared: int) -> None:
        """`__call__` without its checks."""
        if SIMULATED:
            self._compiled[blocks, (32, self.warps), 0, shared](*map(flat, arguments))
            return
        with torch.cuda.device(arguments[next(iter(self._dtypes))].device):
            stream = _stream(torch.cuda.current_stream().cuda_stream)
            self._compiled[blocks, (32, self.warps), stream, shared](*map(_address, arguments))


def flat(argument: Any) -> Any:
    """A tensor in the CPU's memory as a kernel sees it: 1-D, bfloat16 by its bits. Anything else as it is."""
    if not isinstance(argument, torch.Tensor):
        return argument
    argument = argument.detach().view(-1)
    return (argument.view(torch.uint16) if argument.dtype == torch.bfloat16 else argument).numpy()


@functools.lru_cache(maxsize=64)
def _stream(handle: int) -> Any:
    return cuda.external_stream(handle) if handle else 0


def _address(argument: Any) -> Any:
    return argument.data_ptr() if isinstance(argument, torch.Tensor) else argument
