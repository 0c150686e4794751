"""Rates tried with one budget, and trainings that are kept: what was trained once is not trained again."""

import math

import pytest
from torch_geometric import seed_everything

from gsrgnn import GSRGNN, CircuitGraph, circuits
from gsrgnn.lab import tuning
from gsrgnn.lab.tuning import Budget, explored, tuned


@pytest.mark.parametrize(
    ("best", "tried"),
    [
        (2e-3, [1e-3, 2e-3, 4e-3]),
        (4e-3, [1e-3, 2e-3, 4e-3, 8e-3]),
        (3e-4, [1.25e-4, 2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3]),
        (1.0, [1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2, 6.4e-2]),
    ],
)
def test_while_the_best_rate_lies_on_an_edge_the_next_beyond_it_is_tried(best, tried):
    found = explored(lambda rate: -abs(math.log(rate / best)), [1e-3, 2e-3, 4e-3], 4)
    assert sorted(found) == pytest.approx(tried)
    assert sorted(explored(lambda rate: -rate, [1e-3, 2e-3], 0)) == [1e-3, 2e-3]
    assert list(explored(lambda rate: 0.0, [1e-3], 4)) == [1e-3]


def test_where_every_rate_diverges_lower_ones_are_tried():
    found = explored(lambda rate: rate if rate < 3e-4 else -math.inf, [1e-3, 2e-3], 4)
    assert sorted(found) == pytest.approx([1.25e-4, 2.5e-4, 5e-4, 1e-3, 2e-3])


@pytest.fixture(scope="module")
def circuit():
    data = circuits.load("synthetic/300")
    return data, CircuitGraph.from_data(data)


@pytest.fixture
def compare(circuit, tmp_path, monkeypatch):
    """Runs `tuned` on a small circuit; ``compare.trained`` has (layers, rate, epochs) of each call of `train`."""
    data, graph = circuit
    trained = []

    def train(model, *given, **options):
        run = real(model, *given, **options)
        trained.append((model.layers.num_layers, options["learning_rate"], len(run.history)))
        return run

    real = tuning.train
    monkeypatch.setattr(tuning, "train", train)

    def call(budget, num_layers=3, seed=0, k=2):
        trained.clear()
        return tuned(
            lambda layers: GSRGNN(data.num_features, 8, num_layers=layers, k=k),
            "synthetic/300",
            data,
            graph,
            num_layers=num_layers,
            seed=seed,
            budget=budget,
            folder=tmp_path,
        )

    call.trained = trained
    return call


def test_the_rate_of_a_shorter_and_shallower_training_is_taken(compare):
    found = compare(Budget(epochs=3, learning_rates=[1e-3, 1e-2, 1e-1], tuning_epochs=2, tuning_layers=1))
    assert [given[:2] for given in compare.trained[:3]] == [(1, 1e-3), (1, 1e-2), (1, 1e-1)]
    assert compare.trained[-1] == (3, found.rate, 3)
    assert found.rate == max(found.tried, key=found.tried.get)
    assert found.on_edge == (found.rate in (min(found.tried), max(found.tried)))
    assert found.in_words.startswith(f"{min(found.tried):g}: ")


def test_without_epochs_for_tuning_the_best_run_is_the_one_that_is_scored(compare, circuit):
    found = compare(Budget(epochs=3, learning_rates=[1e-2, 1e-3]))
    assert {given[2] for given in compare.trained} == {3}
    assert found.training.history["pearson"].max() == found.tried[found.rate]
    data, graph = circuit
    seed_everything(0)
    alone = tuning.train(
        GSRGNN(data.num_features, 8, num_layers=3, k=2), data, graph, epochs=3, learning_rate=found.rate
    )
    assert alone.test == found.training.test


def test_a_training_that_is_there_is_not_run_again_and_one_that_was_cut_goes_on(compare, tmp_path, monkeypatch):
    budget = Budget(epochs=4, learning_rates=[1e-2])
    whole = compare(budget)
    (file,) = tmp_path.iterdir()
    steps = []
    monkeypatch.setattr("torch.optim.Adam.step", lambda *given: steps.append(1))
    again = compare(budget)
    assert not steps
    assert again.training.test == whole.training.test
    assert again.training.prediction.equal(whole.training.prediction)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    for other in ({"seed": 1}, {"k": 3}, {"num_layers": 2}):
        compare(budget, **other)
    assert len(list(tmp_path.iterdir())) == 4
    assert steps


def test_seeds_share_the_rates_that_were_tried(compare, tmp_path):
    budget = Budget(epochs=2, learning_rates=[1e-3, 1e-2], tuning_epochs=1, tuning_layers=1)
    first = compare(budget)
    files = len(list(tmp_path.iterdir()))
    second = compare(budget, seed=1)
    assert second.tried == first.tried
    assert len(list(tmp_path.iterdir())) == files + 1


def test_divergence_everywhere_is_an_error_and_any_other_error_is_none_of_the_rates(compare, tmp_path):
    with pytest.raises(ValueError, match="training diverged"):
        compare(Budget(epochs=30, learning_rates=[1e30]))
    with pytest.raises(ValueError, match="learning_rates is empty"):
        compare(Budget(epochs=3, learning_rates=[]))
    compare(Budget(epochs=2, learning_rates=[1e-2], tuning_epochs=1))
    for file in tmp_path.iterdir():
        file.write_text("no checkpoint")
    with pytest.raises(ValueError, match="safetensors"):
        compare(Budget(epochs=2, learning_rates=[1e-2], tuning_epochs=1))
