"""Models in files: made again with their options and scale, in another process too; what is no such file is refused."""

import inspect
import io
import json
import os
import pickle
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch_geometric import seed_everything

import gsrgnn
from gsrgnn import GSRGNN, CircuitGraph, load_model, model_file, save_model
from gsrgnn.baselines import GCN, CheckpointSAGE, FusedRevGNN, GraphSAGE, RevGNN

ABOUT = {
    "features": "placed",
    "feature_names": ["pins", "nets", "width", "height"],
    "norm": "mean",
    "label": "routed",
    "label_source": "simulated: global routing",
    "units": "capacity",
    "combine": "max",
}
EDGES = torch.arange(60).reshape(2, 30) % 20
X = torch.arange(80.0).reshape(20, 4).sin()
MODELS = [
    lambda: GSRGNN(4, 8, 2, num_layers=3, k=2, residual="dense", first="transform", values="bfloat16", dropout=0.1),
    lambda: GSRGNN(4, 8, num_layers=3, k=2).double(),
    lambda: RevGNN(4, 8, num_layers=2, aggregation="csr"),
    lambda: FusedRevGNN(4, 8, num_layers=2, dropout=0.2),
    lambda: GraphSAGE(4, 7, num_layers=2, aggregation="edge_index"),
    lambda: GCN(4, 7, 3, num_layers=2),
    lambda: CheckpointSAGE(4, 8, num_layers=4, segment=2),
]
PREDICT = """
import sys, torch
from gsrgnn import CircuitGraph, load_model
model = load_model(sys.argv[1])
graph = CircuitGraph.from_edge_index(torch.arange(60).reshape(2, 30) % 20, 20)
x = torch.arange(80.0).reshape(20, 4).sin()
print(*model(x, graph).flatten().tolist())
"""


def graph_for(model):
    return CircuitGraph.from_edge_index(EDGES, 20, norm="sym" if isinstance(model, GCN) else "mean")


def made():
    seed_everything(0)
    model = GSRGNN(4, 8, num_layers=3, k=2)
    model.label_scale.fill(torch.tensor([500.0]), torch.tensor([30.0]))
    return model


@pytest.mark.parametrize("make", MODELS)
def test_a_model_comes_back_with_options_dtype_and_scale(make, tmp_path):
    model = make()
    model.label_scale.fill(torch.tensor(500.0), torch.tensor(30.0))
    save_model(model, tmp_path / "model")
    random = torch.get_rng_state()
    again = load_model(tmp_path / "model")
    assert torch.equal(torch.get_rng_state(), random)
    assert type(again) is type(model)
    assert again.options() == model.options()
    assert model.options().keys() == inspect.signature(type(model)).parameters.keys()
    assert not again.training
    x, graph = X.to(model.head.weight.dtype), graph_for(model)
    want = model.eval()(x, graph)
    assert torch.equal(again(x, graph), want)
    again(x, graph).sum().backward()  # it can be trained on
    assert again.encoder.weight.grad is not None
    assert os.listdir(tmp_path) == ["model"]


def test_it_predicts_in_a_new_process(tmp_path):
    model = made()
    save_model(model, tmp_path / "model")
    ran = subprocess.run(
        [sys.executable, "-c", PREDICT, tmp_path / "model"], capture_output=True, text=True, check=True
    )
    assert torch.equal(torch.tensor([float(value) for value in ran.stdout.split()]), model(X, graph_for(model))[:, 0])


def test_only_what_can_be_made_again_is_saved(tmp_path):
    class Ours(GSRGNN):
        pass

    for model in (Ours(4, 8, num_layers=1, k=2), torch.nn.Linear(4, 1)):
        with pytest.raises(ValueError, match="is not one of GSRGNN, GCN, .*: save its state_dict"):
            save_model(model, tmp_path / "model")
    assert os.listdir(tmp_path) == []


def test_where_it_cannot_be_written_the_file_before_stays(tmp_path, full_disk):
    model, path = made(), tmp_path / "model"
    save_model(model, path)
    before = path.read_bytes()
    with full_disk(), pytest.raises(OSError, match="No space left"):
        save_model(GSRGNN(4, 8, num_layers=1, k=2), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model"]


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def pickled():
    file = io.BytesIO()
    torch.save({"model": Hostile()}, file)
    return file.getvalue()


@pytest.mark.parametrize("data", [pickle.dumps(Hostile()), pickled()])
def test_a_pickle_is_called_one(data, tmp_path):
    (tmp_path / "model").write_bytes(data)
    with pytest.raises(ValueError, match="it is a pickle, a program that is not run here"):
        model_file.about(tmp_path / "model")


@pytest.mark.parametrize("data", [b"", b"\x00" * 100, b"\xff" * 100, b'{"a": 1}', pickle.dumps(Hostile()), pickled()])
def test_what_is_no_such_file_is_refused_and_not_executed(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").write_bytes(data)
    with pytest.raises(ValueError, match="model was not written by gsrgnn, or is not whole"):
        load_model("model")
    assert os.listdir(tmp_path) == ["model"]


def test_a_file_that_is_cut_anywhere_is_refused(tmp_path):
    save_model(made(), tmp_path / "model")
    whole = (tmp_path / "model").read_bytes()
    for end in (4, 8, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "model").write_bytes(whole[:end])
        with pytest.raises(ValueError, match="is not whole"):
            load_model(tmp_path / "model")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file .*: save_model and train"):
        load_model(tmp_path / "none")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (None, "was not written by gsrgnn"),
        ("[" * 100_000, "was not written by gsrgnn"),
        ("7", "was not written by gsrgnn"),
        ('{"model": 7}', "was not written by gsrgnn"),
        ('{"model": {}}', "holds a model of class None, and load_model makes GSRGNN, GCN"),
        ('{"model": {"class": "os.system", "options": {}}}', "holds a model of class 'os.system'"),
        ('{"model": {"class": ["GSRGNN"], "options": {}}}', "holds a model of class"),
        ('{"model": {"class": "GSRGNN", "options": {"command": "rm"}}}', "holds no GSRGNN of its options"),
    ],
)
def test_words_that_are_not_ours_are_refused(words, message, tmp_path):
    save_file({"model.x": torch.zeros(1)}, tmp_path / "model", words and {"gsrgnn": words})
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path / "model")


@pytest.mark.parametrize("option", [{"hidden_channels": 2**40}, {"num_layers": 5}, {"k": 3}, {"residual": "dense"}])
def test_options_that_do_not_fit_the_parameters_are_refused(option, tmp_path):
    model = made()
    save_model(model, tmp_path / "model")
    words, tensors = model_file.read(tmp_path / "model")
    words["model"]["options"] |= option
    model_file.write(tmp_path / "model", words, tensors)
    with pytest.raises(ValueError, match="holds no GSRGNN of its options"):
        load_model(tmp_path / "model")


def test_other_tools_read_the_parameters(tmp_path):
    model = made()
    save_model(model, tmp_path / "model.safetensors")
    found = load_file(tmp_path / "model.safetensors")
    assert {name.removeprefix("model.") for name in found} == model.state_dict().keys()
    header = (tmp_path / "model.safetensors").read_bytes()[8:].partition(b"}}}")[0]
    assert json.dumps("GSRGNN").encode() in header.replace(b"\\", b"")


def test_the_names_are_the_package_s():
    assert {"load_model", "save_model"} <= set(gsrgnn.__all__)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*missing: make it first"):
        save_model(GSRGNN(4, 8, num_layers=1, k=2), tmp_path / "missing" / "model.safetensors")


def test_a_file_says_what_its_model_takes_and_gives(tmp_path):
    save_model(
        made(), tmp_path / "model", ABOUT | {"trained_on": ["riscv/ibex"], "scores": [{"circuit": "a", "r2": None}]}
    )
    found = model_file.about(tmp_path / "model")
    assert found == ABOUT | {
        "trained_on": ["riscv/ibex"],
        "scores": [{"circuit": "a", "r2": None}],
        "gsrgnn": gsrgnn.__version__,
    }
    assert torch.equal(load_model(tmp_path / "model")(X, graph_for(None)), made()(X, graph_for(None)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"features": 7}, "in features: 7 is not of type 'string'"),
        ({"norm": "max"}, "in norm: 'max' is not one of"),
        ({"unit": "capacity"}, "'unit' was unexpected"),
        ({"scores": [{"r2": 1.0}]}, "in scores.0: 'circuit' is a required property"),
        ({"feature_names": ["pins"]}, "1 names of features, and the model has in_channels=4"),
        ({"label": "rudy"}, "no circuit has label 'rudy' with combine 'max' and units 'capacity'"),
        ({"combine": "both"}, "2 columns for combine 'both', and the model has out_channels=1"),
    ],
)
def test_what_is_said_must_fit_the_schema_and_the_model(wrong, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        save_model(made(), tmp_path / "model", ABOUT | wrong)
    assert os.listdir(tmp_path) == []
    save_model(made(), tmp_path / "model", ABOUT)
    words, tensors = model_file.read(tmp_path / "model")
    words["about"] |= wrong
    model_file.write(tmp_path / "model", words, tensors)
    with pytest.raises(ValueError, match=message):
        model_file.about(tmp_path / "model")


def test_a_file_without_a_word_about_it_loads_and_says_what_is_missing(tmp_path):
    model = made()
    words = {"model": model_file.described(model)}  # as gsrgnn wrote it before it had a format
    save_file(
        {f"model.{name}": t for name, t in model.state_dict().items()}, tmp_path / "old", {"gsrgnn": json.dumps(words)}
    )
    assert torch.equal(load_model(tmp_path / "old")(X, graph_for(model)), model(X, graph_for(model)))
    with pytest.raises(
        ValueError, match="old does not say what it takes and gives .features, feature_names, norm, label"
    ):
        model_file.about(tmp_path / "old")


def test_another_format_is_refused(tmp_path):
    save_model(made(), tmp_path / "model", ABOUT)
    words, tensors = model_file.read(tmp_path / "model")
    model_file.write(tmp_path / "model", words | {"format": 2}, tensors)
    for read in (load_model, model_file.about):
        with pytest.raises(ValueError, match=r"is of format 2, and gsrgnn .* reads format 1"):
            read(tmp_path / "model")
