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
# # Figures 1 and 2: what depth brings
#
# The paper opens with a claim on depth: a reversible network of 80 layers predicts congestion better than one of 2, and
# either better than the best GCN or GraphSAGE, which do not gain from layers. This page holds it against our records.
# Nothing is trained here.

# %% tags=["parameters"]
folder = "results"  # where the records of `gsrgnn sweep` lie

# %% tags=["hide-input"]
from pathlib import Path

import pandas as pd
from IPython.display import Markdown, display

from gsrgnn import figures, findings, sweep

now = sweep.key(Path("notebooks/experiments/depth.py"))
scores, wrong = findings.found("depth", folder, now)
complete = scores[scores["record state"] == "measured"] if len(scores) else scores
claims = findings.claims("fig1_rev80", "fig1_rev2", "fig1_shallow_best", "fig2_plateau")

# %% [markdown]
# ## The claim

# %% tags=["hide-input"]
figures.table(claims.reset_index()[["where", "quantity", "value", "unit", "conditions"]], {"value": "{:g}"},
              "What the paper reports", index=False)

# %% [markdown]
# ## How it is measured
#
# Each point is one notebook, `notebooks/experiments/depth.py`, run by `gsrgnn sweep`. It trains one model at one depth
# on the whole graph of one circuit. Every model gets the same budget: a training run for each of the learning rates,
# the same ones for all, as many epochs each; the best Pearson on the validation cells decides rate and epoch. The score
# is Pearson on the test cells, which play no part in that. GSR-GNN and RevGNN are reversible; GCN and GraphSAGE have no
# residual.
#
# The bars are 95% intervals by Fisher's transformation, as if the test cells were independent. Cells that lie close
# share their label in part, so the true intervals are wider. What another seed would change is in none of them; where
# several seeds were run, each has its point.
#
# ## What came out

# %% tags=["hide-input"]
def nothing_yet():
    return (f"There is no record of this experiment in `{folder}` yet, so there is nothing of ours to show. "
            "`gsrgnn sweep cpu --only depth` makes the records on two cores, and this page shows them when the book is "
            "built again.")


def warnings():
    lines = [f"- Left out: {text}." for text in wrong]
    if len(scores) and scores["stale"].any():
        count = int(scores["stale"].sum())
        lines.append(f"- {count} of {len(scores)} records were made by other code than there is now (stale).")
    lost = len(scores) - len(complete)
    if lost:
        lines.append(f"- {lost} points ran out of memory.")
    return lines


if complete.empty:
    display(Markdown(nothing_yet()))
if warnings():
    display(Markdown("\n".join(warnings())))

# %% tags=["hide-input"]
PAPER = {claims["value"]["fig1_rev80"]: "paper: RevGNN, 80 layers",
         claims["value"]["fig1_rev2"]: "paper: RevGNN, 2 layers",
         claims["value"]["fig1_shallow_best"]: "paper: best of GCN, GraphSAGE"}
MODELS = {"GSRGNN": "GSR-GNN", "RevGNN": "RevGNN", "GraphSAGE": "GraphSAGE", "GCN": "GCN"}
if len(complete):
    complete = complete.assign(model=pd.Categorical(complete["model"].map(MODELS), MODELS.values()))
    complete = complete.sort_values("model").astype({"model": str})


def shown(group, circuit, source, machine, width, epochs):
    low, high = findings.pearson_interval(group["pearson"], group["test_cells"])
    rates = ", ".join(sorted(group["learning_rates"].str.strip("[]").unique()))
    display(figures.show(
        figures.scores_by_depth(group.assign(low=low, high=high), PAPER, source),
        alt="Line chart: Pearson on the test cells against the number of layers, a line a model, with 95% intervals, "
            "and the paper's three values as horizontal lines. The table below has the numbers.",
        caption=f"{circuit}; width {width}, {epochs} epochs, learning rates {rates}; run on {machine}."))
    table = group.pivot_table(index="model", columns="num_layers", values="pearson", sort=False).rename_axis(None)
    table = table.sort_index(axis="columns")
    table.columns = [f"{depth} layers" for depth in table]
    title = f"Pearson on {group['test_cells'].iloc[0]:,.0f} test cells, mean of the seeds; label {source}"
    display(figures.table(table, caption=title).format("{:.3f}", na_rep="–"))


origins = list(complete.groupby(findings.ORIGIN)) if len(complete) else []
for origin, group in origins:
    shown(group, *origin)

# %% [markdown]
# ## What differs, and why

# %% tags=["hide-input"]
def in_words(group, circuit):
    mean = group.groupby(["model", "num_layers"])["pearson"].mean()
    plain = mean[mean.index.get_level_values("model").isin(["GCN", "GraphSAGE"])]
    lines = []
    for model in ("RevGNN", "GSR-GNN"):
        if model not in mean.index.get_level_values("model"):
            continue
        shallow, deep = mean[model].index.min(), mean[model].index.max()
        peers = {f"{model} with {shallow} layers": mean[model, shallow]} if shallow < deep else {}
        if len(plain):
            name, depth = plain.idxmax()
            peers[f"the best of GCN and GraphSAGE ({name}, {depth} layers)"] = plain.max()
        leads = {name: mean[model, deep] - score for name, score in peers.items()}
        said = [f"{abs(lead):.3f} {'above' if lead > 0 else 'below'} {name}" for name, lead in leads.items()]
        if said:
            lines.append(f"{model} with {deep} layers is {' and '.join(said)}")
    return f"- On {circuit}: {'; '.join(lines)}." if lines else ""


if origins:
    display(Markdown("\n".join(in_words(group, origin[0]) for origin, group in origins)))

# %% [markdown]
# The paper's values are of other circuits (its graphs 1 and 3), with labels from a commercial router, and of wider
# networks that were trained for longer on a GPU. Where our label is simulated, the values themselves cannot be
# compared; the order of the models and the sign of the gain from depth can. A split by cells, which the paper's counts
# point to, lets a test cell share its neighbours' label in part, for every model alike.
#
# ## Run it again
#
# ```sh
# gsrgnn sweep cpu --only depth      # two cores; gpu and paper are the larger profiles
# gsrgnn sweep cpu --list            # the points, what is done, the time left
# ```
