"""A circuit as a netlist and as a graph: drawn where it is small, counted where it is large."""

import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import networkx as nx
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, PercentFormatter
from numpy.typing import ArrayLike

from gsrgnn.book.figures.style import DASHES, INK, PALETTE, new_figure, styled

__all__ = ["clique", "degree_distribution", "net_size_distribution", "net_size_shares", "netlist", "piece", "sizes"]


@styled
def netlist(
    cell: ArrayLike, net: Sequence[int], cells: Sequence[str], nets: Sequence[str], title: str = "netlist"
) -> Figure:
    """Cells as boxes, nets as bars below them, one line with a dot a pin.

    Args:
        cell, net: integers ``[P]``, the cell and the net of each pin.
        cells, nets: their names.
    """
    figure, axes = new_figure(3.3, 2.5)
    bar_y = {j: -1.1 - 0.55 * j for j in range(len(nets))}
    pins_of = [np.flatnonzero(np.asarray(cell) == i) for i in range(len(cells))]
    at = {p: i + (n - (len(pins) - 1) / 2) * 0.26 for i, pins in enumerate(pins_of) for n, p in enumerate(pins)}
    for i, name in enumerate(cells):
        axes.add_patch(
            mpl.patches.FancyBboxPatch(
                (i - 0.3, -0.25), 0.6, 0.5, boxstyle="round,pad=0.04", facecolor="none", edgecolor=INK
            )
        )
        axes.text(i, 0.02, name, ha="center", va="center", fontsize=9)
    for j, name in enumerate(nets):
        ends = [x for p, x in at.items() if net[p] == j]
        color, style = PALETTE[j], (0, DASHES[j] or None)
        axes.plot([min(ends), len(cells) - 0.5], [bar_y[j]] * 2, color=color, linestyle=style, linewidth=2)
        axes.text(len(cells) - 0.45, bar_y[j], name, va="center", fontsize=9)
        for x in ends:
            axes.plot([x, x], [-0.29, bar_y[j]], color=color, linestyle=style, linewidth=1.6)
            axes.plot(x, -0.29, "o", color=color, markersize=4.5)
    axes.set(xlim=(-0.5, len(cells) + 0.1), ylim=(min(bar_y.values()) - 0.3, 0.5), title=title)
    axes.set_axis_off()
    return figure


@styled
def clique(adjacency: np.ndarray, cells: Sequence[str], title: str = "graph") -> Figure:
    """Cells as circles; a line for every pair that is joined, with its number of edges; self-loops dotted.

    Args:
        adjacency: integers ``[n, n]``, symmetric.
        cells: names.
    """
    figure, axes = new_figure(3.3, 2.5)
    n = len(cells)
    angle = np.pi / 2 + 2 * np.pi * np.arange(n) / n
    place = np.c_[1.3 * np.cos(angle), np.sin(angle)]
    for i, j in zip(*np.nonzero(np.triu(adjacency, 1)), strict=True):
        axes.plot(*place[[i, j]].T, color=INK, linewidth=1 + 0.8 * (adjacency[i, j] - 1), zorder=1)
        label = place[[i, j]].mean(axis=0) * 1.32
        axes.text(*label, f"× {adjacency[i, j]}", ha="center", va="center", fontsize=9)
    for i, name in enumerate(cells):
        if adjacency[i, i]:
            loop = mpl.patches.Circle(
                place[i] + (0.42, 0.16), 0.17, facecolor="none", edgecolor=INK, linestyle=":", zorder=1
            )
            axes.add_patch(loop)
        axes.add_patch(mpl.patches.Circle(place[i], 0.3, facecolor=PALETTE[0], edgecolor="none", zorder=2))
        axes.text(*place[i], name, ha="center", va="center", fontsize=9, color="white", zorder=3)
    axes.set(xlim=(-1.9, 1.9), ylim=(-1.05, 1.4), title=title, aspect="equal")
    axes.set_axis_off()
    return figure


@styled
def piece(edges: ArrayLike, title: str = "", degrees: ArrayLike | None = None) -> Figure:
    """Node-link picture of a small connected graph (the paper's Figure 5, 50-node components).

    Two nodes lie the farther apart the more steps are between them, so that a clique spreads over a disc.

    Args:
        edges: integers ``[2, E]`` between nodes 0 .. n - 1, each pair once.
        title: name of the graph.
        degrees: integers ``[n]``, each node's degree in the whole graph, drawn as the size of its dot;
            without them the degree within the piece.
    """
    edges = np.asarray(edges)
    graph = nx.Graph(list(map(tuple, edges.T.tolist())))
    degrees = np.bincount(edges.ravel()) if degrees is None else np.asarray(degrees)
    graph.add_nodes_from(range(len(degrees)))
    place = nx.kamada_kawai_layout(graph)
    place = np.array([place[i] for i in range(len(degrees))])
    figure, axes = new_figure(3.3, 3.3)
    faint = float(np.clip(75 / edges.shape[1], 0.12, 0.45))  # many lines, each the paler
    axes.add_collection(mpl.collections.LineCollection(place[edges.T], color=INK, linewidths=0.5, alpha=faint))
    axes.scatter(*place.T, s=12 + 14 * np.log1p(degrees), color=PALETTE[0], edgecolor="none", zorder=2)
    axes.set_axis_off()
    axes.set(title=title, aspect="equal")
    return figure


@styled
def degree_distribution(degrees: Mapping[str, ArrayLike]) -> Figure:
    """Share of nodes with at least a given degree, on logarithmic axes (the paper's Figure 5, distributions).

    Args:
        degrees: name of a graph -> integers ``[N]``. Nodes of degree 0 count in the share but have no point.
    """
    figure, axes = _at_least(degrees)
    axes.set(xlabel="degree d (edges of a node)", ylabel="share of nodes with degree ≥ d")
    return figure


@styled
def net_size_distribution(sizes: Mapping[str, ArrayLike]) -> Figure:
    """Share of nets with at least a given number of pins, on logarithmic axes.

    Args:
        sizes: name of a circuit -> integers ``[M]``, pins of each net.
    """
    figure, axes = _at_least(sizes)
    axes.set(xlabel="net size s (pins)", ylabel="share of nets with ≥ s pins")
    return figure


def _at_least(numbers: Mapping[str, ArrayLike]) -> tuple[Figure, Axes]:
    """One step curve a series: the share of its numbers that are at least x."""
    figure, axes = new_figure()
    for (name, series), dashes in zip(numbers.items(), DASHES, strict=False):
        values, counts = np.unique(np.asarray(series), return_counts=True)
        share = counts[::-1].cumsum()[::-1] / counts.sum()
        shown = values > 0
        axes.step(values[shown], share[shown], where="pre", label=name, linestyle=(0, dashes or None))
    axes.set(xscale="log", yscale="log")
    axes.legend(loc="lower left")
    return figure, axes


@styled
def net_size_shares(size: ArrayLike, edges: ArrayLike) -> Figure:
    """Share of the nets, and of the clique edges they make, that nets of at most a given size account for.

    Args:
        size: integers ``[M]``, pins of each net.
        edges: integers ``[M]``, directed edges of its clique.
    """
    sizes, group = np.unique(size, return_inverse=True)
    figure, axes = new_figure()
    for name, weight, dashes in (("nets", None, DASHES[0]), ("edges", np.asarray(edges), DASHES[1])):
        share = np.bincount(group, weight).cumsum()
        axes.step(sizes, share / share[-1], where="post", label=f"share of {name}", linestyle=(0, dashes or None))
    axes.set(xscale="log", xlabel="net size s (pins)", ylabel="in nets of at most s pins", ylim=(0, 1.03))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


@styled
def sizes(counts: pd.DataFrame) -> Figure:
    """Edges against nodes on logarithmic axes, the printed ones as diamonds (Table 1).

    Args:
        counts: frame with the columns ``graph``, ``source``, ``nodes`` and ``edges``; the first source is the paper,
            whose points are named, those of the same edges together.
    """
    figure, axes = new_figure(3.85, 3.8)
    looks = [
        {"marker": "D", "color": INK, "markerfacecolor": "none", "markersize": 9},
        {"marker": "o", "color": PALETTE[0], "markersize": 4},
        {"marker": "x", "color": PALETTE[1], "markersize": 7, "markeredgewidth": 1.6},
    ]
    sources = list(dict.fromkeys(counts["source"]))
    for source, look in zip(sources, looks, strict=False):
        rows = counts[counts["source"] == source]
        axes.plot(rows["nodes"], rows["edges"], linestyle="none", label=source, **look)
    printed = counts[counts["source"] == sources[0]]
    groups = list(printed.groupby("edges"))
    for (edges, rows), (above, _) in zip(groups, [*groups[1:], (math.inf, None)], strict=True):
        left = above < 1.1 * edges  # the right is the next one's
        axes.annotate(
            "\n".join(rows["graph"]),
            (rows["nodes"].min() if left else rows["nodes"].max(), edges),
            (-8 if left else 8, 0),
            textcoords="offset points",
            fontsize=8,
            va="center",
            ha="right" if left else "left",
        )
    axes.set(xscale="log", yscale="log", xlabel="nodes", ylabel="edges")
    axes.xaxis.set_major_locator(LogLocator(subs=range(1, 10)))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.minorticks_off()
    axes.margins(0.12)
    figure.legend(loc="outside upper center", ncols=3)
    return figure
