import math

import numpy as np
import pytest

from gsrgnn.metrics import correlations


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


@pytest.mark.parametrize(("true", "predicted", "message"), [
    ([1, 2], [1, 2, 3], "2 true and 3 predicted"),
    ([1], [1], "1 true and 1 predicted"),
    ([1, 2], [1, float("nan")], "NaN or an infinity"),
])
def test_bad_input(true, predicted, message):
    with pytest.raises(ValueError, match=message):
        correlations(true, predicted)
