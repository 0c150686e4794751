"""What of CUDA a machine can do: compile, simulate, run. Needs none of it to say so."""

import re
import subprocess
from importlib.metadata import PackageNotFoundError, version

import torch

CAPABILITY = 8, 0
"""The least: the warp's own sums and minima (redux) came with it."""

TOOLKIT = 13
"""Major version of the CUDA toolkit that the extra `cuda` installs; the driver must be of it or later."""


def gpu_missing():
    """Why the kernels cannot run on a GPU here, in words; None where they can."""
    if torch.version.cuda is None:
        return "this torch is a CPU build: install one for CUDA"
    if not torch.cuda.is_available():
        return "torch finds no NVIDIA GPU, or its driver is too old for this torch: see nvidia-smi"
    if (capability := torch.cuda.get_device_capability()) < CAPABILITY:
        return (
            f"{torch.cuda.get_device_name()} has compute capability {capability[0]}.{capability[1]}: "
            f"the kernels need {CAPABILITY[0]}.{CAPABILITY[1]} or more (Ampere, Hopper and later)"
        )
    try:
        version("numba-cuda")
    except PackageNotFoundError:
        return "numba-cuda is not installed: pip install 'gsrgnn[cuda]'"
    if (driver := driver_cuda()) and driver[0] < TOOLKIT:
        return (
            f"the driver is for CUDA {driver[0]}.{driver[1]} and the compiler for {TOOLKIT}: update the driver, or "
            f"pip install 'numba-cuda[cu{driver[0]}]' and a torch for it"
        )
    return None


def driver_cuda():
    """``(major, minor)`` of the newest CUDA that the driver can run, by nvidia-smi; None where it does not say."""
    try:
        text = subprocess.run(["nvidia-smi"], capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"CUDA Version: (\d+)\.(\d+)", text)
    return tuple(map(int, found.groups())) if found else None


def abilities():
    """Pairs of what could be done, and whether: lines for ``gsrgnn doctor``."""
    driver = driver_cuda()
    lines = [("driver", f"CUDA {driver[0]}.{driver[1]}" if driver else "none found")]
    try:
        lines.append(("numba-cuda", version("numba-cuda")))
    except PackageNotFoundError:
        return [*lines, ("numba-cuda", "not installed: pip install 'gsrgnn[cuda]'"), ("run", f"no: {gpu_missing()}")]
    from gsrgnn.kernels.cuda import report

    if report.ptxas() is None:
        lines.append(("compile", "PTX only: ptxas was not found, pip install nvidia-cuda-nvcc"))
    else:
        for capability in report.CAPABILITIES:
            try:
                compiled = report.compile_all(capability)
                spilling = [kernel.name for kernel in compiled if kernel.spills or kernel.stack]
                words = f"{len(compiled)} kernels, at most {max(kernel.registers for kernel in compiled)} registers, "
                words += f"spills in {', '.join(spilling)}" if spilling else "no spills"
            except Exception as error:
                words = f"FAILED: {error}"
            lines.append((f"compile sm_{capability[0]}{capability[1]}", words))
    lines.append(("simulate", "yes: pytest tests/kernels/test_cuda.py"))
    missing = gpu_missing()
    lines.append(
        (
            "run",
            f"no: {missing}"
            if missing
            else f"yes: {torch.cuda.get_device_name()}, {torch.cuda.mem_get_info()[1] / 1e9:.0f} GB",
        )
    )
    return lines
