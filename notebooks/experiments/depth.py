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
# Every model gets the same budget. Without `tuning_epochs` it is a training run of `epochs` epochs for each of
# `learning_rates`. With them the rates are tried with `tuning_layers` layers for so many epochs; where the best lies on
# the edge, up to four more are tried beyond it; and one run of `epochs` epochs at the best rate is scored, which stops
# after `patience` epochs in a row without a better one. The rate is chosen by the best Pearson correlation on the
# validation cells, and so is the epoch. The test cells play no part in either.
#
# RevGNN is `FusedRevGNN`: the same function, parameters and gradient with fewer sums over neighbours.

# %% tags=["parameters"]
circuit = "riscv/picorv32-small"
model = "GSRGNN"  # or RevGNN, GraphSAGE, GCN
num_layers = 10
hidden_channels = 64
k = 8  # of GSRGNN
residual = "sparse"  # of GSRGNN, or dense
dropout = 0.0  # of GSRGNN and RevGNN
epochs = 60
learning_rates = [2e-3, 1e-2]
tuning_epochs = 0  # of a run at each rate; 0 for as many as are scored
tuning_layers = 0  # at which the rates are tried; 0 for num_layers
patience = 0  # 0 for every epoch
seed = 0
device = "cpu"

# %%
from contextlib import nullcontext
from statistics import median

import numba
import torch

from gsrgnn import GSRGNN, CircuitGraph, baselines, circuits
from gsrgnn.lab.measure import bounded_memory, peak_here
from gsrgnn.lab.records import publish
from gsrgnn.lab.tuning import Budget, tuned

# %%
data = circuits.load(circuit).to(device)
graph = CircuitGraph.from_data(data, norm="sym" if model == "GCN" else "mean").to(
    device
)
budget = Budget(epochs, learning_rates, tuning_epochs, tuning_layers, patience)


def make(num_layers):
    kind, options = {
        "GSRGNN": (GSRGNN, {"k": k, "residual": residual, "dropout": dropout}),
        "RevGNN": (baselines.FusedRevGNN, {"dropout": dropout}),
        "GraphSAGE": (baselines.GraphSAGE, {}),
        "GCN": (baselines.GCN, {}),
    }[model]
    return kind(
        data.num_features, hidden_channels, num_layers=num_layers, **options
    ).to(device)


def run():
    return tuned(
        make,
        circuit,
        data,
        graph,
        num_layers=num_layers,
        seed=seed,
        budget=budget,
    )


with bounded_memory() if device == "cpu" else nullcontext():
    found, memory = peak_here(run)
history = found.training.history

# %% [markdown]
# A test score's standard error by chance of the split is about $(1 - r^2) / \sqrt{n}$ for $n$ test cells. The seconds are
# those of the steps, without the scores of each epoch. The memory is the process's, the tuning included, on a CPU.

# %%
publish(
    [
        {
            **found.training.test,
            "validation": history["pearson"].max(),
            "learning_rate": found.rate,
            "rates_tried": found.in_words,
            "rate_on_edge": found.on_edge,
            "best_epoch": found.training.best_epoch,
            "epochs_run": len(history),
            "epoch_seconds": median(history["seconds"]),
            "seconds": history["seconds"].sum(),
            "memory_before": memory.before,
            "memory_peak": memory.peak,
            "test_cells": int(data.test_mask.sum()),
            "parameters": sum(p.numel() for p in make(num_layers).parameters()),
        }
    ],
    data.label_source,
    {"torch": torch.get_num_threads(), "numba": numba.get_num_threads()},
)
