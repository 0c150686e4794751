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
# # Machines and versions
#
# Each record in `results` says which machine, which versions and which code made it. This page counts them: an
# *environment* is a machine with its threads, operating system and versions, and each record belongs to one.

# %% tags=["parameters"]
folder = "results"  # where the records lie
lock = "requirements.lock"

# %% tags=["hide-input"]
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

from gsrgnn import provenance
from gsrgnn.book import environment, figures
from gsrgnn.book.wrapped import markdown

lines, wrong = environment.read(folder)
for words in wrong:
    print(f"left out: {words}")
if lines.empty:
    found = f"There is no record in `{folder}`."
else:
    cards = environment.on_gpu(lines)["GPU"]
    known = ", ".join(sorted(cards.unique()))
    found = (
        f"There are {len(lines)} records, of {len(environment.environments(lines))} environments and "
        f"{lines['code hash'].nunique()} states of the code. "
        + (
            f"{len(cards)} of them were made on a GPU ({known})."
            if len(cards)
            else "**None was made on a GPU.**"
        )
    )
Markdown(found)

# %% [markdown]
# ## Environments
#
# First what all records share, then a row for each environment with what differs. *Threads set* is what the variables
# `NUMBA_NUM_THREADS` or `OMP_NUM_THREADS` said; *threads* is how many were used.

# %% tags=["hide-input"]
if lines.empty:
    words = ""
else:
    shared = environment.common(lines).items()
    words = (
        f"**The same in every record:** {'; '.join(' '.join(one) for one in shared)}.\n\n"
        + markdown(environment.environments(lines))
    )
Markdown(words)

# %% [markdown]
# ## What was made where
#
# A row is an experiment, or a command of `gsrgnn`, in one environment. A state of the code is a hash of all files of the
# package; in brackets is how many of the records have it. Between two states the code that was measured may have
# changed: `gsrgnn sweep` with `--list` says of which records it did.

# %% tags=["hide-input"]
if lines.empty:
    words = ""
else:
    made = environment.made(lines)
    made["days"] = made["days"].str.replace("-", "\N{NON-BREAKING HYPHEN}")
    words = markdown(made)
Markdown(words)

# %% [markdown]
# ## This book
#
# `make book` installs the versions of `requirements.lock`. Below are those that numbers depend on, as pinned and as
# they were when this page was made.

# %% tags=["hide-input"]
there = Path(lock).exists()  # in a checkout
pinned = environment.pinned(lock) if there else pd.Series(dtype=str)
here = pd.Series(provenance.versions()).drop("gsrgnn")
names = here.index.str.replace("_", "-").str.lower()
table = pd.DataFrame(
    {"pinned": pinned.reindex(names).fillna("–").to_numpy(), "here": here}
)
figures.table(table)

# %% tags=["hide-input"]
rest = ", ".join(f"{name} {version}" for name, version in pinned.items())
Markdown(f":::{{dropdown}} All {len(pinned)} packages\n{rest}\n:::" * there)

# %% [markdown]
# The lock is for every platform; a condition in brackets says where a package is installed at all. Python itself is not
# pinned.
