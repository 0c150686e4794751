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
# # Run it on your GPU or cluster
#
# From a checkout to records of your own card: install, ask what the machine can do, test, sweep. This
# page has them in order, says what each shows and what is known of its time and memory, and then goes on to a cluster.
# `gsrgnn` below is `.venv/bin/gsrgnn` of the checkout.

# %% tags=["parameters", "hide-input"]
folder = "results"  # where the records lie
circuit = "5324-F"  # of Figure 9's largest speedup, a row of Table 1
width, layers, k = 384, 100, 16

# %% tags=["hide-input"]
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

from gsrgnn.book import environment, explorer, figures
from gsrgnn.book.wrapped import markdown
from gsrgnn.circuits import table1
from gsrgnn.lab import programme

lines, _ = environment.read(folder)
on_gpu = environment.on_gpu(lines)
Markdown(
    f"**{len(on_gpu)} of {len(lines)} records are of a GPU** ({', '.join(sorted(on_gpu['GPU'].unique()))}): "
    "[](26_environment.ipynb) has its driver and versions."
    if len(on_gpu)
    else "**No GPU has run this yet.** Every time for one is an estimate, every size is computed by formula, and each is "
    "marked as such below. What is tested without a card is said in [](13_gpu.ipynb)."
)

# %% [markdown]
# ## Install, and ask
#
# The kernels are for NVIDIA cards of compute capability 8.0 and later, with a driver for CUDA 13, on Linux.
#
# ```sh
# make .venv/.complete       # the environment alone; pip installs torch's CUDA build
# .venv/bin/gsrgnn doctor    # driver, card, compiler, every kernel beside the reference
# ```
#
# What you need is the line `CUDA run: yes`. Where it says no, it says what to do. If it names a CPU build of torch, take
# that away first, since pip takes it for the same version and would keep it:
#
# ```sh
# .venv/bin/python -m pip uninstall -y torch && .venv/bin/python -m pip install torch==2.13.0
# ```
#
# ## What to run, and how long it takes
#
# `gsrgnn programme` lists what is left to do on the profile `gpu`, the most telling first. Below is what it says now:
# minutes, expected for an H100. What has a record is left out, and once a point has been measured, its time corrects
# those of the others. A card whose memory is a quarter as fast takes up to four times as long.

# %% tags=["hide-input"]
in_checkout = Path("notebooks/experiments").exists()
parts = programme.parts(Path("."), Path(folder)) if in_checkout else []
rows = [
    (f"`{part.command}`", part.shows, f"{part.seconds / 60:.1f}") for part in parts
]
total = sum(part.seconds for part in parts) / 60
Markdown(
    markdown(pd.DataFrame(rows, columns=["command", "shows", "minutes"]))
    + f"\n\nIn all {total:.0f} minutes."
    if in_checkout
    else "What is left to do is told in a checkout only."
)

# %% [markdown]
# All of it is three commands. The last two end in time when they are told how many minutes there are, and the same
# command goes on where it ended; a point that runs out of memory is a result, and the sweep goes on.
#
# ```sh
# .venv/bin/python -m pytest -m gpu     # all must pass; "skipped" comes with its reason
# gsrgnn sweep gpu --minutes 9          # leave out --minutes where the card is yours
# gsrgnn bench --kernels --minutes 9
# ```
#
# `make book` then shows your card's records in the figures.
# Each record lies in `results`, names the card, its driver and the versions, and is checked when it is read. On a machine
# that is given back, copy that folder before it is.
#
# ## How much memory
#
# What a training step adds at its peak, by the formulas of [](25_explorer.ipynb), for Figure 9's circuit. They count what
# must be there; what torch and the CUDA driver hold beside it is not in them.

# %% tags=["hide-input"]
row = next(row for row in table1.rows() if row.code == circuit)
sizes = explorer.Sizes(row.nodes, row.edges, width, layers, k)
shown = ("messages", "revgnn", "sparse", "dense")
figures.table(
    pd.Series(
        {
            way.label: explorer.total(way.key, sizes) / 1e9
            for way in explorer.WAYS
            if way.key in shown
        },
        name="GB",
    ).to_frame(),
    "{:.1f}",
    f"Computed, not measured: {circuit}, {sizes.cells:,} cells, {sizes.edges:,} edges, width {sizes.width}, "
    f"{sizes.layers} layers, k = {sizes.k}",
)

# %% [markdown]
# ## Figure 9 on one GPU
#
# One experiment makes it: a training step of each model, at the paper's width and depth, for each $k$.
#
# ```sh
# gsrgnn sweep gpu --only speed
# gsrgnn bench --device cuda --circuit synthetic/5324-F --hidden 384 --layers 100
# ```
#
# The first writes the points of [Figure 9](19_figure_9.ipynb) and [Table 2](22_table_2.ipynb). The second is the longer
# table of one circuit, with the peak memory of each row and each kernel beside its bound; [](13_gpu.ipynb) shows it. The
# circuits are synthetic stand-ins of the paper's, made on the spot. CircuitNet's own are taken where `CIRCUITNET_ROOT`
# says where they lie, as in `-p circuit=circuitnet/...`.
#
# ## One notebook on the GPU
#
# An experiment's notebook takes the device as a parameter. With `--results` it is a point of the experiment and leaves a
# record; without, a notebook in `runs` to look at.
#
# ```sh
# gsrgnn run speed -p device=cuda -p circuit=synthetic/356-R -p hidden_channels=384 -p num_layers=100 --results results
# gsrgnn run depth -p device=cuda -p model=GSRGNN -p num_layers=80
# ```
#
# A model of your own circuits is trained there by `gsrgnn train ... --device cuda`, and in a program by `.to("cuda")` on
# the model, the graph and the data; `train(..., cuda_graph=True)` replays a step as one CUDA graph.
#
# ## Many cards: a cluster
#
# The points of a sweep do not depend on each other, so a scheduler can have them. `workflow/README.md` in the checkout
# says what to set; the profiles have been tried by a dry run, not on a cluster.
#
# ```sh
# pip install '.[book,cluster]'
# snakemake -s workflow/Snakefile --config profile=paper --workflow-profile workflow/profiles/slurm -n       # dry run
# snakemake -s workflow/Snakefile --config profile=paper --workflow-profile workflow/profiles/slurm
# snakemake -s workflow/Snakefile --config profile=paper checkout=/gsrgnn --workflow-profile workflow/profiles/kubernetes
# ```
#
# `gsrgnn sweep paper --list` says what is done and how long the rest is expected to take.
#
# One training over many circuits is another matter: `workflow/train.py` is a program for torch's `torchrun`, a process a
# GPU, and `workflow/train.slurm` starts it on several nodes.
#
# ```sh
# gsrgnn data layouts -o layouts
# export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
# torchrun --standalone --nproc-per-node 2 --max-restarts 3 workflow/train.py layouts riscv/ibex model.safetensors
# sbatch workflow/train.slurm layouts riscv/ibex model.safetensors
# ```
#
# Where a process or a node is lost, the training goes on from the last epoch. The tests train in two processes on a CPU,
# and kill one; no cluster has run it.
#
# ## On a runner of your own
#
# `.github/workflows/gpu.yml` does all of this on a self-hosted runner with a card: doctor, tests, the sweep, the kernel
# table, and a pull request with the records. It is started by hand. Its first lines say what to set up.
