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
# # Speed: a step by k and width
#
# GSR-GNN with each `k`, through the edges and through the nets, in turn with RevGNN on an `edge_index`, which is the
# paper's baseline, and with the strongest peers that we know how to build (Figure 9, Table 2).

# %% tags=["parameters"]
circuit = "riscv/picorv32-small"
num_layers = 4
hidden_channels = 64
ks = [4, 8, 16, 32, 64]
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
contenders = "RevGNN edge_index,RevGNN csr,RevGNN nets,CheckpointSAGE sqrt,GSR k"
with TemporaryDirectory() as folder:
    record = side_by_side.run(
        circuit=circuit,
        hidden=hidden_channels,
        layers=num_layers,
        k=ks,
        only=contenders,
        memory_layers=(),  # is the experiment of that name's
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
