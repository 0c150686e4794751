"""`gsrgnn train` and `gsrgnn predict`: a model of circuits in a file, and what it says of another."""

import os
from pathlib import Path
from typing import Annotated

import typer

from gsrgnn.cli import extras
from gsrgnn.lab import files
from gsrgnn.lab.fit_options import Options, Parts

Lef = Annotated[list[str], typer.Option(help="a LEF file, of a DEF's cells and layers; as often as needed")]
Device = Annotated[str, typer.Option(help="cpu or cuda")]


def train(
    on: Annotated[
        list[str],
        typer.Option(metavar="CIRCUIT,...", help="what to train on: names, files, folders of layouts; no blanks"),
    ],
    validate: Annotated[list[str], typer.Option(metavar="CIRCUIT,...", help="what chooses the epoch, none of --on")],
    output: Annotated[Path, typer.Option("-o", "--output", help="the model's file; one that is there is replaced")],
    test: Annotated[
        list[str], typer.Option(metavar="CIRCUIT,...", help="what is scored in the end and chooses nothing")
    ] = [],  # noqa: B006 (typer copies it)
    features: Annotated[
        str, typer.Option(help="placed (known after placement) or netlist (before)")
    ] = Options.features,
    label: Annotated[str, typer.Option(help="auto, circuitnet, wires, routed or rudy")] = Options.label,
    units: Annotated[str, typer.Option(help="of the label: capacity, or largest (of each circuit)")] = Options.units,
    combine: Annotated[
        str, typer.Option(help="max, sum, horizontal, vertical, or both in two columns")
    ] = Options.combine,
    model: Annotated[str, typer.Option(help="GSRGNN or a class of gsrgnn.baselines")] = Options.model,
    hidden: Annotated[int, typer.Option(help="width")] = Options.hidden,
    layers: Annotated[int, typer.Option(help="depth")] = Options.layers,
    k: Annotated[int, typer.Option(help="of GSRGNN: entries that group sparsity keeps of a row")] = Options.k,
    epochs: Annotated[int, typer.Option(min=1, help="passes over all circuits of --on")] = Options.epochs,
    learning_rate: Annotated[float, typer.Option(help="Adam's")] = Options.learning_rate,
    seed: Annotated[int, typer.Option(min=0, help="of the first parameters")] = Options.seed,
    patience: Annotated[
        int | None, typer.Option(help="stop after so many epochs without a better one")
    ] = Options.patience,
    device: Device = Options.device,
    lef: Lef = [],  # noqa: B006
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="where an interrupted training goes on, kept in the end; default OUTPUT.checkpoint, which is not"
        ),
    ] = None,
    card: Annotated[bool, typer.Option("--card", help="write the model's card beside it, in Markdown")] = False,
) -> None:
    """Train a model on circuits, choose its epoch on others, and write it with what it takes and gives.

    A circuit is a name that `gsrgnn data list` has, the path of a .def, .aux or .npz file, or a folder of layouts
    (`gsrgnn data layouts`). Ctrl-C, a crash or the end of a job loses a minute at most: the same command goes on.
    """
    from gsrgnn.lab import fit
    from gsrgnn.lab.card import card as card_of
    from gsrgnn.model_file import about

    if card and output.suffix == ".md":
        raise ValueError(f"{output} is what the card would be called: name the model's file otherwise")
    kept = checkpoint or output.with_name(f"{output.name}.checkpoint")
    options = Options(
        features=features,
        label=label,
        units=units,
        combine=combine,
        model=model,
        hidden=hidden,
        layers=layers,
        k=k,
        epochs=epochs,
        learning_rate=learning_rate,
        seed=seed,
        patience=patience,
        device=device,
    )
    parts = Parts(*map(_split, (on, validate, test)))
    try:
        scores = fit.fit(
            parts,
            output,
            options,
            checkpoint=kept,
            lef=lef,
            say=lambda words: typer.echo(words, err=True),
        )
    except KeyboardInterrupt:
        where = f"the same command goes on from {kept}" if kept.exists() else "no epoch was finished"
        typer.echo(f"interrupted: {where}", err=True)
        raise typer.Exit(130) from None
    if checkpoint is None:
        kept.unlink(missing_ok=True)
    shown = scores.dropna(axis="columns", how="all").reset_index(names="circuit")
    typer.echo(shown.to_string(index=False, float_format="{:.3f}".format))
    typer.echo(f"written: {output}")
    if card:
        beside = output.with_suffix(".md")
        files.write(card_of(about(output), output.name), beside)
        typer.echo(f"written: {beside}")
    typer.echo(f"next: gsrgnn predict {output} CIRCUIT -o cells.csv --picture die.png")


def predict(
    model: Annotated[
        str, typer.Argument(help="a file of `gsrgnn train`, or the word shipped: the model of the package")
    ],
    circuit: Annotated[
        str, typer.Argument(help="a name that `gsrgnn data list` has, or a .def, .def.gz, .aux or .npz file")
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="a table of the cells, .csv; beside it NAME.gcells.csv, of the gcells"),
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="a map of the die: .png, .svg or .pdf; extra book")] = None,
    score: Annotated[
        bool,
        typer.Option("--score", help="where the circuit has no label of the model's kind: simulate it, by routing"),
    ] = False,
    device: Device = "cpu",
    lef: Lef = [],  # noqa: B006
) -> None:
    """What a model predicts for a circuit: tables, a map of the die, and scores where the label is known.

    A gcell is a tile of the grid of global routing. Nothing is routed unless --score asks for it. Folders are made,
    files that are there are replaced. The first call on a machine compiles the kernels, half a minute.
    """
    if picture is not None:
        if picture.suffix not in (".png", ".svg", ".pdf"):
            raise ValueError(f"{picture}: a picture ends in .png, .svg or .pdf")
        extras.need("book", "predict --picture")
    gcells = output.with_suffix(".gcells.csv") if output else None
    written = [path for path in (output, gcells, picture) if path]
    from gsrgnn.circuits import sources
    from gsrgnn.lab.prediction import predict_circuit

    files.check_apart(written, [Path(model), *sources(circuit), *map(Path, lef)])
    if output and output.suffix != ".csv":
        raise ValueError(f"{output}: a table ends in .csv")
    for path in written:
        files.check_writable(path)

    found = predict_circuit(model, circuit, device=device, lef=lef, score=score)
    if output and gcells:
        for table, path in ((found.cells, output), (found.gcells, gcells)):
            files.write(table.to_csv(index=False, float_format="%.6g"), path)
    if picture:
        from gsrgnn.book.figures import die, save

        title = f"{Path(found.name).name}: predicted"
        other = f"; of the true map: {found.true_source}" * (found.true_source not in ("", found.source))
        save(die.prediction(found.maps[0], found.source + other, found.maps[1], found.unit, title), picture)
    seconds = ", ".join(f"{name} {value:.2f} s" for name, value in found.seconds.items())
    typer.echo(f"{found.name}: {len(found.cells):,} cells, predicted is {found.unit}; {seconds}")
    if found.scores:
        typer.echo("  ".join(f"{name} {value:.3f}" for name, value in found.scores.items()))
    for remark in found.remarks:
        typer.echo(f"note: {remark}", err=True)
    for path in written:
        typer.echo(f"written: {path}")


def _split(names: list[str]) -> list[str]:
    """`--on A,B --on C` to [A, B, C]; the path of something that is there is taken as it is, commas and all."""
    return [part for name in names for part in ([name] if os.path.exists(name) else name.split(",")) if part]
