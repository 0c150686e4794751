"""The paper's example as data; matrices as they are shown; checks against printed numbers."""

import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

from gsrgnn.book.walkthrough import EXAMPLE, Deviation, Printed, check, matrix, show

PRINTED = Printed.parse(
    "P",
    "section 0",
    """
    .37 1.0d ?
    0   2    1.25""",
)


class Cells(HTMLParser):
    """Texts of the cells of a page's tables, by tag, with their attributes."""

    def __init__(self, html):
        super().__init__()
        self.found, self.inside = [], False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag in ("td", "th", "caption"):
            self.found.append((tag, dict(attrs), ""))
            self.inside = True

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "th", "caption")

    def handle_data(self, data):
        if self.inside:
            tag, attrs, text = self.found[-1]
            self.found[-1] = tag, attrs, text + data


def html(*items, **options):
    return show(*items, **options)._repr_html_()


def tds(markup):
    return [(attrs, text) for tag, attrs, text in Cells(markup).found if tag == "td" and (text or attrs)]


def test_printed_numbers_keep_their_digits_and_provenance():
    assert PRINTED.provenance.tolist() == [["R", "D", "?"], ["R", "R", "R"]]
    assert PRINTED.decimals.tolist() == [[2, 1, 0], [0, 0, 2]]
    np.testing.assert_array_equal(PRINTED.values, [[0.37, 1.0, np.nan], [0, 2, 1.25]])


def test_the_example_is_one_graph_of_four_nodes():
    A = EXAMPLE["adjacency"].array
    assert A.dtype == np.int64
    assert (A == A.T).all()
    columns = {name for name, printed in EXAMPLE.items() if printed.values.shape == (4, 1)}
    assert columns == {"values", "indices", "grad_values"}
    assert all(printed.values.shape == (4, 4) for name, printed in EXAMPLE.items() if name not in columns)


def test_check_passes_within_rounding_and_only_there():
    computed = np.array([[0.374, 0.96, 9.0], [0.004, 2.4, 1.25]])
    check(computed, PRINTED)
    for entry, wrong in (((0, 0), 0.376), ((0, 1), 1.06), ((1, 0), 0.006), ((1, 1), 2.6)):
        broken = computed.copy()
        broken[entry] = wrong
        with pytest.raises(
            AssertionError,
            match=rf"P \(section 0\), row {entry[0]}, column {entry[1]}: "
            rf"computed {wrong}, printed",
        ):
            check(broken, PRINTED)


def test_summands_widen_the_tolerance():
    computed = np.nan_to_num(PRINTED.values)
    computed[0, 0] += 0.014
    with pytest.raises(AssertionError):
        check(computed, PRINTED, terms=1)
    check(computed, PRINTED, terms=np.array([[2], [0]]))


def test_nan_is_no_agreement():
    with pytest.raises(AssertionError, match="row 1, column 2"):
        check(np.where([[0, 0, 0], [0, 0, 1]], np.nan, np.nan_to_num(PRINTED.values)), PRINTED)


def test_a_declared_deviation_is_shown_and_must_exist():
    computed = np.nan_to_num(PRINTED.values)
    with pytest.raises(AssertionError, match="computed 1.25, printed 1.25: declared to deviate"):
        check(computed, PRINTED, deviations=[Deviation(1, 2, "why")])
    computed[1, 2] = 7
    page = html(check(computed, PRINTED, deviations=[Deviation(1, 2, "Because <so>.")]))
    assert tds(page)[-1] == ({"class": "gsr-differs", "aria-label": "7.00, printed 1.25"}, "7.00≠ 1.25")
    assert "≠ row 1, column 2: printed 1.25, computed 7.00. Because &lt;so&gt;." in page
    assert "3 of 4 readable entries agree within ±0.005 to ±0.5; 1 derived; 1 unreadable." in page


def test_check_names_both_shapes():
    with pytest.raises(ValueError, match=r"\(3, 2\).*\(2, 3\)"):
        check(np.zeros((3, 2)), PRINTED)


def test_text_is_escaped():
    bad = "<script>alert('&\"')</script>"
    page = html(matrix([[1.0]], bad, columns=[bad]), bad, caption=bad)
    assert "<script" not in page
    label = re.search(r'aria-label="([^"]*)"', page)[1]
    assert unescape(label) == f"{bad} {bad}"


def test_kept_entries_are_marked_beyond_colour():
    by_index = html(matrix([[0.5, 0.0, 1.5], [2.0, 3.0, 0.25]], kept=[[2], [0]]))
    by_mask = html(matrix([[0.5, 0.0, 1.5], [2.0, 3.0, 0.25]], kept=np.array([[0, 0, 1], [1, 0, 0]], bool)))
    assert by_index == by_mask
    kept = [text for attrs, text in tds(by_index) if "gsr-kept" in attrs.get("class", "")]
    assert kept == re.findall("<b>(.*?)</b>", by_index) == ["1.50", "2.00"]
    assert 'aria-label="1.50, kept"' in by_index
    assert repr(show(matrix([[0.5, 1.5]], kept=[[1]]))).splitlines()[1] == "| 0.50  [1.50]|"


def test_marks_add_up_in_the_spoken_text():
    printed = Printed.parse("P", "section 0", "1.5d 2.5")
    (attributes, text), _ = tds(html(matrix(printed, kept=[[0]], against=[[2.0, 2.5]])))
    assert attributes["aria-label"] == "1.50, derived, kept, the other 2.00"
    assert text == "1.50≠ 2.00"


def test_only_what_shows_another_number_differs():
    shown = matrix([[1.001, 2.0], [0.0, np.nan]], against=matrix([[1.004, 2.1], [-0.0, np.nan]], "B"))
    framed = [(attrs, text) for attrs, text in tds(html(shown)) if "gsr-differs" in attrs.get("class", "")]
    assert framed == [({"class": "gsr-differs", "aria-label": "2.00, B 2.10"}, "2.00≠ 2.10")]


def test_a_matrix_brings_the_style_that_it_needs_without_the_book():
    assert "<style>" in html(matrix([[1.0]]))


def test_points_stay_in_line():
    cells = [text for _, text in tds(html(matrix([[-1.234], [0.0], [10.0]])))]
    assert cells == ["\u22121.23", "0\u2008\u2007\u2007", "10.00"]
    assert [text for _, text in tds(html(matrix([[3], [0]])))] == ["3", "0"]


def test_tables_name_their_columns_groups_and_rows():
    found = Cells(html(matrix(np.ones((2, 4)), "X", groups=2))).found
    heads = [(attrs["scope"], text) for tag, attrs, text in found if tag == "th"]
    assert heads == [
        ("colgroup", "group 1"),
        ("colgroup", "group 2"),
        *(("col", c) for c in "0123"),
        ("row", "0"),
        ("row", "1"),
    ]
    assert found[0] == ("caption", {}, "X")


def test_a_row_reads_as_plain_text_too():
    lines = repr(show(matrix([[1, 2], [3, 4]], "A"), "·", matrix([[5], [6]], "x"), caption="c")).splitlines()
    assert lines == ["A           x", "| 1   2 | · | 5 |", "| 3   4 |   | 6 |", "c"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"values": [1.0, 2.0]}, "this array has 1"),
        ({"values": [[1.0, 2.0]], "columns": ["a"]}, "1 column headers for 2 columns"),
        ({"values": [[1.0, 2.0, 3.0]], "groups": 2}, "3 columns do not split into 2"),
        ({"values": [[1.0, 2.0]], "kept": np.ones((2, 2), bool)}, r"\(2, 2\), the matrix \(1, 2\)"),
        ({"values": [[1.0, 2.0]], "against": [[1.0]]}, r"against has shape \(1, 1\), the matrix \(1, 2\)"),
        ({"values": [[1.0]], "verdicts": [["agrees", "agrees"]]}, r"verdicts have shape \(1, 2\)"),
        ({"values": [[1.0]], "verdicts": [["fine"]]}, "verdict 'fine' is unknown; it is one of agrees"),
    ],
)
def test_bad_matrices_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        matrix(**options)
