"""Judges: what the records say to each claim of the paper.

A claim is judged by what it says of the models against each other, on one machine. Seconds and bytes of the paper's GPU
are compared as such only with a run at its depth and width on a GPU.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from gsrgnn.book import findings
from gsrgnn.lab.bench.contenders import REFERENCE

LOSS: float = 0.02  # of a correlation: what is still called comparable
SHARE: float = 0.1  # of a step: how far a part's share may be from the paper's
FACTOR: float = 2  # how far seconds and bytes of another GPU may be from the paper's
PLAIN: tuple[str, ...] = ("GCN", "GraphSAGE")


@dataclass(frozen=True)
class Ours:
    """What the records say to a claim: in words, whether the claim holds, and whether all its conditions were met."""

    words: str
    holds: bool
    same: bool = False


Pages = dict[str, findings.Page]
Judge = Callable[[Pages, pd.Series], Ours | None]
Run = tuple[str, int]  # a model and its depth


@dataclass(frozen=True)
class Claim:
    """How one of the paper's values is judged.

    Attributes:
        page: the notebook whose page shows it.
        judge: the records' `findings.Page`s by experiment, the paper's values by id -> `Ours`, None where the records
            say nothing.
        erratum: the id of the record in `paper.errata` by which the paper contradicts itself here.
    """

    page: str
    judge: Judge = lambda pages, paper: None
    erratum: str | None = None


def claims_by_id() -> dict[str, Claim]:
    """How each value of `paper.reported` is judged, by its id."""
    figure_1, figure_3, figure_4, figure_8, figure_9, figure_10, table_2 = (
        partial(Claim, page)
        for page in (
            "14_figure_1",
            "16_figure_3",
            "17_figure_4",
            "18_figure_8",
            "19_figure_9",
            "20_figure_10",
            "22_table_2",
        )
    )
    return {
        "mem_reduction_max": figure_10(_reduction),
        "speedup_abstract": figure_9(partial(_speedup, least=("speedup_abstract",))),
        "speedup_max": figure_9(partial(_speedup, least=("speedup_max",))),
        "active_over_reserved": figure_10(partial(_in_use, part="active", name="active_over_reserved", which=max)),
        "fig1_rev80": figure_1(partial(_order, above=("RevGNN", max), below=("RevGNN", min))),
        "fig1_rev2": figure_1(partial(_order, above=("RevGNN", min), below=(PLAIN, 2))),
        "fig1_shallow_best": figure_1(partial(_order, above=("RevGNN", max), below=(PLAIN, None))),
        "fig2_plateau": Claim("15_figure_2", _plateau),
        "fig3_reserved": figure_3(partial(_bytes, column="memory_reserved", name="fig3_reserved")),
        "fig3_active": figure_3(partial(_bytes, column="memory_active", name="fig3_active")),
        "fig4_hours": figure_4(erratum="epoch-time"),
        "ten_graphs_hours": figure_4(),
        "ten_graphs_mem": figure_3(),
        "s31_forward": figure_4(partial(_share, part="forward", of=("s31_forward", "s31_epoch"))),
        "s31_copy": figure_4(),
        "s31_backward": figure_4(partial(_share, part="backward", of=("s31_backward", "s31_epoch")), "backward-time"),
        "s31_epoch": figure_4(erratum="total-time"),
        "t2_base_forward": table_2(partial(_share, part="forward", of=("t2_base_forward", "t2_base_total"))),
        "t2_base_backward": table_2(
            partial(_share, part="backward", of=("t2_base_backward", "t2_base_total")), "backward-time"
        ),
        "t2_base_copy": table_2(),
        "t2_base_total": table_2(erratum="total-time"),
        "t2_k4_forward": table_2(partial(_speedup, k=4, least=("t2_base_forward", "t2_k4_forward"), phase="forward")),
        "t2_k4_backward": table_2(
            partial(_speedup, k=4, least=("t2_base_backward", "t2_k4_backward"), phase="backward"), "our-backward-time"
        ),
        **{
            f"t2_k{k}_total": table_2(partial(_speedup, k=k, least=("t2_base_total", f"t2_k{k}_total")))
            for k in (4, 8, 16, 32, 64)
        },
        **{
            f"fig8_{measure}": figure_8(partial(_quality, measure=measure))
            for measure in ("pearson", "spearman", "kendall", "r2")
        },
        "fig9_max": figure_9(partial(_speedup, k=4, least=("fig9_max",))),
        "fig9_min": figure_9(partial(_speedup, k=64, least=("fig9_min",))),
        "fig10_gap_r": figure_10(),
        "fig10_gap_f": figure_10(erratum="figure-10-name"),
        "fig10_util": figure_10(partial(_in_use, part="allocated", name="fig10_util", which=min)),
        "small_gpu": figure_10(_small_gpu),
    }


def _quotient(paper: pd.Series, names: Sequence[str]) -> float:
    return paper[names[0]] / paper[names[1]] if len(names) > 1 else paper[names[0]]


def _views(pages: Pages, experiment: str, *setting: str) -> list[findings.View]:
    """The records by circuit, machine and setting: those of a GPU first, then the widest, then the deepest."""

    def order(view):
        at = view.setting
        return at["device"] != "cuda", -at["hidden_channels"], -at.get("num_layers", 0)

    return sorted(pages[experiment].views("device", "hidden_channels", *setting), key=order)


def _where(view: findings.View, **more: object) -> str:
    width = {"width": view.setting["hidden_channels"]}
    conditions = ", ".join(f"{name} {value}" for name, value in (width | more).items())
    return f"{view.circuit.partition('/')[2].partition('-')[0]}, {conditions}, {view.setting['device']}"


def _order(pages: Pages, paper: pd.Series, above: tuple, below: tuple) -> Ours | None:
    """Whether one model is above another: the 95% intervals of the one's runs above those of all the other's.

    ``above`` and ``below`` are models with the depth to take, ``min`` or ``max``; of the plain models, the best one
    with so many layers, or with any.
    """
    for view in _views(pages, "depth", "epochs", "learning_rates"):
        runs = dict(iter(view.rows.groupby(["model", "num_layers"])))
        mean = {key: rows["pearson"].mean() for key, rows in runs.items()}
        first = _at_depth(mean, *above)
        second = _best_plain(mean, below[1]) if below[0] == PLAIN else _at_depth(mean, *below)
        if first is None or second is None or first == second:
            continue
        low, _ = findings.pearson_interval(runs[first]["pearson"].min(), runs[first]["test_cells"].min())
        _, high = findings.pearson_interval(runs[second]["pearson"].max(), runs[second]["test_cells"].min())
        words = " against ".join(f"{mean[key]:.3f} ({key[0]}, {key[1]} layers)" for key in (first, second))
        return Ours(f"{words}; {_where(view)}", low > high)
    return None


def _at_depth(mean: dict[Run, float], model: str, which: Callable) -> Run | None:
    """The model at its least or greatest depth, None where it was not run."""
    return which((key for key in mean if key[0] == model), default=None)


def _best_plain(mean: dict[Run, float], depth: int | None) -> Run | None:
    """The best of the plain models with ``depth`` layers, or with any where it is None; None where none was run."""
    return max((key for key in mean if key[0] in PLAIN and depth in (None, key[1])), key=mean.get, default=None)


def _plateau(pages: Pages, paper: pd.Series) -> Ours | None:
    for view in _views(pages, "depth", "epochs", "learning_rates"):
        mean = view.rows[view.rows["model"] == "RevGNN"].groupby("num_layers")["pearson"].mean()
        if len(mean) > 2 and mean.index.max() > paper["fig2_plateau"]:
            best = mean.idxmax()
            return Ours(
                f"best at {best} of at most {mean.index.max()} layers; {_where(view)}",
                paper["fig2_plateau"] / FACTOR <= best < mean.index.max(),
            )
    return None


def _quality(pages: Pages, paper: pd.Series, measure: str) -> Ours | None:
    """Whether the mean difference over all depths, k and seeds is at most `LOSS` below the paper's."""
    for view in _views(pages, "quality", "epochs", "learning_rates"):
        rows = view.rows[view.rows["measure"] == measure]
        if len(rows):
            mean = rows["difference"].mean()
            depths = " and ".join(map(str, sorted(set(rows["num_layers"]))))
            return Ours(
                f"{mean:+.4f} over {len(rows)} runs; {_where(view, layers=depths)}",
                mean >= paper[f"fig8_{measure}"] - LOSS,
            )
    return None


def _steps(view: findings.View, contender: str) -> pd.Series | None:
    rows = view.rows[(view.rows["contender"] == contender) & (view.rows["state"] == "measured")]
    return rows.iloc[-1] if len(rows) else None


def _speedup(
    pages: Pages, paper: pd.Series, least: Sequence[str], k: int | None = None, phase: str = "step"
) -> Ours | None:
    """Whether GSR-GNN over the edges, which is the paper's, beats the baseline by what ``least`` says."""
    found = []
    for view in _views(pages, "speed", "num_layers"):
        base = _steps(view, REFERENCE)
        contenders = (
            [f"GSR k={k} edges"]
            if k
            else [name for name in view.rows["contender"] if name.startswith("GSR k=") and name.endswith(" edges")]
        )
        for name in contenders if base is not None else ():
            if (ours := _steps(view, name)) is not None:
                ratio = base[f"{phase}_seconds"] / ours[f"{phase}_seconds"]
                found.append(
                    (
                        ratio,
                        f"{ratio:.1f}x ({name.removeprefix('GSR ')}); "
                        f"{_where(view, layers=view.setting['num_layers'])}",
                    )
                )
    if not found:
        return None
    ratio, words = max(found)
    return Ours(words, ratio >= _quotient(paper, least))


def _share(pages: Pages, paper: pd.Series, part: str, of: Sequence[str]) -> Ours | None:
    """Whether a part of the baseline's step has the share that it has in the paper, within `SHARE`."""
    for view in _views(pages, "profile", "num_layers"):
        if (row := _steps(view, REFERENCE)) is not None:
            share, theirs = row[f"{part}_seconds"] / row["step_seconds"], _quotient(paper, of)
            where = _where(view, layers=view.setting["num_layers"])
            return Ours(f"{share:.0%} of a step (paper {theirs:.0%}); {where}", abs(share - theirs) <= SHARE)
    return None


def _bytes(pages: Pages, paper: pd.Series, column: str, name: str) -> Ours | None:
    """Whether the baseline takes the paper's memory on a GPU at the paper's depth and width, within `FACTOR`."""
    for view in _views(pages, "profile", "num_layers"):
        row = _steps(view, REFERENCE)
        at = (view.setting["num_layers"], view.setting["hidden_channels"]) == (100, 384)
        if row is not None and at and pd.notna(row.get(column)):
            ratio = row[column] / 1e6 / paper[name]
            return Ours(f"{row[column] / 1e6:,.0f} MB; {_where(view, layers=100)}", 1 / FACTOR <= ratio <= FACTOR)
    return None


def _grown(row: pd.Series) -> float:
    """Bytes that a step adds: on a GPU reserved, on a CPU to the process."""
    reserved = row.get("memory_reserved")
    return reserved if pd.notna(reserved) else row["memory_peak"] - row["memory_before"]


def _reduction(pages: Pages, paper: pd.Series) -> Ours | None:
    """The largest reduction against the baseline at one depth, and whether it is that of the paper."""
    found = []
    for view in _views(pages, "memory", "num_layers"):
        rows = view.rows[view.rows["memory_peak"].notna()]
        base, ours = rows[rows["contender"] == REFERENCE], rows[rows["contender"].str.startswith("GSR k=")]
        if len(base) and len(ours):
            grown = ours.apply(_grown, axis="columns")
            percent = 100 * (1 - grown.min() / base.apply(_grown, axis="columns").min())
            found.append(
                (
                    percent,
                    f"{percent:.1f} percent ({ours.loc[grown.idxmin(), 'contender']}); "
                    f"{_where(view, layers=view.setting['num_layers'])}",
                )
            )
    if not found:
        return None
    percent, words = max(found)
    return Ours(words, percent >= paper["mem_reduction_max"])


def _in_use(pages: Pages, paper: pd.Series, part: str, name: str, which: Callable) -> Ours | None:
    """Whether GSR-GNN uses the paper's share of the memory that it reserves on a GPU: at its best, or at its least."""
    found = []
    for view in _views(pages, "memory", "num_layers"):
        columns = view.rows.reindex(columns=[*view.rows, *({f"memory_{part}", "memory_reserved"} - {*view.rows})])
        percents = 100 * columns[f"memory_{part}"] / columns["memory_reserved"]
        for contender, percent in zip(columns["contender"], percents, strict=True):
            if contender.startswith("GSR k=") and pd.notna(percent):
                where = _where(view, layers=view.setting["num_layers"])
                found.append((percent, f"{percent:.1f} percent ({contender}); {where}"))
    if not found:
        return None
    percent, words = which(found)
    return Ours(words, percent >= paper[name])


def _small_gpu(pages: Pages, paper: pd.Series) -> Ours | None:
    """Whether a network of at most 30 layers, as wide as the paper's, fits into a small GPU's memory."""
    for view in _views(pages, "memory", "num_layers"):
        rows = view.rows[view.rows["memory_peak"].notna() & view.rows["contender"].str.startswith("GSR k=")]
        if len(rows) and view.setting["hidden_channels"] >= 256 and 10 <= view.setting["num_layers"] <= 30:
            grown = rows.apply(_grown, axis="columns").max()
            return Ours(
                f"{grown / 1e9:.2f} GB at most; {_where(view, layers=view.setting['num_layers'])}",
                grown / 1e9 < paper["small_gpu"],
            )
    return None
