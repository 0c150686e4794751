import pytest
import torch
from torch_geometric import seed_everything
from torch_geometric.data import Data

from gsrgnn import GSRGNN, CircuitGraph, aggregate
from gsrgnn.baselines import RevGNN
from gsrgnn.training import predict, train, tune


@pytest.fixture(scope="module")
def data():
    """A label that is the neighbours' mean of a feature: learnable, and only through the graph."""
    seed_everything(0)
    num_nodes = 300
    edge_index = torch.randint(0, num_nodes, (2, 1500))
    graph = CircuitGraph.from_edge_index(edge_index, num_nodes, self_loops=True)
    x = torch.randn(num_nodes, 4)
    part = torch.arange(num_nodes) % 10
    return Data(x=x, y=aggregate(graph, x)[:, :1], train_mask=part < 8, val_mask=part == 8, test_mask=part == 9), graph


def run(data, model=GSRGNN, **options):
    seed_everything(1)
    defaults = dict(num_layers=3, k=4) if model is GSRGNN else dict(num_layers=3)
    return train(model(4, 16, **defaults), *data, **{"epochs": 40, "learning_rate": 1e-2, **options})


@pytest.mark.parametrize("model", [GSRGNN, RevGNN])
def test_it_learns(data, model):
    result = run(data, model)
    assert list(result.history.epoch) == list(range(1, 41))
    assert result.history.loss.iloc[-1] < result.history.loss.iloc[0] / 3
    assert result.test["pearson"] > 0.8
    assert result.history.pearson[result.best_epoch - 1] == result.history.pearson.max()


def test_same_seed_same_result(data):
    first, second = run(data, epochs=5), run(data, epochs=5)
    assert first.test == second.test
    assert torch.equal(first.prediction, second.prediction)


def test_the_model_keeps_the_best_epoch(data):
    seed_everything(1)
    model = GSRGNN(4, 16, num_layers=2, k=4)
    result = train(model, *data, epochs=15, learning_rate=0.3)
    known = data[0].y[data[0].train_mask]
    assert torch.equal((predict(model, *data) * known.std() + known.mean()).flatten(), result.prediction)


def test_bad_training(data):
    with pytest.raises(ValueError, match="epochs is 0"):
        run(data, epochs=0)
    with pytest.raises(ValueError, match="diverged at epoch .* lower learning_rate, which is 1e"):
        run(data, model=RevGNN, learning_rate=1e30)


def test_without_a_gpu_a_cuda_graph_is_refused_with_the_reason_and_training_goes_on(data):
    with pytest.warns(UserWarning, match="no CUDA graph: the model is on the CPU"):
        result = run(data, epochs=2, cuda_graph=True)
    assert torch.equal(result.prediction, run(data, epochs=2).prediction)


def test_the_rate_is_chosen_by_validation_alone(data):
    def make():
        seed_everything(1)
        return GSRGNN(4, 16, num_layers=3, k=4)

    whole, graph = data
    rate, chosen = tune(make, whole, graph, epochs=5, learning_rates=[1e-5, 1e-2])
    each = {rate: run(data, epochs=5, learning_rate=rate) for rate in (1e-5, 1e-2)}
    assert rate == max(each, key=lambda rate: each[rate].history["pearson"].max()) == 1e-2
    assert chosen.test == each[rate].test
    untouched = whole.clone()
    untouched.y = torch.where(whole.test_mask[:, None], torch.randn_like(whole.y), whole.y)
    assert tune(make, untouched, graph, epochs=5, learning_rates=[1e-5, 1e-2])[0] == rate


def test_a_rate_at_which_training_diverges_is_passed_over(data):
    def make():
        seed_everything(1)
        return GSRGNN(4, 16, num_layers=3, k=4)

    rate, _ = tune(make, *data, epochs=3, learning_rates=[1e30, 1e-2])
    assert rate == 1e-2
    with pytest.raises(ValueError, match="diverged"):
        tune(make, *data, epochs=3, learning_rates=[1e30])
    with pytest.raises(ValueError, match="learning_rates is empty"):
        tune(make, *data, epochs=3, learning_rates=[])
