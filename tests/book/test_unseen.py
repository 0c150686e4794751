"""What the page on unseen circuits says follows from its records: fabricated ones, of a few designs."""

import pandas as pd
import pytest

from gsrgnn.book import unseen

NAMES = ["riscv/a", "riscv/b", "crypto/c", "bus/d", "dsp/e"]
NOT_SHOWN = {"spearman": 0.1, "kendall": 0.1, "r2": 0.1, "nrms": None, "ssim": 0.1, "emd": 0.1}


def rows(model, depth, pearson, seed=0, split="family", validation=0.5):
    return [
        {
            "model": model,
            "num_layers": depth,
            "features": "placed",
            "split": split,
            "circuit": name,
            "seed": seed,
            "pearson": value,
            "validation": validation,
            **NOT_SHOWN,
        }
        for name, value in zip(NAMES, pearson, strict=False)
    ]


def test_scores_are_means_of_the_seeds_in_the_order_of_models_and_depths():
    found = unseen.scores(
        pd.DataFrame(
            [
                *rows("tree", 0, [0.1] * 5),
                *rows("GCN", 10, [0.2] * 5),
                *rows("GCN", 4, [0.3] * 5),
                *rows("GCN", 4, [0.5] * 5, seed=1),
            ]
        )
    )
    assert list(dict.fromkeys(found["line"])) == ["GCN, 4 layers", "GCN, 10 layers", "tree, no graph"]
    first = found.iloc[0]
    assert (first["pearson"], first["seeds"], first["family"]) == (pytest.approx(0.4), 2, "bus")
    assert found["nrms"].isna().all()
    assert len(found) == 15


def test_validation_chooses_a_depth_of_each_model_and_the_test_plays_no_part():
    found = unseen.scores(
        pd.DataFrame(
            [
                *rows("GCN", 4, [0.1] * 5, validation=0.7),
                *rows("GCN", 40, [0.9] * 5, validation=0.6),
                *rows("GSRGNN", 4, [0.1] * 5, validation=0.8),
            ]
        )
    )
    assert unseen.chosen(found) == ["GSR-GNN, 4 layers", "GCN, 4 layers"]


@pytest.mark.parametrize(
    ("one", "words", "sure"),
    [
        ([0.6, 0.6, 0.6, 0.6, 0.6], "+0.100 (5 of 5)", True),
        ([0.4, 0.4, 0.4, 0.4, 0.4], "-0.100 (0 of 5)", True),
        ([0.9, 0.6, 0.6, 0.6, 0.4], "+0.120 (4 of 5)", False),
        ([0.4, 0.4, 0.4, 0.4], "-0.100 (0 of 4)", False),
        ([], "–", False),
    ],
)
def test_two_lines_are_told_apart_only_by_the_same_sign_on_every_one_of_enough_designs(one, words, sure):
    found = unseen.scores(pd.DataFrame([*rows("GCN", 4, one), *rows("tree", 0, [0.5] * 5)]))
    pair = unseen.paired(found[found["model"] == "GCN"], found[found["model"] == "tree"])
    assert str(pair) == words
    assert pair.sure == sure


def test_a_deeper_model_is_held_against_itself_and_a_chosen_one_against_the_tree():
    found = unseen.scores(
        pd.DataFrame(
            [
                *rows("GCN", 4, [0.3] * 5, validation=0.4),
                *rows("GCN", 10, [0.5] * 5, validation=0.6),
                *rows("GCN", 40, [0.4] * 5, validation=0.5),
                *rows("RevGNN", 4, [0.7] * 5),
                *rows("tree", 0, [0.6] * 5),
            ]
        )
    )
    table = unseen.deeper(found)
    assert list(table.index) == ["RevGNN", "GCN"]
    assert list(map(str, table.loc["GCN"])) == ["+0.200 (5 of 5)", "-0.100 (0 of 5)"]
    assert list(map(str, table.loc["RevGNN"])) == ["–", "–"]
    words = unseen.verdicts(table.to_numpy().ravel())
    assert words == "1 of 2 above on every design, 1 below, 0 not told apart"
    beside = unseen.beside_the_tree(found)
    assert {name: round(pair.mean, 3) for name, pair in beside.items()} == {
        "GCN, 10 layers": -0.1,
        "RevGNN, 4 layers": 0.1,
    }
    assert unseen.beside_the_tree(found[found["model"] != "tree"]) == {}
    assert [unseen.in_words(name) for name in ("GCN, 4 layers", "tree, no graph")] == ["GCN with 4 layers", "the tree"]


def test_what_a_sweep_would_add_is_said():
    def point(**given):
        return {
            "model": "GCN",
            "num_layers": 4,
            "features": "placed",
            "split": "cell",
            "seed": 0,
            "designs": ["a/b"],
        } | given

    there = [point()]
    assert unseen.missing(there, there) is None
    wanted = [*there, point(num_layers=40), point(seed=1), point(seed=2), point(designs=["r2g/fir"])]
    assert unseen.missing(wanted, there) == (
        "4 of the 5 points of the sweep have no record yet: nothing yet of 40 layers; 2 more seeds; R2G's designs, "
        "with a label of a router's."
    )
    known = [point(split="region"), point(model="tree")]
    assert (
        unseen.missing([point(split="region", model="tree")], known)
        == "1 of the 1 points of the sweep have no record yet."
    )
