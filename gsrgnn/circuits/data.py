"""From a netlist to the `Data` that models are trained on."""

import numpy as np
import torch
from torch_geometric.data import Data

from gsrgnn.circuits.congestion import box_mean, rudy
from gsrgnn.circuits.features import FEATURE_NAMES, cell_features

LABEL_SOURCE = "simulated: RUDY"
_SMALLER_TRAIN = ("circuitnet/5324-", "circuitnet/639-")  # 70/15/15 in the paper's Table 1


def to_data(netlist):
    """`netlist` with features, label and split, as described at `gsrgnn.circuits.load`.

    Label: pins lie at their cell's centre; a cell has the mean of the demand over the gcells it covers.
    """
    demand = rudy(netlist.net, netlist.centre.astype(np.int64)[netlist.cell], netlist.grid)
    label = box_mean(demand, netlist.box).clip(min=0)
    scale = float(label.max()) or 1.0
    train, val, test = _split(netlist.num_cells, 0.15 if netlist.name.startswith(_SMALLER_TRAIN) else 0.10)
    return Data(
        x=torch.from_numpy(cell_features(netlist)),
        y=torch.from_numpy((label / scale).astype(np.float32))[:, None],
        pos=torch.from_numpy(netlist.centre.astype(np.float32)),
        cell=torch.from_numpy(netlist.cell),
        net=torch.from_numpy(netlist.net),
        gcell=torch.from_numpy(netlist.box),
        grid=netlist.grid,
        train_mask=train,
        val_mask=val,
        test_mask=test,
        name=netlist.name,
        feature_names=list(FEATURE_NAMES),
        label_source=LABEL_SOURCE,
        label_scale=scale,
        num_nodes=netlist.num_cells,
    )


def _split(num_cells, share):
    """Train, validation and test masks by cell: `share` each to the last two, the same at every call."""
    order = np.random.default_rng(0).permutation(num_cells)
    held = round(share * num_cells)
    masks = torch.zeros(3, num_cells, dtype=torch.bool)
    for mask, part in zip(masks, (order[2 * held :], order[:held], order[held : 2 * held]), strict=True):
        mask[torch.from_numpy(part)] = True
    return masks.unbind()
