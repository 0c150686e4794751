"""Judges: what the records say to each claim of the paper.

A claim is judged by what it says of the models against each other, on one machine. Seconds and bytes of the paper's GPU
are compared as such only with a run at its depth and width on a GPU. In speed and in memory GSR-GNN sums over the
edges, as in the paper, and through the nets only in a record that has nothing else.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd

from gsrgnn.book import findings
from gsrgnn.book.captions import PLAIN
from gsrgnn.circuits import table1
from gsrgnn.lab import estimate
from gsrgnn.lab.bench.contenders import REFERENCE

LOSS: float = 0.02  # of a correlation: what is still called comparable
SHARE: float = 0.1  # of a step: how far a part's share may be from the paper's
FACTOR: float = 2  # how far seconds and bytes of another GPU may be from the paper's
WIDTHS: tuple[int, ...] = (256, 384)  # of the paper
DEPTHS: range = range(10, 101)  # of the paper, layers
EPOCHS: int = 250  # of the paper


@dataclass(frozen=True)
class Ours:
    """What the records say to a claim.

    Attributes:
        words: the value, and where it was measured.
        holds: whether the claim holds there.
        partly: whether it does in its direction, as a speedup above 1 that is less than the paper's.
        same: whether it was measured under the paper's conditions (`same_steps`, `same_scores`).
        owed: what of a factor is owed to the route by which neighbours are summed and what to the model, and what is
            left of it against the fastest or the leanest peer, in words.
        by_route: what RevGNN gains by taking the same route: a factor in time, percent in memory; NaN where unknown.
        by_model: what GSR-GNN gains over that RevGNN, a factor in time; NaN where unknown, and in memory.
        left: what GSR-GNN gains over the fastest or the leanest peer, likewise.
    """

    words: str
    holds: bool
    partly: bool = False
    same: bool = False
    owed: str = ""
    by_route: float = math.nan
    by_model: float = math.nan
    left: float = math.nan


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
        erratum: the id of the record in `paper.errata` by which the paper does not agree with itself here.
        gpu: whether nothing but a GPU can tell.
    """

    page: str
    judge: Judge = lambda pages, paper: None
    erratum: str | None = None
    gpu: bool = False


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
        "active_over_reserved": figure_10(
            partial(_in_use, part="active", name="active_over_reserved", which=max), gpu=True
        ),
        "fig1_rev80": figure_1(partial(_order, above=("RevGNN", max), below=("RevGNN", min))),
        "fig1_rev2": figure_1(partial(_order, above=("RevGNN", min), below=(PLAIN, 2))),
        "fig1_shallow_best": figure_1(partial(_order, above=("RevGNN", max), below=(PLAIN, None))),
        "fig2_plateau": Claim("15_figure_2", _plateau),
        "fig3_reserved": figure_3(partial(_bytes, column="memory_reserved", name="fig3_reserved"), gpu=True),
        "fig3_active": figure_3(partial(_bytes, column="memory_active", name="fig3_active"), gpu=True),
        "fig4_hours": figure_4(partial(_hours, name="fig4_hours", codes=("356-R",)), "epoch-time"),
        "ten_graphs_hours": Claim("21_table_1", partial(_hours, name="ten_graphs_hours")),
        "ten_graphs_mem": figure_3(gpu=True),
        "s31_forward": figure_4(partial(_share, part="forward", of=("s31_forward", "s31_epoch"))),
        "s31_copy": figure_4(gpu=True),
        "s31_backward": figure_4(partial(_share, part="backward", of=("s31_backward", "s31_epoch")), "backward-time"),
        "s31_epoch": figure_4(partial(_passes, of=("s31_forward", "s31_backward", "s31_epoch")), "total-time"),
        "t2_base_forward": table_2(partial(_share, part="forward", of=("t2_base_forward", "t2_base_total"))),
        "t2_base_backward": table_2(
            partial(_share, part="backward", of=("t2_base_backward", "t2_base_total")), "backward-time"
        ),
        "t2_base_copy": table_2(gpu=True),
        "t2_base_total": table_2(
            partial(_passes, of=("t2_base_forward", "t2_base_backward", "t2_base_total")), "total-time"
        ),
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
        "fig10_gap_r": figure_10(partial(_gap, name="fig10_gap_r", code="876-R")),
        "fig10_gap_f": figure_10(partial(_gap, name="fig10_gap_f", code="5324-F"), "figure-10-name"),
        "fig10_util": figure_10(partial(_in_use, part="allocated", name="fig10_util", which=min), gpu=True),
        "small_gpu": figure_10(_small_gpu),
    }


def _quotient(paper: pd.Series, names: Sequence[str]) -> float:
    return paper[names[0]] / paper[names[1]] if len(names) > 1 else paper[names[0]]


def same_steps(view: findings.View) -> bool:
    """Whether times and memory are of the paper's conditions: a design of its Table 1, its widths and depths, a GPU."""
    at = view.setting
    depths = set(view.rows["num_layers"]) <= set(DEPTHS)
    return at["device"] == "cuda" and at["hidden_channels"] in WIDTHS and depths and _of_table1(view.circuit)


def same_scores(view: findings.View) -> bool:
    """Whether scores are: a design of Table 1 with CircuitNet's own label, the paper's widths, and its epochs at least.

    Which machine trains changes no score beyond rounding.
    """
    at = view.setting
    enough = at["hidden_channels"] in WIDTHS and at["epochs"] >= EPOCHS
    return enough and view.label.startswith("CircuitNet") and _of_table1(view.circuit)


def _of_table1(circuit: str) -> bool:
    return circuit in {f"circuitnet/{row.name}" for row in table1.rows()}


def _views(pages: Pages, experiment: str, *setting: str) -> list[findings.View]:
    """The records by circuit, machine and setting: those of a GPU first, then the widest, the paper's own circuits, the
    longest, the deepest."""

    def order(view):
        at, apart = view.setting, not _of_table1(view.circuit)
        return at["device"] != "cuda", -at["hidden_channels"], apart, -at.get("epochs", 0), -at.get("num_layers", 0)

    return sorted(pages[experiment].views("device", "hidden_channels", *setting), key=order)


def _where(view: findings.View, **more: object) -> str:
    width = {"width": view.setting["hidden_channels"]}
    conditions = ", ".join(f"{name} {value}" for name, value in (width | more).items())
    return f"{findings.short(view.circuit)}{findings.beside(view.circuit)}, {conditions}, {view.setting['device']}"


def _order(pages: Pages, paper: pd.Series, above: tuple, below: tuple) -> Ours | None:
    """Whether one model is above another: the 95% intervals of the one's runs above those of all the other's.

    It is partly where the means are in that order and the intervals meet. ``above`` and ``below`` are models with the
    depth to take, ``min`` or ``max``; of the plain models, the best one with so many layers, or with any.
    """
    for view in _views(pages, "depth", *findings.TRAINED):
        runs = dict(iter(view.rows.groupby(["model", "num_layers"])))
        mean = {key: rows["pearson"].mean() for key, rows in runs.items()}
        first = _at_depth(mean, *above)
        second = _best_plain(mean, below[1]) if below[0] == PLAIN else _at_depth(mean, *below)
        if first is None or second is None or first == second:
            continue
        low, _ = findings.pearson_interval(runs[first]["pearson"].min(), runs[first]["test_cells"].min())
        _, high = findings.pearson_interval(runs[second]["pearson"].max(), runs[second]["test_cells"].min())
        words = " against ".join(f"{mean[key]:.3f} ({key[0]}, {key[1]} layers)" for key in (first, second))
        return Ours(f"{words}; {_where(view)}", low > high, mean[first] > mean[second], same_scores(view))
    return None


def _at_depth(mean: dict[Run, float], model: str, which: Callable) -> Run | None:
    """The model at its least or greatest depth, None where it was not run."""
    return which((key for key in mean if key[0] == model), default=None)


def _best_plain(mean: dict[Run, float], depth: int | None) -> Run | None:
    """The best of the plain models with ``depth`` layers, or with any where it is None; None where none was run."""
    return max((key for key in mean if key[0] in PLAIN and depth in (None, key[1])), key=mean.get, default=None)


def _plateau(pages: Pages, paper: pd.Series) -> Ours | None:
    """Whether RevGNN is best at about the paper's depth, within `FACTOR`, and not at the deepest."""
    for view in _views(pages, "depth", *findings.TRAINED):
        mean = view.rows[view.rows["model"] == "RevGNN"].groupby("num_layers")["pearson"].mean()
        if len(mean) > 2 and mean.index.max() > paper["fig2_plateau"]:
            best = mean.idxmax()
            return Ours(
                f"best at {best} of at most {mean.index.max()} layers; {_where(view)}",
                paper["fig2_plateau"] / FACTOR <= best < mean.index.max(),
                same=same_scores(view),
            )
    return None


def _quality(pages: Pages, paper: pd.Series, measure: str) -> Ours | None:
    """Whether the mean difference over all depths and k is at most `LOSS` below the paper's."""
    for view in _views(pages, "quality", *findings.TRAINED):
        rows = findings.seeds_averaged(view.rows[view.rows["measure"] == measure])
        if len(rows):
            mean = rows["difference"].mean()
            depths = " and ".join(map(str, sorted(set(rows["num_layers"]))))
            return Ours(
                f"{mean:+.4f} over {len(rows)} depths and k; {_where(view, layers=depths)}",
                mean >= paper[f"fig8_{measure}"] - LOSS,
                same=same_scores(view),
            )
    return None


def _steps(view: findings.View, contender: str) -> pd.Series | None:
    rows = view.rows[(view.rows["contender"] == contender) & (view.rows["state"] == "measured")]
    return rows.iloc[-1] if len(rows) else None


def _by_the_paper_s_route(names: pd.Series, k: int | None = None) -> list[str]:
    """Of contenders GSR-GNN's with this k, or with any: over the edges; where none is, through the nets."""
    found = [name for name in dict.fromkeys(names) if name.startswith(f"GSR k={k} " if k else "GSR k=")]
    return [name for name in found if name.endswith(" edges")] or found


def _speedup(
    pages: Pages, paper: pd.Series, least: Sequence[str], k: int | None = None, phase: str = "step"
) -> Ours | None:
    """Whether GSR-GNN beats the baseline by what ``least`` says; partly where it beats it at all.

    With this k in the first of the records that have both, without one at the best that any record has.
    """
    found = []
    for view in _views(pages, "speed", "num_layers"):
        rows = view.rows[view.rows["state"] == "measured"]
        if (base := _steps(view, REFERENCE)) is not None:
            for name in _by_the_paper_s_route(rows["contender"], k):
                found.append((base[f"{phase}_seconds"] / _steps(view, name)[f"{phase}_seconds"], name, view))
    if not found:
        return None
    ratio, name, view = found[0] if k else max(found, key=lambda each: each[0])
    where = _where(view, layers=view.setting["num_layers"])
    return Ours(
        f"{ratio:.1f}x ({name.removeprefix('GSR ')}); {where}",
        ratio >= _quotient(paper, least),
        ratio > 1,
        same_steps(view),
        *_owed_in_time(view, name, f"{phase}_seconds"),
    )


def _owed_in_time(view: findings.View, name: str, seconds: str) -> tuple[str, float, float, float]:
    """A speedup as a factor of the route, by RevGNN on the same one, times one of the model; and the fastest peer.

    In words, then the factors of the route, of the model and against the peer, as in `Ours`.
    """
    parts, by_route, model, (_, k, route) = [], math.nan, math.nan, name.split()
    own, base = _steps(view, name), _steps(view, REFERENCE)
    if (same := _steps(view, routed := f"RevGNN {'csr' if route == 'edges' else route}")) is not None:
        by_route, model = base[seconds] / same[seconds], same[seconds] / own[seconds]
        parts.append(f"route {by_route:.1f}x ({routed}), model {model:.1f}x")
    rows = view.rows[view.rows["state"] == "measured"]
    ours = rows[rows["contender"].str.startswith(f"GSR {k} ")]
    peers = rows[~rows["contender"].str.startswith("GSR")]
    peer, best = (each.loc[each[seconds].idxmin()] for each in (peers, ours))
    left, by = peer[seconds] / best[seconds], best["contender"].rpartition(" ")[2]
    parts.append(f"{left:.1f}x against {peer['contender']}, the fastest peer (ours by {by})")
    return "; ".join(parts), by_route, model, left


def _share(pages: Pages, paper: pd.Series, part: str, of: Sequence[str]) -> Ours | None:
    """Whether a part of the baseline's step has the share that it has in the paper, within `SHARE`."""
    for view in _views(pages, "profile", "num_layers"):
        if (row := _steps(view, REFERENCE)) is not None:
            share, theirs = row[f"{part}_seconds"] / row["step_seconds"], _quotient(paper, of)
            where = _where(view, layers=view.setting["num_layers"])
            return Ours(
                f"{share:.0%} of a step (paper {theirs:.0%}); {where}",
                abs(share - theirs) <= SHARE,
                same=same_steps(view),
            )
    return None


def _passes(pages: Pages, paper: pd.Series, of: Sequence[str]) -> Ours | None:
    """Whether forward and backward pass have the share of the baseline's epoch that they have in the paper."""
    for view in _views(pages, "profile", "num_layers"):
        if (row := _steps(view, REFERENCE)) is not None:
            forward, backward, whole = (paper[name] for name in of)
            share = (row["forward_seconds"] + row["backward_seconds"]) / row["step_seconds"]
            theirs, where = (forward + backward) / whole, _where(view, layers=view.setting["num_layers"])
            return Ours(
                f"both passes {share:.0%} of a step (paper {theirs:.0%}); {where}",
                abs(share - theirs) <= SHARE,
                same=same_steps(view),
            )
    return None


def _hours(pages: Pages, paper: pd.Series, name: str, codes: Sequence[str] = ()) -> Ours | None:
    """Whether GSR-GNN trains in fewer hours than the paper gives for its baseline: `EPOCHS` steps of 100 layers.

    ``codes`` are graphs of Table 1, all ten if not given; each must have been measured, itself or its stand-in. The
    paper's hours are of a GPU: a CPU that takes fewer says that the claim holds, one that takes more says nothing.
    """
    wanted = {row.code: row.name for row in table1.rows() if row.code in codes or not codes}
    found: dict[tuple, dict[str, tuple[str, pd.Series]]] = {}
    for view in _views(pages, "ten_graphs", "num_layers"):
        at = view.setting
        if at["num_layers"] != DEPTHS[-1] or at["hidden_channels"] not in WIDTHS:
            continue
        for code, real in wanted.items():
            if view.circuit in (f"synthetic/{code}", f"circuitnet/{real}"):
                steps = view.rows[view.rows["state"] == "measured"].groupby("contender")["step_seconds"].last()
                by_code = found.setdefault((view.machine, at["hidden_channels"], at["device"]), {})
                by_code.setdefault(code, (view.circuit, steps))  # the paper's own come first
    for (_, width, device), by_code in found.items():
        if set(by_code) == set(wanted):
            seconds = pd.DataFrame({code: steps for code, (_, steps) in by_code.items()})
            hours = seconds.sum(axis="columns", skipna=False).dropna().sort_values() * EPOCHS / 3600
            if len(hours) and (device == "cuda" or hours.min() < paper[name]):
                made = sum(circuit.startswith("synthetic/") for circuit, _ in by_code.values())
                stand_ins = f" ({'its stand-in' if len(wanted) == 1 else f'{made} of them stand-ins'})" * bool(made)
                graphs = (" and ".join(codes) or f"{len(wanted)} graphs") + stand_ins
                words = ", ".join(f"{value:.2g} h ({model.removeprefix('GSR ')})" for model, value in hours.items())
                return Ours(
                    f"GSR-GNN: {words}; {graphs}, width {width}, layers {DEPTHS[-1]}, {device}",
                    hours.max() < paper[name],
                    hours.min() < paper[name],
                )
    return None


def _bytes(pages: Pages, paper: pd.Series, column: str, name: str) -> Ours | None:
    """Whether the baseline takes the paper's memory on a GPU at the paper's depth and width, within `FACTOR`."""
    for view in _views(pages, "profile", "num_layers"):
        row = _steps(view, REFERENCE)
        at = (view.setting["num_layers"], view.setting["hidden_channels"]) == (100, 384)
        if row is not None and at and pd.notna(row.get(column)):
            ratio = row[column] / 1e6 / paper[name]
            words = f"{row[column] / 1e6:,.0f} MB; {_where(view, layers=100)}"
            return Ours(words, 1 / FACTOR <= ratio <= FACTOR, same=same_steps(view))
    return None


def _grown(row: pd.Series) -> float:
    """Bytes that a step adds: on a GPU reserved, on a CPU to the process."""
    reserved = row.get("memory_reserved")
    return reserved if pd.notna(reserved) else row["memory_peak"] - row["memory_before"]


def _grown_by_contender(view: findings.View) -> pd.Series:
    """The least that a step of each contender adds, bytes."""
    rows = view.rows[view.rows["memory_peak"].notna()] if "memory_peak" in view.rows else view.rows[:0]
    grown = rows.assign(grown=[_grown(row) for _, row in rows.iterrows()])
    return grown.groupby("contender", sort=False)["grown"].min()


def _reduction(pages: Pages, paper: pd.Series) -> Ours | None:
    """The largest reduction against the baseline at one depth, and whether it is that of the paper."""
    found = []
    for view in _views(pages, "memory", "num_layers"):
        grown = _grown_by_contender(view)
        ours = grown[_by_the_paper_s_route(grown.index)]
        if REFERENCE in grown and len(ours):
            found.append((100 * (1 - ours.min() / grown[REFERENCE]), ours.idxmin(), grown, view))
    if not found:
        return None
    percent, name, grown, view = max(found, key=lambda each: each[0])
    return Ours(
        f"{percent:.1f} percent ({name}); {_where(view, layers=view.setting['num_layers'])}",
        percent >= paper["mem_reduction_max"],
        percent > 0,
        same_steps(view),
        *_owed_in_memory(grown, name),
    )


def _owed_in_memory(grown: pd.Series, name: str) -> tuple[str, float, float, float]:
    """What RevGNN saves by the same route alone, and GSR-GNN beside the leanest peer: in words and in percent."""
    parts, by_route, route = [], math.nan, name.rpartition(" ")[2]
    if (routed := f"RevGNN {'csr' if route == 'edges' else route}") in grown:
        by_route = 100 * (1 - grown[routed] / grown[REFERENCE])
        parts.append(f"route alone {by_route:.1f} percent ({routed})")
    peers, ours = (
        grown[~grown.index.str.startswith("GSR")],
        grown[grown.index.str.startswith(f"GSR {name.split()[1]} ")],
    )
    saved, by = 100 * (1 - ours.min() / peers.min()), ours.idxmin().rpartition(" ")[2]
    word = "less" if saved > 0 else "more"
    parts.append(f"{abs(saved):.1f} percent {word} than {peers.idxmin()}, the leanest peer (ours by {by})")
    return "; ".join(parts), by_route, math.nan, saved


def _gap(pages: Pages, paper: pd.Series, name: str, code: str) -> Ours | None:
    """Whether the mean gap to the baseline, over depths and k, is at least the paper's for each edge of the circuit.

    ``code`` is the graph of Table 1 that the paper's gap is of. It is partly where there is a gap at all.
    """
    (edges,) = (row.edges for row in table1.rows() if row.code == code)
    for view in _views(pages, "memory"):
        size = estimate.size(view.circuit)
        by_depth = [
            grown[REFERENCE] - grown[_by_the_paper_s_route(grown.index)].mean()
            for _, rows in view.rows.groupby("num_layers")
            if REFERENCE in (grown := _grown_by_contender(replace(view, rows=rows)))
            and _by_the_paper_s_route(grown.index)
        ]
        if size and by_depth:
            gap, theirs = sum(by_depth) / len(by_depth), paper[name] * 1e9
            here, there = gap / size[1], theirs / edges
            return Ours(
                f"{gap / 1e9:.2f} GB, {here:,.0f} bytes an edge (paper {there:,.0f}); {_where(view)}",
                here >= there,
                gap > 0,
                same_steps(view),
            )
    return None


def _in_use(pages: Pages, paper: pd.Series, part: str, name: str, which: Callable) -> Ours | None:
    """Whether GSR-GNN uses the paper's share of the memory that it reserves on a GPU: at its best, or at its least."""
    found = []
    for view in _views(pages, "memory", "num_layers"):
        columns = view.rows.reindex(columns=[*view.rows, *({f"memory_{part}", "memory_reserved"} - {*view.rows})])
        percents = 100 * columns[f"memory_{part}"] / columns["memory_reserved"]
        for contender, percent in zip(columns["contender"], percents, strict=True):
            if contender.startswith("GSR k=") and pd.notna(percent):
                where = _where(view, layers=view.setting["num_layers"])
                found.append((percent, f"{percent:.1f} percent ({contender}); {where}", same_steps(view)))
    if not found:
        return None
    percent, words, same = which(found)
    return Ours(words, percent >= paper[name], same=same)


def _small_gpu(pages: Pages, paper: pd.Series) -> Ours | None:
    """Whether a network of at most 30 layers, as wide as the paper's, fits into a small GPU's memory."""
    for view in _views(pages, "memory", "num_layers"):
        grown = _grown_by_contender(view)
        ours = grown[_by_the_paper_s_route(grown.index)]
        if len(ours) and view.setting["hidden_channels"] in WIDTHS and 10 <= view.setting["num_layers"] <= 30:
            return Ours(
                f"{ours.max() / 1e9:.2f} GB at most; {_where(view, layers=view.setting['num_layers'])}",
                ours.max() / 1e9 < paper["small_gpu"],
                same=same_steps(view),
            )
    return None
