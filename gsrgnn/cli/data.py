"""`gsrgnn data`: fetch, rebuild, list and count the circuits."""

import json
import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from gsrgnn.lab import files

RECORD = Path("results/circuits.json")
ROUTERS = Path("results/routers.json")
_COLUMNS = {
    "circuit": "circuit",
    "cells": "cells",
    "nets": "nets",
    "pins": "pins",
    "edges": "edges",
    "max degree": "max_degree",
    "label": "label_source",
    "share": "share",
    "MB": "megabytes",
    "read s": "read_seconds",
    "load s": "load_seconds",
    "place s": "place_seconds",
    "route s": "route_seconds",
}

app = typer.Typer(
    help="The circuits: fetch, rebuild, list, count.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="circuitnet-demo or r2g")],
    root: Annotated[
        Path | None, typer.Option(help="where to; default CIRCUITNET_ROOT or R2G_ROOT, or a cache folder")
    ] = None,
    url: Annotated[
        str | None, typer.Option(envvar="GSRGNN_FETCH_URL", help="a mirror, in place of the repository's address")
    ] = None,
) -> None:
    """Get public files at their pinned commit, checked against their SHA-256; what is there and whole is kept."""
    from gsrgnn.circuits.fetch import fetch, variable

    root = fetch(name, root, url=url, say=typer.echo)
    typer.echo(f"export {variable(name)}={shlex.quote(str(root))}")


@app.command()
def build(
    names: Annotated[list[str], typer.Argument(help="a shipped circuit, as riscv/NAME, or Verilog files of your own")],
    output: Annotated[
        Path | None,
        typer.Option("-o", help="folder for what is made; of Verilog, an .npz file; default _build/circuits"),
    ] = None,
    top: Annotated[str | None, typer.Option(help="of Verilog: the top module")] = None,
) -> None:
    """Make a shipped circuit again from its RTL and compare it with what ships; or make one of Verilog of your own."""
    from gsrgnn.circuits import synthesis, verilog

    folder = output or Path("_build/circuits")
    try:
        if any(name.lower().endswith(verilog.ENDINGS) for name in names):
            stem = top or Path(names[0]).stem
            verilog.build(names, top, folder if folder.suffix == ".npz" else folder / f"{stem}.npz", say=typer.echo)
            return
        if len(names) > 1 or top is not None:
            raise ValueError("build takes one shipped circuit, or Verilog files (.v, .sv) and --top")
        folder.mkdir(parents=True, exist_ok=True)
        rebuilt = synthesis.build(names[0], folder, say=typer.echo)
    except ModuleNotFoundError as error:
        raise RuntimeError(str(error)) from error
    typer.echo(synthesis.compare(names[0], rebuilt))


@app.command("list")
def list_names() -> None:
    """Names that gsrgnn.circuits.load takes now."""
    from gsrgnn import circuits

    for name in circuits.available():
        typer.echo(name)
    typer.echo(
        f"synthetic/<cells> for any number of cells; circuitnet/... where {circuits.circuitnet.VARIABLE} is set "
        f"(gsrgnn data fetch circuitnet-demo gets three of them), r2g/... where {circuits.r2g.VARIABLE} is "
        f"(gsrgnn data fetch r2g); the path of a .def or .aux file",
        err=True,
    )


@app.command()
def layouts(
    designs: Annotated[list[str] | None, typer.Argument(help="circuits that ship; default all")] = None,
    output: Annotated[Path, typer.Option("-o", help="folder for the layouts")] = Path("_build/layouts"),
    jobs: Annotated[int, typer.Option(min=1, help="layouts at a time, a core each")] = 1,
    show: Annotated[bool, typer.Option("--list", help="say which there are and which are made, and end")] = False,
) -> None:
    """Place and route the shipped circuits in other ways, a file a layout; the same command goes on where it ended."""
    from gsrgnn.circuits import layouts

    asked = layouts.grid(designs or None)
    if show:
        for layout in asked:
            typer.echo(f"{'made' if layouts.is_made(layout, output) else '-':5}{layout.name}")
        return
    made = layouts.make_all(asked, output, jobs=jobs, say=typer.echo)
    typer.echo(f"{made} layouts made: {len(asked)} of {len({layout.design for layout in asked})} designs in {output}")


@app.command()
def table(
    names: Annotated[list[str] | None, typer.Argument(help="circuits; default all that `list` has")] = None,
    place: Annotated[bool, typer.Option("--place", help="also time the placement and the routing of each")] = False,
    as_json: Annotated[bool, typer.Option("--json", help=f"also write {RECORD}, with provenance")] = False,
) -> None:
    """Cells, nets, pins, clique edges, largest degree, label, share of cells labelled above 0, sizes and times."""
    from gsrgnn import circuits
    from gsrgnn.provenance import provenance

    if as_json:
        files.check_writable(RECORD)
    circuits.load("synthetic/64")  # compiles the router, which is nobody's loading time
    rows = []
    for name in names or circuits.available():
        typer.echo(f"{name} ...", err=True)
        try:
            rows.append(count(name, place=place))
        except (ValueError, FileNotFoundError) as error:
            rows.append({"circuit": name, "error": str(error)})
    typer.echo(_printed(rows))
    if as_json:
        files.write_or_keep(json.dumps({"provenance": provenance(), "circuits": rows}, indent=1) + "\n", RECORD)
        typer.echo(f"written: {RECORD}")
    if failed := [f"{row['circuit']}: {row['error']}" for row in rows if "error" in row]:
        raise RuntimeError("these did not load: " + "; ".join(failed))


@app.command()
def routers(
    names: Annotated[list[str] | None, typer.Argument(help="routed designs; default all of R2G's found")] = None,
    as_json: Annotated[bool, typer.Option("--json", help=f"also write {ROUTERS}, with provenance")] = False,
) -> None:
    """How far the package's router agrees with the one that routed a DEF: rank correlations over the gcells."""
    from gsrgnn.circuits import agreement, r2g, read_def
    from gsrgnn.provenance import provenance

    if as_json:
        files.check_writable(ROUTERS)
    chosen = {name: r2g.path(name) if name.startswith("r2g/") else Path(name) for name in names or r2g.names()}
    designs = {name: read_def(path, name=name) for name, path in chosen.items()}
    rows = [agreement.agreement(design) for design in designs.values() if names or len(design.wires.net)]
    if not rows:
        raise FileNotFoundError(f"no routed design: set {r2g.VARIABLE}, or name DEF files (gsrgnn data fetch r2g)")
    for row in rows:
        ranks = {words: row["spearman"][name] for name, words in agreement.ESTIMATES.items()}
        found = "; ".join(f"{words} {'none' if rank is None else f'{rank:.2f}'}" for words, rank in ranks.items())
        typer.echo(f"{row['circuit']}: {row['cells']:,} cells, {row['wire_length']:,.0f} um of wire; Spearman: {found}")
    if as_json:
        files.write_or_keep(json.dumps({"provenance": provenance(), "designs": rows}, indent=1) + "\n", ROUTERS)
        typer.echo(f"written: {ROUTERS}")


def count(name: str, *, place: bool = False) -> dict:
    """The table's record of one circuit: counts, the label's origin and share, megabytes of its file, seconds."""
    from gsrgnn import CircuitGraph, circuits
    from gsrgnn.circuits import congestion, placement

    netlist, read_seconds = _timed(circuits.read, name)
    data, load_seconds = _timed(circuits.load, name)
    graph = CircuitGraph.from_data(data)
    row = {
        "circuit": name,
        "cells": data.num_nodes,
        "nets": int(data.net.max()) + 1,
        "pins": len(data.cell),
        "edges": graph.num_edges,
        "max_degree": int(graph.degree.max()) - 1,
        "label_source": data.label_source,
        "share": float((data.y > 0).float().mean()),
        "capacity": data.get("capacity"),
        "label_scale": data.label_scale,
        "grid": list(data.grid),
        "read_seconds": read_seconds,
        "load_seconds": load_seconds,
    }
    if name in circuits.packaged.names():
        row["megabytes"] = circuits.packaged.path(name).stat().st_size / 1e6
    if place and netlist.size is not None:
        _, row["place_seconds"] = _timed(placement.place, netlist.cell, netlist.net, netlist.size)
    if place:
        _, row["route_seconds"] = _timed(congestion.routed, netlist)
    return row


def _timed(function, *arguments):
    started = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - started


def _printed(rows: list[dict]) -> str:
    import pandas as pd

    def written(title, value):
        if value is None or isinstance(value, str):
            return value or ""
        return f"{value:.1%}" if title == "share" else f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"

    columns = {title: [written(title, row.get(key)) for row in rows] for title, key in _COLUMNS.items()}
    return pd.DataFrame({title: column for title, column in columns.items() if any(column)}).to_string(index=False)
