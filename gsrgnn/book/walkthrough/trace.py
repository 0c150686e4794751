"""The steps of a layer in order, each with the matrices that it makes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Step:
    """One step of a layer.

    Args:
        number: in `forward` and `algorithm2` as in the paper's text and Figures 6 and 7; in `backward` our own.
        line: of Algorithm 1 in `forward`, of Algorithm 2 in `algorithm2`; in `backward` the line of Algorithm 1
            that the step repeats, undoes or differentiates.
        name: a few words.
        matrices: what the step makes, by name.
        sentence: what the step does.
    """

    number: int
    line: int
    name: str
    matrices: dict[str, np.ndarray]
    sentence: str


@dataclass(frozen=True)
class Trace:
    """The steps of a layer in order; ``trace[name]`` is a matrix of any of them."""

    k: int
    residual: str
    reading: str
    steps: tuple[Step, ...]

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.matrices[name]

    @property
    def matrices(self) -> dict[str, np.ndarray]:
        return {name: matrix for step in self.steps for name, matrix in step.matrices.items()}
