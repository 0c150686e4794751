"""Sentences below figures, on records that say one thing and on records that say the other."""

import numpy as np
import pandas as pd
import pytest

from gsrgnn.book import captions


def runs(*lines):
    frame = pd.DataFrame(lines, columns=["model", "num_layers", "pearson"])
    return frame.assign(low=frame["pearson"] - 0.01, high=frame["pearson"] + 0.01)


@pytest.mark.parametrize(
    ("deep", "words"),
    [
        (0.6, "0.100 above itself with 2 (their intervals do not meet), 0.050 above the best plain model"),
        (0.4, "0.100 below itself with 2 (their intervals do not meet), 0.150 below the best plain model"),
        (0.5, "level with itself with 2 (their intervals meet), 0.050 below the best plain model"),
    ],
)
def test_depth_gains_loses_or_does_neither(deep, words):
    said = captions.deep_against_shallow(runs(("RevGNN", 2, 0.5), ("RevGNN", 40, deep), ("GCN", 10, 0.55)))
    assert said.startswith(f"RevGNN with 40 layers has a Pearson of {deep:.3f}, {words}")


def test_depth_without_peers_or_without_a_reversible_network():
    assert captions.deep_against_shallow(runs(("RevGNN", 2, 0.5))) == "RevGNN with 2 layers has a Pearson of 0.500."
    said = captions.deep_against_shallow(runs(("GCN", 2, 0.5), ("GraphSAGE", 2, 0.6)))
    assert said == "The best of the plain models is GraphSAGE with 2 layers: 0.600."


def test_the_best_depths_and_whether_the_paper_s_plateau_was_reached():
    mean = pd.Series({("RevGNN", 2): 0.5, ("RevGNN", 40): 0.6, ("GCN", 2): 0.4, ("GCN", 40): 0.3})
    said = captions.best_depths(mean, 70)
    assert "highest for RevGNN with 40 and GCN with 2" in said
    assert said.endswith("which is deeper than any here.")
    assert captions.best_depths(mean, 30).endswith("level from 30.")
    assert captions.best_depths(mean[:1], 70).startswith("One depth was run")


def test_messages_take_most_or_least_or_were_not_measured():
    memory = pd.Series({("RevGNN edge_index", 10): 900.0, ("RevGNN csr", 10): 90.0, ("RevGNN csr", 40): 95.0})
    said = captions.messages(memory, 300, "RevGNN edge_index")
    assert "takes 900 MB, 3.0 times one array of messages; the leanest route, RevGNN csr, takes 10% of it" in said
    assert captions.messages(10 / memory, None, "RevGNN edge_index").count("leanest") == 0
    assert "was not measured" in captions.messages(memory[1:], 300, "RevGNN edge_index")
    assert captions.messages(memory[:0], 300, "RevGNN edge_index") == "No memory was measured."


def test_passes_of_the_reference_or_of_what_is_there():
    seconds = pd.DataFrame(
        {"forward": [2.0, 1.0], "backward": [6.0, 3.0], "step": [8.0, 4.0]},
        pd.MultiIndex.from_tuples([("RevGNN edge_index", 10), ("RevGNN csr", 10)]),
    )
    said = captions.passes(seconds, "RevGNN edge_index", 3.4)
    assert "3.0 times as long as its forward pass (paper: 3.4); RevGNN csr makes the whole step 2.0 times" in said
    assert "RevGNN csr takes 3.0 times" in captions.passes(seconds[1:], "RevGNN edge_index", 3.4)
    assert captions.passes(seconds[:0], "RevGNN edge_index", 3.4) == "No step was timed."


@pytest.mark.parametrize(("sign", "word", "told"), [(1, "above", "2 lie above"), (-1, "below", "none lie above")])
def test_quality_is_gained_or_lost(sign, word, told):
    rows = pd.DataFrame({"measure": "pearson", "difference": [0.02, 0.04], "low": [0.01, 0.03], "high": [0.03, 0.05]})
    if sign < 0:
        rows = rows.assign(difference=-rows["difference"], low=-rows["high"], high=-rows["low"])
    said = captions.quality(rows, {"pearson": 0.0026}, {"pearson": "Pearson", "r2": "R²"})
    assert f"Pearson is 0.030 {word} RevGNN's (paper: 0.003 above)" in said
    assert told in said


@pytest.mark.parametrize(
    ("ratios", "words"),
    [
        ([2.0, 9.0], "2 to 9 times as fast as X"),
        ([0.5, 9.0], "0.5 to 9 times as fast as X, slower in 1 of 2 rows"),
        ([0.5, 0.5], "0.5 times as fast as X, slower in every row"),
        ([np.nan], ""),
    ],
)
def test_faster_and_slower(ratios, words):
    assert captions.faster(pd.Series(ratios), "X") == words


def test_speed_without_a_baseline_says_so():
    own = pd.DataFrame({"ratio": [np.nan], "ratio fastest": [2.0]})
    assert captions.speed(own, "RevGNN") == (
        "A step of GSR-GNN is 2 times as fast as the fastest other model. RevGNN has no time here."
    )


@pytest.mark.parametrize(
    ("ratios", "words"),
    [
        ([0.1, 0.4], "60.0 to 90.0% less than that of"),
        ([1.5, 4.2], "1.5 to 4.2 times that of"),
        ([0.9, 4.2], "between 10.0% less than and 4.2 times that of"),
    ],
)
def test_memory_is_saved_spent_or_both(ratios, words):
    assert f"is {words} RevGNN." in captions.memory({"RevGNN": pd.Series(ratios), "other": pd.Series([np.nan])})
    assert captions.memory({"RevGNN": pd.Series([np.nan])}) == "No peer was measured beside GSR-GNN."


def test_the_fastest_step_with_and_without_a_baseline():
    rows = pd.DataFrame(
        {"step_seconds": [8.0, 2.0, 1.0], "backward_seconds": [6.0, 1.5, 0.5]}, ["base", "GSR k=4", "GSR k=8"]
    )
    said = captions.fastest_step(rows, {"GSR k=8": 0.76}, "base")
    assert said.startswith("The fastest, GSR k=8, makes a step 8 times as fast as base; its backward pass takes 50%")
    assert said.endswith("(paper: 76%).")
    assert "in 1 s; base was not timed" in captions.fastest_step(rows[1:], {}, "base")
    assert captions.fastest_step(rows[:1], {}, "base") == "GSR-GNN was not timed."


def test_scores_are_told_apart_or_not():
    rows = runs(("A", 1, 0.5), ("B", 1, 0.6)).set_index("model")
    assert captions.scores(rows).endswith("A the lowest, 0.500; their intervals do not meet.")
    assert captions.scores(rows.assign(high=0.9)).endswith("their intervals meet.")
    assert captions.scores(rows.assign(high=np.nan)).endswith("0.500.")
    assert captions.scores(rows[:0]) == "No model was trained."


def test_a_split_flatters_or_does_not():
    means = pd.Series({"by cell": 0.8, "by region": 0.5, "family unseen": 0.6})
    assert captions.splits(means).endswith("0.60 family unseen; splits by cell flatter.")
    assert captions.splits(means[::-1][1:]).endswith("; no split flatters.")
    assert captions.splits(means[:1]) == "Pearson on the mean of the models: 0.80 by cell."


def test_a_step_has_a_fastest_and_a_leanest_or_nothing():
    names = ["a", "b"]
    said = captions.step(pd.Series([0.2, 0.1], names), pd.Series([5.0, 9.0], names))
    assert said == "Fastest: b, 100 ms; leanest: a, 5 MB."
    assert captions.step(pd.Series([np.nan], ["a"]), pd.Series([np.nan], ["a"])) == "Nothing was measured."


def test_counts_are_off_by_what_they_are():
    counts = pd.DataFrame({"source": ["paper", "synthetic"], "nodes off": [np.nan, -0.01], "edges off": [np.nan, 0.02]})
    assert captions.sizes(counts) == "1 stand-in: nodes off by at most 1.00%, edges by 2.00%."
    assert captions.sizes(counts[:1]) == "None of the ten graphs was counted."


def test_the_bench_in_a_sentence():
    table = pd.DataFrame(
        {
            "step ms": [10.0, 20.0],
            "best peer / this": [2.0, 1.0],
            "RevGNN edge_index / this": [np.nan] * 2,
            "this / floor": [3.0, np.nan],
            "growth MB, 1 layers": [7.0, 5.0],
        },
        ["GSR k=4 nets", "RevGNN csr"],
    )
    assert captions.bench_steps(table, "RevGNN csr") == (
        "The fastest of GSR-GNN's rows, GSR k=4 nets, makes a step in 10 ms: 2 times as fast as RevGNN csr (the "
        "fastest peer); it takes 3.0 times its floor."
    )
    assert captions.bench_steps(table[1:], "RevGNN csr") == "No row of GSR-GNN was timed."
    assert captions.bench_memory(table) == "Least: with 1 layer RevGNN csr, 5 MB."
