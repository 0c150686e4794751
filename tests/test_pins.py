import pickle

import pytest
import torch
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.loader.utils import filter_data
from torch_geometric.transforms import FixedPoints

from gsrgnn import CircuitGraph

ASTRAY = "the batch has (each circuit's cells numbered from 0|nets that circuits share): make .*Circuit.from_data"
LEFT = r"chosen or reordered \(n_id\).*subgraph.*ToEdgeIndex\(\)"


def chain(num_nodes, **more):
    """Cell i and cell i + 1 on net i."""
    net = torch.arange(num_nodes - 1)
    return Data(x=torch.zeros(num_nodes, 1), cell=torch.cat([net, net + 1]), net=net.repeat(2), **more)


class Numbered(Data):
    """Data of a user's own whose class renumbers what it names."""

    renumbered = ("cell", "net")

    def __inc__(self, key, value, *args):
        return self.num_nodes if key in self.renumbered else super().__inc__(key, value, *args)


class OnlyCells(Numbered):
    renumbered = ("cell",)


def batch(*sizes, kind=Data):
    return Batch.from_data_list([kind.from_dict(chain(size).to_dict()) for size in sizes])


@pytest.mark.parametrize("sizes", [(5, 3), (3, 5), (4, 4), (4, 4, 4)])
@pytest.mark.parametrize(
    "then",
    [
        lambda data: data,
        lambda data: pickle.loads(pickle.dumps(data)),
        lambda data: data.clone().to("cpu"),
        lambda data: Data.from_dict(data.to_dict()),
        lambda data: Batch.from_data_list([data, data]),
    ],
    ids=["batch", "pickled", "cloned", "as a dict", "batched again"],
)
def test_plain_data_in_a_batch_is_refused(sizes, then):
    with pytest.raises(ValueError, match=ASTRAY):
        CircuitGraph.from_data(then(batch(*sizes)))


def test_a_net_that_two_circuits_share_is_refused():
    with pytest.raises(ValueError, match="the batch has nets that circuits share: make .*Circuit.from_data"):
        CircuitGraph.from_data(batch(4, 4, kind=OnlyCells))


def test_one_circuit_that_is_renumbered_and_one_that_is_not():
    one, other = Numbered.from_dict(chain(4).to_dict()), chain(3)
    with pytest.raises(ValueError, match=ASTRAY):
        CircuitGraph.from_data(Batch.from_data_list([other, one]))


@pytest.mark.parametrize("sizes", [(5,), (5, 3), (4, 4, 4)])
def test_a_batch_that_was_renumbered_is_taken(sizes):
    assert CircuitGraph.from_data(batch(*sizes, kind=Numbered)).num_edges == sum(3 * size - 2 for size in sizes)
    assert CircuitGraph.from_data(batch(*sizes[:1])).num_edges == 3 * sizes[0] - 2


def test_separate_circuits_of_a_data_set_are_taken():
    class Kept(InMemoryDataset):
        def __init__(self):
            super().__init__()
            self.data, self.slices = self.collate([chain(5), chain(3)])

    assert [CircuitGraph.from_data(data).num_edges for data in Kept()] == [13, 7]


@pytest.mark.parametrize("nodes", [[4, 2, 0, 1, 3], [0, 1, 2], [3, 1], [0, 1, 2, 3, 3]])
def test_nodes_that_were_sampled_are_refused(nodes):
    whole = chain(5, edge_index=torch.tensor([[0], [1]]), n_id=torch.arange(5))
    one = torch.tensor([0])
    with pytest.raises(ValueError, match=LEFT):
        CircuitGraph.from_data(filter_data(whole, torch.tensor(nodes), one, one, one, None))


def test_nodes_that_a_transform_drew_are_refused():
    torch.manual_seed(1)
    whole = chain(5, n_id=torch.arange(5))
    assert CircuitGraph.from_data(whole).num_edges == 13
    with pytest.raises(ValueError, match=LEFT):
        CircuitGraph.from_data(FixedPoints(5, replace=False)(whole))
