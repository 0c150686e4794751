from types import SimpleNamespace

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from gsrgnn.book import front, scoreboard
from gsrgnn.book.walkthrough.display import VERDICTS


@pytest.fixture(scope="module")
def board():
    return scoreboard.board()


@pytest.fixture
def tally():
    return pd.DataFrame([[80, 10, 0, 5, 20], [4, 0, 0, 1, 2]], columns=list(VERDICTS))


def test_five_questions_are_answered_from_the_records(board, tally):
    found = front.answers(board, tally)
    assert [one.question for one in found][-1] == "Are its examples right?"
    assert len(found) == 5
    speed = board.loc["speedup_abstract"]
    assert found[0].verdict == speed["verdict"]
    assert found[0].here == speed["ours"]
    assert f"{speed['by route']:.1f}x" in found[0].surprise
    assert "Of 100 numbers that follow from others 84 do and 6 cannot; 22 more" in found[4].here
    assert found[4].verdict == scoreboard.IN_PART


def test_on_what_it_was_measured_is_said(board, tmp_path):
    assert front.measured(board).startswith("Measured on ")
    assert front.measured(board).endswith("; no GPU yet.")
    sources = [SimpleNamespace(machine=name) for name in ("Z80, 2 cores", "NVIDIA H100", "")]
    board = board.copy()
    board.attrs["sources"] = sources
    assert front.measured(board) == "Measured on NVIDIA H100, Z80, 2 cores."
    assert front.measured(scoreboard.board(str(tmp_path))) == "Nothing is measured yet."


def test_without_a_record_nothing_is_said_to_surprise(tmp_path, tally):
    found = front.answers(scoreboard.board(str(tmp_path)), tally)
    assert [one.verdict for one in found[:4]] == [scoreboard.OPEN] * 4
    assert [one.surprise for one in found[:4]] == [""] * 4


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ([9, 0, 1, 0, 3], scoreboard.REPRODUCED),
        ([9, 0, 0, 1, 0], scoreboard.IN_PART),
        ([0, 0, 0, 3, 1], scoreboard.NOT),
    ],
)
def test_the_examples_are_judged_by_their_numbers(counts, verdict):
    tally = pd.DataFrame([counts], columns=list(VERDICTS))
    assert front.answers(scoreboard.board("no such folder"), tally)[4].verdict == verdict


@pytest.mark.parametrize(("left", "word"), [(10.8, "less"), (-30.0, "more")])
def test_more_or_less_memory_than_the_leanest_is_what_the_record_says(left, word, board, tally):
    board = board.copy()
    board.loc["mem_reduction_max", "left"] = left
    assert f"{abs(left)} percent {word} than the leanest" in front.answers(board, tally)[1].surprise


def test_the_table_leads_to_the_pages_and_escapes_what_it_shows():
    answer = front.Answer("Is <it>?", "more & more", "in part", "here", "a surprise", "14_figure_1")
    table = BeautifulSoup(front.table([answer]), "html.parser")
    assert table.find("a")["href"] == "14_figure_1.html"
    assert [cell.get_text() for cell in table.select("tbody td")] == ["here", "a surprise"]
    assert table.select_one("tbody th").get_text() == "Is <it>? ◐ in partmore & more"
