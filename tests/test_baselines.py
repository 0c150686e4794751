import copy
import re
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import torch
from torch_geometric.nn import GCNConv, SAGEConv

from gsrgnn import CircuitGraph, aggregate, baselines
from gsrgnn.baselines import GCN, CheckpointSAGE, CompiledRevGNN, FusedRevGNN, GraphSAGE, RevGNN
from gsrgnn.circuits import load

KINDS = [GCN, GraphSAGE, RevGNN, FusedRevGNN, CheckpointSAGE]
DATA = load("synthetic/64")


def graph(kind, via="nets"):
    return CircuitGraph.from_data(DATA, norm=kind.graph_norm).through(via)


def make(kind, **options):
    torch.manual_seed(1)
    return kind(7, 16, 2, num_layers=4, **options).double()


def result(model, graph, x):
    """Output and gradients, x's first."""
    x = x.clone().requires_grad_()
    out = model(x, graph)
    return out, *torch.autograd.grad(out.square().sum(), [x, *model.parameters()])


@pytest.fixture
def x():
    return torch.randn(64, 7, dtype=torch.float64)


@pytest.mark.parametrize(
    ("aggregation", "via"),
    [("edge_index", "nets"), ("segment_csr", "nets"), ("csr", "nets"), ("mkl", "nets"), ("kernels", "edges")],
)
@pytest.mark.parametrize("kind", KINDS)
def test_every_route_gives_the_same_numbers(kind, aggregation, via, x, monkeypatch):
    if aggregation == "segment_csr":
        pytest.importorskip("torch_scatter", reason="torch_scatter is not installed: make baselines")
    if aggregation == "mkl" and not find_spec("sparse_dot_mkl"):
        scipys = SimpleNamespace(dot_product_mkl=lambda matrix, x: matrix @ x)
        monkeypatch.setitem(sys.modules, "sparse_dot_mkl", scipys)
    want = result(make(kind, aggregation="kernels"), graph(kind), x)
    got = result(make(kind, aggregation=aggregation), graph(kind, via), x)
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("aggregation", ["edge_index", "csr", "kernels"])
def test_fused_is_revgnn(aggregation, x):
    rev, fused = make(RevGNN, aggregation=aggregation), make(FusedRevGNN, aggregation=aggregation)
    assert rev.state_dict().keys() == fused.state_dict().keys()
    torch.testing.assert_close(result(fused, graph(RevGNN), x), result(rev, graph(RevGNN), x), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", [RevGNN, FusedRevGNN, CompiledRevGNN])
def test_dropout_is_one_mask_for_all_layers(kind, x, request):
    """As PyG's example of RevGNN has it: behind the ReLU, a group's block its columns of the mask."""
    if kind is CompiledRevGNN:
        request.getfixturevalue("counter")
    model, here, want = make(kind, dropout=0.4), graph(kind), make(RevGNN)
    torch.manual_seed(5)
    got = result(model, here, x)
    torch.manual_seed(5)
    mask = torch.empty(64, 16, dtype=torch.float64).bernoulli_(0.6) / 0.6
    for layer in want.layers:
        for block, columns in zip(layer.convs, mask.chunk(2, dim=1), strict=True):
            block.norm.register_forward_hook(lambda _, given, out, columns=columns: out.relu() * columns)
    torch.testing.assert_close(got, result(want, here, x), rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(model.eval()(x, here), make(RevGNN)(x, here), rtol=1e-9, atol=1e-11)
    with pytest.raises(ValueError, match="dropout is 1: it takes a number, at least 0 and below 1"):
        make(kind, dropout=1)


@pytest.fixture
def counter(monkeypatch):
    """Counts the graphs that are compiled, which run as they are traced."""
    from torch._dynamo.testing import CompileCounterWithBackend

    counter, compiled = CompileCounterWithBackend("aot_eager"), baselines._compiled
    monkeypatch.setattr(baselines, "_compiled", lambda function, on_gpu: compiled(function, on_gpu, counter))
    yield counter
    torch._dynamo.reset()


@pytest.mark.parametrize("aggregation", ["csr", "kernels"])
def test_compiled_is_revgnn(aggregation, x, counter):
    here = graph(RevGNN)
    rev, compiled = make(RevGNN, aggregation=aggregation), make(CompiledRevGNN, aggregation=aggregation)
    assert rev.state_dict().keys() == compiled.state_dict().keys()
    torch.testing.assert_close(result(compiled, here, x), result(rev, here, x), rtol=1e-9, atol=1e-11)
    assert counter.frame_count == 3
    deeper = CompiledRevGNN(7, 16, 2, num_layers=9, aggregation=aggregation).double()
    with torch.compiler.set_stance("fail_on_recompile"):
        for model in (compiled, deeper, copy.deepcopy(deeper)):
            result(model, here, x)


def test_csr_is_an_operator_of_torchs(x):
    here = graph(GCN)
    baselines._neighbours(here, x.dtype, "csr")
    for transposed in (False, True):
        arguments = (x.clone().requires_grad_(), here.number, "csr", transposed)
        torch.library.opcheck(torch.ops.gsrgnn.product, arguments)


@pytest.mark.parametrize("norm", ["sum", "mean", "sym"])
def test_the_matrix_is_that_of_aggregate(norm, x):
    here = CircuitGraph.from_data(DATA, norm=norm)
    matrix = baselines.csr_matrix(here, torch.float64)
    assert matrix.crow_indices().dtype == matrix.col_indices().dtype == torch.int32
    torch.testing.assert_close(matrix @ x, aggregate(here, x))
    torch.testing.assert_close(
        baselines.csr_matrix(here, torch.float64, transposed=True).to_dense(), matrix.to_dense().T
    )


def count_aggregations(kind, monkeypatch):
    calls, plain = [], baselines._CSR.product
    monkeypatch.setattr(baselines._CSR, "product", lambda *given: calls.append(1) or plain(*given))
    result(make(kind, aggregation="csr"), graph(kind), torch.randn(64, 7, dtype=torch.float64))
    return len(calls) / 4


@pytest.mark.parametrize(("kind", "times"), [(RevGNN, 8), (FusedRevGNN, 6), (CheckpointSAGE, 3)])
def test_aggregations_a_layer(kind, times, monkeypatch):
    assert count_aggregations(kind, monkeypatch) == times


def test_fused_trains_what_is_not_frozen(x):
    rev, fused = make(RevGNN), make(FusedRevGNN)
    fused.layers[1].requires_grad_(False)
    for model in (rev, fused):
        model(x, graph(RevGNN)).sum().backward()
    for name, p in fused.named_parameters():
        assert (p.grad is None) == name.startswith("layers.1.")
    torch.testing.assert_close(fused.encoder.weight.grad, rev.encoder.weight.grad)


@pytest.mark.parametrize("segment", [1, 2, 3, 9])
def test_checkpoints_change_no_number(segment, x):
    model = make(CheckpointSAGE, segment=segment)
    stream = model.encoder(x)
    neighbours = baselines._neighbours(graph(CheckpointSAGE), x.dtype, "kernels")
    for block in model.layers:
        stream = stream + block(stream, *neighbours)
    want = torch.autograd.grad(model.head(model.norm(stream)).square().sum(), list(model.parameters()))
    torch.testing.assert_close(result(model, graph(CheckpointSAGE), x)[2:], want)


@pytest.mark.parametrize("aggregation", ["edge_index", "csr", "kernels"])
def test_layers_are_pygs_own(aggregation, x):
    edges = torch.stack(baselines._edges(graph(GCN), torch.float64))
    assert edges.shape[1] == graph(GCN).num_edges
    for kind, theirs, options in ((GraphSAGE, SAGEConv, {}), (GCN, GCNConv, {"add_self_loops": False})):
        model = make(kind, aggregation=aggregation)
        conv = theirs(16, 16, **options).double()
        conv.load_state_dict(model.layers[0].conv.state_dict())
        stream = model.encoder(x)
        neighbours = baselines._neighbours(graph(kind), x.dtype, aggregation)
        torch.testing.assert_close(model.layers[0](stream, *neighbours), conv(stream, edges).relu())


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_parameter_and_inference_keeps_nothing(kind, x):
    model = make(kind)
    assert all(torch.isfinite(g).all() and g.any() for g in result(model, graph(kind), x))
    with torch.no_grad():
        out = model(x, graph(kind))
    assert not out.requires_grad
    torch.testing.assert_close(out, model(x, graph(kind)).detach())


def test_a_route_is_made_once_a_graph_and_goes_with_it(x, monkeypatch):
    made = []
    monkeypatch.setitem(baselines._MAKE, "csr", lambda *given: made.append(given[1]) or (baselines._CSR(*given),))
    here, model = graph(GraphSAGE), make(GraphSAGE, aggregation="csr")
    for other in (model, copy.deepcopy(model)):
        other(x, here)
    assert made == [torch.float64]
    assert len(baselines.graph_tensors(here)) == 6
    graphs = len(baselines._KEPT)
    del here
    assert len(baselines._KEPT) == graphs - 1


@pytest.mark.parametrize("kind", KINDS)
def test_bad_models_and_graphs(kind, x):
    with pytest.raises(ValueError, match="num_layers is 0: it takes a whole number, at least 1"):
        kind(7, 16, num_layers=0)
    with pytest.raises(ValueError, match="hidden_channels is 0"):
        kind(7, 0, num_layers=1)
    with pytest.raises(ValueError, match="'dense' is unknown; it is one of edge_index, segment_csr, csr, mkl, kernels"):
        kind(7, 16, num_layers=1, aggregation="dense")
    with pytest.raises(ValueError, match=f"norm 'sum' and {kind.__name__} takes '{kind.graph_norm}'"):
        make(kind)(x, CircuitGraph.from_data(DATA, norm="sum"))
    with pytest.raises(ValueError, match="x has 63 rows and the graph 64 nodes"):
        make(kind)(x[1:], graph(kind))


@pytest.mark.parametrize("kind", [RevGNN, FusedRevGNN])
def test_groups_need_an_even_width(kind):
    with pytest.raises(ValueError, match="hidden_channels is 15"):
        kind(7, 15, num_layers=1)


def test_a_segment_is_a_number_of_layers():
    with pytest.raises(ValueError, match="segment is 0"):
        CheckpointSAGE(7, 16, num_layers=1, segment=0)


def test_edges_with_fractional_weights_have_no_edge_by_edge_route():
    weighted = CircuitGraph.from_edge_index([[0, 1], [1, 0]], 2, [0.5, 2.0])
    x = torch.randn(2, 7, dtype=torch.float64)
    with pytest.raises(ValueError, match="weights that are not whole numbers"):
        make(GraphSAGE, aggregation="edge_index")(x, weighted)
    torch.testing.assert_close(make(GraphSAGE, aggregation="csr")(x, weighted), make(GraphSAGE)(x, weighted))


@pytest.mark.parametrize("aggregation", ["edge_index", "csr"])
def test_edges_that_do_not_fit_are_refused(aggregation, monkeypatch):
    monkeypatch.setattr("gsrgnn.memory.free_memory", lambda device: 8e9)
    clock = CircuitGraph.from_pins(range(80_000), [0] * 80_000, 80_000)
    x = torch.ones(80_000, 7, dtype=torch.float64)
    with pytest.raises(MemoryError, match=rf"'{aggregation}' reads all edges, where 'kernels' .*via='nets'.*max_net"):
        make(GraphSAGE, aggregation=aggregation)(x, clock)
    assert make(GraphSAGE)(x, clock).isfinite().all()


def test_a_weight_is_not_made_as_many_edges_as_do_not_fit():
    heavy = CircuitGraph.from_edge_index([[0, 1], [1, 0]], 2, [1e14, 1])
    x = torch.randn(2, 7, dtype=torch.float64)
    with pytest.raises(MemoryError, match="100,000,000,000,001 edges takes"):
        make(GraphSAGE, aggregation="edge_index")(x, heavy)
    torch.testing.assert_close(make(GraphSAGE, aggregation="csr")(x, heavy), make(GraphSAGE)(x, heavy))


def test_mkl_computes_on_a_cpu():
    with pytest.raises(ValueError, match="'mkl' computes on a CPU and the graph is on cuda:1: use 'csr'"):
        baselines._MKL(SimpleNamespace(device=torch.device("cuda:1")), torch.float32)


@pytest.mark.parametrize(("aggregation", "needs"), baselines.NEEDED.items())
def test_without_what_a_route_needs_the_error_names_the_extra(aggregation, needs, monkeypatch):
    module, install = needs
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=rf"needs {module}, .* \(.*\): {re.escape(install)}"):
        GraphSAGE(7, 16, num_layers=1, aggregation=aggregation)
