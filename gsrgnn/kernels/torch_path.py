"""The operators in plain torch, on any device and for any size: what the CUDA kernels do not serve.

They take what `gsrgnn.kernels.cpu` takes, as tensors. They make dense and temporary matrices that the kernels avoid.
"""

from typing import TypeAlias

import torch
from torch import Tensor

from gsrgnn.kernels.adjacency import Adjacency, Incidence
from gsrgnn.kernels.fixed_point import Scale

BLOCKS = 1
Source: TypeAlias = tuple[Adjacency | Incidence, Tensor, Tensor]
"""What ``z`` is still to be summed from: a graph, ``h [N, D]`` and room for the nets' sums ``[M, D]``."""


def group_sparse(x: Tensor, values: Tensor, indices: Tensor, bad: Tensor | None = None) -> int:
    """`reference.group_sparse` into ``values [N, k]`` and ``indices [N, k]``; returns the first row not finite, or -1.

    With ``bad``, int32 ``[1]``, the row is written there if it is lower, and -1 is returned.
    """
    _select(x, values, indices)
    return _first(x, bad)


def group_sparse_fixed(x: Tensor, scale: Scale, values: Tensor, indices: Tensor) -> None:
    """`reference.group_sparse` of the fixed-point ``x`` with its `Scale` into ``values [N, k]`` and ``indices [N, k]``.

    In a row of one step the integers are compared, in any other the floats that they are rounded to.
    """
    steps = scale.dense()
    floats = x.to(values.dtype) / steps
    one_step = (steps == steps[:, :1]).all(1, keepdim=True)
    columns = torch.where(one_step, _largest(x, indices), _largest(floats, indices))
    indices.copy_(columns)
    values.copy_(floats.gather(1, columns))


def magnitudes(x: Tensor, row: Tensor, column: Tensor) -> None:
    """The largest magnitude of every row of ``x`` into ``row [N]`` and of every column into ``column [D]``."""
    magnitude = x.abs()
    torch.amax(magnitude, 1, out=row)
    torch.amax(magnitude, 0, out=column)


def to_fixed(x: Tensor, start: int, scale: Scale, out: Tensor) -> None:
    """`reference.to_fixed` of the columns of ``x`` from ``start`` on, into ``out [N, D]``."""
    out.copy_((x[:, start : start + out.shape[1]] * scale.dense()).round_())


def from_fixed(x: Tensor, scale: Scale, start: int, out: Tensor) -> None:
    """The numbers that the fixed-point ``x [N, D]`` stands for, into the columns of ``out`` from ``start`` on."""
    torch.div(x, scale.dense(), out=out[:, start : start + x.shape[1]])


def scatter_over(values: Tensor, indices: Tensor, out: Tensor) -> None:
    """``out [N, D]`` becomes `reference.scatter` of the values plus what it held at their places."""
    values += out.gather(1, indices.long())
    out.zero_().scatter_(1, indices.long(), values)


def scatter_add(values: Tensor, indices: Tensor, out: Tensor) -> None:
    """Add `reference.scatter` to ``out [N, D]``."""
    index = indices.long()
    out.scatter_(1, index, out.gather(1, index) + values)


def scatter_fixed(values: Tensor, indices: Tensor, scale: Scale, out: Tensor) -> None:
    """`reference.scatter` into the fixed-point ``out [N, D]``."""
    index = indices.long()
    out.zero_().scatter_(1, index, (values * scale.dense().gather(1, index)).round().to(out.dtype))


def dropout(values: Tensor, indices: Tensor, start: int, seed: Tensor, p: float, out: Tensor) -> None:
    """``values [N, k]`` times `reference.dropout_mask` at their places, column 0 being ``start`` of the mask."""
    rows = _split_mix(seed, torch.arange(len(values), device=values.device))
    numbers = _split_mix(rows[:, None], indices.long() + start)
    kept = _shifted(numbers, 33) >= int(p * 2**31)
    torch.mul(values, kept.to(values.dtype) * (1 / (1 - p)), out=out)


def aggregate(
    graph: Adjacency | Incidence, values: Tensor, indices: Tensor, out: Tensor, nets: Tensor | None = None
) -> None:
    """`reference.aggregate` into ``out [N, D]``, over an `Adjacency` or an `Incidence`."""
    aggregate_dense(graph, _dense(values.to(out.dtype), indices, out.shape[1]), out, nets)


def aggregate_backward(
    transposed: Adjacency | Incidence, grad: Tensor, indices: Tensor, dvalues: Tensor, nets: Tensor | None = None
) -> None:
    """`reference.aggregate_backward` into ``dvalues [N, k]``."""
    full = torch.empty_like(grad)
    aggregate_dense(transposed, grad, full, nets)
    torch.gather(full, 1, indices.long(), out=dvalues)


def aggregate_dense(graph: Adjacency | Incidence, x: Tensor, out: Tensor, nets: Tensor | None = None) -> None:
    """`reference.aggregate_dense` into ``out [N, D]``."""
    x = x.to(out.dtype)
    if isinstance(graph, Incidence):
        _sum_rows(graph.to_nets, x, nets)
        _sum_rows(graph.to_cells, nets, out)
        direct = torch.empty_like(out)
        _sum_rows(graph.direct, x, direct)
        out += direct
    else:
        _sum_rows(graph, x, out)


def product(values: Tensor, indices: Tensor, matrix: Tensor, out: Tensor) -> None:
    """`reference.product` into ``out [N, C]``."""
    torch.mm(_dense(values, indices, len(matrix)), matrix, out=out)


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
    torch.gather(grad @ matrix.T, 1, indices.long(), out=dvalues)
    _by_block(dmatrix, _dense(values, indices, len(matrix)).T @ grad)


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
    """``x += sign * layer_norm(z + bias)`` for a fixed-point ``x``; returns as `group_sparse` does."""
    if source:
        aggregate_dense(*source[:2], z, *source[2:])
    normal, rstd = _normal(z, bias, eps)
    x.add_(_update(normal, gain, shift, scale, x), alpha=sign)
    return _first(torch.where(rstd > 0, normal, torch.nan), bad)


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
    """Take `add_layer_norm` off ``x`` and differentiate it; ``z`` becomes its gradient."""
    if source:
        aggregate_dense(*source[:2], z, *source[2:])
    normal, rstd = _normal(z, bias, eps)
    x.sub_(_update(normal, gain, shift, scale, x))
    scaled = grad * gain
    z.copy_(rstd * (scaled - scaled.mean(1, keepdim=True) - normal * (scaled * normal).mean(1, keepdim=True)))
    for by_block, total in ((dbias, z.sum(0)), (dgain, (grad * normal).sum(0)), (dshift, grad.sum(0))):
        _by_block(by_block, total)


def _select(x, values, indices):
    columns = _largest(x, indices)
    indices.copy_(columns)
    values.copy_(x.gather(1, columns))


def _largest(x, indices):
    """The columns of as many of each row's largest entries as ``indices`` has, ascending."""
    return torch.sort(x, dim=1, descending=True, stable=True).indices[:, : indices.shape[1]].sort(dim=1).values


def _split_mix(state, number):
    """`reference.split_mix` in int64, whose sums and products have the same bits."""
    z = state + (number + 1) * (0x9E3779B97F4A7C15 - 2**64)
    z = (z ^ _shifted(z, 30)) * (0xBF58476D1CE4E5B9 - 2**64)
    z = (z ^ _shifted(z, 27)) * (0x94D049BB133111EB - 2**64)
    return z ^ _shifted(z, 31)


def _shifted(z, bits):
    """As of an unsigned number: zeros come from the left."""
    return (z >> bits) & (2 ** (64 - bits) - 1)


def _dense(values, indices, width):
    return values.new_zeros(len(values), width).scatter_(1, indices.long(), values)


def _sum_rows(adjacency, x, out):
    indptr, sources, weight, out_scale, in_scale = adjacency
    matrix = torch.sparse_csr_tensor(indptr, sources.long(), weight, (len(out), len(x)), check_invariants=False)
    torch.mul(matrix @ (in_scale[:, None] * x), out_scale[:, None], out=out)


def _normal(z, bias, eps):
    centred = z + bias
    centred -= centred.mean(1, keepdim=True)
    rstd = torch.rsqrt(centred.square().mean(1, keepdim=True) + eps)
    return centred * rstd, rstd


def _update(normal, gain, shift, scale, x):
    return ((normal * gain + shift) * scale.dense()).round().to(x.dtype)


def _by_block(out, total):
    out[0] = total
    out[1:] = 0


def _first(x, bad):
    finite = torch.isfinite(x).all(1)
    row = torch.where(finite.all(), 2**31 - 1, (~finite).int().argmax())
    if bad is not None:
        bad.copy_(torch.minimum(bad, row.to(bad.dtype)))
        return -1
    return -1 if bool(finite.all()) else int(row)
