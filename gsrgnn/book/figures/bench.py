"""Time and memory of a training step as a record of the bench has them, a line a row."""

import re

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from gsrgnn.book.figures.style import INK, PALETTE, new_figure, plain_ticks, styled

__all__ = ["memory", "steps"]


@styled
def steps(record: dict, floors: dict[str, float]) -> Figure:
    """Seconds of a training step, a bar a row, on a logarithmic axis; GSR-GNN's bars with their floors as lines.

    Args:
        record: as `gsrgnn.lab.bench.record.read` gives it. Rows without a time say why; GSR-GNN's bars are filled.
        floors: seconds of the floor, by the name of a row that has one.
    """
    rows = record["rows"]
    figure, axes = _rows_axes(rows)
    shown = [*floors.values(), *(row["seconds"]["step"] for row in rows if "seconds" in row)]
    left, right = min(shown, default=1) / 2, 6 * max(shown, default=1)
    for place, row in enumerate(rows):
        if "seconds" not in row:
            axes.text(left * 1.1, place, row["state"], fontsize=8, fontstyle="italic", va="center")
            continue
        step = row["seconds"]["step"]
        axes.barh(place, step - left, left=left, height=0.72, **_bar(row))
        axes.text(step * 1.06, place, _seconds(step), fontsize=8, va="center")
        if row["name"] in floors:
            axes.vlines(floors[row["name"]], place - 0.45, place + 0.45, color=PALETTE[1], linewidth=2)
    handle = mpl.lines.Line2D([], [], color=PALETTE[1], linewidth=2, label="floor")
    axes.legend(handles=[handle], loc="lower center", bbox_to_anchor=(0.5, 1.0))
    axes.set(xscale="log", xlim=(left, right), xlabel="seconds a training step (median)")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if right < 100 * left else (1,)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    _name_run(figure, record)
    return figure


@styled
def memory(record: dict) -> Figure:
    """Peak memory that a training step adds to its process, a point a row and depth, on a logarithmic axis.

    Args:
        record: as `gsrgnn.lab.bench.record.read` gives it. The points of a row are joined; GSR-GNN's are filled.
    """
    rows, depths = record["rows"], record["parameters"]["memory_layers"]
    figure, axes = _rows_axes(rows)
    markers = dict(zip(depths, "osDv^", strict=False))
    for place, row in enumerate(rows):
        color = _bar(row)["edgecolor"]
        found = {
            depth: max(memory["peak"] - memory["before"], 1) / 1e6
            for depth in depths
            if "peak" in (memory := row["memory"].get(str(depth), {}))
        }
        axes.plot(list(found.values()), [place] * len(found), color=color, linewidth=1)
        for depth, growth in found.items():
            axes.plot(
                growth,
                place,
                markers.get(depth, "o"),
                color=color,
                markersize=5,
                markerfacecolor=color if row["ours"] else "none",
            )
        if not found:
            axes.text(
                0.02,
                place,
                row["state"] if row["state"] != "measured" else "not measured",
                fontsize=8,
                fontstyle="italic",
                va="center",
                transform=axes.get_yaxis_transform(),
            )
    axes.set(xscale="log", xlabel="MB that a step adds at its peak")
    plain_ticks(axes.xaxis)
    handles = [
        mpl.lines.Line2D(
            [],
            [],
            color=INK,
            marker=markers.get(depth, "o"),
            linestyle="none",
            label=f"{depth} layer{'s' * (depth != 1)}",
        )
        for depth in depths
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    _name_run(figure, record)
    return figure


def _rows_axes(rows: list[dict]) -> tuple[Figure, Axes]:
    figure, axes = new_figure(3.85, 1.6 + 0.19 * len(rows))
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axes.set(ylim=(len(rows) - 0.4, -0.6), ylabel="model and route")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    return figure, axes


def _bar(row: dict) -> dict[str, str]:
    return {"facecolor": PALETTE[0] if row["ours"] else "none", "edgecolor": PALETTE[0] if row["ours"] else INK}


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 1 else f"{value * 1e3:.3g} ms"


def _name_run(figure: Figure, record: dict) -> None:
    p, graph = record["parameters"], record["graph"]
    incomplete = "" if record["complete"] else "INCOMPLETE RUN\n"
    circuit = re.sub(r"-[a-z]-\d+-c\d.*", "", p["circuit"])  # CircuitNet's, without its settings
    figure.supxlabel(
        f"{incomplete}{circuit}: {graph['nodes']:,} cells, {graph['edges']:,} edges\n"
        f"width {p['hidden']}, {p['layers']} layers\n"
        f"{record['provenance']['CPU']}, {record['threads']['torch']} threads",
        fontsize=8,
        x=0.5,
    )
