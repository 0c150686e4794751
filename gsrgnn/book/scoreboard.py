"""The scoreboard: every value that the paper reports, ours beside it, and a verdict, made from the records."""

import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from gsrgnn.book import findings
from gsrgnn.book.judges import claims_by_id
from gsrgnn.book.paper import errata, reported
from gsrgnn.book.walkthrough.audit import CANNOT
from gsrgnn.book.walkthrough.errata import recheck
from gsrgnn.lab import files
from gsrgnn.lab.experiments import EXPERIMENTS

VERDICTS: tuple[str, ...] = (
    "reproduced",
    "reproduced in kind",
    "in part",
    "not reproduced",
    "not tested yet",
)
REPRODUCED, IN_KIND, IN_PART, NOT, OPEN = VERDICTS
ITSELF: tuple[str, ...] = ("", "a slip in print", "contradicts itself")
AGREES, SLIP, CONTRADICTS = ITSELF
OPENING, CLOSING = "<!-- scoreboard: made by `gsrgnn scoreboard --readme`, not by hand -->", "<!-- scoreboard ends -->"


def board(folder: str = "results") -> pd.DataFrame:
    """The scoreboard as a frame, a line a claim by id: where, claim, paper, itself, ours, owed, by route, left,
    verdict, page.

    ``itself`` is one of `ITSELF`: whether the paper agrees with itself there, which the verdict does not depend on.
    ``owed``, ``by route`` and ``left`` are those of `judges.Ours`.

    What is wrong with files among the records, which are left out, is in its ``attrs["left out"]``, in words.

    Args:
        folder: where the records lie.

    Raises ValueError where a value of the paper has no `judges.Claim`, or the reverse.
    """
    claims, paper = claims_by_id(), reported()
    if unknown := set(claims) ^ set(paper.index):
        raise ValueError(f"values without a claim or the reverse: {', '.join(sorted(unknown))}")
    of_the_paper = [name for name, experiment in EXPERIMENTS.items() if experiment.serves != "none"]
    known, pages = errata(), {name: findings.Page(name, folder) for name in of_the_paper}
    lines = []
    for name, value in paper.iterrows():
        claim = claims[name]
        ours = claim.judge(pages, paper["value"])
        itself = AGREES
        if claim.erratum and recheck(known[claim.erratum])["verdict"] == CANNOT:
            itself = SLIP if known[claim.erratum].get("slip") else CONTRADICTS
        if ours is None:
            verdict = OPEN
        elif ours.holds:
            verdict = REPRODUCED if ours.same else IN_KIND
        else:
            verdict = IN_PART if ours.partly else NOT
        conditions = f" ({value['conditions']})" if value["conditions"] else ""
        lines.append(
            {
                "id": name,
                "where": value["where"],
                "claim": f"{value['quantity']}{conditions}",
                "paper": f"{value['value']:,g} {value['unit']}".strip(),
                "itself": itself,
                "ours": ours.words if ours else "needs a GPU" if claim.gpu else "–",
                "owed": ours.owed if ours else "",
                "by route": ours.by_route if ours else math.nan,
                "left": ours.left if ours else math.nan,
                "verdict": verdict,
                "page": claim.page,
            }
        )
    frame = pd.DataFrame(lines).set_index("id")
    frame.attrs["left out"] = list(dict.fromkeys(words for page in pages.values() for words in page.wrong))
    return frame


def as_markdown(frame: pd.DataFrame, link: Callable[[str], str]) -> str:
    """The frame of `board` as a Markdown table; ``link`` makes an address of a page's name."""
    lines = ["| The paper | its value | itself | ours | owed to | verdict |", "|:--|--:|:--|:--|:--|:--|"]
    lines += [
        f"| {line['where']}: {line['claim']} | {line['paper']} | {line['itself']} | {line['ours']} | {line['owed']} | "
        f"[{line['verdict']}]({link(line['page'])}) |"
        for _, line in frame.iterrows()
    ]
    return "\n".join(lines)


def in_readme(text: str, frame: pd.DataFrame) -> str:
    """The README's text with this scoreboard between its two marks. Raises ValueError where they are missing."""
    before, opening, rest = text.partition(OPENING)
    _, closing, after = rest.partition(CLOSING)
    if not opening or not closing:
        raise ValueError(f"the README lacks the lines {OPENING!r} and {CLOSING!r}: put them where the table goes")
    table = as_markdown(frame, "notebooks/{}.py".format)
    return f"{before}{OPENING}\n{summary(frame)}\n\n{table}\n{CLOSING}{after}"


def write_readme(path: Path, frame: pd.DataFrame) -> None:
    """Put the scoreboard into the README at ``path``, whole or not at all. Raises as `in_readme`, and OSError."""
    files.write(in_readme(path.read_text(encoding="utf-8"), frame), path)


def summary(frame: pd.DataFrame) -> str:
    """How many claims have which verdict, in words."""
    counts = frame["verdict"].value_counts()
    parts = [f"{name}: {counts[name]}" for name in VERDICTS if name in counts]
    itself = [f"{words} on {(frame['itself'] == kind).sum()}" for kind, words in _SAID.items()]
    return f"Of the {len(frame)} values that the paper reports, {'; '.join(parts)}. The paper {' and '.join(itself)}."


_SAID = {CONTRADICTS: "contradicts itself", SLIP: "has a slip in print"}
