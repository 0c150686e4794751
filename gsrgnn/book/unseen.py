"""What the records of the experiment `unseen` say: scores by split and depth, and two models compared in words."""

from dataclasses import dataclass

import pandas as pd

from gsrgnn.lab.folds import family

MODELS: dict[str, str] = {
    "GSRGNN": "GSR-GNN",
    "RevGNN": "RevGNN",
    "GraphSAGE": "GraphSAGE",
    "GCN": "GCN",
    "tree": "tree, no graph",
}
SPLITS: dict[str, str] = {"cell": "by cell", "region": "by region", "family": "family unseen"}
MEASURES: tuple[str, ...] = ("pearson", "spearman", "kendall", "r2", "nrms", "ssim", "emd")
ENOUGH: int = 5  # designs: of so many, one is above the other on all by chance in 1 of 16 cases


def scores(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each model, depth, set of features, split and circuit: the mean over the seeds.

    Columns: those five, ``line`` (model and depth in words), ``family`` of the circuit, `MEASURES`, ``validation``, and
    ``seeds``, how many there are. The order is that of `MODELS`, depths and `SPLITS`.

    Args:
        rows: of a `findings.Page`, of records that one figure may show together.
    """
    by = ["model", "num_layers", "features", "split", "circuit"]
    numbers = rows[[*MEASURES, "validation"]].astype(float)
    groups = rows[[*by, "seed"]].join(numbers).groupby(by, sort=False)
    found = groups[[*MEASURES, "validation"]].mean().join(groups["seed"].nunique().rename("seeds")).reset_index()
    order = {name: place for place, name in enumerate([*MODELS, *SPLITS])}
    found = found.sort_values(by, key=lambda column: column.map(order) if column.name in ("model", "split") else column)
    return found.assign(
        line=[line(model, depth) for model, depth in zip(found["model"], found["num_layers"], strict=True)],
        family=found["circuit"].map(family),
    ).reset_index(drop=True)


def line(model: str, depth: int) -> str:
    """A model and its depth in words; the tree has none."""
    return f"{MODELS[model]}, {depth} layers" if depth else MODELS[model]


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
        """In words: "0.050 above (on all 8 designs)"."""
        on = f"on all {self.count} designs" if self.sure else f"above on {self.above} of {self.count} designs"
        return f"{abs(self.mean):.3f} {'above' if self.mean > 0 else 'below'} ({on})"


def paired(one: pd.DataFrame, other: pd.DataFrame, measure: str = "pearson") -> Paired:
    """Rows of `scores`, one a circuit, compared on the circuits that both have."""
    both = [rows.set_index("circuit")[measure] for rows in (one, other)]
    difference = (both[0] - both[1]).dropna()
    return Paired(float(difference.mean()), int((difference > 0).sum()), len(difference))
