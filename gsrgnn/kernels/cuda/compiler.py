"""numba-cuda behind one import: what kernels are written in, and how they are compiled and launched.

A kernel is compiled once for a signature given beforehand, and launched on torch's current stream. Every array is a
torch tensor; nothing is allocated here.
"""

import functools
from importlib.util import find_spec

import numpy as np
import torch

if not find_spec("numba_cuda"):
    raise ModuleNotFoundError("the CUDA kernels need numba-cuda: pip install 'gsrgnn[cuda]'", name="numba_cuda")

from numba import cuda, types
from numba.core import config

from gsrgnn.kernels.cuda_machine import gpu_missing

SIMULATED = bool(config.ENABLE_CUDASIM)
config.CUDA_LOW_OCCUPANCY_WARNINGS = False  # a small graph makes a small grid
if not SIMULATED:  # the simulator has neither
    from numba.cuda.extending import intrinsic, register_jitable
else:
    intrinsic = register_jitable = None

__all__ = ["BFLOAT16", "FLOAT", "INDEX", "LANES", "SIMULATED", "WARPS", "Kernel", "array", "cuda", "device",
           "intrinsic", "types"]

LANES = 32
WARPS = 4  # in a block, unless a kernel says otherwise

FLOAT, FIXED, BFLOAT16 = types.float32, types.int32, types.uint16
INDEX = {torch.uint8: types.uint8, torch.int16: types.int16}

device = cuda.jit(device=True) if SIMULATED else register_jitable
"""Decorator of a function that kernels call."""


def array(dtype, ndim=2):
    """The type of a C-contiguous array argument."""
    return types.Array(dtype, ndim, "C")


class Kernel:
    """A kernel and the one signature it is compiled for, at its first launch.

    Args:
        function: the Python function of a kernel.
        arguments: numba types of its arguments.
        warps: warps in a block; a block is ``(32, warps)`` threads.
    """

    def __init__(self, function, arguments, warps=WARPS):
        self.function, self.arguments, self.warps = function, tuple(arguments), warps

    @functools.cached_property
    def _compiled(self):
        if not SIMULATED and (why := gpu_missing()):
            raise RuntimeError(f"the CUDA kernels cannot run here: {why}")
        return cuda.jit(types.void(*self.arguments))(self.function)

    def __call__(self, blocks, *arguments, shared=0):
        """Launch ``blocks`` blocks with ``shared`` bytes of dynamic shared memory each."""
        if blocks == 0:
            return
        tensors = [a for a in arguments if isinstance(a, torch.Tensor)]
        if SIMULATED:
            self._compiled[blocks, (LANES, self.warps), 0, shared](*map(_for_simulator, arguments))
            return
        where = tensors[0].device
        if any(tensor.device != where for tensor in tensors):
            raise ValueError(f"a kernel's tensors lie on {sorted({str(tensor.device) for tensor in tensors})}: "
                             "move them to one device with .to(device)")
        with torch.cuda.device(where):
            stream = _stream(torch.cuda.current_stream().cuda_stream)
            self._compiled[blocks, (LANES, self.warps), stream, shared](*map(_for_device, arguments))


@functools.lru_cache(maxsize=64)
def _stream(handle):
    return cuda.external_stream(handle) if handle else 0


def _for_device(argument):
    if not isinstance(argument, torch.Tensor):
        return argument
    argument = argument.detach()
    return cuda.as_cuda_array(argument.view(torch.uint16) if argument.dtype == torch.bfloat16 else argument, sync=False)


def _for_simulator(argument):
    if not isinstance(argument, torch.Tensor):
        return argument
    argument = argument.detach()
    argument = argument.view(torch.uint16) if argument.dtype == torch.bfloat16 else argument
    return np.asarray(argument)
