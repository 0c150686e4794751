"""Group sparsity and sparse aggregation as differentiable operators on torch tensors (section 4.1)."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from gsrgnn import kernels
from gsrgnn.arguments import whole
from gsrgnn.graph import CircuitGraph, Via
from gsrgnn.kernels.adjacency import Array


@dataclass(frozen=True, eq=False)
class CBSR:
    """A matrix ``[N, num_columns]`` with exactly k entries in every row (compressed balanced sparse rows).

    Args:
        values: floating ``[N, k]``. `group_sparse` gives x's dtype; `aggregate` also takes them rounded to bfloat16,
            ``CBSR(m.values.bfloat16(), m.indices, m.num_columns)``, half the bytes to read.
        indices: integer ``[N, k]``, the column of each value, ascending in a row. `group_sparse` gives the smallest
            of uint8, int16 and int32 that holds ``num_columns``.
        num_columns: width of the matrix it stands for.

    Raises ValueError for shapes that differ, a column out of range, or columns that do not ascend; in code that
    ``torch.compile`` traces, where values are not known, it does not.
    """

    values: Tensor
    indices: Tensor
    num_columns: int

    def __post_init__(self) -> None:
        if torch.compiler.is_compiling():
            return
        _matrix("values", self.values, torch.float32, torch.float64, torch.bfloat16, torch.float16)
        _matrix("indices", self.indices, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
        check_devices(self.values, indices=self.indices)
        if self.values.shape != self.indices.shape:
            raise ValueError(
                f"values {list(self.values.shape)} and indices {list(self.indices.shape)} differ: "
                "CBSR takes two matrices of one shape [N, k]"
            )
        columns = whole(self.num_columns)
        if columns is None or not 1 <= columns < 2**31:
            raise ValueError(f"num_columns is {self.num_columns!r}: it takes a whole number in 1 .. {2**31 - 1}")
        object.__setattr__(self, "num_columns", columns)
        if self.k < 1 or self.k > self.num_columns:
            raise ValueError(f"k is {self.k} and the matrix has {self.num_columns} columns: k lies in 1 .. num_columns")
        if len(self.indices):
            low, high = int(self.indices.min()), int(self.indices.max())
            if low < 0 or high >= self.num_columns:
                raise ValueError(f"indices reach from {low} to {high}, outside 0 .. {self.num_columns - 1}")
        if not (self.indices[:, 1:] > self.indices[:, :-1]).all():
            raise ValueError("indices must ascend within each row, no column twice")

    @property
    def k(self) -> int:
        """Entries kept a row."""
        return self.values.shape[1]

    def to_dense(self) -> Tensor:
        """The matrix itself, ``[N, num_columns]``; differentiable with respect to the values."""
        dense = self.values.new_zeros(len(self.values), self.num_columns)
        return dense.scatter(1, self.indices.long(), self.values)


def group_sparse(x: Tensor, k: int) -> CBSR:
    """``GS(x, k)``: the k largest entries of each row as `CBSR` (section 4.1; Algorithm 1, lines 5 and 8).

    Entries are ordered by value, as by ReLU, not by magnitude; of equal ones the lowest column is kept. The
    gradient is the incoming one at the kept positions and zero elsewhere.

    Args:
        x: float32 or float64 ``[N, D]``.
        k: entries to keep, ``1 <= k <= D``.

    Raises ValueError if x is not such a matrix or holds a NaN or an infinity, or k is out of range.
    """
    x = _uncast(x, torch.float16, torch.bfloat16)
    _matrix("x", x, torch.float32, torch.float64)
    values, indices = torch.ops.gsrgnn.group_sparse(x, check_k(k, x.shape[1]))
    return _selected(values, indices, x.shape[1])


def aggregate(graph: CircuitGraph, x: Tensor | CBSR, via: Via | None = None) -> Tensor:
    """``A · x`` over a `CircuitGraph`, for a `CBSR` matrix (equation 10) or a dense ``[N, D]`` tensor.

    The gradient of CBSR values is ``dV[i, t] = (A^T dY)[i, I[i, t]]``: only the kept positions of ``A^T dY`` are
    computed (equation 11). No message, and nothing of size edges x columns, is made.

    ``via`` is the route, ``"edges"`` or ``"nets"``, of `CircuitGraph.through`; the graph's own if not given.

    Returns a dense tensor ``[N, num_columns]`` of x's dtype; of bfloat16 the sums are made and returned in float32.
    Raises ValueError if x has another number of rows than the graph has nodes, another dtype than float32, float64 or
    bfloat16, or lies on another device.
    """
    check_graph(graph)
    values = _uncast(x.values if isinstance(x, CBSR) else x, torch.float16)
    _matrix("x", values, torch.float32, torch.float64, torch.bfloat16)
    check_rows(values, graph)
    check_devices(values, graph=graph)
    if via is not None:
        graph = graph.through(via)
    if isinstance(x, CBSR):
        indices = x.indices if x.indices.device.type == "cpu" else x.indices.to(index_dtype(x.num_columns))
        return torch.ops.gsrgnn.aggregate(values, indices, x.num_columns, graph.number)
    return torch.ops.gsrgnn.aggregate_dense(values, graph.number, False)


def check_k(k: int, width: int) -> int:
    """``k`` as an int. Raises ValueError unless it is a whole number and ``1 <= k <= width``."""
    number = whole(k)
    if number is None or not 1 <= number <= width:
        raise ValueError(f"k is {k!r} and there are {width} columns: k is a whole number in 1 .. {width}")
    return number


def check_graph(graph: object) -> None:
    """Raises ValueError unless ``graph`` is a `CircuitGraph`."""
    if not isinstance(graph, CircuitGraph):
        raise ValueError(
            f"graph is a {type(graph).__name__}: it takes a CircuitGraph, as CircuitGraph.from_pins, "
            "from_edge_index and from_data make one"
        )


def check_rows(x: Tensor, graph: CircuitGraph) -> None:
    """Raises ValueError unless ``x`` has a row for each node."""
    if len(x) != graph.num_nodes:
        raise ValueError(f"x has {len(x)} rows and the graph {graph.num_nodes} nodes: give one row a node")


def check_devices(x: Tensor, **others: Tensor | CircuitGraph) -> None:
    """Raises ValueError unless ``x`` and the others, tensors or graphs by name, all lie on one device."""
    if any(other.device != x.device for other in others.values()):
        *first, last = (f"the {name} on {other.device}" for name, other in others.items())
        raise ValueError(
            f"{', '.join([f'x is on {x.device}', *first])} and {last}: move them to one device with .to(device)"
        )


def index_dtype(num_columns: int) -> torch.dtype:
    """The torch dtype of column indices below ``num_columns``."""
    return getattr(torch, kernels.index_dtype(num_columns).name)


def capturing(tensor: Tensor) -> bool:
    """Whether work on the tensor's device is being captured as a CUDA graph: nothing may wait for it then."""
    return tensor.is_cuda and torch.cuda.is_current_stream_capturing()


def array(tensor: Tensor) -> Array:
    """What a kernel takes for a tensor."""
    tensor = tensor.detach().contiguous()
    return tensor.numpy() if tensor.device.type == "cpu" else tensor


def operator(graph: CircuitGraph, dtype: torch.dtype, transposed: bool = False) -> Any:
    """What a kernel takes for a graph; prepared once."""

    def make(transposed, other=None):
        prepare = kernels.on(graph.device.type).prepare
        return graph.once(
            ("prepared", graph.via, dtype, transposed), lambda: prepare(graph.operator(dtype, transposed), other)
        )

    straight = make(False)
    return make(True, straight) if transposed else straight


def net_table(graph: CircuitGraph, like: Tensor, width: int) -> Tensor:
    """Room for the nets' sums, ``[num_summed_nets, width]``, which the kernels fill on the way."""
    return like.new_empty(graph.num_summed_nets, width)


def select(x: Tensor, values: Tensor, indices: Tensor) -> None:
    """Top k of every row of ``x`` into ``values`` and ``indices``; raises ValueError where x is not finite."""
    row = kernels.on(x.device.type).group_sparse(array(x), array(values), array(indices))
    if row >= 0:
        column = int((~torch.isfinite(x[row])).nonzero()[0, 0])
        raise ValueError(f"x[{row}, {column}] is {x[row, column].item()}: group sparsity orders finite numbers only")


def _matrix(name, x, *dtypes):
    if not isinstance(x, torch.Tensor) or x.ndim != 2 or x.layout != torch.strided:
        given = type(x).__name__ if not isinstance(x, torch.Tensor) else list(x.shape) if x.ndim != 2 else x.layout
        raise ValueError(f"{name} is {given}: it takes a dense tensor of two dimensions")
    if x.dtype not in dtypes:
        *others, last = (str(dtype).removeprefix("torch.") for dtype in dtypes)
        raise ValueError(f"{name} has dtype {x.dtype}: it takes {', '.join(others)} or {last}")


def _uncast(x, *dtypes):
    """``x`` in float32 where autocast has made it one of ``dtypes``."""
    if isinstance(x, torch.Tensor) and x.dtype in dtypes and torch.is_autocast_enabled(x.device.type):
        return x.float()
    return x


def _sum_dtype(dtype):
    """In what values are added up and their gradients computed."""
    return torch.float32 if dtype == torch.bfloat16 else dtype


def _for_kernels(values):
    """``values`` in a dtype that the kernels of their device read."""
    return values if values.is_cuda else values.to(_sum_dtype(values.dtype))


def _selected(values, indices, num_columns):
    """`CBSR` of what a kernel selected: nothing to check, which on a GPU would have to wait for it."""
    if torch.compiler.is_compiling():
        return CBSR(values, indices, num_columns)
    made = object.__new__(CBSR)
    for name, value in (("values", values), ("indices", indices), ("num_columns", num_columns)):
        object.__setattr__(made, name, value)
    return made


def _operator(schema, fake):
    """Decorator that makes a function an operator of torch's, for all devices; ``fake`` makes outputs without data."""
    name = "gsrgnn::" + schema.partition("(")[0]

    def register(function):
        torch.library.define(name, schema.partition("(")[1] + schema.partition("(")[2])
        torch.library.impl(name, "CompositeExplicitAutograd")(function)
        torch.library.register_fake(name)(fake)
        return function

    return register


def _differentiable(name, setup_context):
    def register(backward):
        torch.library.register_autograd(f"gsrgnn::{name}", once_differentiable(backward), setup_context=setup_context)
        return backward

    return register


@_operator(
    "group_sparse(Tensor x, int k) -> (Tensor, Tensor)",
    lambda x, k: (x.new_empty(len(x), k), x.new_empty(len(x), k, dtype=index_dtype(x.shape[1]))),
)
def _group_sparse(x, k):
    values = x.new_empty(len(x), k)
    indices = x.new_empty(len(x), k, dtype=index_dtype(x.shape[1]))
    select(x, values, indices)
    return values, indices


@_operator(
    "scatter(Tensor values, Tensor indices, int num_columns) -> Tensor",
    lambda values, indices, num_columns: values.new_empty(len(values), num_columns),
)
def _scatter(values, indices, num_columns):
    dense = values.new_zeros(len(values), num_columns)
    kernels.on(values.device.type).scatter_add(array(values), array(indices), array(dense))
    return dense


def _keep_indices(ctx, inputs, output):
    ctx.num_columns = inputs[0].shape[1]
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(output[1])


@_differentiable("group_sparse", _keep_indices)
def _group_sparse_backward(ctx, grad, _):
    return torch.ops.gsrgnn.scatter(grad, ctx.saved_tensors[0], ctx.num_columns), None


@_operator(
    "aggregate(Tensor values, Tensor indices, int num_columns, int graph) -> Tensor",
    lambda values, indices, num_columns, graph: values.new_empty(
        len(values), num_columns, dtype=_sum_dtype(values.dtype)
    ),
)
def _aggregate(values, indices, num_columns, graph):
    graph = CircuitGraph.numbered(graph)
    out = values.new_empty(len(values), num_columns, dtype=_sum_dtype(values.dtype))
    kernels.on(graph.device.type).aggregate(
        operator(graph, out.dtype),
        array(_for_kernels(values)),
        array(indices),
        array(out),
        array(net_table(graph, out, num_columns)),
    )
    return out


@_operator(
    "aggregate_backward(Tensor grad, Tensor indices, int graph) -> Tensor",
    lambda grad, indices, graph: grad.new_empty(indices.shape),
)
def _sample(grad, indices, graph):
    graph = CircuitGraph.numbered(graph)
    dvalues = grad.new_empty(indices.shape)
    kernels.on(graph.device.type).aggregate_backward(
        operator(graph, grad.dtype, transposed=True),
        array(grad),
        array(indices),
        array(dvalues),
        array(net_table(graph, grad, grad.shape[1])),
    )
    return dvalues


def _keep_graph(ctx, inputs, output):
    ctx.number, ctx.dtype = inputs[3], inputs[0].dtype
    ctx.graph = CircuitGraph.numbered(ctx.number)  # alive until the backward pass
    ctx.save_for_backward(inputs[1])


@_differentiable("aggregate", _keep_graph)
def _aggregate_backward(ctx, grad):
    dvalues = torch.ops.gsrgnn.aggregate_backward(grad, ctx.saved_tensors[0], ctx.number)
    return dvalues.to(ctx.dtype), None, None, None


@_operator(
    "aggregate_dense(Tensor x, int graph, bool transposed) -> Tensor",
    lambda x, graph, transposed: x.new_empty(x.shape, dtype=_sum_dtype(x.dtype)),
)
def _aggregate_dense(x, graph, transposed):
    graph = CircuitGraph.numbered(graph)
    out = x.new_empty(x.shape, dtype=_sum_dtype(x.dtype))
    kernels.on(graph.device.type).aggregate_dense(
        operator(graph, out.dtype, transposed),
        array(_for_kernels(x)),
        array(out),
        array(net_table(graph, out, x.shape[1])),
    )
    return out


def _keep_direction(ctx, inputs, output):
    x, ctx.number, ctx.transposed = inputs
    ctx.dtype = x.dtype
    ctx.graph = CircuitGraph.numbered(ctx.number)


@_differentiable("aggregate_dense", _keep_direction)
def _aggregate_dense_backward(ctx, grad):
    return torch.ops.gsrgnn.aggregate_dense(grad, ctx.number, not ctx.transposed).to(ctx.dtype), None, None
