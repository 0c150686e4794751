"""A model in a file: its options and parameters, nothing that runs.

The format is safetensors: JSON, and raw numbers. What `torch.save` writes is a pickle, a program. ``weights_only``
bounds what it may do, but before torch 2.10 a file could break out of that (CVE-2026-24747).
"""

import copy
import json
import os
from contextlib import suppress
from pathlib import Path
from threading import get_ident
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from gsrgnn.models import GSRGNN, NodeModel

PathLike: TypeAlias = str | os.PathLike[str]

KEY = "gsrgnn"  # of the words, in the file's metadata
PREFIX = "model."  # of the parameters' names


def save_model(model: NodeModel, path: PathLike) -> None:
    """Write a `GSRGNN` or a model of `gsrgnn.baselines` at ``path``, from which `load_model` makes it again.

    Its options, parameters and the label's scale are written, at a temporary name beside ``path`` that is renamed.
    Raises ValueError for any other model, and OSError.
    """
    if type(model) not in _kinds().values():
        raise ValueError(
            f"{type(model).__name__} is not one of {', '.join(_kinds())}, which load_model makes: "
            "save its state_dict with safetensors or torch.save"
        )
    write(Path(path), {"model": described(model)}, {PREFIX + name: t for name, t in copied(model).items()})


def load_model(path: PathLike, device: torch.device | str = "cpu") -> NodeModel:
    """The model that `save_model` wrote at ``path``, or the best epoch's of a checkpoint of `gsrgnn.training.train`.

    It predicts in the label's units and is in eval mode on ``device``, whatever device wrote it. Nothing in a file is
    executed. Raises FileNotFoundError, and ValueError for a file that is not whole, holds a model of another class, or
    options and parameters that do not fit each other.
    """
    words, tensors = read(Path(path))
    name, options = words["model"].get("class"), words["model"].get("options")
    kind = _kinds().get(name) if isinstance(name, str) else None
    if kind is None or not isinstance(options, dict):
        raise ValueError(
            f"{path} holds a model of class {name!r}, and load_model makes {', '.join(_kinds())}: make the model as "
            "before and call train with this checkpoint, which goes on from it"
        )
    try:
        with torch.device("meta"):  # no memory, no random number
            model = kind(**options)
        parameters = {key.removeprefix(PREFIX): t for key, t in tensors.items() if key.startswith(PREFIX)}
        model.load_state_dict(parameters, assign=True)
    except ModuleNotFoundError:  # of what an aggregation needs
        raise
    except Exception as error:  # options that are not ours can fail anywhere
        raise ValueError(f"{path} holds no {name} of its options {options}: {error}") from error
    return model.to(device).eval()


def described(model: nn.Module) -> dict[str, Any]:
    """The model's class by name, and the options that make it anew where it is one of ours."""
    kind = type(model)
    if isinstance(model, NodeModel) and kind in _kinds().values():
        return {"class": kind.__name__, "options": model.options()}
    return {"class": f"{kind.__module__}.{kind.__qualname__}"}


def copied(model: nn.Module) -> dict[str, Any]:
    """The ``state_dict`` as it is now: later steps change nothing in it, and no two tensors share memory."""
    state = model.state_dict()
    for name, value in state.items():
        state[name] = copy_of(value) if isinstance(value, Tensor) else copy.deepcopy(value)
    return state


def copy_of(tensor: Tensor) -> Tensor:
    """A tensor of its own with the same numbers in order."""
    return tensor.detach().clone(memory_format=torch.contiguous_format)


def write(path: Path, words: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write the file whole or not at all. Raises OSError."""
    from safetensors.torch import save

    if not path.parent.is_dir():
        raise FileNotFoundError(f"no folder {path.parent}: make it first")
    data = save(tensors, {KEY: json.dumps(words)})
    temporary = beside(path)
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def beside(path: Path) -> Path:
    """The temporary name at which this thread writes a file: two that write the same one do not write into another."""
    return path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}.tmp")


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Words and tensors, on the CPU. Raises ValueError for what `write` has not written, or not whole, and OSError."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: save_model and train(..., checkpoint=) write one")
    try:
        with safe_open(path, framework="pt") as file:
            words = json.loads(file.metadata()[KEY])
            tensors = {name: copy_of(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118  # it is no dict
        if not isinstance(words["model"], dict):
            raise TypeError("its model has no description")
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} was not written by gsrgnn, or is not whole ({type(error).__name__}: {error})"
        ) from error
    return words, tensors


def _kinds() -> dict[str, type[NodeModel]]:
    """The classes that a file can name, by name."""
    from gsrgnn import baselines  # here, as it brings torch_geometric

    kinds = [GSRGNN, *(getattr(baselines, name) for name in baselines.__all__)]
    return {kind.__name__: kind for kind in kinds if isinstance(kind, type) and issubclass(kind, NodeModel)}
