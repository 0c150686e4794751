"""What is run: the paper's experiments and their grids, and the parameters of the book's chapters, by profile."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product

import gsrgnn
from gsrgnn.lab import estimate, folds


@dataclass(frozen=True)
class Experiment:
    """A question to the data, answered by the notebook of its name in notebooks/experiments.

    Attributes:
        name: also that of its notebook and of its folder of records.
        asks: what it finds out.
        serves: the figures and tables of the paper that it is for.
        timed: whether it measures time or memory and so runs alone.
        seconds: what a point with these parameters takes beside its start, estimated; what was measured is held
            against this.
    """

    name: str
    asks: str
    serves: str
    timed: bool
    seconds: Callable[[dict], float]


EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        Experiment(
            "depth",
            "test correlations by depth: GSR-GNN, RevGNN, GraphSAGE, GCN",
            "Figures 1 and 2",
            False,
            estimate.depth,
        ),
        Experiment(
            "profile",
            "RevGNN's time and memory by depth, forward, backward and copy apart",
            "Figures 3 and 4, section 3.1",
            True,
            partial(estimate.bench, experiment="profile"),
        ),
        Experiment(
            "quality",
            "what GSR-GNN gains or loses against RevGNN in four measures, by k",
            "Figure 8",
            False,
            estimate.quality,
        ),
        Experiment(
            "speed",
            "a step's time by k and width, against the paper's baseline and the fastest other",
            "Figure 9, Table 2",
            True,
            partial(estimate.bench, experiment="speed"),
        ),
        Experiment(
            "memory",
            "memory of a step by depth",
            "Figure 10, the abstract",
            True,
            partial(estimate.bench, experiment="memory"),
        ),
        Experiment(
            "ten_graphs",
            "a step of GSR-GNN by k, in time and memory, on each graph of Table 1",
            "Table 1, the introduction",
            True,
            partial(estimate.bench, experiment="ten_graphs"),
        ),
        Experiment(
            "beyond",
            "the dense residual, the nets and checkpoints, which the paper leaves out",
            "none",
            True,
            estimate.beyond,
        ),
        Experiment(
            "unseen",
            "designs of a family that a model was not trained on, beside the split by cell and by region",
            "none",
            False,
            estimate.unseen,
        ),
    )
}
BUDGET = {  # of a training as long as the paper's, of any model
    "epochs": [250],
    "learning_rates": [[6.25e-4, 1.25e-3, 2.5e-3]],  # to begin with: where the best lies on an edge, more are tried
    "tuning_epochs": [60],  # each
    "patience": [50],
}
RATES = {"learning_rates": [[3.125e-4, 6.25e-4, 1.25e-3, 2.5e-3, 5e-3]]}  # where none are tried beyond them
FULL = {"hidden_channels": 384, "tuning_layers": 10}  # the paper's own width, with 100 layers and k = 16
REVERSIBLE, PLAIN = {"model": ["GSRGNN", "RevGNN"]}, {"model": ["GraphSAGE", "GCN"]}
LARGEST = 25_000  # cells: designs that have more are tested on in `unseen`, and no model is trained on them


@dataclass(frozen=True)
class Point:
    """One run of an experiment's notebook: the parameters that the grid sets, the others keep their defaults."""

    experiment: str
    parameters: dict

    @property
    def name(self) -> str:
        """The parameters' values, shortened to be read, and a hash of all of them: the name of the record's file."""
        values = [short for value in self.parameters.values() if (short := _short(value))]
        text = json.dumps(self.parameters, sort_keys=True)
        return f"{'_'.join(values)[:90]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    @property
    def on_gpu(self) -> bool:
        """Whether its parameters say so."""
        return self.parameters.get("device") == "cuda"

    @cached_property
    def estimate(self) -> float:
        """Seconds that it takes beside its start, by the experiment's model."""
        return EXPERIMENTS[self.experiment].seconds(self.parameters)


def _short(value) -> str:
    if isinstance(value, list | tuple):
        return ""
    return re.sub(r"[^\w.]+", "-", str(value)).strip("-")


def points(profile: str, only: list[str] | None = None) -> list[Point]:
    """The points of a profile, the most telling first; those of some experiments alone where `only` names them.

    Raises ValueError for an unknown profile or experiment.
    """
    _known("profile", profile, SWEEPS)
    for name in only or ():
        _known("experiment", name, EXPERIMENTS)
    found = {}
    for experiment, grid in SWEEPS[profile]():
        if not only or experiment in only:
            for values in product(*grid.values()):
                point = Point(experiment, dict(zip(grid, values, strict=True)))
                found.setdefault((experiment, point.name), point)
    return list(found.values())


Grids = Iterator[tuple[str, dict[str, list]]]


def _smoke() -> Grids:
    """Every experiment once, on circuits of a few hundred cells: CI, minutes in all."""
    circuit = ["synthetic/300"]
    training = {"hidden_channels": [16], "epochs": [3], "learning_rates": [[1e-2]]}
    yield (
        "depth",
        {"circuit": circuit, "model": ["GSRGNN", "RevGNN", "GraphSAGE", "GCN"], "num_layers": [2, 6], **training},
    )
    tuned = {"tuning_epochs": [2], "tuning_layers": [1], "patience": [2]}
    yield (
        "depth",
        {
            "circuit": circuit,
            "model": ["GSRGNN", "RevGNN"],
            "num_layers": [2],
            **training,
            **tuned,
            "learning_rates": [[1e-2, 3e-2]],
            "residual": ["dense"],
            "dropout": [0.1],
        },
    )
    yield "quality", {"circuit": circuit, "num_layers": [4], "ks": [[2, 4]], "resamples": [50], **training}
    bench = {"circuit": circuit, "hidden_channels": [16], "num_layers": [2]}
    yield "profile", bench
    yield "speed", bench | {"ks": [[2, 4]]}
    yield "memory", bench | {"ks": [[2, 4]]}
    yield "ten_graphs", bench | {"ks": [[2, 4]]}
    yield "beyond", bench | {"k": [4], "epochs": [3], "learning_rates": [[1e-2]]}
    several = {"designs": [["synthetic/300", "synthetic/400", "synthetic/500"]], "hidden_channels": [16], "steps": [6]}
    for split, models in (("family", ["GSRGNN", "RevGNN"]), ("region", ["GraphSAGE"]), ("cell", ["GCN"])):
        yield "unseen", {"model": models, "num_layers": [2], "split": [split], **several}
    yield "unseen", {"model": ["tree"], "num_layers": [0], "features": ["netlist"], **several}


def _cpu() -> Grids:
    """Real netlists at the width of the book's chapters, one seed before the others: about four hours on two cores.

    One of them is the paper's experiments and an hour the first seed of `unseen`.
    """
    first, second = real_circuits()
    shipped, r2g = designs()
    shorter = {"hidden_channels": 64, "epochs": 120, "tuning_epochs": 30, "tuning_layers": 10, "patience": 0}
    trained, compared = (partial(grid, circuit=first, **shorter) for grid in (_trained, _compared))
    bench = {"circuit": [second], "hidden_channels": [64]}
    yield trained([10, 2], **REVERSIBLE)
    yield trained([10, 2], **PLAIN)
    yield trained([10], model="GSRGNN", k=[4, 16])
    yield compared([10], [4, 8, 16])
    yield "speed", {"circuit": [second], "hidden_channels": [64, 384], "num_layers": [4], "ks": [[4, 8, 16, 32, 64]]}
    yield "memory", bench | {"num_layers": [10, 40, 100], "ks": [[4, 16]], "repeat": [0]}
    yield "profile", bench | {"num_layers": [1, 4, 10]}
    yield "beyond", bench | {"num_layers": [10], "k": [8], "epochs": [120], **RATES}
    yield from _unseen(shipped, [4, 10], "placed", ["family", "cell"])
    yield from _unseen(shipped, [4, 10], "netlist", ["family", "cell"])
    yield from _unseen(shipped, [4, 10], "placed", ["region"])
    yield trained([40], **REVERSIBLE)
    yield trained([40], **PLAIN)
    yield trained([40], model="GSRGNN", k=[4, 16])
    yield compared([40], [4, 8, 16])
    yield from _unseen(shipped, [40], "placed", ["family", "cell"])
    yield from _unseen(shipped, [40], "netlist", ["family"])
    yield from _unseen(r2g, [4, 10], "placed", ["family", "cell"])
    yield (
        "memory",
        {
            "circuit": [first],
            "hidden_channels": [384],
            "num_layers": [10],
            "ks": [[4, 16]],
            "limit": [300.0],
            "repeat": [0],
        },
    )
    yield "memory", bench | {"num_layers": [10], "ks": [[4, 16]], "repeat": [1]}
    yield trained([10, 2, 40], 1, **REVERSIBLE)
    yield trained([10, 2], 1, **PLAIN)
    yield trained([10], 1, model="GSRGNN", k=[4, 16])
    yield compared([10], [4, 8, 16], 1)
    for seed in (1, 2):
        for names, depths in ((shipped, [4, 10]), (r2g, [4, 10]), (shipped, [40])):
            yield from _unseen(names, depths, "placed", ["family"], seed)
    yield from _unseen(r2g, [4, 10], "netlist", ["family"])
    yield from _unseen(shipped, [4, 10], "netlist", ["region"])
    yield from _unseen(shipped, [40], "netlist", ["cell"])
    for seed in (1, 2):
        yield from _unseen(shipped, [4, 10, 40], "netlist", ["family", "cell"], seed)
        yield from _unseen(shipped, [4, 10, 40], "placed", ["cell"], seed)


def _unseen(names: list[str], depths: list[int], features: str, splits: list[str], seed: int = 0) -> Grids:
    """The models at these depths on several designs, and with the first depths and seed the tree, which has neither.

    Nothing where the designs are of fewer than three families: one is held out, one chooses the epoch, one trains.

    The learning rate is that of the two of `depth` with which GSR-GNN of 4 layers had the higher validation Pearson
    where crypto was held out: tried once, as a rate for each point would take twice as long.
    """
    if len({folds.family(name) for name in names}) < 3:
        return
    large = [name for name in names if (estimate.size(name) or (0, 0))[0] > LARGEST]
    for split in splits:
        given = {
            "features": [features],
            "split": [split],
            "seed": [seed],
            "designs": [names],
            "test_only": [large],
            "hidden_channels": [64],
            "steps": [100],
            "learning_rate": [5e-3],
        }
        yield "unseen", {"model": ["GSRGNN", "RevGNN", "GraphSAGE", "GCN"], "num_layers": depths, **given}
        if seed == 0 and 4 in depths:
            yield "unseen", {"model": ["tree"], "num_layers": [0], **given}


def _deep() -> Grids:
    """The paper's depth, width and epochs on two cores: eighteen hours with two jobs, what is timed alone.

    What shares its tuning lies together, and a comparison follows the trainings that it is of: on one machine none of
    it is trained twice.
    """
    first, second = real_circuits()
    ten = _table1(*(row.code for row in reversed(gsrgnn.circuits.table1.rows())))
    trained, compared = partial(_trained, circuit=first), partial(_compared, circuit=first)
    wide = {"circuit": [first], "hidden_channels": [384]}
    yield trained([10, 2], **REVERSIBLE)
    yield trained([2, 4, 10], **PLAIN)
    yield "ten_graphs", {"circuit": ten, "hidden_channels": [384], "num_layers": [100], "ks": [[4, 16, 64]]}
    yield trained([10], model="GSRGNN", k=[4, 16])
    yield trained([20], **REVERSIBLE)
    yield compared([10], [4, 8, 16])
    yield trained([10], model="GSRGNN", residual="dense")
    yield trained([10], 1, **REVERSIBLE)
    yield compared([10], [8], 1)
    yield trained([40], **REVERSIBLE)
    yield trained([40], model="GSRGNN", k=[4, 16])
    yield trained([40], 1, **REVERSIBLE)
    yield compared([40], [4, 8, 16])
    yield trained([40], model="RevGNN", epochs=120)
    yield compared([40], [8], 1)
    yield trained([40], model="GSRGNN", residual="dense")
    yield trained([40], model="RevGNN", dropout=0.1, tuning_layers=10)
    yield trained([100], **REVERSIBLE)
    yield trained([100], model="GSRGNN", k=[4, 16])
    yield trained([70], **REVERSIBLE)
    yield compared([100], [4, 8, 16])
    yield trained([100], 1, **REVERSIBLE)
    yield trained([100], model="GSRGNN", residual="dense")
    yield compared([100], [8], 1)
    yield "speed", wide | {"num_layers": [10], "ks": [[4, 8, 16, 32, 64]], "limit": [240.0]}
    yield "memory", wide | {"num_layers": [100, 10, 40], "ks": [[4, 16, 64]], "edges": [True], "limit": [240.0]}
    yield "profile", wide | {"num_layers": [4], "limit": [240.0]}
    yield trained([100], model="GSRGNN", k=16, **FULL)
    yield "speed", wide | {"num_layers": [100], "ks": [[4, 16, 64]], "limit": [60.0]}
    yield trained([40], **PLAIN)
    yield trained([10], circuit=second, **REVERSIBLE)
    yield trained([40, 100], circuit=second, **REVERSIBLE)
    yield compared([10], [8], circuit=second)
    yield compared([40, 100], [8], circuit=second)
    yield trained([100], model="RevGNN", **FULL)


def _gpu() -> Grids:
    """One card, in windows of minutes, by worth: a step's time at the paper's depth and width, memory by depth, what
    the paper's own configuration learns. What is run beside it, and how long all of it takes, is in `lab.programme`.
    """
    (first, largest), cuda = _table1("356-R", "5324-F"), {"device": ["cuda"]}
    bench = {"hidden_channels": [384], **cuda}
    training = {"circuit": real_circuits()[0], "device": "cuda", **FULL}
    yield "speed", {"circuit": [first], **bench, "num_layers": [100], "ks": [[4, 8, 16, 32, 64]]}
    yield "speed", {"circuit": [largest], **bench, "num_layers": [100], "ks": [[4, 16, 64]]}
    yield "memory", {"circuit": [first], **bench, "num_layers": [100, 10, 40], "ks": [[4, 16, 64]]}
    yield "profile", {"circuit": [first], **bench, "num_layers": [100, 10]}
    yield _trained([100], model="RevGNN", **training)
    yield _trained([100], model="GSRGNN", k=16, **training)
    yield _compared([100], [16], **training)


def _paper() -> Grids:
    """The paper's own: ten graphs, both widths, 10 to 100 layers, 250 epochs, three seeds."""
    graphs, cuda = _table1(*(row.code for row in gsrgnn.circuits.table1.rows())), {"device": ["cuda"]}
    depths, widths, ks, seeds = list(range(10, 101, 10)), [256, 384], [[4, 8, 16, 32, 64]], [0, 1, 2]
    training = BUDGET | cuda
    for graph in graphs:
        bench = {"circuit": [graph], "hidden_channels": widths, "num_layers": depths, **cuda}
        yield "speed", bench | {"ks": ks}
        yield "memory", bench | {"ks": ks}
        yield "profile", bench
        yield "beyond", bench | {"k": [16], "epochs": [250], **RATES, **cuda}
        yield (
            "depth",
            {
                "circuit": [graph],
                "model": ["GSRGNN", "RevGNN"],
                "hidden_channels": widths,
                "num_layers": [2, *depths],
                "seed": seeds,
                **training,
            },
        )
        yield (
            "depth",
            {
                "circuit": [graph],
                "model": ["GraphSAGE", "GCN"],
                "hidden_channels": widths,
                "num_layers": [2, 4, 8, 16],
                "seed": seeds,
                **training,
            },
        )
        yield (
            "quality",
            {"circuit": [graph], "hidden_channels": widths, "num_layers": depths, "ks": ks, "seed": seeds, **training},
        )
    yield (
        "unseen",
        {
            **_official(),
            "model": ["GSRGNN", "RevGNN", "GraphSAGE", "GCN"],
            "num_layers": [4, *depths],
            "features": ["placed", "netlist"],
            "hidden_channels": [256],
            "k": [16],
            "seed": seeds,
            **cuda,
        },
    )


def _trained(layers: list[int], seed: int = 0, *, circuit: str, **more) -> tuple[str, dict[str, list]]:
    """Points of `depth` at the paper's epochs, at rates of their own; ``more`` is what else is set, or set otherwise.

    The rates are tried with 10 layers for depths up to 20, with 40 for those above. GSR-GNN with each k and each
    residual, and every other model, has its own.
    """
    return "depth", {
        name: value if isinstance(value, list) else [value]
        for name, value in {
            "circuit": circuit,
            "hidden_channels": 128,
            **BUDGET,
            "seed": seed,
            "tuning_layers": 10 if max(layers) <= 20 else 40,
            "num_layers": layers,
            **more,
        }.items()
    }


def _compared(layers: list[int], ks: list[int], seed: int = 0, **more) -> tuple[str, dict[str, list]]:
    """Points of `quality` of what `_trained` has."""
    return "quality", _trained(layers, seed, **more)[1] | {"ks": [ks]}


SWEEPS = {"smoke": _smoke, "cpu": _cpu, "deep": _deep, "gpu": _gpu, "paper": _paper}

PROFILES = {
    # the notebooks' own defaults, minutes in all on two cores: what `make book` and CI run
    "smoke": {},
    # as deep, wide and long as two cores manage in about an hour
    "cpu": {"11_training": {"num_layers": 60, "epochs": 250}},
    "deep": {},
    "gpu": {},
    "paper": {"11_training": {"num_layers": 100, "hidden_channels": 384, "epochs": 250}},
}


def parameters(profile: str, notebook: str) -> dict:
    """Parameters that `profile` sets in `notebook`, a chapter's name; the others keep their defaults.

    Raises ValueError for an unknown profile.
    """
    _known("profile", profile, PROFILES)
    return PROFILES[profile].get(notebook, {})


def real_circuits() -> tuple[str, str]:
    """Two netlists of real cores: CircuitNet's where both its files are found, else two that ship with the package."""
    names = ("circuitnet/7157-zero-riscy-a-1-c2-u0.8-m1-p1-f0", "circuitnet/2017-RISCY-b-1-c2-u0.7-m1-p6-f0")
    return names if set(names) <= set(gsrgnn.circuits.available()) else ("riscv/cv32e40p", "riscv/picorv32")


def designs() -> tuple[list[str], list[str]]:
    """The designs that `unseen` is run on: those that ship, and R2G's where they are found."""
    there, other = gsrgnn.circuits.available(), ("circuitnet", "r2g", "synthetic")
    shipped = [name for name in there if name.partition("/")[0] not in other]
    return shipped, [name for name in there if name.startswith("r2g/")]


def _official() -> dict[str, list]:
    """CircuitNet-N28's own split, by design, where all of the data set's cores are found; else what ships, in turn."""
    cores = {folds.family(name) for name in gsrgnn.circuits.available() if name.startswith("circuitnet/")}
    if cores >= {"RISCY", "RISCY-FPU", "zero-riscy"}:
        return {"designs": [["circuitnet/*"]], "held": [["zero-riscy"]], "steps": [100_000]}
    return {"designs": [designs()[0]], "steps": [1000]}


def _table1(*codes: str) -> list[str]:
    """Circuits of Table 1 by the paper's short names: CircuitNet's own where found, else synthetic stand-ins."""
    there = gsrgnn.circuits.available()
    own = {row.code: f"circuitnet/{row.name}" for row in gsrgnn.circuits.table1.rows()}
    return [own[code] if own[code] in there else f"synthetic/{code}" for code in codes]


def _known(what: str, name: str, there: dict) -> None:
    if name not in there:
        raise ValueError(f"no {what} is called {name!r}: use one of {', '.join(there)}")
