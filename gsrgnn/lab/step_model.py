"""A training step from first principles: the least time that a card can take for it. A model, no measurement.

A step is a sequence of kernels, and none begins before the one that makes its input has ended. So the least time of a
step is the sum of the least times of its kernels, each the largest of what its bytes and its instructions need
(`limits`). Counted is what is done once a layer, with N nodes, E entries of the graph, groups of d = D / 2 columns and
k kept entries a row. Left out: encoder, head, loss and optimiser, vectors, the time to launch a kernel.

Each kernel is taken to read its input from the memory. An L2 cache that holds much of a group ``[N, d]`` may carry it
over from kernel to kernel; `carried_over` is the card if it did so with everything.

What a cache saves no data sheet says, so there are two cases. A row that is gathered for many entries comes from the
memory once (`read_once`), or each time anew (`read_each_time`); what a card does lies between.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, NamedTuple, TypeAlias, get_args

from gsrgnn.circuits import table1
from gsrgnn.graph import CircuitGraph, Via
from gsrgnn.kernels.order import Order
from gsrgnn.lab import limits
from gsrgnn.lab.limits import SECTOR, Bound, Ceilings, stream

Phase: TypeAlias = Literal["forward", "backward"]
BLOCKS = 256  # of `kernels.cuda`: the runs of rows for each of which a weight's gradient is summed apart


class Sizes(NamedTuple):
    """What of a circuit a step's time depends on.

    Args:
        nodes, edges: N and E.
        nets, pins, direct: of the route through the nets the sums that are made, and the entries of ``to_nets`` (and
            of ``to_cells``) and of ``direct`` (`Incidence`).
    """

    nodes: int
    edges: int
    nets: int = 0
    pins: int = 0
    direct: int = 0

    @classmethod
    def of(cls, graph: CircuitGraph) -> "Sizes":
        """Those of a graph that knows its nets; its edges as `CircuitGraph.num_edges` counts them."""
        incidence = graph.through("nets").operator()
        return cls(
            graph.num_nodes,
            graph.num_edges,
            len(incidence.to_nets.out_scale),
            len(incidence.to_nets.indices),
            len(incidence.direct.indices),
        )

    @classmethod
    def of_row(cls, code: str) -> "Sizes":
        """Those of the synthetic stand-in of a row of Table 1, as 356-R; ValueError if there is none."""
        netlist = table1.stand_in(code)
        return cls.of(CircuitGraph.from_pins(netlist.cell, netlist.net, netlist.num_cells))


@dataclass(frozen=True)
class Part:
    """A kernel of a step: its name, the pass that calls it, how often a step does, and the bound of one call."""

    phase: Phase
    kernel: str
    calls: int
    bound: Bound

    @property
    def seconds(self) -> float:
        """Of all calls."""
        return self.calls * self.bound.seconds


def seconds(parts: Iterable[Part], phase: Phase | None = None) -> float:
    """The least time of a step, or of one of its passes."""
    return sum(part.seconds for part in parts if phase in (None, part.phase))


def read_once(card: Ceilings) -> Ceilings:
    """The card if no kernel had a row that it gathers come from the memory twice."""
    return replace(card, l2_size=math.inf)


def read_each_time(card: Ceilings) -> Ceilings:
    """The card if every row that is gathered came from its memory each time."""
    return replace(card, l2_size=0)


def carried_over(card: Ceilings) -> Ceilings:
    """The card if nothing ever came from its memory: what is left are the L2 cache and the instructions."""
    return replace(card, hbm=math.inf)


def bytes_alone(parts: Iterable[Part]) -> list[Part]:
    """The parts bound by what they move through memory and L2, whatever their instructions: of kernels not known."""
    return [replace(part, bound=replace(part.bound, shared=0, issue=0)) for part in parts]


def revgnn(card: Ceilings, sizes: Sizes, width: int, layers: int, via: Via | None = None) -> list[Part]:
    """RevGNN as PyTorch Geometric makes it, an operator of torch's a kernel, by torch's names.

    Its block is LayerNorm, ReLU and `SAGEConv`: a mean over neighbours and two Linears, of it and of the node's own
    row. Forward a layer evaluates two blocks. Going back `GroupAddRev` evaluates them to invert the layer, evaluates
    them again for autograd, and differentiates them.

    Without ``via`` the mean is made on an ``edge_index``: a message ``[E, d]`` is gathered, then added to its target's
    row, which is divided by how many there are, counted anew. That is done 6 times a layer, and as often as a block is
    differentiated the other way round. With ``via`` whole rows are summed over the edges or through the nets.
    """
    n, e, d = sizes.nodes, sizes.edges, width // 2

    def rows(number: int) -> Bound:
        return stream(card, number * 4 * n * d)

    linear = limits.matrix_product(card, n, d, d)  # and [d, N] @ [N, d], a weight's gradient: the same numbers
    mean: dict[str, list[Bound]]
    if via:
        mean = mean_backward = {"aggregate_dense": _dense(card, sizes, d, via)}
    else:
        gather, scatter = limits.gather(card, n, e, d), limits.scatter(card, n, e, d)
        mean = {
            "index_select": [gather],
            "new_ones": [stream(card, 4 * e)],
            "new_zeros": [rows(1)],
            "scatter_add_": [stream(card, 12 * e), scatter],
            "div": [rows(2)],
        }
        mean_backward = {"div": [rows(2)], "gather": [gather], "new_zeros": [rows(1)], "index_add": [scatter]}
    block = {
        "native_layer_norm": [rows(2)],
        "relu": [rows(2)],
        **mean,
        "addmm": [linear],
        "mm": [linear],
        "add": [rows(3)],
    }
    evaluate = [block, block, {"add": [rows(3), rows(3), rows(2)], "cat": [rows(4)]}]
    invert = [block, block, {"sub": [rows(3), rows(3)], "add": [rows(2)], "cat": [rows(4)]}]
    differentiate = {  # a block, and the sum of what its group's gradient is by way of it and past it
        "mm": [linear] * 4,
        "sum": [rows(1)],
        **mean_backward,
        "add": [rows(3), rows(3)],
        "threshold_backward": [rows(3)],
        "native_layer_norm_backward": [rows(3)],
    }
    backward = [*invert, *evaluate, differentiate, differentiate, {"cat": [rows(4)]}]
    return _parts("forward", layers, evaluate) + _parts("backward", layers, backward)


def gsr(card: Ceilings, sizes: Sizes, width: int, layers: int, k: int, via: Via, first: Order) -> list[Part]:
    """GSR-GNN with the sparse residual, as our kernels make it.

    Forward, a layer selects, evaluates and adds a block for each group, and writes the sparse residual. Going back it
    selects the first group once more (the second's choice was kept), evaluates each block again, takes it off and
    differentiates it. A block is evaluated as ``first`` says: the sum over neighbours of the kept entries, then the
    Linear; or the Linear of the kept entries, then the sum of whole rows. What a sum reads depends on ``via``.
    """
    n, d = sizes.nodes, width // 2
    kept, touched = 5 * k * n, SECTOR * limits.sampled_sectors(d, k) * n
    select = {"group_sparse_fixed": [limits.top_k(card, n, d, k)]}
    linear, dense = limits.matrix_product(card, n, d, d), _dense(card, sizes, d, via)
    if first == "aggregate":
        run = {"aggregate": _kept(card, sizes, d, k, via), "matrix product": [linear]}
        differentiate = {
            "matrix product": [linear, linear],
            "aggregate_backward": _sampled(card, sizes, d, k, via),
        }
    else:
        run = {"product": [limits.product(card, n, d, k)], "aggregate_dense": dense}
        differentiate = {
            "aggregate_dense": dense,
            "product_backward": [
                limits.product_backward(card, n, d, k, BLOCKS),
                stream(card, 4 * (BLOCKS + 1) * d * d),
            ],
        }
    add, undo = limits.add_layer_norm(card, n, d), limits.undo_layer_norm(card, n, d)
    forward = [select, run, {"add_layer_norm": [add]}] * 2
    forward.append({"scatter": [stream(card, kept + 4 * n * d)]})
    backward = [select, *[run, {"undo_layer_norm": [undo]}, differentiate] * 2]
    backward.append(
        {"scatter": [stream(card, kept + 2 * touched), stream(card, kept + 4 * k * n + touched + 4 * n * d)]}
    )
    return _parts("forward", layers, forward) + _parts("backward", layers, backward)


def fastest(card: Ceilings, sizes: Sizes, width: int, layers: int, k: int) -> tuple[str, list[Part]]:
    """The route and order of products by which `gsr` needs the least time, in words, and its parts."""
    ways = {
        f"{via}, {first} first": gsr(card, sizes, width, layers, k, via, first)
        for via, first in product(get_args(Via), get_args(Order))
    }
    return min(ways.items(), key=lambda way: seconds(way[1]))


def _kept(card, sizes, d, k, via):
    """The sums of kept entries over neighbours."""
    n, _, nets, pins, direct = sizes
    if via == "edges":
        return [limits.aggregate(card, n, sizes.edges, d, k)]
    return [
        limits.aggregate(card, nets, pins, d, k, sources=n),
        limits.aggregate_dense(card, n, pins, d, sources=nets),
        limits.aggregate(card, n, direct, d, k, onto=True),
    ]


def _sampled(card, sizes, d, k, via):
    """Their gradient, at the kept places."""
    n, _, nets, pins, direct = sizes
    if via == "edges":
        return [limits.aggregate_backward(card, n, sizes.edges, d, k)]
    return [
        limits.aggregate_dense(card, nets, pins, d, sources=n),
        limits.aggregate_backward(card, n, pins, d, k, sources=nets),
        limits.aggregate_backward(card, n, direct, d, k, onto=True),
    ]


def _dense(card, sizes, d, via):
    """The sums of whole rows over neighbours."""
    n, _, nets, pins, direct = sizes
    if via == "edges":
        return [limits.aggregate_dense(card, n, sizes.edges, d)]
    return [
        limits.aggregate_dense(card, nets, pins, d, sources=n),
        limits.aggregate_dense(card, n, pins, d, sources=nets),
        limits.aggregate_dense(card, n, direct, d, onto=True),
    ]


def _parts(phase, layers, steps):
    return [Part(phase, name, layers, bound) for step in steps for name, bounds in step.items() for bound in bounds]
