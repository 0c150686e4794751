"""What a page on an experiment is made of: the paper's claims, our records by origin, and what is wrong with them."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from IPython.display import Markdown

from gsrgnn.book import figures, origin, paper
from gsrgnn.book.figures.display import Shown, Switch
from gsrgnn.circuits import table1
from gsrgnn.lab import estimate, records, sweep
from gsrgnn.lab.experiments import EXPERIMENTS, Point

Numbers = TypeVar("Numbers", float, pd.Series)

TRAINED: tuple[str, ...] = ("epochs", "learning_rates", "tuning_epochs", "patience")  # the budget of a training
SHORT: dict[str, str] = {"hidden_channels": "width", "num_layers": "layers", "learning_rates": "rates"}
BUDGETED: tuple[str, ...] = ("depth", "quality")  # experiments whose points have one


def claims(*ids: str) -> pd.DataFrame:
    """What the paper reports under these ids, in this order. Raises KeyError for an id that is not in the file."""
    return paper.reported().loc[list(ids)]


@dataclass(frozen=True)
class View:
    """Records that one figure may show together: of one circuit, label source and setting, and of one machine where
    they are of times or memory.

    Attributes:
        rows: frame of `records.frame`.
        circuit, label, machine: where they come from; the machine in words, of scores maybe several.
        setting: the other parameters that are the same in all rows, name -> value.
    """

    rows: pd.DataFrame
    circuit: str
    label: str
    machine: str
    setting: dict[str, Any]

    @property
    def settings(self) -> str:
        """Where the figure's data come from, for the small line below its caption."""
        # 0 is for none; the rows say their k
        said = {name: value for name, value in self.setting.items() if value != 0 and name != "ks"}
        setting = "".join(f", {SHORT.get(name, name.replace('_', ' '))} {value}" for name, value in said.items())
        dates = " to ".join(dict.fromkeys(date.partition(" ")[0] for date in (self.rows["date"].agg(["min", "max"]))))
        stale = "" if not self.rows["stale"].any() else "; stale" if self.rows["stale"].all() else "; stale in part"
        return f"{named(self.circuit)}{setting}; label {self.label}; {self.machine}, {dates}{stale}."

    def figure(self, what: str) -> str:
        """A name for this view's figure of something, which no other view's has, for `figures.reference`."""
        place = repr((self.circuit, self.label, self.machine, sorted(self.setting.items())))
        return f"{what}-{hashlib.sha256(place.encode()).hexdigest()[:6]}"


class Page:
    """The records of one experiment under a folder, as its page shows them.

    Attributes:
        experiment, folder, circuit: as given.
        timed: whether it is of times or memory, which are of one machine.
        rows: the measured rows, frame of `records.frame` with a column ``stale``; no line where there is no record.
            What a budget of `TRAINED` did not have yet is 0, and a model that is not the plain one is named so: see
            `contender`.
        out_of_memory: the points that ran out of memory, likewise.
        without_score: how many measured rows have no Pearson correlation, and are not among `rows`.
        wrong: what is wrong with the files that were left out, in words.
        in_checkout: whether the experiment's notebook is here, without which no record can be called stale.
    """

    experiment: str
    folder: str
    circuit: str
    timed: bool
    in_checkout: bool
    rows: pd.DataFrame
    out_of_memory: pd.DataFrame
    without_score: int
    wrong: list[str]

    def __init__(self, experiment: str, folder: str = "results", circuit: str = "circuit") -> None:
        """Read them; ``circuit`` is the column that says what a view is of, "designs" where a record is of several."""
        self.experiment, self.folder, self.circuit = experiment, folder, circuit
        self.timed = EXPERIMENTS[experiment].timed
        notebook = Path("notebooks") / "experiments" / f"{experiment}.py"
        self.in_checkout = notebook.exists()
        now = cache(partial(sweep.key, notebook)) if self.in_checkout else None
        frame, self.wrong = found(experiment, folder, now)
        if experiment in BUDGETED and len(frame):
            # whole numbers again, which beside lines without one pandas has as floats
            known = {name: frame[name].fillna(0).convert_dtypes() if name in frame else 0 for name in TRAINED[2:]}
            frame = frame.assign(**known)
            if "model" in frame:
                frame["model"] = [contender(row) for row in frame.to_dict("records")]
        state = frame.get("record state", pd.Series(dtype=str))
        self.rows, self.out_of_memory = frame[state == records.MEASURED], frame[state == records.OUT_OF_MEMORY]
        self.without_score = 0
        if experiment in BUDGETED and "pearson" in self.rows:
            self.without_score = int(self.rows["pearson"].isna().sum())
            self.rows = self.rows.dropna(subset="pearson").infer_objects()

    def remarks(self) -> Markdown | None:
        """What is missing, left out or out of memory, in words; None where nothing is."""
        if self.rows.empty:
            text = (
                f"There is no record of this experiment in `{self.folder}` yet, so there is nothing of ours to "
                f"show. `gsrgnn sweep cpu --only {self.experiment}` makes the records on two cores, and this page "
                "shows them when the book is built again."
            )
            return Markdown("\n".join([text, "", *(f"- Left out: {words}." for words in self.wrong)]))
        lines = [f"- Left out: {words}." for words in self.wrong]
        if not self.in_checkout:
            lines.append("- Whether the code has changed since these records were made is told in a checkout only.")
        if self.without_score:
            lines.append(f"- {self.without_score} runs have no score: they predict the same everywhere, or diverged.")
        if len(self.out_of_memory):
            lines.append(f"- {len(self.out_of_memory)} points ran out of memory.")
        return Markdown("\n".join(lines)) if lines else None

    def sources(self) -> list[origin.Source]:
        """The records, machine by machine; those that ran out of memory are among them."""
        what = f"the experiment {self.experiment}"
        every = pd.concat([self.rows, self.out_of_memory])
        if every.empty:
            return [origin.Source(what)]
        return [
            origin.Source(
                what,
                machine,
                tuple(date[:10] for date in group["date"]),
                tuple(group["code hash"]),
                int(group["stale"].sum()) if self.in_checkout else None,
            )
            for machine, group in every.drop_duplicates("experiment point").groupby("machine", sort=False)
        ]

    def views(self, *setting: str) -> Iterator[View]:
        """The measured rows by circuit, label source and the parameters named, which no figure mixes, nor machines
        where they are timed: what trains a model changes no score beyond rounding."""
        if self.rows.empty:
            return
        apart = ["machine"] if self.timed else []
        for values, group in self.rows.groupby([self.circuit, "label source", *setting, *apart], sort=False):
            machine = " and ".join(dict.fromkeys(group["machine"]))
            yield View(group, *values[:2], machine, dict(zip(setting, values[2:], strict=False)))

    def leading(self) -> list[View]:
        """Of each circuit and label source the one view of trained models that says most, the paper's circuits first.

        It is the widest with more than one depth, of those the longest trained; where none has two depths, the widest.
        """
        best: dict[tuple, tuple] = {}
        for view in self.views("hidden_channels", *TRAINED):
            worth = view.rows["num_layers"].nunique() > 1, *(view.setting[n] for n in ("hidden_channels", "epochs"))
            place = view.circuit, view.label
            if place not in best or worth > best[place][0]:
                best[place] = worth, view
        return sorted((view for _, view in best.values()), key=lambda view: beside(view.circuit) != "")

    def show(
        self, shown: Callable[[View], list[Shown]], *setting: str, views: Iterable[View] | None = None
    ) -> Switch | None:
        """What ``shown`` makes of each of `views`, or of those given; of times, one machine at a time.

        ``shown`` returns what `figures.show` and `figures.table` give. None where there is no record.
        """
        by_machine: dict[str, list[Shown]] = {}
        for view in self.views(*setting) if views is None else views:
            by_machine.setdefault(view.machine if self.timed else "", []).extend(shown(view))
        return figures.switch(by_machine) if by_machine else None


def found(
    experiment: str, folder: str = "results", now: Callable[[bool], dict] | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """An experiment's records as one frame and in words what is wrong with the other files.

    The frame has two further columns: ``experiment point``, the record's number, and ``stale``.

    Args:
        now: what `sweep.key` gives for the experiment's notebook now, on a GPU or not; without it nothing is called
            stale.
    """
    read, wrong = records.read_all(Path(folder), experiment)
    lines = []
    for number, record in enumerate(read):
        stale = now is not None and record["key"] != now(Point(experiment, record["parameters"]).on_gpu)
        lines.append(records.frame([record]).assign(**{"experiment point": number, "stale": stale}))
    return pd.concat(lines, ignore_index=True) if lines else pd.DataFrame(), wrong


def short(circuit: str) -> str:
    """A circuit's name as a line of text has it; of one of CircuitNet's its number."""
    kind, _, name = circuit.partition("/")
    return name.partition("-")[0] if kind == "circuitnet" else circuit


def beside(circuit: str) -> str:
    """What is said of a design of CircuitNet that is none of the paper's ten graphs; nothing of any other circuit."""
    kind, _, name = circuit.partition("/")
    known = kind != "circuitnet" or name in {row.name for row in table1.rows()}
    return "" if known else " (none of the paper's ten)"


def named(circuit: str) -> str:
    """`short` with what `beside` says, and with its cells where it has fewer than any of the paper's ten."""
    apart, size = beside(circuit), estimate.size(circuit)
    if apart and size and size[0] < min(row.nodes for row in table1.rows()):
        apart = f"{apart[:-1]}, and smaller than any of them: {size[0]:,} cells)"
    return f"{short(circuit)}{apart}"


def contender(row: dict) -> str:
    """A trained model as pages name it, of a line of `records.frame`: GSR-GNN with its k and another residual than the
    paper's; dropout where there is any."""
    name = row["model"]
    if name == "GSRGNN":
        name = f"GSR-GNN, k = {row['k']:.0f}" + ", dense" * (row.get("residual") == "dense")
    return f"{name}, dropout {row['dropout']:g}" if row.get("dropout", 0) > 0 else name


def own_and_peers(models: Iterable[str]) -> tuple[list[str], list[str]]:
    """Of the names of `contender`: the models that are compared, and every GSR-GNN.

    Compared is GSR-GNN with k = 8, or the first there is, with RevGNN, GraphSAGE and GCN, nothing else being changed.
    """
    there = list(dict.fromkeys(models))
    every = sorted((name for name in there if name.startswith("GSR-GNN")), key=lambda name: (len(name), name))
    chosen = [name for name in every if name == "GSR-GNN, k = 8"] or every[:1]
    return [*chosen, *(name for name in ("RevGNN", "GraphSAGE", "GCN") if name in there)], every


def pearson_interval(r: Numbers, count: Numbers) -> tuple[Numbers, Numbers]:
    """The 95% interval of a Pearson correlation ``r`` of ``count`` independent pairs, by Fisher's transformation."""
    middle, half = np.arctanh(r), 1.96 / np.sqrt(np.asarray(count) - 3)
    return np.tanh(middle - half), np.tanh(middle + half)


def seeds_averaged(rows: pd.DataFrame) -> pd.DataFrame:
    """Differences in quality, a line for each depth, k and measure: the mean over its seeds, and how many there are.

    A mean of these lines weighs every depth and k alike, however many seeds each has, as the paper's does.

    Args:
        rows: of a `Page` of the experiment `quality`.
    """
    by = rows.groupby(["num_layers", "k", "measure"], sort=False)
    return by[["difference", "low", "high"]].mean().assign(seeds=by["seed"].nunique()).reset_index()


def speedup(peer: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """How many times as fast as ``peer`` each line of ``own`` makes a step: frame with ``ratio``, ``low``, ``high``.

    The ratio is that of the medians. The interval goes from the peer's fastest round over the own slowest to the peer's
    slowest over the own fastest.

    Args:
        peer: frame of one row of `bench.observations`; where it is empty there is no ratio.
        own: frame of such rows.
    """
    ends = {"ratio": ("seconds", "seconds"), "low": ("low", "high"), "high": ("high", "low")}
    return pd.DataFrame({name: peer[f"step_{one}"].max() / own[f"step_{other}"] for name, (one, other) in ends.items()})


def not_measured(rows: pd.DataFrame) -> Markdown | None:
    """Which contenders of a `Page`'s rows have no time or no memory, and why, as a list; None where all have both."""
    lines = []
    for row in rows.to_dict("records"):
        where = f"{row['circuit']}, width {row['hidden_channels']}, {row['num_layers']} layers, {row['machine']}"
        if row["state"] not in ("measured", "trained"):
            lines.append(f"- {row['contender']} has no time: {row['state']}, {row['note']} ({where}).")
        elif isinstance(row.get("memory_note"), str):
            lines.append(f"- {row['contender']} has no memory: {row['memory_note']} ({where}).")
    return Markdown("\n".join(dict.fromkeys(lines))) if lines else None
