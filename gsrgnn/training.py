"""One training loop for every model: full graph, Adam, mean squared error, the best epoch by validation.

`gsrgnn.one_circuit` has the step and the evaluation where there is one circuit, `gsrgnn.many_circuits` where there are
several.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from gsrgnn.arguments import positive
from gsrgnn.checkpoint import Checkpoint, Course
from gsrgnn.collection import is_collection
from gsrgnn.graph import CircuitGraph
from gsrgnn.label import label_scales
from gsrgnn.layer_rates import Rates, checked_rates, set_layer_rates
from gsrgnn.many_circuits import ManyCircuits
from gsrgnn.memory import freed_memory_kept
from gsrgnn.model_file import PathLike, copied
from gsrgnn.one_circuit import OneCircuit
from gsrgnn.passes import in_mode
from gsrgnn.passes import predict as predict
from gsrgnn.progress import Progress, told
from gsrgnn.reversible import ReversibleStack

if TYPE_CHECKING:
    from torch_geometric.data import Data

    Circuits: TypeAlias = Sequence[Data] | Dataset[Data]


@dataclass(frozen=True)
class Training:
    """What `train` returns.

    Attributes:
        history: a row an epoch: ``epoch`` (from 1), ``loss`` (MSE of the standardised label on the training cells), the
            four measures on the validation cells, ``seconds`` of the training step. Of several circuits the loss is
            that before each step, the measures are the mean over the validation circuits, and ``seconds`` those of the
            epoch's steps, with what it takes to read the circuits.
        best_epoch: the epoch of the highest validation Pearson; the model is left with its parameters.
        test: the four measures on the test cells, with those parameters; of several circuits the mean over them, and
            empty where circuits were given to validate with.
        prediction: `predict` with those parameters, in the label's units, on the CPU: ``[N]``, and ``[N, C]`` for a
            label of C > 1 columns; of several circuits None.

    Of several columns a measure is the mean, as in `correlations`.
    """

    history: pd.DataFrame
    best_epoch: int
    test: dict[str, float]
    prediction: Tensor | None


def train(
    model: nn.Module,
    data: Data | Circuits,
    graph: CircuitGraph | None = None,
    *,
    epochs: int,
    validate: Circuits | None = None,
    circuits_a_step: int = 1,
    learning_rate: float = 1e-3,
    layer_rates: Rates | None = None,
    patience: int | None = None,
    progress: Progress = None,
    checkpoint: PathLike | None = None,
    cuda_graph: bool = False,
) -> Training:
    """Train ``model(x, graph)`` on one circuit or on several and keep the epoch with the best validation Pearson.

    First the label's mean and deviation over the training cells, a pair a column, go into the model's `LabelScale`
    (`label_scales` gives one to a model without): ``model(x, graph)`` is in the label's units from then on, also when
    saved and loaded again. The loss is the mean squared error of the standardised label. Where no epoch has a Pearson,
    as when the label is the same for all validation cells, their squared error decides. The test cells are looked at
    once, after the last epoch. Seed with ``torch_geometric.seed_everything`` before the model is made: for one circuit
    the loop draws nothing of its own, for several one number, so the same seed gives the same result on the same
    machine.

    **One circuit.** An epoch is a step, and what its parameters predict is scored. `GSRGNN` and the models of
    `gsrgnn.baselines` compute the same in train and eval mode unless they have dropout, so that this prediction is the
    next step's own forward pass; where the mode may matter (`mode_matters`: dropout, BatchNorm, hooks, layers of a
    class that is not known) it is a pass of its own in eval mode.

    **Several circuits.** An epoch takes every circuit once, in an order drawn anew, ``circuits_a_step`` of them a step;
    the loss of a step is the mean over its training cells. They are computed one after the other, so that a step takes
    the memory of one, each on a graph that is made once, of the model's `graph_norm`, and kept. Data goes to the
    model's device a circuit at a time. A data set that reads its items when asked is read anew at each epoch;
    ``list(data)`` keeps them in memory. Every validation circuit counts the same, and one whose measure is not defined
    does not count.

    **Several processes.** Over several circuits, where ``torch.distributed`` has a process group (``torchrun``), every
    process calls this with the same arguments and a model of its own, and computes its share of each step's circuits,
    by their pins. The parameters at first are rank 0's, gradients are summed (`gsrgnn.ranks`), and the result is that
    of one process but for rounding, whatever their number; a step of fewer circuits than processes leaves some waiting.
    Rank 0 writes the checkpoint, after every epoch, and calls ``progress``. What BatchNorm has noted is rank 0's. Where
    one rank raises, the others raise RuntimeError.

    Args:
        model: any module that gives ``[N, C]`` or ``[N]`` for ``model(data.x, graph)``; left in the mode it was in.
        data: PyG ``Data`` with ``x``, ``y [N]`` or ``[N, C]`` of any real dtype, and the three masks, bool ``[N]``. Or
            a sequence or data set of these, alike in ``features``, ``feature_names``, ``units``, ``label``, ``combine``
            and columns. Where ``validate`` is given, masks are not looked at, and all cells are trained on.
        graph: the `CircuitGraph` of one circuit; None makes it, of the model's `graph_norm`.
        validate: circuits, others than those that are trained on, whose measures choose the epoch; without it they are
            those of each circuit's ``val_mask``. For several circuits.
        circuits_a_step: how many circuits' gradients a step adds up. For several circuits.
        layer_rates: by which ``learning_rate`` is multiplied for each layer of the model's `ReversibleStack`, which it
            has one of: 0 freezes a layer (`set_layer_rates`).
        patience: stop after so many epochs in a row without a better one; None goes through all.
        progress: called with each row of the history as it is made, the model having that epoch's parameters; it may
            use the model, and must not change it. Or whether to show a bar with the time left; None shows one in a
            terminal and in a notebook that a person runs.
        checkpoint: a file from which the same call, in another process too, goes on where it was: with the history, to
            the last bit but for the seconds, that it would have had uninterrupted. It is written whole, after the first
            epoch, then once a minute, and in the end, whatever ends it; ``epochs`` and ``patience`` may be others the
            next time, and so may the number of processes. Where it cannot be written a warning says so.
            `gsrgnn.load_model` makes the best epoch's model of it, if it is one of the package's.
        cuda_graph: on a GPU and for one circuit, record forward and backward pass once as a CUDA graph and replay it,
            which saves its launches; where that cannot be done, a warning says why and they are launched one by one.
            The result is the same.

    Raises ValueError, the model being untouched, for fewer than one epoch, no parameter to train, a label or masks that
    `split_label` or `moments` refuses or that differ from the predictions in columns, circuits that differ, none at
    all, or a name that is trained on and validated with, layer rates that do not fit the model, or a checkpoint of
    another model, label, graph or rate, of other circuits, or of more epochs; and when the loss or a prediction stops
    being finite. OSError where there can be no checkpoint.
    """
    epochs = positive("epochs", epochs)
    patience = None if patience is None else positive("patience", patience)
    circuits_a_step = positive("circuits_a_step", circuits_a_step)
    if not (torch.is_grad_enabled() and any(parameter.requires_grad for parameter in model.parameters())):
        raise ValueError(
            "no parameter of the model takes a gradient here: call train outside no_grad, with one that does"
        )
    task: OneCircuit | ManyCircuits
    if is_collection(data):
        if graph is not None or cuda_graph:
            raise ValueError("graph and cuda_graph are for one circuit: leave them out for several")
        task = ManyCircuits(model, data, validate, circuits_a_step, with_digest=checkpoint is not None)
    else:
        if validate is not None or circuits_a_step > 1:
            raise ValueError("validate and circuits_a_step are for several circuits: give a list of one, [data]")
        task = OneCircuit(model, data, graph)
    ranks = task.ranks
    rates = None if layer_rates is None else checked_rates(_only_stack(model), layer_rates)
    file = None
    with ranks.together():
        if checkpoint is not None and ranks.first:
            depends = {"learning_rate": float(learning_rate), "layer_rates": rates} | task.depends()
            file = Checkpoint(checkpoint, model, depends, task.device, each_epoch=ranks.size > 1)
            if file.epochs > epochs:
                raise ValueError(
                    f"{checkpoint} has {file.epochs} epochs and epochs is {epochs}: ask for as many, or name another "
                    "file"
                )
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    if rates is not None:
        set_layer_rates(optimizer, _only_stack(model), rates)
    for scale in label_scales(model, len(task.mean)):
        scale.fill(task.mean, task.deviation)
    course = file.resume(model, optimizer) if file else Course()
    shown = told(progress if ranks.first else False, epochs, course.epoch)
    with in_mode(model, train=True), _memory(model), shown as tell, file or nullcontext():
        course = task.begin(course, optimizer, cuda_graph)
        while course.goes_on(epochs, patience):
            number = course.epoch + 1
            epoch = task.epoch(course, last=number == epochs)
            if not (math.isfinite(epoch.loss) and epoch.finite):
                raise ValueError(
                    f"training diverged at epoch {number} (loss {epoch.loss:.3g}): "
                    f"lower learning_rate, which is {learning_rate}"
                )
            course.rows.append({"epoch": number, "loss": epoch.loss, **epoch.scores, "seconds": epoch.seconds})
            pearson = epoch.scores["pearson"]
            rank = -math.inf if math.isnan(pearson) else pearson, -epoch.error
            if not course.best or rank > course.best_rank:
                course.best, course.best_rank, course.best_epoch = copied(model), rank, number
                task.best()
            with ranks.together():
                if file:
                    file.keep(course, model, optimizer)
                tell(course.rows[-1])
    model.load_state_dict(course.best)
    test, prediction = task.end()
    return Training(pd.DataFrame(course.rows), course.best_epoch, test, prediction)


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


def _only_stack(model):
    """The `ReversibleStack` in ``model``. Raises ValueError unless there is one and no other."""
    stacks = [module for module in model.modules() if isinstance(module, ReversibleStack)]
    if len(stacks) != 1:
        raise ValueError(
            f"{type(model).__name__} has {len(stacks)} ReversibleStacks and layer_rates is for one: where layers have "
            "parameters of their own, freeze them with layer.requires_grad_(False)"
        )
    return stacks[0]


def _memory(model):
    """What keeps a step's arrays for the next one, where that is safe: a stack makes none that grows with the edges."""
    on_cpu = all(parameter.device.type == "cpu" for parameter in model.parameters())
    stacks = any(isinstance(module, ReversibleStack) for module in model.modules())
    return freed_memory_kept() if on_cpu and stacks else nullcontext()
