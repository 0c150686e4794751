"""The reversible layer stack (Algorithms 1 and 2): one autograd node for all layers.

Going forward, a layer updates the two groups in place; going back, it undoes its own update and differentiates it.
With ``f(V, I) = LayerNorm(A scatter(V, I) W^T + bias)`` a layer is

    (V2, I2) = GS(x2);   x1 <- x1 + f1(V2, I2)
    (V1, I1) = GS(x1);   x2 <- r  + f2(V1, I1)

where the residual ``r`` is ``scatter(V2, I2)`` ("sparse", Algorithm 1 line 10) or ``x2`` ("dense").

The two groups are fixed-point numbers, integers that count steps of ``1 / scale``. Taking an update off again then
gives what was there before to the last bit; with floating-point numbers the sum rounds, and where the k-th and the next
entry of a row are close, GS would choose another one going back than it did going forward.
"""

import math
from types import SimpleNamespace

import torch
from torch import nn

from gsrgnn import kernels
from gsrgnn.cbsr import array, capturing, check_k, check_rows, index_dtype, net_table, operator
from gsrgnn.memory import free_memory

RESIDUALS = ("sparse", "dense")
ORDERS = ("aggregate", "transform")
FIXED = {torch.float32: torch.int32, torch.float64: torch.int64}
EPS = 1e-5
FINE = 2**31 - 1  # in place of the row where an activation is not finite


class ReversibleStack(nn.Module):
    """``num_layers`` reversible layers over two groups of ``width / 2`` columns.

    The sparse residual drops what GS drops of group 2, so group 2 cannot be recomputed from a layer's output:
    ``(V2, I2)`` is kept for each layer, ``num_layers * N * k`` values and indices. With the dense residual
    everything is recomputed and only the output is kept, whatever the depth. What is kept lies in one buffer that the
    next step uses again.

    Args:
        width: columns of the stream, even.
        num_layers: at least 1.
        k: entries that GS keeps of each row of a group, ``1 <= k <= width / 2``.
        residual: ``"sparse"`` or ``"dense"``.
        first: ``"aggregate"``, ``(A S) W^T`` as the paper has it, or ``"transform"``, ``A (S W^T)``, which makes use of
            the zeros of ``S`` in the Linear too; if not given, the faster one by `kernels.cheaper_order`.

    Parameters, the first axis being the layer and the second the block (f1, f2): ``weight [L, 2, d, d]``,
    ``bias [L, 2, d]`` of the Linear and ``gain [L, 2, d]``, ``shift [L, 2, d]`` of the LayerNorm, ``d = width / 2``.

    Raises ValueError for any other width, depth, k, residual or order.
    """

    def __init__(self, width, num_layers, k, residual="sparse", first=None):
        super().__init__()
        if int(width) != width or width < 2 or width % 2:
            raise ValueError(f"width is {width}: the stream splits into 2 groups, so it takes an even whole number")
        if int(num_layers) != num_layers or num_layers < 1:
            raise ValueError(f"num_layers is {num_layers}: it takes a whole number, at least 1")
        if residual not in RESIDUALS:
            raise ValueError(f"residual {residual!r} is unknown; it is one of {', '.join(RESIDUALS)}")
        if first is not None and first not in ORDERS:
            raise ValueError(f"first {first!r} is unknown; it is one of {', '.join(ORDERS)}")
        check_k(k, width // 2)
        self.width, self.num_layers, self.k = width, num_layers, k
        self.residual, self.first = residual, first
        shape = num_layers, 2, width // 2
        self.weight = nn.Parameter(torch.empty(*shape, width // 2))
        self.bias = nn.Parameter(torch.empty(shape))
        self.gain = nn.Parameter(torch.empty(shape))
        self.shift = nn.Parameter(torch.empty(shape))
        self._scratch = self._free = None
        self.reset_parameters()

    def reset_parameters(self):
        """Initialise each Linear as ``torch.nn.Linear`` does and each LayerNorm to the identity."""
        bound = 1 / math.sqrt(self.width // 2)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)
        nn.init.ones_(self.gain)
        nn.init.zeros_(self.shift)

    def forward(self, x, graph):
        """Algorithm 1: ``x [N, width]`` through all layers, ``[N, width]``.

        Raises ValueError if x does not fit the graph or the parameters, or an activation is not finite; MemoryError,
        before anything is computed, if what it has to keep does not fit.
        """
        self._check(x, graph)
        parameters = self.weight, self.bias, self.gain, self.shift
        keep = torch.is_grad_enabled() and any(t.requires_grad for t in (x, *parameters))
        return _Stack.apply(self, graph, keep, x, *parameters)

    @torch.no_grad()
    def inverse(self, y, graph):
        """The ``x`` whose `forward` is ``y [N, width]``, up to rounding. Only the dense residual has one."""
        if self.residual != "dense":
            raise ValueError("the sparse residual drops part of group 2 in every layer and has no inverse: "
                             "use residual='dense'")
        self._check(y, graph)
        block = _Block(self, graph, y, self.scale(y))
        block.split(y, block.scratch.groups)
        x1, x2 = block.scratch.groups
        values, indices = block.scratch.values, block.scratch.indices
        for layer in reversed(range(self.num_layers)):
            block.select(x1, values, indices)
            block.update(x2, layer, 1, values, indices, sign=-1)
            block.select(x2, values, indices)
            block.update(x1, layer, 0, values, indices, sign=-1)
        block.refuse(y)
        return block.join(block.scratch.groups)

    @torch.no_grad()
    def choices(self, x, graph):
        """The columns that GS keeps in each layer for an input ``x``: ``[L, 2, N, k]``, of group 1 and of group 2."""
        self._check(x, graph)
        chosen = x.new_empty(self.num_layers, 2, len(x), self.k, dtype=index_dtype(self.width // 2))
        block = _Block(self, graph, x, self.scale(x))
        _forward(self, block, x, block.scratch.groups, choices=chosen)
        block.refuse(x)
        return chosen

    @torch.no_grad()
    def scale(self, x):
        """Steps a unit of the fixed-point stream for an input ``x``, a power of two for which nothing can overflow.

        A row of ``LayerNorm`` lies within ``sqrt(d - 1) |gain| + |shift|``; the stream within the sum of these over the
        layers and the largest entry of ``x``. Raises ValueError if that is not finite.
        """
        d = self.width // 2
        if x.is_cuda:
            return self._device_scale(x)
        reach = (math.sqrt(d - 1) * self.gain.abs().amax(-1) + self.shift.abs().amax(-1)).double().sum(0).max()
        low, high = torch.aminmax(x) if len(x) else (x.new_tensor(0),) * 2
        bound = max(-float(low), float(high)) + float(reach)
        if not math.isfinite(bound):
            _refuse_stream(x)
        return 2.0 ** (8 * x.itemsize - 2 - max(0, math.frexp(bound)[1]))

    def _device_scale(self, x):
        """`scale` as a tensor on x's GPU, for which nothing waits; NaN where `scale` raises."""
        reach = math.sqrt(self.width // 2 - 1) * self.gain.abs().amax(-1) + self.shift.abs().amax(-1)
        bound = x.abs().amax().double() + reach.double().sum(0).max()
        steps = 8 * x.itemsize - 2 - torch.frexp(bound).exponent.clamp_min(0)
        integer, bias, digits = (torch.int32, 127, 23) if x.itemsize == 4 else (torch.int64, 1023, 52)
        power = ((steps.to(integer) + bias) << digits).view(x.dtype)  # 2 ** steps, to the bit
        return torch.where(torch.isfinite(bound), power, math.nan)

    def scratch(self, x, graph):
        """The working arrays for inputs like these: made at the first call and used again by every later one."""
        key = len(x), x.dtype, x.device, graph.num_summed_nets
        if self._scratch is None or self._scratch.key != key:
            self._scratch = None
            d = self.width // 2
            self._check_memory(x, (7 * len(x) + graph.num_summed_nets) * d * x.itemsize, "for its working arrays")
            self._scratch = SimpleNamespace(
                key=key,
                groups=x.new_empty(2, len(x), d, dtype=FIXED[x.dtype]),
                grads=x.new_empty(2, len(x), d),
                **{name: x.new_empty(len(x), d) for name in ("h", "z")},
                **{name: x.new_empty(len(x), self.k) for name in ("values", "dvalues")},
                indices=x.new_empty(len(x), self.k, dtype=index_dtype(d)),
                nets=net_table(graph, x, d),
                matrix=x.new_empty(d, d),
                bad=x.new_empty(self.num_layers, 2, 1, dtype=torch.int32),
                sums=x.new_empty(3, kernels.on(x.device.type).BLOCKS, d),
                dmatrix=x.new_empty(kernels.on(x.device.type).BLOCKS, d, d))
        return self._scratch

    def kept(self, x):
        """What a forward pass leaves for its backward pass: the groups, and each layer's values and indices.

        A buffer that an earlier step has given back is used again.
        """
        free, self._free = self._free, None
        shape = self.num_layers * (self.residual == "sparse"), len(x), self.k
        groups = 2, len(x), self.width // 2
        if free and (free[0].shape, free[1].shape, free[1].dtype) == (groups, shape, x.dtype):
            for buffer in free:
                buffer[:0].zero_()  # a backward pass that still relies on it now fails, as after any change in place
            return free
        indices = index_dtype(self.width // 2)
        self._check_memory(x, x.nbytes + math.prod(shape) * (x.itemsize + indices.itemsize),
                           "to keep for its backward pass", keeping=True)
        return x.new_empty(groups, dtype=FIXED[x.dtype]), x.new_empty(shape), x.new_empty(shape, dtype=indices)

    def _check_memory(self, x, needed, purpose, keeping=False):
        if capturing(x):
            return
        free = free_memory(x.device)
        if needed > free:
            layer = len(x) * self.k * (x.itemsize + index_dtype(self.width // 2).itemsize)
            fitting = 0
            if keeping and self.residual == "sparse":
                fitting = self.num_layers - math.ceil((needed - free) / layer)
            raise MemoryError(
                f"the stack needs {needed / 1e9:.1f} GB {purpose} ({len(x)} rows, width {self.width}, "
                f"{self.num_layers} layers, k {self.k}, residual {self.residual!r}) and {free / 1e9:.1f} GB are free: "
                "lower the width"
                + (", k or the depth, or use residual='dense', which keeps nothing a layer"
                   if self.residual == "sparse" else ", or take a smaller graph")
                + (f" ({fitting} layers would fit)" if fitting > 0 else ""))

    def _check(self, x, graph):
        if x.ndim != 2 or x.shape[1] != self.width:
            raise ValueError(f"x has shape {list(x.shape)} and the stack takes [N, {self.width}]")
        check_rows(x, graph)
        if x.dtype != self.weight.dtype:
            raise ValueError(f"x has dtype {x.dtype} and the parameters {self.weight.dtype}: convert one of them")
        if not x.device == self.weight.device == graph.device:
            raise ValueError(f"x is on {x.device}, the parameters on {self.weight.device} and the graph on "
                             f"{graph.device}: move them to one device with .to(device)")

    def __getstate__(self):
        return {**self.__dict__, "_scratch": None, "_free": None}

    def extra_repr(self):
        return f"{self.width}, num_layers={self.num_layers}, k={self.k}, residual={self.residual!r}" + (
            f", first={self.first!r}" if self.first else "")


class _Block:
    """One block of one layer, ``f(V, I) = LayerNorm(A scatter(V, I) W^T + bias)``, on the scratch arrays.

    ``z`` is the LayerNorm's input less the bias, ``h`` what was made first: ``A S`` or ``S W^T``.
    """

    def __init__(self, stack, graph, x, scale):
        self.kernels = kernels.on(graph.device.type)
        self.operator = operator(graph, x.dtype)
        self.transposed = operator(graph, x.dtype, transposed=True)
        self.weight = stack.weight.detach()
        self.vectors = [p.detach() for p in (stack.bias, stack.gain, stack.shift)]
        self.scratch = stack.scratch(x, graph)
        self.scale = scale
        self.first = stack.first or kernels.cheaper_order(self.operator, len(x), stack.width // 2, stack.k)

    def split(self, x, groups):
        """Algorithm 1 line 4: the two groups of columns as fixed-point numbers, into ``groups [2, N, d]``."""
        self.scratch.bad.fill_(FINE)
        for number, group in enumerate(groups):
            self.kernels.to_fixed(array(x), number * group.shape[1], self.scale, array(group))

    def join(self, groups):
        """Algorithm 1 line 11: the stream as floating-point numbers."""
        x = groups.new_empty(groups.shape[1], 2 * groups.shape[2], dtype=self.weight.dtype)
        for group, columns in zip(groups, x.chunk(2, dim=1), strict=True):
            columns.copy_(group).mul_(1 / self.scale)
        return x

    def refuse(self, x):
        """Raises what a CPU raises on the way, where x or an activation on a GPU was not finite: waits for it once.

        Not in the capture of a CUDA graph; there what follows is NaN.
        """
        bad = self.scratch.bad
        if not bad.is_cuda or capturing(bad):
            return
        if not torch.isfinite(self.scale):
            _refuse_stream(x)
        if int(bad.min()) < FINE:
            layer, block = divmod(int((bad.flatten() < FINE).int().argmax()), 2)
            _refuse_overflow(layer, block, int(bad[layer, block]))

    def select(self, x, values, indices):
        """Lines 5 and 8: the top k of every row of a group."""
        self.kernels.group_sparse_fixed(array(x), self.scale, array(values), array(indices))

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
        row = self.kernels.add_layer_norm(array(self.scratch.z), *vectors, EPS, self.scale, array(x), sign, source,
                                          **bad)
        _refuse_overflow(layer, block, row)

    def undo(self, x, grad, layer, block, values, indices, gradients):
        """Recompute the block, take it off ``x`` and differentiate it for the incoming ``grad``.

        Adds nothing to ``grad``; the gradient of the kept values is left in ``dvalues``.
        """
        s, kernel = self.scratch, self.kernels
        source = self.run(layer, block, values, indices)
        vectors = (array(vector[layer, block]) for vector in self.vectors)
        kernel.undo_layer_norm(array(s.z), *vectors, EPS, self.scale, array(x), array(grad), *array(s.sums), source)
        dweight, *dvectors = (gradient[layer, block] for gradient in gradients)
        for dvector, by_block in zip(dvectors, s.sums, strict=True):
            torch.sum(by_block, dim=0, out=dvector)
        if self.first == "transform":
            kernel.aggregate_dense(self.transposed, array(s.z), array(s.h), array(s.nets))
            kernel.product_backward(array(values), array(indices), array(s.matrix), array(s.h), array(s.dvalues),
                                    array(s.dmatrix))
            torch.sum(s.dmatrix, dim=0, out=s.matrix)
            dweight.copy_(s.matrix.T)
        else:
            torch.mm(s.z.T, s.h, out=dweight)
            torch.mm(s.z, self.weight[layer, block], out=s.h)
            kernel.aggregate_backward(self.transposed, array(s.h), array(indices), array(s.dvalues), array(s.nets))


def _refuse_stream(x):
    if torch.isfinite(x).all():
        raise ValueError("a gain or a shift of the stack is not finite: training diverged, lower its learning rate")
    row, column = (~torch.isfinite(x)).nonzero()[0].tolist()
    raise ValueError(f"x[{row}, {column}] is {x[row, column].item()}: the stream takes finite numbers only")


def _refuse_overflow(layer, block, row):
    if row >= 0:
        raise ValueError(f"block {block + 1} of layer {layer} overflows in row {row}: training diverged, "
                         "lower its learning rate")


def _forward(stack, block, x, groups, kept_values=None, kept_indices=None, choices=None):
    """Algorithm 1 on ``groups [2, N, d]``; fills what it is given of the values and indices that GS keeps."""
    block.split(x, groups)                                               # line 4
    x1, x2 = groups
    values, indices = values1, indices1 = block.scratch.values, block.scratch.indices
    for layer in range(stack.num_layers):
        if kept_values is not None and stack.residual == "sparse":
            values, indices = kept_values[layer], kept_indices[layer]
        block.select(x2, values, indices)                                # line 5
        if choices is not None:
            choices[layer, 1] = indices
        block.update(x1, layer, 0, values, indices)                      # lines 6, 7
        if stack.residual == "sparse":
            block.kernels.scatter_fixed(array(values), array(indices), block.scale, array(x2))
        block.select(x1, values1, indices1)                              # line 8
        if choices is not None:
            choices[layer, 0] = indices1
        block.update(x2, layer, 1, values1, indices1)                    # lines 9, 10


class _Stack(torch.autograd.Function):
    @staticmethod
    def forward(ctx, stack, graph, keep, x, *parameters):
        block = _Block(stack, graph, x, stack.scale(x))
        groups, *kept = stack.kept(x) if keep else (block.scratch.groups,)
        _forward(stack, block, x, groups, *kept)
        block.refuse(x)
        if keep:
            ctx.save_for_backward(*parameters, groups, *kept)
        ctx.stack, ctx.graph, ctx.scale = stack, graph, block.scale
        return block.join(groups)                                        # line 11

    @staticmethod
    def backward(ctx, grad):
        if torch.is_grad_enabled():
            raise RuntimeError("the stack works in place and its gradient cannot be differentiated again: call "
                               "backward without create_graph=True")
        *_, groups, kept_values, kept_indices = ctx.saved_tensors
        stack = ctx.stack
        block = _Block(stack, ctx.graph, grad, ctx.scale)
        x1, x2 = block.scratch.groups.copy_(groups)
        g1, g2 = block.scratch.grads
        for mine, columns in zip((g1, g2), grad.chunk(2, dim=1), strict=True):
            mine.copy_(columns)
        gradients = [torch.empty_like(p) for p in (stack.weight, stack.bias, stack.gain, stack.shift)]
        values, indices, dvalues = block.scratch.values, block.scratch.indices, block.scratch.dvalues
        for layer in reversed(range(stack.num_layers)):
            block.select(x1, values, indices)
            block.undo(x2, g2, layer, 1, values, indices, gradients)
            block.kernels.scatter_add(array(dvalues), array(indices), array(g1))
            if stack.residual == "dense":
                block.select(x2, values, indices)
                block.undo(x1, g1, layer, 0, values, indices, gradients)
                block.kernels.scatter_add(array(dvalues), array(indices), array(g2))
            else:  # x2 is lost and not needed; of g2 the residual path passes the kept positions alone
                values2, indices2 = kept_values[layer], kept_indices[layer]
                block.undo(x1, g1, layer, 0, values2, indices2, gradients)
                block.kernels.scatter_over(array(dvalues), array(indices2), array(g2))
        stack._free = groups, kept_values, kept_indices
        return None, None, None, torch.cat([g1, g2], dim=1), *gradients
