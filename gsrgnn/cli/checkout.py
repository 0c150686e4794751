"""Commands that work on a checkout, with the extra `book`: run, book, sweep, programme, scoreboard."""

import math
import os
from pathlib import Path
from typing import Annotated

import typer

from gsrgnn.cli import extras
from gsrgnn.cli.parameters import parse_parameters
from gsrgnn.lab import experiments

TIMEOUT = 900  # seconds; as in lab.notebooks, which only the extra can import
SWEEP_TIMEOUT = 24 * 3600  # as in lab.sweep

Timeout = Annotated[int, typer.Option(min=1, help="seconds a cell may take")]
Minutes = Annotated[
    float,
    typer.Option(
        show_default="no end",
        help="begin what is expected to fit into a window of so many minutes, and end when it closes; the same command "
        "goes on. With --list: what each window will hold",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="run even if nothing changed")]


def checkout(command: str) -> Path:
    """The current folder, where it is a checkout with all that its notebooks import.

    Raises RuntimeError, which says what `gsrgnn COMMAND` lacks: the checkout, or the extra `book`.
    """
    here = Path.cwd()
    if not ((here / "_toc.yml").is_file() and (here / "notebooks").is_dir()):
        raise RuntimeError(
            f"gsrgnn {command} needs a checkout of the repository, which {here} is not: "
            "git clone it, pip install '.[book]' and call this in its folder"
        )
    extras.need("book", command)
    return here


def run(
    notebook: Annotated[str, typer.Argument(help="a py:percent file, or the name of one in notebooks/")],
    parameter: Annotated[
        list[str], typer.Option("-p", metavar="KEY=VALUE", help="a parameter, as often as needed")
    ] = [],  # noqa: B006 (typer copies it)
    output: Annotated[Path | None, typer.Option("-o", help="where to write; default runs/NAME.ipynb")] = None,
    folder: Annotated[
        Path | None, typer.Option("--results", help="of an experiment's notebook: keep its record in this folder")
    ] = None,
    timeout: Timeout = TIMEOUT,
    force: Force = False,
) -> None:
    """Execute one notebook; skipped where its result is there and nothing it depends on changed.

    With --results it is a point of an experiment, as in: gsrgnn run depth -p num_layers=10 --results results
    """
    own = notebook.endswith(".py") and folder is None
    if own:
        extras.need("book", f"run {notebook}")
    root = Path.cwd() if own else checkout(f"run {notebook}")
    from gsrgnn.lab import notebooks
    from gsrgnn.lab import sweep as sweeps

    if folder is not None:
        if output or force:
            raise ValueError("--results goes without -o and --force: the point says where its record lies")
        point = experiments.Point(notebook, parse_parameters(parameter))
        sweeps.survey([point], places := sweeps.Places(root, root / folder))  # are the parameters the notebook's?
        now = sweeps.run_point(point, places, timeout, lambda words: typer.echo(f"{point.name}: {words}"))
        typer.echo(f"{now.state}: {os.path.relpath(places.record(point))}")
        return
    source = Path(notebook) if own else root / "notebooks" / f"{notebook}.py"
    output = root / (output or f"runs/{source.stem}.ipynb")
    notebooks.run(
        source,
        output,
        parse_parameters(parameter),
        root=root,
        timeout=timeout,
        force=force,
        say=lambda words: typer.echo(f"{source.stem}: {words}"),
    )
    typer.echo(f"written: {os.path.relpath(output)}")


def book(
    profile: Annotated[str, typer.Option(help=f"how much to run: {', '.join(experiments.PROFILES)}")] = "smoke",
    timeout: Timeout = TIMEOUT,
    force: Force = False,
) -> None:
    """Execute the notebooks that changed and build _build/html."""
    root = checkout("book")
    from gsrgnn.book import build as books

    index = books.build(
        root,
        lambda notebook: experiments.parameters(profile, notebook),
        timeout=timeout,
        force=force,
        say=typer.echo,
    )
    typer.echo(f"open {os.path.relpath(index)}  ({index.as_uri()})")


def sweep(
    profile: Annotated[str, typer.Argument(help=f"how much to run: {', '.join(experiments.SWEEPS)}")],
    only: Annotated[
        list[str], typer.Option(metavar="EXPERIMENT", help=f"one of {', '.join(experiments.EXPERIMENTS)}; repeatable")
    ] = [],  # noqa: B006 (typer copies it)
    jobs: Annotated[int, typer.Option(help="points at a time; those that measure time or memory run alone")] = 1,
    show: Annotated[bool, typer.Option("--list", help="show the points and how they stand, run nothing")] = False,
    keep_stale: Annotated[bool, typer.Option("--keep-stale", help="do not run again what is stale")] = False,
    minutes: Minutes = math.inf,
    folder: Annotated[
        Path | None, typer.Option("--results", help="folder of the records; default results, for smoke _build/smoke")
    ] = None,
    timeout: Timeout = SWEEP_TIMEOUT,
) -> None:
    """Run the experiments of the paper, a notebook a point, and keep a record of each.

    What is finished is not run again. Ctrl-C, a crash, a failing point or the end of --minutes loses no finished point;
    the same command goes on from there.
    """
    root = checkout("sweep")
    from gsrgnn.lab import sweep as sweeps
    from gsrgnn.lab.window import programme

    folder = root / folder if folder else sweeps.results_folder(profile, root)
    wanted, places = experiments.points(profile, only), sweeps.Places(root, folder)
    if show:
        statuses = sweeps.survey(wanted, places)
        typer.echo(sweeps.listing(statuses))
        if math.isfinite(minutes):
            typer.echo(programme(sweeps.tasks(statuses, keep_stale), minutes, sweeps.FIRST))
        return
    try:
        ended = sweeps.run(
            profile,
            root,
            folder=folder,
            only=only,
            jobs=jobs,
            keep_stale=keep_stale,
            minutes=minutes,
            timeout=timeout,
            say=typer.echo,
        )
    except (KeyboardInterrupt, RuntimeError) as error:
        typer.echo(sweeps.summary(sweeps.survey(wanted, places)))
        if isinstance(error, KeyboardInterrupt):
            raise typer.Exit(130) from None
        raise
    typer.echo(sweeps.summary(ended))
    if any(status.state == sweeps.FAILED for status in ended):
        raise typer.Exit(1)


def programme(
    minutes: Annotated[float, typer.Option(help="of a window")] = 9.0,
    folder: Annotated[Path, typer.Option("--results", help="folder of the records")] = Path("results"),
) -> None:
    """What to run where a GPU is had for minutes at a time, and how long it takes. Runs nothing and needs no GPU.

    The commands are those of CONTRIBUTING, the most telling first. What is finished is left out.
    """
    root = checkout("programme")
    from gsrgnn.lab import programme as programmes
    from gsrgnn.lab import sweep as sweeps
    from gsrgnn.lab.window import clock
    from gsrgnn.lab.window import programme as windows

    parts = programmes.parts(root, root / folder)
    for part in parts:
        window = f" --minutes {minutes:g}" * part.command.startswith("gsrgnn")
        typer.echo(f"{clock(part.seconds):>6}  {part.command}{window}: {part.shows}")
    typer.echo("\n" + windows((task for part in parts for task in part.tasks), minutes, sweeps.FIRST))


def scoreboard(
    folder: Annotated[Path, typer.Option("--results", help="folder of the records")] = Path("results"),
    readme: Annotated[bool, typer.Option("--readme", help="write it into README.md as well")] = False,
) -> None:
    """Every value that the paper reports, what the records say of it, and a verdict."""
    checkout("scoreboard")
    from gsrgnn.book import scoreboard as boards

    board = boards.board(str(folder))
    if readme:
        boards.write_readme(Path("README.md"), board)
    typer.echo(board[["paper", "ours", "verdict"]].to_string())
    typer.echo(boards.summary(board))
    for words in board.attrs["left out"]:
        typer.echo(f"left out: {words}", err=True)
