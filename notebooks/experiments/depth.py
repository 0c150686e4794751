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
# # Depth: what more layers bring
#
# One model at one depth, trained on one circuit; the record has its correlations on the test cells. Over the depths and
# models these are the paper's Figures 1 and 2.
#
# Every model gets the same budget: one training run of `epochs` epochs for each of `learning_rates`. The rate is chosen
# by the best Pearson correlation on the validation cells, and so is the epoch. The test cells play no part in either.

# %% tags=["parameters"]
circuit = "riscv/picorv32-small"
model = "GSRGNN"  # or RevGNN, GraphSAGE, GCN
num_layers = 10
hidden_channels = 64
k = 8  # of GSRGNN
epochs = 60
learning_rates = [2e-3, 1e-2]
seed = 0
device = "cpu"

# %%
from contextlib import nullcontext
from statistics import median

import numba
import torch
from torch_geometric import seed_everything

from gsrgnn import GSRGNN, CircuitGraph, baselines, circuits
from gsrgnn.lab.measure import bounded_memory
from gsrgnn.lab.records import publish
from gsrgnn.training import tune

# %%
data = circuits.load(circuit).to(device)
graph = CircuitGraph.from_data(data, norm="sym" if model == "GCN" else "mean").to(
    device
)


def make():
    seed_everything(seed)
    options = {"k": k} if model == "GSRGNN" else {}
    kind = {
        "GSRGNN": GSRGNN,
        "RevGNN": baselines.RevGNN,
        "GraphSAGE": baselines.GraphSAGE,
        "GCN": baselines.GCN,
    }[model]
    return kind(
        data.num_features, hidden_channels, num_layers=num_layers, **options
    ).to(device)


with bounded_memory() if device == "cpu" else nullcontext():
    rate, run = tune(
        make, data, graph, epochs=epochs, learning_rates=learning_rates
    )

# %% [markdown]
# A test score's standard error by chance of the split is about $(1 - r^2) / \sqrt{n}$ for $n$ test cells.

# %%
publish(
    [
        {
            **run.test,
            "validation": run.history["pearson"].max(),
            "learning_rate": rate,
            "best_epoch": run.best_epoch,
            "epoch_seconds": median(run.history["seconds"]),
            "test_cells": int(data.test_mask.sum()),
            "parameters": sum(p.numel() for p in make().parameters()),
        }
    ],
    data.label_source,
    {"torch": torch.get_num_threads(), "numba": numba.get_num_threads()},
)
