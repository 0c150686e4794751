"""The `gsrgnn` command, a file for each group of commands.

A command parses its options and says in one line what went wrong; what it does lies below, and is imported when it is
called, so that every `--help` is quick and needs no extra.
"""

from typing import Annotated

import typer

from gsrgnn.cli import bench, checkout, data, doctor, models
from gsrgnn.cli.errors import PlainErrors
from gsrgnn.version import __version__

app = typer.Typer(
    cls=PlainErrors,
    help="GSR-GNN, executed: train and predict, run the notebooks, build the book, look at this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"gsrgnn {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="say which version this is, and end")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show tracebacks of errors")] = False,
) -> None:
    pass


for command in (
    models.train,
    models.predict,
    checkout.run,
    checkout.book,
    checkout.sweep,
    checkout.programme,
    checkout.scoreboard,
    bench.bench,
    doctor.doctor,
):
    app.command()(command)
app.add_typer(data.app, name="data")
