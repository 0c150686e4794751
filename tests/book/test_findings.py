import copy
import math

import pandas as pd
import pytest
from sample_record import RECORD

from gsrgnn.book import figures, findings
from gsrgnn.circuits import table1
from gsrgnn.lab import records


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
    frame, wrong = findings.found("depth", tmp_path, lambda on_gpu: RECORD["key"])
    assert list(frame["stale"]) == [False, True]
    assert list(findings.found("depth", tmp_path)[0]["stale"]) == [False, False]
    assert len(wrong) == 1
    assert "c.json is not JSON" in wrong[0]


def test_a_page_without_records_says_so_and_shows_nothing(tmp_path):
    page = findings.Page("depth", tmp_path)
    assert page.rows.empty
    assert "gsrgnn sweep cpu --only depth" in page.remarks().data
    assert page.show(lambda view: [figures.table(view.rows)]) is None


def test_a_page_names_what_is_stale_lost_and_left_out(tmp_path):
    records.write(copy.deepcopy(RECORD), tmp_path / "depth" / "a.json")
    lost = copy.deepcopy(RECORD) | {"state": records.OUT_OF_MEMORY, "rows": [], "note": "no memory"}
    records.write(lost, tmp_path / "depth" / "b.json")
    (tmp_path / "depth" / "c.json").write_text("{")
    page = findings.Page("depth", tmp_path)
    assert len(page.rows) == len(RECORD["rows"])
    assert len(page.out_of_memory) == 1
    text = page.remarks().data
    assert "c.json is not JSON" in text
    (source,) = page.sources()
    assert (len(source.dates), source.stale) == (2, 2)
    assert "1 points ran out of memory" in text


def test_a_run_without_a_score_is_counted_and_not_shown(tmp_path):
    for name, pearson in (("a", 0.5), ("b", None)):
        record = copy.deepcopy(RECORD)
        record["rows"][0]["pearson"] = pearson
        record["parameters"] |= {"seed": len(name) + (pearson is None)}
        records.write(record, tmp_path / "depth" / f"{name}.json")
    page = findings.Page("depth", tmp_path)
    assert list(page.rows["pearson"]) == [0.5]
    assert page.rows["pearson"].dtype == float
    assert "1 runs have no score" in page.remarks().data


def test_outside_a_checkout_no_record_is_called_stale_and_a_page_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records.write(copy.deepcopy(RECORD), tmp_path / "results" / "depth" / "a.json")
    page = findings.Page("depth")
    assert not page.rows["stale"].any()
    assert (
        page.remarks().data
        == "- Whether the code has changed since these records were made is told in a checkout only."
    )


def written(folder, experiment, *made_and_parameters):
    """Records of an experiment, one for each pair of what its provenance and its parameters have."""
    for number, (made, parameters) in enumerate(made_and_parameters):
        record = copy.deepcopy(RECORD) | {"experiment": experiment}
        record["provenance"] |= made
        record["parameters"] |= {"circuit": "c", "hidden_channels": 5} | parameters
        record["rows"][0] |= {"contender": "RevGNN csr", "state": "measured", "note": ""}
        records.write(record, folder / experiment / f"{number}.json")
    return findings.Page(experiment, folder)


SEVERAL = (
    ({"CPU": "A"}, {}),
    ({"CPU": "B"}, {}),
    ({"CPU": "B", "label source": "other"}, {}),
    ({"CPU": "A"}, {"hidden_channels": 7}),
)


def test_no_view_of_times_mixes_machines_label_sources_or_settings_and_machines_are_a_choice(tmp_path):
    page = written(tmp_path, "profile", *SEVERAL)
    views = list(page.views("hidden_channels"))
    assert len(views) == 4
    assert all(
        view.rows[["machine", "label source", "hidden_channels"]].drop_duplicates().shape[0] == 1 for view in views
    )
    caption = next(view for view in views if view.setting["hidden_channels"] == 7).settings
    assert "c, width 7; " in caption
    assert f"label {RECORD['provenance']['label source']}" in caption
    assert "; A, " in caption
    assert caption.endswith("; stale.")
    html = page.show(lambda view: [figures.table(view.rows, caption=view.machine)], "hidden_channels")._repr_html_()
    assert html.count('type="radio"') == 2
    assert html.count("<table") == 4
    assert html.count("checked") == 1


def test_scores_stand_together_whichever_machine_trained_them_and_the_figure_names_each(tmp_path):
    page = written(tmp_path, "depth", *SEVERAL)
    views = list(page.views("hidden_channels"))
    assert sorted(len(view.rows) for view in views) == [1, 1, 2]
    assert all(view.rows[["label source", "hidden_channels"]].drop_duplicates().shape[0] == 1 for view in views)
    both = next(view for view in views if len(view.rows) == 2)
    cores = RECORD["provenance"]["cores"].partition(", ")[0]
    assert f"; A, {cores} cores and B, {cores} cores, " in both.settings
    html = page.show(lambda view: [figures.table(view.rows)], "hidden_channels")._repr_html_()
    assert 'type="radio"' not in html
    assert html.count("<table") == 3


def test_a_page_whose_records_are_of_several_circuits_says_which_column_names_them(tmp_path):
    record = copy.deepcopy(RECORD)
    record["parameters"] |= {"designs": ["a/b", "c/d"]}
    records.write(record, tmp_path / "depth" / "a.json")
    (view,) = findings.Page("depth", tmp_path, "designs").views()
    assert view.circuit == "['a/b', 'c/d']"


def test_a_page_leads_with_the_widest_records_of_more_than_one_depth_and_of_these_the_longest_trained(tmp_path):
    grid = [(64, 120, 2), (64, 120, 10), (128, 250, 2), (128, 250, 40), (128, 120, 40), (384, 250, 100)]
    made = []
    for width, epochs, layers in grid:
        new = {"tuning_epochs": 60, "patience": 50} if width > 64 else {}
        given = {"hidden_channels": width, "epochs": epochs, "num_layers": layers, "model": "RevGNN", "seed": 0}
        made.append(({}, given | new))
    page = written(tmp_path, "depth", *made)
    (view,) = page.leading()
    assert (view.setting["hidden_channels"], view.setting["epochs"]) == (128, 250)
    assert sorted(view.rows["num_layers"]) == [2, 40]
    assert "tuning epochs 60, patience 50; " in view.settings
    html = page.show(lambda view: [figures.table(view.rows)], views=[view])._repr_html_()
    assert html.count("<table") == 1
    for path in [tmp_path / "depth" / f"{number}.json" for number in range(2, 6)]:
        path.unlink()
    (view,) = findings.Page("depth", tmp_path).leading()
    assert view.setting["hidden_channels"] == 64
    assert "tuning" not in view.settings


def test_the_paper_s_circuits_lead(tmp_path):
    own = [f"circuitnet/{row.name}" for row in table1.rows()][-1]
    other = "circuitnet/2017-RISCY-b-1-c2-u0.7-m1-p6-f0"
    given = {"epochs": 1, "num_layers": 2, "model": "RevGNN", "seed": 0}
    page = written(tmp_path, "depth", *(({}, given | {"circuit": circuit}) for circuit in (other, own)))
    assert [view.circuit for view in page.leading()] == [own, other]


def test_a_model_s_name_says_what_is_not_the_plain_one():
    given = [{"k": 4}, {"k": 8, "residual": "dense"}, {"k": 8, "residual": "sparse", "dropout": 0.0}]
    ours = [findings.contender({"model": "GSRGNN"} | more) for more in given]
    assert ours == ["GSR-GNN, k = 4", "GSR-GNN, k = 8, dense", "GSR-GNN, k = 8"]
    assert findings.contender({"model": "RevGNN", "dropout": 0.1}) == "RevGNN, dropout 0.1"
    assert findings.contender({"model": "RevGNN", "dropout": math.nan}) == "RevGNN"
    compared, every = findings.own_and_peers(["RevGNN", "RevGNN, dropout 0.1", "GCN", *ours, "GSR-GNN, k = 16"])
    assert compared == ["GSR-GNN, k = 8", "RevGNN", "GCN"]
    assert every == ["GSR-GNN, k = 4", "GSR-GNN, k = 8", "GSR-GNN, k = 16", "GSR-GNN, k = 8, dense"]
    assert findings.own_and_peers(["GSR-GNN, k = 2", "GCN"])[0] == ["GSR-GNN, k = 2", "GCN"]


def test_the_interval_of_a_correlation():
    low, high = findings.pearson_interval(0.5, 103)
    assert (low, high) == pytest.approx((math.tanh(math.atanh(0.5) - 0.196), math.tanh(math.atanh(0.5) + 0.196)))


def test_a_speedup_s_interval_is_the_widest_that_the_rounds_allow():
    rows = pd.DataFrame({"step_seconds": [8.0, 2.0], "step_low": [7.0, 1.0], "step_high": [9.0, 4.0]})
    found = findings.speedup(rows[:1], rows[1:])
    assert found.iloc[0].to_dict() == {"ratio": 4, "low": 7 / 4, "high": 9}
    assert findings.speedup(rows[:0], rows)["ratio"].isna().all()


def test_what_was_not_measured_says_why_once():
    rows = pd.DataFrame(
        [
            {"contender": "a", "state": "failed", "note": "out of memory"},
            {"contender": "a", "state": "failed", "note": "out of memory"},
            {"contender": "b", "state": "measured", "note": "", "memory_note": "out of memory: 8 GB"},
            {"contender": "c", "state": "trained", "note": ""},
        ]
    )
    rows = rows.assign(circuit="riscv/ibex", hidden_channels=64, num_layers=4, machine="Z80")
    where = "(riscv/ibex, width 64, 4 layers, Z80)"
    assert findings.not_measured(rows).data.split("\n") == [
        f"- a has no time: failed, out of memory {where}.",
        f"- b has no memory: out of memory: 8 GB {where}.",
    ]


def test_a_design_that_is_none_of_the_paper_s_ten_says_so_and_how_small_it_is():
    assert findings.named("riscv/ibex") == "riscv/ibex"
    assert findings.named("circuitnet/7157-zero-riscy-a-1-c2-u0.8-m1-p1-f0") == "7157"
    assert findings.named("circuitnet/2017-RISCY-b-1-c2-u0.7-m1-p6-f0") == (
        "2017 (none of the paper's ten, and smaller than any of them: 28,781 cells)"
    )


def test_a_mean_of_differences_weighs_every_depth_and_k_alike():
    rows = pd.DataFrame(
        [
            {"num_layers": 10, "k": k, "measure": "pearson", "seed": seed, "difference": d, "low": d, "high": d}
            for k, seed, d in ((4, 0, 0.1), (4, 1, 0.3), (8, 0, 0.0))
        ]
    )
    found = findings.seeds_averaged(rows)
    assert found["difference"].tolist() == pytest.approx([0.2, 0.0])
    assert found["seeds"].tolist() == [2, 1]
