"""How long an experiment's notebook takes, by a model: what a step moves, multiplies and launches, what a start costs.

It is an estimate. On two cores it is within a factor of three of the records that this repository has. Of a GPU there
are none: its numbers are an H100's by the data sheet, less what is never reached, and its steps take about one to three
times the least that `step_model` derives. A card with a quarter of its memory's speed takes up to four times as long.
What has been measured takes the estimate's place: `sweep.expected`.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

ROUNDS = 5  # `steps` of the notebooks that time
FUSED = "FusedRevGNN"  # as which RevGNN is trained
CELLS, EDGES = 40_000, 12_000_000  # of a circuit of which no more is known
PINS = 4  # a cell
EPOCH = 0.05  # seconds beside its step: the scores
READ, TREE = 5e-5, 2e-4  # seconds a cell: to read and score it, and to fit the boosted tree to it
LIMIT = 120.0  # of the notebooks that time, seconds a step
RESAMPLED = 30.0  # seconds of a comparison's intervals
CONTENDERS = {  # as the notebooks name them
    "speed": "RevGNN edge_index,RevGNN csr,RevGNN nets,CheckpointSAGE sqrt,GSR k",
    "memory": "RevGNN edge_index,RevGNN csr,RevGNN nets,GSR k*nets,GSR dense",
    "profile": "RevGNN edge_index,RevGNN csr,RevGNN nets",
    "ten_graphs": "GSR k*nets",
    "beyond": "FusedRevGNN nets,CheckpointSAGE,GSR",
}


@dataclass(frozen=True)
class Machine:
    """What a step costs there.

    Attributes:
        moved: bytes a second that its operations read and write.
        summed: the same of neighbours' rows that are added up, most of which a cache has.
        messages: the same where every edge has a message of its own.
        multiplied: multiplications a second of its dense products.
        operation: seconds that an operation takes however small it is.
        start: seconds until a process that measures memory computes; on a GPU a notebook needs them as well.
        kernels: seconds to compile the kernels of one width for k of at most 32, and for each 32 more; for a CPU they
            are kept on disk.
        graph: seconds to make a circuit's graph, an edge.
        kept_alone: whether GSR-GNN's products are of the entries that are kept alone, where those are few.
    """

    moved: float
    summed: float
    messages: float
    multiplied: float
    operation: float
    start: float
    kernels: float
    graph: float
    kept_alone: bool


H100 = Machine(
    2.5e12, 4e12, messages=2.5e12, multiplied=1.5e13, operation=1e-5, start=12, kernels=4, graph=1e-7, kept_alone=False
)
CORES = Machine(
    2e10, 4e10, messages=1e10, multiplied=1e11, operation=3e-5, start=1, kernels=0, graph=1e-7, kept_alone=True
)


@dataclass(frozen=True)
class Setting:
    """Where a point's steps are made: machine, cells and edges of the circuit, width of the stream."""

    machine: Machine
    cells: int
    edges: int
    width: int

    def step(self, layers: float, model: str, route: str = "nets", k: int | None = None) -> float:
        """Seconds of one training step.

        Args:
            layers: depth.
            model, route: as in `bench.contenders.Row`.
            k: of GSR-GNN.
        """
        reversible = "Rev" in model or model == "GSRGNN"
        d, pins = self.width // (1 + reversible), PINS * self.cells
        row = 5 * k if k else 4 * d  # what is read of a neighbour
        sums = {"nets": pins * (16 + row + 4 * d), "csr": self.edges * (8 + row), "edges": self.edges * (8 + row)}
        streams = {"GSRGNN": 15, "RevGNN": 30}.get(model, 20)  # times that a block reads or writes its [N, d]
        messages = 0 if route in sums else 12 * 4 * self.edges * d
        inner = min(d, 2 * k) if k and self.machine.kept_alone else d
        multiplied = 4 * (1 if model in ("GSRGNN", "GCN") else 2) * self.cells * d * inner
        block = (
            streams * 4 * self.cells * d / self.machine.moved
            + 3 * sums.get(route, 0) / self.machine.summed
            + messages / self.machine.messages
            + multiplied / self.machine.multiplied
            + 2 * streams * self.machine.operation
        )
        return layers * (1 + reversible) * block


def bench(parameters: dict, experiment: str) -> float:
    """Seconds of the notebook of ``speed``, ``memory``, ``profile``, ``ten_graphs`` or the first part of ``beyond``.

    A contender whose step is over the limit takes a layer's.
    """
    from gsrgnn.lab.bench.contenders import rows

    setting, on_gpu = _setting(parameters)
    machine, layers = setting.machine, parameters["num_layers"]
    ks = parameters.get("ks") or [parameters.get("k", 4)]
    names = CONTENDERS[experiment] + ",GSR k*edges" * parameters.get("edges", False)
    contenders = rows(parameters["hidden_channels"], ks, names)
    each = [setting.step(1, row.model, row.route, row.options.get("k")) for row in contenders]
    compiled = machine.kernels * len({-(-row.options["k"] // 32) for row in contenders if row.ours})
    made = machine.graph * setting.edges
    timed = 1 if experiment == "memory" else layers  # its times are of one layer
    limit = parameters.get("limit", LIMIT)
    in_turn, alone = ([layer for layer in each if depth * layer <= limit] for depth in (timed, layers))
    seconds = machine.start * on_gpu + compiled + made
    replayed = [layer for layer, row in zip(each, contenders, strict=True) if row.ours and on_gpu]
    seconds += (ROUNDS + 2) * timed * (sum(in_turn) + sum(replayed)) + 3 * sum(each)
    if experiment == "speed":
        return seconds
    processes = 2 if on_gpu else len(contenders)
    measured = len(contenders) * made + layers * sum(alone) + sum(each)
    return seconds + processes * (machine.start + compiled) + (2 if on_gpu else 1) * measured


def depth(parameters: dict) -> float:
    """Seconds of the notebook of ``depth``."""
    model = FUSED if parameters["model"] == "RevGNN" else parameters["model"]
    return _start(parameters) + _trained(parameters, [(model, parameters.get("k", 8))])


def quality(parameters: dict) -> float:
    """Seconds of the notebook of ``quality``: where rates are tuned apart, ``depth`` has left its trainings."""
    if parameters.get("tuning_epochs"):
        return _start(parameters) + RESAMPLED * len(parameters["ks"])
    return _start(parameters) + _trained(parameters, [(FUSED, None), *(("GSRGNN", k) for k in parameters["ks"])])


def beyond(parameters: dict) -> float:
    """Seconds of the notebook of ``beyond``."""
    trained = [("GSRGNN", parameters["k"]), ("GSRGNN", parameters["k"]), ("CheckpointSAGE", None)]
    return bench(parameters, "beyond") + _trained(parameters, trained)


def unseen(parameters: dict) -> float:
    """Seconds of the notebook of ``unseen``."""
    from gsrgnn.lab.folds import family

    names, model = parameters["designs"], parameters["model"]
    cells = {name: _cells(name) for name in names}
    trained_on = [cells[name] for name in names if name not in parameters.get("test_only", ())]
    apart = parameters.get("split", "family") == "family"
    trained = len(parameters.get("held") or {family(name) for name in names}) if apart else 1
    read = READ * sum(cells.values())
    if model == "tree":
        return read + trained * TREE * sum(trained_on)
    setting = replace(_setting(parameters | {"circuit": names[0]})[0], cells=round(sum(trained_on) / len(trained_on)))
    step = setting.step(parameters["num_layers"], model, k=parameters.get("k", 8) if model == "GSRGNN" else None)
    scored = 1 + (0.1 if apart else 1 / 3)  # the validation cells of every epoch
    return read + trained * parameters["steps"] * scored * step


def size(circuit: str, path: str = "results/circuits.json") -> tuple[int, int] | None:
    """Cells and directed edges of a circuit: by the record of `gsrgnn data table`, else by Table 1 or by what ships.

    None where they are unknown. Warns where the record is damaged.
    """
    from gsrgnn.circuits import packaged, table1
    from gsrgnn.lab.records import read_circuits

    known = {
        name: (row.nodes, row.edges)
        for row in table1.rows()
        for name in (f"synthetic/{row.code}", f"circuitnet/{row.name}")
    }
    known |= {name: (origin["cells"], origin["edges"] + origin["cells"]) for name, origin in packaged.origins().items()}
    try:
        known |= {entry["circuit"]: (entry["cells"], entry["edges"]) for entry in read_circuits(path)["circuits"]}
    except FileNotFoundError:
        pass
    except ValueError as error:
        warnings.warn(str(error), stacklevel=2)
    return known.get(circuit)


def _cells(circuit: str, path: str = "results/routers.json") -> int:
    """Cells of a circuit; of a design of R2G those in the record of `gsrgnn data routers`."""
    from gsrgnn.lab.records import read_routers

    try:
        routed = {entry["circuit"]: entry["cells"] for entry in read_routers(path)["designs"]}
    except (FileNotFoundError, ValueError):
        routed = {}
    return routed.get(circuit) or _setting({"circuit": circuit, "hidden_channels": 0})[0].cells


def _setting(parameters: dict) -> tuple[Setting, bool]:
    kind, _, number = parameters["circuit"].partition("/")
    small = (int(number), 50 * int(number)) if kind == "synthetic" and number.isdecimal() else (CELLS, EDGES)
    on_gpu = parameters.get("device") == "cuda"
    cells, edges = size(parameters["circuit"]) or small
    return Setting(H100 if on_gpu else CORES, cells, edges, parameters["hidden_channels"]), on_gpu


def _start(parameters: dict) -> float:
    setting, on_gpu = _setting(parameters)
    return on_gpu * (setting.machine.start + setting.machine.kernels) + setting.machine.graph * setting.edges


def _trained(parameters: dict, models: Iterable[tuple[str, int | None]]) -> float:
    """Seconds of the training runs: an epoch is a step, and the scores of its prediction.

    Where rates are tuned apart, the point of that depth tries them for the others; what a second one does is nothing.
    """
    setting, _ = _setting(parameters)
    rates, layers, seconds = len(parameters["learning_rates"]), parameters["num_layers"], 0.0
    for model, k in models:
        at = partial(setting.step, model=model, route="nets", k=k if model == "GSRGNN" else None)
        tuning = parameters.get("tuning_epochs", 0)
        seconds += (1 if tuning else rates) * parameters["epochs"] * (at(layers) + EPOCH)
        if layers == parameters.get("tuning_layers") and not parameters.get("seed"):
            seconds += rates * tuning * (at(layers) + EPOCH)
    return seconds
