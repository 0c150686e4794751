"""The reversible layer stack (Algorithms 1 and 2): one autograd node for all layers.

Going forward, a layer updates the two groups in place; going back, it undoes its own update and differentiates it.
With ``f(V, I) = LayerNorm(A scatter(V, I) W^T + bias)`` a layer is

    (V2, I2) = GS(x2);   x1 <- x1 + f1(V2, I2)
    (V1, I1) = GS(x1);   x2 <- r  + f2(V1, I1)

where the residual ``r`` is ``scatter(V2, I2)`` ("sparse", Algorithm 1 line 10) or ``x2`` ("dense").

The two groups are fixed-point numbers, integers that count steps (`kernels.fixed_point`). Taking an update off again
then gives what was there before to the last bit; with floating-point numbers the sum rounds, and where the k-th and the
next entry of a row are close, GS would choose another one going back than it did going forward.
"""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar, get_args

import torch
from torch import Tensor, nn
from torch.utils.weak import TensorWeakRef

from gsrgnn import kernels
from gsrgnn.arguments import positive, probability
from gsrgnn.cbsr import array, capturing, check_devices, check_graph, check_k, check_rows, index_dtype, operator
from gsrgnn.eager import eager
from gsrgnn.graph import CircuitGraph
from gsrgnn.kernels.fixed_point import FIXED, Scale, crowded, scales
from gsrgnn.kernels.order import Order, cheaper_order
from gsrgnn.memory import free_memory
from gsrgnn.modes import same_in_both_modes

Residual: TypeAlias = Literal["sparse", "dense"]
Values: TypeAlias = Literal["full", "bfloat16"]
Item = TypeVar("Item")

RESIDUALS: tuple[Residual, ...] = get_args(Residual)
VALUES: tuple[Values, ...] = get_args(Values)
ORDERS: tuple[Order, ...] = get_args(Order)
EPS = 1e-5
ROUNDING = 2.0**-8  # of a number, at most, by which bfloat16 differs from it
FINE = 2**31 - 1  # in place of the row where an activation is not finite


class Parameters(NamedTuple):
    """The parameters of a `ReversibleStack`, as one call uses them."""

    weight: Tensor
    bias: Tensor
    gain: Tensor
    shift: Tensor


@dataclass(eq=False)
class Scratch:
    """The working arrays of one call, for N rows in groups of d columns, of the input's dtype unless said otherwise.

    Args:
        key: what they fit: size, dtypes, device and stream.
        groups: fixed-point ``[2, N, d]``, the stream; ``grads [2, N, d]`` its gradient.
        h, z: ``[N, d]``, of a block what was made first, and the LayerNorm's input less the bias.
        values, dvalues, indices: ``[N, k]``, what GS keeps of a group, and the gradient of the values.
        short: bfloat16 ``[N, k]`` where values are rounded, else ``[0, k]``.
        nets: ``[num_summed_nets, d]``, the nets' sums.
        matrix: ``[d, d]``, a weight transposed or its gradient; ``dmatrix [BLOCKS, d, d]`` the latter by block.
        bad: int32 ``[L, 2, 1]``, of each block the first row that was not finite, else `FINE`.
        sums: ``[3, BLOCKS, d]``, the gradients of bias, gain and shift by block.
    """

    key: tuple[Any, ...]
    groups: Tensor
    grads: Tensor
    h: Tensor
    z: Tensor
    values: Tensor
    short: Tensor
    dvalues: Tensor
    indices: Tensor
    nets: Tensor
    matrix: Tensor
    bad: Tensor
    sums: Tensor
    dmatrix: Tensor


@same_in_both_modes
class ReversibleStack(nn.Module):
    """``num_layers`` reversible layers over two groups of ``width / 2`` columns.

    The sparse residual drops what GS drops of group 2, so group 2 cannot be recomputed from a layer's output:
    ``(V2, I2)`` is kept for each layer, ``num_layers * N * k`` values and indices. With the dense residual
    everything is recomputed and only the output is kept, whatever the depth. What is kept lies in one buffer that the
    next step uses again. Several threads may call one stack: each call has working arrays of its own.

    Two groups, where equation 6 has C: Algorithms 1 and 2 are written for two. With more, the first block reads the sum
    of groups 2 to C, so that GS selects what is GS of no group, line 10 does not say what their residuals are, and the
    sparse one would lose C selections a layer, ``C * N * k`` values and indices to keep.

    All layers are one tensor to an optimizer too; `layer_rates.set_layer_rates` freezes some, or gives each its rate.

    Parameters and input are float32 or float64. Under ``torch.autocast`` the stack computes in its parameters' dtype.

    Args:
        width: columns of the stream, even.
        num_layers: at least 1.
        k: entries that GS keeps of each row of a group, ``1 <= k <= width / 2``.
        residual: ``"sparse"`` or ``"dense"``.
        first: ``"aggregate"``, ``(A S) W^T`` as the paper has it, or ``"transform"``, ``A (S W^T)``, which makes use of
            the zeros of ``S`` in the Linear too; if not given, the faster one by `kernels.order.cheaper_order`.
        values: ``"full"``, or ``"bfloat16"``: GS rounds the values that it keeps, for all that follows, so that what is
            kept for the backward pass in half the bytes is what the forward pass computed with. The gradient is that of
            this forward pass, rounding being passed as the identity.
        dropout: in train mode, the probability with which an entry that GS keeps is 0 for the aggregation, the others
            being divided by ``1 - dropout``; the residual takes it as it was. One mask ``[N, width]`` a forward pass
            serves all layers, block f1 its first half and f2 its second, as in RevGNN (Li et al., 2021). It is not
            stored: `kernels.reference.dropout_mask` is computed entry by entry, in the backward pass again, from a seed
            that the forward pass draws from torch's generator of x's device.

    Parameters, the first axis being the layer and the second the block (f1, f2): ``weight [L, 2, d, d]``,
    ``bias [L, 2, d]`` of the Linear and ``gain [L, 2, d]``, ``shift [L, 2, d]`` of the LayerNorm, ``d = width / 2``.

    Raises ValueError for any other width, depth, k, residual, order, values or dropout.
    """

    def __init__(
        self,
        width: int,
        num_layers: int,
        k: int,
        residual: Residual = "sparse",
        first: Order | None = None,
        values: Values = "full",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        width, num_layers = positive("width", width), positive("num_layers", num_layers)
        if width % 2:
            raise ValueError(f"width is {width}: the stream splits into 2 groups, so it takes an even whole number")
        if residual not in RESIDUALS:
            raise ValueError(f"residual {residual!r} is unknown; it is one of {', '.join(RESIDUALS)}")
        if first is not None and first not in ORDERS:
            raise ValueError(f"first {first!r} is unknown; it is one of {', '.join(ORDERS)}")
        if values not in VALUES:
            raise ValueError(f"values {values!r} is unknown; it is one of {', '.join(VALUES)}")
        k = check_k(k, width // 2)
        self.width, self.num_layers, self.k = width, num_layers, k
        self.residual, self.first, self.values = residual, first, values
        self.dropout = probability("dropout", dropout)
        shape = num_layers, 2, width // 2
        self.weight = nn.Parameter(torch.empty(*shape, width // 2))
        self.bias = nn.Parameter(torch.empty(shape))
        self.gain = nn.Parameter(torch.empty(shape))
        self.shift = nn.Parameter(torch.empty(shape))
        self._scratch: list[Scratch] = []
        self._free: list[tuple[Any, tuple[Tensor, Tensor, Tensor]]] = []
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise each Linear as ``torch.nn.Linear`` does and each LayerNorm to the identity."""
        bound = 1 / math.sqrt(self.width // 2)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)
        nn.init.ones_(self.gain)
        nn.init.zeros_(self.shift)

    @eager
    def forward(self, x: Tensor, graph: CircuitGraph) -> Tensor:
        """Algorithm 1: ``x [N, width]`` through all layers, ``[N, width]``.

        Raises ValueError if x does not fit the graph or the parameters, or an activation is not finite; MemoryError,
        before anything is computed, if what it has to keep does not fit.
        """
        parameters = self.parameters_now()
        x = self._input(x, graph, parameters)
        keep = torch.is_grad_enabled() and any(t.requires_grad for t in (x, *parameters))
        with torch.autocast(x.device.type, enabled=False):
            return _Stack.apply(self, graph, keep, self.draw(x.device), x, *parameters)

    def draw(self, device: torch.device | str = "cpu") -> tuple[Tensor, float] | None:
        """A forward pass's dropout: a seed, int64 ``[1]`` on ``device``, and the probability; None if there is none."""
        if not (self.training and self.dropout):
            return None
        return torch.randint(2**63 - 1, (1,), device=device), self.dropout

    @eager
    @torch.no_grad()
    def inverse(self, y: Tensor, graph: CircuitGraph) -> Tensor:
        """The ``x`` whose `forward` is ``y [N, width]``, up to rounding. Only the dense residual has one.

        Raises ValueError for the sparse one, and in train mode with dropout.
        """
        if self.residual != "dense":
            raise ValueError(
                "the sparse residual drops part of group 2 in every layer and has no inverse: use residual='dense'"
            )
        with self._block(y, graph) as block:
            block.split(y, block.scratch.groups)
            x1, x2 = block.scratch.groups
            values, indices = block.scratch.values, block.scratch.indices
            for layer in reversed(range(self.num_layers)):
                block.select(x1, 0, values, indices)
                block.update(x2, layer, 1, values, indices, sign=-1)
                block.select(x2, 1, values, indices)
                block.update(x1, layer, 0, values, indices, sign=-1)
            block.refuse(y)
            return block.join(block.scratch.groups)

    @eager
    @torch.no_grad()
    def choices(self, x: Tensor, graph: CircuitGraph) -> Tensor:
        """The columns that GS keeps in each layer for an input ``x``: ``[L, 2, N, k]``, of group 1 and of group 2.

        Raises ValueError in train mode with dropout.
        """
        chosen = x.new_empty(self.num_layers, 2, len(x), self.k, dtype=index_dtype(self.width // 2))
        with self._block(x, graph) as block:
            _forward(self, block, x, block.scratch.groups, choices=chosen)
            block.refuse(x)
        return chosen

    @contextmanager
    def _block(self, x, graph):
        if self.training and self.dropout:
            raise ValueError(
                "in train mode each forward pass of a stack with dropout has a mask of its own: call .eval() on it "
                "before inverse and choices"
            )
        parameters = self.parameters_now()
        self._input(x, graph, parameters)
        integer, scale = self.scale(x, parameters)
        with self.scratch(x, graph, integer) as scratch:
            yield _Block(self, graph, scratch, parameters, scale)

    def parameters_now(self) -> Parameters:
        """The `Parameters` as they are now: where they are parametrized or swapped in, each access may differ."""
        return Parameters(self.weight, self.bias, self.gain, self.shift)

    @torch.no_grad()
    def scale(self, x: Tensor, parameters: Parameters | None = None) -> tuple[torch.dtype, tuple[Scale, Scale]]:
        """What holds the stream of an input ``x`` without overflow: the integers' dtype and a `Scale` a group.

        Raises ValueError if x or a bound of the stream is not finite; on a GPU, which nothing waits for, the scale is
        NaN then.
        """
        parameters = parameters or self.parameters_now()
        row, column = x.new_empty(len(x)), x.new_empty(self.width)
        kernels.on(x.device.type).magnitudes(array(x), array(row), array(column))
        if self.values == "bfloat16":  # each layer may round what stays of group 2 upwards
            upwards = (1 + ROUNDING) ** self.num_layers
            gain, shift = parameters.gain * upwards, parameters.shift * upwards
            integer, scale = scales(row * upwards, column * upwards, gain, shift)
        else:
            integer, scale = scales(row, column, parameters.gain, parameters.shift)
        if not x.is_cuda:
            if scale[0].row[0].isnan():
                _refuse_stream(x)
            if integer is torch.int64 and (place := crowded(x, scale)):
                _refuse_crowded(x, *place)
        return integer, scale

    @contextmanager
    def scratch(self, x: Tensor, graph: CircuitGraph, integer: torch.dtype | None = None) -> Iterator[Scratch]:
        """The working arrays for inputs like these, lent for the block: no two calls at a time have the same.

        ``integer`` is the dtype of the stream's integers; `FIXED` of x's if not given.
        They are kept for later calls with inputs of the same size.
        """
        integer = integer or FIXED[x.dtype]
        key = len(x), x.dtype, integer, x.device, _stream(x.device), graph.num_summed_nets
        lent = _taken(self._scratch, lambda scratch: scratch.key == key)
        if lent is None:
            d, new = self.width // 2, _New(x)
            numbers = (5 * len(x) + graph.num_summed_nets) * x.itemsize + 2 * len(x) * integer.itemsize
            self._check_memory(x, numbers * d, "for its working arrays")
            lent = Scratch(
                key=key,
                groups=new(2, len(x), d, dtype=integer),
                grads=new(2, len(x), d),
                h=new(len(x), d),
                z=new(len(x), d),
                values=new(len(x), self.k),
                short=new(len(x) * (self.values == "bfloat16"), self.k, dtype=torch.bfloat16),
                dvalues=new(len(x), self.k),
                indices=new(len(x), self.k, dtype=index_dtype(d)),
                nets=new(graph.num_summed_nets, d),
                matrix=new(d, d),
                bad=new(self.num_layers, 2, 1, dtype=torch.int32),
                sums=new(3, kernels.on(x.device.type).BLOCKS, d),
                dmatrix=new(kernels.on(x.device.type).BLOCKS, d, d),
            )
        try:
            yield lent
        finally:
            self._scratch.append(lent)

    def kept(self, x: Tensor, integer: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """What a forward pass leaves for its backward pass: the groups, and each layer's values and indices.

        A buffer that an earlier step has given back is used again.
        """
        groups = 2, len(x), self.width // 2
        shape = self.num_layers * (self.residual == "sparse"), len(x), self.k
        dtype = self.kept_dtype(x)
        key = groups, integer, shape, dtype, x.device, _stream(x.device)
        with _handing_over:
            if free := _taken(self._free, lambda free: free[0] == key):
                for buffer in free[1]:
                    buffer[:0].zero_()  # a backward pass that still relies on it now fails, as after a change in place
                return free[1]
        new, indices = _New(x), index_dtype(self.width // 2)
        self._check_memory(
            x,
            x.numel() * integer.itemsize + math.prod(shape) * (dtype.itemsize + indices.itemsize),
            "to keep for its backward pass",
            keeping=True,
        )
        return new(*groups, dtype=integer), new(*shape, dtype=dtype), new(*shape, dtype=indices)

    def kept_dtype(self, x: Tensor) -> torch.dtype:
        """Of the values that are kept for the backward pass of an input ``x``."""
        return torch.bfloat16 if self.values == "bfloat16" else x.dtype

    def give_back(self, groups: Tensor, values: Tensor, indices: Tensor) -> None:
        """Hand what `kept` gave to the next forward pass."""
        key = groups.shape, groups.dtype, values.shape, values.dtype, values.device, _stream(values.device)
        self._free[:] = [(key, (groups, values, indices))]

    def buffers_in_use(self) -> list[object]:
        """The tensors of `scratch` and `kept` that later calls use again; a recorded CUDA graph writes into them."""
        return [*self._scratch, *self._free]

    def _check_memory(self, x, needed, purpose, keeping=False):
        if capturing(x):
            return
        free = free_memory(x.device)
        if needed > free:
            layer = len(x) * self.k * (self.kept_dtype(x).itemsize + index_dtype(self.width // 2).itemsize)
            fitting = 0
            if keeping and self.residual == "sparse":
                fitting = self.num_layers - math.ceil((needed - free) / layer)
            raise MemoryError(
                f"the stack needs {needed / 1e9:.1f} GB {purpose} ({len(x)} rows, width {self.width}, "
                f"{self.num_layers} layers, k {self.k}, residual {self.residual!r}) and {free / 1e9:.1f} GB are free: "
                "lower the width"
                + (
                    ", k or the depth, or use residual='dense', which keeps nothing a layer"
                    if self.residual == "sparse"
                    else ", or take a smaller graph"
                )
                + (f" ({fitting} layers would fit)" if fitting > 0 else "")
            )

    def _input(self, x, graph, parameters):
        """``x`` in the parameters' dtype where autocast made it another. Raises ValueError where something differs."""
        check_graph(graph)
        if x.ndim != 2 or x.shape[1] != self.width:
            raise ValueError(f"x has shape {list(x.shape)} and the stack takes [N, {self.width}]")
        check_rows(x, graph)
        dtypes = {parameter.dtype for parameter in parameters}
        if len(dtypes) > 1 or not dtypes <= FIXED.keys():
            raise ValueError(
                f"the parameters are {' and '.join(sorted(map(str, dtypes)))}: the stack takes float32 or "
                "float64, all the same; torch.autocast makes what surrounds it faster"
            )
        (dtype,) = dtypes
        check_devices(x, graph=graph, **parameters._asdict())
        if x.is_floating_point() and torch.is_autocast_enabled(x.device.type):
            x = x.to(dtype)
        if x.dtype != dtype:
            raise ValueError(f"x has dtype {x.dtype} and the parameters {dtype}: convert one of them")
        return x

    def get_extra_state(self) -> Tensor:
        """k, and the number of the residual in `RESIDUALS`: parameters fit another, and mean something else there."""
        return torch.tensor([self.k, RESIDUALS.index(self.residual)])

    def set_extra_state(self, state: Tensor) -> None:
        """Nothing: `_load_from_state_dict` has compared it."""

    def _load_from_state_dict(self, state_dict, prefix, *others):
        state = state_dict.get(f"{prefix}_extra_state")
        if state is not None:
            k, residual = int(state[0]), RESIDUALS[int(state[1])]
            if (k, residual) != (self.k, self.residual):
                *_, errors = others
                errors.append(
                    f"the state_dict is of a stack with k={k} and residual={residual!r}, and this one has "
                    f"k={self.k} and residual={self.residual!r}: make the model with the former"
                )
        super()._load_from_state_dict(state_dict, prefix, *others)

    def __getstate__(self):
        return {**self.__dict__, "_scratch": [], "_free": []}

    def extra_repr(self) -> str:
        return f"{self.width}, num_layers={self.num_layers}, k={self.k}, residual={self.residual!r}" + (
            f", first={self.first!r}" * bool(self.first)
            + f", values={self.values!r}" * (self.values != "full")
            + f", dropout={self.dropout}" * bool(self.dropout)
        )


_handing_over = Lock()  # of a buffer that one pass kept, to another


def _after_fork():
    global _handing_over
    _handing_over = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _New:
    """Makes empty tensors where ``x`` lies, of its dtype unless told: ordinary ones, whatever mode the caller is in."""

    def __init__(self, x):
        self.options = {"dtype": x.dtype, "device": x.device}

    def __call__(self, *shape, **options):
        with torch.inference_mode(False):
            return torch.empty(shape, **self.options | options)


def _stream(device):
    """The CUDA stream that work goes to, None on a CPU: what one stream still writes, another must not be given."""
    return torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else None


def _taken(pool: list[Item], fits: Callable[[Item], bool]) -> Item | None:
    """Take what fits out of the list ``pool``; None where nothing does, and what lies there is let go then.

    Each step is one that threads cannot share: what one takes, no other gets.
    """
    others: list[Item] = []
    while pool:
        try:
            found = pool.pop()
        except IndexError:
            break
        if fits(found):
            pool += others
            return found
        others.append(found)
    return None


class _Block:
    """One block of one layer, ``f(V, I) = LayerNorm(A scatter(V, I) W^T + bias)``, on the scratch arrays.

    ``z`` is the LayerNorm's input less the bias, ``h`` what was made first: ``A S`` or ``S W^T``.
    """

    def __init__(self, stack, graph, scratch, parameters, scale, dropout=None):
        self.kernels = kernels.on(graph.device.type)
        self.operator = operator(graph, parameters.weight.dtype)
        self.transposed = operator(graph, parameters.weight.dtype, transposed=True)
        self.weight, *self.vectors = (parameter.detach() for parameter in parameters)
        self.scratch, self.scale = scratch, scale
        self.scales = [Scale(*map(array, group)) for group in scale]
        self.rounds = stack.values == "bfloat16"
        self.dropout = dropout
        self.first = stack.first or cheaper_order(self.operator, graph.num_nodes, stack.width // 2, stack.k)

    def split(self, x, groups):
        """Algorithm 1 line 4: the two groups of columns as fixed-point numbers, into ``groups [2, N, d]``."""
        self.scratch.bad.fill_(FINE)
        for number, group in enumerate(groups):
            self.kernels.to_fixed(array(x), number * group.shape[1], self.scales[number], array(group))

    def join(self, groups):
        """Algorithm 1 line 11: the stream as floating-point numbers."""
        x = self.weight.new_empty(groups.shape[1], 2 * groups.shape[2])
        for number, group in enumerate(groups):
            self.kernels.from_fixed(array(group), self.scales[number], number * group.shape[1], array(x))
        return x

    def refuse(self, x):
        """Raises what a CPU raises on the way, where x or an activation on a GPU was not finite: waits for it once.

        Not in the capture of a CUDA graph; there what follows is NaN.
        """
        bad = self.scratch.bad
        if not bad.is_cuda or capturing(bad):
            return
        if self.scale[0].row[0].isnan():
            _refuse_stream(x)
        if int(bad.min()) < FINE:
            layer, block = divmod(int((bad.flatten() < FINE).int().argmax()), 2)
            _refuse_overflow(layer, block, int(bad[layer, block]))

    def select(self, x, group, kept, indices):
        """Lines 5 and 8: the top k of every row of ``x``, which is group 0 or 1, into ``kept`` and ``indices``.

        Returns the values to go on with: ``kept``, or where those are bfloat16 the same numbers on the scratch.
        """
        values = self.scratch.values if self.rounds else kept
        self.kernels.group_sparse_fixed(array(x), self.scales[group], array(values), array(indices))
        if self.rounds:
            short = self.scratch.short if kept is values else kept
            values.copy_(short.copy_(values))
        return values

    def selected(self, kept):
        """What `select` returned when it filled ``kept``."""
        return self.scratch.values.copy_(kept) if self.rounds else kept

    def drop(self, values, indices, block, out=None):
        """``values [N, k]``, what GS kept for the block or the gradient of what it took, after dropout.

        Into ``out``, which is the scratch's values if not given; where nothing is dropped, ``values`` as they are.
        """
        if self.dropout is None:
            return values
        out, (seed, p) = self.scratch.values if out is None else out, self.dropout
        start = block * self.scratch.h.shape[1]
        self.kernels.dropout(array(values), array(indices), start, array(seed), p, array(out))
        return out

    def run(self, layer, block, values, indices):
        """Fill ``h``, and ``z`` too unless it is a sum over neighbours.

        Returns what of ``z`` is left to the kernel of the update, its ``source``.
        """
        s, kernel = self.scratch, self.kernels
        if self.first == "transform":
            s.matrix.copy_(self.weight[layer, block].T)
            kernel.product(array(values), array(indices), array(s.matrix), array(s.h))
            return self.operator, array(s.h), array(s.nets)
        kernel.aggregate(self.operator, array(values), array(indices), array(s.h), array(s.nets))
        torch.mm(s.h, self.weight[layer, block].T, out=s.z)
        return None

    def update(self, x, layer, block, values, indices, sign=1):
        """``x += sign * f(V, I)``, Algorithm 1 lines 6 and 7, 9 and 10."""
        source = self.run(layer, block, values, indices)
        vectors = (array(vector[layer, block]) for vector in self.vectors)
        bad = {"bad": self.scratch.bad[layer, block]} if x.is_cuda else {}
        row = self.kernels.add_layer_norm(
            array(self.scratch.z), *vectors, EPS, self.scales[block], array(x), sign, source, **bad
        )
        _refuse_overflow(layer, block, row)

    def undo(self, x, grad, layer, block, values, indices, gradients):
        """Recompute the block, take it off ``x`` and differentiate it for the incoming ``grad``.

        Adds nothing to ``grad``; the gradient of the kept values is left in ``dvalues``.
        """
        s, kernel = self.scratch, self.kernels
        source = self.run(layer, block, values, indices)
        vectors = (array(vector[layer, block]) for vector in self.vectors)
        kernel.undo_layer_norm(
            array(s.z), *vectors, EPS, self.scales[block], array(x), array(grad), *array(s.sums), source
        )
        dweight, *dvectors = (gradient[layer, block] for gradient in gradients)
        for dvector, by_block in zip(dvectors, s.sums, strict=True):
            torch.sum(by_block, dim=0, out=dvector)
        if self.first == "transform":
            above = self.transposed, array(s.z), array(s.nets)
            kernel.product_backward(*map(array, (values, indices, s.matrix, s.h, s.dvalues, s.dmatrix)), source=above)
            torch.sum(s.dmatrix, dim=0, out=s.matrix)
            dweight.copy_(s.matrix.T)
        else:
            torch.mm(s.z.T, s.h, out=dweight)
            torch.mm(s.z, self.weight[layer, block], out=s.h)
            kernel.aggregate_backward(self.transposed, array(s.h), array(indices), array(s.dvalues), array(s.nets))


def _refuse_stream(x):
    if torch.isfinite(x).all():
        raise ValueError(
            "a gain or a shift of the stack is not finite, or they add up to what is not: training "
            "diverged, lower its learning rate"
        )
    row, column = (~torch.isfinite(x)).nonzero()[0].tolist()
    raise ValueError(f"x[{row}, {column}] is {x[row, column].item()}: the stream takes finite numbers only")


def _refuse_crowded(x, row, column):
    largest = min(x[row].abs().max(), x[:, column].abs().max())
    raise ValueError(
        f"x[{row}, {column}] is {x[row, column]:.3g} and its row and column reach {largest:.3g}, or a "
        "gain or shift of the stack is as large: the stream holds no such range, scale the features"
    )


def _refuse_overflow(layer, block, row):
    if row >= 0:
        raise ValueError(
            f"block {block + 1} of layer {layer} overflows in row {row}: training diverged, lower its "
            "learning rate; or x is too large to be squared, scale it"
        )


def _forward(stack, block, x, groups, kept_values=None, kept_indices=None, choices=None):
    """Algorithm 1 on ``groups [2, N, d]``; fills what it is given of the values and indices that GS keeps.

    The groups stay apart from layer to layer, so lines 4 and 11, split and join, are done once: the latter by the
    caller, who needs the groups.
    """
    block.split(x, groups)  # line 4
    x1, x2 = groups
    kept, indices = values1, indices1 = block.scratch.values, block.scratch.indices
    for layer in range(stack.num_layers):
        if kept_values is not None and stack.residual == "sparse":
            kept, indices = kept_values[layer], kept_indices[layer]
        values = block.select(x2, 1, kept, indices)  # line 5
        if choices is not None:
            choices[layer, 1] = indices
        if stack.residual == "sparse":  # of line 10, before dropout writes over the values
            block.kernels.scatter_fixed(array(values), array(indices), block.scales[1], array(x2))
        block.update(x1, layer, 0, block.drop(values, indices, 0), indices)  # lines 6, 7
        block.select(x1, 0, values1, indices1)  # line 8
        if choices is not None:
            choices[layer, 0] = indices1
        block.update(x2, layer, 1, block.drop(values1, indices1, 1), indices1)  # lines 9, 10


class _Stack(torch.autograd.Function):
    @staticmethod
    def forward(ctx, stack, graph, keep, dropout, x, *parameters):
        parameters = Parameters(*parameters)
        integer, scale = stack.scale(x, parameters)
        with stack.scratch(x, graph, integer) as scratch:
            block = _Block(stack, graph, scratch, parameters, scale, dropout)
            groups, *kept = stack.kept(x, integer) if keep else (scratch.groups,)
            _forward(stack, block, x, groups, *kept)
            block.refuse(x)
            if keep:
                ctx.save_for_backward(*parameters, *scale[0], *scale[1][1:], groups, *kept)  # the rows' are the same
                ctx.groups, ctx.version, ctx.readers = TensorWeakRef(groups), groups._version, 0
            ctx.stack, ctx.graph, ctx.dropout = stack, graph, dropout
            return block.join(groups)  # line 11

    @staticmethod
    def backward(ctx, grad):
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the stack works in place and its gradient cannot be differentiated again: call "
                "backward without create_graph=True"
            )
        stack, kept = ctx.stack, None
        with _handing_over:  # no other pass gets what is read here
            ctx.readers += 1
            own = ctx.groups()  # None where hooks kept something else
            _taken(stack._free, lambda free: own is not None and free[1][0].data_ptr() == own.data_ptr())
        try:
            parameters, scale, kept = _saved(ctx)
            if own is not None and own._version != ctx.version:  # torch looks at it too, but not where there are hooks
                raise RuntimeError(
                    "what the stack kept for this backward pass has been modified by an inplace "
                    "operation: a backward pass gave it back, and a later forward pass uses it"
                )
            gradients = [torch.empty_like(p, memory_format=torch.contiguous_format) for p in parameters]
            with (
                torch.autocast(grad.device.type, enabled=False),
                stack.scratch(grad, ctx.graph, kept[0].dtype) as scratch,
            ):
                block = _Block(stack, ctx.graph, scratch, parameters, scale, ctx.dropout)
                dx = _backward(stack, block, grad, *kept, gradients)
        finally:
            with _handing_over:
                ctx.readers -= 1
                if kept and not ctx.readers:
                    stack.give_back(*kept)
        return None, None, None, None, dx, *gradients


def _saved(ctx: Any) -> tuple[Parameters, tuple[Scale, Scale], tuple[Tensor, Tensor, Tensor]]:
    """What `_Stack.forward` saved: parameters, the two scales, and what `ReversibleStack.kept` gave."""
    saved = ctx.saved_tensors
    row, *others = saved[4:9]
    return Parameters(*saved[:4]), (Scale(row, *others[:2]), Scale(row, *others[2:])), saved[9:]


def _backward(stack, block, grad, groups, kept_values, kept_indices, gradients):
    """What Algorithm 2 is for: the gradient of `_forward`'s ``x``; the parameters' are written into ``gradients``.

    From the last layer to the first, each block is recomputed, taken off its group and differentiated (`_Block.undo`).
    As printed, Algorithm 2 takes the gradient through GS as if it were the activation, which is not Algorithm 1's
    gradient (the book's audit shows it), so its lines have no counterpart here.
    """
    x1, x2 = block.scratch.groups.copy_(groups)
    g1, g2 = block.scratch.grads
    for mine, columns in zip((g1, g2), grad.chunk(2, dim=1), strict=True):
        mine.copy_(columns)
    values, indices, dvalues = block.scratch.values, block.scratch.indices, block.scratch.dvalues
    for layer in reversed(range(stack.num_layers)):
        block.select(x1, 0, values, indices)
        block.undo(x2, g2, layer, 1, block.drop(values, indices, 1), indices, gradients)
        block.drop(dvalues, indices, 1, out=dvalues)
        block.kernels.scatter_add(array(dvalues), array(indices), array(g1))
        if stack.residual == "dense":
            block.select(x2, 1, values, indices)
            block.undo(x1, g1, layer, 0, block.drop(values, indices, 0), indices, gradients)
            block.drop(dvalues, indices, 0, out=dvalues)
            block.kernels.scatter_add(array(dvalues), array(indices), array(g2))
        else:  # x2 is lost and not needed; of g2 the residual path passes the kept positions alone
            values2, indices2 = block.selected(kept_values[layer]), kept_indices[layer]
            block.undo(x1, g1, layer, 0, block.drop(values2, indices2, 0), indices2, gradients)
            block.drop(dvalues, indices2, 0, out=dvalues)
            block.kernels.scatter_over(array(dvalues), array(indices2), array(g2))
    return torch.cat([g1, g2], dim=1)
