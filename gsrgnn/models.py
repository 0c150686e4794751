"""The model of the paper and the one it is measured against, behind one call: ``model(x, graph)``."""

import torch
from torch import nn
from torch_geometric.nn import SAGEConv
from torch_geometric.nn.models import GroupAddRev

from gsrgnn.cbsr import aggregate, check_rows
from gsrgnn.reversible import ReversibleStack


class _NodeModel(nn.Module):
    """Linear encoder, a stack of layers over the stream, LayerNorm and a linear head."""

    def __init__(self, in_channels, hidden_channels, out_channels):
        super().__init__()
        self.in_channels = in_channels
        self.encoder = nn.Linear(in_channels, hidden_channels)
        self.norm = nn.LayerNorm(hidden_channels)
        self.head = nn.Linear(hidden_channels, out_channels)

    def forward(self, x, graph):
        """Predictions ``[N, out_channels]`` for features ``x [N, in_channels]`` on a `CircuitGraph` of N nodes.

        Raises ValueError if the two differ in size, if x has another width or dtype than the model or holds a NaN or an
        infinity, or if they are not on one device.
        """
        if x.ndim != 2 or x.shape[1] != self.in_channels:
            raise ValueError(f"x has shape {list(x.shape)} and the model takes [N, {self.in_channels}]")
        check_rows(x, graph)
        weight = self.encoder.weight
        if (x.dtype, x.device, graph.device) != (weight.dtype, weight.device, weight.device):
            raise ValueError(f"x is {x.dtype} on {x.device}, the graph on {graph.device} and the model {weight.dtype} "
                             f"on {weight.device}: make them agree with .to(...)")
        if not torch.isfinite(x).all():
            row, column = (~torch.isfinite(x)).nonzero()[0].tolist()
            raise ValueError(f"x[{row}, {column}] is {x[row, column].item()}: features must be finite")
        return self.head(self.norm(self.layers(self.encoder(x), graph)))


class GSRGNN(_NodeModel):
    """GSR-GNN (Algorithm 1): a `ReversibleStack` of group-sparse layers between a linear encoder and a linear head.

    Args:
        in_channels: features a node.
        hidden_channels: width of the stream, even; each group has half of it.
        out_channels: predictions a node.
        num_layers: at least 1.
        k: entries that group sparsity keeps of each row of a group, ``1 <= k <= hidden_channels / 2``.
        residual: ``"sparse"`` (Algorithm 1) or ``"dense"`` (fully invertible).
        keep_masks: keep which entries were chosen, so that rounding cannot change the choice going back.

    Raises ValueError for any other width, depth, k or residual.
    """

    def __init__(self, in_channels, hidden_channels, out_channels=1, *, num_layers, k, residual="sparse",
                 keep_masks=False):
        layers = ReversibleStack(hidden_channels, num_layers, k, residual, keep_masks)
        super().__init__(in_channels, hidden_channels, out_channels)
        self.layers = layers

    def inverse(self, y, graph):
        """The encoder's output for the stack's output ``y``: `ReversibleStack.inverse`."""
        return self.layers.inverse(y, graph)


class RevGNN(_NodeModel):
    """RevGNN: PyG's ``GroupAddRev`` over blocks of LayerNorm, ReLU and ``SAGEConv``, two groups a layer.

    ``SAGEConv``'s mean is taken by `aggregate` over the graph (give it ``norm="mean"``), so that no message is made:
    the arithmetic of SAGEConv on an ``edge_index`` of the same edges, without its E x D tensor.

    Args:
        in_channels, hidden_channels, out_channels, num_layers: as for `GSRGNN`.
    """

    def __init__(self, in_channels, hidden_channels, out_channels=1, *, num_layers):
        if hidden_channels < 2 or hidden_channels % 2:
            raise ValueError(f"hidden_channels is {hidden_channels}: it splits into 2 groups, so it must be even")
        super().__init__(in_channels, hidden_channels, out_channels)
        self.layers = _Sequential(*(GroupAddRev(_SAGEBlock(hidden_channels // 2), num_groups=2)
                                    for _ in range(num_layers)))


class _Sequential(nn.Sequential):
    def forward(self, x, graph):
        for layer in self:
            x = layer(x, graph)
        return x


class _SAGEBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.conv = _GraphSAGEConv(channels, channels)

    def reset_parameters(self):
        self.norm.reset_parameters()
        self.conv.reset_parameters()

    def forward(self, x, graph):
        return self.conv(self.norm(x).relu(), graph)


class _GraphSAGEConv(SAGEConv):
    """``SAGEConv`` over a `CircuitGraph` in place of an edge_index."""

    def propagate(self, graph, x, size=None):
        return aggregate(graph, x[0])
