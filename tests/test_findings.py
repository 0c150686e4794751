import copy
import math

import pytest
from test_records import RECORD

from gsrgnn import figures, findings, records


def test_claims_are_read_by_id_in_the_order_asked_for():
    found = findings.claims("fig1_rev2", "fig1_rev80")
    assert list(found["value"]) == [0.4096, 0.4277]
    with pytest.raises(KeyError, match="fig99"):
        findings.claims("fig99")


def test_records_come_with_what_is_stale_and_what_is_wrong(tmp_path):
    assert findings.found("depth", tmp_path)[0].empty
    records.write(copy.deepcopy(RECORD), tmp_path / "depth" / "a.json")
    other = {"notebook": "0" * 12, "package": "0" * 12}
    records.write(copy.deepcopy(RECORD) | {"key": other}, tmp_path / "depth" / "b.json")
    (tmp_path / "depth" / "c.json").write_text("{")
    frame, wrong = findings.found("depth", tmp_path, RECORD["key"])
    assert list(frame["stale"]) == [False, True]
    assert list(findings.found("depth", tmp_path)[0]["stale"]) == [False, False]
    assert len(wrong) == 1
    assert "c.json is not JSON" in wrong[0]


def test_the_interval_of_a_correlation():
    low, high = findings.pearson_interval(0.5, 103)
    assert (low, high) == pytest.approx((math.tanh(math.atanh(0.5) - 0.196), math.tanh(math.atanh(0.5) + 0.196)))


def test_the_figure_has_a_point_a_row_a_line_a_model_and_the_paper_s_values():
    rows = [RECORD["rows"][0] | {"model": model, "num_layers": depth, "low": 0.4, "high": 0.6}
            for model, depth in (("GSRGNN", 2), ("GSRGNN", 40), ("GSRGNN", 40), ("GCN", 2))]
    frame = records.frame([RECORD | {"rows": rows}])
    figure = figures.scores_by_depth(frame, {0.43: "paper"}, "simulated")
    (axes,) = figure.axes
    points = [len(container.lines[0].get_xdata()) for container in axes.containers]
    assert points == [3, 1]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["GSRGNN", "GCN"]
    assert [text.get_text() for text in axes.texts] == ["paper"]
    assert figure.get_supxlabel() == "label: simulated"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "40"]
