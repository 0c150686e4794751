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
# Every model gets the same budget: one training run of `epochs` epochs for each of `learning_rates`. The rate is chosen
# by the best Pearson correlation on the validation cells, and so is the epoch. The test cells play no part in either.

# %% tags=["parameters"]
circuit = "riscv/picorv32-small"
num_layers = 10
hidden_channels = 64
ks = [4, 8, 16]
epochs = 60
learning_rates = [2e-3, 1e-2]
resamples = 400
seed = 0
device = "cpu"

# %%
from contextlib import nullcontext

import numba
import torch
from torch_geometric import seed_everything

from gsrgnn import GSRGNN, CircuitGraph, circuits
from gsrgnn.baselines import RevGNN
from gsrgnn.lab.measure import bounded_memory
from gsrgnn.lab.records import publish
from gsrgnn.metrics import difference
from gsrgnn.training import tune

# %%
data = circuits.load(circuit).to(device)
graph = CircuitGraph.from_data(data, norm="mean").to(device)


def tuned(kind, **options):
    def make():
        seed_everything(seed)
        return kind(
            data.num_features, hidden_channels, num_layers=num_layers, **options
        ).to(device)

    with bounded_memory() if device == "cpu" else nullcontext():
        return tune(make, data, graph, epochs=epochs, learning_rates=learning_rates)


peer_rate, peer = tuned(RevGNN)
runs = {k: tuned(GSRGNN, k=k) for k in ks}

# %% [markdown]
# The interval holds the middle 95% of the difference over resamples of the test cells, both models being scored on the
# same ones. It says how far the choice of test cells matters, for these two trained models; how far the seed matters
# is seen by other points of this experiment.

# %%
test = data.test_mask.cpu()
true = data.y.cpu()[test].numpy().ravel()
rows = []
for k, (rate, run) in runs.items():
    gains = difference(
        true,
        run.prediction.cpu()[test].numpy(),
        peer.prediction.cpu()[test].numpy(),
        resamples,
    )
    rows += [
        {
            "k": k,
            "measure": measure,
            "RevGNN": peer.test[measure],
            "GSRGNN": run.test[measure],
            "difference": gain,
            "low": low,
            "high": high,
            "RevGNN_learning_rate": peer_rate,
            "GSRGNN_learning_rate": rate,
            "RevGNN_best_epoch": peer.best_epoch,
            "GSRGNN_best_epoch": run.best_epoch,
        }
        for measure, (gain, low, high) in gains.items()
    ]

publish(
    rows,
    data.label_source,
    {"torch": torch.get_num_threads(), "numba": numba.get_num_threads()},
)
