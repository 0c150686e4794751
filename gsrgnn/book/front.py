"""The front page: five questions to the paper, each with its verdict, what was found here and what surprises."""

import math
from html import escape
from typing import NamedTuple

import pandas as pd

from gsrgnn.book.scoreboard import IN_PART, NOT, OPEN, REPRODUCED, badge
from gsrgnn.book.walkthrough.display import VERDICTS

MEASURES: tuple[str, ...] = ("fig8_pearson", "fig8_spearman", "fig8_kendall", "fig8_r2")


class Answer(NamedTuple):
    """A question to the paper and its answer; ``page`` is the notebook that shows it."""

    question: str
    paper: str
    verdict: str
    here: str
    surprise: str
    page: str


def answers(board: pd.DataFrame, tally: pd.DataFrame) -> list[Answer]:
    """The five, of a board as `scoreboard.board` and of the examples' verdicts as `audit.tally` gives them."""
    return [
        _of(
            *(board, "speedup_abstract", "Is it faster?", "over {} the speed of RevGNN"),
            _route_in_time(board.loc["speedup_abstract"]),
        ),
        _of(
            *(board, "mem_reduction_max", "Does it take less memory?", "up to {} less than RevGNN"),
            _route_in_memory(board.loc["mem_reduction_max"]),
        ),
        _of(
            *(board, "fig8_pearson", "Is it as good?", "no worse than RevGNN: Pearson {} above its, in the mean"),
            _all_measures(board.loc[list(MEASURES)]),
        ),
        _of(
            *(board, "fig1_rev80", "Does depth help?", "Pearson of {} with 80 layers of RevGNN, less with 2"),
            _plain(board.loc["fig1_shallow_best"]),
        ),
        _examples(tally),
    ]


def table(given: list[Answer]) -> str:
    """The answers as a table of HTML, for a narrow screen too."""
    heads = ("The paper says", "Found here", "What surprises")
    rows = [
        f"<th scope='row'>{escape(one.question)} <a href='{one.page}.html'>{badge(one.verdict)}</a>"
        f"<span>{escape(one.paper)}</span></th>"
        + "".join(
            f"<td data-label='{head}'>{escape(words)}</td>"
            for head, words in zip(heads[1:], (one.here, one.surprise), strict=True)
        )
        for one in given
    ]
    head = "".join(f"<th scope='col'>{words}</th>" for words in heads)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table class='front-answers'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def measured(board: pd.DataFrame) -> str:
    """On what the records behind a board were measured, in a sentence, and that no GPU was among it where none was."""
    names = sorted({source.machine for source in board.attrs["sources"] if source.machine})
    if not names:
        return "Nothing is measured yet."
    return f"Measured on {', '.join(names)}{'; no GPU yet' * all(name.endswith('cores') for name in names)}."


def _of(board: pd.DataFrame, name: str, question: str, paper: str, surprise: str) -> Answer:
    line = board.loc[name]
    return Answer(
        question,
        f"{paper.format(line['paper'])} ({line['where']})",
        line["verdict"],
        line["ours"],
        surprise,
        line["page"],
    )


def _route_in_time(line: pd.Series) -> str:
    if math.isnan(line["by route"]):
        return ""
    if line["by route"] < 1:
        return f"By the same route RevGNN is {line['by route']:.1f}x as fast: the model brings {line['by model']:.1f}x."
    return (
        f"{line['by route']:.1f}x of it is the route, which RevGNN can take too: no message for each edge. The model "
        f"brings {line['by model']:.1f}x. By its best route GSR-GNN is {line['left']:.1f}x as fast as any other."
    )


def _route_in_memory(line: pd.Series) -> str:
    if math.isnan(line["by route"]):
        return ""
    if line["by route"] <= 0:
        return f"By the same route RevGNN takes {-line['by route']:.1f} percent more: all of it is the model's."
    less = "less" if line["left"] > 0 else "more"
    return (
        f"{line['by route']:.1f} percent needs no GSR-GNN: a RevGNN that writes no message for each edge has it. "
        f"GSR-GNN takes {abs(line['left']):.1f} percent {less} than the leanest other network."
    )


def _all_measures(lines: pd.DataFrame) -> str:
    found = ", ".join(line["ours"].partition(" over")[0] for _, line in lines.iterrows() if line["verdict"] != OPEN)
    if not found:
        return ""
    theirs = ", ".join(line["paper"] for _, line in lines.iterrows())
    return f"GSR-GNN minus RevGNN in Pearson, Spearman, Kendall and R² is {found}; in the paper {theirs}."


def _plain(line: pd.Series) -> str:
    return "" if line["verdict"] == OPEN else f"Beside the best network that is not reversible: {line['ours']}."


def _examples(tally: pd.DataFrame) -> Answer:
    agrees, other, rounding, cannot, unreadable = (int(tally[name].sum()) for name in VERDICTS)
    known = agrees + other + rounding + cannot
    verdict = REPRODUCED if cannot + other == 0 else IN_PART if agrees > 0 else NOT
    return Answer(
        "Are its examples right?",
        "sections 4.1, 4.3 and 4.4: a layer of four nodes, forward and back",
        verdict,
        f"Of {known} numbers that follow from others {agrees} do and {cannot} cannot; {unreadable} more cannot be read "
        "in our copy",
        f"{other} follow only if a sum goes to the row's own column, the others if it goes to the neighbour's: the "
        "paper does both.",
        "06_audit",
    )
