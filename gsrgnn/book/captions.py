"""What a figure says, in a sentence below it: the records choose its numbers and its words, whatever they say."""

from collections.abc import Iterable, Mapping

import pandas as pd

PLAIN: tuple[str, ...] = ("GCN", "GraphSAGE")


def listed(words: Iterable[object]) -> str:
    """Words with commas, and an "and" before the last."""
    *most, last = [*map(str, words)] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def beside(difference: float, form: str = ".3f") -> str:
    """How far above or below something is; "level with" where both read the same."""
    size = format(abs(difference), form)
    return "level with" if not float(size) else f"{size} {'above' if difference > 0 else 'below'}"


def deep_against_shallow(runs: pd.DataFrame) -> str:
    """Of the deepest reversible network against itself at the least depth, and against the best plain model.

    Args:
        runs: a line a run, with ``model``, ``num_layers``, ``pearson`` and the ends of its interval, ``low``, ``high``.
    """
    ends = runs.groupby(["model", "num_layers"]).agg({"pearson": "mean", "low": "min", "high": "max"})
    names = [name for name in dict.fromkeys(runs["model"]) if name not in PLAIN]
    plain = ends[ends.index.get_level_values("model").isin(PLAIN)]
    best = plain["pearson"].idxmax() if len(plain) else None
    if not names:
        return f"The best of the plain models is {best[0]} with {best[1]} layers: {plain['pearson'].max():.3f}."
    name = "RevGNN" if "RevGNN" in names else names[0]
    own = ends.loc[name].sort_index()
    deep, shallow = (name, own.index[-1]), (name, own.index[0])
    said = f"{name} with {deep[1]} layers has a Pearson of {ends['pearson'][deep]:.3f}"
    peers = {f"itself with {shallow[1]}": shallow} if deep != shallow else {}
    if best:
        peers[f"the best plain model, {best[0]} with {best[1]} layers"] = best
    against = [
        f"{beside(ends['pearson'][deep] - ends['pearson'][peer])} {words} "
        f"(their intervals {_meet(ends.loc[deep], ends.loc[peer])})"
        for words, peer in peers.items()
    ]
    return ", ".join([said, *against]) + "."


def best_depths(mean: pd.Series, plateau: float) -> str:
    """At which depth each model scores highest.

    Args:
        mean: score by model and number of layers.
        plateau: the depth from which the paper's curve is level.
    """
    depths = sorted(set(mean.index.get_level_values(1)))
    if len(depths) < 2:
        return f"One depth was run, {depths[0]} layers: no curve yet."
    best = [f"{name} with {mean[name].idxmax()}" for name in dict.fromkeys(mean.index.get_level_values(0))]
    beyond = ", which is deeper than any here" if depths[-1] < plateau else ""
    return (
        f"Of {listed(depths)} layers the score is highest for {listed(best)}; the paper's is level from "
        f"{plateau:g}{beyond}."
    )


def messages(megabytes: pd.Series, array: float | None, reference: str) -> str:
    """What RevGNN takes with messages, in arrays of them, and what its leanest route takes at the same depth.

    Args:
        megabytes: of a step, by contender and number of layers.
        array: MB of one array of messages, None where it is not known.
        reference: the contender that makes messages.
    """
    if megabytes.empty:
        return "No memory was measured."
    there = megabytes[megabytes.index.get_level_values(0) == reference]
    depth = int((there if len(there) else megabytes).index.get_level_values(1).max())
    at = megabytes.xs(depth, level=1)
    lean = at.idxmin()
    layers = f"{depth} layer{'s' * (depth != 1)}"
    if there.empty:
        return f"{reference} was not measured. With {layers} the leanest is {lean}: {at.min():,.0f} MB."
    arrays = f", {at[reference] / array:.1f} times one array of messages" if array else ""
    said = f"With {layers} {reference} takes {at[reference]:,.0f} MB{arrays}"
    return (
        f"{said}."
        if lean == reference
        else f"{said}; the leanest route, {lean}, takes {at.min() / at[reference]:.0%} of it."
    )


def passes(seconds: pd.DataFrame, reference: str, paper: float) -> str:
    """How long going back takes beside going forward, and which route is the fastest.

    Args:
        seconds: ``forward``, ``backward`` and ``step`` by contender and number of layers.
        reference: the contender that the paper measured.
        paper: its ratio of backward to forward pass there.
    """
    if seconds.empty:
        return "No step was timed."
    there = seconds[seconds.index.get_level_values(0) == reference]
    depth = int((there if len(there) else seconds).index.get_level_values(1).max())
    at = seconds.xs(depth, level=1)
    name = reference if len(there) else at["step"].idxmin()
    layers = f"{depth} layer{'s' * (depth != 1)}"
    said = (
        f"With {layers} the backward pass of {name} takes {at['backward'][name] / at['forward'][name]:.1f} times as "
        f"long as its forward pass (paper: {paper:.1f})"
    )
    fast = at["step"].idxmin()
    if fast != name:
        said += f"; {fast} makes the whole step {at['step'][name] / at['step'][fast]:.1f} times as fast"
    return said + "."


def shares(parts: pd.DataFrame, paper: Mapping[str, float], reference: str) -> str:
    """Which share of a step the passes take.

    Args:
        parts: shares ``forward`` and ``backward``, a line a contender.
        paper: the paper's shares.
        reference: the beginning of the name of what the paper measured.
    """
    there = [name for name in parts.index if name.startswith(reference)]
    name = there[-1] if there else parts.index[0]
    own = parts.loc[name]
    return (
        f"{name}: forward {own['forward']:.0%} and backward {own['backward']:.0%} of a step; in the paper "
        f"{paper['forward']:.0%} and {paper['backward']:.0%}."
    )


def fastest_step(rows: pd.DataFrame, paper: Mapping[str, float], reference: str) -> str:
    """What the fastest GSR-GNN gains over the baseline, and which share of its step the backward pass takes.

    Args:
        rows: frame indexed by contender with ``step_seconds`` and ``backward_seconds``: GSR-GNN's and the baseline.
        paper: the paper's share of the backward pass by contender, where it has one.
        reference: name of the baseline.
    """
    seconds = rows["step_seconds"]
    own = seconds.drop(index=reference, errors="ignore").dropna()
    if own.empty:
        return "GSR-GNN was not timed."
    name = own.idxmin()
    gain = f"makes a step in {own[name]:.3g} s; {reference} was not timed"
    if reference in seconds:
        gain = f"makes a step {seconds[reference] / own[name]:.3g} times as fast as {reference}"
    there = f" (paper: {paper[name]:.0%})" if name in paper else ""
    return (
        f"The fastest, {name}, {gain}; its backward pass takes {rows['backward_seconds'][name] / own[name]:.0%} of its "
        f"step{there}."
    )


def quality(rows: pd.DataFrame, paper: Mapping[str, float], words: Mapping[str, str]) -> str:
    """How GSR-GNN's scores differ from RevGNN's on the mean, and how many intervals tell.

    Args:
        rows: of `findings.seeds_averaged`.
        paper: measure -> the paper's mean difference.
        words: measure -> its name; the first is the one whose intervals are counted.
    """
    means = rows.groupby("measure")["difference"].mean()
    there = [measure for measure in words if measure in means]
    if not there:
        return "No difference was measured."
    said = [
        f"{words[measure]} is {beside(means[measure])} RevGNN's (paper: {beside(paper[measure])})" for measure in there
    ]
    first = rows[rows["measure"] == there[0]]
    above, below = int((first["low"] > 0).sum()), int((first["high"] < 0).sum())
    return (
        f"On the mean of {len(first)} depths and k, GSR-GNN's {listed(said)}. Of the intervals of {words[there[0]]} "
        f"{above or 'none'} lie{'s' * (above == 1)} above zero and {below or 'none'} below."
    )


def faster(ratios: pd.Series, peer: str) -> str:
    """How many times as fast as a peer, from the least to the most; "" where there is no ratio."""
    known = ratios.dropna()
    if known.empty:
        return ""
    low, high = known.min(), known.max()
    span = " to ".join(dict.fromkeys(f"{value:.3g}" for value in (low, high)))
    slower = int((known < 1).sum())
    how = (
        ""
        if not slower
        else ", slower in every row"
        if slower == len(known)
        else f", slower in {slower} of {len(known)} rows"
    )
    return f"{span} times as fast as {peer}{how}"


def speed(own: pd.DataFrame, reference: str) -> str:
    """How fast GSR-GNN's steps are beside the baseline's and beside the fastest other model's.

    Args:
        own: rows of GSR-GNN with ``ratio`` and ``ratio fastest``.
        reference: name of the baseline.
    """
    parts = [faster(own["ratio"], reference), faster(own["ratio fastest"], "the fastest other model")]
    known = [part for part in parts if part]
    lost = "" if parts[0] else f" {reference} has no time here."
    return f"A step of GSR-GNN is {', and '.join(known)}.{lost}" if known else f"There is no ratio to show.{lost}"


def beside_in_memory(low: float, high: float) -> str:
    """Between which shares of a peer's memory something takes, in words that go before the peer's name."""
    if high < 1:
        span = " to ".join(dict.fromkeys(f"{100 * (1 - value):.1f}" for value in (high, low)))
        return f"{span}% less than that of"
    if low > 1:
        span = " to ".join(dict.fromkeys(f"{value:.2g}" for value in (low, high)))
        return f"{span} times that of"
    return f"between {100 * (1 - low):.1f}% less than and {high:.2g} times that of"


def memory(over: Mapping[str, pd.Series]) -> str:
    """What GSR-GNN takes beside its peers.

    Args:
        over: name of a peer -> GSR-GNN's memory over the peer's, a value a row.
    """
    known = {peer: ratios.dropna() for peer, ratios in over.items() if ratios.notna().any()}
    if not known:
        return "No peer was measured beside GSR-GNN."
    said = [f"{beside_in_memory(ratios.min(), ratios.max())} {peer}" for peer, ratios in known.items()]
    return f"The memory of GSR-GNN's step, over k and depths, is {', and '.join(said)}."


def best_of(values: pd.Series, unit: str, most: bool = False, form: str = ",.3g") -> str:
    """The contender with the least value, or with the most, and its value; "" where there is none."""
    known = values.dropna()
    if known.empty:
        return ""
    name = known.idxmax() if most else known.idxmin()
    return f"{name}, {format(known[name], form)}{unit}"


def step(seconds: pd.Series, megabytes: pd.Series) -> str:
    """Which contender makes a step in the least time, and which in the least memory."""
    fast, lean = best_of(1e3 * seconds, " ms"), best_of(megabytes, " MB")
    said = [f"{word}: {which}" for word, which in (("fastest", fast), ("leanest", lean)) if which]
    return _sentence("; ".join(said) or "nothing was measured")


def scores(rows: pd.DataFrame) -> str:
    """Which model scores highest and lowest, and whether that is told apart from chance.

    Args:
        rows: frame indexed by model with ``pearson``, ``low`` and ``high``.
    """
    known = rows.dropna(subset=["pearson"]).sort_values("pearson")
    if known.empty:
        return "No model was trained."
    best, worst = known.iloc[-1], known.iloc[0]
    if len(known) == 1:
        return f"{best.name} has a Pearson of {best['pearson']:.3f}."
    apart = "" if known[["low", "high"]].isna().any(axis=None) else f"; their intervals {_meet(best, worst)}"
    return (
        f"{best.name} has the highest Pearson, {best['pearson']:.3f}, {worst.name} the lowest, {worst['pearson']:.3f}"
        f"{apart}."
    )


def splits(means: pd.Series) -> str:
    """What Pearson is by each way to keep test cells apart, and which flatters.

    Args:
        means: split in words -> mean over the models; the split by unseen families is the last.
    """
    said = listed(f"{value:.2f} {name}" for name, value in means.items())
    if len(means) < 2:
        return f"Pearson on the mean of the models: {said}."
    higher = [name for name, value in means.iloc[:-1].items() if value > means.iloc[-1]]
    most = f"; splits {listed(higher)} flatter" if higher else "; no split flatters"
    return f"Pearson on the mean of the models: {said}{most}."


def bench_steps(table: pd.DataFrame, peer: str | None) -> str:
    """Which of GSR-GNN's rows is the fastest, and how it stands beside the fastest peer and RevGNN on an edge_index.

    Args:
        table: frame of `gsrgnn.lab.bench.report.table`.
        peer: name of the fastest row that is none of GSR-GNN's, None where there is none.
    """
    own = table.loc[[name for name in table.index if name.startswith("GSR")]].dropna(subset=["step ms"])
    if own.empty:
        return "No row of GSR-GNN was timed."
    name = own["step ms"].idxmin()
    row, said = own.loc[name], []
    for over, words in (("best peer / this", peer), ("RevGNN edge_index / this", "RevGNN edge_index")):
        if words and pd.notna(row[over]):
            said.append(f"{row[over]:,.3g} times as fast as {words}{' (the fastest peer)' * (words == peer)}")
    floor = f"; it takes {row['this / floor']:.1f} times its floor" if pd.notna(row["this / floor"]) else ""
    beside_peers = listed(said) or "no peer was timed"
    return f"The fastest of GSR-GNN's rows, {name}, makes a step in {row['step ms']:,.3g} ms: {beside_peers}{floor}."


def bench_memory(table: pd.DataFrame) -> str:
    """Which row adds least at each depth.

    Args:
        table: frame of `gsrgnn.lab.bench.report.table`.
    """
    said = []
    for column in table.filter(like="growth MB, "):
        known = table[column].dropna()
        if len(known):
            depth = int(column.removeprefix("growth MB, ").partition(" ")[0])
            said.append(f"with {depth} layer{'s' * (depth != 1)} {best_of(known, ' MB', form=',.0f')}")
    return _sentence(f"least: {'; '.join(said)}" if said else "no memory was measured")


def sizes(counts: pd.DataFrame) -> str:
    """How far the counted nodes and edges are from the printed ones.

    Args:
        counts: a line a circuit with ``source``, "synthetic" or "real", ``nodes off`` and ``edges off``, shares.
    """
    words = {"synthetic": "stand-in", "real": "real design"}
    said = []
    for source, name in words.items():
        off = counts[counts["source"] == source]
        if len(off):
            nodes, edges = off["nodes off"].abs().max(), off["edges off"].abs().max()
            many = f"{len(off)} {name}{'s' * (len(off) != 1)}"
            said.append(f"{many}: nodes off by at most {nodes:.2%}, edges by {edges:.2%}")
    return _sentence("; ".join(said) or "none of the ten graphs was counted")


def _meet(one: pd.Series, other: pd.Series) -> str:
    return "meet" if one["low"] <= other["high"] and other["low"] <= one["high"] else "do not meet"


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."
