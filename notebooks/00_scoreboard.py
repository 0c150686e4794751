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
# # The scoreboard
#
# What of the paper's results holds, as far as the records of this project say. Each value that the paper reports has a
# line: the paper's, ours, and a verdict that links to the page where both are shown. Nothing is measured here, and no
# number is typed in: the paper's come from one file, ours from the records.

# %% tags=["parameters"]
folder = "results"  # where the records of `gsrgnn sweep` lie

# %% tags=["hide-input"]
from IPython.display import Markdown, display

from gsrgnn.book import judges, scoreboard

board = scoreboard.board(folder)
display(Markdown(scoreboard.summary(board)))
for words in board.attrs["left out"]:
    print(f"left out: {words}")

# %% [markdown]
# ## The verdicts
#
# :::{list-table}
# :header-rows: 1
#
# * - verdict
#   - what it says
# * - reproduced
#   - The claim holds under the paper's conditions.
# * - reproduced in kind
#   - It holds on other hardware, on another circuit or with another label: the statement holds, the value is not
#     comparable.
# * - not reproduced
#   - It was tested, under the conditions beside it, and does not hold there.
# * - contradicts itself
#   - The paper gives two values for it, or values that do not follow from each other
#     ([what does not fit together](06_audit.ipynb)).
# * - not tested yet
#   - It needs a run that has no record: in most cases a GPU.
# :::
#
# ## What makes a claim hold
#
# - **An order of models** (Figure 1): the 95% intervals of the one's runs lie above those of the other's.
# - **A difference in quality** (Figure 8): the mean over depths, k and seeds is at most a bound below the paper's.
# - **A speedup** (abstract, Figure 9, Table 2): ours, over the edges as in the paper, is at least the paper's.
# - **A share of the time** (section 3.1, Table 2): RevGNN's forward or backward pass has the paper's share of a step,
#   within a bound.
# - **A reduction in memory** (abstract): the largest at one depth is at least the paper's.
# - **Seconds and bytes** of the paper's GPU are compared only with a run of its depth and width on a GPU.

# %% tags=["hide-input"]
print(
    f"bound on the loss in a correlation: {judges.LOSS}; on a share: {judges.SHARE:.0%} of the step;\n"
    f"on seconds and bytes of another GPU: a factor of {judges.FACTOR}"
)

# %% [markdown]
# ## Value by value

# %% tags=["hide-input"]
Markdown(scoreboard.as_markdown(board, "{}.ipynb".format))

# %% [markdown]
# ## Make it again
#
# ```sh
# gsrgnn sweep cpu               # two cores, about four hours
# gsrgnn scoreboard              # the same lines in a terminal
# gsrgnn scoreboard --readme     # and in the README
# ```
