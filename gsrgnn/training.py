"""One training loop for every model: full graph, Adam, mean squared error, the best epoch by validation."""

import copy
import time
import warnings
from dataclasses import dataclass

import pandas as pd
import torch
from torch.nn.functional import mse_loss

from gsrgnn.cuda_graph import captured
from gsrgnn.metrics import correlations


@dataclass(frozen=True)
class Training:
    """What `train` returns.

    Attributes:
        history: a row an epoch: ``epoch`` (from 1), ``loss`` (MSE of the standardised label on the training
            cells), the four measures on the
            validation cells, ``seconds`` of the training step.
        best_epoch: the epoch of the highest validation Pearson; the model is left with its parameters.
        test: the four measures on the test cells, with those parameters.
        prediction: float32 ``[N]`` on the CPU, with those parameters.
    """

    history: pd.DataFrame
    best_epoch: int
    test: dict
    prediction: torch.Tensor


def train(model, data, graph, *, epochs, learning_rate=1e-3, progress=None, cuda_graph=False):
    """Train ``model(x, graph)`` on ``data.train_mask`` and keep the epoch with the best validation Pearson.

    The label is standardised with the training cells' mean and deviation, and predictions are given back in its own
    units. The test cells are looked at once, after the last epoch. Seed with ``torch_geometric.seed_everything`` before
    the model is made: the loop draws nothing, so the same seed gives the same result on the same machine.

    Args:
        data: PyG ``Data`` with ``x``, ``y [N, 1]`` and the three masks.
        graph: its `CircuitGraph`.
        progress: called with each row of the history as it is made.
        cuda_graph: on a GPU, record the step once as a CUDA graph and replay it, which saves its launches; where that
            cannot be done, a warning says why and the steps are launched one by one. The result is the same.

    Raises ValueError for fewer than one epoch, or when the loss or a prediction stops being finite.
    """
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}: train for at least 1")
    known = data.y[data.train_mask]
    centre, scale = known.mean(), known.std().clamp_min(torch.finfo(known.dtype).tiny)
    target = (known - centre) / scale
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, capturable=cuda_graph and data.x.is_cuda)
    step = _step(model, optimizer, data, graph, target)
    if cuda_graph:
        try:
            step = captured(step, model, optimizer)
        except RuntimeError as error:
            warnings.warn(f"no CUDA graph: {error}", stacklevel=2)
    y, val_mask, test_mask = data.y.cpu(), data.val_mask.cpu(), data.test_mask.cpu()
    rows, best, best_score = [], None, -float("inf")
    for epoch in range(1, epochs + 1):
        start = time.perf_counter()
        loss = step()
        if data.x.is_cuda:
            torch.cuda.synchronize(data.x.device)
        seconds = time.perf_counter() - start
        prediction = (predict(model, data, graph) * scale + centre).cpu()
        if not (torch.isfinite(loss) and torch.isfinite(prediction).all()):
            raise ValueError(f"training diverged at epoch {epoch} (loss {loss.item():.3g}): "
                             f"lower learning_rate, which is {learning_rate}")
        scores = correlations(y[val_mask], prediction[val_mask])
        rows.append({"epoch": epoch, "loss": loss.item(), **scores, "seconds": seconds})
        if best is None or scores["pearson"] > best_score:
            best, best_score = copy.deepcopy(model.state_dict()), max(scores["pearson"], best_score)
            best_epoch = epoch
        if progress:
            progress(rows[-1])
    model.load_state_dict(best)
    prediction = (predict(model, data, graph) * scale + centre).cpu()
    test = correlations(y[test_mask], prediction[test_mask])
    return Training(pd.DataFrame(rows), best_epoch, test, prediction.flatten())


def _step(model, optimizer, data, graph, target):
    """One training step as a function that returns the loss."""
    rows = data.train_mask.nonzero().flatten()  # a mask's count would have to be waited for in every step

    def step():
        optimizer.zero_grad()
        loss = mse_loss(model(data.x, graph).index_select(0, rows), target)
        loss.backward()
        optimizer.step()
        return loss.detach()
    return step


def tune(make, data, graph, *, epochs, learning_rates):
    """`train` at each of ``learning_rates``, on a model made anew by ``make()`` each time; validation decides.

    Every model that is tuned with the same rates and epochs has had the same budget. The test cells play no part in
    the choice. A rate at which training diverges is passed over.

    Returns the rate and its `Training`. Raises ValueError where training diverged at every rate.
    """
    runs, diverged = {}, []
    for rate in learning_rates:
        try:
            runs[rate] = train(make(), data, graph, epochs=epochs, learning_rate=rate)
        except ValueError as error:
            diverged.append(str(error))
    if not runs:
        raise ValueError("; ".join(diverged) or "learning_rates is empty: give at least one")
    return max(runs.items(), key=lambda run: run[1].history["pearson"].fillna(-1).max())


@torch.no_grad()
def predict(model, data, graph):
    """The model's output ``[N, 1]``."""
    model.eval()
    prediction = model(data.x, graph)
    model.train()
    return prediction
