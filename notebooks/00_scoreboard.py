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
# line: a verdict, the paper's value and ours. The claim leads to the page where both are shown. No number is typed in: the
# paper's come from one file, ours from the records.

# %% tags=["parameters", "remove-input"]
folder = "results"  # where the records of `gsrgnn sweep` lie

# %% tags=["hide-input"]
from IPython.display import HTML, Markdown, display

from gsrgnn.book import judges, origin, scoreboard

board = scoreboard.board(folder)
display(Markdown(scoreboard.summary(board)))
for words in board.attrs["left out"]:
    print(f"left out: {words}")

# %% tags=["remove-cell"]
origin.hand_over(board.attrs["sources"])

# %% [markdown]
# ## Value by value

# %% tags=["hide-input"]
display(HTML(scoreboard.as_html(board, lambda page, _: f"{page}.html", named=True)))

# %% [markdown]
# ## The verdicts
#
# :::{list-table}
# :header-rows: 1
#
# * - verdict
#   - what it says
# * - <span class="gsr-verdict gsr-reproduced">✓ reproduced</span>
#   - The claim holds under the paper's conditions: one of its ten designs, its widths; for times and memory its depths,
#     on a GPU; for scores its epochs and CircuitNet's own label.
# * - <span class="gsr-verdict gsr-reproduced-in-kind">≈ reproduced in kind</span>
#   - It holds on other hardware, on another circuit or with another label: the statement holds, the value is not
#     comparable.
# * - <span class="gsr-verdict gsr-in-part">◐ in part</span>
#   - It holds in its direction and not in its size: faster, but by less; better, but within what chance allows.
# * - <span class="gsr-verdict gsr-not-reproduced">✗ not reproduced</span>
#   - It was tested, under the conditions beside it, and does not hold there.
# * - <span class="gsr-verdict gsr-not-tested-yet">○ not tested yet</span>
#   - It needs a run that has no record, in most cases a GPU, which is then said.
# :::
#
# Whether the paper agrees with itself is said below its value, and no verdict depends on it. *A slip in print*: two
# places differ by a letter or by as little as two runs do, or one repeats the number beside it. *Contradicts itself*:
# its values do not follow from each other ([what does not fit together](06_audit.ipynb)).
#
# ## What makes a claim hold
#
# - **An order of models** (Figure 1): the 95% intervals of the one's runs lie above those of the other's.
# - **A difference in quality** (Figure 8): the mean over depths and k, each alike, is at most a bound below the paper's.
# - **A speedup** (abstract, Figure 9, Table 2): ours is at least the paper's, of the same $k$ where the paper names one,
#   else the largest.
# - **A share of the time** (section 3.1, Table 2): RevGNN's forward or backward pass has the paper's share of a step,
#   within a bound.
# - **An epoch** of the baseline (section 3.1, Table 2): its two passes have the paper's share of it, within a bound.
# - **Hours of a training** (the introduction, Figure 4): GSR-GNN's, at the paper's depth, width and epochs, are fewer
#   than the paper gives for its baseline.
# - **A reduction in memory** (abstract): the largest at one depth is at least the paper's.
# - **A gap in memory** (Figure 10): for each edge of the circuit it is at least the paper's.
# - **Seconds and bytes** of the paper's GPU are compared only with a run of its depth and width on a GPU.
#
# One rule holds for time and memory: GSR-GNN sums over the edges, as in the paper, and a record in which it does so
# nowhere counts with the nets. What a factor is *owed to* is said beside it. The **route** is what RevGNN gains by
# summing over neighbours the same way, without messages; the **model** is what GSR-GNN gains over that RevGNN; and last
# stands what is left against the fastest or the leanest peer, by whatever route.

# %% tags=["hide-input"]
print(
    f"bound on the loss in a correlation: {judges.LOSS}; on a share: {judges.SHARE:.0%} of the step;\n"
    f"on seconds and bytes of another GPU: a factor of {judges.FACTOR}"
)

# %% [markdown]
# ## Make it again
#
# ```sh
# gsrgnn sweep cpu               # two cores, about four hours
# gsrgnn sweep deep              # two cores, about eighteen hours
# gsrgnn scoreboard              # the same lines in a terminal
# gsrgnn scoreboard --readme     # and in the README
# ```
