"""`gsrgnn doctor`: what this machine can do."""

import os

import typer

from gsrgnn import provenance
from gsrgnn.cli import extras


def doctor() -> None:
    """Say what this machine can do: versions, CPU, GPU, data found, kernels compiled and checked."""
    from gsrgnn.circuits import available
    from gsrgnn.jit import cache_folder
    from gsrgnn.kernels.cpu import threads
    from gsrgnn.kernels.cuda.abilities import abilities
    from gsrgnn.kernels.gpu import gpu_missing
    from gsrgnn.kernels.self_check import self_check

    for name, value in {**provenance.versions(), **provenance.machine()}.items():
        typer.echo(f"{name:16} {value}")
    missing = [extra for extra in ("baselines", "book", "cuda") if not extras.installed(extra)]
    typer.echo(f"{'extras missing':16} {', '.join(missing) or 'none'}")
    for variable in ("CIRCUITNET_ROOT", "R2G_ROOT"):
        typer.echo(f"{variable:16} {os.environ.get(variable) or 'not set'}")
    kept = cache_folder(threads.even_bounds) or "not kept: set NUMBA_CACHE_DIR to a folder that can be written"
    typer.echo(f"{'machine code':16} {kept}")
    for name in available():
        typer.echo(f"{'circuit':16} {name}")
    for name, words in abilities():
        typer.echo(f"{'CUDA':16} {name}: {words}")
    checks = self_check()
    if not gpu_missing():
        checks += [(f"{name} on the GPU", ok, detail) for name, ok, detail in self_check("cuda")]
    for name, ok, detail in checks:
        typer.echo(f"{'kernel':16} {name}: {'ok' if ok else 'FAILED'} ({detail})")
    if failed := [name for name, ok, _ in checks if not ok]:
        raise RuntimeError(f"kernels that do not agree with the reference: {', '.join(failed)}")
