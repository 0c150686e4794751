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
# 100. This page shows how ours go with the depth.

# %% tags=["parameters", "remove-input"]
folder = "results"  # where the records of `gsrgnn sweep` lie

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import Markdown, display

from gsrgnn.book import captions, figures, findings, judges, origin, scoreboard

page = findings.Page("depth", folder)
claims = findings.claims("fig2_plateau")
plateau = claims["value"].iloc[0]
display(scoreboard.opening("15_figure_2", folder))
page.remarks()

# %% tags=["remove-cell"]
origin.hand_over(page.sources())

# %% [markdown]
# ## What came out

# %% tags=["hide-input"]
MEASURES = ["pearson", "spearman", "kendall", "r2"]
MEASURES_IN_WORDS = ["Pearson", "Spearman", "Kendall", "R²"]


def shown(view):
    low, high = findings.pearson_interval(
        view.rows["pearson"], view.rows["test_cells"]
    )
    rows = view.rows.assign(low=low, high=high)
    compared, own = findings.own_and_peers(rows["model"])
    own.sort(key=lambda name: name not in compared)  # of one colour in both
    groups = [compared, own] if len(own) > 1 else [compared]
    drawings = [
        figures.scores.by_depth(
            pd.concat([rows[rows["model"] == name] for name in names]),
            plateau,
            view.label,
        )
        for names in groups
    ]
    picture = figures.show(
        *drawings,
        alt="Line charts: Pearson on the test cells against the number of layers, a line a model, with 95% intervals, "
        "and the depth of the paper's plateau as a vertical line; where GSR-GNN was run with several k or residuals, "
        "a second chart has these. The table below has the numbers.",
        caption=captions.best_depths(
            rows[rows["model"].isin(compared)]
            .groupby(["model", "num_layers"])["pearson"]
            .mean(),
            plateau,
        ),
        setting=view.settings,
        name=view.figure("by-depth"),
    )
    table = (
        rows.groupby(["model", "num_layers"], sort=False)[MEASURES]
        .mean()
        .sort_index()
    )
    table.columns = MEASURES_IN_WORDS
    table.index.names = [None, "layers"]
    title = f"On {rows['test_cells'].iloc[0]:,.0f} test cells, mean of the seeds"
    return [picture, figures.table(table, "{:.3f}", title)]


page.show(shown, views=page.leading())

# %% [markdown]
# ## What differs, and why


# %% tags=["hide-input"]
def in_words(view):
    """By model: the best depth, and whether the deepest one falls behind it."""
    by = view.rows.groupby(["model", "num_layers"])["pearson"]
    mean, spread = by.mean(), (by.max() - by.min())[by.size() > 1]
    lines = []
    for model in findings.own_and_peers(view.rows["model"])[0]:
        best, deepest = mean[model].idxmax(), mean[model].index.max()
        lines.append(f"{model} is best with {best} of at most {deepest} layers")
    if len(spread):
        lines.append(f"seeds of one point differ by up to {spread.max():.3f}")
    reached = view.rows["num_layers"].max()
    beyond = (
        f"The plateau at {plateau:g} layers lies beyond what was run here."
        if reached < plateau
        else f"The depths here reach the plateau's {plateau:g} layers."
    )
    where = findings.named(view.circuit)
    return (
        f"- On {where} ({figures.reference(view.figure('by-depth'))}): {'; '.join(lines)}. "
        f"{beyond}"
    )


def tried(view):
    """RevGNN at one depth, with what was changed: epochs, dropout; what that did, and each rate that was tried."""
    here = page.rows[
        (page.rows["circuit"] == view.circuit)
        & (page.rows["hidden_channels"] == view.setting["hidden_channels"])
        & (page.rows["seed"] == 0)
        & page.rows["model"].str.startswith("RevGNN")
    ]
    epochs = view.setting["epochs"]
    plain = here[(here["model"] == "RevGNN") & (here["epochs"] == epochs)]
    changed = here.drop(plain.index)
    scores = plain.groupby("num_layers")["pearson"].mean()
    for row in changed[changed["num_layers"].isin(scores.index)].itertuples():
        what = (
            row.model.partition(", ")[2]
            or f"{row.epochs} epochs in place of {epochs}"
        )
        yield Markdown(
            f"- RevGNN with {row.num_layers} layers, {what}: Pearson "
            f"{row.pearson - scores[row.num_layers]:+.3f}."
        )
    words = {
        "model": "model",
        "num_layers": "layers",
        "epochs": "epochs",
        "pearson": "Pearson",
        "best_epoch": "best epoch",
        "learning_rate": "rate",
        "rates_tried": "rates tried: validation Pearson",
    }
    rows = here[here["num_layers"].isin(changed["num_layers"])]
    rows = rows.reindex(columns=list(words)).rename(columns=words)
    rates = words["rates_tried"]
    rows[rates] = rows[rates].map(
        lambda said: said.replace(": ", ":\N{NO-BREAK SPACE}"), na_action="ignore"
    )
    if len(rows):
        yield figures.table(
            rows,
            {"Pearson": "{:.3f}", "rate": "{:g}"},
            f"RevGNN on {findings.short(view.circuit)}: fewer epochs, and dropout",
            index=False,
            wrap=True,
        )


for view in page.leading():
    display(Markdown(in_words(view)), *tried(view))

if "rates_tried" in page.rows and page.rows["rates_tried"].notna().any():
    rows = page.rows[page.rows["rates_tried"].notna()]
    rates = rows.drop_duplicates(
        ["circuit", "hidden_channels", "model", "rates_tried"]
    )
    edge = int(rates["rate_on_edge"].astype(bool).sum())
    display(
        Markdown(
            f"Of {len(rates)} searches for a rate {edge or 'none'} ended on the edge of the rates that were tried."
        )
    )

# %% [markdown]
# The paper's curve is of another circuit (its graph 7, 356-R) with labels from a commercial router, of a network 384
# wide, trained for 250 epochs. A shorter training favours shallow networks: the epochs are below the figure. The
# paper gives no interval, so it is not known which of the steps in its curve a second seed would repeat.

# %% [markdown]
# ## The paper's own configuration
#
# Its largest network is 384 wide and 100 layers deep and keeps 16 of 192 entries (k = 16); it trains for 250 epochs. The
# same here, on the one of its graphs that we have:


# %% tags=["hide-input"]
def as_in_the_paper(view):
    """Scores, hours and memory of the trainings of a view."""
    words = {
        "model": "model",
        **dict(zip(MEASURES, MEASURES_IN_WORDS, strict=True)),
        "learning_rate": "rate",
        "best_epoch": "best epoch",
        "epochs_run": "epochs",
        "seconds": "hours",
        "memory_peak": "peak MB",
    }
    formats = {
        **dict.fromkeys(MEASURES_IN_WORDS, "{:.3f}"),
        "rate": "{:g}",
        "best epoch": "{:.0f}",
        "epochs": "{:.0f}",
        "hours": lambda seconds: f"{seconds / 3600:.2f}",
        "peak MB": lambda size: f"{size / 1e6:,.0f}",
    }
    title = (
        f"{view.setting['num_layers']} layers, width {view.setting['hidden_channels']}, on {view.machine}; "
        f"{findings.named(view.circuit)}; hours of the steps of the training that is scored; on a CPU, memory of "
        "the process"
    )
    memory = view.rows["memory_peak"].where(view.rows["device"] == "cpu")
    rows = view.rows.assign(memory_peak=memory)
    table = rows.reindex(columns=list(words)).rename(columns=words)
    return figures.table(table, caption=title, index=False).format(
        formats, na_rep="–"
    )


own = [
    as_in_the_paper(view)
    for view in page.views("hidden_channels", "num_layers", "epochs", "machine")
    if view.setting["hidden_channels"] == max(judges.WIDTHS)
    and view.setting["num_layers"] == judges.DEPTHS[-1]
    and view.setting["epochs"] >= judges.EPOCHS
]
none = "There is no record of it yet: `gsrgnn sweep deep --only depth` makes one."
display(*(own or [Markdown(none)]))

# %% [markdown]
# ## How it is measured
#
# As for [Figure 1](14_figure_1.ipynb): a point is one model at one depth, trained with the same budget as every other,
# rate and epoch chosen on the validation cells, scored on the test cells. A bar is the 95% interval by Fisher's
# transformation, as if the test cells were independent, and each seed has its own point.

# %% [markdown]
# ## Run it again
#
# ```sh
# gsrgnn sweep cpu --only depth      # two cores, minutes a point
# gsrgnn sweep deep --only depth     # two cores, hours: wider, deeper, longer trained
# gsrgnn sweep cpu --list            # the points, what is done, the time left
# ```
