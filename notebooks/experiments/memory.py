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
# # Memory: a step by depth
#
# The peak memory of one step of GSR-GNN with each `k` and of RevGNN by three routes, each in a process of its own
# (Figure 10, the abstract). The times in the record are of a single layer: memory is what is asked for here.

# %% tags=["parameters"]
circuit = "riscv/picorv32-small"
num_layers = 4
hidden_channels = 64
ks = [4, 16]
edges = False  # GSR-GNN over the edges too, which is the paper's way
steps = 5
repeat = 0  # which of several runs of the same it is
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
contenders = "RevGNN edge_index,RevGNN csr,RevGNN nets,GSR k*nets,GSR dense"
if edges:
    contenders += ",GSR k*edges"
with TemporaryDirectory() as folder:
    record = side_by_side.run(
        circuit=circuit,
        hidden=hidden_channels,
        layers=1,
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
