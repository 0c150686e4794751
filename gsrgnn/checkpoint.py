"""A training that can go on: how far it has come, and the file from which the same call goes on to the last bit."""

import hashlib
import math
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from gsrgnn.model_file import PREFIX, PathLike, beside, copied, copy_of, described, read, write

EVERY = 60  # seconds between two writes, the first epoch and the last apart
OWN_SCALE = ("label_mean", "label_deviation")  # which `label_scales` attaches to a model that has none


@dataclass
class Course:
    """How far a training has come.

    Attributes:
        rows: the history, a dict an epoch.
        best_epoch: 0 before the first.
        best: the ``state_dict`` after that epoch.
        best_rank: by which a later epoch is compared with it.
        seed: of the circuits' order and of what is drawn at each, where there are several; else 0.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    best_rank: tuple[float, float] = (-math.inf, -math.inf)
    seed: int = 0

    @property
    def epoch(self) -> int:
        """Of the last row."""
        return len(self.rows)

    def goes_on(self, epochs: int, patience: int | None) -> bool:
        """Whether there is another epoch of ``epochs``: not after ``patience`` in a row without a better one."""
        return self.epoch < epochs and (patience is None or self.epoch - self.best_epoch < patience)


class Checkpoint:
    """The file of one training, which a ``with`` block writes in the end, whatever ends it.

    Args:
        path: of the file, which may be there.
        model: as it is given to `train`.
        arguments: what the history depends on besides, words and numbers by name.
        device: where the training runs.
        each_epoch: whether it is written after every epoch, or after the first and then by the clock.

    Raises ValueError where the file is there and is none, or of another model or other arguments; OSError where none
    can be written.
    """

    def __init__(
        self,
        path: PathLike,
        model: nn.Module,
        arguments: dict[str, Any],
        device: torch.device,
        each_epoch: bool = False,
    ) -> None:
        self.path, self.device, self.each_epoch = Path(path), device, each_epoch
        self.words = {"model": described(model), "training": arguments}
        self._held: tuple[dict[str, Any], dict[str, Tensor]] | None = None
        self._written = -math.inf
        state = model.state_dict()
        for name, value in state.items():
            if not isinstance(value, Tensor):
                raise ValueError(f"{name} of the state_dict is a {type(value).__name__}: a checkpoint holds tensors")
        self._found = read(self.path) if self.path.exists() else None
        if self._found:
            self._check(*self._found, state)
            self._check_course(*self._found, [parameter.shape for parameter in model.parameters()])
        beside(self.path).touch()
        beside(self.path).unlink()

    def _check(self, words, tensors, state):
        if not isinstance(words.get("training"), dict):
            raise ValueError(f"{self.path} holds a model and no training: name another file")
        mine, last, best = map(_shapes, (state, _named("last.", tensors), _named(PREFIX, tensors)))
        if words["model"] != self.words["model"] or not mine == last == best:
            differ = sorted(dict(last.items() ^ mine.items()))[:3]
            raise ValueError(
                f"{self.path} is the checkpoint of another model, {_said(words['model'])}, and this is "
                f"{_said(self.words['model'])}{', which differ in ' if differ else ''}{', '.join(differ)}: "
                "make that model, or name another file"
            )
        given = self.words["training"]
        other = [name for name in given if words["training"].get(name) != given[name]]
        if other:
            raise ValueError(
                f"{self.path} is the checkpoint of a training with another {' and '.join(other)}: "
                "give what it was begun with, or name another file"
            )

    def _check_course(self, words, tensors, shapes):
        """Raises ValueError where `resume` would not find what it takes."""
        try:
            rows, states = tensors["history"].tolist(), _named("optimizer.", tensors)
            numbers = {name: int(name.partition(".")[0]) for name in states}
            whole = (
                "epoch" in words["columns"]
                and all(len(row) == len(words["columns"]) for row in rows)
                and words["best_epoch"] in range(1, len(rows) + 1)
                and tensors["best_rank"].shape == (2,)
                and isinstance(words.get("seed", 0), int)
                and words.get("seed", 0) >= 0
                and all(number >= 0 and states[name].shape in ((), shapes[number]) for name, number in numbers.items())
            )
            torch.Generator().set_state(tensors["random.cpu"])
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"{self.path} is damaged ({type(error).__name__}: {error}): name another file") from error
        if not whole:
            raise ValueError(f"{self.path} is damaged (its parts do not fit each other): name another file")

    @property
    def epochs(self) -> int:
        """Of the history in the file; 0 where there was none."""
        return len(self._found[1]["history"]) if self._found else 0

    def resume(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> Course:
        """Where the file left off: model, optimizer and torch's random numbers are set to it."""
        if not self._found:
            return Course()
        words, tensors = self._found
        self._found = None
        model.load_state_dict(_state(model, "last.", tensors))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _named("optimizer.", tensors).items():
            number, _, key = name.partition(".")
            state.setdefault(int(number), {})[key] = tensor
        optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
        torch.set_rng_state(tensors["random.cpu"])
        if self.device.type == "cuda" and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"], self.device)
        rows = [dict(zip(words["columns"], row, strict=True)) for row in tensors["history"].tolist()]
        first, second = tensors["best_rank"].tolist()
        return Course(
            [row | {"epoch": int(row["epoch"])} for row in rows],
            words["best_epoch"],
            _state(model, PREFIX, tensors),
            (first, second),
            words.get("seed", 0),
        )

    def keep(self, course: Course, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Take down how things stand after an epoch, and write it where the last time is `EVERY` seconds ago."""
        words = self.words | {"columns": list(course.rows[-1]), "best_epoch": course.best_epoch, "seed": course.seed}
        tensors = {
            "history": torch.tensor([list(row.values()) for row in course.rows], dtype=torch.float64),
            "best_rank": torch.tensor(course.best_rank, dtype=torch.float64),
            "random.cpu": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.device)
        tensors |= {PREFIX + name: tensor for name, tensor in course.best.items()}
        tensors |= {f"last.{name}": tensor for name, tensor in copied(model).items()}
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{key}": copy_of(value) for key, value in state.items()}
        self._held = words, tensors
        if self.each_epoch or time.monotonic() - self._written >= EVERY:
            self._write()

    def _write(self):
        if self._held is None:
            return
        try:
            write(self.path, *self._held)
        except OSError as error:
            warnings.warn(
                f"{error.strerror or error}: the checkpoint {self.path} was not written and is what it was before",
                stacklevel=4,
            )
        else:
            self._held = None
        self._written = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._write()


def digest(values: Any) -> str:
    """Hash (16 hex digits) of tensors and arrays, in whatever tuples or lists: numbers, dtypes and shapes."""
    found = hashlib.sha256()
    for value in tree_leaves(values):
        tensor = copy_of(torch.as_tensor(value).cpu())
        found.update(f"{tensor.dtype}{list(tensor.shape)}".encode())
        found.update(tensor.flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()[:16]


def _shapes(state):
    return {name: (t.dtype, t.shape) for name, t in state.items() if name.rpartition(".")[2] not in OWN_SCALE}


def _state(model, prefix, tensors):
    """The model's ``state_dict``, with what torch notes of versions in it, of the tensors of this prefix."""
    state = model.state_dict()
    state.update(_named(prefix, tensors))
    return state


def _named(prefix, tensors):
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _said(described):
    given = described.get("options")
    options = ", ".join(f"{name}={value!r}" for name, value in given.items()) if isinstance(given, dict) else ""
    return f"{described.get('class')}({options})" if options else str(described.get("class"))
