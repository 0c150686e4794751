"""Launches the CUDA kernels on `ptx_machine`, as numba-cuda would on a GPU: with the PTX it compiles for sm_90."""

import functools

import torch
from ptx_machine import Counts, Program, run

from gsrgnn.kernels.cuda import report
from gsrgnn.kernels.cuda.compiler import Kernel

CAPABILITY = (9, 0)
counts = Counts()
"""Of all launches since it was last cleared."""


def install(seed=None):
    """From now on every `Kernel` is launched here, on tensors in the CPU's memory."""
    @functools.cache
    def program(kernel):
        return Program(report.ptx(kernel, CAPABILITY))

    def launch(self, blocks, *arguments, shared=0):
        if blocks:
            counts.update(run(program(self), blocks, (32, self.warps), [*map(_flat, arguments)], shared, seed))

    Kernel.__call__ = launch


def _flat(argument):
    if not isinstance(argument, torch.Tensor):
        return argument
    flat = argument.detach().view(-1)
    return (flat.view(torch.uint16) if flat.dtype == torch.bfloat16 else flat).numpy()
