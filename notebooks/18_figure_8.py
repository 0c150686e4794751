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
# # Figure 8: what the top k costs in quality
#
# GSR-GNN is RevGNN with all but the k largest entries of a row left out before each aggregation. The paper finds no
# loss: averaged over its graphs and k, the three correlations differ by less than one hundredth, in GSR-GNN's favour. Its
# own R² does fall. This page shows the differences here, with intervals.

# %% tags=["parameters", "remove-input"]
folder = "results"  # where the records of `gsrgnn sweep` lie
largest_loss = 0.02  # what an interval has to exclude to call a loss excluded

# %% tags=["hide-input"]
from ast import literal_eval

from IPython.display import Markdown, display

from gsrgnn.book import captions, figures, findings, origin, scoreboard

page = findings.Page("quality", folder)
MEASURES = {
    "pearson": "Pearson",
    "spearman": "Spearman",
    "kendall": "Kendall",
    "r2": "R²",
}
claims = findings.claims(*(f"fig8_{measure}" for measure in MEASURES))
display(scoreboard.opening("18_figure_8", folder))
page.remarks()

# %% tags=["remove-cell"]
origin.hand_over(page.sources())

# %% [markdown]
# ## What came out

# %% tags=["hide-input"]
reported = {measure: claims["value"][f"fig8_{measure}"] for measure in MEASURES}


def shown(view):
    rows = findings.seeds_averaged(view.rows)
    rows["text"] = [
        f"{d:+.3f} [{low:+.3f},\N{NO-BREAK SPACE}{high:+.3f}]"
        for d, low, high in zip(
            rows["difference"], rows["low"], rows["high"], strict=True
        )
    ]
    table = rows.pivot_table(
        index=["num_layers", "k", "seeds"],
        columns="measure",
        values="text",
        aggfunc="first",
    )
    table = table[list(MEASURES)].rename(columns=MEASURES)
    table.index.names, table.columns.name = ["layers", "k", "seeds"], None
    pictures = [
        figures.scores.differences(
            view.rows[view.rows["measure"] == measure],
            words,
            reported[measure],
            view.label,
        )
        for measure, words in MEASURES.items()
    ]
    return [
        figures.show(
            pictures,
            alt="Four dot plots, one a measure: the difference to RevGNN by k, a marker a depth, with 95% "
            "intervals, and the paper's mean difference as a dotted line. The table below has the numbers.",
            caption=captions.quality(rows, reported, MEASURES),
            setting=view.settings,
            name=view.figure("differences"),
        ),
        figures.table(
            table,
            caption="GSR-GNN less RevGNN, mean of the seeds [95% interval]",
            wrap=True,
        ),
    ]


page.show(shown, views=page.leading())

# %% [markdown]
# ## What differs, and why


# %% tags=["hide-input"]
def rates(view, runs):
    """The learning rates that the models trained best with, and whether a lower one might suit RevGNN better."""

    def span(column):
        return " to ".join(
            f"{rate:g}" for rate in sorted({runs[column].min(), runs[column].max()})
        )

    words = (
        f"- Learning rates: RevGNN trained best with {span('RevGNN_learning_rate')}, GSR-GNN with "
        f"{span('GSRGNN_learning_rate')}."
    )
    tried = literal_eval(view.setting["learning_rates"])
    if (
        not view.setting["tuning_epochs"]
        and (runs["RevGNN_learning_rate"] <= min(tried)).any()
    ):
        words += (
            f" No other rates were tried than {' and '.join(f'{rate:g}' for rate in tried)}, and where the lowest is the "
            "best, a lower one might be better yet. RevGNN is at a disadvantage here."
        )
    return words


def in_words(view):
    rows = findings.seeds_averaged(view.rows)
    lines = []
    for measure in ("pearson", "spearman", "kendall"):
        at_depth = []
        for depth, group in rows[rows["measure"] == measure].groupby("num_layers"):
            safe = group[group["low"] > -largest_loss]["k"].tolist()
            at_depth.append(
                f"at {depth} layers "
                + (f"for k = {', '.join(map(str, safe))}" if safe else "for no k")
            )
        lines.append(
            f"- {MEASURES[measure]}: the interval excludes a loss above {largest_loss:g} "
            f"{'; '.join(at_depth)}."
        )
    over_all = rows.groupby("measure")["difference"].mean()
    lines.append(
        "- Averaged over all depths and k, each alike however many seeds it has: "
        + ", ".join(
            f"{words} {over_all[measure]:+.4f} (paper {reported[measure]:+g})"
            for measure, words in MEASURES.items()
        )
        + "."
    )
    pearson = rows[rows["measure"] == "pearson"]
    group = view.setting["hidden_channels"] // 2
    by_k, by_depth = (
        pearson.groupby(name)["difference"].mean() for name in ("k", "num_layers")
    )
    lines.append(
        f"- Pearson by k, in brackets its share of a group's {group} columns, the mean over depths: "
        + ", ".join(
            f"k = {k} ({k / group:.0%}) {gain:+.3f}" for k, gain in by_k.items()
        )
        + ". By depth, the mean over k: "
        + ", ".join(
            f"{depth} layers {gain:+.3f}" for depth, gain in by_depth.items()
        )
        + "."
    )
    runs = view.rows[view.rows["measure"] == "pearson"]
    if "RevGNN_learning_rate" in runs:
        lines.append(rates(view, runs))
    same = runs.drop_duplicates(["num_layers", "seed"]).groupby("num_layers")[
        "RevGNN"
    ]
    if (same.size() > 1).any():
        spread = same.agg(lambda scores: scores.max() - scores.min()).max()
        lines.append(
            f"- Seeds alone move RevGNN's Pearson by up to {spread:.3f} at one depth, "
            f"{spread / claims['value']['fig8_pearson']:.0f} times the paper's mean difference. A difference "
            "of the paper's size says nothing by itself, with either sign."
        )
    where = f"On {findings.named(view.circuit)} ({figures.reference(view.figure('differences'))}):"
    return [where, "", *lines, ""]


for view in page.leading():
    display(Markdown("\n".join(in_words(view))))

# %% [markdown]
# The paper averages over ten graphs, two widths, ten depths and five k, trains for 250 epochs and gives no interval;
# what is here is one circuit a figure at fewer depths, with a simulated label where it says so.

# %% [markdown]
# ## How it is measured
#
# Each point is one notebook, `notebooks/experiments/quality.py`, run by `gsrgnn sweep`: at one depth and seed it trains
# RevGNN and GSR-GNN with each k on the whole graph of one circuit. All get the same budget: a training run for each of
# the learning rates, the same ones for all, as many epochs each; the best Pearson on the validation cells decides rate
# and epoch. Where *tuning epochs* are given, the rates were tried as for [Figure 1](14_figure_1.ipynb), and the runs
# are those of its records. Of each circuit the widest networks with more than one depth are shown, and of those the
# longest trained. The **difference** is GSR-GNN's score on the test cells less RevGNN's: above zero, GSR-GNN is better.
#
# A bar is a 95% bootstrap interval: the middle 95% of the differences over draws of the test cells, with replacement,
# both models being scored on the same draw. It holds for the two trained models. What a seed changes is seen from the
# points of several seeds, which stand side by side. In the table the seeds are averaged, and so are the ends of their
# intervals; the seeds share their test cells, so the interval of the mean is no wider than that.

# %% [markdown]
# ## Run it again
#
# ```sh
# gsrgnn sweep cpu --only quality    # two cores, minutes a point
# gsrgnn sweep deep --only depth --only quality   # two cores, hours: wider, deeper, longer trained
# gsrgnn sweep cpu --list            # the points, what is done, the time left
# ```
