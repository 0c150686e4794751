"""A training that was interrupted and goes on has the history of one that was not, to the last bit."""

import copy
import os
import signal
import subprocess
import sys
import threading
import warnings

import pandas as pd
import pytest
import torch
from torch import nn
from torch_geometric import seed_everything

from gsrgnn import GSRGNN, CircuitGraph, aggregate, checkpoint, load_model, save_model
from gsrgnn.baselines import RevGNN
from gsrgnn.training import predict, train

MAKE_DATA = """
import torch
from torch_geometric.data import Data
from gsrgnn import CircuitGraph, GSRGNN

def make_data(size=60):
    numbers = torch.arange(4 * size)
    graph = CircuitGraph.from_edge_index(torch.stack([numbers % size, numbers * 7 % size]), size, self_loops=True)
    x = (numbers.float() ** 2).sin().reshape(size, 4)
    part = torch.arange(size) % 10
    y = 500 + 30 * (x[:, 0] + x[:, 1].square())
    return Data(x=x, y=y, train_mask=part < 6, val_mask=(part == 6) | (part == 7), test_mask=part > 7), graph
"""
exec(MAKE_DATA)
DATA = make_data()  # noqa: F821  # made by the line above

CHILD = (
    MAKE_DATA
    + """
import sys
from gsrgnn import checkpoint
from gsrgnn.training import train
checkpoint.EVERY = 0
torch.manual_seed(0)
train(GSRGNN(4, 8, num_layers=2, k=2), *make_data(), epochs=10**6, checkpoint=sys.argv[1], learning_rate=0.01,
      progress=lambda row: print(row["epoch"], flush=True))
"""
)


class Own(nn.Module):
    """A user's model: with dropout, whose numbers a resumed run must draw again, BatchNorm, and tied weights."""

    def __init__(self):
        super().__init__()
        self.norm, self.body = nn.BatchNorm1d(4), nn.Linear(4, 4)
        self.again = self.body
        self.head = nn.Linear(4, 1)

    def forward(self, x, graph):
        x = self.body(self.norm(aggregate(graph, x))).relu()
        return self.head(nn.functional.dropout(self.again(x), 0.2, self.training)).squeeze(1)


MODELS = {
    "GSRGNN": lambda: GSRGNN(4, 8, num_layers=2, k=2),
    "GSRGNN with dropout": lambda: GSRGNN(4, 8, num_layers=2, k=2, dropout=0.3),
    "RevGNN": lambda: RevGNN(4, 8, num_layers=2),
    "own": Own,
    "own, compiled": lambda: torch.compile(Own(), backend="eager"),
}


def run(path=None, model="GSRGNN", seed=0, epochs=8, data=DATA, **options):
    seed_everything(seed)
    made = MODELS[model]()
    options = {"learning_rate": 0.05} | options
    return made, train(made, *data, epochs=epochs, checkpoint=path, **options)


def interrupted(path, model="GSRGNN", after=3, **options):
    def stop(row):
        if row["epoch"] == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(path, model, progress=stop, **options)


def assert_same(one, other):
    (model, result), (wanted_model, want) = one, other
    history, wanted = (each.history.drop(columns="seconds") for each in (result, want))
    pd.testing.assert_frame_equal(history, wanted, check_exact=True)
    assert (result.best_epoch, result.test) == (want.best_epoch, want.test)
    assert torch.equal(result.prediction, want.prediction)
    assert torch.equal(predict(model, *DATA), predict(wanted_model, *DATA))


@pytest.mark.parametrize("model", MODELS)
def test_after_ctrl_c_the_same_call_goes_on(model, tmp_path):
    want = run(model=model)
    interrupted(tmp_path / "run", model, after=3)
    interrupted(tmp_path / "run", model, after=5, seed=7)  # another first model: the file has the right one
    rows = []
    resumed = run(tmp_path / "run", model, seed=8, progress=rows.append)
    assert [row["epoch"] for row in rows] == [6, 7, 8]
    assert_same(resumed, want)
    assert_same(run(tmp_path / "whole", model), want)
    assert sorted(os.listdir(tmp_path)) == ["run", "whole"]


def test_ctrl_c_in_the_middle_of_a_step_keeps_the_last_epoch(tmp_path, monkeypatch):
    want, steps, step = run(), [], torch.optim.Adam.step

    def stopped(optimizer):
        step(optimizer)
        steps.append(optimizer)
        if len(steps) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(torch.optim.Adam, "step", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run")
    assert len(checkpoint.read(tmp_path / "run")[1]["history"]) == 3
    assert_same(run(tmp_path / "run"), want)


def test_a_finished_training_is_read_and_a_longer_one_goes_on(tmp_path):
    rows = []
    _, first = run(tmp_path / "run", epochs=4)
    again = run(tmp_path / "run", epochs=4, progress=rows.append)
    assert rows == []
    pd.testing.assert_frame_equal(again[1].history, first.history, check_exact=True)
    assert_same(again, run(epochs=4))
    assert_same(run(tmp_path / "run", epochs=8), run(epochs=8))


def test_patience_counts_on(tmp_path):
    want = run(epochs=60, patience=4, learning_rate=0.3)
    assert len(want[1].history) < 60
    interrupted(tmp_path / "run", after=len(want[1].history) - 2, epochs=60, patience=4, learning_rate=0.3)
    assert_same(run(tmp_path / "run", epochs=60, patience=4, learning_rate=0.3), want)


def test_killed_in_the_middle_it_goes_on(tmp_path):
    path = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", CHILD, path], stdout=subprocess.PIPE, text=True) as child:
        for _ in range(5):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    _, tensors = checkpoint.read(path)
    done = len(tensors["history"])
    assert done >= 4
    torch.manual_seed(0)
    want = run(epochs=done + 3, learning_rate=0.01)
    assert_same(run(path, epochs=done + 3, learning_rate=0.01, seed=3), want)


def test_the_best_epoch_s_model_is_loaded(tmp_path):
    for name in ("GSRGNN", "RevGNN"):
        model, result = run(tmp_path / name, name, learning_rate=0.3)
        again = load_model(tmp_path / name)
        assert result.best_epoch < 8
        assert torch.equal(predict(again, *DATA)[:, 0], result.prediction)
        assert again.options() == model.options()
    run(tmp_path / "own", "own")
    with pytest.raises(
        ValueError, match=r"holds a model of class '.*\.Own', and load_model makes GSRGNN, .* train with"
    ):
        load_model(tmp_path / "own")


def test_it_is_written_after_the_first_epoch_then_by_the_clock_and_in_the_end(tmp_path, monkeypatch):
    def epochs_in(path):
        return len(checkpoint.read(path)[1]["history"])

    for every, want in ((60, [1] * 8), (0, [*range(1, 9)])):
        monkeypatch.setattr(checkpoint, "EVERY", every)
        path, found = tmp_path / str(every), []
        run(path, progress=lambda row, path=path, found=found: found.append(epochs_in(path)))
        assert found == want
        assert epochs_in(path) == 8


def test_on_a_full_disk_training_goes_on_and_the_file_before_stays(tmp_path, full_disk):
    path = tmp_path / "run"
    interrupted(path, after=3)
    before, want = path.read_bytes(), run()
    with full_disk(), pytest.warns(UserWarning, match="No space left on device: the checkpoint .*run was not written"):
        resumed = run(path)
    assert_same(resumed, want)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["run"]
    with full_disk(), pytest.warns(UserWarning, match="No space left"):
        interrupted(path, after=5)
    assert path.read_bytes() == before
    assert_same(run(path), want)


def test_where_no_file_can_be_is_found_before_the_first_epoch(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "none" / "run", tmp_path / "file" / "run", tmp_path):
        model = MODELS["GSRGNN"]()
        before = copy.deepcopy(model.state_dict())
        with pytest.raises(OSError, match="No such file|Not a directory|no file"):
            train(model, *DATA, epochs=1, checkpoint=path)
        assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def changed(**values):
    data = copy.copy(DATA[0])
    for name, value in values.items():
        setattr(data, name, value)
    return data, DATA[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": 0.01}, "of a training with another learning_rate: give what it was begun with"),
        ({"data": changed(x=DATA[0].x + 1)}, "another x:"),
        ({"data": changed(y=DATA[0].y + DATA[0].x[:, 2])}, "another label or split:"),
        ({"data": changed(val_mask=torch.arange(60) % 10 == 6)}, "another label or split:"),
        ({"data": (DATA[0], CircuitGraph.from_edge_index(torch.zeros(2, 1).long(), 60))}, "another graph:"),
        ({"model": "RevGNN"}, r"of another model, GSRGNN\(in_channels=4, .*, and this is RevGNN\(in_channels=4"),
        ({"model": "GSRGNN with dropout"}, r"of another model, .*dropout=0.0\), and this is .*dropout=0.3\)"),
        ({"model": "own"}, r"of another model, GSRGNN\(.*, and this is .*Own"),
        ({"epochs": 2}, "has 3 epochs and epochs is 2"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused_and_the_model_left(options, message, tmp_path):
    interrupted(tmp_path / "run")
    before = (tmp_path / "run").read_bytes()
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "run", **options)
    model = MODELS["GSRGNN"]()
    state = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match="another learning_rate"):
        train(model, *DATA, epochs=8, learning_rate=1, checkpoint=tmp_path / "run")
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert (tmp_path / "run").read_bytes() == before


def test_a_file_that_is_cut_or_of_a_model_alone_is_refused(tmp_path):
    model, _ = run(tmp_path / "run", epochs=2)
    whole = (tmp_path / "run").read_bytes()
    (tmp_path / "run").write_bytes(whole[:-1])
    with pytest.raises(ValueError, match="run was not written by gsrgnn, or is not whole"):
        run(tmp_path / "run")
    assert (tmp_path / "run").read_bytes() == whole[:-1]
    save_model(model, tmp_path / "model")
    with pytest.raises(ValueError, match="holds a model and no training: name another file"):
        run(tmp_path / "model")


def test_a_state_that_no_file_holds_is_refused(tmp_path):
    class Odd(Own):
        def get_extra_state(self):
            return {"code": print}

        def set_extra_state(self, state):
            pass

    with pytest.raises(ValueError, match="_extra_state of the state_dict is a dict: a checkpoint holds tensors"):
        train(Odd(), *DATA, epochs=1, checkpoint=tmp_path / "run")
    train(Odd(), *DATA, epochs=1)


def test_nothing_is_warned_of(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(tmp_path / "run", epochs=2)
        run(tmp_path / "run", epochs=3)


def without(*names):
    return lambda words, tensors: [tensors.pop(name) for name in names]


DAMAGED = {
    "no training": lambda words, tensors: words.update(training=None),
    "no options": lambda words, tensors: words["model"].update(options=None),
    "no columns": lambda words, tensors: words.pop("columns"),
    "too few columns": lambda words, tensors: words.update(columns=["epoch"]),
    "no best epoch": lambda words, tensors: words.pop("best_epoch"),
    "a best epoch that was not": lambda words, tensors: words.update(best_epoch=4),
    "no history": without("history"),
    "no rank": without("best_rank"),
    "no random numbers": without("random.cpu"),
    "other random numbers": lambda words, tensors: tensors.update({"random.cpu": torch.zeros(3)}),
    "a moment of another shape": lambda words, tensors: tensors.update({"optimizer.0.exp_avg": torch.zeros(3)}),
    "a moment of no parameter": lambda words, tensors: tensors.update({"optimizer.x.exp_avg": torch.zeros(3)}),
    "a moment beyond the last": lambda words, tensors: tensors.update({"optimizer.99.step": torch.zeros(())}),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_file_that_is_damaged_within_is_refused_and_the_model_left(damage, tmp_path):
    interrupted(tmp_path / "run")
    words, tensors = checkpoint.read(tmp_path / "run")
    damage(words, tensors)
    checkpoint.write(tmp_path / "run", words, tensors)
    model = MODELS["GSRGNN"]()
    state = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match="run (is damaged|is the checkpoint of another model|holds a model and no)"):
        train(model, *DATA, epochs=8, learning_rate=0.05, checkpoint=tmp_path / "run")
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())


def test_two_that_write_the_same_file_write_it_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "EVERY", 0)
    models, found = [MODELS["GSRGNN"]() for _ in range(3)], []

    def go(model):
        train(model, *DATA, epochs=30, learning_rate=0.05, checkpoint=tmp_path / "run")
        found.append(len(checkpoint.read(tmp_path / "run")[1]["history"]))

    threads = [threading.Thread(target=go, args=(model,)) for model in models]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert warned == []
    assert len(found) == len(models)
    assert os.listdir(tmp_path) == ["run"]


def test_a_digest_is_of_the_numbers_and_not_of_how_they_lie():
    plain = torch.tensor([7], dtype=torch.int32)
    assert checkpoint.digest(plain.as_strided((1,), (0,))) == checkpoint.digest(plain)
    square = torch.arange(4.0).reshape(2, 2)
    assert checkpoint.digest(square.T) == checkpoint.digest(square.T.contiguous()) != checkpoint.digest(square)
