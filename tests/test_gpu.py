"""What a user's script does on a GPU: README's lines, the model, training, other threads and devices.

pytest -m gpu
"""

import copy
import threading

import numpy as np
import pytest
import small_def
import torch
from readme_lines import program
from torch_geometric import seed_everything

from gsrgnn import GSRGNN, CircuitGraph, aggregate, baselines, circuits, group_sparse, load_model
from gsrgnn.kernels.gpu import gpu_missing
from gsrgnn.reversible import ReversibleStack
from gsrgnn.training import predict, train

MISSING = gpu_missing()
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]
TINY, SMALL = "synthetic/24", "synthetic/600"


@pytest.fixture(scope="module", params=[TINY, SMALL])
def data(request):
    return circuits.load(request.param, label="rudy")


def on_both(data, **options):
    """Prediction and gradients of one model, on the CPU and on the GPU."""
    via = options.pop("via", "nets")
    results = []
    for device in ("cpu", "cuda"):
        seed_everything(0)
        model = GSRGNN(data.num_features, 32, num_layers=2, k=4, **options).to(device)
        graph = CircuitGraph.from_data(data).through(via).to(device)
        out = model(data.x.to(device), graph)
        out.square().mean().backward()
        results.append([out.detach().cpu(), *(p.grad.cpu() for p in model.parameters())])
    return zip(*results, strict=True)


@pytest.mark.parametrize("residual", ["sparse", "dense"])
@pytest.mark.parametrize("via", ["nets", "edges"])
@pytest.mark.parametrize("first", ["aggregate", "transform"])
def test_a_model_is_the_same_on_both(data, residual, via, first):
    for want, got in on_both(data, residual=residual, via=via, first=first):
        assert (got - want).norm() <= 2e-2 * want.norm()  # GS may choose another of two entries as good as equal


@pytest.mark.parametrize("residual", ["sparse", "dense"])
def test_rounded_values_are_the_same_on_both(residual):
    for want, got in on_both(circuits.load(SMALL, label="rudy"), residual=residual, values="bfloat16"):
        assert (got - want).norm() <= 5e-2 * want.norm()  # a value may be rounded the other way


@pytest.mark.parametrize("device", ["cuda", "cuda:0", torch.device("cuda"), 0])
def test_a_device_by_any_of_its_names(device):
    data = circuits.load(TINY, label="rudy")
    graph, model = CircuitGraph.from_data(data).to(device), GSRGNN(data.num_features, 8, num_layers=1, k=2).to(device)
    assert graph.to("cuda") is graph
    assert model(data.x.to(device), graph).is_cuda
    assert aggregate(graph, group_sparse(data.x.to(device), 2)).is_cuda


def test_readme_s_lines_on_a_gpu(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small_def.write(tmp_path, name="mine_route.def.gz")
    moved = 'data, graph, model = data.to("cuda"), graph.to("cuda"), model.to("cuda")\nprediction = model('
    names = {}
    exec(program().replace("prediction = model(", moved, 1), names)
    assert names["prediction"].is_cuda
    assert len(names["result"].history) == 4


@pytest.mark.parametrize(
    "make", [lambda n: GSRGNN(n, 32, num_layers=3, k=4), lambda n: baselines.RevGNN(n, 32, num_layers=3)]
)
@pytest.mark.parametrize("cuda_graph", [False, True])
def test_training_is_the_same_on_both(make, cuda_graph, recwarn):
    data = circuits.load(SMALL, label="rudy")
    histories = []
    for device in ("cpu", "cuda"):
        seed_everything(0)
        there, graph = data.clone().to(device), CircuitGraph.from_data(data).to(device)
        model = make(data.num_features).to(device)
        result = train(model, there, graph, epochs=4, learning_rate=1e-2, cuda_graph=cuda_graph and device == "cuda")
        histories.append(result.history.drop(columns="seconds").to_numpy())
        torch.testing.assert_close(
            predict(model, there, graph).squeeze(1).cpu(), result.prediction, rtol=1e-4, atol=1e-4
        )
    np.testing.assert_allclose(*histories, rtol=2e-2, atol=1e-2)
    assert [str(warning.message) for warning in recwarn if "no CUDA graph" in str(warning.message)] == []


def test_circuits_of_a_collection_go_to_the_card(tmp_path):
    given = [circuits.load(f"synthetic/{size}", label="rudy") for size in (24, 26, 28)]
    histories = []
    for device in ("cpu", "cuda"):
        seed_everything(0)
        model = GSRGNN(given[0].num_features, 8, num_layers=1, k=2).to(device)
        options = {"validate": given[2:], "circuits_a_step": 2, "checkpoint": tmp_path / device}
        train(model, given[:2], epochs=2, **options)
        result = train(model, given[:2], epochs=4, **options)
        histories.append(result.history.drop(columns="seconds").to_numpy())
        assert predict(model, given[2]).device.type == device
    np.testing.assert_allclose(*histories, rtol=2e-2, atol=1e-2)
    assert not any(data.x.is_cuda for data in given)


@pytest.mark.parametrize("residual", ["sparse", "dense"])
def test_the_stack_s_dropout_is_of_a_seed_on_the_gpu(residual):
    data = circuits.load(SMALL, label="rudy")
    graph, results = CircuitGraph.from_data(data), []
    stack = ReversibleStack(32, 3, 4, residual, dropout=0.3)
    x, (seed, p) = torch.randn(graph.num_nodes, 32), stack.draw("cuda")
    drawn = {"cuda": (seed, p), "cpu": (seed.cpu(), p)}
    assert seed.is_cuda
    for device in ("cpu", "cuda"):
        run, given = copy.deepcopy(stack).to(device), x.clone().to(device).requires_grad_()
        run.draw = lambda device: drawn[device.type]
        out = run(given, graph.to(device))
        out.square().mean().backward()
        results.append([t.detach().cpu() for t in (out, given.grad, *(p.grad for p in run.parameters()))])
    for want, got in zip(*results, strict=True):
        assert (got - want).norm() <= 2e-2 * want.norm()


def test_the_stack_s_dropout_draws_anew_at_each_replay():
    data = circuits.load(SMALL, label="rudy").to("cuda")
    graph, histories = CircuitGraph.from_data(data).to("cuda"), []
    for cuda_graph in (False, True):
        seed_everything(0)
        model = GSRGNN(data.num_features, 32, num_layers=2, k=4, dropout=0.5).cuda()
        result = train(model, data, graph, epochs=4, learning_rate=1e-30, cuda_graph=cuda_graph)  # nothing moves
        histories.append(result.history.loss.to_numpy())
    np.testing.assert_allclose(*histories, rtol=1e-5)
    assert len(set(histories[1])) == 4


@pytest.mark.parametrize("cuda_graph", [False, True])
def test_a_frozen_layer_stays(cuda_graph):
    data = circuits.load(SMALL, label="rudy").to("cuda")
    model = GSRGNN(data.num_features, 32, num_layers=3, k=4).cuda()
    before = model.layers.weight.detach().clone()
    graph = CircuitGraph.from_data(data).to("cuda")
    train(model, data, graph, epochs=3, layer_rates=[1, 0, 0.5], cuda_graph=cuda_graph)
    assert (model.layers.weight != before).flatten(1).any(1).tolist() == [True, False, True]


def test_dropout_draws_the_same_in_a_captured_step():
    data = circuits.load(SMALL, label="rudy").to("cuda")
    graph, histories = CircuitGraph.from_data(data).to("cuda"), []
    for cuda_graph in (False, True):
        seed_everything(0)
        model = GSRGNN(data.num_features, 32, num_layers=2, k=4).cuda()
        model.norm = torch.nn.Sequential(model.norm, torch.nn.Dropout(0.3))
        histories.append(train(model, data, graph, epochs=4, cuda_graph=cuda_graph).history.loss.to_numpy())
    np.testing.assert_allclose(*histories, rtol=1e-3)


def test_another_thread():
    data = circuits.load(SMALL, label="rudy")
    graph, model = CircuitGraph.from_data(data).to("cuda"), GSRGNN(data.num_features, 16, num_layers=2, k=2).cuda()
    x, outs = data.x.cuda(), {}

    def work(name):
        out = model(x, graph)
        out.sum().backward()
        outs[name] = out.detach().cpu()

    threads = [threading.Thread(target=work, args=(name,)) for name in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torch.equal(outs[0], outs[1])


def test_what_is_trained_on_a_gpu_is_loaded_without_one(tmp_path):
    data = circuits.load(SMALL, label="rudy")
    graph = CircuitGraph.from_data(data)
    trained = GSRGNN(data.num_features, 16, num_layers=2, k=2).cuda()
    train(trained, data.clone().cuda(), graph.to("cuda"), epochs=2)
    torch.save({name: value.cpu() for name, value in trained.state_dict().items()}, tmp_path / "model.pt")
    model = GSRGNN(data.num_features, 16, num_layers=2, k=2)
    model.load_state_dict(torch.load(tmp_path / "model.pt"))
    torch.testing.assert_close(
        model(data.x, graph), trained(data.x.cuda(), graph.to("cuda")).cpu(), rtol=1e-3, atol=1e-3
    )


def test_what_lies_elsewhere_is_refused():
    data = circuits.load(TINY, label="rudy")
    graph, model = CircuitGraph.from_data(data), GSRGNN(data.num_features, 8, num_layers=1, k=2).cuda()
    with pytest.raises(ValueError, match=r"x is on cuda:0, the graph on cpu and the model on cuda:0: move"):
        model(data.x.cuda(), graph)
    with pytest.raises((ValueError, RuntimeError), match="cpu"):
        model(data.x, graph.to("cuda"))


@pytest.mark.parametrize("replayed", [False, True])
def test_a_training_goes_on_from_its_checkpoint_on_either_device(replayed, tmp_path):
    data = circuits.load(SMALL, label="rudy")

    def run(device, epochs, **options):
        seed_everything(0)
        model = GSRGNN(data.num_features, 8, num_layers=1, k=2).to(device)
        graph = CircuitGraph.from_data(data).to(device)
        return train(model, data.clone().to(device), graph, epochs=epochs, **options).history.drop(columns="seconds")

    def stop(row):
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    path = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run("cuda", 6, checkpoint=path, cuda_graph=replayed, progress=stop)
    resumed = run("cuda", 6, checkpoint=path, cuda_graph=replayed)
    assert resumed.equals(run("cuda", 6, cuda_graph=replayed))
    assert load_model(path, "cuda").encoder.weight.is_cuda
    assert len(run("cpu", 8, checkpoint=path)) == 8  # the digests are of numbers, wherever they lie
    assert len(run("cuda", 10, checkpoint=path, cuda_graph=replayed)) == 10
