import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from gsrgnn.lab.tree import Tree


def circuit(seed, label=lambda x: torch.sin(3 * x[:, :1]) + x[:, 1:2]):
    """300 cells whose label is a function of two of four features."""
    x = torch.from_numpy(np.random.default_rng(seed).uniform(-1, 1, (300, 4))).float()
    part = torch.arange(300) % 10
    return Data(x=x, y=label(x), train_mask=part > 1, val_mask=part == 0, test_mask=part == 1)


def test_it_predicts_a_circuit_that_it_has_not_seen_in_the_label_s_units():
    tree = Tree([circuit(0), circuit(1)], [circuit(2)], rounds=60)
    unseen = circuit(3)
    guess = tree(unseen.x, None)
    assert guess.shape == (300,)
    assert guess.dtype == unseen.x.dtype
    assert (guess - unseen.y[:, 0]).square().mean() < 0.05 * unseen.y.var()
    assert 1 <= tree.rounds <= 60
    assert tree.validation > 0.95


def test_as_many_trees_are_used_as_serve_the_validation_circuits():
    noise = lambda x: torch.from_numpy(np.random.default_rng(9).normal(size=(300, 1))).float()  # noqa: E731
    assert Tree([circuit(0, noise)], [circuit(1)], rounds=40).rounds < 40
    with pytest.raises(ValueError, match="the same for all"):
        Tree([circuit(0)], [circuit(1, lambda x: torch.ones(300, 1))], rounds=2)


def test_without_validation_circuits_it_fits_the_training_cells_alone():
    one, other = circuit(0), circuit(0)
    other.y = torch.where(other.test_mask[:, None], 100.0, other.y)
    first, second = (Tree([data], rounds=20) for data in (one, other))
    assert torch.equal(first(one.x), second(one.x))
