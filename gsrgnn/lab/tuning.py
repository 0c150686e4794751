"""A training at a rate that validation chose: the rates are tried with one budget, and every training is kept.

What a training has come to lies in a file named by all that it depends on, the code included. So one that was cut goes
on, and who asks for the same training again has it without another epoch.
"""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from torch import nn
from torch_geometric import seed_everything
from torch_geometric.data import Data

from gsrgnn.graph import CircuitGraph
from gsrgnn.lab.reached import reached
from gsrgnn.model_file import described
from gsrgnn.provenance import PACKAGE, hash_files
from gsrgnn.training import Training, train

FOLDER = Path("_build") / "trainings"
FURTHER = 4  # rates that are tried beyond those given, where the best lies on their edge
TUNING_SEED = 0


@dataclass(frozen=True)
class Budget:
    """What every model of a comparison gets.

    Attributes:
        epochs: of the training that is scored.
        learning_rates: a geometric series, in ascending order.
        tuning_epochs: of the training at each rate; 0 for ``epochs``, which is scored where its rate is the best.
        tuning_layers: depth at which the rates are tried; 0 for the depth of the model.
        patience: epochs in a row without a better one after which the training that is scored stops; 0 for none.
    """

    epochs: int
    learning_rates: Sequence[float]
    tuning_epochs: int = 0
    tuning_layers: int = 0
    patience: int = 0


@dataclass(frozen=True)
class Tuned:
    """What `tuned` returns.

    Attributes:
        rate: the best of those ``tried``.
        tried: rate -> the best validation Pearson, -inf where training diverged.
        training: at the best rate.
    """

    rate: float
    tried: dict[float, float]
    training: Training

    @property
    def on_edge(self) -> bool:
        """Whether no rate on one side of the best was tried."""
        return self.rate in (min(self.tried), max(self.tried))

    @property
    def in_words(self) -> str:
        """The rates that were tried, each with its score."""
        return ", ".join(f"{rate:g}: {score:.4f}" for rate, score in sorted(self.tried.items()))


def tuned(
    make: Callable[[int], nn.Module],
    circuit: str,
    data: Data,
    graph: CircuitGraph,
    *,
    num_layers: int,
    seed: int,
    budget: Budget,
    folder: Path = FOLDER,
) -> Tuned:
    """`train` at the best of the budget's rates, the test cells playing no part in the choice.

    Where a budget has epochs for tuning, the rates are tried with the seed `TUNING_SEED` whatever ``seed`` is, so that
    seeds differ by nothing else; and where the best lies on the edge of those tried, up to `FURTHER` are tried beyond.

    Args:
        make: a model with so many layers, drawn from torch's generator, which is seeded before.
        circuit: name of the circuit that ``data`` and ``graph`` are.
        num_layers, seed: of the training that is scored.

    Raises ValueError where training diverges at every rate, or at the best rate of a shorter one; as `train` otherwise.
    """

    def trained(rate, layers, epochs, seed, patience=None):
        seed_everything(seed)
        model = make(layers)
        depends = [circuit, described(model), rate, epochs, patience, seed, str(data.x.device), code()]
        name = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}.safetensors"
        return train(model, data, graph, epochs=epochs, learning_rate=rate, patience=patience, checkpoint=file)

    patience = budget.patience or None
    apart = budget.tuning_epochs > 0
    trial = (
        (budget.tuning_layers or num_layers, budget.tuning_epochs, TUNING_SEED)
        if apart
        else (num_layers, budget.epochs, seed, patience)
    )
    diverged = []

    def score(rate):
        try:
            best = trained(rate, *trial).history["pearson"].max()
        except ValueError as error:
            if not str(error).startswith("training diverged"):
                raise
            diverged.append(str(error))
            return -math.inf
        return -1.0 if math.isnan(best) else best

    tried = explored(score, budget.learning_rates, FURTHER if apart else 0)
    if max(tried.values(), default=-math.inf) == -math.inf:
        raise ValueError("; ".join(dict.fromkeys(diverged)) or "learning_rates is empty: give at least one")
    rate = _best(tried)
    return Tuned(rate, tried, trained(rate, num_layers, budget.epochs, seed, patience))


def explored(score: Callable[[float], float], rates: Sequence[float], further: int) -> dict[float, float]:
    """The score of each of ``rates``, and of up to ``further`` more: while the best lies on an edge, the next beyond.

    The next is the edge times the quotient of the two rates there. Of equal scores the lowest rate counts, so
    that where all are -inf lower ones are tried. A single rate has no edge.
    """
    tried = {rate: score(rate) for rate in rates}
    for _ in range(further if len(tried) > 1 else 0):
        best = _best(tried)
        low, second, *_ = sorted(tried)
        *_, before, high = sorted(tried)
        if best not in (low, high):
            break
        beyond = low * low / second if best == low else high * high / before
        beyond = float(f"{beyond:.6g}")
        tried[beyond] = score(beyond)
    return tried


def _best(tried):
    return max(tried, key=lambda rate: (tried[rate], -rate))


@cache
def code() -> str:
    """Hash of the library's files that a training depends on."""
    names = "import gsrgnn.baselines, gsrgnn.circuits, gsrgnn.models, gsrgnn.training"
    return hash_files(reached(names), PACKAGE)
