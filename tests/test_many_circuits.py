"""Training over several circuits: the joint loss, the epoch that others choose, the same again, and what is refused."""

import copy
import weakref

import pandas as pd
import pytest
import torch
from some_circuits import Read, circuit
from torch_geometric import seed_everything

from gsrgnn import GSRGNN, CircuitGraph, load_model
from gsrgnn.baselines import GCN, RevGNN
from gsrgnn.metrics import correlations
from gsrgnn.training import predict, train

CIRCUITS = [circuit(seed) for seed in (1, 2, 3, 4)]
OTHERS = [circuit(5), circuit(6)]


def made(**options):
    seed_everything(1)
    return GSRGNN(4, 8, num_layers=2, k=2, **options)


def run(circuits=CIRCUITS, model=None, **options):
    model = model or made()
    return model, train(model, circuits, **{"epochs": 4, "learning_rate": 0.02, **options})


def numbers(result):
    return result.history.drop(columns="seconds")


def assert_same(one, other):
    pd.testing.assert_frame_equal(numbers(one[1]), numbers(other[1]), check_exact=True)
    assert (one[1].best_epoch, one[1].test) == (other[1].best_epoch, other[1].test)
    states = (each[0].state_dict() for each in (one, other))
    assert all(torch.equal(*pair) for pair in zip(*(state.values() for state in states), strict=True))


def test_a_collection_of_one_is_that_circuit():
    data = CIRCUITS[0]
    alone = made()
    want = train(alone, data, CircuitGraph.from_data(data), epochs=6, learning_rate=0.02)
    model, got = run([data], epochs=6)
    pd.testing.assert_frame_equal(numbers(got), numbers(want), rtol=1e-4)
    assert got.best_epoch == want.best_epoch
    assert got.test == pytest.approx(want.test, rel=1e-4)
    torch.testing.assert_close(predict(model, data)[:, 0], want.prediction, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("masked", [True, False])
def test_a_step_is_one_of_the_joint_loss(masked):
    model, want = made(), made()
    circuits = [circuit(1), circuit(2, cells=130)]
    validate = None if masked else OTHERS
    result = train(model, circuits, validate=validate, epochs=4, circuits_a_step=2, learning_rate=0.02)
    masks = [data.train_mask if masked else torch.ones(len(data.x), dtype=torch.bool) for data in circuits]
    label = torch.cat([data.y[mask] for data, mask in zip(circuits, masks, strict=True)]).double()
    want.label_scale.fill(label.mean(0), label.std(0))
    torch.testing.assert_close(model.label_scale.mean, want.label_scale.mean)
    torch.testing.assert_close(model.label_scale.deviation, want.label_scale.deviation)
    optimizer = torch.optim.Adam(want.parameters(), lr=0.02)
    graphs = [CircuitGraph.from_data(data) for data in circuits]
    losses, pearson, validated = [], [], []
    for _ in range(4):
        optimizer.zero_grad()
        given = zip(circuits, graphs, masks, strict=True)
        prediction = torch.cat([want(data.x, graph)[mask] for data, graph, mask in given])
        loss = ((prediction - label.float()) / want.label_scale.deviation).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        parts = [(data, data.val_mask) for data in circuits] if masked else [(data, slice(None)) for data in OTHERS]
        validated.append([correlations(data.y[rows], predict(want, data)[rows]) for data, rows in parts])
        pearson.append(sum(each["pearson"] for each in validated[-1]) / len(parts))
    assert result.history.loss.tolist() == pytest.approx(losses, rel=1e-4)
    assert result.history.pearson.tolist() == pytest.approx(pearson, rel=1e-3)
    assert result.best_epoch == pearson.index(max(pearson)) + 1


def test_it_learns_what_others_show_and_the_model_keeps_the_best_epoch():
    model, states = made(), []
    _, result = run(
        model=model,
        validate=OTHERS,
        epochs=12,
        learning_rate=0.05,
        progress=lambda row: states.append(copy.deepcopy(model.state_dict())),
    )
    assert result.history.pearson.max() > 0.8
    assert (result.test, result.prediction) == ({}, None)
    assert result.history.pearson[result.best_epoch - 1] == result.history.pearson.max()
    assert all(torch.equal(value, states[result.best_epoch - 1][name]) for name, value in model.state_dict().items())


def test_with_masks_the_measures_are_the_mean_over_the_circuits():
    model, result = run()
    each = [correlations(data.y[data.test_mask], predict(model, data)[data.test_mask]) for data in CIRCUITS]
    assert result.test == pytest.approx({name: sum(one[name] for one in each) / 4 for name in each[0]})


def test_an_epoch_takes_every_circuit_once_in_an_order_of_its_own_that_the_seed_gives():
    orders = []
    for _ in range(2):
        circuits = Read([1, 2, 3, 4, 5])
        run(circuits, validate=[circuit(6)], epochs=3)
        orders.append([circuits.read[5 + 1 + 5 * epoch :][:5] for epoch in range(3)])
    assert orders[0] == orders[1]
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders[0])
    assert len({tuple(order) for order in orders[0]}) > 1


def test_the_same_seed_gives_the_same_result_and_dropout_takes_part():
    first, again = (run(model=made(dropout=0.3), circuits_a_step=3) for _ in range(2))
    assert_same(first, again)
    assert not numbers(first[1]).equals(numbers(run(circuits_a_step=3)[1]))


def test_graphs_are_made_once_and_of_what_is_read_one_circuit_is_held(monkeypatch):
    made_of, alive, most, from_data = [], weakref.WeakSet(), [], CircuitGraph.from_data.__func__

    def counted(cls, data, **options):
        made_of.append(data.name)
        return from_data(cls, data, **options)

    class Watched(Read):
        def __getitem__(self, number):
            most.append(len(alive))
            data = super().__getitem__(number)
            alive.add(data.x)
            return data

    monkeypatch.setattr(CircuitGraph, "from_data", classmethod(counted))
    run(Watched([1, 2, 3, 4]), validate=Watched([5, 6]), circuits_a_step=4)
    assert sorted(made_of) == ["c1", "c2", "c3", "c4", "c5", "c6"]
    assert max(most) <= 1


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_interrupted_it_goes_on_to_the_last_bit(dropout, tmp_path):
    def stop(row):
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    options = dict(validate=OTHERS, circuits_a_step=3, epochs=6)
    want = run(model=made(dropout=dropout), **options)
    with pytest.raises(KeyboardInterrupt):
        run(model=made(dropout=dropout), **options, progress=stop, checkpoint=tmp_path / "run")
    model = made(dropout=dropout)
    seed_everything(7)
    assert_same(run(model=model, **options, checkpoint=tmp_path / "run"), want)
    assert torch.equal(predict(load_model(tmp_path / "run"), OTHERS[0]), predict(want[0], OTHERS[0]))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"circuits": CIRCUITS[::-1]}, "another circuits"),
        ({"circuits": [*CIRCUITS[:3], circuit(4, cells=81)]}, "another circuits"),
        ({"validate": OTHERS[:1]}, "another validate"),
        ({"validate": None}, "another circuits and validate"),
        ({"circuits_a_step": 2}, "another circuits_a_step"),
        ({"learning_rate": 0.1}, "another learning_rate"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(changed, message, tmp_path):
    options = {"circuits": CIRCUITS, "validate": OTHERS, "checkpoint": tmp_path / "run", "epochs": 1}
    run(**options)
    with pytest.raises(ValueError, match=f"of a training with {message}"):
        run(**options | changed)


def changed(**values):
    data = copy.copy(CIRCUITS[1])
    for name, value in values.items():
        setattr(data, name, value)
    return data


NAN = CIRCUITS[1].y.clone().index_fill(0, torch.tensor([3]), torch.nan)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"circuits": []}, "circuits is empty: give one circuit or more"),
        ({"validate": []}, "validate is empty"),
        ({"validate": OTHERS[0]}, "validate is a Data: give a list of circuits"),
        ({"circuits": CIRCUITS[0], "validate": OTHERS}, r"for several circuits: give a list of one, \[data\]"),
        ({"circuits": "riscv/ibex"}, r"circuits\[0\]: it is a str: give a PyG Data"),
        ({"circuits": [CIRCUITS[0], CIRCUITS[1].x]}, r"circuits\[1\]: it is a Tensor"),
        ({"circuits": [changed(y=None)]}, r"circuits\[0\] \(c2\): data has no y"),
        ({"circuits": [changed(x=None)]}, r"circuits\[0\] \(c2\): x is no tensor"),
        ({"circuits": [changed(y=NAN)]}, r"circuits\[0\] \(c2\): y\[3, 0\] is nan and the cell is one of train_mask"),
        ({"circuits": [changed(y=NAN)], "validate": OTHERS}, r"y\[3, 0\] is nan and all cells count"),
        ({"circuits": [CIRCUITS[0], changed(train_mask=torch.zeros(80).bool())]}, r"\(c2\): train_mask has 0 cells"),
        ({"circuits": [changed(y=torch.ones(80))]}, "is 1 for every training cell of all circuits: there is nothing"),
        (
            {"circuits": [CIRCUITS[0], changed(features="placed")]},
            r"features of circuits\[1\] \(c2\) is 'placed' and of",
        ),
        ({"validate": [changed(name="c9", feature_names=list("abce"))]}, r"feature_names of validate\[0\] \(c9\)"),
        ({"validate": [changed(name="c9", units="capacity")]}, "units of .* is 'capacity' and of .* None"),
        ({"circuits": [CIRCUITS[0], changed(label="wires")]}, "label of .* is 'wires' and of .* 'routed'"),
        ({"circuits": [CIRCUITS[0], changed(combine="sum")]}, "combine of"),
        ({"circuits": [CIRCUITS[0], circuit(2, columns=2)]}, r"columns of y of circuits\[1\] .* is 2 and of .* 1"),
        ({"circuits": [CIRCUITS[0], changed(x=torch.ones(80, 5))]}, "columns of x of .* is 5 and of .* 4"),
        ({"circuits": [circuit(1, columns=2)]}, r"the model gives \[80, 1\]: make it with out_channels=2"),
        ({"validate": [OTHERS[0], CIRCUITS[2]]}, "c3 is a circuit to train on and to validate with"),
        ({"graph": CircuitGraph.from_data(CIRCUITS[0])}, "graph and cuda_graph are for one circuit"),
        ({"cuda_graph": True}, "graph and cuda_graph are for one circuit"),
        ({"circuits_a_step": 0}, "circuits_a_step is 0"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(given, message):
    model = made()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match=message) as refused:
        run(model=model, **given)
    assert "\n" not in str(refused.value)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_where_training_diverges_the_epoch_is_named():
    with pytest.raises(ValueError, match="training diverged at epoch 1 .* lower learning_rate, which is"):
        run(model=RevGNN(4, 8, num_layers=2), learning_rate=1e10)


def test_without_a_graph_one_of_the_norm_that_the_model_takes_is_made():
    data = CIRCUITS[0]
    model = GCN(4, 8, num_layers=2)
    graph = CircuitGraph.from_data(data, norm="sym")
    assert torch.equal(predict(model, data), predict(model, data, graph))
    want = train(copy.deepcopy(model), data, graph, epochs=2)
    assert torch.equal(train(model, data, epochs=2).prediction, want.prediction)
    run(model=GCN(4, 8, num_layers=2), epochs=1)


def test_a_validation_circuit_without_a_measure_does_not_count():
    flat = changed(name="flat", y=torch.full((80,), 300.0))
    with_flat, without = run(validate=[*OTHERS, flat])[1], run(validate=OTHERS)[1]
    measures = ["pearson", "spearman", "kendall"]
    assert with_flat.history[measures].equals(without.history[measures])
