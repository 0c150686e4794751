"""Group sparsity and sparse aggregation as differentiable operators on torch tensors (section 4.1)."""

from dataclasses import dataclass

import torch
from torch.autograd.function import once_differentiable

from gsrgnn import kernels


@dataclass(frozen=True, eq=False)
class CBSR:
    """A matrix ``[N, num_columns]`` with exactly k entries in every row (compressed balanced sparse rows).

    Args:
        values: floating ``[N, k]``.
        indices: integer ``[N, k]``, the column of each value, ascending in a row. `group_sparse` gives the smallest
            of uint8, int16 and int32 that holds ``num_columns``.
        num_columns: width of the matrix it stands for.

    Raises ValueError for shapes that differ, a column out of range, or columns that do not ascend.
    """

    values: torch.Tensor
    indices: torch.Tensor
    num_columns: int

    def __post_init__(self):
        if self.values.ndim != 2 or self.values.shape != self.indices.shape:
            raise ValueError(f"values {list(self.values.shape)} and indices {list(self.indices.shape)} differ: "
                             "CBSR takes two matrices of one shape [N, k]")
        if self.indices.dtype.is_floating_point or self.indices.dtype == torch.bool:
            raise ValueError(f"indices have dtype {self.indices.dtype}: CBSR takes integers")
        if self.k < 1 or self.k > self.num_columns:
            raise ValueError(f"k is {self.k} and the matrix has {self.num_columns} columns: k lies in 1 .. num_columns")
        if len(self.indices):
            low, high = int(self.indices.min()), int(self.indices.max())
            if low < 0 or high >= self.num_columns:
                raise ValueError(f"indices reach from {low} to {high}, outside 0 .. {self.num_columns - 1}")
        if not (self.indices[:, 1:] > self.indices[:, :-1]).all():
            raise ValueError("indices must ascend within each row, no column twice")

    @property
    def k(self):
        """Entries kept a row."""
        return self.values.shape[1]

    def to_dense(self):
        """The matrix itself, ``[N, num_columns]``; differentiable with respect to the values."""
        dense = self.values.new_zeros(len(self.values), self.num_columns)
        return dense.scatter(1, self.indices.long(), self.values)


def group_sparse(x, k):
    """``GS(x, k)``: the k largest entries of each row as `CBSR` (section 4.1; Algorithm 1, lines 5 and 8).

    Entries are ordered by value, as by ReLU, not by magnitude; of equal ones the lowest column is kept. The
    gradient is the incoming one at the kept positions and zero elsewhere.

    Args:
        x: float32 or float64 ``[N, D]``.
        k: entries to keep, ``1 <= k <= D``.

    Raises ValueError if x is not such a matrix or holds a NaN or an infinity, or k is out of range.
    """
    _matrix("x", x)
    check_k(k, x.shape[1])
    return CBSR(*_GroupSparse.apply(x, k), x.shape[1])


def aggregate(graph, x, via=None):
    """``A · x`` over a `CircuitGraph`, for a `CBSR` matrix (equation 10) or a dense ``[N, D]`` tensor.

    The gradient of CBSR values is ``dV[i, t] = (A^T dY)[i, I[i, t]]``: only the kept positions of ``A^T dY`` are
    computed (equation 11). No message, and nothing of size edges x columns, is made.

    ``via`` is the route, ``"edges"`` or ``"nets"``, of `CircuitGraph.through`; the graph's own if not given.

    Returns a dense tensor ``[N, num_columns]`` of x's dtype. Raises ValueError if x has another number of rows than
    the graph has nodes, or lies on another device.
    """
    values = x.values if isinstance(x, CBSR) else x
    _matrix("x", values)
    check_rows(values, graph)
    if values.device != graph.device:
        raise ValueError(f"x is on {values.device} and the graph on {graph.device}: move one with .to(device)")
    if via is not None:
        graph = graph.through(via)
    if isinstance(x, CBSR):
        return _Aggregate.apply(values, x.indices, x.num_columns, graph)
    return _AggregateDense.apply(values, graph)


def check_k(k, width):
    """Raises ValueError unless ``1 <= k <= width``."""
    if int(k) != k or not 1 <= k <= width:
        raise ValueError(f"k is {k} and there are {width} columns: k is a whole number in 1 .. {width}")


def check_rows(x, graph):
    """Raises ValueError unless ``x`` has a row for each node."""
    if len(x) != graph.num_nodes:
        raise ValueError(f"x has {len(x)} rows and the graph {graph.num_nodes} nodes: give one row a node")


def index_dtype(num_columns):
    """The torch dtype of column indices below ``num_columns``."""
    return getattr(torch, kernels.index_dtype(num_columns).name)


def array(tensor):
    """What a kernel takes for a tensor."""
    return tensor.detach().contiguous().numpy()


def operator(graph, dtype, transposed=False):
    """What a kernel takes for a graph; prepared once."""
    def make(transposed, other=None):
        prepare = kernels.on(graph.device.type).prepare
        return graph.once(("prepared", graph.via, dtype, transposed),
                          lambda: prepare(_as_arrays(graph.operator(dtype, transposed)), other))

    straight = make(False)
    return make(True, straight) if transposed else straight


def _as_arrays(part):
    return part.numpy() if isinstance(part, torch.Tensor) else type(part)(*map(_as_arrays, part))


def net_table(graph, like, width):
    """Room for the nets' sums, ``[num_summed_nets, width]``, which the kernels fill on the way."""
    return like.new_empty(graph.num_summed_nets, width)


def select(x, values, indices):
    """Top k of every row of ``x`` into ``values`` and ``indices``; raises ValueError where x is not finite."""
    row = kernels.on(x.device.type).group_sparse(array(x), array(values), array(indices))
    if row >= 0:
        column = int((~torch.isfinite(x[row])).nonzero()[0, 0])
        raise ValueError(f"x[{row}, {column}] is {x[row, column].item()}: group sparsity orders finite numbers only")


def _matrix(name, x):
    if not isinstance(x, torch.Tensor) or x.ndim != 2:
        shape = list(x.shape) if isinstance(x, torch.Tensor) else type(x).__name__
        raise ValueError(f"{name} is {shape}: it takes a tensor [N, D]")
    if x.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"{name} has dtype {x.dtype}: it takes float32 or float64")


class _GroupSparse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, k):
        values = x.new_empty(len(x), k)
        indices = x.new_empty(len(x), k, dtype=index_dtype(x.shape[1]))
        select(x, values, indices)
        ctx.save_for_backward(indices)
        ctx.shape = x.shape
        ctx.mark_non_differentiable(indices)
        return values, indices

    @staticmethod
    @once_differentiable
    def backward(ctx, grad, _):
        (indices,) = ctx.saved_tensors
        dx = grad.new_zeros(ctx.shape)
        kernels.on(grad.device.type).scatter_add(array(grad), array(indices), array(dx))
        return dx, None


class _Aggregate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, indices, num_columns, graph):
        out = values.new_empty(len(values), num_columns)
        nets = net_table(graph, values, num_columns)
        kernels.on(graph.device.type).aggregate(operator(graph, values.dtype), array(values), array(indices),
                                                array(out), array(nets))
        ctx.save_for_backward(indices)
        ctx.graph = graph
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        (indices,) = ctx.saved_tensors
        dvalues = grad.new_empty(indices.shape)
        nets = net_table(ctx.graph, grad, grad.shape[1])
        transposed = operator(ctx.graph, grad.dtype, transposed=True)
        kernels.on(grad.device.type).aggregate_backward(transposed, array(grad), array(indices), array(dvalues),
                                                        array(nets))
        return dvalues, None, None, None


class _AggregateDense(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, graph):
        ctx.graph = graph
        return _product(graph, x, transposed=False)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        return _product(ctx.graph, grad, transposed=True), None


def _product(graph, x, transposed):
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    nets = net_table(graph, x, x.shape[1])
    kernels.on(x.device.type).aggregate_dense(operator(graph, x.dtype, transposed), array(x), array(out), array(nets))
    return out
