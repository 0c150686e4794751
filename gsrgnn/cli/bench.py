"""`gsrgnn bench`: the side by side on this machine."""

import math
from pathlib import Path
from typing import Annotated

import typer


def bench(
    circuit: Annotated[str, typer.Option(help="a circuit's name")] = "synthetic/5000",
    hidden: Annotated[int, typer.Option(help="width of every model")] = 128,
    layers: Annotated[int, typer.Option(help="depth of every model")] = 4,
    k: Annotated[str, typer.Option(help="k of the GSR rows; those below half the width run")] = "4,8,16,32,64",
    steps: Annotated[int, typer.Option(help="rounds after the warm-up, a step of each row in turn; at least 5")] = 5,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help='rows to run, as in "RevGNN,GSR*nets": a pattern matches anywhere in a row\'s name, one with * or ? '
            "all of it; every row if not given",
        ),
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
    kernels: Annotated[
        bool, typer.Option("--kernels", help="the kernels of a GPU alone, each beside its bound and its peers")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="RECORD",
            help="say what became slower or larger than in this record of the same bench; ours then goes to _build",
        ),
    ] = None,
    ratios: Annotated[
        bool,
        typer.Option("--ratios", help="with --against: in times of a peer's step, as on another machine anyway"),
    ] = False,
    minutes: Annotated[
        float,
        typer.Option(
            show_default="no end",
            help="begin no part that is not expected to fit into a window of so many minutes; the same command goes on",
        ),
    ] = math.inf,
) -> None:
    """Time and memory of a training step, GSR-GNN beside every baseline on this machine.

    Prints a table and writes a record (JSON). As it stands it takes a few minutes on two cores. Ctrl-C keeps what
    was measured until then, marked incomplete, beside the record; so does the end of --minutes, and the same command
    goes on with the parts that are missing: the times of all rows are one part, the memory of a row at a depth is one,
    and of the kernels a circuit with a width and a k.

    With --against it says what became slower, which is by more than the rounds of either record spread, and what takes
    more memory. It says so and no more: the exit code is 0.
    """
    from gsrgnn.lab import kernel_table
    from gsrgnn.lab.bench import record as records
    from gsrgnn.lab.bench import side_by_side
    from gsrgnn.lab.bench.against import check_comparable, compare
    from gsrgnn.lab.bench.report import report
    from gsrgnn.lab.window import Window

    window = Window(minutes)
    if against:
        earlier = records.read(against)
        check_comparable(earlier, {"circuit": circuit, "hidden": hidden, "layers": layers, "device": device})
        output = output or Path("_build") / against.name
        if output.resolve() == against.resolve():
            raise ValueError(f"{output} is the record to compare with: give another name by -o")

    def time_kernels(circuits):
        record = kernel_table.run(circuits_=circuits, window=window, say=lambda words: typer.echo(words, err=True))
        typer.echo(kernel_table.table(record).to_string(index=False))

    try:
        if kernels:
            time_kernels(kernel_table.CIRCUITS)
            return
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
            window=window,
            say=lambda words: typer.echo(words, err=True),
        )
        typer.echo(report(record))
        if against and record["complete"]:
            typer.echo("\n" + compare(earlier, record, ratios).report(earlier))
        if device == "cuda" and record["complete"]:
            time_kernels(dict.fromkeys((circuit, *kernel_table.CIRCUITS)))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def whole_numbers(option: str, text: str) -> list[int]:
    """`"4,8"` to [4, 8]. Raises ValueError, naming the option, for anything else."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} {text}: expected whole numbers and commas, as in 4,8,16") from None
