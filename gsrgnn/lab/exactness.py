"""How exact a recomputed gradient is: `ReversibleStack` against the same forward pass, left to autograd."""

import copy

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, linear

from gsrgnn.cbsr import CBSR, aggregate, group_sparse
from gsrgnn.graph import CircuitGraph
from gsrgnn.reversible import EPS, ReversibleStack


def plain(
    stack: ReversibleStack,
    x: Tensor,
    graph: CircuitGraph,
    choices: Tensor | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Algorithm 1 with every activation kept by autograd: ``x [N, width]`` through the layers of a `ReversibleStack`.

    ``choices [L, 2, N, k]`` are the columns to keep in place of the largest, as `ReversibleStack.choices` gives them.
    ``mask [N, width]`` is what dropout multiplies the kept entries by, the first half for block f1, before aggregation.
    """

    def keep(group, layer, number):
        if choices is None:
            kept = group_sparse(group, stack.k)
        else:
            indices = choices[layer, number]
            kept = CBSR(group.gather(1, indices.long()), indices, group.shape[1])
        if stack.values == "full":
            return kept
        rounded = kept.values.detach().bfloat16().to(group.dtype)
        return CBSR(
            kept.values + (rounded - kept.values).detach(), kept.indices, kept.num_columns
        )  # exact: they are close

    # One unbind for all layers: the gradient of weight[layer, number] would be as large as weight, at each of them.
    weight, bias, gain, shift = (parameter.flatten(0, 1).unbind() for parameter in stack.parameters())

    def block(kept, layer, number):
        if mask is not None:
            factors = mask.chunk(2, dim=1)[number].gather(1, kept.indices.long())
            kept = CBSR(kept.values * factors, kept.indices, kept.num_columns)
        at = 2 * layer + number
        z = linear(aggregate(graph, kept), weight[at], bias[at])
        return layer_norm(z, z.shape[1:], gain[at], shift[at], EPS)

    x1, x2 = x.chunk(2, dim=1)
    for layer in range(stack.num_layers):
        kept2 = keep(x2, layer, 1)
        x1 = x1 + block(kept2, layer, 0)
        residual = kept2.to_dense() if stack.residual == "sparse" else x2
        x2 = residual + block(keep(x1, layer, 0), layer, 1)
    return torch.cat([x1, x2], dim=1)


def gradient_error(stack: ReversibleStack, x: Tensor, graph: CircuitGraph, seed: int = 0) -> dict[str, float]:
    """Relative error of the full gradient (input and parameters) of a random linear function of the stack's output.

    The reference is `plain` in float64. GS is not continuous: where two entries of a row are within rounding, float32
    and float64 may keep different ones in the forward pass, and the two are then not one function. ``"same choices"``
    is the error against float64 at the choices of the float32 forward pass, which is what recomputing adds;
    ``"own choices"`` against float64 left to itself; ``"choices that differ"`` the share of rows, over the layers and
    groups, where the two chose differently.

    Args:
        stack: a float32 `ReversibleStack`.
        x: float32 ``[N, width]``.
        graph: its `CircuitGraph`.

    Returns a dict of the three.
    """
    weight = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    exact = copy.deepcopy(stack).double()

    def gradient(run, stack, x):
        x = x.detach().requires_grad_()
        parts = torch.autograd.grad((run(x) * weight.to(x)).sum(), [x, *stack.parameters()])
        return torch.cat([part.flatten().double() for part in parts])

    ours = gradient(lambda x: stack(x, graph), stack, x)
    choices, own = stack.choices(x, graph), exact.choices(x.double(), graph)
    errors = {}
    for name, chosen in (("same choices", choices), ("own choices", None)):
        theirs = gradient(lambda x, chosen=chosen: plain(exact, x, graph, chosen), exact, x.double())
        errors[name] = float((ours - theirs).norm() / theirs.norm())
    return {**errors, "choices that differ": float((choices != own).any(-1).double().mean())}
