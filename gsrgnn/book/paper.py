"""What the paper prints of results, and what of it does not fit together: the files of this package, a reader each."""

from pathlib import Path

import pandas as pd
import yaml

DATA: Path = Path(__file__).with_name("data")
ERRATA: Path = DATA / "errata.yml"


def reported() -> pd.DataFrame:
    """Every value that the paper reports in its text, tables and captions, by id.

    Columns: ``where``, ``quantity``, ``value`` (float), ``unit`` and ``conditions``.
    """
    return pd.read_csv(DATA / "reported.csv", comment="#", keep_default_na=False).set_index("id")


def table2() -> pd.DataFrame:
    """Table 2's rows of GSR-GNN by K, each number a text with the digits that are printed.

    Columns: ``forward``, ``backward``, ``copy`` and ``total`` in seconds, ``forward_percent``, ``backward_percent``,
    ``copy_percent``, ``speedup``.
    """
    printed = pd.read_csv(DATA / "table2.csv", comment="#", dtype=str)
    return printed.astype({"K": int}).set_index("K")


def errata(path: Path | str = ERRATA) -> dict[str, dict]:
    """A record of each finding by its ``id``; what is in one says the head of the file.

    Args:
        path: a file in the form of the package's own.
    """
    return {record["id"]: record for record in yaml.safe_load(Path(path).read_text(encoding="utf-8"))}
