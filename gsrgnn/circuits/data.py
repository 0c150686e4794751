"""From a netlist to the `Data` that models are trained on."""

from dataclasses import replace

import numpy as np
import torch
from torch_geometric.data import Data

from gsrgnn.circuits import congestion, table1
from gsrgnn.circuits.features import FEATURE_NAMES, cell_features

SOURCES = {
    "circuitnet": "CircuitNet: global routing overflow ({combine})",
    "routed": "simulated: global routing",
    "rudy": "simulated: RUDY",
}


class Circuit(Data):
    """A PyG `Data` whose pins are renumbered when several circuits become one `Batch`."""

    def __inc__(self, key, value, *args, **kwargs):
        if key == "cell":
            return self.num_nodes
        if key == "net":
            return int(value.max()) + 1 if value.numel() else 0
        return super().__inc__(key, value, *args, **kwargs)


def to_data(netlist, label="routed", combine="max", maps=None):
    """`netlist` with features, label and split, as described at `gsrgnn.circuits.load`.

    label: a key of `SOURCES`. maps: the `Congestion` that a label "circuitnet" or "routed" is made of; without it
    the netlist is routed here.
    """
    if label == "rudy":
        values, about = _rudy_label(netlist), {}
    else:
        maps = maps or congestion.routed(netlist)
        netlist = replace(netlist, grid=maps.horizontal.shape)
        values = congestion.cell_label(maps.horizontal, maps.vertical, netlist.box, combine)
        about = {"combine": combine, "share": float((values > 0).mean())}
        if maps.capacity is not None:
            about["capacity"] = tuple(float(side) for side in maps.capacity)
    scale = float(values.max()) or 1.0
    train, val, test = _split(netlist.num_cells, table1.held_share(netlist.name))
    return Circuit(
        x=torch.from_numpy(cell_features(netlist)),
        y=torch.from_numpy((values / scale).astype(np.float32))[:, None],
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
        label=label,
        label_source=SOURCES[label].format(combine=combine),
        label_scale=scale,
        num_nodes=netlist.num_cells,
        **about,
    )


def _rudy_label(netlist):
    """RUDY with every pin at its cell's centre: the mean demand over the gcells that a cell covers."""
    demand = congestion.rudy(netlist.net, netlist.centre.astype(np.int64)[netlist.cell], netlist.grid)
    return congestion.box_mean(demand, netlist.box).clip(min=0)


def _split(num_cells, share):
    """Train, validation and test masks by cell: `share` each to the last two, the same at every call."""
    order = np.random.default_rng(0).permutation(num_cells)
    held = round(share * num_cells)
    masks = torch.zeros(3, num_cells, dtype=torch.bool)
    for mask, part in zip(masks, (order[2 * held :], order[:held], order[held : 2 * held]), strict=True):
        mask[torch.from_numpy(part)] = True
    return masks.unbind()
