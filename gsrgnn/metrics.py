"""The four measures of section 5, Pearson, Spearman, Kendall and R2, and differences in them."""

import numpy as np
import torch
from numpy.typing import NDArray

from gsrgnn.arguments import TensorLike

MEASURES = ("pearson", "spearman", "kendall", "r2")


def correlations(true: TensorLike, predicted: TensorLike) -> dict[str, float]:
    """``{"pearson", "spearman", "kendall", "r2"}`` of two arrays or tensors ``[N]`` or ``[N, C]`` of any real dtype.

    Of several columns each measure is the mean over the columns. The three correlations (Kendall's is tau-b) are NaN
    where a column is constant: there is no correlation to speak of. Raises ValueError if the two differ in rows or
    columns (``[N]`` is ``[N, 1]``), hold fewer than two rows or a value that is not finite.
    """
    true, predicted = columns(true), columns(predicted)
    if true.shape[1] != predicted.shape[1]:
        raise ValueError(f"{true.shape[1]} true and {predicted.shape[1]} predicted columns: give as many of each")
    if len(true) != len(predicted) or len(true) < 2:
        raise ValueError(f"{len(true)} true and {len(predicted)} predicted values: give two or more of each, as many")
    if not (np.isfinite(true).all() and np.isfinite(predicted).all()):
        raise ValueError("true or predicted values hold a NaN or an infinity: the measures need finite ones")
    scores = [_scores(*pair) for pair in zip(true.T, predicted.T, strict=True)]
    return {name: float(np.mean([column[name] for column in scores])) for name in scores[0]}


def columns(values: TensorLike, what: str = "values are") -> NDArray[np.float64]:
    """``values [N]`` or ``[N, C]``, an array or a tensor of any real dtype on any device, as float64 ``[N, C]``.

    Raises ValueError for another shape, complex numbers or a NumPy mask, which no measure looks at.
    """
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = (values if values.is_complex() else values.double()).numpy()
    if np.ma.isMaskedArray(values):
        raise ValueError(f"{what} a masked array: give the entries that count, values.compressed()")
    values = np.asarray(values)
    if values.ndim not in (1, 2) or 0 in values.shape[1:] or np.iscomplexobj(values):
        raise ValueError(f"{what} {values.dtype} {list(values.shape)}: give real numbers, [N] or [N, C]")
    return values.astype(np.float64).reshape(len(values), -1 if values.size else 1)


def _scores(true, predicted):
    from scipy import stats  # here, as `import gsrgnn` does without them
    from sklearn.metrics import r2_score

    scores = {"pearson": np.nan, "spearman": np.nan, "kendall": np.nan}
    if np.ptp(true) > 0 and np.ptp(predicted) > 0:
        scores = {
            "pearson": stats.pearsonr(true, predicted).statistic,
            "spearman": stats.spearmanr(true, predicted).statistic,
            "kendall": stats.kendalltau(true, predicted).statistic,
        }
    return {**scores, "r2": r2_score(true, predicted)}


def difference(
    true: TensorLike, ours: TensorLike, theirs: TensorLike, resamples: int = 400, level: float = 0.95, seed: int = 0
) -> dict[str, tuple[float, float, float]]:
    """By how much two predictions of the same values differ in `correlations`, with bootstrap percentile intervals.

    Args:
        true, ours, theirs: ``[N]`` or ``[N, C]``, as there.
        resamples: how often N of the N values are drawn, with replacement; both predictions are scored on each draw.
        level: share of the draws that an interval holds.

    Returns measure -> ``(ours - theirs, low, high)``; NaN where `correlations` is. Raises ValueError as it does, and
    for fewer than one resample.
    """
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}: draw at least 1")
    true, ours, theirs = columns(true), columns(ours), columns(theirs)

    def gain(rows=slice(None)):
        a, b = correlations(true[rows], ours[rows]), correlations(true[rows], theirs[rows])
        return {measure: a[measure] - b[measure] for measure in a}

    generator = np.random.default_rng(seed)
    found = gain()
    draws = [gain(generator.integers(len(true), size=len(true))) for _ in range(resamples)]
    tails = (1 - level) / 2, (1 + level) / 2
    return {
        measure: (value, *(float(v) for v in np.nanquantile([draw[measure] for draw in draws], tails)))
        for measure, value in found.items()
    }
