import math

import numpy as np
import pytest
import torch

from gsrgnn.metrics import correlations, difference


def test_known_values():
    scores = correlations([[1.0], [2.0], [3.0], [4.0]], [1.0, 3.0, 2.0, 4.0])
    assert scores == pytest.approx({"pearson": 0.8, "spearman": 0.8, "kendall": 2 / 3, "r2": 0.6})


def test_ties_count_as_half():
    # 5 of 6 pairs ordered alike, 1 tied in one: tau-b = 5 / sqrt(6 * 5)
    assert correlations([1, 2, 3, 4], [1, 1, 2, 3])["kendall"] == pytest.approx(5 / math.sqrt(30))


def test_constant_predictions_have_no_correlation():
    scores = correlations([1.0, 2.0, 3.0], np.ones(3))
    assert all(math.isnan(scores[name]) for name in ("pearson", "spearman", "kendall"))
    assert scores["r2"] < 0


def test_columns_are_scored_one_by_one():
    generator = np.random.default_rng(0)
    true = generator.normal(size=(40, 2)) * [1, 1000] + [0, 5000]
    predicted = true + generator.normal(size=(40, 2)) * [1, 100]
    each = [correlations(true[:, column], predicted[:, column]) for column in (0, 1)]
    scores = correlations(true, predicted)
    assert scores == pytest.approx({name: (each[0][name] + each[1][name]) / 2 for name in scores})
    assert difference(true, true, predicted, resamples=2)["r2"][0] == pytest.approx(1 - scores["r2"])
    predicted[:, 1] = 1
    assert math.isnan(correlations(true, predicted)["pearson"])


def test_any_real_tensor_or_array_is_taken():
    true, predicted = torch.tensor([3, 1, 2, 7]), torch.tensor([2.0, 1.0, 3.0, 4.0], requires_grad=True)
    want = correlations([3, 1, 2, 7], [2, 1, 3, 4])
    for given in (predicted, predicted[:, None], predicted.bfloat16(), predicted.detach().numpy()):
        assert correlations(true, given) == correlations(true[:, None].double(), given) == want


@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [
        ([1, 2], [1, 2, 3], "2 true and 3 predicted"),
        ([1], [1], "1 true and 1 predicted"),
        ([1, 2], [1, float("nan")], "NaN or an infinity"),
        ([1, 2, 3], [[1, 2, 3]], "1 true and 3 predicted columns"),
        ([[1, 2, 3]], [[1, 2, 3]], "1 true and 1 predicted values"),
        ([[1, 2], [3, 4], [5, 7]], [[1, 2, 3], [4, 5, 7]], "2 true and 3 predicted columns"),
        ([[1, 2], [3, 4], [5, 7]], [1, 2, 3], "2 true and 1 predicted columns"),
        (1.0, 2.0, r"values are float64 \[\]: give real numbers, \[N\] or \[N, C\]"),
        ([1, 2], np.zeros((2, 0)), r"values are float64 \[2, 0\]"),
        ([1, 2], [1, 2j], r"values are complex128 \[2\]"),
    ],
)
def test_bad_input(true, predicted, message):
    with pytest.raises(ValueError, match=message):
        correlations(true, predicted)


def test_a_difference_lies_in_its_interval_which_narrows_with_more_values():
    generator = np.random.default_rng(0)
    widths = []
    for count in (100, 1600):
        true = generator.normal(size=count)
        ours, theirs = true + generator.normal(size=count), true + 3 * generator.normal(size=count)
        found = difference(true, ours, theirs, resamples=200)
        a, b = correlations(true, ours), correlations(true, theirs)
        for measure, (value, low, high) in found.items():
            assert value == a[measure] - b[measure]
            assert low < value < high
        widths.append(found["pearson"][2] - found["pearson"][1])
        assert found["pearson"][1] > 0
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.5)
    assert difference(true, ours, theirs, 5) == difference(true, ours, theirs, 5)
    assert set(difference(true, ours, ours, 5).values()) == {(0.0, 0.0, 0.0)}
    with pytest.raises(ValueError, match="resamples is 0"):
        difference(true, ours, theirs, 0)


def test_a_mask_is_not_passed_over():
    with pytest.raises(ValueError, match="values are a masked array"):
        correlations(np.ma.masked_array([1.0, 2, 3], mask=[0, 0, 1]), np.arange(3.0))
