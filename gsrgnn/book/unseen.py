"""What the records of the experiment `unseen` say: scores by split and depth, and two models compared in words."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from gsrgnn.evaluation import MEASURES as MEASURES
from gsrgnn.lab.folds import family

MODELS: dict[str, str] = {
    "GSRGNN": "GSR-GNN",
    "RevGNN": "RevGNN",
    "GraphSAGE": "GraphSAGE",
    "GCN": "GCN",
    "tree": "tree, no graph",
}
FEATURES: dict[str, str] = {"placed": "once the cells are placed", "netlist": "from the netlist alone"}
SPLITS: dict[str, str] = {"cell": "by cell", "region": "by region", "family": "family unseen"}
ENOUGH: int = 5  # designs: of so many, one is above the other on all by chance in 1 of 16 cases


def scores(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each model, depth, set of features, split and circuit: the mean over the seeds.

    Columns: those five, ``line`` (model and depth in words), ``family`` of the circuit, `MEASURES`, ``validation``, and
    ``seeds``, how many there are. The order is that of `FEATURES`, `MODELS`, depths and `SPLITS`.

    Args:
        rows: of a `findings.Page`, of records that one figure may show together.
    """
    by = ["model", "num_layers", "features", "split", "circuit"]
    numbers = rows[[*MEASURES, "validation"]].astype(float)
    groups = rows[[*by, "seed"]].join(numbers).groupby(by, sort=False)
    found = groups[[*MEASURES, "validation"]].mean().join(groups["seed"].nunique().rename("seeds")).reset_index()
    order = {name: place for place, name in enumerate([*FEATURES, *MODELS, *SPLITS])}
    found = found.sort_values(
        ["features", "model", "num_layers", "split", "circuit"],
        key=lambda column: column.map(order) if column.name in ("features", "model", "split") else column,
    )
    return found.assign(
        line=[line(model, depth) for model, depth in zip(found["model"], found["num_layers"], strict=True)],
        family=found["circuit"].map(family),
    ).reset_index(drop=True)


def line(model: str, depth: int) -> str:
    """A model and its depth, as a table or a figure names them; the tree has no depth."""
    return f"{MODELS[model]}, {depth} layers" if depth else MODELS[model]


def in_words(name: str) -> str:
    """A `line` in a sentence."""
    return "the tree" if name == MODELS["tree"] else name.replace(", ", " with ")


def chosen(found: pd.DataFrame) -> list[str]:
    """Of each model's lines the one with the best mean validation score, best model first.

    Args:
        found: frame of `scores`, of one split and set of features.
    """
    folds = found.groupby(["model", "line", "family"])["validation"].mean()
    validation = folds.groupby(["model", "line"]).mean()
    best = validation[validation.groupby("model").idxmax()]
    return list(best.sort_values(ascending=False).index.get_level_values("line"))


@dataclass(frozen=True)
class Paired:
    """One score less another, circuit by circuit.

    Attributes:
        mean: of the differences; NaN where there is no circuit.
        above: on how many circuits it is above zero.
        count: of the circuits that both have.
    """

    mean: float
    above: int
    count: int

    @property
    def sure(self) -> bool:
        """Whether the sign is the same on all circuits, and there are `ENOUGH`."""
        return self.count >= ENOUGH and self.above in (0, self.count)

    def __str__(self) -> str:
        """As a table has it: the mean difference, and on how many of the designs it is above zero."""
        return f"{self.mean:+.3f} ({self.above} of {self.count})" if self.count else "–"


def paired(one: pd.DataFrame, other: pd.DataFrame, measure: str = "pearson") -> Paired:
    """Rows of `scores`, one a circuit, compared on the circuits that both have."""
    both = [rows.set_index("circuit")[measure] for rows in (one, other)]
    difference = (both[0] - both[1]).dropna()
    return Paired(float(difference.mean()), int((difference > 0).sum()), len(difference))


def deeper(found: pd.DataFrame) -> pd.DataFrame:
    """Each model with more layers against itself with the next fewer: a `Paired` a model and step, None without one.

    Args:
        found: frame of `scores`, of one split and set of features.
    """
    depths = sorted({*found["num_layers"]} - {0})
    table = pd.DataFrame(index=[name for name in dict.fromkeys(found["model"]) if name != "tree"], dtype=object)
    for shallow, deep in zip(depths, depths[1:], strict=False):
        pairs = {}
        for model in table.index:
            rows = found[found["model"] == model]
            pairs[model] = paired(rows[rows["num_layers"] == deep], rows[rows["num_layers"] == shallow])
        table[f"{shallow} to {deep} layers"] = pd.Series(pairs, dtype=object)
    return table.rename(index=MODELS)


def beside_the_tree(found: pd.DataFrame) -> dict[str, Paired]:
    """Each model's line that validation prefers, less the tree: line -> `Paired`; empty where there is no tree.

    Args:
        found: frame of `scores`, of one split and set of features.
    """
    tree = found[found["model"] == "tree"]
    lines = [name for name in chosen(found) if name != MODELS["tree"]] if len(tree) else []
    return {name: paired(found[found["line"] == name], tree) for name in lines}


def verdicts(pairs: Iterable[Paired]) -> str:
    """How many of the differences have one sign on every design, in words."""
    pairs = [pair for pair in pairs if pair.count]
    above = sum(pair.sure and pair.mean > 0 for pair in pairs)
    below = sum(pair.sure and pair.mean < 0 for pair in pairs)
    return f"{above} of {len(pairs)} above on every design, {below} below, {len(pairs) - above - below} not told apart"


def missing(wanted: list[dict], there: list[dict]) -> str | None:
    """What a sweep's points would add to the records that are there, in words; None where nothing is missing.

    Args:
        wanted: parameters of the sweep's points.
        there: parameters of the records.
    """
    made = {_point(given) for given in there}
    lost = [given for given in wanted if _point(given) not in made]
    if not lost:
        return None
    words = {"split": "the split {}", "features": "the features {}", "model": "{}", "num_layers": "{} layers"}
    new = {name: {given[name] for given in lost} - {given.get(name) for given in there} for name in [*words, "seed"]}
    said = [form.format(value) for name, form in words.items() for value in sorted(new[name])]
    if new["seed"]:
        said.append(f"{len(new['seed'])} more seed{'s' * (len(new['seed']) != 1)}")
    if _routed(lost) and not _routed(there):
        said.append("R2G's designs, with a label of a router's")
    whole = f": nothing yet of {'; '.join(said)}" if said else ""
    return f"{len(lost)} of the {len(wanted)} points of the sweep have no record yet{whole}."


def _point(given):
    return tuple(sorted((name, str(value)) for name, value in given.items()))


def _routed(points):
    return any(design.startswith("r2g/") for given in points for design in given["designs"])
