"""Tables of words, whose cells wrap where the page is narrow; `figures.table` is for numbers and scrolls."""

import pandas as pd


def markdown(frame: pd.DataFrame) -> str:
    """``frame`` without its index as a table in Markdown, numbers to the right."""
    numbers = [pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]
    rows = [list(frame.columns), ["--:" if right else ":--" for right in numbers], *frame.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in row)} |" for row in rows)
