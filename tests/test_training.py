import contextlib
import copy
import inspect
import io
import pickle
import re

import pandas as pd
import pytest
import torch
from torch import nn
from torch_geometric import seed_everything
from torch_geometric.data import Data

from gsrgnn import GSRGNN, CircuitGraph, aggregate, modes
from gsrgnn.baselines import GCN, CheckpointSAGE, FusedRevGNN, GraphSAGE, RevGNN
from gsrgnn.label import label_scales, moments, split_label
from gsrgnn.metrics import correlations
from gsrgnn.models import NodeModel
from gsrgnn.modes import mode_matters
from gsrgnn.reversible import ReversibleStack
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


BITS = torch.arange(300) % 10


class Own(nn.Module):
    """A user's model, which knows of no label scale; a label of one column it gives as ``[N]``."""

    def __init__(self, columns=1):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1))
        self.head = nn.Linear(16, columns)

    def forward(self, x, graph):
        return self.head(self.body(aggregate(graph, x))).squeeze(1)


class Clamped(nn.Module):
    """A wrapper whose own forward takes the label's units for granted."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x, graph):
        return self.model(x, graph).clamp_min(480)


def made(columns=1):
    seed_everything(1)
    return GSRGNN(4, 16, columns, num_layers=2, k=4)


def own(columns=1):
    seed_everything(1)
    return Own(columns)


def relabelled(data, y):
    changed = copy.copy(data[0])
    changed.y = y
    return changed, data[1]


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


@pytest.mark.parametrize(
    "make",
    [
        made,
        lambda: RevGNN(4, 16, num_layers=2),
        own,
        lambda: Clamped(made()),
        lambda: torch.compile(own(), backend="eager"),
    ],
)
def test_the_model_keeps_the_best_epoch_and_the_labels_units(data, make):
    model = make()
    data = relabelled(data, 500 + 30 * data[0].y)
    result = train(model, *data, epochs=15, learning_rate=0.1)
    given = predict(model, *data)
    assert torch.equal(given[:, 0], result.prediction)
    assert torch.equal(model.eval()(data[0].x, data[1]).reshape(given.shape), given)
    test = data[0].test_mask
    assert correlations(data[0].y[test], given[test]) == result.test
    assert result.prediction.mean() == pytest.approx(float(data[0].y.mean()), abs=20)


@pytest.mark.parametrize("make", [made, own])
def test_the_labels_units_go_where_the_model_goes(data, make):
    model = make()
    train(model, *relabelled(data, 500 + 30 * data[0].y), epochs=2)
    want, file = predict(model, *data), io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    again = make()
    if make is own:
        with pytest.raises(RuntimeError, match='Unexpected .*"label_mean", "label_deviation"'):
            again.load_state_dict(model.state_dict())
        label_scales(again, 1)
    again.load_state_dict(torch.load(file))
    for other in (again, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(predict(other, *data), want)
    arguments = data[0].x, data[1]
    assert torch.equal(
        torch.func.functional_call(
            make().eval() if make is made else again.eval(), model.state_dict(), arguments
        ).reshape(want.shape),
        want,
    )


@pytest.mark.parametrize("make", [made, own])
def test_trained_again_and_interrupted_the_scale_is_the_new_labels(data, make):
    model = make()
    train(model, *relabelled(data, 500 + 30 * data[0].y), epochs=2)
    model.eval()
    small = relabelled(data, 1e-3 * data[0].y)

    def stop(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(model, *small, epochs=2, progress=stop)
    assert predict(model, *small).abs().max() < 0.01
    assert not any(module.training for module in model.modules())
    assert torch.equal(train(model, *small, epochs=2).prediction, predict(model, *small)[:, 0])
    assert len(label_scales(model, 1)) == 1


def test_a_label_of_another_shape_or_dtype_is_the_same_label(data):
    y = (100 * data[0].y).round()
    want = train(made(), *relabelled(data, y), epochs=3)
    for same in (y[:, 0], y.double(), y.long(), y.half(), y.numpy()):
        got = train(made(), *relabelled(data, same), epochs=3)
        assert torch.equal(got.prediction, want.prediction)
        assert got.test == want.test
    assert torch.equal(
        train(own(), *relabelled(data, y[:, 0]), epochs=3).prediction,
        train(own(), *relabelled(data, y), epochs=3).prediction,
    )


@pytest.mark.parametrize("make", [made, own])
def test_every_column_has_its_own_scale_and_the_measures_are_the_mean(data, make):
    y = torch.cat([data[0].y, 1e-6 * data[0].x[:, 1:2]], dim=1).double()
    model = make(2)
    result = train(model, *relabelled(data, y), epochs=5, learning_rate=1e-2)
    assert torch.equal(result.prediction, predict(model, *data))
    assert 1e-8 < result.prediction[:, 1].std() < 1e-5
    test = data[0].test_mask
    each = [correlations(y[test, column], result.prediction[test, column]) for column in (0, 1)]
    assert result.test == pytest.approx({name: (each[0][name] + each[1][name]) / 2 for name in each[0]})
    first, second = (
        train(make(2), *relabelled(data, y * torch.tensor([1.0, by])), epochs=1).history.loss[0] for by in (1, 1e4)
    )
    assert first == pytest.approx(second, rel=1e-4)


def test_labels_that_do_not_count_are_not_looked_at(data):
    some = data[0].clone()
    some.train_mask = BITS < 7
    want = train(made(), some, data[1], epochs=2)
    some.y = torch.where((BITS == 7)[:, None], torch.nan, some.y)
    assert torch.equal(train(made(), some, data[1], epochs=2).prediction, want.prediction)


def test_where_validation_has_no_pearson_its_error_decides(data):
    y = torch.where(data[0].val_mask[:, None], 0.1, data[0].y)
    states = []
    model = made()
    result = train(
        model,
        *relabelled(data, y),
        epochs=15,
        learning_rate=0.1,
        progress=lambda row: states.append(predict(model, *data)),
    )
    assert result.history.pearson.isna().all()
    errors = [float((state[data[0].val_mask] - 0.1).square().mean()) for state in states]
    assert errors.index(min(errors)) + 1 == result.best_epoch > 1


LABEL = torch.arange(300.0)[:, None].sin()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y": LABEL.repeat(1, 2)}, r"y is \[300, 2\] and the model gives \[300, 1\]: make it with out_channels=2"),
        ({"y": LABEL.T}, "y has 1 rows and x has 300"),
        ({"y": LABEL[None]}, r"y is float64 \[1, 300, 1\]: give real numbers, \[N\] or \[N, C\]"),
        ({"y": LABEL + 0j}, "y is complex64"),
        ({"y": None}, "data has no y"),
        ({"y": torch.full((300,), 0.1)}, r"y\[:, 0\] is 0.1 for every cell of train_mask"),
        (
            {"y": LABEL.index_fill(0, torch.tensor([17]), torch.nan)},
            r"y\[17, 0\] is nan and the cell is one of train_mask",
        ),
        (
            {"y": LABEL.index_fill(0, torch.tensor([19]), torch.inf)},
            r"y\[19, 0\] is inf and the cell is one of test_mask",
        ),
        ({"y": LABEL.double() + 1e9}, r"y\[:, 0\] has mean 1e\+09 and deviation 0.7.* torch.float32 does not resolve"),
        ({"y": LABEL.double() * 1e39}, "torch.float32 does not resolve"),
        ({"y": LABEL.double() * 1e-39}, "torch.float32 does not resolve"),
        ({"train_mask": (BITS < 8).long()}, r"train_mask is torch.int64 \[300\] and must be torch.bool \[300\]"),
        ({"val_mask": (BITS == 8)[:99]}, r"val_mask is torch.bool \[99\]"),
        (
            {"test_mask": (BITS == 9)[:, None].repeat(1, 3)},
            r"test_mask is torch.bool \[300, 3\].*choose one with \[:, i\]",
        ),
        ({"test_mask": BITS < 0}, "test_mask has 0 cells: it takes 2 or more"),
        ({"val_mask": BITS >= 8}, "val_mask and test_mask have 30 cells in common"),
        ({"val_mask": None}, "data has no val_mask"),
    ],
)
@pytest.mark.parametrize("make", [made, own])
def test_a_label_or_a_mask_that_does_not_fit_is_refused_and_the_model_left(data, make, changed, message):
    bad, model = copy.copy(data[0]), make()
    for name, value in changed.items():
        setattr(bad, name, value)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match=message):
        train(model, bad, data[1], epochs=1)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_an_output_that_is_no_prediction_a_cell_is_refused(data):
    class Odd(nn.Linear):
        def forward(self, x, graph):
            return super().forward(x).T

    with pytest.raises(ValueError, match=r"gives \[1, 300\] for 300 cells: it must give \[300\] or \[300, C\]"):
        train(Odd(4, 1), *data, epochs=1)


def test_predicting_leaves_every_module_in_its_mode(data):
    model = own()
    model.body[1].eval()
    found = [module.training for module in model.modules()]
    predict(model, *data)
    with pytest.raises(RuntimeError):
        predict(model, Data(x=data[0].x[:, :3]), data[1])
    assert [module.training for module in model.modules()] == found
    model.eval()
    assert torch.equal(predict(model, *data)[:, 0], model(data[0].x, data[1]))
    assert not any(module.training for module in model.modules())


def two_passes(model, data, graph, epochs, learning_rate):
    """The loop in which each epoch has a step and a pass in eval mode: its history, up to where it diverges."""
    y, (train_rows, val_rows, _) = split_label(data)
    mean, deviation = moments(y[train_rows], torch.float32)
    for scale in label_scales(model, y.shape[1]):
        scale.fill(mean, deviation)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    history = []
    for epoch in range(1, epochs + 1):
        torch.clear_autocast_cache()
        optimizer.zero_grad()
        prediction = model.train()(data.x, graph).reshape(y.shape)
        error = prediction.index_select(0, train_rows) - y[train_rows].float()
        loss = (error / deviation.float()).square().mean()
        loss.backward()
        optimizer.step()
        prediction = predict(model, data, graph)
        if not torch.isfinite(prediction).all():
            break
        history.append({"epoch": epoch, "loss": loss.item(), **correlations(y[val_rows], prediction[val_rows])})
    return pd.DataFrame(history)


MODELS = {
    "GSRGNN": made,
    "GSRGNN dense": lambda: GSRGNN(4, 16, num_layers=2, k=4, residual="dense", first="transform"),
    "GCN": lambda: GCN(4, 16, num_layers=2),
    "GraphSAGE csr": lambda: GraphSAGE(4, 16, num_layers=2, aggregation="csr"),
    "RevGNN": lambda: RevGNN(4, 16, num_layers=2),
    "RevGNN edge_index": lambda: RevGNN(4, 16, num_layers=2, aggregation="edge_index"),
    "FusedRevGNN": lambda: FusedRevGNN(4, 16, num_layers=2),
    "CheckpointSAGE": lambda: CheckpointSAGE(4, 16, num_layers=2),
    "GSRGNN with dropout": lambda: GSRGNN(4, 16, num_layers=2, k=4, dropout=0.2),
    "RevGNN with dropout": lambda: RevGNN(4, 16, num_layers=2, dropout=0.2),
    "FusedRevGNN with dropout": lambda: FusedRevGNN(4, 16, num_layers=2, dropout=0.2),
    "dropout and BatchNorm": own,
}


@pytest.mark.parametrize(
    ("name", "autocast"), [*((name, False) for name in MODELS), ("GSRGNN", True), ("RevGNN", True)]
)
def test_the_history_is_that_of_a_pass_for_the_step_and_one_for_the_evaluation(data, name, autocast):
    whole, graph = data
    if name == "GCN":
        graph = CircuitGraph.from_edge_index(torch.randint(0, 300, (2, 1500)), 300, norm="sym", self_loops=True)
    histories = []
    with torch.autocast("cpu", dtype=torch.bfloat16) if autocast else contextlib.nullcontext():
        for loop in (two_passes, train):
            seed_everything(1)
            histories.append(loop(MODELS[name](), whole, graph, epochs=6, learning_rate=1e-2))
    want, got = histories[0], histories[1].history.drop(columns="seconds")
    pd.testing.assert_frame_equal(got, want, check_exact=True)


@pytest.fixture
def passes(monkeypatch):
    """A list that grows with every forward pass of one of our models."""
    made, forward = [], NodeModel.forward
    monkeypatch.setattr(NodeModel, "forward", lambda self, *given: made.append(self) or forward(self, *given))
    return made


def test_an_epoch_is_one_forward_pass(data, passes):
    result = run(data, epochs=7)
    assert len(passes) == 1 + 7 + 1  # the shape of what it predicts, the steps, the last epoch's evaluation
    passes.clear()
    seed_everything(1)
    model = GSRGNN(4, 16, num_layers=3, k=4)
    model.norm.register_forward_hook(lambda *_: None)
    apart = train(model, *data, epochs=7, learning_rate=1e-2)
    assert len(passes) == 1 + 7 + 7
    pd.testing.assert_frame_equal(
        apart.history.drop(columns="seconds"), result.history.drop(columns="seconds"), check_exact=True
    )
    assert torch.equal(apart.prediction, result.prediction)


def test_of_a_model_that_is_not_known_to_the_last_module_the_mode_may_matter():
    assert [name for name, make in MODELS.items() if mode_matters(make())] == [
        name for name in MODELS if "dropout" in name
    ]

    class Ours(GSRGNN):
        pass

    def changed(change):
        model = made()
        change(model)
        return model

    others = [
        Ours(4, 16, num_layers=2, k=4),
        Clamped(made()),
        torch.compile(made(), backend="eager"),
        nn.DataParallel(made()),
        changed(lambda model: model.compile(backend="eager")),
        changed(lambda model: setattr(model, "forward", model.forward)),
        changed(lambda model: model.layers.register_forward_pre_hook(lambda *_: None)),
        changed(lambda model: model.add_module("more", nn.Dropout(0.5))),
        changed(lambda model: nn.utils.parametrizations.spectral_norm(model.head)),
    ]
    assert all(map(mode_matters, others))
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    assert mode_matters(made())
    handle.remove()
    assert not mode_matters(made())


def test_no_class_that_is_called_the_same_in_both_modes_asks_for_its_mode_but_for_dropout():
    asks = re.compile(r"self\.training|dropout|batch_norm|running_")
    assert len(modes._SAME) > 15
    asking = {kind for kind in modes._SAME if asks.search(inspect.getsource(kind))}
    assert asking == {GSRGNN, ReversibleStack, RevGNN}  # of which `MODELS` has one with dropout each
    assert asks.search(inspect.getsource(nn.Dropout))


def test_what_is_done_with_the_model_between_two_epochs_changes_nothing(data):
    model, (whole, graph) = made(), data

    def use(row):
        model(whole.x, graph).sum().backward()

    want = train(made(), *data, epochs=5, learning_rate=1e-2).history.drop(columns="seconds")
    got = train(model, *data, epochs=5, learning_rate=1e-2, progress=use).history.drop(columns="seconds")
    pd.testing.assert_frame_equal(got, want, check_exact=True)


def test_patience_stops_after_so_many_epochs_without_a_better_one(data):
    full = run(data, epochs=40, learning_rate=0.3).history
    since = full.epoch - full.epoch.where(full.pearson == full.pearson.cummax()).ffill()
    stops = int((since >= 3).idxmax()) + 1
    assert 3 < stops < 40
    result = run(data, epochs=40, learning_rate=0.3, patience=3)
    assert len(result.history) == stops == result.best_epoch + 3
    pd.testing.assert_frame_equal(
        result.history.drop(columns="seconds"), full[:stops].drop(columns="seconds"), check_exact=True
    )


def test_bad_training(data):
    with pytest.raises(ValueError, match="epochs is 0"):
        run(data, epochs=0)
    with pytest.raises(ValueError, match="patience is 0"):
        run(data, patience=0)


@pytest.mark.parametrize(("learning_rate", "epoch"), [(1e10, 1), (1e6, 7)])
def test_where_training_diverges_the_epoch_is_named(data, learning_rate, epoch):
    seed_everything(1)
    model = RevGNN(4, 16, num_layers=3)
    assert len(two_passes(model, *data, epochs=40, learning_rate=learning_rate)) == epoch - 1
    message = f"diverged at epoch {epoch} .* lower learning_rate, which is {re.escape(str(learning_rate))}"
    with pytest.raises(ValueError, match=message):
        run(data, model=RevGNN, learning_rate=learning_rate)


def test_without_a_gpu_a_cuda_graph_is_refused_with_the_reason_and_training_goes_on(data):
    with pytest.warns(UserWarning, match="no CUDA graph: the model is on the CPU"):
        result = run(data, epochs=2, cuda_graph=True)
    assert torch.equal(result.prediction, run(data, epochs=2).prediction)


def test_what_a_replay_writes_is_read_before_the_next(data, monkeypatch):
    def replayed(step, model, optimizer):
        """As `captured` on a GPU: every call writes into the tensors of the first."""
        first = loss, prediction, gradients = step()

        def replay():
            new = step()
            for mine, other in zip((loss, prediction, *gradients), (*new[:2], *new[2]), strict=True):
                mine.copy_(other)
            return first

        return replay

    want = run(data, epochs=5)
    monkeypatch.setattr("gsrgnn.one_circuit.captured", replayed)
    got = run(data, epochs=5, cuda_graph=True)
    pd.testing.assert_frame_equal(
        got.history.drop(columns="seconds"), want.history.drop(columns="seconds"), check_exact=True
    )
    assert torch.equal(got.prediction, want.prediction)


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


def test_what_every_rate_refuses_is_said_once(data):
    with pytest.raises(ValueError, match=r"^y is \[300, 2\] and [^;]*$"):
        tune(made, *relabelled(data, data[0].x[:, :2]), epochs=3, learning_rates=[1e-3, 1e-2])


def test_under_a_users_autocast_no_step_reads_old_parameters(data):
    model = made()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = train(model, *data, epochs=4)
        assert torch.equal(predict(model, *data)[:, 0], result.prediction)
    assert result.history["loss"].is_unique


def test_a_model_that_calls_all_modules_it_has(data):
    class Layers(torch.nn.Sequential):
        def forward(self, x, graph):
            for layer in self:
                x = layer(x)
            return x

    model = Layers(torch.nn.Linear(data[0].num_features, 4), torch.nn.Linear(4, 1))
    result = train(model, *relabelled(data, 5000 + 300 * data[0].y), epochs=3)
    assert result.history["loss"].max() < 3
    assert torch.equal(model(data[0].x, data[1])[:, 0], result.prediction)


@pytest.mark.parametrize("frozen", [False, True])
def test_nothing_to_train_is_said_before_the_model_is_touched(data, frozen):
    model = made().requires_grad_(not frozen)
    with torch.set_grad_enabled(frozen), pytest.raises(ValueError, match="no parameter of the model takes a gradient"):
        train(model, *data, epochs=1)
    assert model.label_scale.mean.item() == 0
