"""A gradient-boosted tree over a cell's own features: what they say of its label without any graph."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from gsrgnn.metrics import correlations

ROUNDS = 300  # trees at most


class Tree(nn.Module):
    """scikit-learn's `HistGradientBoostingRegressor` behind a model's call, so that it is scored as models are.

    Attributes:
        rounds: how many of its trees are used.
        validation: mean Pearson over the validation circuits with so many.
    """

    rounds: int
    validation: float

    def __init__(
        self,
        circuits: Sequence[Data],
        validate: Sequence[Data] | None = None,
        *,
        learning_rate: float = 0.1,
        rounds: int = ROUNDS,
        seed: int = 0,
    ) -> None:
        """Fit it to all cells of ``circuits``, and use as many trees as predict ``validate`` best.

        Args:
            circuits: with ``x [N, F]`` and ``y [N, 1]``.
            validate: circuits; without them the training cells of ``circuits`` are fitted (``train_mask``), and their
                validation cells (``val_mask``) decide.
            learning_rate, rounds: of the boosting, and how many trees at most.
            seed: of scikit-learn; it draws nothing below 200,000 cells.

        Raises ValueError where no number of trees has a Pearson on the validation circuits.
        """
        from sklearn.ensemble import HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

        super().__init__()
        apart = validate is not None
        x, y = (np.concatenate(part) for part in zip(*_rows(circuits, None if apart else "train_mask"), strict=True))
        boosting = HistGradientBoostingRegressor(
            learning_rate=learning_rate, max_iter=rounds, early_stopping=False, random_state=seed
        )
        with threadpool_limits(1, "openmp"):  # sums in one order, and no thread that spins beside torch's
            self.fitted = boosting.fit(x, y.ravel())
        scores = np.mean(
            [
                [correlations(true, guess)["pearson"] for guess in self.fitted.staged_predict(features)]
                for features, true in _rows(validate if apart else circuits, None if apart else "val_mask")
            ],
            axis=0,
        )
        if np.isnan(scores).all():
            raise ValueError("the label of the validation cells is the same for all: validate on other circuits")
        self.rounds, self.validation = int(np.nanargmax(scores)) + 1, float(np.nanmax(scores))

    def forward(self, x: Tensor, graph: object = None) -> Tensor:
        """Predictions ``[N]`` for features ``x [N, F]``; the graph plays no part."""
        stages = self.fitted.staged_predict(x.cpu().numpy())
        return torch.from_numpy(next(islice(stages, self.rounds - 1, None))).to(x)


def _rows(circuits, mask):
    for data in circuits:
        rows = slice(None) if mask is None else data[mask].cpu()
        yield data.x[rows].cpu().numpy(), data.y[rows].cpu().numpy()
