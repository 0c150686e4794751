"""The book's figures: plain arrays and frames in, matplotlib figures (and one table) out, one style.

A figure is drawn in one ink on a transparent ground. `show` writes it into the page as inline SVG in which
that ink is the page's own text colour, so the same figure serves a white page and a dark one; several figures
stand side by side where there is room and below each other where there is none. Series differ by line, marker
or position as well as by colour. A figure that uses a label prints where the label comes from.
"""

import functools
import hashlib
import io
import re
from html import escape

import matplotlib as mpl
import networkx as nx
import numpy as np
import seaborn as sns
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

__all__ = [
    "INK",
    "PALETTE",
    "bench_memory",
    "bench_steps",
    "by_depth",
    "clique_drawing",
    "congestion_map",
    "degree_distribution",
    "die_comparison",
    "die_map",
    "graph_piece",
    "net_size_distribution",
    "net_size_shares",
    "netlist_drawing",
    "prediction_scatter",
    "route_drawing",
    "show",
    "sparsity_pattern",
    "switch",
    "table",
    "training_curves",
    "tree_drawing",
]

INK = "#767778"
"""Text and axes: readable on white and on the dark page; `show` replaces it with the page's text colour."""

PALETTE = ("#0072b2", "#d55e00", "#00916a", "#b8609c", "#8a7300")
"""Series: blue, vermilion, green, purple, ochre (after Okabe and Ito), at least 3:1 on white and on dark."""

DASHES = ((), (4, 2), (1, 1.5), (6, 2, 1, 2), (3, 1, 1, 1))
DIFFERENCE = LinearSegmentedColormap.from_list("difference", [PALETTE[0], "#e4e4e4", PALETTE[1]])

STYLE = {
    "figure.figsize": (3.7, 3.0),
    "figure.facecolor": "none",
    "figure.dpi": 100,
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.prop_cycle": mpl.cycler(color=PALETTE),
    "axes.formatter.useoffset": False,
    "grid.color": INK,
    "grid.alpha": 0.2,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
    "image.interpolation": "nearest",
    "font.family": "sans-serif",
    "svg.fonttype": "none",
    "svg.hashsalt": "gsrgnn",
}


def _styled(draw):
    @functools.wraps(draw)
    def wrapper(*args, **kwargs):
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return wrapper


def show(*figures, alt, caption=""):
    """What a notebook displays for one figure or for several side by side.

    Args:
        figures: matplotlib figures, or sequences of them.
        alt: what the picture shows, in words, for a reader who cannot see it.
        caption: text below.
    """
    flat = [f for item in figures for f in ([item] if isinstance(item, Figure) else item)]
    return _Picture([_svg(figure) for figure in flat], alt, caption)


def switch(views):
    """What a notebook displays where the reader chooses one of several views; a single one is shown without a choice.

    Args:
        views: the choice in words -> what is shown under it, a list of what `show` and `table` return. The first is
            open. Without the book's style sheet all are, one below the other.
    """
    return _Switch(views)


def table(frame, formats=None, caption=None, index=True):
    """A frame as the book shows it: numbers to the right, headers above them.

    Args:
        frame: pandas DataFrame.
        formats: as for ``frame.style.format``: one format, or column -> format.
        caption: text above.
        index: show the row labels.
    """
    style = frame.style.format(formats).set_properties(**{"text-align": "right"})
    style = style.set_table_styles([{"selector": "th.col_heading", "props": "text-align: right"}])
    style = style.set_table_attributes('class="dataframe"')
    if caption:
        style = style.set_caption(caption)
    return style if index else style.hide(axis="index")


class _Picture:
    def __init__(self, drawings, alt, caption):
        self.drawings, self.alt, self.caption = drawings, alt, caption

    def _repr_html_(self):
        panels = "".join(
            f'<div style="flex: 1 1 {0.78 * width:.0f}px; max-width: {1.35 * width:.0f}px">{svg}</div>'
            for svg, width in self.drawings
        )
        below = f"<figcaption>{escape(self.caption)}</figcaption>" * bool(self.caption)
        return (
            '<figure class="gsr-figure" style="margin: 1rem 0"><div role="img" '
            f'aria-label="{escape(self.alt, quote=True)}" style="display: flex; flex-wrap: wrap; '
            'gap: 0.5rem; justify-content: center; align-items: flex-start">'
            f"{panels}</div>{below}</figure>"
        )

    def __repr__(self):
        return f"[{self.alt}]" + f"\n{self.caption}" * bool(self.caption)


class _Switch:
    def __init__(self, views):
        self.views = {name: "".join(part._repr_html_() for part in parts) for name, parts in views.items()}

    def _repr_html_(self):
        if len(self.views) == 1:
            return next(iter(self.views.values()))
        group = "view-" + hashlib.sha256("".join(self.views.values()).encode()).hexdigest()[:8]
        tabs = "".join(
            f'<input id="{group}-{place}" name="{group}" type="radio" class="sd-tab-input"{" checked" * (place == 0)}>'
            f'<label class="sd-tab-label" for="{group}-{place}">{escape(name)}</label>'
            f'<div class="sd-tab-content">{shown}</div>'
            for place, (name, shown) in enumerate(self.views.items())
        )
        return f'<div class="sd-tab-set">{tabs}</div>'

    def __repr__(self):
        return f"[one view each for {'; '.join(self.views)}]"


def _svg(figure):
    """The figure as inline SVG in the page's text colour, and its width in CSS pixels."""
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    fluid = r'\1 aria-hidden="true" style="width: 100%; height: auto"'
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', fluid, svg, count=1)
    own = hashlib.sha256(svg.encode()).hexdigest()[:8]  # ids are global in a page
    svg = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{own}-", svg)
    return svg, figure.get_figwidth() * 96


def _figure(width=None, height=None):
    default = mpl.rcParams["figure.figsize"]
    figure = Figure(figsize=(width or default[0], height or default[1]), layout="constrained")
    return figure, figure.add_subplot()


def _name_label(figure, source):
    """One line below the axes that says where the label comes from."""
    figure.supxlabel(f"label: {source}", fontsize=7, x=0.5)


@_styled
def degree_distribution(degrees):
    """Share of nodes with at least a given degree, on logarithmic axes (the paper's Figure 5, distributions).

    Args:
        degrees: name of a graph -> integers ``[N]``. Nodes of degree 0 count in the share but have no point.
    """
    figure, axes = _at_least(degrees)
    axes.set(xlabel="degree d (edges of a node)", ylabel="share of nodes with degree ≥ d")
    return figure


@_styled
def net_size_distribution(sizes):
    """Share of nets with at least a given number of pins, on logarithmic axes.

    Args:
        sizes: name of a circuit -> integers ``[M]``, pins of each net.
    """
    figure, axes = _at_least(sizes)
    axes.set(xlabel="net size s (pins)", ylabel="share of nets with ≥ s pins")
    return figure


def _at_least(numbers):
    """One step curve a series: the share of its numbers that are at least x."""
    figure, axes = _figure()
    for (name, series), dashes in zip(numbers.items(), DASHES, strict=False):
        values, counts = np.unique(np.asarray(series), return_counts=True)
        share = counts[::-1].cumsum()[::-1] / counts.sum()
        shown = values > 0
        axes.step(values[shown], share[shown], where="pre", label=name, linestyle=(0, dashes or None))
    axes.set(xscale="log", yscale="log")
    axes.legend(loc="lower left")
    return figure, axes


@_styled
def graph_piece(edges, title="", degrees=None, seed=0):
    """Node-link picture of a small graph (the paper's Figure 5, 50-node components).

    Args:
        edges: integers ``[2, E]`` between nodes 0 .. n - 1, each pair once.
        title: name of the graph.
        degrees: integers ``[n]``, each node's degree in the whole graph, drawn as the size of its dot;
            without them the degree within the piece.
        seed: of the layout.
    """
    edges = np.asarray(edges)
    graph = nx.Graph(list(map(tuple, edges.T.tolist())))
    degrees = np.bincount(edges.ravel()) if degrees is None else np.asarray(degrees)
    graph.add_nodes_from(range(len(degrees)))
    place = nx.spring_layout(graph, seed=seed, iterations=200, k=2.2 / np.sqrt(len(degrees)))
    place = np.array([place[i] for i in range(len(degrees))])
    figure, axes = _figure(3.3, 3.3)
    axes.add_collection(mpl.collections.LineCollection(place[edges.T], color=INK, linewidths=0.5, alpha=0.45))
    axes.scatter(*place.T, s=12 + 14 * np.log1p(degrees), color=PALETTE[0], edgecolor="none", zorder=2)
    axes.set_axis_off()
    axes.set(title=title, aspect="equal")
    return figure


@_styled
def netlist_drawing(cell, net, cells, nets, title="netlist"):
    """Cells as boxes, nets as bars below them, one line with a dot a pin.

    Args:
        cell, net: integers ``[P]``, the cell and the net of each pin.
        cells, nets: their names.
    """
    figure, axes = _figure(3.3, 2.5)
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


@_styled
def clique_drawing(adjacency, cells, title="graph"):
    """Cells as circles; a line for every pair that is joined, with its number of edges; self-loops dotted.

    Args:
        adjacency: integers ``[n, n]``, symmetric.
        cells: names.
    """
    figure, axes = _figure(3.3, 2.5)
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


@_styled
def net_size_shares(size, edges):
    """Share of the nets, and of the clique edges they make, that nets of at most a given size account for.

    Args:
        size: integers ``[M]``, pins of each net.
        edges: integers ``[M]``, directed edges of its clique.
    """
    sizes, group = np.unique(size, return_inverse=True)
    figure, axes = _figure()
    for name, weight, dashes in (("nets", None, DASHES[0]), ("edges", np.asarray(edges), DASHES[1])):
        share = np.bincount(group, weight).cumsum()
        axes.step(sizes, share / share[-1], where="post", label=f"share of {name}", linestyle=(0, dashes or None))
    axes.set(xscale="log", xlabel="net size s (pins)", ylabel="in nets of at most s pins", ylim=(0, 1.03))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


@_styled
def sparsity_pattern(kept, title=""):
    """Which entries of a matrix are kept: one dark cell each.

    Args:
        kept: bool ``[N, D]``.
        title: name of the matrix; the share of kept entries is added.
    """
    kept = np.asarray(kept, dtype=bool)
    figure, axes = _figure(2.5, 0.55 + 2.1 * len(kept) / kept.shape[1])
    colors = mpl.colors.ListedColormap(["none", PALETTE[0]])
    axes.pcolormesh(kept, cmap=colors, vmin=0, vmax=1, edgecolor=mpl.colors.to_rgba(INK, 0.25), linewidth=0.3)
    axes.set(title=f"{title}: {kept.mean():.0%} kept", xlabel="column", ylabel="node", aspect="equal")
    axes.invert_yaxis()
    axes.grid(False)
    for side in (axes.xaxis, axes.yaxis):
        side.set_major_locator(MaxNLocator(4, integer=True))
    return figure


@_styled
def die_map(pos, grid, values, source, title="", unit="label", limits=None, cmap="viridis"):
    """Mean of a node value on each gcell of the die; gcells without a cell are left open.

    The map shows the part of the grid that holds 99.9% of the cells in each direction, so that a lone cell
    far out does not shrink the rest.

    Args:
        pos: ``[N, 2]``, x and y of each cell in gcells.
        grid: ``(W, H)``, gcells across and up.
        values: ``[N]``.
        source: where the label comes from.
        title: above the map.
        unit: of the values, beside the colour bar.
        limits: ``(low, high)`` of the colours; those of the map when not given.
        cmap: matplotlib's name for the colours, or a colour map.
    """
    width, height = (int(n) for n in grid)
    column, row = np.clip(np.asarray(pos).astype(int), 0, (width - 1, height - 1)).T
    values = np.asarray(values, dtype=float)
    cell = row * width + column
    count = np.bincount(cell, minlength=width * height)
    total = np.bincount(cell, values, minlength=width * height)
    mean = np.divide(total, count, out=np.full(width * height, np.nan), where=count > 0)
    mean = mean.reshape(height, width)
    low, high = limits or (np.nanmin(mean), np.nanmax(mean))
    near, far = np.percentile(np.c_[column, row], [0.05, 99.95], axis=0)
    (left, bottom), (right, top) = near - 2, far + 3
    figure, axes = _figure(2.9, 1.75 + 2.2 * min(1.5, (top - bottom) / (right - left)))
    image = axes.imshow(mean, origin="lower", cmap=cmap, vmin=low, vmax=high, extent=(0, width, 0, height))
    bar = figure.colorbar(image, ax=axes, location="bottom", shrink=0.9, aspect=25, label=unit)
    bar.outline.set_visible(False)
    bar.ax.xaxis.set_major_locator(MaxNLocator(4))
    axes.set(
        title=title,
        xlabel="x (gcells)",
        ylabel="y (gcells)",
        xlim=(max(0, left), min(width, right)),
        ylim=(max(0, bottom), min(height, top)),
    )
    axes.grid(False)
    for side in (axes.xaxis, axes.yaxis):
        side.set_major_locator(MaxNLocator(4, integer=True))
    _name_label(figure, source)
    return figure


@_styled
def congestion_map(overflow, macros, source, title="", limit=None):
    """Overflow over capacity of each gcell of the die; macros hatched.

    Args:
        overflow: ``[W, H]``, 0 where there is none.
        macros: integers ``[n, 4]``, the gcells that each macro covers (left, bottom, right, top, inclusive).
        source: where the overflow comes from.
        title: above the map.
        limit: the value at which the colours end; the largest when not given.
    """
    overflow = np.asarray(overflow, dtype=float)
    width, height = overflow.shape
    figure, axes = _figure(3.4, 1.75 + 2.7 * min(1.5, height / width))
    image = axes.imshow(
        overflow.T,
        origin="lower",
        cmap="viridis",
        vmin=0,
        vmax=limit or overflow.max() or 1,
        extent=(0, width, 0, height),
    )
    for left, bottom, right, top in np.asarray(macros):
        axes.add_patch(
            mpl.patches.Rectangle(
                (left, bottom),
                right + 1 - left,
                top + 1 - bottom,
                facecolor="none",
                edgecolor="#c8c8c8",
                linewidth=0.8,
                hatch="///",
            )
        )
    bar = figure.colorbar(image, ax=axes, location="bottom", shrink=0.9, aspect=25, label="overflow over capacity")
    bar.outline.set_visible(False)
    bar.ax.xaxis.set_major_locator(MaxNLocator(4))
    axes.set(title=title, xlabel="x (gcells)", ylabel="y (gcells)")
    axes.grid(False)
    for side in (axes.xaxis, axes.yaxis):
        side.set_major_locator(MaxNLocator(4, integer=True))
    _name_label(figure, source)
    return figure


@_styled
def tree_drawing(grid, pins, net, tree, title=""):
    """Pins on the gcells, and the connections of two gcells that their nets were split into, as straight lines.

    Args:
        grid: ``(W, H)``, gcells across and up; few.
        pins: integers ``[P, 2]``, column and row of each pin.
        net: integers ``[P]``, drawn as letters, A for 0.
        tree: integers ``[C, 4]``, columns x, y of both ends.
    """
    figure, axes = _gcells(grid, pins, net, title)
    for x1, y1, x2, y2 in np.asarray(tree) + 0.5:
        axes.plot([x1, x2], [y1, y2], color=PALETTE[0], linewidth=1.4)
    return figure


@_styled
def route_drawing(grid, pins, net, wires, capacity, title=""):
    """Wires between neighbouring gcells: a line the thicker the more there are, dashed and counted above capacity.

    Args:
        grid, pins, net: as for `tree_drawing`.
        wires: integers ``[W - 1, H]`` and ``[W, H - 1]``, wires to the next gcell on the right and to that above.
        capacity: wires that fit between two gcells.
    """
    figure, axes = _gcells(grid, pins, net, title)
    for counts, step in zip(wires, ((1, 0), (0, 1)), strict=True):
        for x, y in np.argwhere(np.asarray(counts)):
            count, ends = counts[x, y], (np.array([(x, y), (x + step[0], y + step[1])]) + 0.5).T
            over = count > capacity
            axes.plot(*ends, color=PALETTE[1 if over else 0], linewidth=1.4 * count, linestyle="--" if over else "-")
            if over:
                beside = ends.mean(axis=1) + 0.22 * np.array(step[::-1])
                axes.text(*beside, str(count), color=PALETTE[1], fontsize=8, ha="center", va="center")
    return figure


def _gcells(grid, pins, net, title):
    figure, axes = _figure(2.5, 2.7)
    axes.set_xticks(np.arange(grid[0]) + 0.5, range(grid[0]))
    axes.set_yticks(np.arange(grid[1]) + 0.5, range(grid[1]))
    axes.hlines(range(grid[1] + 1), 0, grid[0], color=INK, alpha=0.3, linewidth=0.6)
    axes.vlines(range(grid[0] + 1), 0, grid[1], color=INK, alpha=0.3, linewidth=0.6)
    axes.set(title=title, xlabel="x (gcells)", ylabel="y (gcells)", aspect="equal")
    axes.grid(False)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    for (x, y), n in zip(np.asarray(pins) + 0.5, net, strict=True):
        axes.add_patch(mpl.patches.Circle((x, y), 0.27, facecolor=PALETTE[0], edgecolor="none", zorder=3))
        axes.text(x, y - 0.02, chr(ord("A") + n), ha="center", va="center", color="white", fontsize=8, zorder=4)
    return figure, axes


def die_comparison(pos, grid, true, predicted, source, model="predicted", unit="label"):
    """Three maps of the die: the label, what the model predicts, and the difference (predicted - true).

    Label and prediction share one colour scale; the difference has its own, symmetric about zero. The scales
    end at the 99.5th percentile, so that one odd cell does not wash the map out. Both are ``[N]`` or ``[N, 1]``.
    """
    true, predicted = np.ravel(true), np.ravel(predicted)
    limits = tuple(np.percentile(np.r_[true, predicted], [0.5, 99.5]))
    reach = np.percentile(np.abs(predicted - true), 99.5) or 1.0
    return (
        die_map(pos, grid, true, source, "true", unit, limits),
        die_map(pos, grid, predicted, source, model, unit, limits),
        die_map(
            pos, grid, predicted - true, source, f"{model} − true", f"difference in {unit}", (-reach, reach), DIFFERENCE
        ),
    )


@_styled
def prediction_scatter(true, predicted, source, unit="label"):
    """Predicted against true, one figure a model: density of the cells, and the line where both are equal.

    Args:
        true: ``[N]`` or ``[N, 1]``.
        predicted: name of a model -> likewise.
        source: where the label comes from.
        unit: of both axes.
    """
    true, predicted = np.ravel(true), {name: np.ravel(guess) for name, guess in predicted.items()}
    spread = np.concatenate([true, *predicted.values()])
    low, high = float(spread.min()), float(spread.max())
    figures = []
    for name, guess in predicted.items():
        figure, axes = _figure(3.2, 3.3)
        bins = axes.hexbin(
            true,
            guess,
            gridsize=45,
            extent=(low, high, low, high),
            cmap="viridis",
            mincnt=1,
            norm=LogNorm(1, max(10, len(true) / 20)),
            linewidths=0.1,
        )
        bins.set_rasterized(True)
        axes.plot([low, high], [low, high], color=INK, linestyle="--", linewidth=1, label="predicted = true")
        bar = figure.colorbar(bins, ax=axes, location="bottom", shrink=0.9, aspect=25, label="cells in a bin")
        bar.outline.set_visible(False)
        axes.set(title=name, xlabel=f"true {unit}", ylabel=f"predicted {unit}", aspect="equal")
        axes.legend(loc="upper left")
        _name_label(figure, source)
        figures.append(figure)
    return tuple(figures)


@_styled
def training_curves(history, measures, source):
    """One figure a measure: its course over the epochs, a colour a model, a line style a split.

    Args:
        history: frame with columns ``model``, ``epoch``, the measures, and ``split`` where there are several.
        measures: column of the frame -> label of the axis, with its unit.
        source: where the label comes from.
    """
    models = list(dict.fromkeys(history["model"]))
    colors = dict(zip(models, PALETTE, strict=False))
    style = "split" if "split" in history and history["split"].nunique() > 1 else "model"
    dashes = dict(zip(dict.fromkeys(history[style]), DASHES, strict=False))
    figures = []
    for measure, axis_label in measures.items():
        figure, axes = _figure()
        sns.lineplot(
            history.dropna(subset=[measure]),
            x="epoch",
            y=measure,
            hue="model",
            style=style,
            palette=colors,
            dashes=dashes,
            errorbar=None,
            ax=axes,
        )
        axes.set(xlabel="epoch", ylabel=axis_label)
        axes.legend(title=None)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        _name_label(figure, source)
        figures.append(figure)
    return tuple(figures)


@_styled
def bench_steps(record):
    """Seconds of a training step, a bar a row, and the floor as a line, on a logarithmic axis.

    Args:
        record: as `gsrgnn.lab.bench.read` gives it. Rows without a time say why; GSR-GNN's bars are filled.
    """
    rows = record["rows"]
    figure, axes = _bench_axes(rows)
    floor = record["floor"]["seconds"]
    times = [row["seconds"]["step"] for row in rows if "seconds" in row]
    left = min([floor, *times]) / 2
    for place, row in enumerate(rows):
        if "seconds" not in row:
            axes.text(floor * 1.1, place, row["state"], fontsize=7, fontstyle="italic", va="center")
            continue
        step = row["seconds"]["step"]
        axes.barh(place, step - left, left=left, height=0.72, **_bar(row))
        axes.text(step * 1.06, place, _seconds(step), fontsize=7, va="center")
    axes.axvline(floor, color=PALETTE[1], linestyle="--", linewidth=1.2)
    axes.text(floor, -1.1, f"floor {_seconds(floor)}", color=PALETTE[1], fontsize=7, ha="center")
    right = 2.5 * max([floor, *times])
    axes.set(xscale="log", xlim=(left, right), xlabel="seconds a training step (median)")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if right < 100 * left else (1,)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    _bench_source(figure, record)
    return figure


@_styled
def bench_memory(record):
    """Peak memory that a training step adds to its process, a point a row and depth, on a logarithmic axis.

    Args:
        record: as `gsrgnn.lab.bench.read` gives it. The points of a row are joined; GSR-GNN's are filled.
    """
    rows, depths = record["rows"], record["parameters"]["memory_layers"]
    figure, axes = _bench_axes(rows)
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
                fontsize=7,
                fontstyle="italic",
                va="center",
                transform=axes.get_yaxis_transform(),
            )
    axes.set(xscale="log", xlabel="MB that a training step adds at its peak")
    axes.xaxis.set_major_formatter(LogFormatter())
    axes.xaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
    handles = [
        mpl.lines.Line2D([], [], color=INK, marker=markers.get(depth, "o"), linestyle="none", label=f"{depth} layers")
        for depth in depths
    ]
    axes.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(depths))
    _bench_source(figure, record)
    return figure


def _bench_axes(rows):
    figure, axes = _figure(6.2, 1.2 + 0.19 * len(rows))
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axes.set(ylim=(len(rows) - 0.4, -0.6), ylabel="model and route")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    return figure, axes


def _bar(row):
    return {"facecolor": PALETTE[0] if row["ours"] else "none", "edgecolor": PALETTE[0] if row["ours"] else INK}


def _seconds(value):
    return f"{value:.3g} s" if value >= 1 else f"{value * 1e3:.3g} ms"


def _bench_source(figure, record):
    p, graph = record["parameters"], record["graph"]
    incomplete = "" if record["complete"] else "INCOMPLETE RUN; "
    figure.supxlabel(
        f"{incomplete}{p['circuit']}: {graph['nodes']:,} cells, {graph['edges']:,} edges; width "
        f"{p['hidden']}, {p['layers']} layers\n{record['provenance']['CPU']}, "
        f"{record['threads']['torch']} threads",
        fontsize=7,
        x=0.5,
    )


@_styled
def by_depth(measured, unit, predicted=None):
    """A quantity against the number of layers, on logarithmic axes: points, and lines for what was predicted.

    Args:
        measured: frame whose index holds the depths, a column a series; NaN has no point.
        unit: label of the vertical axis.
        predicted: frame with the same columns; without it the points are joined.
    """
    figure = by_size(measured, "layers", unit, predicted)
    figure.axes[0].xaxis.set_major_formatter("{x:,.0f}")
    return figure


@_styled
def by_size(measured, across, unit, predicted=None):
    """`by_depth` against another size, which ``across`` names."""
    figure, axes = _figure(4.6, 3.2)
    lines = measured if predicted is None else predicted
    for name, color, dashes, marker in zip(measured, PALETTE, DASHES, "osDv^", strict=False):
        axes.plot(lines.index, lines[name], color=color, linestyle=(0, dashes or None))
        axes.plot(measured.index, measured[name], marker, color=color, markersize=5)
        axes.plot([], [], color=color, linestyle=(0, dashes or None), marker=marker, markersize=5, label=name)
    axes.set(xscale="log", yscale="log", xlabel=across, ylabel=unit)
    axes.legend()
    return figure
