"""`gsrgnn train` and `gsrgnn predict`, on circuits of a few hundred cells."""

import errno
import os
import re

import pandas as pd
import pytest
import small_def
import torch

from gsrgnn import GSRGNN, CircuitGraph, circuits, model_file, save_model
from gsrgnn.circuits import layouts
from gsrgnn.circuits.layouts import Layout
from gsrgnn.lab import fit

SMALL = "--hidden 8 --layers 2 --k 2 --epochs 3"
TRAIN = f"train --on synthetic/300,synthetic/200 --validate synthetic/250 -o model.pt {SMALL}"


@pytest.fixture
def call(gsrgnn, monkeypatch):
    monkeypatch.delenv("CIRCUITNET_ROOT", raising=False)
    monkeypatch.delenv("R2G_ROOT", raising=False)
    return lambda line: gsrgnn(*line.split())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The file of a small model; tests copy nothing and write elsewhere."""
    path = tmp_path_factory.mktemp("trained") / "model.pt"
    options = fit.Options(hidden=8, layers=2, k=2, epochs=3)
    parts = fit.Parts(["synthetic/300", "synthetic/200"], ["synthetic/250"])
    fit.fit(parts, path, options, checkpoint=path.with_name("checkpoint"), say=lambda words: None)
    return path


def test_train_then_predict(call, tmp_path):
    ran = call(f"{TRAIN} --test synthetic/150 --card")
    assert ran.exit_code == 0, ran.output
    rows = [line.split()[:2] for line in ran.stdout.splitlines()[1:]]
    assert rows[:4] == [["synthetic/250", "validate"], ["all", "validate"], ["synthetic/150", "test"], ["all", "test"]]
    assert ran.stdout.splitlines()[-1].startswith("next: gsrgnn predict model.pt ")
    assert "epoch 3 of 3: loss " in ran.stderr
    assert sorted(os.listdir(tmp_path)) == ["model.md", "model.pt"]
    about = model_file.about("model.pt")
    assert (about["features"], about["units"], about["label"], about["norm"]) == (
        "placed",
        "capacity",
        "routed",
        "mean",
    )
    assert about["trained_on"] == ["synthetic/300", "synthetic/200"]
    assert [row["circuit"] for row in about["scores"]] == ["synthetic/250", "synthetic/150"]
    card = (tmp_path / "model.md").read_text()
    assert f"\n{about['command']}\n" in card
    assert call(f"{about['command'].removeprefix('gsrgnn ')} --card").exit_code == 0  # it makes the same model again
    assert model_file.about("model.pt")["scores"] == about["scores"]

    ran = call("predict model.pt riscv/picorv32-small -o new/cells.csv --picture new/die.png")
    assert ran.exit_code == 0, ran.output
    assert sorted(os.listdir(tmp_path / "new")) == ["cells.csv", "cells.gcells.csv", "die.png"]
    assert "pearson " in ran.stdout
    assert "reading " in ran.stdout
    cells, gcells = (pd.read_csv(tmp_path / "new" / name) for name in ("cells.csv", "cells.gcells.csv"))
    data = circuits.load("riscv/picorv32-small", features="placed", units="capacity")
    assert list(cells) == ["cell", "left", "bottom", "right", "top", "predicted", "true"]
    assert cells["true"].to_numpy() == pytest.approx(data.y[:, 0].numpy(), abs=1e-5)
    model = model_file.load_model("model.pt")
    assert cells["predicted"].to_numpy() == pytest.approx(
        model(data.x, CircuitGraph.from_data(data))[:, 0].detach().numpy(), rel=1e-3, abs=1e-5
    )
    one = gcells.iloc[len(gcells) // 2]
    covers = (cells.left <= one.x) & (one.x <= cells.right) & (cells.bottom <= one.y) & (one.y <= cells.top)
    assert one.predicted == pytest.approx(cells.predicted[covers].mean(), rel=1e-4)


def test_nothing_is_routed_unless_asked(call, trained, monkeypatch):
    from gsrgnn.circuits import congestion

    with monkeypatch.context() as patched:
        patched.delattr(congestion, "routed")
        ran = call(f"predict {trained} synthetic/200 -o cells.csv")
    assert ran.exit_code == 0, ran.output
    assert "there are no scores: --score simulates it, by routing" in ran.stderr
    assert "compare places of this circuit, not circuits" in ran.stderr
    assert "true" not in pd.read_csv("cells.csv")
    ran = call(f"predict {trained} synthetic/200 --score")
    assert ran.exit_code == 0, ran.output
    assert "pearson " in ran.stdout
    assert "the model was trained on synthetic/200" in ran.stderr


def test_a_def_has_names_and_its_wires_are_scored(call, trained, tmp_path):
    small_def.write(tmp_path, name="mine.def.gz")
    (tmp_path / "cells.lef").write_text(small_def.LEF)
    ran = call(f"predict {trained} mine.def.gz --lef cells.lef -o cells.csv")
    assert ran.exit_code == 0, ran.output
    assert pd.read_csv("cells.csv")["cell"].tolist() == [r"top/a\[0\]", "b", "c", "d", "ram"]
    assert "the true values are the wires of a DEF file, and the model predicts simulated: global routing" in ran.stderr
    before = (tmp_path / "mine.def.gz").read_bytes()
    ran = call(f"predict {trained} mine.def.gz -o mine.def.gz")
    assert ran.stderr == "error: mine.def.gz would be written over what is read: name another file\n"
    assert (tmp_path / "mine.def.gz").read_bytes() == before


def test_both_directions_and_another_model(call):
    ran = call(f"{TRAIN} --combine both --model GCN")
    assert ran.exit_code == 0, ran.output
    assert model_file.about("model.pt")["norm"] == "sym"
    ran = call("predict model.pt synthetic/150 -o cells.csv --picture die.svg --score")
    assert ran.exit_code == 0, ran.output
    assert list(pd.read_csv("cells.gcells.csv")) == [
        "x",
        "y",
        *(f"{what}_{way}" for what in ("predicted", "true") for way in ("horizontal", "vertical")),
    ]


def test_a_folder_of_layouts_is_trained_on(call, tmp_path, monkeypatch):
    (tmp_path / "made").mkdir()
    layouts.make(Layout("riscv/picorv32-small", 0.8, 2.0, "corners", 7), "made")
    ran = call(f"train --on made --validate synthetic/250 -o model.pt --label rudy {SMALL}")
    assert ran.stderr.startswith("error: made is a folder of layouts, whose RUDY has no units")
    ran = call(f"train --on made --validate synthetic/250 -o model.pt {SMALL}")
    assert ran.exit_code == 0, ran.output
    assert model_file.about("model.pt")["trained_on"] == ["riscv/picorv32-small-u0.80-a2.00-corners-s7"]
    ran = call(f"train --on made --validate synthetic/250 -o model.pt --units largest {SMALL}")
    assert ran.stderr.splitlines()[-1] == (
        "error: made is a folder of layouts, which have units capacity: leave out --units"
    )


def test_an_interrupted_training_goes_on(call, monkeypatch, tmp_path):
    whole = call(TRAIN)
    scores = whole.stdout
    (tmp_path / "model.pt").unlink()

    def tell(say, epochs, lines=fit._lines):
        def stop(row):
            if row["epoch"] == 2:
                raise KeyboardInterrupt

        return stop

    with monkeypatch.context() as patched:
        patched.setattr(fit, "_lines", tell)
        ran = call(TRAIN)
    assert ran.exit_code == 130
    assert ran.stderr.splitlines()[-1] == "interrupted: the same command goes on from model.pt.checkpoint"
    assert os.listdir(tmp_path) == ["model.pt.checkpoint"]
    again = call(TRAIN)
    assert again.stdout == scores
    assert "epoch 2 of 3" not in again.stderr
    assert os.listdir(tmp_path) == ["model.pt"]
    assert call(f"{TRAIN} --checkpoint kept").exit_code == 0
    assert sorted(os.listdir(tmp_path)) == ["kept", "model.pt"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            "--on synthetic/200 --validate synthetic/200",
            "--on and --validate both name synthetic/200: name a circuit in one",
        ),
        ("--on synthetic/200,synthetic/200 --validate synthetic/250", "--on names synthetic/200 more than once"),
        ("--on synthetic/200 --validate ,", "--validate names no circuit"),
        ("--on synthetic/200 --validate nothing", "no circuit 'nothing'"),
        (
            "--on synthetic/200 --validate synthetic/250 --model Tree",
            "model 'Tree' is unknown: it is one of GSRGNN, GCN",
        ),
        (
            "--on synthetic/200 --validate synthetic/250 --features all",
            "features 'all' is unknown: it is one of netlist",
        ),
        ("--on synthetic/200 --validate synthetic/250 --hidden 7", "width is 7: the stream splits into 2 groups"),
        ("--on synthetic/200 --validate synthetic/250 --lef a.lef", "--lef goes with a DEF file"),
    ],
)
def test_what_cannot_be_trained_is_one_line(call, options, says, tmp_path):
    ran = call(f"train -o model.pt {options}")
    assert ran.exit_code == 1
    assert ran.stderr.splitlines()[-1].startswith(f"error: {says}")
    assert os.listdir(tmp_path) == []


def test_models_that_cannot_predict_are_one_line(call, trained, tmp_path):
    model = GSRGNN(2, 8, num_layers=1, k=2)
    about = model_file.about(trained)
    save_model(model, "old.pt")
    save_model(model, "other.pt", {name: about[name] for name in about} | {"feature_names": ["pins", "colour"]})
    whole, parameters = model_file.read(trained)
    words, tensors = model_file.read(tmp_path / "other.pt")
    foreign = words["about"] | {"feature_names": ["\x1b[31mred\n" * 900, "pins"], "gsrgnn": "9\n"}
    model_file.write(tmp_path / "foreign.pt", words | {"about": foreign}, tensors)
    deep = {"class": "GSRGNN", "options": whole["model"]["options"] | {"num_layers": 50}}
    model_file.write(tmp_path / "deep.pt", whole | {"model": deep}, parameters)
    model_file.write(tmp_path / "list.pt", words | {"model": {"class": "GSRGNN", "options": []}}, tensors)
    torch.save(model.state_dict(), "pickle.pt")
    (tmp_path / "cut.pt").write_bytes(trained.read_bytes()[:-1])
    for name, says in {
        "old.pt": "old.pt does not say what it takes and gives (features, feature_names",
        "other.pt": "other.pt takes features 'placed' that gsrgnn ",
        "pickle.pt": "pickle.pt was not written by gsrgnn, or is not whole (it is a pickle",
        "deep.pt": "deep.pt holds no GSRGNN of its options ",
        "foreign.pt": "foreign.pt takes features 'placed' that gsrgnn ",
        "list.pt": "list.pt: 2 names of features, and the model has in_channels=None",
        "cut.pt": "cut.pt was not written by gsrgnn, or is not whole",
        "none.pt": "no file none.pt: give a file that gsrgnn train wrote, or shipped",
        "mine.def": "mine.def is a circuit, and the model comes first: gsrgnn predict shipped mine.def",
    }.items():
        ran = call(f"predict {name} synthetic/200 -o cells.csv")
        assert ran.exit_code == 1
        assert ran.stderr.startswith(f"error: {says}")
        assert ran.stderr.count("\n") == 1
        assert "\x1b" not in ran.stderr
        assert len(ran.stderr) < 1000
    assert not (tmp_path / "cells.csv").exists()


def test_a_model_of_another_version_says_so(call, trained, tmp_path):
    words, tensors = model_file.read(trained)
    model_file.write(tmp_path / "later.pt", words | {"about": words["about"] | {"gsrgnn": "9.0"}}, tensors)
    ran = call("predict later.pt synthetic/200")
    assert ran.exit_code == 0
    assert ran.stderr.startswith("note: the model is of gsrgnn '9.0' and this is ")
    assert "of gsrgnn" not in call(f"predict {trained} synthetic/200").stderr


def test_a_model_is_kept_where_the_disk_is_full(call, tmp_path, monkeypatch):
    (tmp_path / "kept").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "kept"))

    def save(model, path, about, save=model_file.save_model):
        if path.name == str(path):  # in the folder that is full
            raise OSError(errno.ENOSPC, "No space left on device")
        save(model, path, about)

    monkeypatch.setattr(model_file, "save_model", save)
    ran = call(TRAIN)
    assert ran.exit_code == 1
    (kept,) = (tmp_path / "kept").glob("gsrgnn-*/model.pt")
    assert ran.stderr.splitlines()[-1].endswith(f"what was computed is kept: make room and call mv {kept} model.pt")
    assert model_file.about(kept)["trained_on"] == ["synthetic/300", "synthetic/200"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("+ PLACED ( 3600 10000 ) N", ""), "c is not placed"),
        (("( 60000 60000 )", "( 60000 "), "mine.def"),
    ],
)
def test_designs_that_cannot_be_predicted_are_one_line(call, trained, tmp_path, change, says):
    text = small_def.DEF.replace(*change)
    assert text != small_def.DEF
    small_def.write(tmp_path, text, name="mine.def")
    ran = call(f"predict {trained} mine.def -o cells.csv")
    assert ran.exit_code == 1
    assert says in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert not (tmp_path / "cells.csv").exists()


def test_a_design_without_nets_is_one_line(call, trained, tmp_path):
    head, _, rest = small_def.DEF.partition("NETS 5 ;")
    small_def.write(tmp_path, f"{head}NETS 0 ;\nEND NETS\nEND DESIGN\n", name="mine.def")
    ran = call(f"predict {trained} mine.def")
    assert ran.exit_code == 1
    assert ran.stderr.startswith("error: mine.def")
    assert "NETS" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_another_seed_is_another_training(call, monkeypatch):
    assert call(f"{TRAIN} --checkpoint kept").exit_code == 0
    ran = call(f"{TRAIN} --checkpoint kept --seed 1")
    assert ran.stderr.splitlines()[-1] == (
        "error: kept is the checkpoint of a training with a seed other than 1: give the one that it was begun with, or "
        "delete the file"
    )
    ran = call(f"{TRAIN} --checkpoint kept --k 4")
    assert "kept is the checkpoint of another model" in ran.stderr
    assert call(f"{TRAIN} --checkpoint kept").exit_code == 0


def test_a_graph_is_of_the_norm_that_the_model_says(call):
    model = GSRGNN(43, 8, num_layers=2, k=2)
    data = circuits.load("riscv/picorv32-small", features="placed", units="capacity")
    names = ("features", "feature_names", "label", "label_source", "units", "combine")
    save_model(model, "sum.pt", {name: data[name] for name in names} | {"norm": "sum"})
    assert call("predict sum.pt riscv/picorv32-small -o cells.csv").exit_code == 0
    found = pd.read_csv("cells.csv")["predicted"].to_numpy()
    for norm, same in (("sum", True), ("mean", False)):
        with torch.no_grad():
            expected = model.eval()(data.x, CircuitGraph.from_data(data, norm=norm))[:, 0].numpy()
        assert (found == pytest.approx(expected, rel=1e-3, abs=1e-5)) == same


def test_a_prediction_on_a_device_leaves_the_rest_where_it_was(trained, monkeypatch):
    from gsrgnn.lab import prediction

    monkeypatch.setattr(prediction.Circuit, "to", lambda *arguments: pytest.fail("all of the circuit was moved"))
    assert len(prediction.predict_circuit(trained, "synthetic/200").cells) == 200


def test_what_is_read_is_not_written_over(call, trained, tmp_path):
    for circuit, output in (("mine.aux", "mine.pl"), ("mine.def", "mine.def")):
        (tmp_path / circuit).write_text("RowBasedPlacement : mine.nodes mine.nets mine.wts mine.pl mine.scl")
        for kind in ("nodes", "nets", "wts", "pl", "scl"):
            (tmp_path / f"mine.{kind}").write_text("as it was")
        for line in (f"predict {trained} {circuit}", f"train --on {circuit} --validate synthetic/250 {SMALL}"):
            ran = call(f"{line} -o {output}")
            assert ran.stderr == f"error: {output} would be written over what is read: name another file\n"
    ran = call(f"{TRAIN} --checkpoint ./model.pt")
    assert ran.stderr == "error: model.pt would be written twice, with different contents: name two files\n"
    ran = call(f"predict {trained} synthetic/200 -o die.svg --picture die.svg")
    assert ran.stderr == "error: die.svg would be written twice, with different contents: name two files\n"


def test_a_circuit_is_one_by_whatever_path(call, tmp_path):
    small_def.write(tmp_path, name="mine.def")
    ran = call(f"train -o model.pt --on mine.def --validate ./mine.def {SMALL}")
    assert ran.stderr.startswith(f"error: --on and --validate both name {tmp_path}/mine.def: ")


def test_many_names_are_no_path(call):
    ran = call(f"train -o model.pt --on {','.join(f'a{number}.npz' for number in range(100))} --validate synthetic/250")
    assert ran.stderr.startswith("error: No such file or directory: a0.npz")


def test_the_command_in_the_file_has_names_with_commas(tmp_path):
    parts = fit.Parts(["a,b.def", "riscv/ibex"], ["riscv/vexriscv", "crypto/sha256"])
    said = fit.command(parts, tmp_path / "model.pt", fit.Options())
    assert said.startswith("gsrgnn train --on a,b.def --on riscv/ibex --validate riscv/vexriscv,crypto/sha256 ")


def test_a_design_of_one_cell_is_predicted_and_not_scored(call, trained, tmp_path):
    text = small_def.DEF
    for name in ("b", "c", "d", "tap", "ram"):
        text = re.sub(rf"\n- {name} [^;]*;|\( {name} [A-Z0-9]+( \+ SYNTHESIZED)? \)", "", text)
    small_def.write(tmp_path, text.replace("COMPONENTS 6", "COMPONENTS 1"), name="mine.def")
    ran = call(f"predict {trained} mine.def -o cells.csv")
    assert ran.exit_code == 0, ran.output
    assert len(pd.read_csv("cells.csv")) == 1
    assert "note: mine.def has one cell, and there are no scores" in ran.stderr


def test_a_circuit_of_few_cells_chooses_the_epoch(call, tmp_path):
    small_def.write(tmp_path, name="mine.def")
    ran = call(f"train -o model.pt --on synthetic/250 --validate mine.def --label routed {SMALL}")
    assert ran.exit_code == 0, ran.output


def test_files_of_an_unknown_kind_are_refused_first(call, trained):
    ran = call(f"predict {trained} synthetic/200 --picture die.xyz")
    assert ran.stderr == "error: die.xyz: a picture ends in .png, .svg or .pdf\n"
    assert call(f"predict {trained} synthetic/200 -o cells.xlsx").stderr == "error: cells.xlsx: a table ends in .csv\n"
