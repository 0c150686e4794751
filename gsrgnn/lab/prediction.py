"""What a model in a file says of a circuit: tables of its cells and gcells, and scores where its label is known.

`gsrgnn predict` is this. Nothing is routed for it unless that is asked for: a prediction is to be cheaper than what it
predicts.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gsrgnn import circuits, load_model, model_file, passes, shipped
from gsrgnn.arguments import shown
from gsrgnn.circuits.data import FEATURES, Circuit, to_data
from gsrgnn.circuits.netlist import Netlist
from gsrgnn.evaluation import MEASURES, OVER_GRID, compares_maps, gcell_map, measures
from gsrgnn.graph import CircuitGraph
from gsrgnn.lab.fit import check_device
from gsrgnn.metrics import columns
from gsrgnn.model_file import About
from gsrgnn.version import __version__

SIMULATED = ("routed", "rudy")
_UNITS = {"circuitnet": "overflow over capacity", "routed": "overflow over capacity", "wires": "wires over tracks"}


@dataclass(frozen=True)
class Prediction:
    """What was predicted of a circuit.

    Attributes:
        name: of the circuit; ``num_cells`` of it.
        cells: a row a cell: ``cell``, its name where the file has names, else its number from 0; the gcells that it
            covers, ``left``, ``bottom``, ``right`` and ``top``, inclusive; ``predicted`` and, where the label is known,
            ``true``. Of a model of both directions they are ``predicted_horizontal``, ``predicted_vertical`` and so on.
        gcells: a row a gcell that a cell covers: ``x`` and ``y`` from the lower left, and the means of those columns
            over the cells that cover it.
        maps: ``[W, H]``, the predicted and the true one or None, NaN where no cell lies; of both directions the larger.
        unit: of the predictions, in words.
        source: where the label that the model was trained on comes from.
        true_source: where that of the circuit does; "" where it is not known.
        scores: the `MEASURES` of `gsrgnn.evaluation`, those over gcells where scikit-image is there; empty where no
            label is known, and for one cell.
        seconds: by what took them: "reading", "graph", "prediction".
        remarks: what is to be known of the predictions and the scores, a sentence each.
    """

    name: str
    cells: pd.DataFrame
    gcells: pd.DataFrame
    maps: tuple[NDArray[np.float64], NDArray[np.float64] | None]
    unit: str
    source: str
    true_source: str
    scores: dict[str, float]
    seconds: dict[str, float]
    remarks: list[str]


def predict_circuit(
    model: str | Path, circuit: str, *, device: str = "cpu", lef: Sequence[str] = (), score: bool = False
) -> Prediction:
    """The `Prediction` of the model in a file, or "shipped", for a circuit by its name or its file's path.

    lef: for a DEF. score: make the label that the model predicts where the circuit comes without it: simulated global
    routing takes longer than the prediction.

    Raises ValueError and OSError as `model_file.about`, `load_model` and `gsrgnn.circuits.known` do, for a model of
    features that this package does not make, and for a label that cannot be made.
    """
    check_device(device)
    path = shipped.MODEL if str(model) == shipped.NAME else Path(model)
    if circuits.is_file(str(model)):
        raise ValueError(f"{model} is a circuit, and the model comes first: gsrgnn predict {shipped.NAME} {model}")
    if not path.exists():
        raise FileNotFoundError(
            f"no file {model}: give a file that gsrgnn train wrote, or {shipped.NAME}, the model of the package"
        )
    about = model_file.about(path)
    names, _ = FEATURES.get(about["features"], ([], None))
    if names != about["feature_names"]:
        other = sorted(set(about["feature_names"]) - set(names))[:3] or ["in another order"]
        raise ValueError(
            f"{path} takes features {about['features']!r} that gsrgnn {__version__} does not make "
            f"({', '.join(map(shown, other))}): take gsrgnn {shown(about['gsrgnn'])}, which wrote it, or train it again"
        )
    trained = load_model(path, device)
    started = time.perf_counter()
    netlist, data = _read(circuit, about, lef, score, path)
    read = time.perf_counter()
    graph = CircuitGraph.from_data(data, norm=about["norm"]).to(device)
    made = time.perf_counter()
    predicted = columns(passes.predicted(trained, data.x.to(device), graph))
    seconds = {"reading": read - started, "graph": made - read, "prediction": time.perf_counter() - made}
    true = None if data.y is None else columns(data.y)
    scores = {} if true is None or len(true) < 2 else _scores(data, predicted)
    cells, gcells, maps = _tables(netlist, data, predicted, true)
    return Prediction(
        name=data.name,
        cells=cells,
        gcells=gcells,
        maps=maps,
        unit="parts of the circuit's largest" if about["units"] == "largest" else _UNITS[about["label"]],
        source=about["label_source"],
        true_source="" if true is None else data.label_source,
        scores=scores,
        seconds=seconds,
        remarks=_remarks(about, data, scores),
    )


def _read(circuit, about, lef, score, path):
    """The netlist, and the data with the features that the model takes and, where it is known, a label."""
    netlist, label, maps = circuits.known(circuit, lef=lef or None)
    if score and label != about["label"]:
        label, maps = about["label"], None
        if label not in SIMULATED:
            raise ValueError(
                f"{circuit} comes without the label that {path} predicts ({about['label_source']}), and that is not "
                "simulated here: leave out --score"
            )
    choice = {"combine": about["combine"] or "max", "features": about["features"], "units": about["units"]}
    return netlist, to_data(netlist, label, maps=maps, **choice)


def _tables(netlist: Netlist, data: Circuit, predicted, true):
    values = _named("predicted", predicted) | ({} if true is None else _named("true", true))
    gcell = data.gcell.numpy()
    sides = dict(zip(("left", "bottom", "right", "top"), gcell.T, strict=True))
    cells = pd.DataFrame({"cell": netlist.cell_name or np.arange(len(gcell)), **sides, **values})
    maps = {name: gcell_map(column, gcell, data.grid) for name, column in values.items()}
    x, y = np.nonzero(~np.isnan(next(iter(maps.values()))))
    gcells = pd.DataFrame({"x": x, "y": y} | {name: of[x, y] for name, of in maps.items()})
    shown = [
        gcell_map(column.max(axis=1), gcell, data.grid) if column is not None else None for column in (predicted, true)
    ]
    return cells, gcells, tuple(shown)


def _scores(data, predicted):
    found = measures(data, predicted, maps=compares_maps())
    return {name: found[name] for name in MEASURES if compares_maps() or name not in OVER_GRID}


def _named(what, values):
    """The columns of ``values [N, C]`` by name."""
    names = [what] if values.shape[1] == 1 else [f"{what}_horizontal", f"{what}_vertical"]
    return dict(zip(names, values.T, strict=True))


def _remarks(about: About, data: Circuit, scores: dict[str, float]) -> list[str]:
    remarks = []
    if about["gsrgnn"] != __version__:
        remarks.append(
            f"the model is of gsrgnn {shown(about['gsrgnn'])} and this is {__version__}: where features of the same "
            "names are made otherwise, its predictions are not to be relied on"
        )
    if about["label"] == "routed":
        remarks.append(
            "compare places of this circuit, not circuits: what the model learned from has a capacity chosen for each "
            "circuit, so it does not say whether this one can be routed"
        )
    if data.y is None:
        how = "--score simulates it, by routing" if about["label"] in SIMULATED else f"it is {about['label_source']}"
        return [*remarks, f"the label of {data.name} is not known, and there are no scores: {how}"]
    if data.num_nodes < 2:
        return [*remarks, f"{data.name} has one cell, and there are no scores: they need two"]
    for part, words in (("trained_on", "was trained on"), ("validated_on", "was chosen by")):
        if data.name in about.get(part, ()):
            remarks.append(f"the model {words} {data.name}: how good it is on a new circuit these scores do not say")
    if data.label != about["label"]:
        remarks.append(
            f"the true values are {data.label_source}, and the model predicts {about['label_source']}: "
            "only the ranks can be compared"
        )
    if math.isnan(scores["pearson"]):
        remarks.append("the label or the prediction is the same everywhere, and there is no correlation")
    elif scores["r2"] < 0:
        remarks.append("R² is below 0: trust the ranks of the predictions, not their sizes")
    if not compares_maps():
        remarks.append("NRMS, SSIM and EMD need scikit-image: pip install 'gsrgnn[book]'")
    return remarks
