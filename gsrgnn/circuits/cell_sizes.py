"""How large cells are where no LEF says it: a bound, from a legal placement.

In a legal placement cells stand in rows and do not overlap. So a cell is as high as rows are apart, and no wider than
the way to the next cell in its row or to the row's end; a cell type is no wider than the least that any of its cells
has. Types of many cells get their width by this, rare ones are taken to be too wide, at most as wide as `WIDEST` rows
are high: else a lone buffer in an empty row would pass for a macro.

A cell in no row is a block, for which rows were cut away: it reaches to the right and up to the next row or block, and
includes the halo that the flow left around it.
"""

import numpy as np
from numpy.typing import NDArray

WIDEST = 6  # row heights; 4 gcells where a gcell is 1.5 rows high
MAX_BLOCKS = 1000


def row_height(rows: NDArray[np.int64]) -> int:
    """The least distance between two rows; 0 with fewer than two. rows: int64 [R, 3], left, bottom and right."""
    apart = np.diff(np.unique(rows[:, 1]))
    return int(apart.min()) if len(apart) else 0


def from_gaps(
    kind: NDArray[np.int64],
    corner: NDArray[np.int64],
    turned: NDArray[np.bool_],
    rows: NDArray[np.int64],
    die: tuple[float, float, float, float],
) -> NDArray[np.int64] | None:
    """int64 [K, 2], width and height of each cell type.

    None where fewer than half of the cells are in rows, or more than `MAX_BLOCKS` in none.

    kind: int64 [N], the type of each cell, from 0; corner: int64 [N, 2], its lower left corner; turned: bool [N], that
    it lies on its side; rows: int64 [R, 3], left, bottom and right, each of cells that stand side by side; die: left,
    bottom, right, top. All in the same units.
    """
    height = row_height(rows)
    if not height:
        return None
    rows = rows[np.lexsort((rows[:, 0], rows[:, 1]))]
    row = np.searchsorted(_key(rows[:, 0], rows[:, 1]), _key(*corner.T), side="right") - 1
    of_row = rows[row.clip(0)]
    in_row = (row >= 0) & (of_row[:, 1] == corner[:, 1]) & (corner[:, 0] < of_row[:, 2])
    blocks = np.flatnonzero(~in_row)
    if len(blocks) > min(len(kind) / 2, MAX_BLOCKS):
        return None

    size = np.empty_like(corner)
    order = np.flatnonzero(in_row)
    order = order[np.lexsort((corner[order, 0], row[order]))]
    x, same = corner[order, 0], np.diff(row[order], append=-1) == 0
    width = np.where(same, np.append(x[1:], 0), of_row[order, 2]) - x
    size[order] = np.column_stack([np.minimum(width, WIDEST * height), np.full(len(order), height)])
    for block in blocks:
        (left, bottom), others = corner[block], corner[blocks]
        level = (rows[:, 1] < bottom + height) & (rows[:, 1] + height > bottom) & (rows[:, 0] > left)
        beside = (others[:, 1] < bottom + height) & (others[:, 1] + height > bottom) & (others[:, 0] > left)
        right = np.concatenate([rows[level, 0], others[beside, 0], [int(die[2])]]).min()
        over = (rows[:, 0] < right) & (rows[:, 2] > left) & (rows[:, 1] > bottom)
        above = (others[:, 0] >= left) & (others[:, 0] < right) & (others[:, 1] > bottom)
        top = np.concatenate([rows[over, 1], others[above, 1], [int(die[3])]]).min()
        size[block] = right - left, top - bottom
    size[turned] = size[turned, ::-1]
    unknown = np.iinfo(np.int64).max
    least = np.full((kind.max() + 1, 2), unknown)
    apart = (size > 0).all(axis=1)  # two in one place say nothing
    np.minimum.at(least, kind[apart], size[apart])
    return np.where(least < unknown, least, height)


def _key(x, y):
    return (y << 32) + x + 2**31
