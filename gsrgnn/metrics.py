"""The four measures of section 5, Pearson, Spearman, Kendall and R2, and differences in them."""

import numpy as np
from scipy import stats
from sklearn.metrics import r2_score


def correlations(true, predicted):
    """``{"pearson", "spearman", "kendall", "r2"}`` of two arrays ``[N]`` or ``[N, 1]``.

    The three correlations (Kendall's is tau-b) are NaN where one array is constant: there is no correlation to
    speak of. Raises ValueError if the two differ in size, hold fewer than two values or one that is not finite.
    """
    true, predicted = (np.asarray(values, dtype=np.float64).ravel() for values in (true, predicted))
    if len(true) != len(predicted) or len(true) < 2:
        raise ValueError(f"{len(true)} true and {len(predicted)} predicted values: give two or more of each, as many")
    if not (np.isfinite(true).all() and np.isfinite(predicted).all()):
        raise ValueError("true or predicted values hold a NaN or an infinity: the measures need finite ones")
    scores = {"pearson": np.nan, "spearman": np.nan, "kendall": np.nan}
    if np.ptp(true) > 0 and np.ptp(predicted) > 0:
        scores = {"pearson": stats.pearsonr(true, predicted).statistic,
                  "spearman": stats.spearmanr(true, predicted).statistic,
                  "kendall": stats.kendalltau(true, predicted).statistic}
    return {**{name: float(score) for name, score in scores.items()}, "r2": float(r2_score(true, predicted))}


def difference(true, ours, theirs, resamples=400, level=0.95, seed=0):
    """By how much two predictions of the same values differ in `correlations`, with bootstrap percentile intervals.

    Args:
        true, ours, theirs: ``[N]``.
        resamples: how often N of the N values are drawn, with replacement; both predictions are scored on each draw.
        level: share of the draws that an interval holds.

    Returns measure -> ``(ours - theirs, low, high)``; NaN where `correlations` is. Raises ValueError as it does, and
    for fewer than one resample.
    """
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}: draw at least 1")
    true, ours, theirs = (np.asarray(values, dtype=np.float64).ravel() for values in (true, ours, theirs))

    def gain(rows=slice(None)):
        a, b = correlations(true[rows], ours[rows]), correlations(true[rows], theirs[rows])
        return {measure: a[measure] - b[measure] for measure in a}

    generator = np.random.default_rng(seed)
    found = gain()
    draws = [gain(generator.integers(len(true), size=len(true))) for _ in range(resamples)]
    tails = (1 - level) / 2, (1 + level) / 2
    return {measure: (value, *(float(v) for v in np.nanquantile([draw[measure] for draw in draws], tails)))
            for measure, value in found.items()}
