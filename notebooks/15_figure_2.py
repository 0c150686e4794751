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
# # Figure 2: how many layers pay
#
# The paper trains RevGNN at growing depth and finds that its correlations rise up to about 70 layers and fall beyond
# 100. This page shows the correlations by depth that our records hold. Nothing is trained here.

# %% tags=["parameters"]
folder = "results"  # where the records of `gsrgnn sweep` lie

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import Markdown, display

from gsrgnn.book import figures, findings

page = findings.Page("depth", folder)
claims = findings.claims("fig2_plateau")
plateau = claims["value"].iloc[0]

# %% [markdown]
# ## The claim

# %% tags=["hide-input"]
findings.claims_table(claims)

# %% [markdown]
# ## How it is measured
#
# As for [Figure 1](14_figure_1.ipynb): a point is one model at one depth, trained with the same budget as every other,
# rate and epoch chosen on the validation cells, scored on the test cells. A bar is the 95% interval by Fisher's
# transformation, as if the test cells were independent, and each seed has its own point.
#
# ## What came out

# %% tags=["hide-input"]
page.remarks()

# %% tags=["hide-input"]
MODELS = {
    "GSRGNN": "GSR-GNN",
    "RevGNN": "RevGNN",
    "GraphSAGE": "GraphSAGE",
    "GCN": "GCN",
}
MEASURES = ["pearson", "spearman", "kendall", "r2"]


def shown(view):
    rows = view.rows.assign(
        model=pd.Categorical(view.rows["model"].map(MODELS), MODELS.values())
    )
    rows = rows.sort_values("model").astype({"model": str})
    low, high = findings.pearson_interval(rows["pearson"], rows["test_cells"])
    picture = figures.show(
        figures.scores.by_depth(
            rows.assign(low=low, high=high), plateau, view.label
        ),
        alt="Line chart: Pearson on the test cells against the number of layers, a line a model, with 95% intervals, "
        "and the depth of the paper's plateau as a vertical line. The table below has the numbers.",
        caption=view.caption,
    )
    table = (
        rows.groupby(["model", "num_layers"], sort=False)[MEASURES]
        .mean()
        .sort_index()
    )
    table.columns = ["Pearson", "Spearman", "Kendall", "R²"]
    table.index.names = [None, "layers"]
    title = f"On {rows['test_cells'].iloc[0]:,.0f} test cells, mean of the seeds"
    return [picture, figures.table(table, "{:.3f}", title)]


page.show(shown, "hidden_channels", "epochs", "learning_rates")

# %% [markdown]
# ## What differs, and why


# %% tags=["hide-input"]
def in_words(view):
    """By model: the best depth, and whether the deepest one falls behind it."""
    mean = view.rows.groupby(["model", "num_layers"])["pearson"].mean()
    lines = []
    for model in ("RevGNN", "GSRGNN"):
        if model not in mean.index:
            continue
        best, deepest = mean[model].idxmax(), mean[model].index.max()
        lines.append(
            f"{MODELS[model]} is best with {best} of at most {deepest} layers"
        )
    reached = view.rows["num_layers"].max()
    beyond = (
        f"The plateau at {plateau:g} layers lies beyond what was run here."
        if reached < plateau
        else f"The depths here reach the plateau's {plateau:g} layers."
    )
    return f"- On {view.circuit}: {'; '.join(lines)}. {beyond}"


for view in page.views("hidden_channels", "epochs", "learning_rates"):
    display(Markdown(in_words(view)))

# %% [markdown]
# The paper's curve is of another circuit (its graph 7, 356-R) with labels from a commercial router, of a network 384
# wide, trained for 250 epochs. A shorter training favours shallow networks: the epochs are below the figure. The
# paper gives no interval, so it is not known which of the steps in its curve a second seed would repeat.
#
# ## Run it again
#
# ```sh
# gsrgnn sweep cpu --only depth      # two cores
# gsrgnn sweep cpu --list            # the points, what is done, the time left
# ```
