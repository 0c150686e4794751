# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The circuits
#
# The book's circuits are of four kinds: CircuitNet's, for whoever has downloaded them; designs that come with the
# package; designs of a public flow, placed and routed by an open tool; and synthetic netlists that stand in for the
# rows of the paper's Table 1. This chapter sets them beside each other, shows how a label comes about where no chip's
# router has made one, and holds our router against a real one.
#
# Afterwards you can
#
# - load a circuit of each kind, and say what of it is real and what is simulated;
# - say in what the shipped and the synthetic circuits resemble CircuitNet's 7157, and in what they do not;
# - follow a net from its pins to its wires, and from full gcells to the label of a cell;
# - read a design of your own from a DEF file, and say how far a simulated label agrees with a real router's wires.
#
# Cells, nets, pins and the clique graph are those of [the chapter before](07_circuit_graph.ipynb).

# %% tags=["parameters"]
shipped = ["riscv/ibex", "riscv/vexriscv"]  # drawn, beside 7157 where it is found
stand_in = "synthetic/7157-R"  # drawn as well
piece_nodes = 50
seed = 0
record = "results/circuits.json"  # of gsrgnn data table --json
real = "r2g/fir"  # drawn where it is found
routers = "results/routers.json"  # of gsrgnn data routers --json

# %%
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown

from gsrgnn import CircuitGraph, circuits
from gsrgnn.book import figures
from gsrgnn.book.origin import hand_over, of_files
from gsrgnn.circuits import (
    agreement,
    circuitnet,
    congestion,
    packaged,
    placement,
    r2g,
    routing,
    statistics,
    table1,
)
from gsrgnn.circuits.data import to_data
from gsrgnn.circuits.features import MACRO_HEIGHT
from gsrgnn.circuits.pieces import piece
from gsrgnn.circuits.usage import usage
from gsrgnn.lab.records import read_circuits, read_each, read_routers
from gsrgnn.provenance import code_hash

# %% [markdown]
# ## Four kinds
#
# | kind | name | netlist | placement | congestion |
# |:--|:--|:--|:--|:--|
# | **real** | `circuitnet/...` | a chip design's | the design's | CircuitNet's where its maps are, else simulated |
# | **routed** | `r2g/...` | synthesised from open RTL | OpenROAD's | OpenROAD's wires over its tracks |
# | **shipped** | `riscv/...` and others | synthesised from open RTL | ours | simulated, ships with the netlist |
# | **synthetic** | `synthetic/...` | generated | generated | simulated |
#
# All are loaded in the same way, and all say where their label comes from. CircuitNet {cite:p}`circuitnet2023` is
# looked for in the folder that the variable `CIRCUITNET_ROOT` names, the designs of R2G in that of `R2G_ROOT`.

# %%
found = circuits.available()
paper = f"circuitnet/{table1.rows()[-1].name}"  # 7157-zero-riscy-a
here = [*[paper] * (paper in found), stand_in, *shipped]
kinds = {name: "shipped" for name in shipped}
kinds |= {paper: "real", stand_in: "synthetic"}
if paper not in found:
    print(
        "CircuitNet's 7157 was not found (CIRCUITNET_ROOT): the tables and\n"
        "figures of this page are without it, but for the last table, which\n"
        "has its counts from a record."
    )
data = circuits.load(shipped[0])
print(f"{data.name}: {data.num_nodes:,} cells, label {data.label_source}")

# %% [markdown]
# The paper trains on ten of CircuitNet's designs, its Table 1. For each there is a synthetic netlist with the printed
# number of nodes and edges; the row's short name, as `356-R`, is the stand-in's. [Table 1](21_table_1.ipynb) has a page
# with the counts of all of them. A **degree**, here and there, is the number of a cell's edges, with multiplicity and
# without its self-loop.

# %%
netlists = {name: circuits.read(name) for name in here}


def degrees_of(netlist):
    graph = CircuitGraph.from_pins(
        netlist.cell, netlist.net, netlist.num_cells, norm="sum"
    )
    return graph.degree.numpy().astype(int) - 1


def counted(name):
    """A circuit's nodes, edges, and range of degrees."""
    netlist = netlists.get(name) or circuits.read(name)
    nodes, degree = netlist.num_cells, degrees_of(netlist)
    return {
        "nodes": nodes,
        "edges": degree.sum() + nodes,
        "degrees": f"{degree.min()} to {degree.max():,}",
    }


# %% [markdown]
# ## The shipped circuits
#
# A design in a hardware description language (RTL) was turned into a netlist by Yosys, an open synthesis
# tool: logic becomes gates of a small library, registers become flip-flops. Memories above a stated number of words
# stay whole. Such a block is a **macro**: a cell of many gcells, placed first, which wires can hardly cross.

# %%
origins = packaged.origins()
ships = pd.DataFrame(
    {
        name: {
            **counted(name),
            "macros": about["macros"],
            "MB": packaged.path(name).stat().st_size / 1e6,
        }
        for name, about in origins.items()
    }
).T
formats = dict.fromkeys(("nodes", "edges", "macros"), "{:,.0f}") | {"MB": "{:.2f}"}
figures.table(ships, formats, "Shipped circuits; none of them is in Table 1")

# %% tags=["hide-input"]
yosys = {about["yosys"].partition(".post")[0] for about in origins.values()}
figures.table(
    pd.DataFrame(
        {
            name: {
                "licence": about["licence"],
                "upstream": about["upstream"].removeprefix("https://github.com/"),
                "package": about["package_version"],
            }
            for name, about in origins.items()
        }
    ).T,
    caption="Where they come from on GitHub. The RTL is that of a Python package, "
    f"in the version named; Yosys {', '.join(yosys)}.",
)

# %% [markdown]
# Ibex and CV32E40P descend from zero-riscy and RI5CY, the cores in CircuitNet. `origins.json` beside the files has
# the commit, parameters and checksum of each, `LICENSES.txt` the licences. `gsrgnn data build riscv/picorv32` makes
# one again from its RTL and says whether the result is the one that ships.
#
# ## How alike they are
#
# A stand-in meets the counts that it was asked for. What it was fitted to beside those is the size of nets, the pins
# of cells and the spread of a net over the die, on 7157 and on 2017, another of CircuitNet's designs.

# %%
alike = pd.DataFrame({name: statistics.summary(netlists[name]) for name in here})
for name in here:
    size = np.bincount(netlists[name].net).max()
    alike.loc["edges of the largest net", name] = size * (size - 1)
titles = {
    name: f"{'7157' if name == paper else name.split('/')[1]} ({kinds[name]})"
    for name in here
}

# %% tags=["hide-input"]
figures.table(
    alike.rename(columns=titles).map(
        lambda n: f"{n:,.2f}" if n < 10 and n % 1 else f"{n:,.0f}"
    ),
    caption="Pins with multiplicity; edges without self-loops",
)

# %% tags=["hide-input"]
sizes = {titles[name]: np.bincount(netlists[name].net) for name in here}
degrees = {titles[name]: degrees_of(netlists[name]) for name in here}
figures.show(
    figures.graphs.net_size_distribution(sizes),
    figures.graphs.degree_distribution(degrees),
    alt="Two charts on logarithmic axes, a curve for each circuit: the share of nets with at least a given number of "
    "pins, and the share of cells with at least a given degree.",
    caption="Net sizes first: alike up to some tens of pins. Then degrees in the clique graph (the paper's Figure 5): "
    "a shipped core has no clock tree, and its flip-flops are the wall at the end of its curve.",
)

# %% [markdown]
# Up to nets of seventy pins or so the curves lie close together. Beyond, they part: nobody has put a **clock tree**
# into the shipped circuits, so that one net goes from the clock to every flip-flop, where a finished chip has a tree
# of buffers with a net to each region. That one net gives all flip-flops a degree of thousands, the wall at the right
# end of their curves, and a circuit of fewer cells more edges. The stand-in follows 7157 but for its macros: the
# generator puts each of them on all of its largest nets, where a macro of 7157 lies on one.

# %% tags=["remove-input"]
tops = alike.loc["clique degree, largest"]
told = [
    f"{tops[name]:,.0f} in {titles[name]}"
    for name in (paper, stand_in)
    if name in here
]
Markdown(
    f"The largest degree is {' and '.join(told)}; that number of a stand-in says nothing of the real circuit."
)

# %% [markdown]
# The other half of Figure 5 are pieces of fifty nodes, taken as in the chapter before.

# %% tags=["hide-input"]
panels = []
for name in here:
    netlist, rng = netlists[name], np.random.default_rng(seed)
    neighbors = CircuitGraph.from_pins(
        netlist.cell, netlist.net, netlist.num_cells
    ).neighbors
    degree = degrees[titles[name]]
    start = rng.choice(np.flatnonzero((degree > 0) & (degree <= np.median(degree))))
    pairs, nodes = piece(neighbors, start, piece_nodes, rng)
    panels.append(figures.graphs.piece(pairs, titles[name], degree[nodes]))
figures.show(
    *panels,
    alt="A node-link picture of a connected piece of each circuit: knots of cells that are all joined, with single "
    "cells around them.",
    caption="A connected piece of each: all are made of nets whose cells are joined with each other. The larger a dot, "
    "the more edges the cell has in the whole graph.",
)

# %% [markdown]
# ## Where the cells lie
#
# CircuitNet's designs come placed; the synthetic ones are generated with places. The shipped ones are placed by
# `gsrgnn.circuits.placement`. **Placement** gives every cell a place on the die so that the wires are short and no
# gcell holds more than its area. Two steps alternate. The first finds the positions with the least squared wire
# length, a sparse linear system; its cells lie in heaps. The second cuts the die in two again and again and moves the
# cells to where there is room; where they come to lie pulls at them in the next first step, a little more each time.
# Macros are set into the corners beforehand, and single cells are moved at the end.

# %%
print(f"share of the die that cells cover: {placement.UTILISATION:.0%}")
print(f"a macro is a cell with a side above {MACRO_HEIGHT:g} gcells")

# %% [markdown]
# ## From nets to wires
#
# **Global routing** decides through which gcells the wires of each net run, not yet on which track. Here are six
# nets, A to F, on a die of six by six gcells, where one wire fits between two neighbouring gcells.

# %%
grid, capacity = (6, 6), 1
net = np.array([0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
pins = np.array(
    [
        (0, 1),
        (2, 3),
        (5, 4),
        (3, 0),  # A
        (0, 2),
        (5, 2),
        (1, 2),
        (4, 2),  # B, C
        (1, 3),
        (4, 3),
        (2, 2),
        (3, 4),  # D, E
        (2, 1),
        (3, 3),
    ]
)  # F
room = np.full(grid, capacity)
tree = routing.connections(net, pins, grid)
first = routing.route(tree, room, room, rounds=0)
routes = routing.route(tree, room, room)


def too_many(routes):
    """Wires above capacity, summed over the borders between gcells."""
    return sum(
        np.maximum(wires - capacity, 0).sum()
        for wires in (routes.on_horizontal, routes.on_vertical)
    )


for when, laid in (("first", first), ("after negotiation", routes)):
    print(f"{when}: length {laid.length}, too many wires: {too_many(laid)}")

# %% tags=["hide-input"]
figures.show(
    figures.die.trees(grid, pins, net, tree, "1. trees"),
    *(
        figures.die.routes(
            grid, pins, net, (laid.on_horizontal, laid.on_vertical), capacity, title
        )
        for laid, title in (
            (first, "2. one bend each"),
            (routes, "3. after negotiation"),
        )
    ),
    alt="Three drawings of a grid of six by six gcells with pins A to F. First straight lines between the pins of a "
    "net; then wires along the grid, several borders crossed by two; last, wires that go around, and one border "
    "crossed by two.",
    caption=f"Six nets on a small die, {too_many(first)} wires too many at first and {too_many(routes)} after "
    "negotiation. Dashed, with a number: more wires than fit.",
)

# %% [markdown]
# 1. A net of more than two pins is split into connections of two, along a minimum spanning tree: net A has three.
# 2. Each connection, the short ones first, takes one of the two ways that have a single bend.
# 3. Those that run over a border with too many wires are taken up and laid again, with up to two bends and a little
#    outside their box. Crossing a full border costs more, and each round in which it stays too full adds to its price
#    for good: nets that can go elsewhere do, and net D takes the long way round. This is called **negotiation**
#    {cite:p}`pathfinder1995`.
#
# What is left is **overflow**. A gcell's demand in a direction is half of the wires over its two borders; where the
# demand is above the **capacity**, the congestion is what is above, divided by the capacity.

# %%
over = {
    way: np.maximum(demand - capacity, 0) / capacity
    for way, demand in (
        ("horizontal", routes.horizontal),
        ("vertical", routes.vertical),
    )
}
for way, values in over.items():
    full = [f"{values[x, y]} at ({x}, {y})" for x, y in np.argwhere(values)]
    print(f"{way:10} {', '.join(full) or 'none'}")

# %% [markdown]
# Horizontally and vertically are combined gcell by gcell, by the larger of the two unless asked otherwise
# (`combine=`). A cell's label is the mean over the gcells that it covers. A cell that lies on the gcells (1, 1) and
# (2, 1) has half of what (2, 1) has:

# %%
boxes = np.array(
    [
        [1, 1, 2, 1],  # left, bottom, right, top
        [2, 1, 2, 1],
        [5, 5, 5, 5],
    ]
)
label = congestion.cell_label(over["horizontal"], over["vertical"], boxes)
assert label[0] == over["horizontal"][2, 1] / 2
print(label)

# %% [markdown]
# ## How much fits
#
# A netlist does not say how many wires its chip has room for, and the answer decides everything: with ample room no
# label is above zero, with little nearly all are. So the capacity is chosen, by bisection, where a stated share of
# the cells has a label above zero; capacity and share travel with the data. Under a macro there is less room.

# %%
print(f"share asked for: {congestion.SHARE:.1%} of the cells")
print(f"room under a macro: {congestion.UNDER_MACRO:.0%} of a gcell's capacity")


# %% tags=["hide-input"]
def with_maps(name):
    """A circuit as `load` gives it by default, and the overflow it is made of."""
    netlist, placed = netlists[name], name.partition("/")[2]
    if name in packaged.names():
        maps = packaged.read(name)[1]
    elif name.startswith("circuitnet/") and circuitnet.overflow_files(placed):
        maps = congestion.Congestion(
            *circuitnet.overflow(placed, netlist.box), capacity=None, share=None
        )
        return to_data(netlist, "circuitnet", maps=maps), maps
    else:
        maps = congestion.routed(netlist)
    return to_data(netlist, "routed", maps=maps), maps


loaded = {name: with_maps(name) for name in here}
figures.table(
    pd.DataFrame(
        {
            titles[name]: {
                "label": data.label_source.partition(":")[0],
                "above 0": f"{data.share:.1%}",
                "capacity (h, v)": ", ".join(
                    f"{wires:.1f}" for wires in data.capacity
                )
                if "capacity" in data
                else "not known",
                "largest": f"{data.label_scale:.2f}",
            }
            for name, (data, _) in loaded.items()
        }
    ).T,
    caption="Labels: the share of cells above zero, the capacity in wires a "
    "gcell (horizontal, vertical), and the largest label, overflow over capacity",
)

# %% [markdown]
# In the data the label is divided by its largest value, so that it ends at 1 (`data.y`, `data.label_scale`).

# %% tags=["hide-input"]
dies = []
for name, (data, maps) in loaded.items():
    overflow = np.maximum(maps.horizontal, maps.vertical)
    box = netlists[name].box
    macros = box[(box[:, 2:] - box[:, :2] > MACRO_HEIGHT).any(axis=1)]
    dies.append(
        figures.die.congestion_map(
            overflow,
            macros,
            data.label_source,
            titles[name],
            limit=float(np.percentile(overflow[overflow > 0], 98)),
        )
    )
figures.show(
    *dies,
    alt="A map of each die, coloured by overflow: most gcells have none, those that do lie together; macros are "
    "hatched.",
    caption="Most gcells have room, and those that have none lie together: overflow over capacity by gcell, the larger "
    "of both directions. Hatched: macros. The colours end at the 98th percentile of the gcells that overflow.",
)

# %% [markdown]
# Overflow lies in heaps, where much logic meets and where the pins of a macro are. The stand-in's is scattered over
# its dense parts: its nets are short, but no block of logic holds together.
#
# RUDY, an older estimate, needs no router. It spreads each net's expected wire length evenly over the box around its
# pins. `load(name, label="rudy")` gives it for any circuit. Every simulated label is called *simulated* where it is
# used. A model's score on one cannot be set beside the paper's; the difference between two models on the same one
# can.
#
# ## A real router's wires
#
# [R2G](https://github.com/ShenShan123/R2G) (CVPR 2026) publishes designs that OpenROAD, an open flow, placed and routed
# in NanGate45, an open library. They are DEF files. **DEF** is the text format in which such tools hand on a design:
# which cells there are and where they lie, which pins each net joins, on which **tracks** a wire may run, and in a
# routed design every wire. `gsrgnn data fetch r2g` gets the smaller ones, and `circuits.load` takes the path of any DEF
# file. How large a cell is stands in another file, the library's **LEF**. Without one a width is guessed: rows are
# where cells stand side by side, so that a cell is no wider than the way to its neighbour, and a type of cell no wider
# than the least that any of its cells has.

# %%
designs = {
    name: circuits.read_def(r2g.path(name), name=name) for name in r2g.names()
}
designs = {name: it for name, it in designs.items() if len(it.wires.net)}
if real not in designs:
    print(
        f"{real} was not found (R2G_ROOT, or gsrgnn data fetch r2g): its row\n"
        "in the next table and its maps are missing."
    )


def shape(netlist):
    """The counts of a netlist, its degrees and its die."""
    degree = degrees_of(netlist)
    return {
        "cells": f"{netlist.num_cells:,}",
        "nets": f"{netlist.net.max() + 1:,}",
        "pins": f"{len(netlist.cell):,}",
        "degree, median": f"{np.median(degree):,.0f}",
        "largest": f"{degree.max():,}",
        "die": " x ".join(map(str, netlist.grid)),
    }


beside = {titles[name]: netlists[name] for name in here if name != stand_in}
if real in designs:
    beside = {f"{real} (routed)": designs[real].netlist} | beside
figures.table(
    pd.DataFrame({title: shape(netlist) for title, netlist in beside.items()}).T,
    caption="A design of R2G beside the others, dies in gcells. Cells of R2G's are the components that a net names",
)

# %% [markdown]
# OpenROAD has put buffers into the clock, so that no net joins all flip-flops: its largest degree is small beside those
# of the shipped cores.
#
# The wires give a label that nobody simulated. The **usage** of a gcell in a direction is the length of the wires that
# run in it this way, in gcells, over the tracks that cross it; a via takes a piece of track on both its layers. It is
# not overflow: a finished route has next to none. `load(path, label="wires")` gives each cell the mean over its
# gcells, the larger of both directions.


# %% tags=["hide-input"]
def both_routers():
    """Maps of OpenROAD's usage, our wires and our overflow, or a sentence where the design is missing."""
    if real not in designs:
        return Markdown(f"The maps of `{real}` are missing: it was not found.")
    theirs, netlist = usage(designs[real]), designs[real].netlist
    ours = congestion.routed(netlist)
    laid = congestion.routes(netlist, ours.capacity)
    across, up = ours.capacity
    simulated = "simulated: global routing"
    maps = [
        (theirs.horizontal, theirs.vertical, r2g.SOURCE, "wires over tracks"),
        (
            laid.horizontal / across,
            laid.vertical / up,
            simulated,
            "wires over capacity",
        ),
        (ours.horizontal, ours.vertical, simulated, "overflow over capacity"),
    ]
    return figures.show(
        *(
            figures.die.congestion_map(np.maximum(*ways), [], source, unit=unit)
            for *ways, source, unit in maps
        ),
        alt="Three maps of one die. The first two, OpenROAD's wires and ours, are bright in the same places; in the "
        "third, our overflow, most gcells are dark.",
        caption="OpenROAD's wires and ours crowd in the same places; our overflow shows the fullest of them alone. "
        f"{real}, one placement, the larger of both directions by gcell.",
    )


both_routers()

# %% [markdown]
# How far do the two routers agree? Both order the gcells, and the **rank correlation** (Spearman) of the two orders is 1
# where they are the same. Three estimates are held against OpenROAD's usage: our overflow, of which the label *routed*
# is made; the wires of the same routes over their capacity; and RUDY, which needs no router.


# %% tags=["hide-input"]
def routers_compared():
    """The agreement with OpenROAD by design and where it is from: of this page, else of the record, else None."""
    if designs:
        return [*map(agreement.agreement, designs.values())], "computed here"
    try:
        read = read_routers(routers)
    except (FileNotFoundError, ValueError) as error:
        return None, f"{error}"
    made = read["provenance"]
    return read["designs"], (
        f"from {routers}, of {made['date']}, code {made['code hash']}"
    )


def correlations():
    """The figure of the rank correlations, or a sentence where there are none."""
    if compared is None:
        return Markdown(f"Left out, as R2G was not found either: {origin}.")
    ranks = pd.DataFrame(
        {entry["circuit"]: entry["spearman"] for entry in compared}, dtype=float
    ).T.rename(columns=agreement.ESTIMATES)
    return figures.show(
        figures.die.agreement(ranks, r2g.SOURCE),
        alt="A line for each design with three markers: the correlation of our overflow is the lowest, those of our "
        "wires and of RUDY are higher and close to each other.",
        caption="Rank correlation with OpenROAD's usage over all gcells, on average "
        f"{', '.join(f'{value:.2f} ({name})' for name, value in ranks.mean().items())}; {origin}.",
    )


compared, origin = routers_compared()
correlations()


# %% tags=["hide-input"]
def lengths():
    """The table of wire lengths, or a sentence where there is none."""
    if compared is None:
        return Markdown("With them goes the table of wire lengths.")
    rows = {
        entry["circuit"]: {
            "cells": f"{entry['cells']:,}",
            "nets": f"{entry['nets']:,}",
            "OpenROAD": f"{entry['wire_length']:,.0f}",
            "ours": f"{entry['our_wire_length']:,.0f}",
            "largest usage": f"{entry['largest_usage']:.2f}",
        }
        for entry in compared
    }
    return figures.table(
        pd.DataFrame(rows).T,
        caption=f"Wire length in microns, by either router ({origin})",
    )


lengths()

# %% [markdown]
# Both routers need about as much wire, and agree on which gcells are full. Our overflow agrees less, because it is zero
# in most gcells and says nothing of their order: a label *routed* knows the crowded gcells alone. To order gcells by
# their wires RUDY does as well as our router. Two things are known to OpenROAD alone: where within a cell a pin
# lies, and where on the edge of the die the chip's own pins are.
#
# ## Counts, sizes and times
#
# `gsrgnn data table --place --json` measures what loading, placing and routing takes, and writes the record that
# is shown here.


# %% tags=["hide-input"]
def measured():
    """The record of `gsrgnn data table` as a table, or a sentence where there is none."""
    try:
        read = read_circuits(record)
    except FileNotFoundError:
        return Markdown(
            f"There is no record here (`{record}`): make one with the command above."
        )
    except ValueError as error:
        return Markdown(f"Left out: {error}.")
    made = read["provenance"]
    code = (
        "the code of this page"
        if made["code hash"] == code_hash()
        else "this page is of other code"
    )
    frame = pd.DataFrame(read["circuits"])
    steps = frame.reindex(
        columns=["load_seconds", "place_seconds", "route_seconds"]
    )
    shown = pd.DataFrame(
        {
            "circuit": frame["circuit"].str.replace(
                "(circuitnet/[0-9]+).*", r"\1", regex=True
            ),
            "cells": frame["cells"].map("{:,.0f}".format),
            "edges": (frame["edges"] / 1e6).map("{:.2f}M".format),
            "label": frame["label_source"].str.partition(":")[0],
            "above 0": frame["share"].map("{:.1%}".format),
            "load, place, route": [
                ", ".join(
                    "–" if pd.isna(value) else f"{value:.1f}" for value in values
                )
                for values in steps.to_numpy()
            ],
        }
    )
    return figures.table(
        shown.set_index("circuit").rename_axis(None),
        caption=(
            f"Times in seconds, measured {made['date'][:10]} on {made['CPU']}, cores: {made['cores']}; "
            f"code {made['code hash']} ({code})"
        ),
    )


measured()

# %% tags=["remove-cell"]
tables = read_each([Path(record)], read_circuits)[0]
routed_before = [] if designs else read_each([Path(routers)], read_routers)[0]
hand_over(
    [
        *of_files("gsrgnn data table", tables),
        *(of_files("gsrgnn data routers", routed_before) if not designs else []),
    ],
    "all but the table of counts, sizes and times",
)

# %% [markdown]
# Loading a real or synthetic circuit includes its routing, once for each capacity that the bisection tries; a shipped
# one comes with its maps.
#
# ## Recap
#
# - Four kinds of circuits load in the same way: real, routed, shipped, synthetic. The stand-ins have the counts of
#   Table 1.
# - A net becomes a tree, its connections become wires through gcells, and too many wires in a gcell become the label
#   of the cells there.
# - A routed DEF brings its own label: what the wires of each net take of the tracks.
# - The capacity is not in the netlist. It is chosen so that a third of the cells overflow, and stated with the label.
#
# ## Exercises
#
# **1.** Two wires now fit between the gcells of the small die. What is the overflow, and how long are the wires?
# Answer from the drawing, then check.

# %% tags=["hide-cell"]
# No border was crossed by more than two wires at first, so nobody has to go round.
assert first.on_horizontal.max() <= 2
assert first.on_vertical.max() <= 2
wider = routing.route(tree, 2 * room, 2 * room)
overflow = sum(
    np.maximum(wires - 2, 0).sum() for wires in (wider.horizontal, wider.vertical)
)
print(f"overflow {overflow:g}, length {wider.length} (capacity 1: {routes.length})")

# %% [markdown]
# **2.** How far do the two simulated labels agree, on a shipped circuit? Compare the ranks of the cells, and say what
# makes them differ.

# %% tags=["hide-cell"]
# RUDY is above zero wherever there are nets and knows neither capacity nor detours.
routed, rudy = (
    circuits.load(shipped[0], label=kind).y.flatten() for kind in ("routed", "rudy")
)
ranks = pd.DataFrame({"routed": routed, "rudy": rudy}).corr("spearman").iloc[0, 1]
print(f"{shipped[0]}: Spearman {ranks:.2f}")
for kind, label in (("routed", routed), ("rudy", rudy)):
    print(f"  {kind:6} above zero: {(label > 0).float().mean():.0%} of the cells")

# %% [markdown]
# **3.** Ask for a tenth of the cells in place of a third. Do the cells that still overflow all belong to the third?

# %% tags=["hide-cell"]
netlist, third = packaged.read(shipped[0])
tenth = congestion.routed(netlist, share=0.1)
above = [
    congestion.cell_label(maps.horizontal, maps.vertical, netlist.box) > 0
    for maps in (third, tenth)
]
print(f"capacity {third.capacity[0]:.1f} -> {tenth.capacity[0]:.1f} wires a gcell")
print(f"{above[0][above[1]].mean():.0%} of the tenth are in the third")
# Not all: with more room, nets that had gone round run straight again.
