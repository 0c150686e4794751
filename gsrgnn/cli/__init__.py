"""The `gsrgnn` command."""

import ast
import os
import signal
import threading
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from gsrgnn import provenance
from gsrgnn.book import build as books
from gsrgnn.cli import data as cli_data
from gsrgnn.lab import experiments, files, notebooks
from gsrgnn.lab import sweep as sweeps


class PlainErrors(TyperGroup):
    """What a user can mend is one line `error: ...` and exit code 1; `--debug` shows where it came from.

    Ctrl-C, and SIGTERM and SIGHUP as well, end what was started, and say no more than that.
    """

    def invoke(self, ctx):
        try:
            with ending_signals():
                return super().invoke(ctx)
        except (typer.Exit, BrokenPipeError):  # a RuntimeError to Python, no error to us; typer's business
            raise
        except KeyboardInterrupt:
            typer.echo("interrupted: what is finished is kept", err=True)
            raise typer.Exit(130) from None
        except (ValueError, OSError, RuntimeError) as error:
            if ctx.params["debug"]:
                raise
            words = files.plainly(error) if isinstance(error, OSError) else str(error)
            typer.echo(f"error: {words}", err=True)
            raise typer.Exit(1) from None


@contextmanager
def ending_signals():
    """In the block SIGTERM and SIGHUP raise SystemExit, where nobody has said what else they do."""

    def leave(number, frame):
        raise SystemExit(128 + number)

    ours = (signal.SIGTERM, signal.SIGHUP) if threading.current_thread() is threading.main_thread() else ()
    changed = [number for number in ours if signal.getsignal(number) == signal.SIG_DFL]
    for number in changed:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


app = typer.Typer(
    cls=PlainErrors,
    help="GSR-GNN, executed: run the notebooks, build the book, look at this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(cli_data.app, name="data")

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
    folder: Annotated[
        Path | None, typer.Option("--results", help="of an experiment's notebook: keep its record in this folder")
    ] = None,
    timeout: Timeout = notebooks.TIMEOUT,
    force: Force = False,
) -> None:
    """Execute one notebook; skipped where its result is there and nothing it depends on changed.

    With --results it is a point of an experiment, as in: gsrgnn run depth -p num_layers=10 --results results
    """
    root = Path.cwd()
    if folder is not None:
        if output or force:
            raise ValueError("--results goes without -o and --force: the point says where its record lies")
        point = experiments.Point(notebook, parse_parameters(parameter))
        sweeps.survey([point], places := sweeps.Places(root, root / folder))  # are the parameters the notebook's?
        now = sweeps.run_point(point, places, timeout, lambda words: typer.echo(f"{point.name}: {words}"))
        typer.echo(f"{now.state}: {os.path.relpath(places.record(point))}")
        return
    source = Path(notebook) if notebook.endswith(".py") else root / "notebooks" / f"{notebook}.py"
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


@app.command()
def book(
    profile: Annotated[str, typer.Option(help=f"how much to run: {', '.join(experiments.PROFILES)}")] = "smoke",
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
def sweep(
    profile: Annotated[str, typer.Argument(help=f"how much to run: {', '.join(experiments.SWEEPS)}")],
    only: Annotated[
        list[str], typer.Option(metavar="EXPERIMENT", help=f"one of {', '.join(experiments.EXPERIMENTS)}; repeatable")
    ] = [],  # noqa: B006 (typer copies it)
    jobs: Annotated[int, typer.Option(help="points at a time; those that measure time or memory run alone")] = 1,
    show: Annotated[bool, typer.Option("--list", help="show the points and how they stand, run nothing")] = False,
    keep_stale: Annotated[bool, typer.Option("--keep-stale", help="do not run again what is stale")] = False,
    folder: Annotated[
        Path | None, typer.Option("--results", help=f"folder of the records; default results, for smoke {sweeps.SMOKE}")
    ] = None,
    timeout: Timeout = sweeps.TIMEOUT,
) -> None:
    """Run the experiments of the paper, a notebook a point, and keep a record of each.

    What is finished is not run again. Ctrl-C, a crash or a failing point loses no finished point; the same command
    goes on from there.
    """
    root = Path.cwd()
    folder = root / folder if folder else sweeps.results_folder(profile, root)
    wanted, places = experiments.points(profile, only), sweeps.Places(root, folder)
    if show:
        typer.echo(sweeps.listing(sweeps.survey(wanted, places)))
        return
    try:
        ended = sweeps.run(
            profile, root, folder=folder, only=only, jobs=jobs, keep_stale=keep_stale, timeout=timeout, say=typer.echo
        )
    except (KeyboardInterrupt, RuntimeError) as error:
        typer.echo(sweeps.summary(sweeps.survey(wanted, places)))
        if isinstance(error, KeyboardInterrupt):
            raise typer.Exit(130) from None
        raise
    typer.echo(sweeps.summary(ended))
    if any(status.state == sweeps.FAILED for status in ended):
        raise typer.Exit(1)


@app.command()
def scoreboard(
    folder: Annotated[Path, typer.Option("--results", help="folder of the records")] = Path("results"),
    readme: Annotated[bool, typer.Option("--readme", help="write it into README.md as well")] = False,
) -> None:
    """Every value that the paper reports, what the records say of it, and a verdict."""
    from gsrgnn.book import scoreboard as boards

    board = boards.board(str(folder))
    if readme:
        boards.write_readme(Path("README.md"), board)
    typer.echo(board[["paper", "ours", "verdict"]].to_string())
    typer.echo(boards.summary(board))
    for words in board.attrs["left out"]:
        typer.echo(f"left out: {words}", err=True)


@app.command()
def bench(
    circuit: Annotated[str, typer.Option(help="a circuit's name")] = "synthetic/5000",
    hidden: Annotated[int, typer.Option(help="width of every model")] = 128,
    layers: Annotated[int, typer.Option(help="depth of every model")] = 4,
    k: Annotated[str, typer.Option(help="k of the GSR rows; those below half the width run")] = "4,8,16,32,64",
    steps: Annotated[int, typer.Option(help="rounds after the warm-up, a step of each row in turn; at least 5")] = 5,
    only: Annotated[
        str | None, typer.Option(metavar="PATTERN", help='rows to run, as in "RevGNN,GSR*nets"; all if not given')
    ] = None,
    memory_layers: Annotated[
        str | None, typer.Option(help="depths for peak memory, as in 10,100; that of --layers if not given")
    ] = None,
    gradient_layers: Annotated[
        str, typer.Option(help="depths at which GSR-GNN's gradient is compared with float64")
    ] = "10,100",
    limit: Annotated[float, typer.Option(help="leave a row out where a step would take longer, in seconds")] = 30,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="default results/bench-CIRCUIT-HIDDEN-LAYERS.json")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda; cuda also times each kernel")] = "cpu",
) -> None:
    """Time and memory of a training step, GSR-GNN beside every baseline on this machine.

    Prints a table and writes a record (JSON). As it stands it takes a few minutes on two cores. Ctrl-C keeps what
    was measured until then, marked incomplete, beside the record.
    """
    from gsrgnn.lab import kernel_table
    from gsrgnn.lab.bench import side_by_side
    from gsrgnn.lab.bench.report import report

    try:
        record = side_by_side.run(
            circuit=circuit,
            hidden=hidden,
            layers=layers,
            k=whole_numbers("--k", k),
            steps=steps,
            only=only,
            memory_layers=whole_numbers("--memory-layers", memory_layers) if memory_layers else None,
            gradient_layers=whole_numbers("--gradient-layers", gradient_layers),
            limit=limit,
            device=device,
            output=output,
            say=lambda words: typer.echo(words, err=True),
        )
        typer.echo(report(record))
        if device == "cuda":
            kernels = kernel_table.run(
                circuits_=dict.fromkeys((circuit, *kernel_table.CIRCUITS)),
                say=lambda words: typer.echo(words, err=True),
            )
            typer.echo(kernel_table.table(kernels).to_string(index=False))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@app.command()
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
    missing = [extra for extra in ("torch_scatter", "numba_cuda") if not find_spec(extra)]
    typer.echo(f"{'extras missing':16} {', '.join(missing) or 'none'}")
    typer.echo(f"{'CIRCUITNET_ROOT':16} {os.environ.get('CIRCUITNET_ROOT') or 'not set'}")
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


def whole_numbers(option: str, text: str) -> list[int]:
    """`"4,8"` to [4, 8]. Raises ValueError, naming the option, for anything else."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} {text}: expected whole numbers and commas, as in 4,8,16") from None


def parse_parameters(texts: list[str]) -> dict[str, object]:
    """The values of all `-p`, by name. Raises ValueError as `parse_parameter` does, and for a name given twice."""
    given = {}
    for text in texts:
        name, value = parse_parameter(text)
        if name in given:
            raise ValueError(f"-p {name} is given more than once ({given[name]!r}, {value!r}): give it once")
        given[name] = value
    return given


def parse_parameter(text: str) -> tuple[str, object]:
    """`"k=8"` to ("k", 8): Python literals, true, false and null as in YAML, everything else a string.

    Raises ValueError where there is no `=`, or no name before it.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ValueError(f"-p {text}: expected NAME=VALUE, as in -p k=8")
    if iskeyword(name):
        raise ValueError(f"-p {text}: {name} is a word of Python's, which no parameter can have for a name")
    words = {"true": True, "false": False, "null": None}
    if value in words:
        return name, words[value]
    try:
        with warnings.catch_warnings(action="ignore"):  # of what Python makes of a word like 1or2
            return name, ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return name, value


def as_option(name: str, value) -> str:
    """The text from which `parse_parameter` makes this name and value."""
    plain = f"{name}={value}"
    return plain if repr(parse_parameter(plain)[1]) == repr(value) else f"{name}={value!r}"
