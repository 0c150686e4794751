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
# # Profile: where RevGNN's time and memory go
#
# RevGNN at one depth and width by the routes it can take: medians of the forward and the backward pass and of the step,
# and the memory of a step. On an `edge_index` it is the paper's baseline (Figures 3 and 4, section 3.1). What does not
# fit into memory is in the record as such.

# %% tags=["parameters"]
circuit = "riscv/picorv32-small"
num_layers = 4
hidden_channels = 64
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
contenders = "RevGNN edge_index,RevGNN csr,RevGNN nets"
with TemporaryDirectory() as folder:
    record = side_by_side.run(
        circuit=circuit,
        hidden=hidden_channels,
        layers=num_layers,
        k=(4,),
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
