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
# # Beyond the paper: the dense residual, the nets, checkpoints
#
# Three things that the paper leaves out. The dense residual keeps nothing a layer and drops nothing of the stream. The
# nets do the sums over all neighbours with one step a pin in place of one an edge. Checkpoints recompute without any
# reversible layer. Time and memory of each are measured side by side; GSR-GNN with both residuals and the checkpointed
# GraphSAGE are trained as well.
#
# Every model gets the same budget: one training run of `epochs` epochs for each of `learning_rates`. The rate is chosen
# by the best Pearson correlation on the validation cells, and so is the epoch. The test cells play no part in either.

# %% tags=["parameters"]
circuit = "riscv/picorv32-small"
num_layers = 4
hidden_channels = 64
k = 8
epochs = 60
learning_rates = [2e-3, 1e-2]
seed = 0
steps = 5
limit = 120.0  # seconds; a contender whose step would take longer is left out, and says so
device = "cpu"

# %%
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from torch_geometric import seed_everything

from gsrgnn import GSRGNN, CircuitGraph, circuits
from gsrgnn.baselines import CheckpointSAGE
from gsrgnn.lab.bench import side_by_side
from gsrgnn.lab.bench.record import observations
from gsrgnn.lab.measure import bounded_memory
from gsrgnn.lab.records import publish
from gsrgnn.training import tune

# %%
with TemporaryDirectory() as folder:
    record = side_by_side.run(
        circuit=circuit,
        hidden=hidden_channels,
        layers=num_layers,
        k=[k],
        only="FusedRevGNN nets,CheckpointSAGE,GSR",
        memory_layers=[num_layers],
        gradient_layers=(),
        steps=steps,
        limit=limit,
        device=device,
        output=Path(folder) / "bench.json",
    )

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
        rate, run = tune(
            make, data, graph, epochs=epochs, learning_rates=learning_rates
        )
    return {**run.test, "learning_rate": rate, "best_epoch": run.best_epoch}


trained = {
    f"GSR k={k}": tuned(GSRGNN, k=k),
    f"GSR dense k={k}": tuned(GSRGNN, k=k, residual="dense"),
    "CheckpointSAGE": tuned(CheckpointSAGE),
}

# %%
scores = [
    {"contender": name, "state": "trained", "note": "", **score}
    for name, score in trained.items()
]
publish(observations(record) + scores, data.label_source, record["threads"])
