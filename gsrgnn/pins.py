"""The pins of a PyG `Data`, and whether they are its own nodes' still.

PyG numbers an `edge_index` anew wherever it puts graphs side by side, samples nodes or orders them otherwise. Of
`cell` and `net` it knows nothing: they stay as they are, and where they still lie in range they join other cells.
`gsrgnn.circuits.Circuit` renumbers them where PyG asks it to; everywhere else the signs are `batch` and `n_id`.
"""

import torch


def pins_of(data):
    """The pins ``(cell, net)`` of a PyG ``Data``.

    Raises ValueError where an operation of PyG's left them behind: a `Batch` in which the pins of one circuit are on
    cells of another or two circuits share a net, or nodes that were chosen or reordered (``n_id``) and pins that
    were not.
    """
    cell, net = torch.as_tensor(data.cell).cpu(), torch.as_tensor(data.net).cpu()
    pins = cell.dim() == net.dim() == 1 and len(cell) == len(net) > 0 and not cell.is_floating_point()
    if pins and "batch" in data and _astray(data, cell.long(), net):
        raise ValueError("data is a batch whose pins were not renumbered, so that circuits lie on each other: make "
                         "each a gsrgnn.circuits.Circuit (Circuit.from_data, or load) before they are batched")
    if pins and "n_id" in data and _left_behind(data, cell):
        raise ValueError("data's nodes were chosen or reordered (n_id) and its pins still name those before: take a "
                         "gsrgnn.circuits.Circuit's subgraph(nodes), or sample what ToEdgeIndex() makes, without pins; "
                         "where cell counts these very nodes, del data.n_id")
    return data.cell, data.net


def _astray(data, cell, net):
    """Whether a pin of one circuit of a batch is on another, or a net on two."""
    batch = torch.as_tensor(data.batch).cpu()
    starts = (getattr(data, "_slice_dict", None) or {}).get("cell")  # of each circuit's pins, in a `Batch`
    if batch.dim() != 1 or cell.min() < 0 or cell.max() >= len(batch):
        return starts is not None
    circuit = batch[cell]
    if starts is not None and len(starts) == int(batch.max()) + 2:
        if not torch.equal(torch.arange(len(starts) - 1).repeat_interleave(starts.diff()), circuit):
            return True
    elif "n_id" not in data and len(circuit.unique()) < len(batch.unique()):
        return True
    nets, net = net.unique(return_inverse=True)
    first = torch.zeros(len(nets), dtype=torch.long).scatter_reduce(0, net, circuit, "amin", include_self=False)
    return not torch.equal(first[net], circuit)


def _left_behind(data, cell):
    n_id = torch.as_tensor(data.n_id).cpu()
    return not torch.equal(n_id, torch.arange(data.num_nodes)) or cell.max() >= data.num_nodes
