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
# # GSR-GNN, executed
#
# GSR-GNN {cite:p}`gsrgnn2026` predicts where a chip will be congested, with a graph network of a hundred layers and
# more. It keeps the $k$ largest entries of every row and recomputes the rest going back. This book reruns the paper,
# from its examples of four nodes to its experiments, and says what holds.

# %% tags=["parameters", "remove-cell"]
folder = "results"  # where the records lie

# %% tags=["remove-input"]
from IPython.display import HTML, Markdown, display

from gsrgnn.book import figures, front, origin, passes, scoreboard
from gsrgnn.book.walkthrough.audit import recomputed, tally

board = scoreboard.board(folder)
HTML(front.table(front.answers(board, tally(recomputed()))))

# %% tags=["remove-cell"]
origin.hand_over(
    board.attrs["sources"], "the last answer, and the picture, which is of formulas"
)

# %% tags=["remove-input"]
Markdown(
    f"{front.measured(board)} All of it, value by value: [the scoreboard](00_scoreboard.ipynb)."
)

# %% [markdown]
# ::::{grid} 1 1 3 3
# :gutter: 2
#
# :::{grid-item-card} Read
# :link: ten_minutes
# :link-type: doc
#
# The paper in ten minutes, then the chapters in order.
# :::
#
# :::{grid-item-card} Run
# :link: ../book/run
# :link-type: doc
#
# A prediction for a design of yours; this book, on your machine.
# :::
#
# :::{grid-item-card} Teach
# :link: ../book/teaching
# :link-type: doc
#
# A lesson of 50 minutes, with slides and a worksheet.
# :::
#
# ::::
#
# ## What a step holds in memory
#
# ```{raw} html
# <link rel="stylesheet" href="../_static/explorer.css">
# <link rel="stylesheet" href="../_static/front.css">
# <script src="../_static/elements.js" defer></script>
# <script src="../_static/passes.js" defer></script>
# ```

# %% tags=["remove-input"]
held = passes.held()
drawing = figures.show(
    figures.growth.over_a_step(held / 1e9, "GB"), alt=passes.caption(held)
)
picture = f'<div id="passes">{drawing._repr_html_()}</div>'
display(HTML(picture + passes.element(held)), Markdown(passes.caption(held)))

# %% [markdown]
# For other sizes see [what fits in my memory](25_explorer.ipynb).
