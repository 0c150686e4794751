"""Time and memory of training steps, contender by contender, as the pages on the experiments show them."""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from gsrgnn.book import figures
from gsrgnn.kernels import index_dtype
from gsrgnn.lab.estimate import size as size
from gsrgnn.lab.records import MEASURED, OUT_OF_MEMORY

ADDED: str = "added"
ON_GPU: tuple[str, ...] = ("allocated", "active", "reserved", "reserved, expandable")
LEFT_OUT: str = "left out"


def outcomes(values: pd.Series, notes: pd.Series) -> np.ndarray:
    """In a word, what became of each: "measured" where there is a value, else what the bench's note on it says."""
    notes = notes.fillna("").astype(str)
    what = [values.notna(), notes.str.startswith(OUT_OF_MEMORY), notes.str.contains("over the limit")]
    return np.select(what, [MEASURED, OUT_OF_MEMORY, LEFT_OUT], "not measured")


def memory(rows: pd.DataFrame) -> pd.DataFrame:
    """Memory of a step, a line a contender, depth, run and quantity.

    Columns: ``contender``, ``ours``, ``num_layers``, ``note``, ``outcome``, ``quantity`` and ``value``, in MB of 10^6
    bytes. The quantity is "added" on a CPU: the peak of the process less what it held before the model was made. On a
    GPU there is a line for the peak of each of `ON_GPU`, circuit and graph included.

    Args:
        rows: of one `findings.View` of records that hold `bench.observations`; all of one device.
    """
    rows = rows.reindex(columns=[*rows, *{"memory_note", *(f"memory_{name}" for name in ON_GPU)} - {*rows}])
    rows = rows.reset_index(drop=True)
    if "cuda" in {*rows["device"]}:
        measured = {name: rows[f"memory_{name}"] for name in ON_GPU}
    else:
        measured = {ADDED: rows["memory_peak"] - rows["memory_before"]}
    about = rows[["contender", "num_layers"]].assign(
        ours=rows["ours"].astype(bool), note=rows["memory_note"].astype(object).fillna(rows["note"])
    )
    return pd.concat(
        [
            about.assign(quantity=name, value=values / 1e6, outcome=outcomes(values, about["note"]))
            for name, values in measured.items()
        ]
    ).sort_index(kind="stable", ignore_index=True)


def over(memory: pd.DataFrame, part: str, whole: str) -> pd.DataFrame:
    """One quantity of `memory` over another, a line a contender, depth and run; none where it has neither."""
    part, whole = (memory[memory["quantity"] == name].reset_index(drop=True) for name in (part, whole))
    return part.assign(value=part["value"] / whole["value"])


def times(rows: pd.DataFrame) -> pd.DataFrame:
    """Seconds of a step and its parts, a line a contender, depth, run and phase.

    Columns: ``contender``, ``ours``, ``num_layers``, ``note``, ``outcome``, ``phase`` ("forward", "backward", "step")
    and ``value``, ``low`` and ``high``: the median, the lowest and the highest of the rounds.
    """
    wanted = [f"{phase}_{part}" for phase in ("forward", "backward", "step") for part in ("seconds", "low", "high")]
    rows = rows.reindex(columns=[*rows, *(name for name in wanted if name not in rows)])
    rows = rows.reset_index(drop=True)
    about = rows[["contender", "ours", "num_layers", "note"]]
    return pd.concat(
        [
            about.assign(
                phase=phase,
                value=rows[f"{phase}_seconds"],
                low=rows[f"{phase}_low"],
                high=rows[f"{phase}_high"],
                outcome=outcomes(rows["step_seconds"], rows["note"]),
            )
            for phase in ("forward", "backward", "step")
        ]
    ).sort_index(kind="stable", ignore_index=True)


def table(lines: pd.DataFrame, index: list[str], cell: Callable[[pd.Series], str], caption: str) -> Styler:
    """`memory` or `times` as a page shows them: a column a depth; what was run again has all its values in one cell.

    Args:
        lines: as those give it.
        index: columns that name a row of the table.
        cell: one measured line in text; the others say their outcome.
    """
    texts = [cell(line) if line["outcome"] == MEASURED else line["outcome"] for _, line in lines.iterrows()]
    groups = lines.assign(text=texts).groupby([*index, "num_layers"], sort=False)["text"]
    shown = groups.agg(lambda group: "; ".join(dict.fromkeys(group))).unstack("num_layers").sort_index(axis="columns")
    shown = shown.reindex(
        pd.MultiIndex.from_frame(lines[index].drop_duplicates()) if index[1:] else lines[index[0]].drop_duplicates()
    ).fillna("–")
    shown.index = [", ".join(key) if index[1:] else key for key in shown.index]
    shown.columns = [f"{depth} layer{'s' * (depth != 1)}" for depth in shown]
    return figures.table(shown, caption=caption)


def span(values: pd.Series, form: str) -> str:
    """The lowest and the highest of the values, once where both read the same."""
    return " to ".join(dict.fromkeys(format(value, form) for value in (values.min(), values.max())))


def megabytes(value: float) -> str:
    """As a table shows it: with a decimal below 100."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def message_megabytes(num_edges: int, hidden_channels: int) -> float:
    """MB of RevGNN's messages on an edge_index: float32, one an edge, as wide as one of the stream's two groups."""
    return 4 * num_edges * (hidden_channels // 2) / 1e6


def layer_megabytes(contender: str, cells: int, hidden_channels: int) -> float:
    """MB that one more layer adds to a step's memory, as derived, the contender being RevGNN or GSR-GNN.

    16 bytes a parameter: itself, its gradient and Adam's two moments. A layer has two blocks with a LayerNorm and a
    Linear, of one matrix in GSR-GNN and of two in RevGNN. For the sparse residual the k entries kept of each cell.
    """
    width = hidden_channels // 2
    k = re.match(r"GSR k=(\d+)", contender)
    kept = cells * int(k[1]) * (4 + index_dtype(width).itemsize) if k else 0
    parameters = 2 * ((1 if contender.startswith("GSR") else 2) * width**2 + 3 * width)
    return (16 * parameters + kept) / 1e6
