"""A model of circuits in a file: loaded, trained, scored on others, and written with what it takes and gives.

`gsrgnn train` is this. The circuits are of three parts, of no common name: those that are trained on, those that choose
the epoch, and those that choose nothing (the test).
"""

import os
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch.utils.data import ConcatDataset
from torch_geometric import seed_everything

from gsrgnn import circuits, model_file
from gsrgnn.circuits.data import Circuit
from gsrgnn.circuits.dataset import LayoutDataset
from gsrgnn.evaluation import compares_maps, evaluate
from gsrgnn.kernels.gpu import gpu_missing
from gsrgnn.lab import files
from gsrgnn.lab.fit_options import Options, Parts
from gsrgnn.model_file import About
from gsrgnn.models import NodeModel
from gsrgnn.passes import graph_norm
from gsrgnn.progress import Row, watched
from gsrgnn.provenance import versions
from gsrgnn.training import train

Circuits = Sequence[Circuit]
_EVERY = 10.0  # seconds between two lines about epochs, where no bar is shown


def fit(
    parts: Parts,
    output: Path,
    options: Options,
    *,
    checkpoint: Path,
    lef: Sequence[str] = (),
    say: Callable[[str], object] = print,
) -> pd.DataFrame:
    """Trains a model, writes it at ``output`` with its `About`, and returns `evaluate`'s table of the parts held out.

    The table's rows are the circuits of ``validate`` and ``test``, by name; its column ``part`` says of which.
    checkpoint: a file from which the same call goes on where it was interrupted. lef: for the DEF files among the
    circuits. say: called with a line of text now and then.

    Raises ValueError and OSError, before anything is trained, as `load`, `gsrgnn.training.train` and
    `files.check_writable` do, and for a circuit in two parts or an unknown model; and `files.Kept` where the model in
    the end could not be written at ``output``.
    """
    kind = model_file.kinds().get(options.model)
    if kind is None:
        raise ValueError(f"model {options.model!r} is unknown: it is one of {', '.join(model_file.kinds())}")
    check_device(options.device)
    given = {part.name: list(getattr(parts, part.name)) for part in fields(parts)}
    _check_apart({part: [_place(name) for name in names] for part, names in given.items()})
    read = [file for names in given.values() for name in names for file in circuits.sources(name)]
    files.check_apart([output, checkpoint], [*read, *map(Path, lef)])
    files.check_writable(output)
    files.check_writable(checkpoint)
    if lef and not any(is_def(name) for names in given.values() for name in names):
        raise ValueError("--lef goes with a DEF file, and no circuit is one")
    started = time.perf_counter()
    found = {part: gather(names, options, lef) for part, names in given.items()}
    named = {part: [data.name for data in held] for part, held in found.items()}
    _check_apart(named)
    seed_everything(options.seed)
    first = found["on"][0]
    shape = {"in_channels": first.num_features, "hidden_channels": options.hidden, "out_channels": first.y.shape[1]}
    rows = {"k": options.k} if options.model == "GSRGNN" else {}
    model = kind(**shape, num_layers=options.layers, **rows).to(options.device)
    about = says(first, model) | {
        "trained_on": named["on"],
        "validated_on": named["validate"],
        "tested_on": named["test"],
        "learning_rate": options.learning_rate,
        "seed": options.seed,
        "versions": versions(),
        "command": command(parts, output, options, lef),
    }
    model_file.checked(about, model)
    _check_seed(checkpoint, model, options.seed)
    say(
        f"{sum(map(len, found.values()))} circuits read in {time.perf_counter() - started:.1f} s; "
        f"{options.model} of {sum(each.numel() for each in model.parameters()):,} parameters; at the first call on a "
        "machine the kernels are compiled, half a minute"
    )
    result = train(
        model,
        found["on"],
        epochs=options.epochs,
        validate=found["validate"],
        learning_rate=options.learning_rate,
        patience=options.patience,
        checkpoint=checkpoint,
        progress=None if watched() else _lines(say, options.epochs),
    )
    table = _scores(model, found)
    by_circuit = table.drop(index="all", columns="part").reset_index(names="circuit").to_dict("records")
    about |= {
        "scores": [{name: _plain(value) for name, value in row.items()} for row in by_circuit],
        "epochs": len(result.history),
        "best_epoch": int(result.best_epoch),
        "date": date.today().isoformat(),
    }
    files.written_or_kept(lambda path: model_file.save_model(model, path, about), output)
    return table


def gather(names: Sequence[str], options: Options, lef: Sequence[str] = ()) -> Circuits:
    """The circuits of names and paths, kept, and those in folders of layouts, read each time they are asked for.

    Raises ValueError and OSError as `load` and `LayoutDataset` do, and for a folder where options are none of a
    layout's.
    """
    parts: list[Any] = []
    choice = {"features": options.features, "combine": options.combine}
    for name in names:
        if os.path.isdir(name):
            if options.units != "capacity":
                raise ValueError(f"{name} is a folder of layouts, which have units capacity: leave out --units")
            if options.label == "rudy":
                raise ValueError(
                    f"{name} is a folder of layouts, whose RUDY has no units of a model's: leave out --label"
                )
            parts.append(LayoutDataset(name, "routed" if options.label == "auto" else options.label, **choice))
        else:
            of_def = {"lef": lef} if lef and is_def(name) else {}
            parts.append([circuits.load(name, label=options.label, units=options.units, **choice, **of_def)])
    return parts[0] if len(parts) == 1 else ConcatDataset(parts) if parts else []


def check_device(device: str) -> None:
    """ValueError unless ``device`` is "cpu", or "cuda" where kernels can run on a GPU."""
    if device not in ("cpu", "cuda"):
        raise ValueError(f"device is {device!r}: it is cpu or cuda")
    if device == "cuda" and (why := gpu_missing()):
        raise ValueError(f"device is 'cuda' and no GPU can be used: {why}")


def is_def(name: str) -> bool:
    """Whether the circuit `name` is read from a DEF file."""
    return any(path.name.lower().endswith((".def", ".def.gz")) for path in circuits.sources(name))


def says(data: Circuit, model: NodeModel) -> About:
    """What a model that was trained on circuits like ``data`` takes and gives."""
    return {name: data[name] for name in ("features", "feature_names", "label", "label_source", "units")} | {
        "combine": data.get("combine") or "",
        "norm": graph_norm(model),
    }


def command(parts: Parts, output: Path, options: Options, lef: Sequence[str] = ()) -> str:
    """The line that does the same: what differs from the defaults, and the seed."""
    words = ["gsrgnn", "train"]
    for part in fields(parts):
        if names := getattr(parts, part.name):
            apart = any("," in name for name in names)  # a comma that is a file's
            words += [word for each in (names if apart else [",".join(names)]) for word in (f"--{part.name}", each)]
    for option in fields(options):
        value = getattr(options, option.name)
        if value != option.default or option.name == "seed":
            words += [f"--{option.name.replace('_', '-')}", str(value)]
    for file in lef:
        words += ["--lef", str(file)]
    return shlex.join([*words, "-o", str(output)])


def _check_apart(named):
    """Raises ValueError for a circuit that is in two parts, or twice in one."""
    for part in ("on", "validate"):
        if not named[part]:
            raise ValueError(f"--{part} names no circuit: name one or more, with commas between them")
    for part, names in named.items():
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"--{part} names {', '.join(sorted(twice))} more than once: name each circuit once")
    for one, other in combinations(named, 2):
        if both := set(named[one]) & set(named[other]):
            raise ValueError(
                f"--{one} and --{other} both name {', '.join(sorted(both))}: "
                "name a circuit in one of them, since a score on what a model has seen says nothing of a new one"
            )


def _place(name):
    """What a circuit is known by: where its file or folder lies, whatever path leads there, or else its name."""
    return os.path.realpath(name) if circuits.is_file(name) or os.path.isdir(name) else name


def _check_seed(checkpoint, model, seed):
    """Raises ValueError for a checkpoint of this model, begun with another seed: nothing that is drawn is in its words.

    The first number that `train` draws is in them, and follows from the seed.
    """
    if not checkpoint.exists():
        return
    words, _ = model_file.read(checkpoint)
    with torch.random.fork_rng([]):
        drawn = int(torch.randint(1, 2**62, ()))
    if words["model"] == model_file.described(model) and words.get("seed", drawn) != drawn:
        raise ValueError(
            f"{checkpoint} is the checkpoint of a training with a seed other than {seed}: give the one that it was "
            "begun with, or delete the file"
        )


def _lines(say, epochs):
    """What says how a training goes, a line every `_EVERY` seconds, where nobody watches a bar."""
    said = time.monotonic()

    def tell(row: Row) -> None:
        nonlocal said
        if row["epoch"] == epochs or time.monotonic() - said >= _EVERY:
            said = time.monotonic()
            say(f"epoch {row['epoch']} of {epochs}: loss {row['loss']:.3f}, Pearson {row['pearson']:.3f} on --validate")

    return tell


def _scores(model, found):
    """`evaluate`'s tables of the parts held out, one under the other."""
    tables = []
    for part in ("validate", "test"):
        if found[part]:
            tables.append(evaluate(model, found[part], maps=compares_maps()))
            tables[-1].insert(0, "part", part)
    return pd.concat(tables)


def _plain(value):
    """NumPy's number as Python's, and None where it is not finite."""
    if isinstance(value, str):
        return value
    return None if pd.isna(value) else value.item() if hasattr(value, "item") else value
