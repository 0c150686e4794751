"""The networks that GSR-GNN is measured against, as their authors would run them: ``model(x, graph)`` like `GSRGNN`.

All take the sums over a node's neighbours by one of five routes, ``aggregation``, with one result:

``"edge_index"``
    PyTorch Geometric's own layers on the edges one by one: a message ``[E, D]`` is gathered, then scattered.
``"segment_csr"``
    the messages gathered in order of their targets, then summed by ``torch_scatter.segment_csr``.
``"csr"``
    a product with the sparse matrix (``torch.sparse``), no messages.
``"mkl"``
    the same product by Intel's MKL, through ``sparse_dot_mkl``, on a CPU.
``"kernels"``
    `aggregate`, through the graph's edges or its nets as the graph says (`CircuitGraph.through`), no messages.

What a route reads is made from the graph at the first step and kept for as long as the graph lives; MemoryError where
that, for all but the last every edge, is more than the memory that is free.
"""

import os
import sys
import warnings
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args
from weakref import WeakKeyDictionary

import torch
from scipy import sparse
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint
from torch_geometric.nn import GCNConv, Linear, MeanAggregation, SAGEConv, SumAggregation
from torch_geometric.nn.models import GroupAddRev

from gsrgnn.arguments import positive, probability
from gsrgnn.cbsr import aggregate
from gsrgnn.eager import eager
from gsrgnn.graph import CircuitGraph, Norm
from gsrgnn.memory import check_memory
from gsrgnn.models import NodeModel
from gsrgnn.modes import same_in_both_modes

__all__ = [
    "AGGREGATIONS",
    "GCN",
    "CheckpointSAGE",
    "CompiledRevGNN",
    "FusedRevGNN",
    "GraphSAGE",
    "RevGNN",
    "csr_matrix",
    "graph_tensors",
]

Aggregation: TypeAlias = Literal["edge_index", "segment_csr", "csr", "mkl", "kernels"]
Neighbours: TypeAlias = tuple[Any, ...]

AGGREGATIONS: tuple[Aggregation, ...] = get_args(Aggregation)
NEEDED: dict[Aggregation, tuple[str, str]] = {  # the module, and how to install it
    "segment_csr": ("torch_scatter", "make baselines, or pip install --no-build-isolation gsrgnn[baselines]"),
    "mkl": ("sparse_dot_mkl", "pip install gsrgnn[mkl], 1 GB, for x86 processors"),
}


class _Peer(NodeModel):
    layers: nn.ModuleList

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int = 1,
        *,
        num_layers: int,
        aggregation: Aggregation = "kernels",
    ) -> None:
        num_layers, hidden_channels = positive("num_layers", num_layers), positive("hidden_channels", hidden_channels)
        if aggregation not in AGGREGATIONS:
            raise ValueError(f"aggregation {aggregation!r} is unknown; it is one of {', '.join(AGGREGATIONS)}")
        if aggregation in NEEDED:
            _library(aggregation)
        super().__init__(in_channels, hidden_channels, out_channels)
        self.aggregation = aggregation
        self.layers = nn.ModuleList(self.layer(hidden_channels) for _ in range(num_layers))

    def layer(self, channels: int) -> nn.Module:
        """A layer of ``channels`` columns: ``layer(x, *neighbours)``."""
        raise NotImplementedError

    def stream(self, x: Tensor, graph: CircuitGraph) -> Tensor:
        """The stream ``[N, hidden_channels]`` behind the layers. Raises ValueError for a graph of another norm."""
        if graph.norm != self.graph_norm:
            wanted = repr(self.graph_norm)
            raise ValueError(
                f"the graph has norm {graph.norm!r} and {type(self).__name__} takes {wanted}: "
                f"make it with CircuitGraph.from_data(data, norm={wanted})"
            )
        return self.run(x, _neighbours(graph, x.dtype, self.aggregation))

    def options(self) -> dict[str, Any]:
        return super().options() | {"num_layers": len(self.layers), "aggregation": self.aggregation}

    def run(self, x: Tensor, neighbours: Neighbours) -> Tensor:
        """The stream behind all layers, ``neighbours`` being what each takes beside it."""
        for layer in self.layers:
            x = layer(x, *neighbours)
        return x


class GCN(_Peer):
    """GCN (Kipf and Welling, 2017): ``num_layers`` times PyG's ``GCNConv`` and a ReLU, nothing residual.

    The edge weights are those of a graph with ``norm="sym"``, computed once.

    Args:
        in_channels, hidden_channels, out_channels, num_layers: as for `GSRGNN`; any width will do.
        aggregation: the route, one of `AGGREGATIONS`.

    Raises ValueError for another width, depth or route, and on a call with a graph of another norm.
    """

    graph_norm: Norm = "sym"

    def layer(self, channels: int) -> nn.Module:
        kind = GCNConv if self.aggregation == "edge_index" else _RoutedGCNConv
        return _ThenReLU(kind(channels, channels, normalize=False))


class GraphSAGE(_Peer):
    """GraphSAGE (Hamilton et al., 2017), mean: ``num_layers`` times PyG's ``SAGEConv`` and a ReLU, nothing residual.

    Takes a graph with ``norm="mean"``. Arguments and errors as for `GCN`.
    """

    def layer(self, channels: int) -> nn.Module:
        return _ThenReLU(_sage(self.aggregation, channels))


class RevGNN(_Peer):
    """RevGNN (Li et al., 2021): PyG's ``GroupAddRev`` over LayerNorm, ReLU and ``SAGEConv``, two groups a layer.

    Going back, ``GroupAddRev`` inverts a layer, then runs it again to differentiate it: with the forward pass and
    the differentiation itself 8 aggregations a layer, each half as wide as the stream. Takes a graph with
    ``norm="mean"``. Arguments and errors as for `GCN`, and an even width.

    Args:
        dropout: in train mode, the probability with which an entry behind a ReLU is 0, the others being divided by
            ``1 - dropout``. One mask ``[N, hidden_channels]`` a forward pass, drawn from torch's generator, is kept and
            serves all layers, each group's block its own columns; `GSRGNN` has the same at what GS keeps.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int = 1,
        *,
        num_layers: int,
        aggregation: Aggregation = "kernels",
        dropout: float = 0.0,
    ) -> None:
        if positive("hidden_channels", hidden_channels) % 2:
            raise ValueError(f"hidden_channels is {hidden_channels}: it splits into 2 groups, so it must be even")
        super().__init__(in_channels, hidden_channels, out_channels, num_layers=num_layers, aggregation=aggregation)
        self.dropout = probability("dropout", dropout)

    def options(self) -> dict[str, Any]:
        return super().options() | {"dropout": self.dropout}

    def run(self, x: Tensor, neighbours: Neighbours) -> Tensor:
        return super().run(x, (*neighbours, *self.draw(x)))

    def draw(self, x: Tensor) -> tuple[Tensor, ...]:
        """A forward pass's mask, like ``x``; nothing where none is to be applied."""
        if not (self.training and self.dropout):
            return ()
        return (torch.empty_like(x).detach().bernoulli_(1 - self.dropout) / (1 - self.dropout),)

    def layer(self, channels: int) -> nn.Module:
        return GroupAddRev(_SAGEBlock(self.aggregation, channels // 2), num_groups=2)


class CompiledRevGNN(RevGNN):
    """`RevGNN` whose layers ``torch.compile`` has compiled: the same function, parameters and gradient.

    What ``GroupAddRev`` runs, a layer and its inverse, is one graph each, without a break; the sum over the neighbours
    is one operator in it. All layers share them: three are made, at the first step (forward, inverse, and forward once
    more for the gradient), and anew for another graph, of which a process has four at most by ``torch``'s limit.
    ``GroupAddRev`` itself, which frees tensors that autograd thinks are there, stays as it is. Not for "segment_csr",
    an operator that the compiler does not know.

    Raises RuntimeError at the first call where nothing can be compiled: on a CPU a C++ compiler is needed, on a GPU
    Triton.
    """

    def layer(self, channels: int) -> nn.Module:
        return _CompiledGroupAddRev(_SAGEBlock(self.aggregation, channels // 2), num_groups=2)


class FusedRevGNN(RevGNN):
    """`RevGNN` with inversion and recomputation in one: the same function, parameters and gradient.

    Going back, a block is evaluated once and its value serves both: 6 aggregations a layer in place of 8. All layers
    are one autograd node, which keeps the last layer's output.
    """

    def run(self, x: Tensor, neighbours: Neighbours) -> Tensor:
        blocks = [block for layer in self.layers for block in layer.convs]  # type: ignore[union-attr]  # of GroupAddRev
        trained = [{name: p for name, p in block.named_parameters() if p.requires_grad} for block in blocks]
        mask = zip(*(whole.chunk(2, dim=1) for whole in self.draw(x)), strict=True)
        beside = [(*neighbours, *own) for own in mask] or [neighbours] * 2
        return _FusedStack.apply(
            blocks, [list(own) for own in trained], beside, x, *(p for own in trained for p in own.values())
        )


class CheckpointSAGE(_Peer):
    """Residual GraphSAGE, ``x + SAGEConv(ReLU(LayerNorm(x)))`` at full width, with ``torch.utils.checkpoint``.

    The stream is kept once every ``segment`` layers; going back, a segment is run again, then differentiated. Takes
    a graph with ``norm="mean"``. Arguments and errors as for `GCN`. Of the two ways that PyTorch has this is the one
    that does less: without reentrance it stops running a segment again when the last tensor that the gradient needs
    is there, one dense product before its end.

    Args:
        segment: layers between two checkpoints, at least 1; ``sqrt(num_layers)`` needs the least memory.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int = 1,
        *,
        num_layers: int,
        aggregation: Aggregation = "kernels",
        segment: int = 1,
    ) -> None:
        segment = positive("segment", segment)
        super().__init__(in_channels, hidden_channels, out_channels, num_layers=num_layers, aggregation=aggregation)
        self.segment = segment

    def options(self) -> dict[str, Any]:
        return super().options() | {"segment": self.segment}

    def layer(self, channels: int) -> nn.Module:
        return _SAGEBlock(self.aggregation, channels)

    def run(self, x: Tensor, neighbours: Neighbours) -> Tensor:
        def residual(x, start):
            for block in self.layers[start : start + self.segment]:
                x = x + block(x, *neighbours)
            return x

        for start in range(0, len(self.layers), self.segment):
            x = checkpoint(residual, x, start, use_reentrant=False, preserve_rng_state=False)
        return x


class _ThenReLU(nn.Module):
    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x, *neighbours):
        return self.conv(x, *neighbours).relu()


class _CompiledGroupAddRev(GroupAddRev):
    def _forward(self, x, *given):
        return _compiled(GroupAddRev._forward, x.is_cuda)(self, x, *given)

    def _inverse(self, y, *given):
        return _compiled(GroupAddRev._inverse, y.is_cuda)(self, y, *given)


@cache
def _compiled(function, on_gpu, backend="inductor"):
    """``function`` compiled for the shapes that it meets.

    On a GPU every way to make a product is tried; on a CPU that takes longer and finds nothing better. CUDA graphs of
    the compiler's would keep what the layers free.
    """
    mode = "max-autotune-no-cudagraphs" if on_gpu else None
    compiled = torch.compile(function, fullgraph=True, dynamic=False, backend=backend, mode=mode)

    def call(*given):
        from torch._dynamo.exc import TorchDynamoException

        try:
            return compiled(*given)
        except TorchDynamoException as error:  # pages of what was being compiled
            raise RuntimeError(f"torch.compile: {str(error).strip().splitlines()[0]}") from error

    return call


class _SAGEBlock(nn.Module):
    def __init__(self, aggregation, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.conv = _sage(aggregation, channels)

    def reset_parameters(self):
        self.norm.reset_parameters()
        self.conv.reset_parameters()

    def forward(self, x, neighbours, mask=None):
        x = self.norm(x).relu()
        return self.conv(x if mask is None else x * mask, neighbours)


class _RoutedSAGEConv(SAGEConv):
    """``SAGEConv`` over a route in place of an edge_index."""

    def propagate(self, route, x, size=None):
        return route(x[0])


class _RoutedGCNConv(GCNConv):
    """``GCNConv`` over a route in place of an edge_index and its weights."""

    def propagate(self, route, x, edge_weight=None):
        return route(x)


def _sage(aggregation, channels):
    return (SAGEConv if aggregation == "edge_index" else _RoutedSAGEConv)(channels, channels)


_OWN = GCN, GraphSAGE, RevGNN, FusedRevGNN, CheckpointSAGE, _ThenReLU, _SAGEBlock, _RoutedSAGEConv, _RoutedGCNConv
_PYG = SAGEConv, GCNConv, GroupAddRev, Linear, MeanAggregation, SumAggregation  # as they are made here
for _kind in (*_OWN, *_PYG):
    same_in_both_modes(_kind)


class _FusedStack(torch.autograd.Function):
    """Layers ``y1 = x1 + f1(x2)``, ``y2 = x2 + f2(y1)`` over ``blocks`` f1, f2, f1, f2, ...

    ``beside`` is what f1 takes beside its group, and what f2 does.
    """

    @staticmethod
    def forward(ctx, blocks, names, beside, x, *parameters):
        x1, x2 = (half.clone() for half in x.chunk(2, dim=1))
        for f1, f2 in zip(blocks[::2], blocks[1::2], strict=True):
            x1 += f1(x2, *beside[0])
            x2 += f2(x1, *beside[1])
        out = torch.cat([x1, x2], dim=1)
        ctx.save_for_backward(out, *parameters)
        ctx.blocks, ctx.names, ctx.beside = blocks, names, beside
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        out, *parameters = ctx.saved_tensors
        x1, x2 = (half.clone() for half in out.chunk(2, dim=1))
        g1, g2 = (half.clone() for half in grad.chunk(2, dim=1))
        gradients: list[Tensor] = []
        for number, (block, names) in reversed([*enumerate(zip(ctx.blocks, ctx.names, strict=True))]):
            source, target, source_grad, target_grad = (x1, x2, g1, g2) if number % 2 else (x2, x1, g2, g1)
            source, start = source.detach().requires_grad_(), len(parameters) - len(names)
            own = dict(zip(names, parameters[start:], strict=True))
            del parameters[start:]
            with torch.enable_grad():
                update = functional_call(block, own, (source, *ctx.beside[number % 2]))
            target -= update.detach()
            dsource, *dparameters = torch.autograd.grad(update, [source, *own.values()], target_grad)
            source_grad += dsource
            gradients = dparameters + gradients
        return None, None, None, torch.cat([g1, g2], dim=1), *gradients


_KEPT: WeakKeyDictionary[CircuitGraph, dict[tuple[Aggregation, torch.dtype], Neighbours]] = WeakKeyDictionary()
_FEWER = "leave out large nets with max_net"


@eager
def _neighbours(graph: CircuitGraph, dtype: torch.dtype, aggregation: Aggregation) -> Neighbours:
    """What a layer takes beside x: an edge_index (and weights), or one callable that gives ``A x`` for x."""
    if aggregation == "kernels":
        return (lambda x: aggregate(graph, x),)
    kept = _kept(graph, dtype, aggregation)
    if isinstance(kept[0], _CSR):
        return (lambda x: torch.ops.gsrgnn.product(x, graph.number, aggregation, False),)
    return kept


def _kept(graph, dtype, aggregation):
    """What a route reads, made where it is not there."""
    kept = _KEPT.setdefault(graph, {})
    if (aggregation, dtype) not in kept:
        try:
            with torch.inference_mode(False):
                made = _MAKE[aggregation](graph, dtype)
        except MemoryError as error:
            raise MemoryError(
                f"aggregation {aggregation!r} reads all edges, where 'kernels' reads the nets of a graph "
                f"via='nets': {error}"
            ) from error
        if any(type(tensor) is not torch.Tensor for tensor in _tensors(made)):
            return made  # without numbers, as torch makes them under a fake mode
        kept[aggregation, dtype] = made
    return kept[aggregation, dtype]


def graph_tensors(graph: CircuitGraph) -> list[Tensor]:
    """The tensors that the routes made from ``graph`` and keep: none of them belongs to a model."""
    return [tensor for neighbours in _KEPT.get(graph, {}).values() for tensor in _tensors(neighbours)]


def _tensors(neighbours: Neighbours) -> list[Tensor]:
    return [t for part in neighbours for t in ([part] if isinstance(part, torch.Tensor) else part.tensors)]


def _edges(graph, dtype):
    """Of every edge, as often as it is there, the source and the target, int64 ``[E]``, in order of the targets."""
    total = float(graph.degree.sum())
    check_memory(48 * total, f"a list of {total:,.0f} edges", _FEWER, graph.device)
    indptr, source, weight, *_ = graph.adjacency(dtype)
    count = weight.long()
    if (count != weight).any():
        raise ValueError(
            "the graph's edges have weights that are not whole numbers, and this route takes the edges "
            "one by one: use aggregation='csr' or 'kernels'"
        )
    target = torch.repeat_interleave(indptr.diff())
    return source.long().repeat_interleave(count), target.repeat_interleave(count)


def _edge_weight(graph, dtype, source, target):
    *_, out_scale, in_scale = graph.adjacency(dtype)
    return out_scale[target] * in_scale[source]


def _edge_index(graph, dtype):
    source, target = _edges(graph, dtype)
    weight = () if graph.norm == "mean" else (_edge_weight(graph, dtype, source, target),)
    return torch.stack([source, target]), *weight


class _SegmentCSR:
    def __init__(self, graph, dtype):
        self.segment_csr = _library("segment_csr").segment_csr
        self.source, target = _edges(graph, dtype)
        self.indptr = torch.searchsorted(target, torch.arange(graph.num_nodes + 1, device=target.device))
        self.weight = None if graph.norm == "mean" else _edge_weight(graph, dtype, self.source, target)[:, None]
        self.tensors = [t for t in (self.source, self.indptr, self.weight) if t is not None]

    def __call__(self, x):
        if self.weight is None:
            return self.segment_csr(x[self.source], self.indptr, reduce="mean")
        return self.segment_csr(x[self.source] * self.weight, self.indptr, reduce="sum")


class _CSR:
    """``A`` and its transpose, which going back is at hand, where autograd would make it anew."""

    def __init__(self, graph, dtype):
        self.matrices = [csr_matrix(graph, dtype, transposed) for transposed in (False, True)]
        self.tensors = [part for m in self.matrices for part in (m.crow_indices(), m.col_indices(), m.values())]

    def product(self, x, transposed):
        """``A x`` or ``A^T x``.

        On a CPU, with a named reduction, ``torch.sparse.mm`` takes a kernel that is faster than MKL's behind ``@``
        (measured at graph 10: at widths 192 and 384; as fast at 64). On a GPU there is only cuSPARSE's, and ``@`` makes
        zeros and copies them into the result before.
        """
        matrix = self.matrices[transposed]
        if not x.is_cuda:
            return torch.sparse.mm(matrix, x, "sum")
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        return torch.addmm(out, matrix, x, beta=0, out=out)


class _MKL(_CSR):
    def __init__(self, graph, dtype):
        if graph.device.type != "cpu":
            raise ValueError(f"aggregation 'mkl' computes on a CPU and the graph is on {graph.device}: use 'csr'")
        super().__init__(graph, dtype)
        self.dot_product = _library("mkl").dot_product_mkl
        self.arrays = [
            sparse.csr_array((m.values().numpy(), m.col_indices().numpy(), m.crow_indices().numpy()), shape=m.shape)
            for m in self.matrices
        ]

    def product(self, x, transposed):
        return torch.from_numpy(self.dot_product(self.arrays[transposed], x.contiguous().numpy()))


torch.library.define("gsrgnn::product", "(Tensor x, int graph, str aggregation, bool transposed) -> Tensor")


def _product(x, graph, aggregation, transposed):
    """``A x`` over the graph of that number, or ``A^T x``: one operator, in which ``torch.compile`` need not look."""
    (matrices,) = _kept(CircuitGraph.numbered(graph), x.dtype, aggregation)
    return matrices.product(x.detach(), transposed)


def _keep(ctx, inputs, output):
    _, ctx.number, ctx.aggregation, ctx.transposed = inputs
    ctx.graph = CircuitGraph.numbered(ctx.number)  # alive until the backward pass


@once_differentiable
def _product_backward(ctx, grad):
    return torch.ops.gsrgnn.product(grad, ctx.number, ctx.aggregation, not ctx.transposed), None, None, None


torch.library.impl("gsrgnn::product", "CompositeExplicitAutograd", _product)
torch.library.register_fake("gsrgnn::product")(lambda x, *given: x.new_empty(x.shape))
torch.library.register_autograd("gsrgnn::product", _product_backward, setup_context=_keep)


def csr_matrix(graph: CircuitGraph, dtype: torch.dtype = torch.float32, transposed: bool = False) -> Tensor:
    """The normalised ``A`` of a graph, or its transpose, as a sparse CSR tensor ``[N, N]`` with int32 indices.

    Its values are the edges' weights with the norm's scales multiplied in. On a CPU a product takes as long with int64
    indices, which take twice the memory (measured at graph 10, widths 64, 192 and 384); cuSPARSE and MKL want int32.

    Args:
        dtype: of the values, float32 or float64.

    Raises MemoryError where it is more than the memory that is free.
    """
    indptr, column, weight, out_scale, in_scale = graph.adjacency(dtype, transposed)
    check_memory(
        len(column) * (8 + 5 * weight.itemsize), f"a sparse matrix of {len(column):,} entries", _FEWER, graph.device
    )
    row = torch.repeat_interleave(indptr.diff())
    values = weight * out_scale[row] * in_scale[column]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(indptr.int(), column, values, (graph.num_nodes,) * 2, check_invariants=True)


def _library(aggregation):
    """The module that a route needs. Raises ModuleNotFoundError where it cannot be imported."""
    module, install = NEEDED[aggregation]
    if aggregation == "mkl":
        for path in Path(sys.prefix, "lib").glob("libmkl_rt.so*"):  # pip's place for it, where nobody looks
            os.environ.setdefault("MKL_RT", str(path))
    try:
        return import_module(module)
    except ImportError as error:
        raise ModuleNotFoundError(
            f"aggregation {aggregation!r} needs {module}, which is not installed ({error}): {install}"
        ) from None


_MAKE = {
    "edge_index": _edge_index,
    "segment_csr": lambda *given: (_SegmentCSR(*given),),
    "csr": lambda *given: (_CSR(*given),),
    "mkl": lambda *given: (_MKL(*given),),
}
