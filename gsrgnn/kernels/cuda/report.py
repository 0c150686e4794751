"""What the compiler makes of the kernels, without a GPU: PTX, cubin, registers, spills and local memory."""

import multiprocessing
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gsrgnn.kernels.cuda import (
    dropout,
    entries,
    layer_norm,
    probes,
    products,
    sample,
    sample_atomic,
    sum_kept,
    sum_rows,
    top_k,
)
from gsrgnn.kernels.cuda.compiler import BFLOAT16, Kernel, types

CAPABILITIES = ((8, 0), (9, 0))


@dataclass(frozen=True)
class Compiled:
    """A kernel as ptxas reports it.

    Attributes:
        name: the kernel and what it is specialised for.
        capability: as in "9.0".
        registers: of a thread.
        spills, stack: bytes of a thread, spilled registers (stores and loads) and stack frame.
        slow: 64-bit divisions and float64 operations in the PTX, which a GPU computes in many instructions.
        threads: of a block.
        cubin: bytes of machine code.
    """

    name: str
    capability: str
    registers: int
    spills: int
    stack: int
    slow: int
    threads: int
    cubin: int


def specialisations(width: int = 192, ks: Sequence[int] = (8, 64)) -> dict[str, Kernel]:
    """Name -> `Kernel` of every kernel that a width and these k use."""
    items, index = -(-width // 32), types.uint8 if width <= 256 else types.int16
    kernels = {
        "group_sparse": top_k.kernel(items, False, index),
        "group_sparse_fixed": top_k.kernel(items, True, index),
    }
    for k in ks:
        rounds = -(-k // 32)
        for scaled in (False, True):
            suffix = f" k<={32 * rounds}{', scaled' * scaled}"
            for onto in (False, True):
                end = suffix + ", onto" * onto
                kernels["aggregate" + end] = sum_kept.kernel(rounds, scaled, index, onto=onto)
                kernels["aggregate_backward" + end] = sample.kernel(rounds, scaled, index, onto)
        kernels[f"aggregate bfloat16 k<={32 * rounds}"] = sum_kept.kernel(rounds, False, index, BFLOAT16)
        kernels[f"aggregate_backward atomic k<={32 * rounds}"] = sample_atomic.kernel(rounds, index)
    for scaled in (False, True):
        for onto in (False, True):
            name = f"aggregate_dense{', scaled' * scaled}{', onto' * onto}"
            kernels[name] = sum_rows.kernel(items, scaled, onto=onto)
    kernels["aggregate_dense bfloat16"] = sum_rows.kernel(items, False, BFLOAT16)
    kernels |= {
        "add up pieces": sum_kept.combine(),
        "add up pieces, onto": sum_kept.combine(True),
        "dropout": dropout.kernel(index),
        "to_fixed": entries.to_fixed(),
        "from_fixed": entries.from_fixed(),
        "scatter_add": entries.scatter_add(index),
        "scatter_fixed": entries.scatter_fixed(index),
        "scatter_over": entries.scatter_over(index),
        "add_layer_norm": layer_norm.add(items),
        "undo_layer_norm": layer_norm.undo(items, layer_norm.warps(width)),
        "product": products.product(items, index),
        "product_backward, values": products.values_gradient(items, index),
        "product_backward, matrix": products.matrix_gradient(index),
        "probe of the L2": probes.read(),
        "probe of shared memory": probes.add_shared(),
        "probe of issue": probes.multiply_add(),
    }
    return kernels


def ptxas() -> str | None:
    """The assembler's path: the one that nvidia-cuda-nvcc installs, else one on PATH; None where there is neither."""
    spec = find_spec("nvidia.cu13") if find_spec("nvidia") else None
    for folder in (spec and spec.submodule_search_locations) or ():
        if (path := Path(folder) / "bin" / "ptxas").exists():
            return str(path)
    return shutil.which("ptxas")


def ptx(kernel: Kernel, capability: tuple[int, int]) -> str:
    """The PTX of a kernel for a compute capability, as in ``(9, 0)``. One capability a process: see `compile_all`."""
    from types import SimpleNamespace
    from unittest.mock import patch

    from numba.cuda import compile as compile_to

    # What a kernel calls is compiled for the current device; here there is none.
    with patch("numba.cuda.dispatcher.get_current_device", lambda: SimpleNamespace(compute_capability=capability)):
        text, _ = compile_to(kernel.function, types.void(*kernel.arguments), cc=capability, device=False, abi="numba")
    return text


def compile_one(name: str, kernel: Kernel, capability: tuple[int, int]) -> Compiled:
    """`Compiled` for a kernel. Raises RuntimeError with the assembler's words where it refuses."""
    text = ptx(kernel, capability)
    with tempfile.TemporaryDirectory() as folder:
        source, cubin = Path(folder) / "kernel.ptx", Path(folder) / "kernel.cubin"
        source.write_text(text)
        done = subprocess.run(
            [ptxas() or "ptxas", "-v", f"-arch=sm_{capability[0]}{capability[1]}", source, "-o", cubin],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"ptxas refuses {name}: {done.stderr.strip()}")
        size = cubin.stat().st_size
    memory = r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads"
    stack, stores, loads = map(int, re.findall(memory, done.stderr)[0])
    registers = int(re.findall(r"Used (\d+) registers", done.stderr)[0])
    slow = len(re.findall(r"\b(?:div|rem)\.[su]64\b|\.f64\b", text))
    return Compiled(
        name, f"{capability[0]}.{capability[1]}", registers, stores + loads, stack, slow, 32 * kernel.warps, size
    )


def compile_all(capability: tuple[int, int], width: int = 192, ks: Sequence[int] = (8, 64)) -> list[Compiled]:
    """`Compiled` of every kernel of `specialisations`, in a process of its own: what a kernel calls is compiled once.

    Raises RuntimeError where numba-cuda or ptxas is missing or one of them fails.
    """
    if ptxas() is None:
        raise RuntimeError("ptxas was not found: pip install 'gsrgnn[cuda]', or put that of a CUDA toolkit on PATH")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return [Compiled(**one) for one in pool.apply(_compile_all, (capability, width, ks))]


def _compile_all(capability: tuple[int, int], width: int, ks: Sequence[int]) -> list[dict[str, Any]]:
    return [asdict(compile_one(name, kernel, capability)) for name, kernel in specialisations(width, ks).items()]
