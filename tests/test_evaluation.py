import builtins
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch_geometric.data import Data

from gsrgnn import CircuitGraph, circuits
from gsrgnn.evaluation import evaluate, gcell_map, grid_measures
from gsrgnn.metrics import correlations

GRID = (5, 4)
NAN = float("nan")


class Told(nn.Module):
    """Predicts what it was told, whatever the circuit."""

    def __init__(self, *predictions):
        super().__init__()
        self.predictions = list(predictions)

    def forward(self, x, graph):
        return self.predictions.pop(0)


def circuit(y, box, grid=(2, 2), **more):
    size = len(y)
    return Data(
        x=torch.zeros(size, 1),
        y=torch.tensor(y),
        cell=torch.arange(size),
        net=torch.zeros(size, dtype=torch.long),
        gcell=torch.tensor(box),
        grid=grid,
        **more,
    )


CORNERS = [[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1], [1, 0, 1, 0]]


def test_a_gcell_has_the_mean_of_the_cells_that_cover_it():
    box = [[0, 0, 0, 0], [0, 0, 1, 1], [2, 1, 2, 1]]
    np.testing.assert_array_equal(gcell_map([1.0, 3.0, 7.0], box, (3, 2)), [[2, 3], [3, 3], [NAN, 7]])


class Lazy(torch.utils.data.Dataset):
    """Two circuits, made when asked for, whatever the number."""

    def __len__(self):
        return 2

    def __getitem__(self, place):
        return circuit([0.0, 1.0, 2.0, 3.0], CORNERS)


def test_a_data_set_ends_by_its_length():
    told = Told(*[torch.arange(4.0)] * 2)
    assert list(evaluate(told, Lazy(), maps=False)["pearson"]) == pytest.approx([1, 1, 1])


@st.composite
def cells(draw):
    corners = st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 4), st.integers(0, 3))
    box = np.array(draw(st.lists(corners, min_size=1, max_size=12)))
    return np.concatenate([np.minimum(box[:, :2], box[:, 2:]), np.maximum(box[:, :2], box[:, 2:])], axis=1)


@given(cells(), st.randoms(use_true_random=False))
def test_a_map_is_what_a_loop_over_the_gcells_makes_in_any_order_of_the_cells(box, random):
    values = np.array([random.randrange(100) for _ in box], float)
    order = random.sample(range(len(box)), len(box))
    found = gcell_map(values, box, GRID)
    np.testing.assert_array_equal(found, gcell_map(values[order], box[order], GRID))
    for x in range(GRID[0]):
        for y in range(GRID[1]):
            over = [
                value
                for value, (left, bottom, right, top) in zip(values, box, strict=True)
                if left <= x <= right and bottom <= y <= top
            ]
            assert found[x, y] == pytest.approx(np.mean(over) if over else NAN, nan_ok=True)


@pytest.mark.parametrize(
    ("values", "box", "grid", "message"),
    [
        ([1.0], [[0, 0, 3, 0]], (3, 2), r"cell 0 covers the gcells \[0, 0, 3, 0\], not on the grid \(3, 2\)"),
        ([1.0, 2.0], [[0, 0, 0, 0], [1, 1, 0, 1]], (3, 2), "cell 1 covers"),
        ([1.0, 2.0], [[0, 0, 0, 0]], (3, 2), r"values are \[2, 1\] and gcell is int64 \[1, 4\]"),
        ([[1.0, 2.0]], [[0, 0, 0, 0]], (3, 2), r"values are \[1, 2\]"),
        ([1.0], [[0.0, 0, 0, 0]], (3, 2), "gcell is float64"),
        ([1.0], [[0, 0, 0, 0]], (3, 0), "grid is 0"),
    ],
)
def test_cells_that_lie_on_no_grid(values, box, grid, message):
    with pytest.raises(ValueError, match=message):
        gcell_map(values, box, grid)


def test_equal_maps_are_perfect():
    one = np.random.default_rng(0).uniform(size=(14, 12))
    assert grid_measures(one, one) == {"nrms": 0, "ssim": pytest.approx(1), "emd": 0}


def test_known_values_on_a_map_too_small_for_ssim():
    # one of four gcells is off by 255 of 255 levels: sqrt(1 / 4). Heights once equalised: 1/2, 1/2 and 1/4, 3/4
    # among 256, which sorted differ by 1/4 twice.
    found = grid_measures([[0, 1], [1, 0]], [[0, 1], [1, 1]])
    assert found == {"nrms": 0.5, "ssim": pytest.approx(NAN, nan_ok=True), "emd": pytest.approx(0.5 / 256)}


def test_a_shift_is_an_error_in_size_up_to_the_range_and_none_in_emd():
    true = np.array([[0.0, 0.2], [0.4, 1.0]])
    found = grid_measures(true, true + 0.2)  # the last is cut off at 1; 0.2 is 51 levels exactly
    assert found["nrms"] == pytest.approx(0.2 * math.sqrt(3 / 4))
    assert found["emd"] == 0
    assert grid_measures(10 * true - 3, 10 * (true + 0.2) - 3) == pytest.approx(found, nan_ok=True)


def test_ssim_of_one_window_is_its_formula():
    generator = np.random.default_rng(1)
    true, predicted = (generator.integers(256, size=(11, 11)).astype(float) for _ in range(2))
    true[0, :2] = 0, 255
    bell = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weight = np.outer(bell, bell) / bell.sum() ** 2

    def mean(values):
        return (weight * values).sum()

    a, b = mean(true), mean(predicted)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    covariance = mean(true * predicted) - a * b
    variances = mean(true**2) - a**2 + mean(predicted**2) - b**2
    formula = (2 * a * b + c1) * (2 * covariance + c2) / ((a**2 + b**2 + c1) * (variances + c2))
    assert grid_measures(true / 255, predicted / 255)["ssim"] == pytest.approx(formula)


def test_gcells_without_a_cell_are_left_out():
    true, predicted = np.zeros((2, 13, 13))
    true[3:10, 3:10] = np.arange(49).reshape(7, 7) / 48
    predicted[:] = true
    predicted[6, 6] = 0
    whole = grid_measures(true, predicted)
    for one in (true, predicted):
        one[0], one[:, -1] = NAN, NAN
    part = grid_measures(true, predicted)
    assert part["nrms"] == pytest.approx(whole["nrms"] * 13 / 12)
    assert part["ssim"] == pytest.approx(whole["ssim"])  # level 0 there, where the values were 0
    for one in (true, predicted):
        one[5:8, 5:8] = NAN
    assert math.isnan(grid_measures(true, predicted)["ssim"])


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_constant_true_map_has_no_range(value, other):
    found = grid_measures(np.full((12, 12), value), np.full((12, 12), other))
    assert all(math.isnan(measure) for measure in found.values())
    assert all(math.isnan(measure) for measure in grid_measures([[value]], [[other]]).values())


@pytest.mark.parametrize(
    ("predicted", "message"),
    [
        ([[0, 1, 2]], r"maps are \[2, 2\] and \[1, 3\]"),
        ([[0, NAN], [1, 2]], "a value in one map alone"),
        ([[0, float("inf")], [1, 2]], "infinity"),
    ],
)
def test_maps_that_do_not_fit(predicted, message):
    with pytest.raises(ValueError, match=message):
        grid_measures([[0, 1], [1, 2]], predicted)


def test_without_scikit_image_one_line_says_what_to_install(monkeypatch):
    found = builtins.__import__

    def refuse(name, *rest):
        if name.startswith("skimage"):
            raise ModuleNotFoundError(name)
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ModuleNotFoundError, match=r"^SSIM needs scikit-image: pip install 'gsrgnn\[book\]'$"):
        evaluate(Told(), [])
    data = circuit([0.0, 1.0, 0.5, 0.25], CORNERS)
    told = torch.tensor([0.0, 1.0, 0.25, 0.5])
    row = evaluate(Told(told), data, maps=False).iloc[0]
    assert row[["nrms", "ssim", "emd"]].isna().all()
    assert row.drop(["nrms", "ssim", "emd"]).to_dict() == {"cells": 4, **correlations(data.y, told)}


def test_a_row_a_circuit_and_their_mean():
    one, two = circuit([0.0, 1.0, 0.5, 0.25], CORNERS, name="a/one"), circuit([0.0, 1.0, 1.0, 0.5], CORNERS)
    told = torch.tensor([0.0, 1.0, 0.25, 0.5]), torch.tensor([[0.0], [1.0], [0.5], [0.5]])
    asked = []

    def one_after_another():
        for data in (one, two):
            asked.append(len(told_model.predictions))
            yield data

    told_model = Told(*told)
    table = evaluate(told_model, one_after_another())
    assert asked == [2, 1]  # the second is asked for when the first has been predicted
    assert list(table.index) == ["a/one", "circuit 1", "all"]
    assert list(table["cells"]) == [4, 4, 8]
    for row, data, prediction in zip(("a/one", "circuit 1"), (one, two), told, strict=True):
        assert dict(table.loc[row, ["pearson", "spearman", "kendall", "r2"]]) == correlations(data.y, prediction)
    assert table.loc["a/one", "nrms"] == pytest.approx(math.sqrt(1 / 2) / 4, abs=1 / 255)
    for measure in ("pearson", "r2", "nrms", "emd"):
        assert table.loc["all", measure] == pytest.approx(table[measure].iloc[:2].mean())
    assert math.isnan(table.loc["all", "ssim"])  # the die is smaller than its window


def test_one_circuit_the_cells_of_a_mask_and_a_label_of_two_columns():
    mask = torch.tensor([True, True, True, False])
    data = circuit([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5], [9.0, 9.0]], CORNERS, test_mask=mask)
    told = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.5, 1.0], [-9.0, 0.0]])
    table = evaluate(Told(told), data, mask="test_mask")
    assert table.loc["circuit 0", "cells"] == 3
    assert table.loc["circuit 0", "pearson"] == correlations(data.y[mask], told[mask])["pearson"]
    assert table.loc["circuit 0", "nrms"] == pytest.approx(math.sqrt(1 / 12) / 2, abs=1 / 255)


def test_data_without_gcells_has_the_measures_over_cells_alone():
    data = circuit([0.0, 1.0], [[0, 0, 0, 0]] * 2)
    del data.gcell
    table = evaluate(Told(torch.tensor([0.0, 1.0])), data)
    assert table.loc["all", "pearson"] == pytest.approx(1)
    assert math.isnan(table.loc["all", "nrms"])


def test_a_constant_prediction_is_not_left_out_of_the_mean():
    data = circuit([0.0, 1.0], [[0, 0, 0, 0], [1, 1, 1, 1]])
    table = evaluate(Told(torch.tensor([0.0, 1.0]), torch.zeros(2)), [data, data])
    assert table["pearson"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("data", "mask", "message"),
    [
        (circuit([0.0, 1.0], CORNERS[:2], name="x/y"), "val_mask", "x/y: 'val_mask' is no mask of the data"),
        (circuit([0.0, 1.0], CORNERS[:2], name="x/y"), "x", "x/y: 'x' is no mask of the data"),
        (circuit([0.0, NAN], CORNERS[:2]), None, "circuit 0: true or predicted values hold a NaN"),
        (circuit([[0.0, 1.0]], CORNERS[:1]), None, r"circuit 0: y is \[1, 2\] and the model gives \[1, 1\]"),
        (Data(x=torch.zeros(1, 1)), None, "circuit 0: there is no label y"),
        ([], None, "no circuits"),
    ],
)
def test_circuits_that_cannot_be_evaluated(data, mask, message):
    with pytest.raises(ValueError, match=message):
        evaluate(Told(torch.zeros(len(data.x) if data else 0)), data, mask=mask)


def test_a_circuit_that_ships():
    data = circuits.load("synthetic/300", label="rudy")

    class Copy(nn.Module):
        def forward(self, x, graph):
            return data.y

    table = evaluate(Copy(), data, graph=lambda circuit: CircuitGraph.from_data(circuit, norm="sum"))
    assert dict(table.loc[data.name]) == pytest.approx(
        {"cells": 300, "pearson": 1, "spearman": 1, "kendall": 1, "r2": 1, "nrms": 0, "ssim": 1, "emd": 0}
    )
