"""A model's pass over one circuit: in which mode, over which graph, and what comes out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gsrgnn.graph import CircuitGraph, Norm

if TYPE_CHECKING:
    from torch_geometric.data import Data


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to.

    Attributes:
        loss: mean squared error of the standardised label on the training cells, before each step.
        scores: the four measures on the validation cells, with the epoch's parameters.
        error: the mean squared error there.
        finite: whether every prediction was.
        seconds: of the training steps.
    """

    loss: float
    scores: dict[str, float]
    error: float
    finite: bool
    seconds: float


def predict(model: nn.Module, data: Data, graph: CircuitGraph | None = None) -> Tensor:
    """What ``model(data.x, graph)`` gives in eval mode, ``[N, C]``, in the label's units once it has been trained.

    Without a ``graph`` it is made of ``data``, with the model's `graph_norm`, and both go to the model's device. The
    model is left in the mode it was in. Raises ValueError for an output that is neither ``[N]`` nor ``[N, C]``.
    """
    x = data.x
    if graph is None:
        device = next((parameter.device for parameter in model.parameters()), x.device)
        graph, x = CircuitGraph.from_data(data, norm=graph_norm(model)).to(device), x.to(device)
    return predicted(model, x, graph)


@torch.no_grad()
def predicted(model: nn.Module, x: Tensor, graph: CircuitGraph) -> Tensor:
    """`predict` for features ``x [N, F]``."""
    torch.clear_autocast_cache()
    with in_mode(model, train=False):
        return as_columns(model(x, graph), len(x))


def graph_norm(model: nn.Module) -> Norm:
    """The norm of the graphs that ``model`` takes: ``graph_norm`` of it or of what it wraps, or else "mean"."""
    norms: Iterator[Any] = (module.graph_norm for module in model.modules() if hasattr(module, "graph_norm"))
    return next(norms, "mean")


def as_columns(output: Any, size: int) -> Tensor:
    """A model's output as ``[N, C]``. Raises ValueError unless it is that, or ``[N]``, for ``size`` cells."""
    if not isinstance(output, torch.Tensor) or output.ndim not in (1, 2) or len(output) != size:
        given = list(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise ValueError(f"model(x, graph) gives {given} for {size} cells: it must give [{size}] or [{size}, C]")
    return output if output.ndim == 2 else output[:, None]


def check_columns(y: Tensor, prediction: Tensor) -> None:
    """Raises ValueError unless label and prediction have the same shape."""
    if prediction.shape != y.shape:
        raise ValueError(
            f"y is {list(y.shape)} and the model gives {list(prediction.shape)}: make it with "
            f"out_channels={y.shape[1]}, or choose the columns of y"
        )


@contextmanager
def in_mode(model: nn.Module, train: bool) -> Iterator[None]:
    """``model`` in train or eval mode; each of its modules is in its own again afterwards."""
    found = [(module, module.training) for module in model.modules()]
    model.train(train)
    try:
        yield
    finally:
        for module, training in found:
            module.training = training
