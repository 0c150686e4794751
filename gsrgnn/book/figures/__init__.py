"""The book's figures and tables: plain arrays and frames in, one style out.

A part draws what its name says, `show` and `table` put it into a page, `save` puts a figure into a file::

    figures.show(figures.die.cell_map(pos, grid, values, source), alt="Map of the die ...")

The figures are made of what they are given and of records. None of them needs torch.
"""

from gsrgnn.book.figures import bench, contenders, die, gpu, graphs, growth, layers, scores, training
from gsrgnn.book.figures.display import reference, save, show, switch, table

__all__ = [
    "bench",
    "contenders",
    "die",
    "gpu",
    "graphs",
    "growth",
    "layers",
    "reference",
    "save",
    "scores",
    "show",
    "switch",
    "table",
    "training",
]
