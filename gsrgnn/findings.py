"""What a page on an experiment is made of: the paper's claims, our records by origin, and what is wrong with them."""

from pathlib import Path

import numpy as np
import pandas as pd

from gsrgnn import records

REPORTED = "book/data/reported.csv"
ORIGIN = ["circuit", "label source", "machine", "hidden_channels", "epochs"]  # what one figure does not mix


def claims(*ids: str, path: str = REPORTED) -> pd.DataFrame:
    """What the paper reports under these ids, in this order. Raises KeyError for an id that is not in the file."""
    return pd.read_csv(path, comment="#", keep_default_na=False).set_index("id").loc[list(ids)]


def found(experiment: str, folder: str = "results", keys: dict | None = None) -> tuple[pd.DataFrame, list[str]]:
    """An experiment's records as one frame, with a column ``stale``, and in words what is wrong with the other files.

    Args:
        keys: what `sweep.key` gives for the experiment's notebook now; without it nothing is called stale.
    """
    read, wrong = records.read_all(Path(folder), experiment)
    lines = [records.frame([record]).assign(stale=keys is not None and record["key"] != keys) for record in read]
    return pd.concat(lines, ignore_index=True) if lines else pd.DataFrame(), wrong


def pearson_interval(r, count, z=1.96):
    """The 95% interval of a Pearson correlation ``r`` of ``count`` independent pairs, by Fisher's transformation."""
    middle, half = np.arctanh(r), z / np.sqrt(np.asarray(count) - 3)
    return np.tanh(middle - half), np.tanh(middle + half)
