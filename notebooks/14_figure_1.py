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
# # Figure 1: deep against shallow
#
# The paper opens with a claim on depth: a reversible network of 80 layers predicts congestion better than one of 2, and
# either better than the best GCN or GraphSAGE. Here is what our records say to each of the three.

# %% tags=["parameters", "remove-input"]
folder = "results"  # where the records of `gsrgnn sweep` lie

# %% tags=["hide-input"]
from IPython.display import Markdown, display

from gsrgnn.book import captions, figures, findings, origin, scoreboard

page = findings.Page("depth", folder)
claims = findings.claims("fig1_rev80", "fig1_rev2", "fig1_shallow_best")
display(scoreboard.opening("14_figure_1", folder))
page.remarks()

# %% tags=["remove-cell"]
origin.hand_over(page.sources())

# %% [markdown]
# ## What came out

# %% tags=["hide-input"]
PLAIN = list(captions.PLAIN)


def scores(view):
    """A line a run of the models that are compared, in their order: how deep, how good, with its interval."""
    models, _ = findings.own_and_peers(view.rows["model"])
    rows = view.rows[view.rows["model"].isin(models)].sort_values(
        "model", key=lambda names: names.map(models.index), kind="stable"
    )
    low, high = findings.pearson_interval(rows["pearson"], rows["test_cells"])
    return rows.assign(low=low, high=high)


def papers(rows):
    """The paper's values by the row that they are to be compared with."""
    reversible = rows[rows["model"] == "RevGNN"]["num_layers"]
    plain = (
        rows[rows["model"].isin(PLAIN)]
        .groupby(["model", "num_layers"])["pearson"]
        .mean()
    )
    found = {}
    if (reversible == 2).any():
        found["RevGNN", 2] = (
            "paper: 2 layers",
            claims["value"]["fig1_rev2"],
        )
    if len(reversible):
        found["RevGNN", reversible.max()] = (
            "paper: 80 layers",
            claims["value"]["fig1_rev80"],
        )
    if len(plain):
        found[plain.idxmax()] = (
            "paper: best plain model",
            claims["value"]["fig1_shallow_best"],
        )
    return found


def shown(view):
    rows = scores(view)
    table = rows.pivot_table(
        index="model", columns="num_layers", values="pearson", sort=False
    ).rename_axis(None)
    table = table.sort_index(axis="columns")
    table.columns = [f"{depth} layers" for depth in table]
    title = f"Pearson on {rows['test_cells'].iloc[0]:,.0f} test cells, mean of the seeds"
    picture = figures.show(
        figures.scores.by_model(rows, papers(rows), view.label),
        alt="Dot plot: Pearson on the test cells with 95% intervals, a line for each model and depth, and the paper's "
        "three values as diamonds. The table below has the numbers.",
        caption=captions.deep_against_shallow(rows),
        setting=view.settings,
        name=view.figure("by-model"),
    )
    return [
        picture,
        figures.table(table, caption=title).format("{:.3f}", na_rep="–"),
    ]


page.show(shown, views=page.leading())

# %% [markdown]
# ## What differs, and why


# %% tags=["hide-input"]
def in_words(view):
    """How the deepest reversible models stand against a shallow one, and against the best two-layer plain model."""
    rows = scores(view)
    by = rows.groupby(["model", "num_layers"])["pearson"]
    mean, spread = by.mean(), by.agg(lambda r: r.max() - r.min())
    two = mean[[key for key in mean.index if key[0] in PLAIN and key[1] == 2]]
    lines = []
    reversible = [
        name for name in dict.fromkeys(rows["model"]) if name not in PLAIN
    ]
    for model in reversible:
        depths = rows[rows["model"] == model]["num_layers"]
        if depths.nunique() < 2:
            continue
        deep, shallow = (model, depths.max()), (model, depths.min())
        peers = {f"itself with {shallow[1]} layers": shallow}
        if len(two):
            peers[f"the better two-layer plain model, {two.idxmax()[0]}"] = (
                two.idxmax()
            )
            best = mean[mean.index.get_level_values("model").isin(PLAIN)].idxmax()
            peers[f"the best plain model, {best[0]} with {best[1]} layers"] = best
        for words, peer in peers.items():
            lead = mean[deep] - mean[peer]
            seeds = max(spread[deep], spread[peer])
            by_chance = (
                f"; seeds of one point differ by up to {seeds:.3f}"
                if seeds
                else "; one seed each"
            )
            lines.append(
                f"- {model} with {deep[1]} layers is {abs(lead):.3f} {'above' if lead > 0 else 'below'} "
                f"{words}{by_chance}."
            )
    for model in PLAIN:
        depths = mean[[key for key in mean.index if key[0] == model]]
        if len(depths) and depths.idxmax() != depths.index[-1]:
            lines.append(
                f"- {model} is best with {depths.idxmax()[1]} layers ({depths.max():.3f}) and falls to "
                f"{depths.iloc[-1]:.3f} with {depths.index[-1][1]}."
            )
    where = f"On {findings.named(view.circuit)} ({figures.reference(view.figure('by-model'))}):"
    return lines and [where, "", *lines, ""]


for view in page.leading():
    display(Markdown("\n".join(in_words(view))))

# %% [markdown]
# The paper's values are of other circuits (its graphs 1 and 3), with labels from a commercial router, and of wider
# networks that were trained for longer on a GPU. Where our label is simulated, the values themselves cannot be
# compared; the order of the models and the sign of the gain from depth can. A split by cells, which the paper's counts
# point to, lets a test cell share its neighbours' label in part, for every model alike.

# %% [markdown]
# ## How it is measured
#
# Each point is one notebook, `notebooks/experiments/depth.py`, run by `gsrgnn sweep`. It trains one model at one depth
# on the whole graph of one circuit. Every model gets the same budget: a training run for each of the learning rates,
# the same ones for all, as many epochs each; the best Pearson on the validation cells decides rate and epoch. Where
# *tuning epochs* are given below a figure, the rates were tried in so many epochs, in a network of 10 or 40 layers, and
# where the best was the largest or the smallest, further ones beyond it. The score is Pearson on the test cells, which
# play no part in that. GSR-GNN and RevGNN are reversible; GCN and GraphSAGE have no residual.
#
# Of each circuit the records of the widest networks are shown that have more than one depth, and of those the ones
# that were trained longest.
#
# A bar is the 95% interval by Fisher's transformation, as if the test cells were independent. Cells that lie close
# share their label in part, so the true intervals are wider. Each training run has its own point: where several seeds
# were run, their distance shows what a seed changes.

# %% [markdown]
# ## Run it again
#
# ```sh
# gsrgnn sweep cpu --only depth      # two cores, minutes a point
# gsrgnn sweep deep --only depth     # two cores, hours: wider, deeper, longer trained
# gsrgnn sweep cpu --list            # the points, what is done, the time left
# ```
