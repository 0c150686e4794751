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
# # Ten graphs: a step of GSR-GNN on each graph of Table 1
#
# A training step of GSR-GNN with each `k` on one graph, at the paper's depth and width: medians of the forward and the
# backward pass and of the step, and the memory of a step. The step times the epochs is what a training would take; over
# the ten graphs that stands beside the hours that the paper gives for its baseline.

# %% tags=["parameters"]
circuit = "riscv/picorv32-small"
num_layers = 4
hidden_channels = 64
ks = [4, 16]
steps = 5
limit = 120.0  # seconds; a contender whose step would take longer is left out, and says so
device = "cpu"

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from gsrgnn import circuits
from gsrgnn.lab.bench import side_by_side
from gsrgnn.lab.bench.record import observations
from gsrgnn.lab.records import publish

# %%
contenders = "GSR k*nets"
with TemporaryDirectory() as folder:
    record = side_by_side.run(
        circuit=circuit,
        hidden=hidden_channels,
        layers=num_layers,
        k=ks,
        only=contenders,
        memory_layers=[num_layers],
        gradient_layers=(),
        steps=steps,
        limit=limit,
        device=device,
        output=Path(folder) / "bench.json",
    )

# %%
publish(
    observations(record),
    circuits.load(circuit).label_source,
    record["threads"],
)
