"""Small circuits whose label is learnable through the graph alone, and a data set that reads them when asked."""

import torch
from torch_geometric.data import Data

from gsrgnn import CircuitGraph, aggregate


def circuit(seed, cells=80, columns=1, **others):
    draw = torch.Generator().manual_seed(seed)
    pins = 3 * cells + 10 * seed
    cell = torch.randint(0, cells, (pins,), generator=draw)
    net = torch.randint(0, cells, (pins,), generator=draw)
    x = torch.randn(cells, 4, generator=draw)
    graph = CircuitGraph.from_pins(cell, net, cells)
    part = torch.arange(cells) % 10
    return Data(
        x=x,
        y=300 + 20 * aggregate(graph, x)[:, :columns],
        cell=cell,
        net=net,
        num_nodes=cells,
        name=f"c{seed}",
        train_mask=part < 6,
        val_mask=(part == 6) | (part == 7),
        test_mask=part > 7,
        **{"features": "netlist", "feature_names": list("abcd"), "label": "routed", **others},
    )


class Read(torch.utils.data.Dataset):
    """Circuits made anew each time; `read` has their numbers."""

    def __init__(self, seeds):
        self.seeds, self.read = seeds, []

    def __len__(self):
        return len(self.seeds)

    def __getitem__(self, number):
        self.read.append(number)
        return circuit(self.seeds[number])
