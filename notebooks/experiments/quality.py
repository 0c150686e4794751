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
# # Quality: what GSR-GNN gains or loses against RevGNN
#
# RevGNN, and GSR-GNN with each `k`, trained on one circuit at one depth. The record has the difference in Pearson,
# Spearman, Kendall and R² on the test cells (GSR-GNN's less RevGNN's), the paper's Figure 8, with an interval.
#
# Every model gets the same budget, as in the experiment of depth; a training that this experiment and that one share is
# run once. The test cells play no part in the choice of rate and epoch.

# %% tags=["parameters"]
circuit = "riscv/picorv32-small"
num_layers = 10
hidden_channels = 64
ks = [4, 8, 16]
epochs = 60
learning_rates = [2e-3, 1e-2]
tuning_epochs = 0  # of a run at each rate; 0 for as many as are scored
tuning_layers = 0  # at which the rates are tried; 0 for num_layers
patience = 0  # 0 for every epoch
resamples = 400
seed = 0
device = "cpu"

# %%
from contextlib import nullcontext

import numba
import torch

from gsrgnn import GSRGNN, CircuitGraph, circuits
from gsrgnn.baselines import FusedRevGNN
from gsrgnn.lab.measure import bounded_memory
from gsrgnn.lab.records import publish
from gsrgnn.lab.tuning import Budget, tuned
from gsrgnn.metrics import difference

# %%
data = circuits.load(circuit).to(device)
graph = CircuitGraph.from_data(data, norm="mean").to(device)
budget = Budget(epochs, learning_rates, tuning_epochs, tuning_layers, patience)


def trained(kind, **options):
    def make(num_layers):
        return kind(
            data.num_features, hidden_channels, num_layers=num_layers, **options
        ).to(device)

    with bounded_memory() if device == "cpu" else nullcontext():
        return tuned(
            make,
            circuit,
            data,
            graph,
            num_layers=num_layers,
            seed=seed,
            budget=budget,
        )


peer = trained(FusedRevGNN)
found = {k: trained(GSRGNN, k=k) for k in ks}

# %% [markdown]
# The interval holds the middle 95% of the difference over resamples of the test cells, both models being scored on the
# same ones. It says how far the choice of test cells matters, for these two trained models; how far the seed matters
# is seen by other points of this experiment.

# %%
test = data.test_mask.cpu()
true = data.y.cpu()[test].numpy().ravel()
rows = []
for k, own in found.items():
    gains = difference(
        true,
        own.training.prediction[test].numpy(),
        peer.training.prediction[test].numpy(),
        resamples,
    )
    rows += [
        {
            "k": k,
            "measure": measure,
            "RevGNN": peer.training.test[measure],
            "GSRGNN": own.training.test[measure],
            "difference": gain,
            "low": low,
            "high": high,
            "RevGNN_learning_rate": peer.rate,
            "GSRGNN_learning_rate": own.rate,
            "RevGNN_best_epoch": peer.training.best_epoch,
            "GSRGNN_best_epoch": own.training.best_epoch,
        }
        for measure, (gain, low, high) in gains.items()
    ]

publish(
    rows,
    data.label_source,
    {"torch": torch.get_num_threads(), "numba": numba.get_num_threads()},
)
