"""The audit of the printed numbers, and the errata file that it is checked against."""

import numpy as np
import pytest

from gsrgnn.book import paper
from gsrgnn.book.walkthrough import BACKWARD, EXAMPLE, FORWARD, VERDICTS, Printed
from gsrgnn.book.walkthrough.audit import Line, beside, recomputed, tally, verdicts
from gsrgnn.book.walkthrough.errata import Finding, bounds, recheck

ERRATA = paper.errata()
INPUTS = {"4.1/adjacency", "4.1/relu", "4.1/grad", "4.3/X", "4.4/G"}


@pytest.mark.parametrize("record", ERRATA.values(), ids=ERRATA)
def test_every_record_is_what_arithmetic_gives(record):
    again = recheck(record)
    assert {field: record.get(field) for field in again} == again
    assert record["verdict"] in VERDICTS
    assert record["explanation"].strip()
    assert record["where"]


def test_every_printed_matrix_is_an_input_or_audited():
    printed = {
        f"{section}/{name}"
        for section, examples in (("4.1", EXAMPLE), ("4.3", FORWARD), ("4.4", BACKWARD))
        for name in examples
    }
    assert printed == INPUTS | set(recomputed())


def test_the_records_cover_what_does_not_agree_and_nothing_else():
    covered = [(record["matrix"], *at) for record in ERRATA.values() if "matrix" in record for at in record["entries"]]
    differing = {
        (key, *at)
        for key, line in recomputed().items()
        for at in np.argwhere(~np.isin(verdicts(line), ["agrees", "unreadable in our copy"])).tolist()
    }
    assert len(covered) == len(set(covered))
    assert set(covered) == differing


def test_the_seven_points_have_records():
    assert {record.get("point") for record in ERRATA.values()} == {None, *range(1, 8)}


def test_verdicts_of_one_entry_each():
    printed = Printed.parse("P", "section 0", ".37 .37 .37 .37 .37 .37d ? 0")
    nan = np.nan
    line = Line(
        printed,
        np.array([[0.374, 0.80, 0.381, 0.50, nan, 0.37, 0.37, 0.004]]),
        np.array([[0.900, 0.37, 0.900, 0.50, 0.90, 0.37, 0.37, 1.00]]),
        2,
        "",
    )
    agrees, other, rounding, cannot, unreadable = VERDICTS
    assert verdicts(line).tolist() == [[agrees, other, rounding, cannot, unreadable, unreadable, unreadable, agrees]]
    assert tally({"P": line}).loc["P"].tolist() == [2, 1, 1, 1, 3]


def test_verdicts_are_shown_in_signs_and_words():
    line = recomputed()["4.1/grad_rows"]
    page = beside(line)._repr_html_()
    for verdict in set(verdicts(line).ravel()):
        assert f"<small> {VERDICTS[verdict]}</small>" in page
        assert f', {verdict}"' in page
    assert "neighbour&#x27;s column" in page
    assert "own column" in page
    assert "computed" in beside(recomputed()["4.1/values"])._repr_html_()


def test_bounds_take_rounding_into_account():
    assert bounds("5.84 + 2.13") == pytest.approx((7.96, 7.97, 7.98))
    assert bounds("5.10 * 3600 / 250") == pytest.approx((73.368, 73.44, 73.512))
    low, value, high = bounds("1.0 / 0.5 - 1")
    assert (low, value, high) == pytest.approx((0.95 / 0.55 - 1, 1, 1.05 / 0.45 - 1))
    with pytest.raises(ValueError, match="only"):
        bounds("2.0 ** 3")


def test_a_changed_record_is_caught():
    record = ERRATA["4.3-M2"]
    assert recheck({**record, "entries": [[1, 1]]})["verdict"] == "agrees"
    with pytest.raises(ValueError, match="mixes verdicts"):
        recheck({**record, "entries": [[1, 1], [2, 0]]})
    assert recheck({"printed": 18.4, "formula": "28.06 / 1.60"})["verdict"] == "cannot agree"


def test_a_finding_says_its_verdict_in_words_and_escapes():
    record = {**ERRATA["4.3-M2"], "where": "<b>"}
    page = Finding(record)._repr_html_()
    assert "≠ cannot agree" in page
    assert "&lt;b&gt;" in page
    for part in ("printed", "2.65", "own column", "2.70"):
        assert part in page
    assert "2.70" in repr(Finding(record))
