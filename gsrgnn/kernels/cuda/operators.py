"""The operators in Numba CUDA, on torch tensors. Each writes into tensors that the caller owns.

They take what `gsrgnn.kernels.cpu` takes, float32 on one GPU, and run on torch's current stream. Where a row is not
finite the answer is a number, which waits for the GPU; give ``bad``, int32 ``[1]``, to have it written there instead.
In a CUDA graph's capture, which cannot wait, the answer is -1.

Rows of more than `MAX_WIDTH` columns, a k above `MAX_K` and float64 go to `torch_path`, with one warning, or raise
ValueError where the environment variable GSRGNN_STRICT is set. Where GSRGNN_ATOMIC is set, the sampled backward over
the edges of a symmetric graph is `sample_atomic`, whose last bits change from run to run.
"""

import functools
import os
import warnings
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from gsrgnn.kernels import torch_path
from gsrgnn.kernels.adjacency import Adjacency, Incidence
from gsrgnn.kernels.cuda import dropout as dropout_kernel
from gsrgnn.kernels.cuda import entries, layer_norm, plan, products, sample, sample_atomic, sum_kept, sum_rows, top_k
from gsrgnn.kernels.cuda.compiler import BFLOAT16, FLOAT, INDEX, WARPS
from gsrgnn.kernels.cuda.layer_norm import BLOCKS
from gsrgnn.kernels.fixed_point import Scale
from gsrgnn.kernels.torch_path import Source, magnitudes

__all__ = [
    "BLOCKS",
    "FINE",
    "MAX_K",
    "MAX_WIDTH",
    "add_layer_norm",
    "aggregate",
    "aggregate_backward",
    "aggregate_backward_atomic",
    "aggregate_dense",
    "dropout",
    "from_fixed",
    "group_sparse",
    "group_sparse_fixed",
    "magnitudes",
    "prepare",
    "product",
    "product_backward",
    "scatter_add",
    "scatter_fixed",
    "scatter_over",
    "to_fixed",
    "undo_layer_norm",
]

P = ParamSpec("P")
R = TypeVar("R")
Graph = TypeVar("Graph", Adjacency, Incidence)

MAX_WIDTH, MAX_K = 1024, 128
PACKED_FROM = 16  # entries a row: what packing costs is then little beside the sectors that it saves
FINE = 2**31 - 1
"""What ``bad`` holds where every row is finite."""


def _served(kernel: Callable[P, R]) -> Callable[P, R]:
    """Decorator that gives what `refusal` objects to to the function of the same name in `torch_path`."""

    @functools.wraps(kernel)
    def call(*arguments: P.args, **options: P.kwargs) -> R:
        if (why := refusal(arguments)) is None:
            return kernel(*arguments, **options)
        if os.environ.get("GSRGNN_STRICT"):
            raise ValueError(f"no CUDA kernel serves {why}: unset GSRGNN_STRICT to have torch compute it")
        _warn(why)
        return getattr(torch_path, kernel.__name__)(*arguments, **options)

    return call


def refusal(arguments: Sequence[object]) -> str | None:
    """Why no kernel serves these arguments, in words; None where one does."""
    for tensor in arguments:
        if not isinstance(tensor, torch.Tensor) or tensor.ndim < 2:
            continue
        if tensor.dtype == torch.float64:
            return "float64"
        if tensor.shape[-1] > MAX_WIDTH:
            return f"a width above {MAX_WIDTH}"
        if tensor.dtype in INDEX and tensor.shape[1] > MAX_K:
            return f"a k above {MAX_K}"
    return None


@functools.cache
def _warn(why: str) -> None:
    warnings.warn(f"no CUDA kernel serves {why}: torch computes it, slower and in more memory", stacklevel=4)


@_served
def group_sparse(x: Tensor, values: Tensor, indices: Tensor, bad: Tensor | None = None) -> int:
    """`reference.group_sparse` into ``values [N, k]`` and ``indices [N, k]``.

    Returns the first row that holds a NaN or an infinity, or -1.
    """
    return _named(
        bad,
        x,
        lambda flag: top_k.kernel(_items(x), False, INDEX[indices.dtype])(
            _rows(x), x, *[_constant(1.0, x.device)] * 3, *x.shape, values.shape[1], values, indices, flag
        ),
    )


@_served
def group_sparse_fixed(x: Tensor, scale: Scale, values: Tensor, indices: Tensor) -> None:
    """`reference.group_sparse` of the fixed-point ``x`` with its `Scale` into ``values [N, k]`` and ``indices [N, k]``.

    In a row of one step the integers are compared, in any other the floats that they are rounded to.
    """
    top_k.kernel(_items(x), True, INDEX[indices.dtype])(
        _rows(x), x, *scale, *x.shape, values.shape[1], values, indices, _constant(FINE, x.device)
    )


def prepare(graph: Graph, other: Graph | None = None) -> Graph:
    """What the kernels take for a graph: the graph. How its rows are divided, `plan.of` keeps.

    ``other`` is what was prepared for the transposed graph; what the two share is the same tensors, divided once.
    """
    if other is None:
        return graph
    graph = tree_map(lambda own, known: known if _same(own, known) else own, graph, other)
    if not isinstance(graph, Incidence) and graph.indptr is other.indptr:
        plan.mark_symmetric(graph)
    return graph


def _same(tensor, known):
    return (tensor.data_ptr(), tensor.shape) == (known.data_ptr(), known.shape)


@_served
def to_fixed(x: Tensor, start: int, scale: Scale, out: Tensor) -> None:
    """`reference.to_fixed` of the columns of ``x`` from ``start`` on, into ``out [N, D]``; ``scale`` is a `Scale`."""
    entries.to_fixed()(_rows(out), x, x.shape[1], start, *scale, *out.shape, out)


@_served
def from_fixed(x: Tensor, scale: Scale, start: int, out: Tensor) -> None:
    """The numbers that the fixed-point ``x [N, D]`` stands for, into the columns of ``out`` from ``start`` on."""
    entries.from_fixed()(_rows(x), x, *scale, *x.shape, out.shape[1], start, out)


@_served
def scatter_over(values: Tensor, indices: Tensor, out: Tensor) -> None:
    """``out [N, D]`` becomes `reference.scatter` of the values plus what it held at their places."""
    entries.scatter_over(INDEX[indices.dtype])(_rows(out), values, indices, indices.shape[1], *out.shape, out)


@_served
def scatter_add(values: Tensor, indices: Tensor, out: Tensor) -> None:
    """Add `reference.scatter` to ``out [N, D]``."""
    entries.scatter_add(INDEX[indices.dtype])(_rows(out), values, indices, indices.shape[1], *out.shape, out)


@_served
def scatter_fixed(values: Tensor, indices: Tensor, scale: Scale, out: Tensor) -> None:
    """`reference.scatter` into the fixed-point ``out [N, D]``."""
    entries.scatter_fixed(INDEX[indices.dtype])(_rows(out), values, indices, indices.shape[1], *scale, *out.shape, out)


@_served
def dropout(values: Tensor, indices: Tensor, start: int, seed: Tensor, p: float, out: Tensor) -> None:
    """``values [N, k]`` times `reference.dropout_mask` at their places, column 0 being ``start`` of the mask.

    ``seed`` is int64 ``[1]``, read on the GPU. ``out [N, k]`` may be ``values``.
    """
    dropout_kernel.kernel(INDEX[indices.dtype])(
        _rows(values), values, indices, indices.shape[1], len(values), start, seed, int(p * 2**31), 1 / (1 - p), out
    )


@_served
def aggregate(
    graph: Adjacency | Incidence, values: Tensor, indices: Tensor, out: Tensor, nets: Tensor | None = None
) -> None:
    """`reference.aggregate` into ``out [N, D]``, over an `Adjacency` or, through ``nets [M, D]``, an `Incidence`.

    ``values`` may be bfloat16; sums are float32 all the same.
    """
    if isinstance(graph, Incidence):
        _sum_kept(graph.to_nets, values, indices, nets)
        _sum_rows(graph.to_cells, nets, out)
        _sum_kept(graph.direct, values, indices, out, onto=True)
    else:
        _sum_kept(graph, values, indices, out)


@_served
def aggregate_backward(
    transposed: Adjacency | Incidence, grad: Tensor, indices: Tensor, dvalues: Tensor, nets: Tensor | None = None
) -> None:
    """`reference.aggregate_backward` into ``dvalues [N, k]``, ``transposed`` and ``nets`` as for `aggregate`."""
    if isinstance(transposed, Incidence):
        _sum_rows(transposed.to_nets, grad, nets)
        _sample(transposed.to_cells, nets, indices, dvalues)
        _sample(transposed.direct, grad, indices, dvalues, onto=True)
    elif os.environ.get("GSRGNN_ATOMIC") and plan.symmetric(transposed):
        aggregate_backward_atomic(transposed, grad, indices, dvalues)
    else:
        _sample(transposed, grad, indices, dvalues)


def aggregate_backward_atomic(transposed: Adjacency, grad: Tensor, indices: Tensor, dvalues: Tensor) -> None:
    """`aggregate_backward` over the edges by `sample_atomic`.

    Raises ValueError for a graph that `prepare` did not find symmetric.
    """
    if not plan.symmetric(transposed):
        raise ValueError("the atomic backward takes a symmetric graph, as from pins: use aggregate_backward")
    chunks, (width, k) = plan.of(transposed), (grad.shape[1], indices.shape[1])
    dvalues.zero_()
    sample_atomic.kernel(-(-k // 32), INDEX[indices.dtype])(
        _rows(chunks.row),
        len(chunks.row),
        *chunks[:4],
        *transposed[1:],
        grad,
        width,
        indices,
        k,
        dvalues,
        shared=4 * width * WARPS,
    )


@_served
def aggregate_dense(graph: Adjacency | Incidence, x: Tensor, out: Tensor, nets: Tensor | None = None) -> None:
    """`reference.aggregate_dense` into ``out [N, D]``, ``graph``, ``nets`` and bfloat16 as for `aggregate`."""
    if isinstance(graph, Incidence):
        _sum_rows(graph.to_nets, x, nets)
        _sum_rows(graph.to_cells, nets, out)
        _sum_rows(graph.direct, x, out, onto=True)
    else:
        _sum_rows(graph, x, out)


@_served
def product(values: Tensor, indices: Tensor, matrix: Tensor, out: Tensor) -> None:
    """`reference.product` into ``out [N, C]``."""
    products.product(_items(out), INDEX[indices.dtype])(
        _rows(out), values, indices, indices.shape[1], matrix, *out.shape, out
    )


@_served
def product_backward(
    values: Tensor,
    indices: Tensor,
    matrix: Tensor,
    grad: Tensor,
    dvalues: Tensor,
    dmatrix: Tensor,
    source: Source | None = None,
) -> None:
    """`reference.product_backward` into ``dvalues [N, k]`` and, by block, ``dmatrix [BLOCKS, D, C]``.

    With ``source``, ``(graph, z, nets)``, ``grad`` is first made `aggregate_dense` of ``z``.
    """
    if source:
        aggregate_dense(*source[:2], grad, *source[2:])
    index, k, tile = INDEX[indices.dtype], indices.shape[1], products.tile(len(matrix))
    products.values_gradient(_items(grad), index)(_rows(grad), indices, k, matrix, grad, *grad.shape, dvalues)
    products.matrix_gradient(index)(
        BLOCKS * -(-grad.shape[1] // tile),
        values,
        indices,
        k,
        grad,
        *grad.shape,
        tile,
        len(matrix),
        dmatrix,
        shared=4 * len(matrix) * tile,
    )


@_served
def add_layer_norm(
    z: Tensor,
    bias: Tensor,
    gain: Tensor,
    shift: Tensor,
    eps: float,
    scale: Scale,
    x: Tensor,
    sign: int = 1,
    source: Source | None = None,
    bad: Tensor | None = None,
) -> int:
    """``x += sign * layer_norm(z + bias)`` for a fixed-point ``x`` with its `Scale`: the residual update of a layer.

    With ``source``, ``(graph, h, nets)``, ``z`` is first made `aggregate_dense` of ``h``.

    Returns the first row of ``z`` whose mean or variance is not finite, or -1; ``x`` is then of no use.
    """
    if source:
        aggregate_dense(*source[:2], z, *source[2:])
    return _named(
        bad,
        z,
        lambda flag: layer_norm.add(_items(z))(_rows(z), z, bias, gain, shift, eps, *scale, sign, *z.shape, x, flag),
    )


@_served
def undo_layer_norm(
    z: Tensor,
    bias: Tensor,
    gain: Tensor,
    shift: Tensor,
    eps: float,
    scale: Scale,
    x: Tensor,
    grad: Tensor,
    dbias: Tensor,
    dgain: Tensor,
    dshift: Tensor,
    source: Source | None = None,
) -> None:
    """Take `add_layer_norm` back and differentiate it, in one pass over the rows.

    ``x`` is what it was before, to the last bit; ``z`` becomes the gradient with respect to ``z`` for the incoming
    ``grad [N, D]``; ``dbias``, ``dgain`` and ``dshift`` ``[BLOCKS, D]`` receive the parameters' gradients by block.
    """
    if source:
        aggregate_dense(*source[:2], z, *source[2:])
    warps = layer_norm.warps(z.shape[1])
    layer_norm.undo(_items(z), warps)(
        BLOCKS,
        z,
        bias,
        gain,
        shift,
        eps,
        *scale,
        *z.shape,
        x,
        grad,
        dbias,
        dgain,
        dshift,
        shared=12 * z.shape[1] * warps,
    )


def _sum_kept(adjacency, values, indices, out, onto=False):
    width, k = out.shape[1], values.shape[1]
    groups = sum_kept.groups(width, k)
    kernel = sum_kept.kernel(-(-k // 32), plan.scaled(adjacency), INDEX[indices.dtype], _type(values), onto)
    shared = 4 * (groups * width + 32) * WARPS
    if len(adjacency.indices) >= PACKED_FROM * len(values) and sum_kept.fits_sector(values, indices):
        kept = sum_kept.packed(values, indices)
    else:
        kept = values, k, indices, k, 0
    _by_chunks(kernel, adjacency, (*kept, k, groups, width), out, onto, shared)


def _sample(transposed, grad, indices, dvalues, onto=False):
    k = indices.shape[1]
    kernel = sample.kernel(-(-k // 32), plan.scaled(transposed), INDEX[indices.dtype], onto)
    _by_chunks(kernel, transposed, (grad.shape[1], grad, indices, k), dvalues, onto)


def _sum_rows(adjacency, x, out, onto=False):
    kernel = sum_rows.kernel(_items(x), plan.scaled(adjacency), _type(x), onto)
    _by_chunks(kernel, adjacency, (x, x.shape[1]), out, onto)


def _by_chunks(kernel, adjacency, inputs, out, onto, shared=0):
    """Run ``kernel`` on every chunk of the rows, then add up the rows that were cut."""
    chunks, width = plan.of(adjacency), out.shape[1]
    partial = out.new_empty(max(1, chunks.slots), width)
    kernel(_rows(chunks.row), len(chunks.row), *chunks[:4], *adjacency[1:], *inputs, out, partial, shared=shared)
    sum_kept.combine(onto)(
        _rows(chunks.split), len(chunks.split), chunks.split, adjacency.out_scale, width, partial, out
    )


def _items(x):
    return -(-x.shape[1] // 32)


def _rows(x):
    return -(-len(x) // WARPS)


def _type(x):
    return BFLOAT16 if x.dtype == torch.bfloat16 else FLOAT


@functools.cache
def _constant(value: float, device: torch.device) -> Tensor:
    return torch.full((1,), value, dtype=torch.int32 if value == FINE else torch.float32, device=device)


def _flag(like):
    return torch.full((1,), FINE, dtype=torch.int32, device=like.device)


def _named(bad: Tensor | None, like: Tensor, launch: Callable[[Tensor], None]) -> int:
    flag = _flag(like) if bad is None else bad
    launch(flag)
    if bad is not None:
        return -1
    if like.is_cuda and torch.cuda.is_current_stream_capturing():
        return -1
    row = int(flag)
    return -1 if row == FINE else row
