"""One training loop for every model: full graph, Adam, mean squared error, the best epoch by validation."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor, nn

from gsrgnn.arguments import positive
from gsrgnn.checkpoint import Checkpoint, Course, digest
from gsrgnn.cuda_graph import captured
from gsrgnn.graph import CircuitGraph
from gsrgnn.label import label_scales, moments, split_label
from gsrgnn.layer_rates import Rates, checked_rates, set_layer_rates
from gsrgnn.memory import freed_memory_kept
from gsrgnn.metrics import correlations
from gsrgnn.model_file import PathLike, copied
from gsrgnn.modes import mode_matters
from gsrgnn.progress import Progress, told
from gsrgnn.reversible import ReversibleStack

if TYPE_CHECKING:
    from torch_geometric.data import Data


@dataclass(frozen=True)
class Training:
    """What `train` returns.

    Attributes:
        history: a row an epoch: ``epoch`` (from 1), ``loss`` (MSE of the standardised label on the training cells), the
            four measures on the validation cells, ``seconds`` of the training step.
        best_epoch: the epoch of the highest validation Pearson; the model is left with its parameters.
        test: the four measures on the test cells, with those parameters.
        prediction: `predict` with those parameters, in the label's units, on the CPU: ``[N]``, and ``[N, C]`` for a
            label of C > 1 columns.

    Of several columns a measure is the mean, as in `correlations`.
    """

    history: pd.DataFrame
    best_epoch: int
    test: dict[str, float]
    prediction: Tensor


def train(
    model: nn.Module,
    data: Data,
    graph: CircuitGraph,
    *,
    epochs: int,
    learning_rate: float = 1e-3,
    layer_rates: Rates | None = None,
    patience: int | None = None,
    progress: Progress = None,
    checkpoint: PathLike | None = None,
    cuda_graph: bool = False,
) -> Training:
    """Train ``model(x, graph)`` on ``data.train_mask`` and keep the epoch with the best validation Pearson.

    First the label's mean and deviation over the training cells, a pair a column, go into the model's `LabelScale`
    (`label_scales` gives one to a model without): ``model(x, graph)`` is in the label's units from then on, also when
    saved and loaded again. The loss is the mean squared error of the standardised label. Where no epoch has a Pearson,
    as when the label is the same for all validation cells, their squared error decides. The test cells are looked at
    once, after the last epoch. Seed with ``torch_geometric.seed_everything`` before the model is made: the loop
    draws nothing of its own, so the same seed gives the same result on the same machine.

    An epoch is a step, and what its parameters predict is scored. `GSRGNN` and the models of `gsrgnn.baselines` compute
    the same in train and eval mode unless they have dropout, so that this prediction is the next step's own forward
    pass; where the mode may matter (`mode_matters`: dropout, BatchNorm, hooks, layers of a class that is not known) it
    is a pass of its own in eval mode.

    Args:
        model: any module that gives ``[N, C]`` or ``[N]`` for ``model(data.x, graph)``; left in the mode it was in.
        data: PyG ``Data`` with ``x``, ``y [N]`` or ``[N, C]`` of any real dtype, and the three masks, bool ``[N]``.
        graph: its `CircuitGraph`.
        layer_rates: by which ``learning_rate`` is multiplied for each layer of the model's `ReversibleStack`, which it
            has one of: 0 freezes a layer (`set_layer_rates`).
        patience: stop after so many epochs in a row without a better one; None goes through all.
        progress: called with each row of the history as it is made, the model having that epoch's parameters; it may
            use the model, and must not change it. Or whether to show a bar with the time left; None shows one in a
            terminal and in a notebook that a person runs.
        checkpoint: a file from which the same call, in another process too, goes on where it was: with the history, to
            the last bit but for the seconds, that it would have had uninterrupted. It is written whole, after the first
            epoch, then once a minute, and in the end, whatever ends it; ``epochs`` and ``patience`` may be others the
            next time. Where it cannot be written a warning says so. `gsrgnn.load_model` makes the best epoch's model
            of it, if it is one of the package's.
        cuda_graph: on a GPU, record forward and backward pass once as a CUDA graph and replay it, which saves its
            launches; where that cannot be done, a warning says why and they are launched one by one. The result is the
            same.

    Raises ValueError, the model being untouched, for fewer than one epoch, no parameter to train, a label or masks that
    `split_label` or `moments` refuses or that differ from the predictions in columns, layer rates that do not fit the
    model, or a checkpoint of another model, label, graph or rate or of more epochs; and when the loss or a prediction
    stops being finite. OSError where there can be no checkpoint.
    """
    epochs = positive("epochs", epochs)
    patience = None if patience is None else positive("patience", patience)
    if not (torch.is_grad_enabled() and any(parameter.requires_grad for parameter in model.parameters())):
        raise ValueError(
            "no parameter of the model takes a gradient here: call train outside no_grad, with one that does"
        )
    y, (train_rows, val_rows, test_rows) = split_label(data)
    before = predict(model, data, graph)
    if before.shape != y.shape:
        raise ValueError(
            f"y is {list(y.shape)} and the model gives {list(before.shape)}: make it with "
            f"out_channels={y.shape[1]}, or choose the columns of y"
        )
    mean, deviation = moments(y[train_rows], before.dtype)
    file = None
    rates = None if layer_rates is None else checked_rates(_only_stack(model), layer_rates)
    if checkpoint is not None:
        rows = train_rows, val_rows, test_rows
        depends = {
            "learning_rate": float(learning_rate),
            "layer_rates": rates,
            "x": digest(data.x),
            "label or split": digest([rows, [y[part] for part in rows]]),
            "graph": digest(graph.operator()),
        }
        file = Checkpoint(checkpoint, model, depends, before.device)
        if file.epochs > epochs:
            raise ValueError(
                f"{checkpoint} has {file.epochs} epochs and epochs is {epochs}: ask for as many, or name another file"
            )
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    if rates is not None:
        set_layer_rates(optimizer, _only_stack(model), rates)
    for scale in label_scales(model, y.shape[1]):
        scale.fill(mean, deviation)
    course = file.resume(model, optimizer) if file else Course()
    gradient = _gradient(
        model, optimizer, data.x, graph, train_rows.to(before.device), y[train_rows].to(before), deviation.to(before)
    )
    apart = mode_matters(model)
    best_prediction = None
    with _mode(model, train=True), _memory(model), told(progress, epochs, course.epoch) as tell, file or nullcontext():
        if cuda_graph:
            try:
                gradient = captured(gradient, model, optimizer)
            except RuntimeError as error:
                warnings.warn(f"no CUDA graph: {error}", stacklevel=2)
        ahead = None
        while course.goes_on(epochs, patience):
            epoch = course.epoch + 1
            loss, _, gradients, seconds = ahead or _timed(gradient)
            start = time.perf_counter()
            for parameter, taken in zip(model.parameters(), gradients, strict=True):
                parameter.grad = taken
            optimizer.step()
            if data.x.is_cuda:
                torch.cuda.synchronize(data.x.device)
            seconds += time.perf_counter() - start
            ahead = None if apart or epoch == epochs else _timed(gradient)
            prediction = (ahead[1] if ahead else predict(model, data, graph)).cpu()
            if not (math.isfinite(loss) and torch.isfinite(prediction).all()):
                raise ValueError(
                    f"training diverged at epoch {epoch} (loss {loss:.3g}): "
                    f"lower learning_rate, which is {learning_rate}"
                )
            scores = correlations(y[val_rows], prediction[val_rows])
            course.rows.append({"epoch": epoch, "loss": loss, **scores, "seconds": seconds})
            squared = ((prediction[val_rows] - y[val_rows]) / deviation).square().mean().item()
            rank = -math.inf if math.isnan(scores["pearson"]) else scores["pearson"], -squared
            if not course.best or rank > course.best_rank:
                course.best, course.best_rank, course.best_epoch = copied(model), rank, epoch
                best_prediction = prediction.clone()
            if file:
                file.keep(course, model, optimizer)
            tell(course.rows[-1])
    model.load_state_dict(course.best)
    prediction = predict(model, data, graph).cpu() if best_prediction is None else best_prediction
    test = correlations(y[test_rows], prediction[test_rows])
    return Training(pd.DataFrame(course.rows), course.best_epoch, test, prediction.squeeze(1))


def _gradient(model, optimizer, x, graph, rows, y, deviation):
    """Forward and backward pass as a function that gives loss, predictions and gradients; ``y`` is ``rows``'s label.

    The gradients are taken off the parameters: what is done with the model before the step adds nothing to them.
    """

    def gradient():
        torch.clear_autocast_cache()  # a user's autocast is around all steps and holds the parameters before the last
        optimizer.zero_grad()
        prediction = _columns(model(x, graph), len(x))
        loss = ((prediction.index_select(0, rows) - y) / deviation).square().mean()
        loss.backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        optimizer.zero_grad()
        return loss.detach(), prediction.detach(), gradients

    return gradient


def _timed(gradient):
    """What ``gradient()`` gives, the loss as a number, for which a GPU is waited for, and the seconds that it took."""
    start = time.perf_counter()
    loss, prediction, gradients = gradient()
    return loss.item(), prediction, gradients, time.perf_counter() - start


def tune(
    make: Callable[[], nn.Module], data: Data, graph: CircuitGraph, *, epochs: int, learning_rates: Iterable[float]
) -> tuple[float, Training]:
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
        raise ValueError("; ".join(dict.fromkeys(diverged)) or "learning_rates is empty: give at least one")
    return max(runs.items(), key=lambda run: run[1].history["pearson"].fillna(-1).max())


@torch.no_grad()
def predict(model: nn.Module, data: Data, graph: CircuitGraph) -> Tensor:
    """What ``model(data.x, graph)`` gives in eval mode, ``[N, C]``, in the label's units once it has been trained.

    The model is left in the mode it was in. Raises ValueError for an output that is neither ``[N]`` nor ``[N, C]``.
    """
    torch.clear_autocast_cache()
    with _mode(model, train=False):
        return _columns(model(data.x, graph), len(data.x))


def _only_stack(model):
    """The `ReversibleStack` in ``model``. Raises ValueError unless there is one and no other."""
    stacks = [module for module in model.modules() if isinstance(module, ReversibleStack)]
    if len(stacks) != 1:
        raise ValueError(
            f"{type(model).__name__} has {len(stacks)} ReversibleStacks and layer_rates is for one: where layers have "
            "parameters of their own, freeze them with layer.requires_grad_(False)"
        )
    return stacks[0]


def _columns(output, size):
    if not isinstance(output, torch.Tensor) or output.ndim not in (1, 2) or len(output) != size:
        given = list(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise ValueError(f"model(x, graph) gives {given} for {size} cells: it must give [{size}] or [{size}, C]")
    return output if output.ndim == 2 else output[:, None]


def _memory(model):
    """What keeps a step's arrays for the next one, where that is safe: a stack makes none that grows with the edges."""
    on_cpu = all(parameter.device.type == "cpu" for parameter in model.parameters())
    stacks = any(isinstance(module, ReversibleStack) for module in model.modules())
    return freed_memory_kept() if on_cpu and stacks else nullcontext()


@contextmanager
def _mode(model, train):
    """``model`` in train or eval mode; each of its modules is in its own again afterwards."""
    found = [(module, module.training) for module in model.modules()]
    model.train(train)
    try:
        yield
    finally:
        for module, training in found:
            module.training = training
