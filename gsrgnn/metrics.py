"""The four measures of section 5: Pearson, Spearman, Kendall and R2."""

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
