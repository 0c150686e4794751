"""The model of the paper, and the frame it shares with its `baselines`, behind one call: ``model(x, graph)``."""

from typing import Any

import torch
from torch import Tensor, nn

from gsrgnn.arguments import positive
from gsrgnn.cbsr import capturing, check_devices, check_graph, check_rows
from gsrgnn.graph import CircuitGraph, Norm
from gsrgnn.kernels.order import Order
from gsrgnn.label import LabelScale
from gsrgnn.modes import same_in_both_modes
from gsrgnn.reversible import Residual, ReversibleStack, Values


class NodeModel(nn.Module):
    """Linear encoder, a stack of layers over the stream (``self.layers``), LayerNorm, linear head and `LabelScale`.

    ``graph_norm`` is the norm of the graph that is made for the model where none is given.
    """

    graph_norm: Norm = "mean"
    layers: nn.Module

    def __init__(self, in_channels: int, hidden_channels: int, out_channels: int) -> None:
        super().__init__()
        in_channels, hidden_channels, out_channels = (
            positive(name, size)
            for name, size in (
                ("in_channels", in_channels),
                ("hidden_channels", hidden_channels),
                ("out_channels", out_channels),
            )
        )
        self.in_channels = in_channels
        self.encoder = nn.Linear(in_channels, hidden_channels)
        self.norm = nn.LayerNorm(hidden_channels)
        self.head = nn.Linear(hidden_channels, out_channels)
        self.label_scale = LabelScale(out_channels)

    def forward(self, x: Tensor, graph: CircuitGraph) -> Tensor:
        """Predictions ``[N, out_channels]`` for features ``x [N, in_channels]`` on a `CircuitGraph` of N nodes.

        They are in the units of the label that the model was trained on.

        Raises ValueError if the two differ in size, if x has another width or dtype than the model or holds a NaN or an
        infinity, or if they are not on one device.
        """
        check_graph(graph)
        if not isinstance(x, torch.Tensor):
            raise ValueError(f"x is a {type(x).__name__}: the model takes a tensor [N, {self.in_channels}]")
        if x.ndim != 2 or x.shape[1] != self.in_channels:
            raise ValueError(f"x has shape {list(x.shape)} and the model takes [N, {self.in_channels}]")
        check_rows(x, graph)
        weight = self.encoder.weight
        check_devices(x, graph=graph, model=weight)
        autocast = x.is_floating_point() and torch.is_autocast_enabled(x.device.type)
        if x.dtype != weight.dtype and not autocast:
            raise ValueError(f"x is {x.dtype} and the model {weight.dtype}: convert one of them with .to(...)")
        if not capturing(x) and not torch.isfinite(x).all():
            row, column = (~torch.isfinite(x)).nonzero()[0].tolist()
            raise ValueError(f"x[{row}, {column}] is {x[row, column].item()}: features must be finite")
        return self.label_scale(self.head(self.norm(self.stream(self.encoder(x), graph))))

    def stream(self, x: Tensor, graph: CircuitGraph) -> Tensor:
        """The stream ``[N, hidden_channels]`` behind the layers for the stream ``x`` before them."""
        return self.layers(x, graph)

    def options(self) -> dict[str, Any]:
        """The arguments that make such a model anew."""
        return {
            "in_channels": self.in_channels,
            "hidden_channels": self.encoder.out_features,
            "out_channels": self.head.out_features,
        }


@same_in_both_modes
class GSRGNN(NodeModel):
    """GSR-GNN (Algorithm 1): a `ReversibleStack` of group-sparse layers between a linear encoder and a linear head.

    Args:
        in_channels: features a node.
        hidden_channels: width of the stream, even; each group has half of it.
        out_channels: predictions a node.
        num_layers: at least 1.
        k: entries that group sparsity keeps of each row of a group, ``1 <= k <= hidden_channels / 2``.
        residual: ``"sparse"`` (Algorithm 1) or ``"dense"`` (fully invertible).
        first: ``"aggregate"`` or ``"transform"``; if not given, the cheaper, see `ReversibleStack`.
        values: ``"full"``, or ``"bfloat16"``, which rounds what GS keeps and halves what it takes.
        dropout: probability with which an entry that GS keeps is dropped before aggregation, in train mode.

    Raises ValueError for any other width, depth, k, residual, order, values or dropout.
    """

    layers: ReversibleStack

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int = 1,
        *,
        num_layers: int,
        k: int,
        residual: Residual = "sparse",
        first: Order | None = None,
        values: Values = "full",
        dropout: float = 0.0,
    ) -> None:
        layers = ReversibleStack(hidden_channels, num_layers, k, residual, first, values, dropout)
        super().__init__(in_channels, hidden_channels, out_channels)
        self.layers = layers

    def options(self) -> dict[str, Any]:
        stack = self.layers
        return super().options() | {
            "num_layers": stack.num_layers,
            "k": stack.k,
            "residual": stack.residual,
            "first": stack.first,
            "values": stack.values,
            "dropout": stack.dropout,
        }

    def inverse(self, y: Tensor, graph: CircuitGraph) -> Tensor:
        """The encoder's output for the stack's output ``y``: `ReversibleStack.inverse`."""
        return self.layers.inverse(y, graph)
