"""The driver: a launch runs the kernel's compiled PTX where that is quick, and leaves a large one to the CPU's kernels.

What Python does before a launch (`operators`, `plan`, `Kernel.__call__` and `launch`) runs in either case.
"""

import os
from functools import partial, wraps
from threading import local

import run_compiled
import torch
from ptx_machine import run
from torch.utils._pytree import tree_leaves

from gsrgnn.kernels import Scale, cpu, torch_path
from gsrgnn.kernels.cuda import compiler, operators
from pretend_card import capture, memory
from pretend_card.shown import Address

SMALL = int(os.environ.get("PRETEND_CARD_PTX", 1000))
"""Entries of the first matrix that an operator is given, at most, for it to run as PTX."""
MOST_THREADS, MOST_SHARED = 1024, 48 * 2**10
"""Of a block; more shared memory a kernel would have to ask the driver for."""

launches: list[str] = []
"""The kernels that were launched, since the list was last cleared."""
_now = local()


class Launcher:
    """Stands in for a kernel that numba-cuda has compiled, at a launch of so many blocks."""

    def __init__(self, kernel):
        self.kernel, self.name = kernel, kernel.function.__name__

    def __getitem__(self, configuration):
        blocks, threads, stream, shared = configuration
        assert 0 < blocks < 2**31, (self.name, blocks)
        assert threads[0] * threads[1] <= MOST_THREADS, (self.name, threads)
        assert shared <= MOST_SHARED, (self.name, shared)
        assert stream == torch.cuda.current_stream().cuda_stream, self.name
        return partial(self._launch, blocks, shared)

    def _launch(self, blocks, shared, *arguments):
        assert len(arguments) == len(self.kernel.arguments), self.name
        launches.append(self.name)
        tensors = [argument.tensor for argument in arguments if isinstance(argument, Address)]
        assert all(map(memory.on_card, tensors)), f"{self.name} is given an address of the host's memory"
        if getattr(_now, "left", max(tensor.numel() for tensor in tensors) > SMALL):
            return
        given = [argument.tensor if isinstance(argument, Address) else argument for argument in arguments]
        _do(self._run, blocks, shared, *given)

    def _run(self, blocks, shared, *given):
        run(run_compiled.program(self.kernel), blocks, (32, self.kernel.warps), [*map(compiler.flat, given)], shared)


def _do(work, *arguments, **options):
    """Do ``work`` on the tensors as the CPU's, now and at each replay."""
    with memory.plain(), torch.no_grad():
        result = work(*arguments, **options)
    capture.note(work, arguments, options)
    return result


def _operator(name, by_cpu):
    """The operator of a name; on many numbers it checks and launches, and ``by_cpu`` computes."""
    own = getattr(operators, name)

    @wraps(own)
    def call(*arguments, **options):
        if hasattr(_now, "left") or operators.refusal((*arguments, *options.values())):
            return own(*arguments, **options)
        first = next(
            leaf for leaf in tree_leaves((arguments, options)) if isinstance(leaf, torch.Tensor) and leaf.ndim == 2
        )
        _now.left = first.numel() > SMALL
        try:
            row = own(*arguments, **options)
            return _do(by_cpu, *arguments, **options) if _now.left else row
        finally:
            del _now.left

    return call


def _select(x, values, indices, bad=None):
    row = cpu.group_sparse(*(tensor.numpy() for tensor in (x, values, indices)))
    if bad is None:
        return row
    if row >= 0:
        bad.fill_(min(row, int(bad)))
    return -1


def _select_fixed(x, scale, values, indices):
    scale = Scale(*(tensor.numpy() for tensor in scale))
    cpu.group_sparse_fixed(x.numpy(), scale, values.numpy(), indices.numpy())


BY_CPU = {
    name: function
    for name in operators.__all__
    if callable(function := getattr(torch_path, name, None)) and function is not getattr(operators, name)
} | {
    "group_sparse": _select,  # torch would sort every row
    "group_sparse_fixed": _select_fixed,
    "aggregate_backward_atomic": torch_path.aggregate_backward,
}


def install() -> None:
    compiler.cuda.external_stream = lambda handle: handle
    compiler.Kernel._compiled = property(Launcher)
    for name, by_cpu in BY_CPU.items():
        setattr(operators, name, _operator(name, by_cpu))
