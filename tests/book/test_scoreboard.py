import copy
import os
import re
from pathlib import Path

import pytest
from sample_record import RECORD
from typer.testing import CliRunner

from gsrgnn.book import scoreboard
from gsrgnn.book.paper import reported
from gsrgnn.circuits import table1
from gsrgnn.cli import app
from gsrgnn.lab import records

ROOT = Path(__file__).parents[2]
(SEVEN,) = (f"circuitnet/{row.name}" for row in table1.rows() if row.code == "7157-R")


def write(folder, experiment, rows, name="a", device="cpu", **parameters):
    record = copy.deepcopy(RECORD) | {"experiment": experiment, "rows": rows}
    given = {"circuit": SEVEN, "hidden_channels": 64, "device": device}
    record["parameters"] = given | parameters
    records.write(record, folder / experiment / f"{name}.json")


def step(contender, seconds):
    times = {"step_seconds": seconds, "forward_seconds": seconds / 4, "backward_seconds": seconds / 2}
    memory = {"memory_before": 100, "memory_peak": 100 + round(1000 * seconds)}
    return {"contender": contender, "state": "measured", "note": "", **times, **memory}


def test_every_value_of_the_paper_has_a_line_and_nothing_is_tested_without_records(tmp_path):
    board = scoreboard.board(tmp_path)
    assert list(board.index) == list(reported().index)
    assert set(board["verdict"]) == {scoreboard.OPEN}
    assert set(board["ours"]) == {"–", "needs a GPU"}
    assert set(board["owed"]) == {""}
    assert list(board.index[board["itself"] == scoreboard.CONTRADICTS]) == ["fig4_hours"]
    assert board.loc["fig10_gap_f", "itself"] == scoreboard.SLIP
    for page in set(board["page"]):
        assert (ROOT / "notebooks" / f"{page}.py").exists()


def test_speed_shares_and_memory_are_judged_against_the_baseline_of_the_same_run(tmp_path):
    steps = [
        step("RevGNN edge_index", 8.0),
        step("RevGNN csr", 1.6),
        step("RevGNN nets", 0.04),
        step("GSR k=4 edges", 0.2),
        step("GSR k=4 nets", 0.01),
        step("GSR k=64 edges", 3.0),
    ]
    write(tmp_path, "speed", steps, num_layers=4)
    write(tmp_path, "profile", steps, num_layers=4)
    write(tmp_path, "memory", steps, num_layers=4)
    board = scoreboard.board(tmp_path)
    assert board.loc["fig9_max", "verdict"] == scoreboard.IN_KIND
    assert board.loc["fig9_max", "ours"] == "40.0x (k=4 edges); 7157, width 64, layers 4, cpu"
    assert board.loc["fig9_max", "owed"] == (
        "route 5.0x (RevGNN csr), model 8.0x; 4.0x against RevGNN nets, the fastest peer (ours by nets)"
    )
    assert board.loc["fig9_min", "verdict"] == scoreboard.IN_PART
    assert board.loc["fig9_min", "ours"].startswith("2.7x (k=64 edges)")
    assert board.loc["t2_k8_total", "verdict"] == scoreboard.OPEN
    assert board.loc["s31_forward", "verdict"] == scoreboard.IN_KIND
    assert board.loc["t2_base_total", "ours"].startswith("both passes 75% of a step (paper 92%)")
    assert board.loc["mem_reduction_max", "ours"].startswith("97.5 percent (GSR k=4 edges)")
    assert board.loc["mem_reduction_max", "owed"] == (
        "route alone 80.0 percent (RevGNN csr); 75.0 percent less than RevGNN nets, the leanest peer (ours by nets)"
    )
    assert board.loc["small_gpu", "verdict"] == scoreboard.OPEN


def test_a_slip_in_print_takes_no_claim_s_verdict(tmp_path):
    steps = [step("RevGNN edge_index", 8.0), step("GSR k=4 edges", 0.2)]
    write(tmp_path, "speed", steps, num_layers=4)
    board = scoreboard.board(tmp_path)
    assert board.loc["t2_k4_backward", ["verdict", "itself"]].tolist() == [scoreboard.IN_KIND, scoreboard.SLIP]
    text = scoreboard.as_markdown(board, str)
    assert "| a slip in print |" in text
    assert scoreboard.summary(board).endswith("The paper contradicts itself on 1 and has a slip in print on 6.")


def test_a_record_without_the_paper_s_route_counts_with_the_nets(tmp_path):
    steps = [step("RevGNN edge_index", 8.0), step("RevGNN nets", 1.0), step("GSR k=4 nets", 0.5)]
    for experiment in ("speed", "memory"):
        write(tmp_path, experiment, steps, num_layers=4)
    board = scoreboard.board(tmp_path)
    assert board.loc["fig9_max", "ours"].startswith("16.0x (k=4 nets)")
    assert board.loc["fig9_max", "owed"].startswith("route 8.0x (RevGNN nets), model 2.0x; 2.0x against RevGNN nets")
    assert board.loc["mem_reduction_max", "ours"].startswith("93.8 percent (GSR k=4 nets)")


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, scoreboard.REPRODUCED),
        ({"device": "cpu"}, scoreboard.IN_KIND),
        ({"hidden_channels": 64}, scoreboard.IN_KIND),
        ({"num_layers": 4}, scoreboard.IN_KIND),
        ({"circuit": "synthetic/7157-R"}, scoreboard.IN_KIND),
        ({"circuit": "circuitnet/2017-RISCY-b-1"}, scoreboard.IN_KIND),
    ],
)
def test_a_value_is_reproduced_only_under_the_paper_s_conditions(tmp_path, change, verdict):
    given = {"hidden_channels": 384, "num_layers": 100, "device": "cuda"} | change
    write(tmp_path, "speed", [step("RevGNN edge_index", 8.0), step("GSR k=4 edges", 0.2)], **given)
    line = scoreboard.board(tmp_path).loc["fig9_max"]
    assert line["verdict"] == verdict
    assert ("none of the paper's ten" in line["ours"]) == ("2017" in change.get("circuit", ""))


def test_hours_need_every_graph_and_are_held_against_the_paper_s(tmp_path):
    codes = [row.code for row in table1.rows()]
    for code in codes[:-1]:
        write(
            tmp_path,
            "ten_graphs",
            [step("GSR k=4 nets", 10.0), step("GSR k=64 nets", 30.0)],
            code,
            circuit=f"synthetic/{code}",
            num_layers=100,
            hidden_channels=384,
        )
    board = scoreboard.board(tmp_path)
    assert board.loc["ten_graphs_hours", "verdict"] == scoreboard.OPEN
    hours = "GSR-GNN: 0.69 h (k=4 nets), 2.1 h (k=64 nets); 356-R (its stand-in), width 384"
    assert board.loc["fig4_hours", "ours"].startswith(hours)
    assert board.loc["fig4_hours", ["verdict", "itself"]].tolist() == [scoreboard.IN_KIND, scoreboard.CONTRADICTS]
    (name,) = (row.name for row in table1.rows() if row.code == codes[-1])
    write(
        tmp_path,
        "ten_graphs",
        [step("GSR k=4 nets", 10.0), step("GSR k=64 nets", 1000.0)],
        "last",
        circuit=f"circuitnet/{name}",
        num_layers=100,
        hidden_channels=384,
    )
    board = scoreboard.board(tmp_path)
    assert board.loc["ten_graphs_hours", "verdict"] == scoreboard.IN_PART
    assert "10 graphs (9 of them stand-ins)" in board.loc["ten_graphs_hours", "ours"]
    again = {"circuit": f"synthetic/{codes[-1]}", "num_layers": 100, "hidden_channels": 384}
    write(tmp_path, "ten_graphs", [step("GSR k=4 nets", 1.0), step("GSR k=64 nets", 1.0)], "again", **again)
    assert "(9 of them stand-ins)" in scoreboard.board(tmp_path).loc["ten_graphs_hours", "ours"]  # the real one counts


@pytest.mark.parametrize(("device", "verdict"), [("cpu", scoreboard.OPEN), ("cuda", scoreboard.NOT)])
def test_only_a_gpu_that_takes_longer_speaks_against_the_paper_s_hours(tmp_path, device, verdict):
    circuit, depth = "synthetic/356-R", {"num_layers": 100, "hidden_channels": 384}
    write(tmp_path, "ten_graphs", [step("GSR k=4 nets", 100.0)], device=device, circuit=circuit, **depth)
    assert scoreboard.board(tmp_path).loc["fig4_hours", "verdict"] == verdict


def test_a_gap_in_memory_is_held_against_the_paper_s_by_the_edge(tmp_path):
    (row,) = (row for row in table1.rows() if row.code == "876-R")
    for layers, gap in ((10, 3e9), (40, 5e9)):
        steps = [step("RevGNN edge_index", 1.0), step("GSR k=4 edges", 1.0), step("GSR k=64 nets", 1.0)]
        for each, peak in zip(steps, (gap + 1e9, 1e9, 2e9), strict=True):
            each["memory_peak"] = each["memory_before"] + peak
        write(tmp_path, "memory", steps, f"{layers}", circuit="synthetic/876-R", num_layers=layers)
    line = scoreboard.board(tmp_path).loc["fig10_gap_r"]
    assert line["ours"].startswith(f"4.00 GB, {4e9 / row.edges:,.0f} bytes an edge")
    assert line["verdict"] == scoreboard.IN_KIND


def test_what_is_used_of_reserved_memory_is_judged_at_best_and_at_least(tmp_path):
    def on_gpu(contender, allocated, active):
        bytes_ = {"memory_allocated": allocated, "memory_active": active, "memory_reserved": 1000}
        return step(contender, 1.0) | bytes_

    for layers, used in ((10, (850, 990)), (100, (950, 970))):
        steps = [on_gpu("RevGNN edge_index", 400, 999), on_gpu("GSR k=4 nets", *used)]
        write(tmp_path, "memory", steps, f"{layers}", "cuda", num_layers=layers)
    board = scoreboard.board(tmp_path)
    assert board.loc["active_over_reserved", "ours"].startswith(
        "99.0 percent (GSR k=4 nets); 7157, width 64, layers 10"
    )
    assert board.loc["active_over_reserved", "verdict"] == scoreboard.IN_KIND
    assert board.loc["fig10_util", "ours"].startswith("85.0 percent")
    assert board.loc["fig10_util", "verdict"] == scoreboard.NOT


def test_an_order_holds_only_if_the_intervals_of_all_runs_are_in_that_order(tmp_path):
    runs = [
        ("RevGNN", 2, 0, 0.5),
        ("RevGNN", 40, 0, 0.6),
        ("RevGNN", 40, 1, 0.51),
        ("GCN", 2, 0, 0.3),
        ("GraphSAGE", 2, 0, 0.4),
        ("GCN", 10, 0, 0.9),
    ]
    for model, depth, seed, score in runs:
        row = RECORD["rows"][0] | {"pearson": score, "test_cells": 3000}
        write(
            tmp_path,
            "depth",
            [row],
            f"{model}{depth}{seed}",
            model=model,
            num_layers=depth,
            seed=seed,
            epochs=3,
            learning_rates=[0.1],
        )
    board = scoreboard.board(tmp_path)
    assert board.loc["fig1_rev80", "verdict"] == scoreboard.IN_PART
    assert board.loc["fig1_rev2", "verdict"] == scoreboard.IN_KIND
    assert board.loc["fig1_rev2", "ours"].startswith("0.500 (RevGNN, 2 layers) against 0.400 (GraphSAGE, 2 layers)")
    assert board.loc["fig1_shallow_best", "ours"].startswith("0.555 (RevGNN, 40 layers) against 0.900 (GCN, 10 layers)")
    assert board.loc["fig1_shallow_best", "verdict"] == scoreboard.NOT
    assert board.loc["fig2_plateau", "verdict"] == scoreboard.OPEN


def test_quality_may_lose_no_more_than_the_bound(tmp_path):
    rows = [
        {
            "k": k,
            "measure": measure,
            "RevGNN": 0.5,
            "GSRGNN": 0.5 + gain,
            "difference": gain,
            "low": gain - 0.01,
            "high": gain + 0.01,
        }
        for k in (4, 8)
        for measure, gain in (("pearson", -0.01), ("kendall", -0.03))
    ]
    write(tmp_path, "quality", rows, num_layers=10, epochs=3, learning_rates=[0.1], seed=0)
    board = scoreboard.board(tmp_path)
    assert board.loc["fig8_pearson", "verdict"] == scoreboard.IN_KIND
    assert board.loc["fig8_pearson", "ours"].startswith("-0.0100 over 2 depths and k")
    assert board.loc["fig8_kendall", "verdict"] == scoreboard.NOT
    assert board.loc["fig8_r2", "verdict"] == scoreboard.OPEN


def test_damaged_records_are_named_and_the_others_judged(tmp_path):
    steps = [step("RevGNN edge_index", 8.0), step("GSR k=4 edges", 0.2)]
    write(tmp_path, "speed", steps, num_layers=4)
    (tmp_path / "speed" / "loop.json").symlink_to("loop.json")
    (tmp_path / "memory").mkdir()
    os.mkfifo(tmp_path / "memory" / "pipe.json")
    board = scoreboard.board(tmp_path)
    assert board.loc["fig9_max", "verdict"] == scoreboard.IN_KIND
    shown = CliRunner().invoke(app, ["scoreboard", "--results", str(tmp_path)])
    assert shown.exit_code == 0
    for name in ("speed/loop.json", "memory/pipe.json"):
        assert f"left out: {tmp_path / name} cannot be read" in shown.stderr


def test_the_readme_shows_the_scoreboard_of_the_committed_records():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert scoreboard.in_readme(text, scoreboard.board(ROOT / "results")) == text, "gsrgnn scoreboard --readme"
    for page in re.findall(r"\((notebooks/[^)]*)\)", text):
        assert (ROOT / page).exists()
    with pytest.raises(ValueError, match="lacks the lines"):
        scoreboard.in_readme("no marks", scoreboard.board(ROOT / "results"))


def test_a_page_opens_with_its_own_lines_each_with_its_sign_and_a_link_of_its_own(tmp_path):
    write(tmp_path, "speed", [step("RevGNN edge_index", 8.0), step("GSR k=4 edges", 0.2)], num_layers=4)
    html = scoreboard.opening("19_figure_9", str(tmp_path)).data
    names = [name for name, line in scoreboard.claims_by_id().items() if line.page == "19_figure_9"]
    assert re.findall(r'href="00_scoreboard.html#(\w+)"', html) == names
    assert '<span aria-hidden="true">≈</span> reproduced in kind' in html
    assert '<span aria-hidden="true">○</span> not tested yet' in html
    with pytest.raises(ValueError, match="no line of 23_beyond"):
        scoreboard.board(tmp_path, "23_beyond")


def test_every_page_with_a_claim_opens_with_it():
    for page in {claim.page for claim in scoreboard.claims_by_id().values()}:
        assert f'scoreboard.opening("{page}", folder)' in (ROOT / "notebooks" / f"{page}.py").read_text()


def test_no_two_lines_of_the_scoreboard_have_links_with_one_text(tmp_path):
    board = scoreboard.board(tmp_path)
    html = scoreboard.as_html(board, lambda page, _: f"{page}.html", named=True)
    texts = re.findall(r"<a [^>]*>(.*?)</a>", html)
    assert len(texts) == len(set(texts)) == len(board)
    assert re.findall(r'<tr id="(\w+)"', html) == list(board.index)


def test_every_verdict_has_a_sign_and_a_colour_in_either_scheme():
    styles = (ROOT / "book" / "_static" / "results.css").read_text()
    assert len(set(scoreboard.SIGNS.values())) == len(scoreboard.VERDICTS)
    for verdict in scoreboard.VERDICTS:
        kind = re.search(r"gsr-verdict (gsr-[\w-]+)", scoreboard.badge(verdict))[1]
        for scheme in ("light", "dark"):
            assert f'html[data-theme="{scheme}"] .{kind} {{' in styles
