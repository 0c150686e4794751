"""The scoreboard: every value that the paper reports, ours beside it, and a verdict, made from the records."""

import math
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path

import pandas as pd
from IPython.display import HTML

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
SIGNS: dict[str, str] = {REPRODUCED: "✓", IN_KIND: "≈", IN_PART: "◐", NOT: "✗", OPEN: "○"}
"""Before a verdict, so that it is not told by its colour alone."""

PAGE: str = "00_scoreboard"
COLUMNS: tuple[str, ...] = ("verdict", "the paper says", "its value", "ours")
ITSELF: tuple[str, ...] = ("", "a slip in print", "contradicts itself")
AGREES, SLIP, CONTRADICTS = ITSELF
OPENING, CLOSING = "<!-- scoreboard: made by `gsrgnn scoreboard --readme`, not by hand -->", "<!-- scoreboard ends -->"


def board(folder: str = "results", page: str | None = None) -> pd.DataFrame:
    """The scoreboard as a frame, a line a claim by id: where, claim, paper, itself, ours, owed, by route, by
    model, left, verdict, page.

    ``itself`` is one of `ITSELF`: whether the paper agrees with itself there, which the verdict does not depend on.
    ``owed``, ``by route``, ``by model`` and ``left`` are those of `judges.Ours`.

    What is wrong with files among the records, which are left out, is in its ``attrs["left out"]``, in words, and where
    the records come from in its ``attrs["sources"]``.

    Args:
        folder: where the records lie.
        page: the notebook whose claims are wanted, all if not given.

    Raises ValueError where a value of the paper has no `judges.Claim`, or the reverse.
    """
    claims, paper = claims_by_id(), reported()
    if unknown := set(claims) ^ set(paper.index):
        raise ValueError(f"values without a claim or the reverse: {', '.join(sorted(unknown))}")
    known, pages = errata(), _Pages(folder)
    if page is None:
        pages.read(name for name, experiment in EXPERIMENTS.items() if experiment.serves != "none")
    lines = []
    for name, value in paper.iterrows():
        claim = claims[name]
        if page not in (None, claim.page):
            continue
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
                "by model": ours.by_model if ours else math.nan,
                "left": ours.left if ours else math.nan,
                "verdict": verdict,
                "page": claim.page,
            }
        )
    if not lines:
        raise ValueError(f"the scoreboard has no line of {page}")
    frame = pd.DataFrame(lines).set_index("id")
    frame.attrs["left out"] = list(dict.fromkeys(words for page in pages.values() for words in page.wrong))
    frame.attrs["sources"] = [source for page in pages.values() for source in page.sources()]
    return frame


def as_markdown(frame: pd.DataFrame, link: Callable[[str], str]) -> str:
    """The frame of `board` as a Markdown table; ``link`` makes an address of a page's name."""
    lines = ["| verdict | the paper | its value | itself | ours | owed to |", "|:--|:--|--:|:--|:--|:--|"]
    lines += [
        f"| {SIGNS[line['verdict']]} {line['verdict']} | [{line['where']}: {line['claim']}]({link(line['page'])}) | "
        f"{line['paper']} | {line['itself']} | {line['ours']} | {line['owed']} |"
        for _, line in frame.iterrows()
    ]
    return "\n".join(lines)


def as_html(frame: pd.DataFrame, link: Callable[[str, str], str], named: bool = False) -> str:
    """The frame of `board` as a table of a page; each line is a card where the screen is narrow.

    Args:
        frame: whole or some lines of it.
        link: page and id of a line -> the address that its claim leads to.
        named: give each line its id, by which others lead to it; only one table of a page can.
    """
    rows = "".join(_row(name, line, link, named) for name, line in frame.iterrows())
    heads = "".join(f'<th scope="col">{words}</th>' for words in COLUMNS)
    return f'<table class="gsr-scoreboard"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def opening(page: str, folder: str = "results") -> HTML:
    """The lines of the scoreboard that a page is about, as it opens with them; each leads to its place there.

    Raises ValueError for a page that no claim is shown on.
    """
    return HTML(as_html(board(folder, page), lambda _, name: f"{PAGE}.html#{name}"))


def badge(verdict: str) -> str:
    """A verdict as HTML: its sign, its words, and a class for its colour."""
    kind = verdict.replace(" ", "-")
    return f'<span class="gsr-verdict gsr-{kind}"><span aria-hidden="true">{SIGNS[verdict]}</span> {verdict}</span>'


def in_readme(text: str, frame: pd.DataFrame) -> str:
    """The README's text with this scoreboard between its two marks. Raises ValueError where they are missing."""
    before, opening, rest = text.partition(OPENING)
    _, closing, after = rest.partition(CLOSING)
    if not opening or not closing:
        raise ValueError(f"the README lacks the lines {OPENING!r} and {CLOSING!r}: put them where the table goes")
    table = as_markdown(frame, "notebooks/{}.py".format)
    folded = f"<details><summary>Value by value</summary>\n\n{table}\n\n</details>"
    return f"{before}{OPENING}\n{summary(frame)}\n\n{folded}\n{CLOSING}{after}"


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


def _row(name: str, line: pd.Series, link: Callable[[str, str], str], named: bool) -> str:
    value, _, conditions = line["ours"].partition("; ")
    owed = f"owed to: {line['owed']}" if line["owed"] else ""
    claim = escape(f"{line['where']}: {line['claim']}")
    cells = (
        badge(line["verdict"]),
        f'<a href="{link(line["page"], name)}">{claim}</a>',
        _with_more(line["paper"], line["itself"]),
        _with_more(value, conditions, owed),
    )
    shown = "".join(f'<td data-head="{head}">{cell}</td>' for head, cell in zip(COLUMNS, cells, strict=True))
    place = f' id="{name}"' if named else ""
    return f"<tr{place}>{shown}</tr>"


def _with_more(words: str, *more: str) -> str:
    return escape(words) + "".join(f"<small>{escape(each)}</small>" for each in more if each)


class _Pages(dict):
    """The pages of records by their experiment, read when asked for."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder

    def __missing__(self, experiment: str) -> findings.Page:
        page = self[experiment] = findings.Page(experiment, self.folder)
        return page

    def read(self, experiments: Iterable[str]) -> None:
        for name in experiments:
            self[name]
