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

# %% [markdown] slideshow={"slide_type": "slide"}
# # The audit: every printed number, recomputed
#
# Most numbers of the paper's worked examples follow from the others. This page recomputes all of them, shows each
# beside the printed one, and sorts what differs: a different reading of the product, rounding, or a number that no
# reading gives. Examples in print pick up slips; what matters to a reader is which numbers to build on.
#
# Afterwards you can
#
# - say for any number of sections 4.1, 4.3 and 4.4 what arithmetic gives for it;
# - say which reading of the product the package implements, and why;
# - recheck the list of errata, or add to it.
#
# You need the chapters on [aggregation](02_aggregation.ipynb), [forward](04_forward.ipynb) and
# [backward](05_backward.ipynb).

# %% tags=["parameters"] slideshow={"slide_type": "skip"}
errata_file = "default"  # or a file in the form of the package's own

# %% slideshow={"slide_type": "skip"}
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from gsrgnn.book import figures, paper
from gsrgnn.book.walkthrough import (
    BACKWARD,
    EXAMPLE,
    FORWARD,
    VERDICTS,
    matrix,
    show,
)
from gsrgnn.book.walkthrough.audit import beside, recomputed, tally, verdicts
from gsrgnn.book.walkthrough.errata import Finding, recheck
from gsrgnn.book.walkthrough.layer_steps import algorithm2, backward, forward

errata = paper.errata(paper.ERRATA if errata_file == "default" else errata_file)
lines = recomputed()


# %% tags=["hide-input"] slideshow={"slide_type": "skip"}
def findings(point):
    """The records of one of the seven points, each recomputed first."""
    for record in errata.values():
        if record.get("point") == point:
            assert all(
                record[field] == value for field, value in recheck(record).items()
            )
            display(Finding(record))


def section(number):
    """The printed matrices of a section of the paper that follow from others."""
    return [line for key, line in lines.items() if key.startswith(f"{number}/")]


def in_short(number):
    """A section's verdicts in one sentence."""
    counts = pd.Series(
        np.concatenate([verdicts(line).ravel() for line in section(number)])
    ).value_counts()
    found = "; ".join(
        f"{sign} {verdict}: **{counts[verdict]}**"
        for verdict, sign in VERDICTS.items()
        if verdict in counts
    )
    return Markdown(
        f"{counts.sum()} numbers in {len(section(number))} matrices. {found}."
    )


# %% [markdown] slideshow={"slide_type": "slide"}
# ## How it is done
#
# Each printed matrix is recomputed from the matrices printed *before* it, so that one slip counts once. Where a
# product with the graph is involved, it is computed twice: with values at the **neighbour's column**, as the package
# does, and with sums at the row's **own column**. A sign beside each printed number says how it fares:
#
# | sign | verdict | meaning |
# |:-:|:--|:--|
# | = | agrees | the computed number, rounded, is the printed one; in a product, under the neighbour's column |
# | ⇄ | agrees under the other reading | only the own column gives it |
# | ≈ | differs by rounding | not the same, but other numbers that round to the printed summands would give it |
# | ≠ | cannot agree | no reading and no rounding gives it |
# | ? | unreadable in our copy | it, or what it follows from, could not be read; in italics, derived from the products |

# %% [markdown]
# Our copy is a scan turned to text. Points and minus signs are easily lost there, so "cannot agree" is said of what
# we read; a slip of the scan is possible wherever a single digit differs.

# %% tags=["hide-input"]
counts = tally(lines)
numbers = int(counts.to_numpy().sum())
readable = numbers - int(counts["unreadable in our copy"].sum())
counts.index = [
    f"{key.partition('/')[0]} {line.printed.name}" for key, line in lines.items()
]
figures.table(
    counts.rename(columns=VERDICTS),
    caption=f"{numbers} numbers in {len(counts)} matrices, {readable} readable",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Section 4.1

# %% tags=["remove-input"]
in_short("4.1")

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "The matrices of section 4.1"}
for line in section("4.1"):
    display(beside(line))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Section 4.3, forward

# %% tags=["remove-input"]
in_short("4.3")

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "The matrices of section 4.3"}
for line in section("4.3"):
    display(beside(line))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Section 4.4, backward

# %% tags=["remove-input"]
in_short("4.4")

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "The matrices of section 4.4"}
for line in section("4.4"):
    display(beside(line))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What does not fit together
#
# On reading the paper with a pencil, seven points seemed not to fit. Each is stated here with what recomputing made of
# it, and with its records of the errata: what is printed, what arithmetic gives, and what may have happened. Five of
# the points hold, the fourth holds in part, and the sixth is no contradiction.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Point 1: two examples in one
#
# **It holds.** The input of section 4.1 is printed after ReLU, and its last row holds .23 alone; Val takes .86 from
# the same row.

# %%
relu = EXAMPLE["relu"].array
assert relu[3].max() == 0.23
assert EXAMPLE["values"].array[3, 0] == 0.86

# %% tags=["remove-input"]
findings(1)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Point 2: two readings of the product
#
# **It holds**, and each half keeps to its reading: every readable number of 4.1's forward half agrees with the
# neighbour's column, and every readable product of 4.1's backward half, of 4.3 and of 4.4 with the own column, but
# for three sums of point 3. The two readings agree wherever all neighbours of a node kept the same column.

# %%
both = {}
for key, line in lines.items():
    if np.array_equal(line.neighbour, line.own, equal_nan=True):
        continue  # no product involved
    known = (line.printed.provenance == "R") & ~np.isnan(line.neighbour + line.own)
    near = [
        abs(x - line.printed.values) < 0.0051 for x in (line.neighbour, line.own)
    ]
    both[f"{key.partition('/')[0]} {line.printed.name}"] = [
        known.sum(),
        *((fits & known).sum() for fits in near),
    ]
figures.table(
    pd.DataFrame(both, index=["readable", "neighbour's column", "own column"]).T,
    caption="Readable entries that either reading gives",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "The records of point 2"}
findings(2)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Point 3: step 6 of the forward example
#
# **It holds.** One sum is .05 off, and no third value of step 5, which we cannot read, serves the two sums that use it.

# %%
V, M2 = FORWARD["V1"].array.ravel(), FORWARD["M2"].array
print(f"row 2: {V[0]} + {V[3]} = {V[0] + V[3]:.2f}, printed {M2[2, 0]}")
print(f"v from row 0: {M2[0, 0] - V[0]:.2f}")
print(f"v from row 3: {M2[3, 1] - V[1]:.2f}")

# %% tags=["remove-input"]
findings(3)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Point 4: which group the first block is added to
#
# **It holds in part.** The text says group 2, and prints the right columns beside that name; the numbers say the left
# columns. But the text of sections 4.3 and 4.4 calls the *right* columns group 1 throughout, and Algorithm 1 the left
# ones. With the text's own names its sentence is correct, and only the matrix beside the name is the wrong one.

# %%
X = FORWARD["X"].array
M1 = FORWARD["M1"].array
left, right = (half + M1 for half in np.hsplit(X, 2))
show(
    matrix(left, "left + block"),
    matrix(right, "right + block"),
    matrix(FORWARD["V1"], "Val of step 5"),
)

# %% tags=["remove-input"]
findings(4)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Point 5: Algorithm 2 taken literally
#
# **It holds:** it is not the gradient of Algorithm 1; [the backward chapter](05_backward.ipynb) shows it at length. Two
# things came out beside that. With the left columns as group 2 and the own column, the same lines give every readable
# number of the last two matrices of section 4.4, so the example does what the algorithm says. And fed with a layer's
# *output*, they undo the coupling.

# %%
A, G = EXAMPLE["adjacency"].array, BACKWARD["G"].array
known = X.copy()
known[2, :2] = 0.86, 0.50
layer = forward(A, known, 1)
exact, literal = backward(A, layer, G)["dX"], algorithm2(A, G, 1)["G_next"]
assert not np.allclose(exact, literal)
assert np.allclose(algorithm2(A, layer["Y"], 1, group2="left")["M1"], layer["R2"])
show(
    matrix(exact, "exact gradient", groups=2),
    matrix(literal, "Algorithm 2", groups=2, against=matrix(exact, "exact")),
)

# %% [markdown]
# Which side is group 2 matters there. The inverse of Algorithm 1 starts from its group 1, the left columns. Section
# 4.4's numbers start on the left as well. With the names of Algorithm 1, lines 4 and 5 of Algorithm 2 would start on
# the right, and undo nothing:

# %%
wrong_side = algorithm2(A, layer["Y"], 1, group2="right")
assert not np.allclose(wrong_side["M1"], layer["X1"])
show(
    matrix(
        wrong_side["M1"], "started on the right", against=matrix(layer["X1"], "X₁")
    )
)

# %% tags=["remove-input"]
findings(5)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Point 6: what the sparse residual drops
#
# **No contradiction.** A layer's input cannot be recomputed from its output, and the paper does not say that it can: it
# calls the phase partially reversible and states $O(LNK)$. [The chapter on coupling](03_coupling.ipynb) shows why. The
# package has both residuals.

# %% tags=["remove-input"]
findings(6)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Point 7: times and names
#
# **It holds**, but for the two speedups: above 35 is over 30. Times and names differ between section 3.1, Figure 4,
# Table 2 and the text. Section 3.1 and Table 2 each add up by themselves, so they look like two runs. The speedups and
# shares of Table 2 follow from its times, within rounding.

# %%
table2 = paper.table2()
formulas = {
    "speedup": "28.06 / {total}",
    "forward_percent": "100 * {forward} / {total}",
    "backward_percent": "100 * {backward} / {total}",
}
judged = {"K": table2.index}
for column, formula in formulas.items():
    judged[column.replace("_percent", ", %")] = cells = []
    for _, row in table2.iterrows():
        found = recheck({"printed": row[column], "formula": formula.format(**row)})
        assert found["verdict"] in ("agrees", "differs by rounding")
        cells.append(
            f"{row[column]} {VERDICTS[found['verdict']]} {found['gives']:.4g}"
        )
figures.table(
    pd.DataFrame(judged),
    index=False,
    caption="Table 2: printed, verdict, and what its times give",
)

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "The records of point 7"}
findings(7)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Found beside the seven
#
# Recomputing every number brought up more than the seven:

# %% tags=["remove-input"]
findings(None)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Which reading the package implements
#
# The neighbour's column, $A \cdot \mathrm{scatter}(V, I)$, because
#
# - it is the product of the paper's equations and of its forward example in 4.1;
# - a column keeps its meaning: what comes out at column $c$ was at column $c$ before, so a Linear after it can tell
#   features apart;
# - a node's slot $t$ means nothing by itself. The own column adds slot $t$ of one node to slot $t$ of another, whatever
#   features they hold, so a small change in one value can move a whole sum to another column.
#
# The own column is a sound operator with a gradient of its own; a model could be built on it.
# [The step-through](../book/step_through.md) has a switch for it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The errata file
#
# `gsrgnn/book/data/errata.yml` holds a record for every finding: where, what is printed, what arithmetic gives under
# either reading, the verdict, and an explanation. This page is made from it, and recomputes every record. All readable
# entries that do not simply agree must be covered:

# %%
covered = {
    (record["matrix"], *at)
    for record in errata.values()
    if "matrix" in record
    for at in record["entries"]
}
plain = ["agrees", "unreadable in our copy"]
differing = {
    (key, *at)
    for key, line in lines.items()
    for at in np.argwhere(~np.isin(verdicts(line), plain)).tolist()
}
assert covered == differing
print(f"{len(errata)} records; they cover {len(covered)} entries of matrices")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Recap
#
# - Most readable numbers agree with one of the two readings; the forward half of 4.1 with the package's.
# - A few cannot agree, and the package uses none of them.
# - A derived number cannot be tested against the product that it was derived from.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercises

# %% [markdown] slideshow={"slide_type": "slide"}
# **1.** Suppose that the third value of step 5 were 1.86. Which sum of step 6 would then be off, and by how much?

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
# Row 0: 1.55 + 1.86 = 3.41 in place of 3.35; row 3 would be met.
print(f"{1.55 + 1.86 - 3.35:.2f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# **2.** In section 4.3's step 3, rows 0 and 1 agree under both readings. Why? Use $A$ and Idx.

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
I = FORWARD["I2"].array.ravel()
for node in range(4):
    there = I[np.flatnonzero(A[node])]
    print(f"node {node} kept column {I[node]}, its neighbours {there}")
# The readings agree where all three are one column.

# %% [markdown] slideshow={"slide_type": "slide"}
# **3.** Zeros are evidence too. Which printed zeros of sections 4.3 and 4.4 tell the two readings apart?

# %% tags=["hide-cell"] slideshow={"slide_type": "fragment"}
for key, line in lines.items():
    other = verdicts(line) == "agrees under the other reading"
    telling = other & (line.printed.values == 0)
    if telling.any():
        print(key, np.argwhere(telling).tolist())
