"""The `gsrgnn` command."""

import ast
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from gsrgnn import book as books
from gsrgnn import experiments, notebooks, results


class PlainErrors(TyperGroup):
    """What a user can mend is one line `error: ...` and exit code 1; `--debug` shows where it came from."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except typer.Exit:  # a RuntimeError to Python, no error to us
            raise
        except (ValueError, FileNotFoundError, RuntimeError) as error:
            if ctx.params["debug"]:
                raise
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=PlainErrors,
    help="GSR-GNN, executed: run the notebooks, build the book, look at this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Timeout = Annotated[int, typer.Option(min=1, help="seconds a cell may take")]
Force = Annotated[bool, typer.Option("--force", help="run even if nothing changed")]


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="show tracebacks of errors")] = False,
) -> None:
    pass


@app.command()
def run(
    notebook: Annotated[str, typer.Argument(help="a py:percent file, or the name of one in notebooks/")],
    parameter: Annotated[
        list[str], typer.Option("-p", metavar="KEY=VALUE", help="a parameter, as often as needed")
    ] = [],  # noqa: B006 (typer copies it)
    output: Annotated[Path | None, typer.Option("-o", help="where to write; default runs/NAME.ipynb")] = None,
    timeout: Timeout = notebooks.TIMEOUT,
    force: Force = False,
) -> None:
    """Execute one notebook; skipped where its result is there and nothing it depends on changed."""
    root = Path.cwd()
    source = Path(notebook) if notebook.endswith(".py") else root / "notebooks" / f"{notebook}.py"
    output = root / (output or f"runs/{source.stem}.ipynb")
    notebooks.run(
        source,
        output,
        dict(parse_parameter(text) for text in parameter),
        root=root,
        timeout=timeout,
        force=force,
        say=lambda words: typer.echo(f"{source.stem}: {words}"),
    )
    typer.echo(f"written: {os.path.relpath(output)}")


@app.command()
def book(
    profile: Annotated[
        str, typer.Option(help=f"how much to run: {', '.join(experiments.PROFILES)}")
    ] = "smoke",
    timeout: Timeout = notebooks.TIMEOUT,
    force: Force = False,
) -> None:
    """Execute the notebooks that changed and build _build/html."""
    index = books.build(
        Path.cwd(),
        lambda notebook: experiments.parameters(profile, notebook),
        timeout=timeout,
        force=force,
        say=typer.echo,
    )
    typer.echo(f"open {os.path.relpath(index)}  ({index.as_uri()})")


@app.command()
def doctor() -> None:
    """Say what this machine can do: versions, CPU, GPU, data found, kernels compiled and checked."""
    from gsrgnn.circuits import available
    from gsrgnn.kernels import self_check

    for name, value in {**results.versions(), **results.machine()}.items():
        typer.echo(f"{name:16} {value}")
    missing = [extra for extra in ("torch_scatter", "numba_cuda") if not find_spec(extra)]
    typer.echo(f"{'extras missing':16} {', '.join(missing) or 'none'}")
    typer.echo(f"{'CIRCUITNET_ROOT':16} {os.environ.get('CIRCUITNET_ROOT') or 'not set'}")
    for name in available():
        typer.echo(f"{'circuit':16} {name}")
    checks = self_check()
    for name, ok, detail in checks:
        typer.echo(f"{'kernel':16} {name}: {'ok' if ok else 'FAILED'} ({detail})")
    if failed := [name for name, ok, _ in checks if not ok]:
        raise RuntimeError(f"kernels that do not agree with the reference: {', '.join(failed)}")


def parse_parameter(text: str) -> tuple[str, object]:
    """`"k=8"` to ("k", 8): Python literals, true, false and null as in YAML, everything else a string.

    Raises ValueError where there is no `=`.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ValueError(f"-p {text}: expected NAME=VALUE, as in -p k=8")
    words = {"true": True, "false": False, "null": None}
    if value in words:
        return name, words[value]
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value
