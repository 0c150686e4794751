"""What `gsrgnn train` is asked for: on which circuits, with which options. Nothing is imported that takes long."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """What a model is made and trained with, beside its circuits; the words are those of `gsrgnn train`.

    features, label, units and combine: as for `gsrgnn.circuits.load`. model: the name of a class that a model file can
    hold. k: of GSRGNN alone. patience: as for `gsrgnn.training.train`; None goes through all epochs.

    Four pairs of depth and rate were tried, 60 epochs each, on the circuits of the shipped model's card: 4 layers at
    5e-3 and 1e-2, and 10 at 5e-3 and 2e-3. The first had the best Pearson on those that chose the epoch, the second was
    close. That is a small search; the test circuits had no part in it.
    """

    features: str = "placed"
    label: str = "auto"
    units: str = "capacity"
    combine: str = "max"
    model: str = "GSRGNN"
    hidden: int = 64
    layers: int = 4
    k: int = 16
    epochs: int = 60
    learning_rate: float = 5e-3
    seed: int = 0
    patience: int | None = None
    device: str = "cpu"


@dataclass(frozen=True)
class Parts:
    """Names of circuits, paths of files, and folders of layouts: trained on, choosing the epoch, choosing nothing."""

    on: Sequence[str]
    validate: Sequence[str]
    test: Sequence[str] = ()
