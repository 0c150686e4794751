"""The pins of a PyG `Data`, and whether they are its own nodes' still.

PyG numbers an `edge_index` anew wherever it puts graphs side by side, samples nodes or orders them otherwise. Of
`cell` and `net` it knows nothing: they stay as they are, and where they still lie in range they join other cells.
`gsrgnn.circuits.Circuit` renumbers them where PyG asks it to; everywhere else the signs are `batch` and `n_id`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch_geometric.data import Data


def pins_of(data: Data) -> tuple[Any, Any]:
    """The pins ``(cell, net)`` of a PyG ``Data``.

    Raises ValueError where an operation of PyG's left them behind: a `Batch` in which the pins of one circuit are on
    cells of another or two circuits share a net, or nodes that were chosen or reordered (``n_id``) and pins that
    were not.
    """
    try:
        cell, net = torch.as_tensor(data.cell).cpu(), torch.as_tensor(data.net).cpu()
    except (TypeError, ValueError, RuntimeError):  # no pins at all, as whoever reads them says
        return data.cell, data.net
    if cell.dim() != 1 or net.dim() != 1 or len(cell) != len(net) or not len(cell) or cell.is_floating_point():
        return data.cell, data.net
    if "batch" in data and (found := _astray(data, cell.long(), net)):
        raise ValueError(
            f"the batch has {found}: make the circuits gsrgnn.circuits.data.Circuit (Circuit.from_data, "
            "or load) before you batch them"
        )
    if "n_id" in data and _left_behind(data, cell):
        raise ValueError(
            "data's nodes were chosen or reordered (n_id) and its pins still name those before: take a "
            "gsrgnn.circuits.Circuit's subgraph(nodes), or sample what ToEdgeIndex() makes, without pins; "
            "where cell counts these very nodes, del data.n_id"
        )
    return data.cell, data.net


def check_pairs(cell: Tensor | np.ndarray, net: Tensor | np.ndarray) -> None:
    """Raises ValueError unless ``cell`` and ``net``, integer ``[P]``, are as long, and nets are numbered from 0."""
    if len(cell) != len(net):
        raise ValueError(f"cell has {len(cell)} entries and net has {len(net)}: give one of each for every pin")
    if len(net) and net.min() < 0:
        raise ValueError(f"net holds {int(net.min())}: nets are numbered from 0")


def _astray(data: Data, cell: Tensor, net: Tensor) -> str | None:
    """What is wrong where a pin of one circuit of a batch is on another, or a net on two; else None."""
    from_0 = "each circuit's cells numbered from 0"
    batch = torch.as_tensor(data.batch).cpu()
    starts = (getattr(data, "_slice_dict", None) or {}).get("cell")  # of each circuit's pins, in a `Batch`
    if batch.dim() != 1 or cell.min() < 0 or cell.max() >= len(batch):
        return None if starts is None else from_0
    circuit = batch[cell]
    if starts is not None and len(starts) == int(batch.max()) + 2:
        if not torch.equal(torch.arange(len(starts) - 1).repeat_interleave(starts.diff()), circuit):
            return from_0
    elif "n_id" not in data and len(circuit.unique()) < len(batch.unique()):
        return from_0
    nets, net = net.unique(return_inverse=True)
    first = torch.zeros(len(nets), dtype=torch.long).scatter_reduce(0, net, circuit, "amin", include_self=False)
    return None if torch.equal(first[net], circuit) else "nets that circuits share"


def _left_behind(data: Data, cell: Tensor) -> bool:
    n_id = torch.as_tensor(data.n_id).cpu()
    return not torch.equal(n_id, torch.arange(data.num_nodes)) or bool(cell.max() >= data.num_nodes)
