"""How good the predictions for circuits are: the paper's four measures over cells, CircuitNet's three over gcells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from torch import nn

from gsrgnn.arguments import TensorLike, as_array, positive
from gsrgnn.collection import is_collection
from gsrgnn.graph import CircuitGraph
from gsrgnn.metrics import MEASURES as OVER_CELLS
from gsrgnn.metrics import columns, correlations
from gsrgnn.training import predict

if TYPE_CHECKING:
    from torch_geometric.data import Data

OVER_GRID = ("nrms", "ssim", "emd")
MEASURES = (*OVER_CELLS, *OVER_GRID)
_TOP = 255  # the highest of the levels of 8 bits
_WINDOW = 11  # gcells, SSIM's: 3.5 deviations of 1.5 gcells to each side
_BORDER = _WINDOW // 2


def evaluate(
    model: nn.Module,
    circuits: Data | Iterable[Data],
    *,
    graph: Callable[[Data], CircuitGraph] | None = None,
    mask: str | None = None,
    maps: bool = True,
) -> pd.DataFrame:
    """Measures of ``model``'s predictions: a row a circuit, by its ``name``, and a row "all".

    Columns: ``cells``, how many were looked at; over them ``pearson``, ``spearman``, ``kendall`` and ``r2``
    (`correlations`); over the gcells ``nrms``, ``ssim`` and ``emd`` (`grid_measures`) of the two maps that `gcell_map`
    makes of label and prediction. Of a label of several columns a measure is the mean over the columns. The row "all"
    has the sum of ``cells`` and of each measure the mean over the circuits, each counted once whatever its size.

    A measure is NaN where there is none: a correlation where label or prediction is constant, the last three where the
    data has no ``gcell`` and ``grid``, or as `grid_measures` says. It is then NaN in the row "all" too, so that a model
    that predicts a constant for one circuit is not the better for it.

    Args:
        model: any module that gives ``[N, C]`` or ``[N]`` for ``model(data.x, graph)``, in the label's units.
        circuits: one PyG ``Data`` with ``x`` and ``y [N]`` or ``[N, C]``, or several (a list, a data set, a generator),
            which are asked for one after another and not kept.
        graph: makes a circuit's `CircuitGraph`, where its ``x`` is; without it `predict` makes one and moves both.
        mask: the name of a mask, bool ``[N]``, such as "test_mask": only its cells are looked at, in the maps too.
            None takes all. The model is given the whole circuit in any case.
        maps: False leaves the last three NaN, and needs no scikit-image.

    Raises ValueError for no circuits and, naming the circuit, for no label, labels and predictions that differ in
    columns, a mask that is none, and as `correlations` does; ModuleNotFoundError, before anything is computed, without
    scikit-image.
    """
    from torch_geometric.data import Data

    if maps:
        _structural_similarity()
    names: list[str] = []
    rows: list[dict[str, float]] = []
    for data in [circuits] if isinstance(circuits, Data) else _each(circuits):
        name = data.name if "name" in data else f"circuit {len(names)}"
        try:
            rows.append(_of_model(model, data, graph, mask, maps))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        names.append(name)
    if not rows:
        raise ValueError("no circuits: give one or more")
    table = pd.DataFrame(rows, pd.Index(names, name="circuit"))
    means = table[list(MEASURES)].mean(skipna=False)
    whole = pd.DataFrame([{"cells": table["cells"].sum(), **means}], pd.Index(["all"], name="circuit"))
    return pd.concat([table, whole])


def _each(circuits):
    """One after another; a data set by its length, as iterating ends only where its items raise IndexError."""
    return (circuits[place] for place in range(len(circuits))) if is_collection(circuits) else circuits


def measures(
    data: Data, predicted: TensorLike, *, rows: slice | NDArray[np.int64] = slice(None), maps: bool = True
) -> dict[str, float]:
    """A row of `evaluate`'s table: ``cells`` and the `MEASURES` of predictions ``[N, C]`` of ``data``'s label.

    rows: the cells that are looked at. Raises as `evaluate`.
    """
    if data.y is None:
        raise ValueError("there is no label y to compare predictions with")
    true, predicted = columns(data.y, "y is"), columns(predicted)
    if true.shape != predicted.shape:
        raise ValueError(f"y is {list(true.shape)} and the model gives {list(predicted.shape)}: they must be the same")
    true, predicted = true[rows], predicted[rows]
    scores = {"cells": len(true), **correlations(true, predicted)}
    over_grid = dict.fromkeys(OVER_GRID, np.nan)
    if maps and "gcell" in data and "grid" in data:
        gcell = data.gcell.cpu()[rows]
        each = [
            grid_measures(*(gcell_map(values, gcell, data.grid) for values in pair))
            for pair in zip(true.T, predicted.T, strict=True)
        ]
        over_grid = {name: float(np.mean([one[name] for one in each])) for name in over_grid}
    return scores | over_grid


def compares_maps() -> bool:
    """Whether the three measures over gcells can be had here: scikit-image is installed."""
    return find_spec("skimage") is not None


def _of_model(model, data, graph, mask, maps):
    if data.y is None:
        raise ValueError("there is no label y to compare predictions with")
    rows = slice(None) if mask is None else _cells(data, mask, len(data.y))
    return measures(data, predict(model, data, graph and graph(data)), rows=rows, maps=maps)


def _cells(data, mask, size):
    given = data.get(mask)
    found = None if given is None else as_array(mask, given, f"a mask, bool [{size}]")
    if found is None or found.dtype != bool or found.shape != (size,):
        raise ValueError(f"{mask!r} is no mask of the data: name one, bool [{size}], such as 'test_mask'")
    return found.nonzero()[0]


def gcell_map(values: TensorLike, gcell: TensorLike, grid: Sequence[int]) -> NDArray[np.float64]:
    """float64 ``[W, H]``, the mean of ``values`` over the cells that cover a gcell; NaN where no cell lies.

    NaN and not 0, which would be a prediction that nobody made. A cell counts once in each gcell that it covers, a
    macro as much as a gate.

    Args:
        values: ``[N]`` or ``[N, 1]``, a number a cell.
        gcell: integers ``[N, 4]``, the gcells that it covers (left, bottom, right, top, inclusive).
        grid: ``(W, H)``, gcells across and up.

    Raises ValueError for other shapes, and for a cell that does not lie on the grid.
    """
    width, height = (positive("grid", side) for side in grid)
    numbers = columns(values)
    box = as_array("gcell", gcell, f"integers [{len(numbers)}, 4]")
    if numbers.shape[1] != 1 or box.shape != (len(numbers), 4) or box.dtype.kind not in "iu":
        shapes = f"values are {list(numbers.shape)} and gcell is {box.dtype} {list(box.shape)}"
        raise ValueError(f"{shapes}: give one number a cell, and integers [N, 4]")
    left, bottom, right, top = box.astype(np.int64).T
    off = (left < 0) | (left > right) | (right >= width) | (bottom < 0) | (bottom > top) | (top >= height)
    if off.any():
        first = int(off.argmax())
        raise ValueError(f"cell {first} covers the gcells {box[first].tolist()}, not on the grid ({width}, {height})")
    rows = top - bottom + 1
    area = (right - left + 1) * rows
    cell = np.repeat(np.arange(len(box)), area)
    column, row = np.divmod(np.arange(len(cell)) - (area.cumsum() - area)[cell], rows[cell])
    at = (left[cell] + column) * height + bottom[cell] + row
    count = np.bincount(at, minlength=width * height)
    total = np.bincount(at, numbers[cell, 0], minlength=width * height)
    mean = np.divide(total, count, out=np.full(width * height, np.nan), where=count > 0)
    return mean.reshape(width, height)


def grid_measures(true_map: ArrayLike, predicted_map: ArrayLike) -> dict[str, float]:
    """``{"nrms", "ssim", "emd"}`` of two maps ``[W, H]``, by the definitions of CircuitNet's own evaluation.

    Source: github.com/circuitnet/CircuitNet, routability_ir_drop_prediction, ``utils/metrics.py`` for the measures and
    ``preprocess_scripts/generate_training_set.py`` for the range of the label. As there:

    - The true map's smallest value becomes 0 and its largest 1, and the prediction goes through the same shift and
      scale. Both are then cut off at 0 and 1 and rounded to 256 levels, of which the measures are made.
    - ``nrms``: root of the mean squared difference over the range of the true map; 0 is the best.
    - ``ssim``: the mean of the structural similarity over all windows that lie on the map: Gaussian, 11 by 11 gcells,
      deviation 1.5, constants 0.01 and 0.03 of the range, covariance of the whole population; 1 is the best.
    - ``emd``: histograms of both maps after equalisation, and the Wasserstein distance between the two sets of 256
      heights; 0 is the best. Neither the place nor the size of a value enters but by the order of the levels and how
      many gcells share one: two maps that lie far apart may have an ``emd`` of 0.

    What differs: the maps stay on their own grid, where CircuitNet resizes to 256 by 256. Gcells without a value (NaN,
    in both maps) are left out of ``nrms`` and ``emd``, and ``ssim`` takes the windows whose middle has a value, with
    level 0 in both maps where there is none. The levels of equalised maps are computed in integers. CircuitNet's test
    loop counts a measure that is exactly 1 as 0, and its NRMS is 0.05 for a constant true map and another prediction;
    neither is done here.

    All three are NaN where the true map has one value only, which leaves no range; ``ssim`` also where a side is
    shorter than the window or no window's middle has a value.

    Raises ValueError for maps of two shapes, infinite values, and gcells with a value in one map alone;
    ModuleNotFoundError without scikit-image, which the extra "book" has.
    """
    from scipy.stats import wasserstein_distance

    structural_similarity = _structural_similarity()
    true, predicted = np.asarray(true_map, np.float64), np.asarray(predicted_map, np.float64)
    if true.ndim != 2 or true.shape != predicted.shape:
        raise ValueError(f"maps are {list(true.shape)} and {list(predicted.shape)}: give two of one shape [W, H]")
    known = ~np.isnan(true)
    if np.isinf(true).any() or np.isinf(predicted).any():
        raise ValueError("a map holds an infinity: the measures need finite values")
    if (known == np.isnan(predicted)).any():
        raise ValueError("some gcells have a value in one map alone: make both maps of the same cells")
    if not known.any() or (low := true[known].min()) == (high := true[known].max()):
        return dict.fromkeys(OVER_GRID, np.nan)
    with np.errstate(over="ignore"):
        levels = [
            np.where(known, np.rint(_TOP * ((values - low) / (high - low)).clip(0, 1)), 0).astype(np.uint8)
            for values in (true, predicted)
        ]
    difference = np.subtract(*(level[known].astype(np.float64) for level in levels))
    ssim = np.nan
    inner = (slice(_BORDER, -_BORDER),) * 2
    if min(true.shape) >= _WINDOW and known[inner].any():
        _, local = structural_similarity(
            *levels, data_range=_TOP, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
        )
        ssim = local[inner][known[inner]].mean()
    return {
        "nrms": float(np.sqrt(np.square(difference).mean()) / _TOP),
        "ssim": float(ssim),
        "emd": float(wasserstein_distance(*(_equalised_heights(level[known]) for level in levels))),
    }


def _equalised_heights(levels):
    """float64 ``[256]``, the shares of each level once the histogram of ``levels`` is equalised."""
    counts = np.bincount(levels, minlength=_TOP + 1)
    return np.bincount(_TOP * counts.cumsum() // len(levels), counts, minlength=_TOP + 1) / len(levels)


def _structural_similarity():
    try:
        from skimage.metrics import structural_similarity
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("SSIM needs scikit-image: pip install 'gsrgnn[book]'", name="skimage") from error
    return structural_similarity
