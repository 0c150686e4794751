"""Circuits that one model is trained over: each read when it is needed, its graph made once, all of one kind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from gsrgnn.arguments import shown
from gsrgnn.checkpoint import digest
from gsrgnn.graph import CircuitGraph, Norm
from gsrgnn.label import MASKS, Spread, check_finite, parts, whole_label

KIND = ("features", "feature_names", "units", "label", "combine")  # what circuits say of x and y


class Item(NamedTuple):
    """A circuit as it is computed with: ``x [N, F]`` and ``graph`` on the model's device, the rest on the CPU.

    ``y`` is float64 ``[N, C]``, ``rows`` those of the three masks, or all of them alone.
    """

    x: Tensor
    graph: CircuitGraph
    y: Tensor
    rows: tuple[Tensor, ...]


@dataclass(frozen=True)
class Facts:
    """What is kept of a circuit that has been read.

    Attributes:
        said: how an error names it.
        name: its own, where it has one.
        kind: what it shares with all others that a model takes.
        pins: or edges: what a step's time grows with.
        spread: of its label over the training cells.
        digest: of all that a training depends on, where it was asked for.
    """

    said: str
    name: str | None
    kind: dict[str, Any]
    pins: int
    spread: Spread
    digest: str | None


class Collection:
    """Circuits by number, of any sequence that gives PyG ``Data``.

    The graphs stay, and nothing else: ``x`` and ``y`` of a sequence that reads its items when asked are read anew.

    Args:
        what: how errors name the collection.
        masked: whether a circuit's cells are split by its masks, or all of them used.
        norm: of the graphs.
        device: of ``x`` and the graphs.

    Raises ValueError where ``circuits`` is no such sequence, or empty.
    """

    def __init__(self, what: str, circuits: Any, masked: bool, norm: Norm, device: torch.device) -> None:
        if not is_collection(circuits):
            raise ValueError(f"{what} is a {type(circuits).__name__}: give a list of circuits")
        if not len(circuits):
            raise ValueError(f"{what} is empty: give one circuit or more")
        self.what, self.circuits, self.masked, self.norm, self.device = what, circuits, masked, norm, device
        self._graphs: dict[int, CircuitGraph] = {}

    def __len__(self) -> int:
        return len(self.circuits)

    def __getitem__(self, number: int) -> Item:
        """The circuit, with nothing checked that `facts` has checked."""
        data = self._data(number)
        y = whole_label(data)
        masks = [torch.as_tensor(data[name]).cpu() for name in MASKS] if self.masked else [torch.ones(len(y))]
        rows = tuple(mask.nonzero().flatten() for mask in masks)
        return Item(data.x.to(self.device), self._graph(number, data), y, rows)

    def facts(self, number: int, with_digest: bool) -> Facts:
        """What is to be known of a circuit; ValueError, by its name, where a model cannot be trained on it."""
        with self._named(number):
            data = self._data(number)
        with self._named(number, name := data.name if isinstance(data.get("name"), str) else None):
            if not isinstance(data.x, Tensor) or data.x.ndim != 2 or len(data.x) < 2:
                raise ValueError("x is no tensor [N, F] of two cells or more: give each cell a row of features")
            y = whole_label(data)
            if self.masked:
                rows = parts(data, y)
            else:
                rows = [torch.arange(len(y))]
                check_finite(
                    y, rows[0], "all cells count: give it a finite label, or the circuits masks and no validate"
                )
            graph = self._graph(number, data)
            return Facts(
                f"{self.what}[{number}]" + (f" ({name})" if name else ""),
                name,
                {key: _word(data, key) for key in KIND} | {"columns of x": data.x.shape[1], "columns of y": y.shape[1]},
                len(data.cell) if "cell" in data else graph.num_edges,
                Spread.of(y[rows[0]]),
                digest([data.x, rows, [y[part] for part in rows], graph.operator()]) if with_digest else None,
            )

    def _data(self, number):
        from torch_geometric.data import Data

        data = self.circuits[number]
        if not isinstance(data, Data):
            raise ValueError(f"it is a {type(data).__name__}: give a PyG Data, as gsrgnn.circuits.load does")
        return data

    def _graph(self, number, data):
        if number not in self._graphs:
            self._graphs[number] = CircuitGraph.from_data(data, norm=self.norm).to(self.device)
        return self._graphs[number]

    @contextmanager
    def _named(self, number: int, name: str | None = None) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise ValueError(f"{self.what}[{number}]{f' ({name})' if name else ''}: {error}") from error


def is_collection(given: Any) -> bool:
    """Whether this is a sequence, or a data set as torch has them, and not one circuit."""
    return isinstance(given, (Sequence, Dataset))


def _word(data, key):
    """What ``data`` says under ``key``; a tensor there is a user's own and says nothing of this."""
    value = data.get(key)
    return None if isinstance(value, Tensor) else value


def check_agree(circuits: Iterable[Facts]) -> None:
    """Raises ValueError unless all ``circuits`` are of one kind."""
    first, *others = circuits
    for other in others:
        for key, value in first.kind.items():
            if other.kind[key] != value:
                raise ValueError(
                    f"{key} of {other.said} is {shown(other.kind[key])} and of {first.said} {shown(value)}: "
                    "a model takes circuits of one kind"
                )


def check_apart(train: Iterable[Facts], validation: Iterable[Facts]) -> None:
    """Raises ValueError where a circuit, known by its name, is among both."""
    names = {each.name for each in train if each.name}
    for each in validation:
        if each.name in names:
            raise ValueError(
                f"{each.name} is a circuit to train on and to validate with: leave it out of one, or give its cells "
                "masks and no validate"
            )


def digest_of(circuits: Iterable[Facts]) -> str:
    """Of circuits in their order."""
    return hashlib.sha256(repr([each.digest for each in circuits]).encode()).hexdigest()[:16]
