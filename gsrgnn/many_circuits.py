"""Training over several circuits: a step takes some of them, and each is computed with on its own."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from gsrgnn.checkpoint import Course
from gsrgnn.collection import Collection, Facts, check_agree, check_apart, digest_of
from gsrgnn.label import joint_moments
from gsrgnn.metrics import MEASURES, correlations
from gsrgnn.passes import Epoch, as_columns, check_columns, graph_norm, predicted
from gsrgnn.ranks import Ranks


class ManyCircuits:
    """What `gsrgnn.training.train` trains on where it is given a collection of circuits; errors are those of `train`.

    The seed is drawn once, of torch's generator. From it, the epoch and a circuit's number follow the order of the
    circuits and the random numbers of each forward pass: they are the same whichever rank computes it, and after a
    checkpoint.

    Args:
        with_digest: whether `depends` will be asked for.

    Attributes:
        ranks: the processes that share each step.
        mean, deviation: of the label over the training cells of all circuits, float64 ``[C]``.
        device: of the model.
    """

    def __init__(
        self, model: nn.Module, circuits: Any, validate: Any | None, circuits_a_step: int, with_digest: bool
    ) -> None:
        if isinstance(model, nn.parallel.DistributedDataParallel):
            raise ValueError("give the model without DistributedDataParallel: train sums the gradients over the ranks")
        self.model, self.device = model, next(model.parameters()).device
        self.ranks, self.circuits_a_step = Ranks.here(self.device), circuits_a_step
        masked = validate is None
        with self.ranks.together():
            given = masked, graph_norm(model), self.device
            self.circuits = Collection("circuits", circuits, *given)
            self.validation = self.circuits if validate is None else Collection("validate", validate, *given)
        self.facts = self._facts(self.circuits, with_digest)
        self._pins = [each.pins for each in self.facts]
        self.validation_facts = self.facts if masked else self._facts(self.validation, with_digest)
        check_agree([*self.facts, *self.validation_facts])
        if not masked:
            check_apart(self.facts, self.validation_facts)
        with self.ranks.together():
            item = self.circuits[self._pins.index(min(self._pins))]
            before = predicted(model, item.x, item.graph)
            check_columns(item.y, before)
        self.dtype = before.dtype
        self.mean, self.deviation = joint_moments([each.spread for each in self.facts], self.dtype)
        if self.ranks.first and self.ranks.size > min(circuits_a_step, len(self.facts)):
            warnings.warn(
                f"a step takes {circuits_a_step} of {len(self.facts)} circuits and there are {self.ranks.size} ranks: "
                "some wait; raise circuits_a_step",
                stacklevel=3,
            )

    def _facts(self, collection: Collection, with_digest: bool) -> list[Facts]:
        """Of every circuit; each rank reads its part."""
        size = len(collection)
        sizes = self.ranks.gathered({self.ranks.rank: size})
        if len(set(sizes.values())) > 1:
            raise ValueError(f"{collection.what} has {sizes} circuits by rank: give all of them to every rank")
        with self.ranks.together():
            mine = range(self.ranks.rank, size, self.ranks.size)
            found = {number: collection.facts(number, with_digest) for number in mine}
        found = self.ranks.gathered(found)
        return [found[number] for number in range(size)]

    def depends(self) -> dict[str, Any]:
        """What the history depends on."""
        return {
            "circuits": digest_of(self.facts),
            "validate": "masks" if self.validation is self.circuits else digest_of(self.validation_facts),
            "circuits_a_step": self.circuits_a_step,
        }

    def begin(self, course: Course, optimizer: torch.optim.Optimizer, cuda_graph: bool) -> Course:
        """Before the first call of `epoch`: model, optimizer and ``course`` become those of rank 0."""
        course.seed = course.seed or int(torch.randint(1, 2**62, ()))
        self.optimizer = optimizer
        if self.ranks.size > 1:
            course, state = self.ranks.same((course, optimizer.state_dict()))
            optimizer.load_state_dict(state)
        self.ranks.set_to_first([*self.model.parameters(), *self.model.buffers()])
        self._scale = self.deviation.to(self.device, self.dtype)
        return course

    def epoch(self, course: Course, last: bool) -> Epoch:
        """The epoch after ``course.epoch``: the steps over all circuits, then a pass over those of the validation."""
        start = time.perf_counter()
        number = course.epoch + 1
        draws = course.seed, number
        order = np.random.default_rng(draws).permutation(len(self.facts)).tolist()
        steps = [order[at : at + self.circuits_a_step] for at in range(0, len(order), self.circuits_a_step)]
        errors = cells = 0
        for step in steps:
            cells_of_step = sum(self.facts[each].spread.cells for each in step)
            errors += self._step(step, cells_of_step, draws) * cells_of_step
            cells += cells_of_step
        self.ranks.set_to_first(self.model.buffers())
        loss = errors / cells
        seconds = time.perf_counter() - start
        scores, error, finite = self._scores(1 if self.circuits.masked else 0)
        return Epoch(loss, scores, error, finite, seconds)

    def best(self) -> None:
        """The last epoch was the best so far."""

    def end(self) -> tuple[dict[str, float], None]:
        """The measures on the test cells of the circuits' masks, the mean over circuits, by the model as it is."""
        return (self._scores(2)[0] if self.circuits.masked else {}), None

    def _step(self, numbers, cells, draws):
        """A step of the mean over the training ``cells`` of the circuits ``numbers``: its loss before."""
        self.optimizer.zero_grad()
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        loss = torch.zeros((), dtype=self.dtype, device=self.device)
        torch.clear_autocast_cache()  # a user's autocast is around all steps and holds the parameters before the last
        with self.ranks.together():
            for number in self.ranks.share(numbers, self._pins):
                with _drawn(*draws, number, device=self.device):
                    loss += self._backward(self.circuits[number], cells)
            if self.ranks.size > 1:
                for parameter in parameters:
                    parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        self.ranks.sum([loss, *(parameter.grad for parameter in parameters if parameter.grad is not None)])
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.item()

    def _backward(self, item, cells):
        """Adds the gradient of a circuit's part of the mean over ``cells``; that part."""
        rows = item.rows[0]
        prediction = as_columns(self.model(item.x, item.graph), len(item.x)).index_select(0, rows.to(self.device))
        label = item.y[rows].to(self.device, self.dtype)
        loss = ((prediction - label) / self._scale).square().mean() * (len(rows) / cells)
        loss.backward()
        return loss.detach()

    def _scores(self, part):
        """The measures, the squared error and whether all is finite, on the cells of one of the ``rows``.

        The mean over circuits, but for measures of those that have none.
        """
        table = torch.zeros(len(self.validation_facts), len(MEASURES) + 2, dtype=torch.float64, device=self.device)
        with self.ranks.together():
            sizes = [each.pins for each in self.validation_facts]
            for number in self.ranks.share(range(len(sizes)), sizes):
                item = self.validation[number]
                prediction = predicted(self.model, item.x, item.graph).cpu()
                finite = bool(torch.isfinite(prediction).all())
                y, prediction = item.y[item.rows[part]], prediction[item.rows[part]]
                measures = correlations(y, prediction) if finite else dict.fromkeys(MEASURES, math.nan)
                squared = ((prediction - y) / self.deviation).square().mean().item()
                table[number] = torch.tensor([*(measures[name] for name in MEASURES), squared, finite])
        self.ranks.sum([table])
        *scores, _, _ = table.nanmean(0).tolist()
        return dict(zip(MEASURES, scores, strict=True)), table[:, -2].mean().item(), bool(table[:, -1].all())


@contextmanager
def _drawn(*numbers: int, device: torch.device) -> Iterator[None]:
    """A block in which torch draws what follows from ``numbers``; its generators are then where they were."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]))
        yield
