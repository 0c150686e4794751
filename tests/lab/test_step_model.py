"""The model's terms against what a small step reads and writes while it runs."""

import inspect
import math
from collections import Counter
from contextlib import contextmanager
from functools import partial
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from gsrgnn import GSRGNN, CircuitGraph
from gsrgnn.baselines import RevGNN
from gsrgnn.circuits import load
from gsrgnn.kernels import cpu, torch_path
from gsrgnn.lab import limits, step_model
from gsrgnn.lab.limits import A6000, CARDS, SECTOR
from gsrgnn.lab.step_model import Sizes, gsr, revgnn, seconds

ONE = limits.Ceilings(hbm=1, l2=1, shared=1, issue=1, l2_size=math.inf, source="a unit a second: bounds count")
DATA = load("synthetic/256")
GRAPH = CircuitGraph.from_data(DATA)
EDGES = GRAPH.through("edges")
SIZES = Sizes.of(GRAPH)
ENTRIES = SIZES._replace(edges=len(EDGES.operator().indices))  # as stored: an edge that is there twice has a weight
WIDTH, K = 48, 4
D = WIDTH // 2
PAPER = Sizes(49_000, 11_700_000, nets=30_000, pins=200_000, direct=150_000), 384, 100


def modelled(parts, phase, unit="hbm"):
    """Kernel -> what its calls in a pass move, or issue."""
    found = Counter()
    for part in parts:
        if part.phase == phase:
            found[part.kernel] += part.calls * getattr(part.bound, unit)
    return {name: count for name, count in found.items() if count}


def of_a_layer(step):
    """For either pass what a third layer adds to the Counter that ``step(layers)`` gives for it."""
    two, three = step(2), step(3)
    return {phase: dict(three[phase] - two[phase]) for phase in three}


def a_step(model, graph, forward, backward):
    """A training step with each pass inside a context of its own, after one without."""
    model(DATA.x, graph).sum().backward()
    model.zero_grad()
    with forward:
        loss = model(DATA.x, graph).sum()
    with backward:
        loss.backward()


class Moved(TorchDispatchMode):
    """Adds up by name what torch's operators read and write, leaving out what has at most an entry a node.

    Of dense products the operations too, as torch counts them.
    """

    def __init__(self):
        super().__init__()
        self.bytes, self.operations = Counter(), Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        schema = function._schema
        written = [argument.alias_info is not None and argument.alias_info.is_write for argument in schema.arguments]
        if any(result.alias_info for result in schema.returns) and not any(written):
            return out  # a view
        name = function.overloadpacket.__name__
        if name == "set_":
            return out  # another view of what is there
        if function.overloadpacket in flop_registry:
            self.operations["all"] += flop_registry[function.overloadpacket](*args, **(kwargs or {}), out_val=out)
        if not name.startswith(("new_", "empty", "zeros")):
            self.bytes[name] += sum(map(size, tree_leaves((args, {**(kwargs or {}), "out": None}))))
        if not name.startswith(("new_empty", "empty")):
            self.bytes[name] += sum(map(size, tree_leaves(out)))
        return out


def size(value):
    """Bytes of a tensor's distinct entries."""
    if not isinstance(value, torch.Tensor):
        return 0
    entries = math.prod(n for n, stride in zip(value.shape, value.stride(), strict=True) if stride)
    return entries * value.element_size() if entries > len(DATA.x) else 0


def revgnn_step(layers, via, counter):
    aggregation = "kernels" if via else "edge_index"
    model = RevGNN(DATA.num_features, WIDTH, num_layers=layers, aggregation=aggregation)
    passes = {"forward": Moved(), "backward": Moved()}
    a_step(model, EDGES, *passes.values())
    return {phase: getattr(moved, counter) for phase, moved in passes.items()}


@pytest.mark.parametrize("phase", ["forward", "backward"])
@pytest.mark.parametrize("via", [None, "edges"])
def test_revgnn_moves_and_multiplies_what_its_operators_do(via, phase):
    parts = revgnn(ONE, ENTRIES if via else SIZES, WIDTH, 1, via)
    counted, operations = (
        of_a_layer(partial(revgnn_step, via=via, counter=counter))[phase] for counter in ("bytes", "operations")
    )
    if via:  # the operator is given rows; its kernel reads the graph beside them
        counted["aggregate_dense"] += 8 * ENTRIES.edges * {"forward": 2, "backward": 6}[phase]
    assert modelled(parts, phase) == counted
    issued = modelled(parts, phase, "issue")
    assert 64 * (issued["mm"] + issued["addmm"]) == operations["all"]  # 32 multiply-adds an instruction


READ = {
    "group_sparse_fixed": "x",
    "aggregate": "graph values indices",
    "aggregate_backward": "transposed grad indices",
    "aggregate_dense": "graph x",
    "product": "values indices matrix",
    "product_backward": "values indices matrix grad indices grad",  # by two kernels on a GPU
    "add_layer_norm": "z x",
    "undo_layer_norm": "z x grad",
    "scatter_fixed": "values indices",
    "scatter_add": "values indices out",
    "scatter_over": "values indices out",
}
WRITTEN = {
    "group_sparse_fixed": "values indices",
    "aggregate": "out",
    "aggregate_backward": "dvalues",
    "aggregate_dense": "out",
    "product": "out",
    "product_backward": "dvalues dmatrix",
    "add_layer_norm": "x",
    "undo_layer_norm": "z x",
    "scatter_fixed": "out",
    "scatter_add": "out",
    "scatter_over": "values out",
}


def arguments(name):
    """The names of a kernel's arguments, from the kernel that says what it computes."""
    return list(inspect.signature(getattr(torch_path, name)).parameters)


def gsr_step(first):
    """A function that counts what a step's kernels read and write, over the edges; a source is a sum of rows."""

    def step(layers):
        torch.manual_seed(0)
        model, counts, phase = GSRGNN(DATA.num_features, WIDTH, num_layers=layers, k=K, first=first), {}, []

        def count(name, *given):
            given = dict(zip(arguments(name), given, strict=False))
            if given.get("source"):
                graph, x, _ = given["source"]
                count("aggregate_dense", graph, x, given["grad" if name == "product_backward" else "z"])
            moved = (given[argument] for argument in f"{READ[name]} {WRITTEN[name]}".split())
            counts[phase[0]]["scatter" if name.startswith("scatter") else name] += sum(map(bytes_of, moved))

        def counted(name, kernel):
            def call(*given, **source):
                count(name, *given, *source.values())
                return kernel(*given, **source)

            return call

        @contextmanager
        def of(name):
            phase[:], counts[name], torchs = [name], Counter(), Moved()
            kernels = {name: counted(name, getattr(cpu, name)) for name in READ}
            with patch.multiple(cpu, **kernels), torchs:
                yield
            counts[name]["matrix product"] = torchs.bytes["mm"]

        a_step(model, EDGES, of("forward"), of("backward"))
        return counts

    return step


def bytes_of(part):
    """Of an array, or of a graph's entries: a number and a weight each."""
    if isinstance(part, np.ndarray):
        return part.nbytes
    return 8 * len(getattr(part, "adjacency", part).indices)


@pytest.mark.parametrize("phase", ["forward", "backward"])
@pytest.mark.parametrize("first", ["aggregate", "transform"])
def test_gsr_moves_what_its_kernels_do(first, phase, monkeypatch):
    monkeypatch.setattr(step_model, "BLOCKS", cpu.BLOCKS)
    monkeypatch.setattr(limits, "sampled_sectors", lambda width, k: width * 4 / SECTOR)  # whole rows, as arrays are
    want = modelled(step_model.gsr(ONE, ENTRIES, WIDTH, 1, K, "edges", first), phase)
    counted = {name: count for name, count in of_a_layer(gsr_step(first))[phase].items() if count}
    if first == "transform" and phase == "backward":  # of either block the sum of dmatrix
        counted["product_backward"] += 2 * 4 * (cpu.BLOCKS + 1) * D * D
    assert counted == want


@pytest.mark.parametrize("kernel", ["aggregate", "aggregate_backward", "aggregate_dense"])
def test_through_the_nets_the_sums_are_those_that_the_gpu_is_given(kernel):
    pytest.importorskip("numba_cuda", reason="numba-cuda is not installed: pip install 'gsrgnn[cuda]'")
    from gsrgnn.kernels.cuda import operators

    bounds = []

    def kept(graph, values, indices, out, onto=False):
        bounds.append(limits.aggregate(ONE, len(out), len(graph.indices), D, K, sources=len(values), onto=onto))

    def sampled(graph, grad, indices, dvalues, onto=False):
        sizes = len(dvalues), len(graph.indices), D, K
        bounds.append(limits.aggregate_backward(ONE, *sizes, sources=len(grad), onto=onto))

    def rows(graph, x, out, onto=False):
        bounds.append(limits.aggregate_dense(ONE, len(out), len(graph.indices), D, sources=len(x), onto=onto))

    x, nets = torch.empty(SIZES.nodes, D), torch.empty(SIZES.nets, D)
    values, indices = torch.empty(SIZES.nodes, K), torch.empty(SIZES.nodes, K, dtype=torch.uint8)
    given = {"aggregate": (values, indices, x), "aggregate_backward": (x, indices, values), "aggregate_dense": (x, x)}
    with patch.multiple(operators, _sum_kept=kept, _sample=sampled, _sum_rows=rows):
        getattr(operators, kernel)(GRAPH.through("nets").incidence(), *given[kernel], nets)
    first = "transform" if kernel == "aggregate_dense" else "aggregate"
    parts = step_model.gsr(ONE, SIZES, WIDTH, 1, K, "nets", first)
    assert len(bounds) == 3
    assert {part.bound for part in parts if part.kernel == kernel} == set(bounds)


def test_blocks_are_those_of_the_kernels():
    pytest.importorskip("numba_cuda", reason="numba-cuda is not installed: pip install 'gsrgnn[cuda]'")
    from gsrgnn.kernels.cuda import operators

    assert step_model.BLOCKS == operators.BLOCKS


def test_layers_add_up_and_more_work_takes_longer():
    card = step_model.read_once(A6000)
    sizes, width, layers = PAPER
    for via in ("edges", "nets"):
        for first in ("aggregate", "transform"):
            by_k = [seconds(gsr(card, sizes, width, layers, k, via, first)) for k in (4, 8, 16, 32, 64)]
            assert by_k == sorted(by_k)
            deeper = seconds(gsr(card, sizes, width, 2 * layers, 4, via, first))
            assert deeper == pytest.approx(2 * by_k[0])
    dense = sizes._replace(edges=2 * sizes.edges)
    assert seconds(revgnn(card, dense, width, layers)) > 1.9 * seconds(revgnn(card, *PAPER))
    assert seconds(gsr(card, dense, width, layers, 4, "edges", "aggregate")) > by_k[0]


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_what_is_read_once_takes_least(card):
    for parts in (lambda card: revgnn(card, *PAPER), lambda card: step_model.fastest(card, *PAPER, 16)[1]):
        once, as_it_fits, each = (
            seconds(parts(case)) for case in (step_model.read_once(card), card, step_model.read_each_time(card))
        )
        assert 0 < seconds(parts(step_model.carried_over(card))) < once <= as_it_fits <= each


def test_the_passes_make_the_step_and_the_fastest_way_is_the_fastest():
    way, parts = step_model.fastest(A6000, *PAPER, 4)
    assert seconds(parts) == pytest.approx(seconds(parts, "forward") + seconds(parts, "backward"))
    assert seconds(parts) == min(
        seconds(gsr(A6000, *PAPER, 4, via, first)) for via in ("edges", "nets") for first in ("aggregate", "transform")
    )
    assert way.startswith("nets")
    assert seconds(step_model.bytes_alone(parts)) <= seconds(parts)
