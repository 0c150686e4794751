"""Training on the cells of one circuit: an epoch is a step, and the next step's forward pass is its evaluation."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gsrgnn.checkpoint import Course, digest
from gsrgnn.cuda_graph import captured
from gsrgnn.graph import CircuitGraph
from gsrgnn.label import moments, split_label
from gsrgnn.metrics import correlations
from gsrgnn.modes import mode_matters
from gsrgnn.passes import Epoch, as_columns, check_columns, graph_norm, predict
from gsrgnn.ranks import Ranks

if TYPE_CHECKING:
    from torch_geometric.data import Data


class OneCircuit:
    """What `gsrgnn.training.train` trains on where it is given one circuit; errors are those of `train`.

    Attributes:
        mean, deviation: of the label over the training cells, float64 ``[C]``.
        device: of the predictions.
    """

    def __init__(self, model: nn.Module, data: Data, graph: CircuitGraph | None) -> None:
        if graph is None:
            graph = CircuitGraph.from_data(data, norm=graph_norm(model)).to(data.x.device)
        self.model, self.data, self.graph, self.ranks = model, data, graph, Ranks()
        self.y, (self.train, self.val, self.test) = split_label(data)
        before = predict(model, data, graph)
        check_columns(self.y, before)
        self.mean, self.deviation = moments(self.y[self.train], before.dtype)
        self.dtype, self.device = before.dtype, before.device
        self._best_prediction: Tensor | None = None

    def depends(self) -> dict[str, Any]:
        """What the history depends on."""
        rows = self.train, self.val, self.test
        return {
            "x": digest(self.data.x),
            "label or split": digest([rows, [self.y[part] for part in rows]]),
            "graph": digest(self.graph.operator()),
        }

    def begin(self, course: Course, optimizer: torch.optim.Optimizer, cuda_graph: bool) -> Course:
        """Before the first call of `epoch`, the model being in train mode and where ``course`` says."""
        self.optimizer = optimizer
        self.gradient = self._gradient
        self._rows = self.train.to(self.device)
        self._label, self._scale = (each.to(self.device, self.dtype) for each in (self.y[self.train], self.deviation))
        self._apart, self._ahead = mode_matters(self.model), None
        if cuda_graph:
            try:
                self.gradient = captured(self.gradient, self.model, optimizer)
            except RuntimeError as error:
                warnings.warn(f"no CUDA graph: {error}", stacklevel=3)
        return course

    def epoch(self, course: Course, last: bool) -> Epoch:
        """The epoch after ``course.epoch``: a step, and its prediction, for which the next step's gradient is taken."""
        loss, _, gradients, seconds = self._ahead or self._timed_gradient()
        start = time.perf_counter()
        for parameter, taken in zip(self.model.parameters(), gradients, strict=True):
            parameter.grad = taken
        self.optimizer.step()
        if self.data.x.is_cuda:
            torch.cuda.synchronize(self.data.x.device)
        seconds += time.perf_counter() - start
        self._ahead = None if self._apart or last else self._timed_gradient()
        prediction = (self._ahead[1] if self._ahead else predict(self.model, self.data, self.graph)).cpu()
        if not torch.isfinite(prediction).all():
            return Epoch(loss, {}, 0, False, seconds)
        self._prediction = prediction
        squared = ((prediction[self.val] - self.y[self.val]) / self.deviation).square().mean().item()
        return Epoch(loss, correlations(self.y[self.val], prediction[self.val]), squared, True, seconds)

    def best(self) -> None:
        """The last epoch was the best so far."""
        self._best_prediction = self._prediction.clone()

    def end(self) -> tuple[dict[str, float], Tensor]:
        """The measures on the test cells and the prediction, by the model as it is: as it was at the best epoch."""
        prediction = self._best_prediction
        if prediction is None:
            prediction = predict(self.model, self.data, self.graph).cpu()
        return correlations(self.y[self.test], prediction[self.test]), prediction.squeeze(1)

    def _gradient(self):
        """Forward and backward pass: loss, predictions and gradients.

        The gradients are taken off the parameters: what is done with the model before the step adds nothing to them.
        """
        torch.clear_autocast_cache()  # a user's autocast is around all steps and holds the parameters before the last
        self.optimizer.zero_grad()
        prediction = as_columns(self.model(self.data.x, self.graph), len(self.data.x))
        loss = ((prediction.index_select(0, self._rows) - self._label) / self._scale).square().mean()
        loss.backward()
        gradients = [parameter.grad for parameter in self.model.parameters()]
        self.optimizer.zero_grad()
        return loss.detach(), prediction.detach(), gradients

    def _timed_gradient(self):
        """With the loss as a number, for which a GPU is waited for, and the seconds that it took."""
        start = time.perf_counter()
        loss, prediction, gradients = self.gradient()
        return loss.item(), prediction, gradients, time.perf_counter() - start
