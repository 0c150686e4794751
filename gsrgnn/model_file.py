"""A model in a file: its options and parameters, what it takes and gives, nothing that runs.

The format is safetensors: JSON, and raw numbers. What `torch.save` writes is a pickle, a program. ``weights_only``
bounds what it may do, but before torch 2.10 a file could break out of that (CVE-2026-24747).
"""

import copy
import json
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import get_ident
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from gsrgnn.arguments import shown
from gsrgnn.models import GSRGNN, NodeModel
from gsrgnn.version import __version__

PathLike: TypeAlias = str | os.PathLike[str]
About: TypeAlias = dict[str, Any]

KEY = "gsrgnn"  # of the words, in the file's metadata
PREFIX = "model."  # of the parameters' names
FORMAT = 1  # of the words; a file without a number is of the first
SCHEMA = Path(__file__).with_suffix(".schema.json")
_PICKLES = (b"PK\3\4", b"\x80")  # how torch.save's files begin, and pickles alone


def save_model(model: NodeModel, path: PathLike, about: About | None = None) -> None:
    """Write a `GSRGNN` or a model of `gsrgnn.baselines` at ``path``, from which `load_model` makes it again.

    Its options, parameters and the label's scale are written, at a temporary name beside ``path`` that is renamed.

    Args:
        about: what the model takes and gives, for `gsrgnn predict` and whoever reads the file (`about`); JSON. It must
            have "features" and "norm", for which a circuit and its graph are made, "feature_names" (a name for each of
            in_channels), and "label", "label_source", "units" and "combine" of what is predicted, as
            `gsrgnn.circuits.load` has them; it may have what else `model_file.schema.json` lists. The package's
            version is added.

    Raises ValueError for any other model or an ``about`` that does not fit the schema or the model, and OSError.
    """
    if type(model) not in kinds().values():
        raise ValueError(
            f"{type(model).__name__} is not one of {', '.join(kinds())}, which load_model makes: "
            "save its state_dict with safetensors or torch.save"
        )
    words: dict[str, Any] = {"model": described(model)}
    if about is not None:
        words["about"] = checked(about, model)
    write(Path(path), words, {PREFIX + name: t for name, t in copied(model).items()})


def checked(about: About, model: NodeModel) -> About:
    """``about`` as `save_model` writes it, with the package's version. Raises ValueError as it does."""
    said = about | {"gsrgnn": __version__}
    _check({"model": described(model), "about": said}, "about")
    return said


def about(path: PathLike) -> About:
    """What the model at ``path`` takes and gives, and how it was made: the ``about`` that `save_model` was given.

    Raises FileNotFoundError, and ValueError for a file that is not whole, of another format, without ``about``, or
    with one that does not fit the schema or the model's own columns.
    """
    words = _words(Path(path))
    if "about" not in words:
        raise ValueError(
            f"{path} does not say what it takes and gives ({', '.join(_schema()['required'][:-1])}): write it again "
            "with save_model(load_model(path), path, about={...}); load_model reads it as it is"
        )
    _check(words, str(path))
    return words["about"]


def load_model(path: PathLike, device: torch.device | str = "cpu") -> NodeModel:
    """The model that `save_model` wrote at ``path``, or the best epoch's of a checkpoint of `gsrgnn.training.train`.

    It predicts in the label's units and is in eval mode on ``device``, whatever device wrote it. Nothing in a file is
    executed. Raises FileNotFoundError, and ValueError for a file that is not whole, holds a model of another class, or
    options and parameters that do not fit each other.
    """
    words, tensors = read(Path(path))
    name, options = words["model"].get("class"), words["model"].get("options")
    kind = kinds().get(name) if isinstance(name, str) else None
    if kind is None or not isinstance(options, dict):
        raise ValueError(
            f"{path} holds a model of class {name!r}, and load_model makes {', '.join(kinds())}: make the model as "
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
        why = " ".join(str(error).split())[:300]  # torch lists every parameter on a line of its own
        raise ValueError(f"{path} holds no {name} of its options {str(options)[:300]}: {why}") from error
    return model.to(device).eval()


def described(model: nn.Module) -> dict[str, Any]:
    """The model's class by name, and the options that make it anew where it is one of ours."""
    kind = type(model)
    if isinstance(model, NodeModel) and kind in kinds().values():
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
    data = save(tensors, {KEY: json.dumps({"format": FORMAT} | words)})
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

    words = _words(path)
    try:
        with safe_open(path, framework="pt") as file:
            return words, {name: copy_of(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118  # it is no dict
    except SafetensorError as error:
        raise _foreign(path, error) from error


def kinds() -> dict[str, type[NodeModel]]:
    """The classes that a file can name, by name."""
    from gsrgnn import baselines  # here, as it brings torch_geometric

    found = [GSRGNN, *(getattr(baselines, name) for name in baselines.__all__)]
    return {kind.__name__: kind for kind in found if isinstance(kind, type) and issubclass(kind, NodeModel)}


def _words(path):
    """The words of a file that is whole. Raises as `read` does."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: save_model and train(..., checkpoint=) write one")
    try:
        with safe_open(path, framework="pt") as file:
            words = json.loads(file.metadata()[KEY])
        if not isinstance(words["model"], dict):
            raise TypeError("its model has no description")
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise _foreign(path, error) from error
    if words.get("format", FORMAT) != FORMAT:
        raise ValueError(
            f"{path} is of format {shown(words['format'])}, and gsrgnn {__version__} reads format {FORMAT}: "
            "read it with the gsrgnn that wrote it, or write it again"
        )
    return words


def _foreign(path, error):
    from safetensors import SafetensorError

    with path.open("rb") as file:
        pickled = isinstance(error, SafetensorError) and file.read(4).startswith(_PICKLES)
    reason = "it is a pickle, a program that is not run here" if pickled else f"{type(error).__name__}: {error}"
    return ValueError(f"{path} was not written by gsrgnn, or is not whole ({reason})")


def _check(words, where):
    """Raises ValueError unless the words' ``about`` fits the schema and the model's columns."""
    import jsonschema

    validator = jsonschema.Draft202012Validator(_schema())
    for error in validator.iter_errors(words["about"]):
        part = ".".join(map(str, error.absolute_path))
        message = error.message if len(error.message) < 200 else f"it does not fit {error.validator!r}"
        raise ValueError(
            f"{where}: what the model takes and gives is not said as it should be"
            f"{f', in {part}' if part else ''}: {message}"
        )
    said, options = words["about"], words["model"].get("options")
    options = options if isinstance(options, dict) else {}
    rudy = said["label"] == "rudy"
    if rudy != (said["combine"] == "") or (rudy and said["units"] != "largest"):
        raise ValueError(
            f"{where}: no circuit has label {said['label']!r} with combine {said['combine']!r} and units "
            f"{said['units']!r}: 'rudy' goes with '' and 'largest', every other with a combine"
        )
    for option, has, what in (
        ("in_channels", len(said["feature_names"]), "names of features"),
        ("out_channels", 2 if said["combine"] == "both" else 1, f"columns for combine {said['combine']!r}"),
    ):
        if options.get(option) != has:
            raise ValueError(f"{where}: {has} {what}, and the model has {option}={shown(options.get(option))}")


@cache
def _schema():
    return json.loads(SCHEMA.read_text(encoding="utf-8"))
