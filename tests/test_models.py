import copy

import pytest
import torch
from torch_geometric.data import Data

from gsrgnn import GSRGNN, CircuitGraph
from gsrgnn.baselines import AGGREGATIONS, GCN, NEEDED, CheckpointSAGE, FusedRevGNN, GraphSAGE, RevGNN

EDGES = torch.randint(0, 30, (2, 120))
GRAPH = CircuitGraph.from_edge_index(EDGES, 30)
MODELS = [
    lambda: GSRGNN(7, 16, 2, num_layers=3, k=4),
    lambda: GSRGNN(7, 16, 2, num_layers=3, k=4, residual="dense"),
    lambda: RevGNN(7, 16, 2, num_layers=3),
]


@pytest.mark.parametrize("make", MODELS)
def test_shape_gradients_and_bad_input(make):
    model = make()
    out = model(torch.randn(30, 7), GRAPH)
    assert out.shape == (30, 2)
    out.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() and p.grad.any() for p in model.parameters())
    with pytest.raises(ValueError, match="x has 29 rows and the graph 30 nodes"):
        model(torch.randn(29, 7), GRAPH)
    with pytest.raises(ValueError, match=r"x has shape \[30, 6\] and the model takes \[N, 7\]"):
        model(torch.randn(30, 6), GRAPH)
    with pytest.raises(ValueError, match="x is torch.float64 and the model torch.float32"):
        model(torch.randn(30, 7).double(), GRAPH)
    with pytest.raises(ValueError, match="the graph on meta and the model"):
        model(torch.randn(30, 7), GRAPH.to("meta"))
    for bad in (float("nan"), float("inf")):
        x = torch.zeros(30, 7)
        x[4, 5] = bad
        with pytest.raises(ValueError, match=rf"x\[4, 5\] is {bad}: features must be finite"):
            model(x, GRAPH)


@pytest.mark.parametrize("make", MODELS)
def test_predictions_are_in_the_labels_units(make):
    model, x = make(), torch.randn(30, 7)
    plain = model(x, GRAPH)
    model.label_scale.fill(torch.tensor([500.0, -1.0]), torch.tensor([30.0, 0.1]))
    want = plain * torch.tensor([30.0, 0.1]) + torch.tensor([500.0, -1.0])
    again = make()
    again.load_state_dict(model.state_dict())
    for other in (model, again):
        assert torch.equal(other(x, GRAPH), want)
    torch.testing.assert_close(model.double()(x.double(), GRAPH), want.double(), rtol=1e-5, atol=1e-5)
    old = {name: value for name, value in model.state_dict().items() if "label_scale" not in name}
    with pytest.raises(RuntimeError, match='Missing .*"label_scale.mean", "label_scale.deviation"'):
        again.load_state_dict(old)


def test_what_is_no_graph_and_no_tensor():
    model, x = MODELS[0](), torch.randn(30, 7)
    for wrong in (EDGES, Data(x=x, edge_index=EDGES), None):
        with pytest.raises(ValueError, match="graph is a .*: it takes a CircuitGraph, as CircuitGraph.from_pins"):
            model(x, wrong)
    with pytest.raises(ValueError, match="x is a ndarray: the model takes a tensor"):
        model(x.numpy(), GRAPH)


def test_inverse_gives_the_encoders_output_back():
    model = GSRGNN(7, 16, num_layers=3, k=4, residual="dense").double()
    stream = model.encoder(torch.randn(30, 7, dtype=torch.float64))
    torch.testing.assert_close(model.inverse(model.layers(stream, GRAPH), GRAPH), stream, rtol=0, atol=1e-10)


def test_bad_models():
    with pytest.raises(ValueError, match="width is 15"):
        GSRGNN(7, 15, num_layers=1, k=2)
    with pytest.raises(ValueError, match="k is 9 and there are 8 columns"):
        GSRGNN(7, 16, num_layers=1, k=9)


@pytest.mark.parametrize("make", [*MODELS, lambda: FusedRevGNN(7, 16, 2, num_layers=2)])
def test_a_compiled_model_on_a_graph_that_was_not_used_before(make):
    model, x = make(), torch.randn(30, 7)
    want = torch.autograd.grad(model(x, GRAPH).square().sum(), [*model.parameters()])
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="aot_eager")
    got = torch.autograd.grad(compiled(x, copy.deepcopy(GRAPH)).square().sum(), [*model.parameters()])
    for ours, theirs in zip(got, want, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("kind", [GCN, GraphSAGE, RevGNN, FusedRevGNN, CheckpointSAGE])
def test_a_peer_first_called_in_inference_mode(kind):
    graph = CircuitGraph.from_edge_index(EDGES, 30, norm=kind.graph_norm)
    for aggregation in set(AGGREGATIONS) - set(NEEDED):
        model = kind(7, 16, num_layers=2, aggregation=aggregation)
        with torch.inference_mode():
            model(torch.randn(30, 7), graph)
        model(torch.randn(30, 7), graph).sum().backward()


@pytest.mark.parametrize("make", [*MODELS, lambda: FusedRevGNN(7, 16, 2, num_layers=2)])
def test_under_autocast_and_with_parameters_swapped_in(make):
    model, x = make(), torch.randn(30, 7)
    want = model(x, GRAPH)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(x, GRAPH)
        model(x.bfloat16(), GRAPH).float().sum().backward()
    assert (out.float() - want).abs().median() < 0.05  # where rounding changes what GS keeps, a row may differ by more
    if isinstance(model, FusedRevGNN | GSRGNN):
        others = {name: (p + 0.1).detach().requires_grad_() for name, p in model.named_parameters()}
        got = torch.autograd.grad(torch.func.functional_call(model, others, (x, GRAPH)).square().sum(), others.values())
        model.load_state_dict(others, strict=False)
        want = torch.autograd.grad(model(x, GRAPH).square().sum(), [*model.parameters()])
        for ours, theirs in zip(got, want, strict=True):
            torch.testing.assert_close(ours, theirs)
