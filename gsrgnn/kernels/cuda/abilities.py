"""What of CUDA a machine can do: compile, simulate, run. Needs none of it to say so."""

from importlib.metadata import PackageNotFoundError, version

import torch

from gsrgnn.kernels.gpu import driver_cuda, gpu_missing


def abilities() -> list[tuple[str, str]]:
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
