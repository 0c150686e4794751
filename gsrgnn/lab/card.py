"""A model's card: what it takes and gives, on what it was trained, how good it is, what it is not for."""

import pandas as pd

from gsrgnn.model_file import About

_PARTS = {"trained_on": "Trained on", "validated_on": "Epoch chosen on", "tested_on": "Tested on (chose nothing)"}
_ROUTED = """The label is (wires - capacity) / capacity of a gcell, a tile of the grid of global routing, and 0 where
the wires fit; a cell has the mean over the gcells that it covers. The wires are a simulated router's. The capacity is
not the chip's: it was chosen so that about a third of a circuit's cells has a label above 0, and layouts of one design
share it. So a prediction ranks the places of one circuit; it does not say whether the circuit can be routed, nor which
of two circuits is worse."""
_SCORES = """Pearson, Spearman, Kendall and R2 compare the cells of a circuit, NRMS, SSIM and EMD its gcells. NRMS and
EMD are 0 at best, the others 1."""
_NOT_FOR = """It knows the cell library, the placer and the label of the circuits that it was trained on, and nothing of
others: before it is used on circuits of another library, placer, router or technology, hold its predictions against
labels of some of them. Its scores on the circuits that chose the epoch are better than those on new ones. Where R2 is
below 0 the sizes of its predictions are further off than the circuit's mean would be, and only their ranks say
anything. It shows where a placement is likely to be congested; it says nothing of timing, and it replaces no router and
no sign-off."""


def card(about: About, name: str) -> str:
    """Markdown on the model of file ``name`` that says ``about`` of itself (`gsrgnn.model_file.about`)."""
    lines = [
        f"# {name}",
        "",
        f"Takes: features `{about['features']}` ({len(about['feature_names'])} columns), a graph of norm "
        f"`{about['norm']}`. Gives, for each cell, the label that it was trained on: {about['label_source']} "
        f"(`{about['label']}`), in units `{about['units']}`, combined by `{about['combine']}`.",
        "",
        *([_ROUTED, ""] if about["label"] == "routed" else ()),
        *(f"- {words}: {', '.join(about[part]) or 'none'}" for part, words in _PARTS.items() if part in about),
    ]
    if "best_epoch" in about:
        lines.append(f"- Epoch {about['best_epoch']} of {about['epochs']}, seed {about['seed']}, {about['date']}")
    if "versions" in about:
        lines.append(f"- Made with {', '.join(f'{what} {version}' for what, version in about['versions'].items())}")
    if about.get("scores"):
        lines += ["", "## How good", "", _SCORES, "", *_table(pd.DataFrame(about["scores"]))]
    lines += ["", "## What it is not for", "", _NOT_FOR]
    if "command" in about:
        lines += ["", "## Made by", "", "```sh", about["command"], "```"]
    return "\n".join(lines) + "\n"


def _table(scores):
    """A Markdown table of measures, three digits each."""
    rows = [list(scores.columns), ["--"] + ["--:"] * (len(scores.columns) - 1)]
    rows += [[_written(value) for value in row] for row in scores.itertuples(index=False)]
    return [f"| {' | '.join(row)} |" for row in rows]


def _written(value):
    if isinstance(value, str):
        return value
    return (
        "–" if pd.isna(value) else f"{value:,.0f}" if float(value).is_integer() and abs(value) > 1 else f"{value:.3f}"
    )
