"""Whether this machine has a GPU that runs the kernels. Needs neither a GPU nor numba-cuda to say so."""

import re
import subprocess
from importlib.metadata import PackageNotFoundError, version

import torch

CAPABILITY = 8, 0
"""The least: the warp's own sums and minima (redux) came with it."""

TOOLKIT = 13
"""Major version of the CUDA toolkit that the extra `cuda` installs; the driver must be of it or later."""


def gpu_missing() -> str | None:
    """Why the kernels cannot run on a GPU here, in words; None where they can."""
    if torch.version.cuda is None:
        return "this torch is a CPU build: pip uninstall -y torch, then pip install torch==2.13.0"
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


def driver_cuda() -> tuple[int, int] | None:
    """``(major, minor)`` of the newest CUDA that the driver can run, by nvidia-smi; None where it does not say."""
    try:
        text = subprocess.run(["nvidia-smi"], capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"CUDA Version: (\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None
