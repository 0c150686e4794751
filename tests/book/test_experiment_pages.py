"""The pages on trainings, run on records of the shape that the profile `deep` makes."""

import copy
import html
import re
from pathlib import Path

import pytest
from IPython.display import Markdown
from sample_record import RECORD

from gsrgnn.book import origin
from gsrgnn.book.steps import ON_GPU
from gsrgnn.lab import records
from gsrgnn.lab.experiments import points
from gsrgnn.lab.notebooks import code_cells, read_source

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """A folder with a record of each point of `deep` that trains; deeper is better, and k = 16 best."""
    folder = tmp_path_factory.mktemp("deep")
    for point in points("deep", ["depth", "quality"]):
        given = point.parameters
        record = copy.deepcopy(RECORD) | {"experiment": point.experiment, "parameters": given}
        defaults = {"k": 8, "residual": "sparse", "dropout": 0.0, "device": "cpu"}
        record["defaults"] = {name: value for name, value in defaults.items() if name not in given}
        score = 0.5 + given["num_layers"] / 1000 + given.get("k", 8) / 500 + given["seed"] / 100
        scores = record["rows"][0] | {"pearson": score, "test_cells": 3000}
        rates = {"rates_tried": "0.001: 0.5000, 0.002: 0.6000", "rate_on_edge": True, "epochs_run": 9}
        record["rows"] = [scores | rates | {"seconds": 7200.0, "memory_peak": 3e9}]
        if point.experiment == "quality":
            measures = ("pearson", "spearman", "kendall", "r2")
            both = {"RevGNN": 0.5, "GSRGNN": 0.51, "difference": 0.01, "low": 0.0, "high": 0.02}
            both |= {"RevGNN_learning_rate": 6.25e-4, "GSRGNN_learning_rate": 0.0025 * (1 + given["seed"])}
            record["rows"] = [{"k": k, "measure": measure, **both} for k in given["ks"] for measure in measures]
        records.write(record, folder / point.experiment / f"{point.name}.json")
    return folder


@pytest.fixture(scope="module")
def the_other_way(tmp_path_factory):
    """The committed records of steps, once more with GSR-GNN slow and large, and all of it on a GPU too."""
    folder = tmp_path_factory.mktemp("other")
    for experiment in ("speed", "memory", "profile"):
        for number, record in enumerate(records.read_all(ROOT / "results", experiment)[0]):
            for row in record["rows"]:
                worse = 1000 if row["contender"].startswith("GSR") else 1
                for name, value in row.items():
                    if name.startswith(("step_", "forward_", "backward_")) or name == "memory_peak":
                        row[name] = value and value * worse
            records.write(record, folder / experiment / f"{number}.json")
            for row in record["rows"]:
                row |= {f"memory_{name}": row.get("memory_peak") for name in ON_GPU}
            record["provenance"]["GPU"] = "H100"
            record["defaults"].pop("device", None)
            record["parameters"]["device"] = "cuda"
            records.write(record, folder / experiment / f"{number}-gpu.json")
    return folder


@pytest.fixture
def shown(deep, monkeypatch):
    """Runs a page's code and gives all that it displays, as text and HTML."""

    def run(name):
        out = []

        def display(*things):
            out.extend(thing.data if isinstance(thing, Markdown) else thing._repr_html_() for thing in things)

        monkeypatch.chdir(ROOT)
        monkeypatch.setattr("IPython.display.display", display)
        monkeypatch.setattr(origin, "display", lambda *things, **options: None)
        cells = [text for text, _ in code_cells(read_source(ROOT / "notebooks" / f"{name}.py"))]
        names = {}
        for text in cells:
            exec(text, names)
            if text.startswith('folder = "results"'):
                names["folder"] = str(deep)
        out.append(names["page"].show(names["shown"], views=names["page"].leading())._repr_html_())
        return html.unescape("\n".join(out))

    return run


LONG = ("21_table_1", "22_table_2", "24_unseen")
RECORDED = sorted(path.stem for path in (ROOT / "notebooks").glob("*.py") if "findings.Page(" in path.read_text())


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in RECORDED])
def test_a_page_without_records_runs_and_says_that_there_are_none(name, tmp_path, monkeypatch):
    handed = []
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("IPython.display.display", lambda *things: None)
    monkeypatch.setattr(origin, "display", lambda data, raw: handed.append(data["text/plain"]))
    names = {}
    for text, tags in code_cells(read_source(ROOT / "notebooks" / f"{name}.py")):
        exec(text, names)
        if "parameters" in tags:
            names |= {"folder": str(tmp_path), "real": False}
    assert len(handed) == 1
    assert "There is no record of the experiment " in handed[0]


def test_figure_1_compares_the_models_of_the_widest_group(shown):
    text = shown("14_figure_1")
    assert "width 128, epochs 250" in text
    assert "width 384" not in text
    assert "RevGNN with 100 layers is" in text
    assert "GSR-GNN, k = 8 with 100 layers is" in text
    assert "k = 16" not in text
    assert "none of the paper's ten" in text or "riscv" in text


def test_figure_2_has_the_curves_and_what_was_tried(shown):
    text = shown("15_figure_2")
    assert "RevGNN is best with 100 of at most 100 layers" in text
    assert "seeds of one point differ by up to 0.010" in text
    assert "RevGNN, dropout 0.1" in text
    assert "fewer epochs, and dropout" in text
    assert "searches for a rate" in text
    assert "GSR-GNN, k = 16" in text
    (own,) = re.findall(r"100 layers, width 384, on .*?</table>", text, re.DOTALL)
    assert all(words in own for words in ("GSR-GNN, k = 16", "RevGNN", "2.00", "3,000"))


def test_figure_8_takes_the_differences_of_those_runs(shown):
    text = shown("18_figure_8")
    assert "tuning epochs 60" in text
    assert "each alike however many seeds it has: Pearson +0.0100" in text
    assert "RevGNN trained best with 0.000625, GSR-GNN with 0.0025 to 0.005." in text
    assert "at a disadvantage" not in text  # further rates were tried below the lowest


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("16_figure_3", "one array of messages; the leanest route, ", marks=pytest.mark.slow),
        pytest.param("17_figure_4", "times as long as its forward pass", marks=pytest.mark.slow),
        pytest.param("19_figure_9", "slower in every row, and", marks=pytest.mark.slow),
        ("20_figure_10", "times that of RevGNN on an edge_index"),
        pytest.param("22_table_2", "The fastest, GSR k=", marks=pytest.mark.slow),
    ],
)
def test_a_page_says_the_other_thing_of_other_records_on_each_of_two_machines(name, words, the_other_way, monkeypatch):
    shown = []

    def show(self, make, *setting, views=None):
        for view in self.views(*setting) if views is None else views:
            shown.append((view.machine, "".join(part._repr_html_() for part in make(view))))

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("gsrgnn.book.findings.Page.show", show)
    monkeypatch.setattr("IPython.display.display", lambda *things, **options: None)
    monkeypatch.setattr(origin, "display", lambda data, raw: None)
    names = {}
    for text, tags in code_cells(read_source(ROOT / "notebooks" / f"{name}.py")):
        exec(text, names)
        if "parameters" in tags:
            names["folder"] = str(the_other_way)
    said = {machine: html.unescape(page) for machine, page in shown if words in html.unescape(page)}
    assert len(said) == 2
    assert "H100" in said
