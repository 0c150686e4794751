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
# # Unseen circuits: designs that a model was not trained on
#
# The paper tests a model on cells of the very circuit that it was trained on. Who designs a chip needs the other thing:
# to train on the designs that there are, and to predict one that is new. This page holds the one against the other.

# %% tags=["parameters", "remove-input"]
folder = "results"  # where the records of `gsrgnn sweep` lie
graphs = 10_370  # of CircuitNet, as the introduction of the paper counts them
ranks = [1, 8, 64]  # machines or cards that share the circuits of a step

# %% tags=["hide-input"]
from statistics import mean

import pandas as pd
from IPython.display import Markdown, display
from scipy.spatial import cKDTree

from gsrgnn import circuits
from gsrgnn.book import captions, figures, findings, origin, unseen
from gsrgnn.circuits import splits, table1
from gsrgnn.lab import estimate, records
from gsrgnn.lab.experiments import points
from gsrgnn.metrics import correlations

page = findings.Page("unseen", folder, "designs")
SETTING = [
    "hidden_channels",
    "k",
    "steps",
    "learning_rate",
]


def views(r2g=False):
    """The records of designs that ship or of CircuitNet's, or those of R2G's."""
    for view in page.views(*SETTING):
        if view.circuit.startswith("['r2g/") == r2g:
            yield view


def settings(view):
    """As `View.settings`, with the number of designs for their names."""
    names = view.rows["circuit"].nunique()
    return view.settings.replace(
        findings.named(view.circuit), f"{names} designs", 1
    )


def shown(make, r2g=False, without=None):
    """What `make` gives for each view, one machine at a time where there are several; `without` any, those words."""
    by_machine = {}
    for view in views(r2g):
        if parts := list(make(view)):
            by_machine.setdefault(view.machine, []).extend(parts)
    if by_machine:
        return figures.switch(by_machine)
    return without and Markdown(without)


def said(make, r2g=False):
    """The sentences that `make` gives for each view."""
    for view in views(r2g):
        if lines := list(make(view)):
            display(Markdown("\n".join(lines)))


def missing():
    """What the sweep on two cores would add, in words; None where nothing is missing, or nothing there."""
    made = [
        record["parameters"] for record in records.read_all(folder, "unseen")[0]
    ]
    wanted = [point.parameters for point in points("cpu", ["unseen"])]
    words = unseen.missing(wanted, made) if made else None
    return words and Markdown(words)


def opening(view):
    """How the model that validation prefers does on unseen families, what a split by cell says of it, and the rest."""
    scores = unseen.scores(view.rows)
    for features, some in scores.groupby("features", sort=False):
        apart, cells = (
            some[some["split"] == split] for split in ("family", "cell")
        )
        models = apart[apart["model"] != "tree"]
        if models.empty:
            continue
        line = unseen.chosen(models)[0]
        found, beside = (
            rows[rows["line"] == line]["pearson"] for rows in (apart, cells)
        )
        yield (
            f"- **{unseen.FEATURES[features].capitalize()}**, {unseen.in_words(line)} predicts a design whose family it "
            f"was not trained on with a Pearson of {found.mean():.2f}: the mean of {len(found)} designs, from "
            f"{found.min():.2f} to {found.max():.2f}."
            + f" By the paper's split it scores {beside.mean():.2f} on the {len(beside)} that models are trained on."
            * bool(len(beside))
        )
        if pairs := unseen.deeper(models).to_numpy().ravel().tolist():
            yield f"  - More layers: {unseen.verdicts(pairs)}."
        if pairs := unseen.beside_the_tree(apart):
            yield f"  - Models with a graph, against a tree without: {unseen.verdicts(pairs.values())}."


said(opening)
display(*filter(None, [page.remarks(), missing()]))

# %% tags=["remove-cell"]
origin.hand_over(
    [*page.sources(), *findings.Page("speed", folder).sources()],
    "the nearest labels, which take no model",
)

# %% [markdown]
# ## What a split by cell hides
#
# The paper draws the test cells of a circuit at random (section 5.1), and trains on the others. A cell's label is the
# congestion of the gcells that it covers, and those are shared: next to nearly every test cell lie cells that are
# trained on, with about its own label. So a model need not know what makes a place congested. It is enough to recognise
# the place. How far that alone goes can be computed without any model: give each test cell the mean label of the five
# training cells that lie nearest to it. Neither features nor nets enter.
#
# Three splits are compared here. **By cell** is the paper's. **By region** cuts the die into blocks and draws whole
# blocks: the neighbours of a test cell are test cells too, and what is left in common is the design, its netlist and
# its placement. **By family**, the split that counts, holds out every design of one kind (RISC-V cores, a hash, a
# crossbar of a bus, a Fourier transform): nothing of it is trained on, nor does it choose the epoch.


# %% tags=["hide-input"]
def nearest(data, cells=5):
    """Pearson of the test cells' labels with the mean label of the training cells that lie nearest."""
    tree = cKDTree(data.pos[data.train_mask])
    _, near = tree.query(data.pos[data.test_mask], k=cells)
    guess = data.y[data.train_mask][near].mean(dim=1)
    return correlations(data.y[data.test_mask], guess)["pearson"]


LOOKUP = "nearest labels, no model"
shipped = {
    name: circuits.load(name, features="placed", units="capacity")
    for name in circuits.available()
    if name.partition("/")[0] not in ("circuitnet", "r2g", "synthetic")
}
lookup = pd.DataFrame(
    [
        {
            "line": LOOKUP,
            "split": split,
            "circuit": name,
            "pearson": nearest(cut(data)),
        }
        for split, cut in (("cell", splits.by_cell), ("region", splits.by_region))
        for name, data in shipped.items()
    ]
)
figures.table(
    lookup.pivot_table(
        index="circuit", columns="split", values="pearson", sort=False
    )
    .rename(columns=unseen.SPLITS)
    .rename_axis(index=None, columns=None),
    "{:.3f}",
    "Pearson of the test cells' labels with the mean label of the five nearest training cells",
)


# %% tags=["hide-input"]
def no_model(view):
    """How many of the trained lines beat the nearest labels where the test cells are drawn at random."""
    scores = unseen.scores(view.rows)
    cells = scores[scores["split"] == "cell"]
    known = lookup[(lookup["split"] == "cell")]
    known = known[known["circuit"].isin(cells["circuit"])]
    if len(known):
        trained = cells.groupby(["features", "line"])["pearson"].mean()
        best = trained.idxmax()
        yield (
            f"On the {len(known)} designs that models were trained on by cell, the nearest labels have a Pearson of "
            f"{known['pearson'].mean():.2f} on the mean. Of {len(trained)} models, depths and sets of features "
            f"{(trained > known['pearson'].mean()).sum()} score higher; the best, {unseen.in_words(best[1])} "
            f"(features {best[0]}), has {trained.max():.2f}."
        )


said(no_model)


# %% tags=["hide-input"]
def means(scores):
    """Mean Pearson of the trained models by split, of those that every split has."""
    table = scores.pivot_table("pearson", ["features", "line"], "split").dropna()
    order = [split for split in unseen.SPLITS if split in table]
    return table[order].mean().rename(index=unseen.SPLITS)


def hidden(view):
    """A figure for each set of features: the splits beside each other, on the designs that all of them test."""
    scores = unseen.scores(view.rows)
    common = scores[scores["split"] != "family"]["circuit"].unique()
    if not len(common):
        return
    scores = scores[scores["circuit"].isin(common)]
    pictures = []
    for features, some in scores.groupby("features", sort=False):
        beside = lookup[lookup["circuit"].isin(common)]
        rows = pd.concat([some, beside]).assign(
            split=lambda rows: rows["split"].map(unseen.SPLITS)
        )
        pictures.append(
            figures.scores.by_split(
                rows,
                view.label,
                f"features: {features}",
                unseen.SPLITS.values(),
            )
        )
    yield figures.show(
        pictures,
        alt="Dot plots, one for each set of features: Pearson of every model by cell, by region and on unseen families, "
        "with a tick for each design. The tables below have the numbers.",
        caption=captions.splits(means(scores)),
        setting=f"Ticks: {len(common)} designs; markers: their mean. {settings(view)}",
        name=view.figure("splits"),
    )


shown(hidden, without="No record yet tests a model by cell or by region.")


# %% tags=["hide-input"]
def hides(view):
    """By how much a split flatters, line by line."""
    scores = unseen.scores(view.rows)
    for features, some in scores.groupby("features", sort=False):
        for split in ("cell", "region"):
            found = {
                line: unseen.paired(
                    rows[rows["split"] == split], rows[rows["split"] == "family"]
                )
                for line, rows in some.groupby("line", sort=False)
            }
            found = {line: pair for line, pair in found.items() if pair.count}
            if found:
                least, most = (
                    choose(found, key=lambda line: found[line].mean)
                    for choose in (min, max)
                )
                yield (
                    f"- Features {features}, {unseen.SPLITS[split]} against unseen families: "
                    f"{unseen.verdicts(found.values())}. The difference in Pearson goes from {found[least].mean:+.2f} "
                    f"({unseen.in_words(least)}) to {found[most].mean:+.2f} ({unseen.in_words(most)})."
                )


said(hides)

# %% [markdown]
# Once the cells are placed, scores by region are lower than on families that no model saw, and yet a block of a known
# die is not the harder task: its test cells are other cells. The blocks that are drawn hold one part of a die. On most
# designs the label varies less over that part than over the whole, and over a narrower range a correlation is lower.
# The vertical RUDY around a cell, a feature and no model, shows by how much. So scores by region say which model is
# better by region, and are not to be held against those of another split. By cell the test cells are a sample of the
# whole die, and for a family that was held out they are all of it: these two can be compared.


# %% tags=["hide-input"]
def deviation(data, cells):
    """Of the label."""
    return float(data.y[cells].std())


def along_rudy(data, cells):
    """Pearson of the label with the vertical RUDY around the cell."""
    rudy = data.x[cells, data.feature_names.index("vertical RUDY, 2 around")]
    return correlations(data.y[cells], rudy)["pearson"]


CELLS = {
    "whole die": lambda data: slice(None),
    unseen.SPLITS["cell"]: lambda data: splits.by_cell(data).test_mask,
    unseen.SPLITS["region"]: lambda data: splits.by_region(data).test_mask,
}
narrower = pd.DataFrame(
    {
        (head, which): {
            name: measure(data, cells(data)) for name, data in shipped.items()
        }
        for head, measure in (
            ("deviation of the label", deviation),
            ("Pearson of RUDY", along_rudy),
        )
        for which, cells in CELLS.items()
    }
)
narrower.loc["mean"] = narrower.mean()
figures.table(
    narrower,
    "{:.3f}",
    "How far the label varies over the test cells of a split, and how well one feature follows it there",
)

# %% [markdown]
# ## How it is measured
#
# A point is one notebook, `notebooks/experiments/unseen.py`, run by `gsrgnn sweep`: one model, one depth, one set of
# features, one split, one seed.
#
# - **Families.** The part of a name before its slash. Each is held out in turn and tested on with all its cells.
#   Designs above a size, which the records name, are tested on and never trained on, to save time.
# - **Validation.** The first design, by name, of the smallest family that is left chooses the epoch (of the tree: how
#   many trees). Under the two other splits the validation cells of all designs do. No test cell has a part in it.
# - **Budget.** Every model makes the same number of steps, a circuit a step, with one learning rate: of the two that the
#   models of [Figure 1](14_figure_1.ipynb) are given, the one with which GSR-GNN of 4 layers had the higher validation
#   score where one family (crypto) was held out. Nothing else was tuned.
# - **Features.** *Netlist*: what the netlist and the library say of a cell. *Placed*: that, and what is known once the
#   cells are placed and before a wire is routed, such as RUDY and the density of pins around the cell
#   ([](08_circuits.ipynb)).
# - **Label.** Overflow over capacity, in the same units for every design; the larger of both directions.
# - **Measures.** Pearson, Spearman, Kendall and R² over the cells; NRMS, SSIM and EMD over the gcells, as CircuitNet
#   defines them.
# - **The tree.** A gradient-boosted tree (scikit-learn) over the same features, each cell by itself: no graph.
#
# The folds of the designs that ship:


# %% tags=["hide-input"]
def folds(view):
    """What each fold trains on, is validated by and tests."""
    rows = view.rows[view.rows["split"] == "family"]
    table = {}
    for held, fold in rows.groupby("held"):
        first = fold.iloc[0]
        table[held] = {
            "held out": held,
            "trained on": first["trained_on"],
            "validated by": first["validated_on"] or "its own validation cells",
            "tested on": ", ".join(dict.fromkeys(fold["circuit"])),
        }
    if table:
        yield figures.table(
            pd.DataFrame(table).T, index=False, wrap=True
        ).set_properties(**{"text-align": "left"})


shown(folds)

# %% [markdown]
# Two lines are called *told apart* only where one is above the other on every design and there are five designs or
# more. Designs of one family share a trained model, so they are not independent; the rule is a mild one.
#
# ## What came out


# %% tags=["hide-input"]
def by_family(view):
    """Pearson by family that was held out, a table for each set of features."""
    scores = unseen.scores(view.rows)
    held = scores[scores["split"] == "family"]
    for features, some in held.groupby("features", sort=False):
        table = some.pivot_table(
            index="line", columns="family", values="pearson", sort=False
        )
        table = table.reindex(columns=sorted(table))
        designs = some.groupby("family")["circuit"].nunique()
        table.columns = [f"{name} ({designs[name]})" for name in table]
        everything = f"all ({some['circuit'].nunique()})"
        table[everything] = some.groupby("line")["pearson"].mean()
        cells = scores[
            (scores["split"] == "cell") & (scores["features"] == features)
        ]
        if len(cells):
            title_of = f"by cell ({cells['circuit'].nunique()})"
            table[title_of] = cells.groupby("line")["pearson"].mean()
        seeds = some["seeds"].max()
        title = (
            f"Pearson on families that were held out (designs in each), and by cell, features {features}, "
            f"{f'mean of up to {seeds} seeds' if seeds > 1 else 'one seed'}"
        )
        yield figures.table(
            table.rename_axis(index=None, columns=None), caption=title
        ).format("{:.3f}", na_rep="–")


shown(by_family)


# %% tags=["hide-input"]
def all_measures(view):
    """All measures of each model at the depth that validation prefers."""
    scores = unseen.scores(view.rows)
    held = scores[scores["split"] == "family"]
    for features, some in held.groupby("features", sort=False):
        lines = unseen.chosen(some)
        table = (
            some[some["line"].isin(lines)]
            .groupby("line")[list(unseen.MEASURES)]
            .mean()
        )
        table.columns = [
            "Pearson",
            "Spearman",
            "Kendall",
            "R²",
            "NRMS",
            "SSIM",
            "EMD",
        ]
        yield figures.table(
            table.loc[lines].rename_axis(None),
            caption=f"Unseen families, features {features}, each model at the depth that validation prefers, "
            "mean of the designs",
        ).format("{:.3f}", na_rep="–")


shown(all_measures)

# %% [markdown]
# ## Whether depth helps where it counts


# %% tags=["hide-input"]
def in_depth(some):
    """What more layers change on unseen families, in a sentence."""
    pairs = unseen.deeper(some[some["split"] == "family"]).to_numpy().ravel()
    known = [pair for pair in pairs if pair.count]
    if not known:
        return "No model was tested on unseen families at two depths."
    return f"On unseen families, a deeper model against a shallower: {unseen.verdicts(known)}."


def depth(view):
    """Pearson by depth on unseen families and by cell, the tree as a level."""
    scores = unseen.scores(view.rows)
    for features, some in scores.groupby("features", sort=False):
        if some[some["model"] != "tree"]["num_layers"].nunique() < 2:
            continue
        pictures = []
        for split in ("family", "cell"):
            rows = view.rows[
                (view.rows["split"] == split) & (view.rows["features"] == features)
            ]
            if rows.empty:
                continue
            mean = (
                rows.groupby(["model", "num_layers", "seed"])["pearson"]
                .mean()
                .reset_index()
            )
            mean = mean.sort_values(
                "model", key=lambda models: models.map(list(unseen.MODELS).index)
            )
            mean["model"] = mean["model"].map(unseen.MODELS)
            tree = mean[mean["num_layers"] == 0]
            levels = {
                name: group["pearson"].mean()
                for name, group in tree.groupby("model")
            }
            deep = mean[mean["num_layers"] > 0].assign(
                low=lambda rows: rows["pearson"], high=lambda rows: rows["pearson"]
            )
            if deep.empty:
                continue
            pictures.append(
                figures.scores.by_depth(
                    deep,
                    None,
                    view.label,
                    levels,
                    f"Pearson, {unseen.SPLITS[split]}",
                )
            )
        yield figures.show(
            pictures,
            alt="Line charts of Pearson against the number of layers, a line a model, on unseen families and by cell; the "
            "tree without a graph is a horizontal line. The tables above have the numbers.",
            caption=in_depth(scores[scores["features"] == features]),
            setting=f"Features {features}; mean of the designs, a point a seed. {settings(view)}",
            name=view.figure(f"depth-{features}"),
        )


shown(depth, without="The records have no model at two depths yet.")


# %% tags=["hide-input"]
def deeper(view):
    """Each model against itself with fewer layers, on unseen families."""
    scores = unseen.scores(view.rows)
    for features, some in scores[scores["split"] == "family"].groupby(
        "features", sort=False
    ):
        table = unseen.deeper(some)
        if table.size:
            yield figures.table(
                table.map(str),
                caption=f"What more layers change in Pearson on unseen families (designs on which it rises), features "
                f"{features}",
            )


shown(deeper)


# %% tags=["hide-input"]
def deeper_in_words(view):
    """What the table comes to."""
    scores = unseen.scores(view.rows)
    for features, some in scores[scores["split"] == "family"].groupby(
        "features", sort=False
    ):
        if pairs := unseen.deeper(some).to_numpy().ravel().tolist():
            yield f"- Features {features}, a deeper model against a shallower: {unseen.verdicts(pairs)}."


said(deeper_in_words)

# %% [markdown]
# ## What the graph brings


# %% tags=["hide-input"]
def against_the_tree(view):
    """Each model, at the depth that validation prefers, less the tree."""
    scores, rows = unseen.scores(view.rows), []
    for split in ("family", "cell"):
        tested = scores[scores["split"] == split]
        for features, some in tested.groupby("features", sort=False):
            for line, pair in unseen.beside_the_tree(some).items():
                rows.append(
                    {
                        "test": unseen.SPLITS[split],
                        "features": features,
                        "model": line,
                        "less the tree": str(pair),
                    }
                )
    if rows:
        yield figures.table(
            pd.DataFrame(rows),
            caption="Pearson of each model, at the depth that validation prefers, less the tree's (designs on which it "
            "is higher)",
            index=False,
        )


shown(against_the_tree, without="The records have no tree and model beside it yet.")

# %% [markdown]
# ## Where a router made the label
#
# The designs of R2G were placed and routed by OpenROAD, and their label is what the wires take of the tracks. Each design
# is held out in turn.


# %% tags=["hide-input"]
def routed(view):
    """Scores of every line on the designs of R2G."""
    scores = unseen.scores(view.rows)
    held = scores[scores["split"] == "family"]
    for features, some in held.groupby("features", sort=False):
        by_line = some.groupby("line", sort=False)["pearson"]
        held_out = pd.DataFrame(
            {
                "value": by_line.mean(),
                "low": by_line.min(),
                "high": by_line.max(),
            }
        ).rename_axis("contender")
        ours = held_out.index.str.startswith("GSR")
        yield figures.show(
            figures.contenders.side_by_side(
                held_out.assign(ours=ours).reset_index(),
                "Pearson on a design that was held out",
                source=view.label,
                log=False,
            ),
            alt="Dot plot: Pearson on designs of R2G that were held out, a line for each model, with a bar from the "
            "lowest to the highest design.",
            caption="Best on the mean of the routed designs: "
            f"{captions.best_of(held_out['value'], '', most=True, form='.2f')}.",
            setting=f"Features {features}; mean of the designs, bars from the lowest to the highest. {settings(view)}",
            name=view.figure(f"routed-{features}"),
        )


if any(views(r2g=True)):
    display(shown(routed, r2g=True))
    said(opening, r2g=True)
else:
    display(
        Markdown(
            "There is no record of R2G's designs yet: with `R2G_ROOT` set, `gsrgnn sweep cpu --only unseen` makes them."
        )
    )

# %% [markdown]
# ## What this does not show
#
# - The designs that ship are few, and small beside a product's. They were synthesised with one library, placed by one
#   placer and routed by one router, all of them ours: what is called unseen is the netlist, not the flow. The label of
#   these designs is *simulated congestion*.
# - One learning rate and one budget for all. A model that needs more steps, or another rate, is at a disadvantage, and
#   a deep one more so.
# - A family is a fold, and the folds are few. That one design is easy and another hard says more of the designs than of
#   the models: the spread over designs is far larger than that over seeds.
# - Every design that ships has a capacity of its own, chosen from its own routes so that about the same share of cells
#   overflows ([](08_circuits.ipynb)). A new chip has the capacity of its technology, with much congestion or none: how
#   well a model predicts how much, these designs cannot show.
# - The constants with which the features known after placement are scaled are rounded means and deviations over all
#   designs that ship, those that are held out among them.
# - The features known after placement hold an estimate of the label (RUDY). How good a model is with them says how well
#   it corrects that estimate.
# - CircuitNet's own split, by design over its whole data set, needs its data. Who has them sets
#   `designs=["circuitnet/*"]` and `held=["zero-riscy"]`, and it is the same experiment.
#
# ## What the whole data set would take

# %% tags=["hide-input"]
TIMED = {"RevGNN nets": ("RevGNN", None), "GSR k=8 nets": ("GSRGNN", 8)}
pins = estimate.PINS * mean(row.nodes for row in table1.rows())
edges = mean(row.edges for row in table1.rows())


def counted(circuit):
    """Pins of a circuit that is here, or by cells; NaN where neither is known."""
    try:
        return len(circuits.read(circuit).cell)
    except FileNotFoundError:
        return estimate.PINS * (estimate.size(circuit) or (float("nan"),))[0]


def whole(view):
    """How long an epoch of all graphs takes, by the steps that were timed, and estimated on a card."""
    among = " / ".join(map(str, ranks))

    def shared(seconds):
        return " / ".join(f"{graphs * seconds / n:.2g}" for n in ranks)

    width, layers = (
        view.setting[name] for name in ("hidden_channels", "num_layers")
    )
    card = estimate.Setting(
        estimate.H100, round(pins / estimate.PINS), round(edges), width
    )
    steps = view.rows.set_index("contender")["step_seconds"].dropna()
    table = {}
    for contender, (model, k) in TIMED.items():
        if contender in steps.index:
            each = steps[contender] / counted(view.circuit)
            table[f"{unseen.MODELS[model]}{f', k = {k}' * bool(k)}"] = {
                "µs a pin": f"{1e6 * each:.2g}",
                f"hours on {among} machines like this": shared(each * pins / 3600),
                f"minutes on {among} H100, estimated": shared(
                    card.step(layers, model, k=k) / 60
                ),
            }
    if not table:
        return []
    words = f"{layers} layers, width {width}; a step timed on {view.circuit}, {view.machine}"
    return [
        figures.table(
            pd.DataFrame(table).T,
            caption=f"An epoch over {graphs:,} graphs: {words}",
        )
    ]


timed = findings.Page("speed", folder)
display(
    *filter(
        None,
        [
            timed.show(whole, "hidden_channels", "num_layers", "device"),
            timed.remarks(),
        ],
    )
)

# %% tags=["hide-input"]
sizes = 4e-6 * page.rows.get("parameters", pd.Series(dtype=float)).dropna()
exchanged = (
    f", which are at most {sizes.max():.1f} MB a step for the models of this page"
    if len(sizes)
    else ""
)
Markdown(
    f"The steps are those of the experiment `speed`, which runs alone on its machine. The ten graphs of the paper's "
    f"Table 1 have {pins / estimate.PINS:,.0f} cells on the mean, and at {estimate.PINS} pins a cell {pins:,.0f} pins. "
    "Taken is that a step's time grows with the pins, as it does through the nets, and with the layers; that the "
    "circuits of a step are shared out by their pins so that no rank waits; and that adding up the gradients costs "
    f"nothing{exchanged}. {max(ranks)} ranks make {max(ranks)} times fewer steps in an epoch: how many more epochs they "
    "then need is not known from here. Reading the circuits and scoring them is not counted. No training was run on a "
    "card: its minutes come from a model of its memory and its arithmetic ([](13_gpu.ipynb)), and a real one may take "
    "three times as long."
)

# %% [markdown]
# ## Run it again
#
# ```sh
# gsrgnn sweep cpu --only unseen     # two cores; R2G's designs where R2G_ROOT names their folder
# gsrgnn sweep cpu --list            # the points, what is done, the time left
# gsrgnn sweep paper --only unseen   # CircuitNet's official split, for who has its data: on a GPU
# ```
