"""As a user runs it: an epoch of `train`, and a loop of one's own, beside the bench's own step."""

import resource
import time
from collections.abc import Callable
from contextlib import nullcontext
from statistics import median

from torch import Tensor
from torch_geometric.data import Data

from gsrgnn.graph import CircuitGraph
from gsrgnn.lab.bench.contenders import Row
from gsrgnn.lab.bench.trainer import Trainer
from gsrgnn.memory import freed_memory_kept, keep_freed_memory
from gsrgnn.training import train

WARM_UP = 2


def as_run(
    row: Row,
    data: Data,
    inputs: dict[str, Tensor],
    graphs: dict[str, CircuitGraph],
    hidden: int,
    layers: int,
    steps: int,
) -> list[dict]:
    """Dicts of a ``row``'s name, a ``name``, ``seconds`` and ``page_faults``: medians of ``steps`` after a warm-up.

    On a CPU: the bench's step; an epoch of `train`, which scores its predictions too; and the same step in a loop of
    one's own, within `freed_memory_kept` and without. A page fault is 4 KiB that the process had not in hand.
    """
    trainer = Trainer(row, inputs, graphs, hidden, layers)
    found = []

    def add(name, marks):
        seconds, faults = ([later - sooner for sooner, later in zip(part, part[1:])] for part in zip(*marks))  # noqa: B905
        found.append(
            {
                "row": row.name,
                "name": name,
                "seconds": median(seconds[WARM_UP:]),
                "page_faults": int(median(faults[WARM_UP:])),
            }
        )

    def loop(step: Callable[[], object], kept):
        marks = [_mark()]
        with freed_memory_kept() if kept else nullcontext():
            for _ in range(WARM_UP + steps):
                step()
                marks.append(_mark())
        return marks

    add("the bench's step", loop(trainer.timed_step, False))
    keep_freed_memory(False)
    marks = [_mark()]
    model = row.make(inputs["x"].shape[1], hidden, layers)
    train(model, data, trainer.graph, epochs=WARM_UP + steps, progress=lambda _: marks.append(_mark()))
    add("an epoch of train", marks)
    add("a loop of one's own, freed memory kept", loop(trainer.step, True))
    add("a loop of one's own", loop(trainer.step, False))
    return found


def _mark():
    return time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt
