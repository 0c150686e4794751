"""Launches the CUDA kernels on `ptx_machine`, as numba-cuda would on a GPU: with the PTX it compiles for sm_90."""

import functools

from ptx_machine import Counts, Program, run

from gsrgnn.kernels.cuda import report
from gsrgnn.kernels.cuda.compiler import Kernel, flat

CAPABILITY = (9, 0)
counts = Counts()
"""Of all launches since it was last cleared."""


@functools.cache
def program(kernel):
    return Program(report.ptx(kernel, CAPABILITY))


def install(seed=None):
    """From now on every `Kernel` is launched here, on tensors in the CPU's memory, in the order of a seed."""

    def launch(self, blocks, arguments, shared):
        counts.update(run(program(self), blocks, (32, self.warps), [*map(flat, arguments)], shared, seed))

    Kernel.launch = launch
