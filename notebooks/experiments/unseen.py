# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Unseen circuits: what a model knows of a design that it was not trained on
#
# One model over many circuits. With `split = "family"` each family of designs is held out in turn: the model is
# trained on all cells of the others, one of these circuits chooses the epoch, and all cells of the family that was held
# out are the test. With `"cell"`, the paper's split, and `"region"`, blocks of the die, one model is trained on a part
# of the cells of every circuit and tested on another part of the same circuits.
#
# Every model makes the same number of steps, a circuit a step, with the same learning rate. `"tree"` is a
# gradient-boosted tree over the same features, without any graph. The circuits of a test play no part in training nor
# in the choice of the epoch or of the number of trees.

# %% tags=["parameters"]
designs = [
    "riscv/picorv32-small",
    "crypto/sha256",
    "bus/axi-crossbar",
]  # or "riscv/*"
test_only: list[str] = []  # of these: never trained on
held: list[str] = []  # families to hold out; each in turn where it is empty
split = "family"  # or region, cell
features = "placed"  # or netlist
model = "GSRGNN"  # or RevGNN, GraphSAGE, GCN, tree
num_layers = 4  # 0 of the tree
hidden_channels = 64
k = 8  # of GSRGNN
steps = 100  # of training; a circuit a step
learning_rate = 5e-3
seed = 0
device = "cpu"

# %%
import math
from collections.abc import Sequence
from contextlib import nullcontext
from functools import lru_cache
from statistics import median
from time import perf_counter

import numba
import torch
from torch_geometric import seed_everything

from gsrgnn import GSRGNN, CircuitGraph, baselines, circuits
from gsrgnn.circuits import splits
from gsrgnn.evaluation import evaluate
from gsrgnn.lab import folds
from gsrgnn.lab.measure import bounded_memory
from gsrgnn.lab.records import publish
from gsrgnn.lab.tree import Tree
from gsrgnn.training import train

# %% [markdown]
# CircuitNet's official split is by design. Who has its files under `CIRCUITNET_ROOT` sets `designs = ["circuitnet/*"]`
# and `held = ["zero-riscy"]`: the placements of RISCY and RISCY-FPU train, but for the one that chooses the epoch.

# %%
masked = {
    "family": lambda data: data,
    "region": splits.by_region,
    "cell": splits.by_cell,
}[split]


@lru_cache(
    maxsize=16
)  # a few circuits are kept; those of a whole data set are read when they are needed
def read(name):
    return masked(circuits.load(name, features=features, units="capacity")).to(
        device
    )


class Named(Sequence):
    """Circuits by their names."""

    def __init__(self, names):
        self.names = names

    def __len__(self):
        return len(self.names)

    def __getitem__(self, place):
        return read(self.names[place])


def graph(data):
    norm = "sym" if model == "GCN" else "mean"
    return CircuitGraph.from_data(data, norm=norm).to(device)


# %%
names = folds.matching(designs, circuits.available())
if split == "family":
    parts = folds.folds(names, held, test_only)
else:
    here = tuple(name for name in names if name not in test_only)
    parts = [folds.Fold("", here, (), here)]


def trained(fold):
    """The model behind its training on a fold, and how that went."""
    there, validate = (
        Named(fold.train),
        Named(fold.validate) if fold.validate else None,
    )
    if model == "tree":
        start = perf_counter()
        tree = Tree(there, validate, seed=seed)
        return tree, {
            "validation": tree.validation,
            "best_epoch": tree.rounds,
            "epoch_seconds": perf_counter() - start,
        }
    seed_everything(seed)
    kind = GSRGNN if model == "GSRGNN" else getattr(baselines, model)
    options = {"k": k} if model == "GSRGNN" else {}
    network = kind(
        there[0].num_features, hidden_channels, num_layers=num_layers, **options
    ).to(device)
    epochs = math.ceil(steps / len(there))
    run = train(
        network,
        there,
        epochs=epochs,
        learning_rate=learning_rate,
        validate=validate,
    )
    return network, {
        "validation": run.history["pearson"].max(),
        "best_epoch": run.best_epoch,
        "epoch_seconds": median(run.history["seconds"]),
        "epochs": epochs,
        "parameters": sum(p.numel() for p in network.parameters()),
    }


# %%
rows = []
with bounded_memory() if device == "cpu" else nullcontext():
    for fold in parts:
        network, course = trained(fold)
        scores = evaluate(
            network,
            Named(fold.test),
            graph=graph,
            mask=None if split == "family" else "test_mask",
        )
        about = {
            "held": fold.held,
            "trained_on": ", ".join(fold.train),
            "validated_on": ", ".join(fold.validate),
            "train_pins": sum(len(data.cell) for data in Named(fold.train)),
            **course,
        }
        for name in fold.test:
            pins, cells = len(read(name).cell), int(scores.loc[name, "cells"])
            rows.append(
                {
                    "circuit": name,
                    "pins": pins,
                    **scores.loc[name],
                    "cells": cells,
                    **about,
                }
            )

# %%
publish(
    rows,
    read(names[0]).label_source,
    {"torch": torch.get_num_threads(), "numba": numba.get_num_threads()},
)
