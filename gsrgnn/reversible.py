"""The reversible layer stack (Algorithms 1 and 2): one autograd node for all layers.

Going forward, a layer updates the two groups in place; going back, it undoes its own update and differentiates it.
With ``f(V, I) = LayerNorm(Linear(aggregate(G, (V, I))))`` a layer is

    (V2, I2) = GS(x2);   x1 <- x1 + f1(V2, I2)
    (V1, I1) = GS(x1);   x2 <- r  + f2(V1, I1)

where the residual ``r`` is ``scatter(V2, I2)`` ("sparse", Algorithm 1 line 10) or ``x2`` ("dense").
"""

import math
from types import SimpleNamespace

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from gsrgnn import kernels
from gsrgnn.cbsr import array, check_k, check_rows, index_dtype, net_table, operator, select

RESIDUALS = ("sparse", "dense")
EPS = 1e-5


class ReversibleStack(nn.Module):
    """``num_layers`` reversible layers over two groups of ``width / 2`` columns.

    The sparse residual drops what GS drops of group 2, so group 2 cannot be recomputed from a layer's output:
    ``(V2, I2)`` is kept for each layer, ``num_layers * N * k`` values and indices. With the dense residual
    everything is recomputed and only the output is kept, whatever the depth.

    What is recomputed differs from what was computed by rounding. Where the k-th and the next entry of a row are that
    close, GS may choose otherwise going back, and the gradient is then not that of the forward pass. ``keep_masks``
    keeps the choice, ``width / 2`` bits a row for each GS that is recomputed: one a layer for the sparse residual, two
    for the dense one.

    Args:
        width: columns of the stream, even.
        num_layers: at least 1.
        k: entries that GS keeps of each row of a group, ``1 <= k <= width / 2``.
        residual: ``"sparse"`` or ``"dense"``.
        keep_masks: keep which entries GS chose.

    Parameters, the first axis being the layer and the second the block (f1, f2): ``weight [L, 2, d, d]``,
    ``bias [L, 2, d]`` of the Linear and ``gain [L, 2, d]``, ``shift [L, 2, d]`` of the LayerNorm, ``d = width / 2``.

    Raises ValueError for any other width, depth, k or residual.
    """

    def __init__(self, width, num_layers, k, residual="sparse", keep_masks=False):
        super().__init__()
        if int(width) != width or width < 2 or width % 2:
            raise ValueError(f"width is {width}: the stream splits into 2 groups, so it takes an even whole number")
        if int(num_layers) != num_layers or num_layers < 1:
            raise ValueError(f"num_layers is {num_layers}: it takes a whole number, at least 1")
        if residual not in RESIDUALS:
            raise ValueError(f"residual {residual!r} is unknown; it is one of {', '.join(RESIDUALS)}")
        check_k(k, width // 2)
        self.width, self.num_layers, self.k = width, num_layers, k
        self.residual, self.keep_masks = residual, keep_masks
        shape = num_layers, 2, width // 2
        self.weight = nn.Parameter(torch.empty(*shape, width // 2))
        self.bias = nn.Parameter(torch.empty(shape))
        self.gain = nn.Parameter(torch.empty(shape))
        self.shift = nn.Parameter(torch.empty(shape))
        self._scratch = None
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

        Raises ValueError if x does not fit the graph or the parameters, or an activation is not finite.
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
        scratch = self.scratch(y, graph)
        half = _Half(self, graph, scratch)
        x1, x2 = scratch.x1, scratch.x2
        _split(y, x1, x2)
        for layer in reversed(range(self.num_layers)):
            select(x1, scratch.values, scratch.indices)
            half.run(layer, 1, scratch.values, scratch.indices)
            half.add_to(x2, layer, 1, sign=-1)
            select(x2, scratch.values, scratch.indices)
            half.run(layer, 0, scratch.values, scratch.indices)
            half.add_to(x1, layer, 0, sign=-1)
        return torch.cat([x1, x2], dim=1)

    def scratch(self, x, graph):
        """The working arrays for inputs like these: made at the first call and used again by every later one."""
        key = len(x), x.dtype, x.device, graph.via, graph.num_nets
        if self._scratch is None or self._scratch.key != key:
            d = self.width // 2
            matrix = {name: x.new_empty(len(x), d) for name in ("x1", "x2", "g1", "g2", "aggregated", "z")}
            kept = {name: x.new_empty(len(x), self.k) for name in ("values", "dvalues")}
            blocks = {name: x.new_empty(kernels.on(x.device.type).BLOCKS, d) for name in ("dgain", "dshift")}
            indices = x.new_empty(len(x), self.k, dtype=index_dtype(d))
            nets = net_table(graph, x, d)
            self._scratch = SimpleNamespace(key=key, indices=indices, nets=nets, **matrix, **kept, **blocks)
        return self._scratch

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
        return {**self.__dict__, "_scratch": None}

    def extra_repr(self):
        return f"{self.width}, num_layers={self.num_layers}, k={self.k}, residual={self.residual!r}" + (
            ", keep_masks=True" * self.keep_masks)


class _Half:
    """One block of one layer, ``f(V, I) = LayerNorm(Linear(aggregate(G, (V, I))))``, on the scratch arrays."""

    def __init__(self, stack, graph, scratch):
        self.kernels = kernels.on(graph.device.type)
        self.operator = operator(graph, scratch.z.dtype)
        self.transposed = operator(graph, scratch.z.dtype, transposed=True)
        self.weight, self.bias = stack.weight.detach(), stack.bias.detach()
        self.gain, self.shift = stack.gain.detach(), stack.shift.detach()
        self.scratch = scratch

    def run(self, layer, block, values, indices):
        """Aggregate and transform: fills ``aggregated`` and ``z``."""
        s = self.scratch
        self.kernels.aggregate(self.operator, array(values), array(indices), array(s.aggregated), array(s.nets))
        torch.addmm(self.bias[layer, block], s.aggregated, self.weight[layer, block].T, out=s.z)

    def add_to(self, x, layer, block, sign=1):
        """``x += sign * LayerNorm(z)``."""
        gain, shift = sign * self.gain[layer, block], sign * self.shift[layer, block]
        self.kernels.add_layer_norm(array(self.scratch.z), array(gain), array(shift), EPS, array(x))

    def undo(self, x, grad, layer, block, values, indices, gradients):
        """Recompute the block, take it off ``x`` and differentiate it for the incoming ``grad``.

        Adds nothing to ``grad``; the gradient of the kept values is left in ``dvalues``.
        """
        s = self.scratch
        self.run(layer, block, values, indices)
        self.kernels.undo_layer_norm(array(s.z), array(self.gain[layer, block]), array(self.shift[layer, block]), EPS,
                                     array(x), array(grad), array(s.dgain), array(s.dshift))
        dweight, dbias, dgain, dshift = (gradient[layer, block] for gradient in gradients)
        torch.sum(s.dgain, dim=0, out=dgain)
        torch.sum(s.dshift, dim=0, out=dshift)
        torch.sum(s.z, dim=0, out=dbias)
        torch.mm(s.z.T, s.aggregated, out=dweight)
        torch.mm(s.z, self.weight[layer, block], out=s.aggregated)
        self.kernels.aggregate_backward(self.transposed, array(s.aggregated), array(indices), array(s.dvalues),
                                        array(s.nets))


class _Stack(torch.autograd.Function):
    @staticmethod
    def forward(ctx, stack, graph, keep, x, *parameters):
        scratch = stack.scratch(x, graph)
        half = _Half(stack, graph, scratch)
        sparse = stack.residual == "sparse"
        kept = _Kept(stack, x, scratch.indices.dtype) if keep else None
        x1, x2 = scratch.x1, scratch.x2
        _split(x, x1, x2)
        for layer in range(stack.num_layers):
            values, indices = scratch.values, scratch.indices
            if kept and sparse:
                values, indices = kept.values[layer], kept.indices[layer]
            select(x2, values, indices)                                  # line 5
            if kept and stack.keep_masks and not sparse:
                half.kernels.pack_mask(array(indices), array(kept.masks[layer, 1]))
            half.run(layer, 0, values, indices)                          # line 6
            half.add_to(x1, layer, 0)                                    # line 7
            if sparse:
                x2.zero_()
                half.kernels.scatter_add(array(values), array(indices), array(x2))
            select(x1, scratch.values, scratch.indices)                  # line 8
            if kept and stack.keep_masks:
                half.kernels.pack_mask(array(scratch.indices), array(kept.masks[layer, 0]))
            half.run(layer, 1, scratch.values, scratch.indices)          # line 9
            half.add_to(x2, layer, 1)                                    # line 10
        out = torch.cat([x1, x2], dim=1)                                 # line 11
        if kept:
            ctx.save_for_backward(out, *parameters, kept.values, kept.indices, kept.masks)
        ctx.stack, ctx.graph = stack, graph
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        out, _, _, _, _, *kept = ctx.saved_tensors
        kept_values, kept_indices, masks = kept
        stack, scratch = ctx.stack, ctx.stack.scratch(out, ctx.graph)
        half = _Half(stack, ctx.graph, scratch)
        x1, x2, g1, g2 = scratch.x1, scratch.x2, scratch.g1, scratch.g2
        _split(out, x1, x2)
        _split(grad, g1, g2)
        gradients = [torch.empty_like(p) for p in (stack.weight, stack.bias, stack.gain, stack.shift)]
        values, indices, dvalues = scratch.values, scratch.indices, scratch.dvalues

        def select_again(x, layer, group):
            if stack.keep_masks:
                half.kernels.unpack_mask(array(masks[layer, group]), array(indices))
                half.kernels.gather(array(x), array(indices), array(values))
            else:
                select(x, values, indices)

        for layer in reversed(range(stack.num_layers)):
            select_again(x1, layer, 0)
            half.undo(x2, g2, layer, 1, values, indices, gradients)
            half.kernels.scatter_add(array(dvalues), array(indices), array(g1))
            if stack.residual == "dense":
                select_again(x2, layer, 1)
                half.undo(x1, g1, layer, 0, values, indices, gradients)
                half.kernels.scatter_add(array(dvalues), array(indices), array(g2))
            else:  # x2 is lost and not needed; of g2 the residual path passes the kept positions alone
                values2, indices2 = kept_values[layer], kept_indices[layer]
                half.undo(x1, g1, layer, 0, values2, indices2, gradients)
                half.kernels.gather(array(g2), array(indices2), array(values))
                dvalues += values
                g2.zero_()
                half.kernels.scatter_add(array(dvalues), array(indices2), array(g2))
        return None, None, None, torch.cat([g1, g2], dim=1), *gradients


class _Kept:
    """What a forward pass leaves for its backward pass, beside its output; empty where it leaves nothing."""

    def __init__(self, stack, x, index_dtype):
        sparse = stack.residual == "sparse"
        shape = stack.num_layers * sparse, len(x), stack.k
        self.values = x.new_empty(shape)
        self.indices = x.new_empty(shape, dtype=index_dtype)
        masked = stack.num_layers * stack.keep_masks
        self.masks = x.new_empty(masked, 1 if sparse else 2, len(x), -(-stack.width // 16), dtype=torch.uint8)


def _split(x, first, second):
    """Algorithm 1 line 4: the two groups of columns, copied into place."""
    d = first.shape[1]
    first.copy_(x[:, :d])
    second.copy_(x[:, d:])
