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
# # Figure 3: RevGNN's memory
#
# The paper finds that a deep RevGNN reserves about twice the GPU memory that it uses, and puts it down to how RevGNN
# manages memory. Both of its values are close to multiples of one array, the messages, one an edge. This page derives
# that array's size and shows what a step of RevGNN takes here, by route and depth.

# %% tags=["parameters", "remove-input"]
folder = "results"  # where the records of `gsrgnn sweep` lie

# %% tags=["hide-input"]
from IPython.display import Markdown, display

from gsrgnn.book import captions, figures, findings, origin, scoreboard, steps
from gsrgnn.circuits import table1
from gsrgnn.lab.bench.contenders import REFERENCE

page = findings.Page("profile", folder)
claims = findings.claims("fig3_reserved", "fig3_active", "ten_graphs_mem")
value = claims["value"]
display(scoreboard.opening("16_figure_3", folder))
page.remarks()

# %% tags=["remove-cell"]
origin.hand_over(page.sources())

# %% [markdown]
# ## What came out

# %% tags=["hide-input"]
UNITS = {
    "added": "MB that a step adds",
    "active": "active MB",
    "reserved": "reserved MB",
}
MARKS = {
    "reserved": (100, value["fig3_reserved"], "paper: reserved"),
    "active": (100, value["fig3_active"], "paper: active"),
}


def average(memory):
    """MB of a step, by contender and depth, in the order of the depths."""
    main = memory[memory["quantity"].isin(["added", "active"])]
    by = main.sort_values("num_layers", kind="stable").groupby(
        ["contender", "num_layers"], sort=False
    )
    return by["value"].mean().dropna()


def array(view):
    """MB of one array of messages on the view's circuit, None where its size is not known."""
    size = steps.size(view.circuit)
    width = view.setting["hidden_channels"]
    return steps.message_megabytes(size[1], width) if size else None


def shown(view):
    memory = steps.memory(view.rows)
    drawings = []
    for quantity, unit in UNITS.items():
        lines = memory[memory["quantity"] == quantity]
        if len(lines):
            marks = MARKS.values() if quantity == "added" else [MARKS[quantity]]
            drawings.append(
                figures.contenders.by_depth(lines, unit, view.label, marks)
            )
    picture = figures.show(
        *drawings,
        caption=captions.messages(average(memory), array(view), REFERENCE),
        setting=view.settings,
        name=view.figure("by-route"),
        alt="Line chart on logarithmic axes: memory of a training step of RevGNN against the number of layers, a line "
        "a route, and the paper's values at 100 layers as diamonds. The table below has the numbers.",
    )
    index = (
        ["contender"]
        if memory["quantity"].nunique() == 1
        else ["contender", "quantity"]
    )
    return [
        picture,
        steps.table(
            memory,
            index,
            lambda line: steps.megabytes(line["value"]),
            "MB of a step",
        ),
    ]


page.show(shown, "hidden_channels", "device")

# %% [markdown]
# ## What differs, and why

# %% [markdown]
# PyTorch's allocator asks the GPU for segments and cuts tensors out of them: *reserved* is what it has asked for,
# *active* is what tensors hold, or held until work that is under way no longer needs it.

# %% tags=["hide-input"]
WIDTH = 384  # of the paper's network
largest, graph = (
    table1.rows()[0],
    next(row for row in table1.rows() if row.code == "356-R"),
)
messages = steps.message_megabytes(graph.edges, WIDTH)
display(
    Markdown(
        f"An array of messages has 4 bytes an edge and channel of one of the two groups. On {graph.code}, with "
        f"{graph.edges / 1e6:.1f} million edges, that is {messages:,.0f} MB at width {WIDTH}. The paper's active memory is "
        f"{value['fig3_active'] / messages:.2f} times that, its reserved memory {value['fig3_reserved'] / messages:.2f} "
        "times: one such array in use and, so it seems, the place of a second one. The depth cannot account for it, since "
        "a reversible network keeps one layer's output however many layers it has. On the paper's largest graph, "
        f"{largest.code}, two arrays are {2 * steps.message_megabytes(largest.edges, WIDTH) / 1e3:.1f} GB, which fits "
        f"“more than {value['ten_graphs_mem']:g} GB”."
    )
)


# %% tags=["hide-input"]
def in_words(view):
    """Memory in arrays of messages, growth a layer, and the gap between the routes; on a GPU active over reserved."""
    memory = steps.memory(view.rows)
    lines = []
    mean, unit = average(memory), array(view)
    width = view.setting["hidden_channels"]
    there = mean[mean.index.get_level_values(0) == REFERENCE]
    if len(there) and unit:
        (_, depth), most = there.idxmax(), there.max()
        lines.append(
            f"- An array of messages is {unit:,.0f} MB here; the step on an `edge_index` takes "
            f"{most:,.0f} MB with {depth} layers, {most / unit:.1f} times that."
        )
    for name in dict.fromkeys(mean.index.get_level_values(0)):
        own = mean[name].sort_index()
        if len(own) > 1:
            first, last = own.index[0], own.index[-1]
            lines.append(
                f"- {name}: {own[first]:,.0f} MB with {first} and {own[last]:,.0f} MB with {last} layers, "
                f"{(own[last] - own[first]) / (last - first):.2f} MB a layer (derived from its parameters: "
                f"{steps.layer_megabytes(name, 0, width):.2f})."
            )
    if (
        len(there)
        and len(
            leanest := mean[
                mean.index.get_level_values("num_layers") == there.index[-1][1]
            ]
        )
        > 1
    ):
        (name, depth), least = leanest.idxmin(), leanest.min()
        lines.append(
            f"- With {depth} layers the leanest route, {name}, takes {least / there.iloc[-1]:.0%} of what the "
            "`edge_index` takes."
        )
    for other, words in (
        ("reserved", "reserved"),
        ("reserved, expandable", "reserved with segments that grow"),
    ):
        if other in {*memory["quantity"]}:
            share = steps.over(memory, "active", other).set_index("contender")[
                "value"
            ]
            base, rest = (
                steps.span(share[kept], ".0%")
                for kept in (share.index == REFERENCE, share.index != REFERENCE)
            )
            paper = (
                f" (paper: {value['fig3_active'] / value['fig3_reserved']:.0%})"
                * (other == "reserved")
            )
            lines.append(
                f"- Active over {words}: {base} on an `edge_index`{paper}, {rest} by the other routes."
            )
    return [
        f"On {findings.named(view.circuit)}, width {width} ({figures.reference(view.figure('by-route'))}):",
        "",
        *lines,
        "",
    ]


for view in page.views("hidden_channels", "device"):
    display(Markdown("\n".join(in_words(view))))

findings.not_measured(page.rows)

# %% [markdown]
# What grows with the depth is the parameters, with gradients and Adam's two moments: 16 bytes a parameter. A layer's
# modules and tensors also take memory beside the numbers in them, which is not derived and shows where the parameters
# are few. The paper's values are of its graph 7 at width 384 on a GPU, so those of a smaller graph, a narrower network
# or a CPU are to be compared in shape and in arrays of messages, not in MB. On a CPU freed memory goes back to the
# system at once (it is told to), so nothing there corresponds to what a GPU's allocator holds back. The paper does not
# say whether its MB are of 10⁶ or of 2²⁰ bytes; the second would make its values 5% larger.

# %% [markdown]
# ## How it is measured
#
# Each point is one notebook, `notebooks/experiments/profile.py`, run by `gsrgnn sweep`, at one depth. Every contender
# makes one training step (forward, backward, Adam with its moments there) in a process of its own. All are RevGNN; they
# differ by *route*, the way a layer sums over neighbours: on an `edge_index` it makes a message an edge, as the paper's
# baseline does; `csr` is a sparse matrix product without messages; `nets` sums each net once. FusedRevGNN computes the
# same function and gradient, but inverts a layer and recomputes it in one go.
#
# On a CPU there is no reserved and no active memory. In their place stands what the step adds to its process: the peak
# of the resident memory less what was there before the model was made (circuit, graph, compiled code). On a GPU the
# values are the allocator's peaks, circuit and graph included; *expandable* is what is reserved with PyTorch's option
# of segments that grow. A value is one process: it has no interval. MB are 10⁶ bytes.

# %% [markdown]
# ## Run it again
#
# ```sh
# gsrgnn sweep cpu --only profile    # two cores; gpu has the paper's width and depths of up to 100
# gsrgnn sweep cpu --list            # the points, what is done, the time left
# ```
#
# With a GPU: [](27_your_gpu.ipynb).
