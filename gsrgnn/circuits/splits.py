"""Which cells a model learns from and which it is tested on: by cell, by region of the die, by circuit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from gsrgnn.arguments import natural, positive, shown
from gsrgnn.circuits import table1

SomeData = TypeVar("SomeData", bound=Data)
_PARTS = ("train_mask", "val_mask", "test_mask")


def by_cell(data: SomeData, share: float | None = None, seed: int = 0) -> SomeData:
    """A copy of ``data`` with the paper's split (section 5.1): cells at random, each for itself.

    share: of the cells, for validation and as much again for test, below 1/2; None is that of the circuit in Table 1,
    0.10 for any other. With that and seed 0 the masks are those that `gsrgnn.circuits.load` gives.

    Nearly every test cell has training cells next to it on the die, whose labels are about its own: good scores say
    little of a circuit, or a region, that is new. The copy shares its tensors with ``data``. Raises ValueError for
    another share or seed, and for fewer than two cells in a part.
    """
    if data.num_nodes is None:
        raise ValueError("data has no number of cells: give it x or num_nodes")
    share = table1.held_share(data.name if "name" in data else "") if share is None else share
    return _with_masks(data, masks_by_cell(data.num_nodes, _held(share), natural("seed", seed)))


def by_region(data: SomeData, blocks: int = 6, held: float = 0.10, seed: int = 0) -> SomeData:
    """A copy of ``data`` split by regions of the die: ``blocks`` by ``blocks`` of them, each in one part as a whole.

    The die of W by H gcells is cut into blocks that differ by one gcell at most; a cell is of the block in which its
    centre (``pos``) lies. Blocks are drawn at random for test, then for validation, until a part has ``held`` of the
    cells as nearly as whole blocks allow; all other cells are for training. So the neighbours of a test cell are test
    cells, but along the borders of a block.

    What still leaks: the model sees the whole netlist, and nets that leave a block carry what training cells have
    learnt into it, one hop a layer; labels are alike on both sides of a border, and features that are means over
    neighbouring gcells look across it; a macro belongs to the block of its centre however many it covers; all blocks
    have the same design, placer and router. For circuits that are new, hold out circuits (`leave_one_out`).

    Args:
        data: with ``pos [N, 2]`` in gcells and ``grid`` ``(W, H)``.
        blocks: along each side.
        held: share of the cells for test, and as much again for validation, below 1/2.
        seed: of the draw.

    The copy shares its tensors with ``data``. Raises ValueError for a die with fewer gcells than blocks along a side,
    cells in too few blocks, another share or seed, and for fewer than two cells in a part.
    """
    blocks, seed, held = positive("blocks", blocks), natural("seed", seed), _held(held)
    if "pos" not in data or "grid" not in data:
        raise ValueError("data has no pos and grid, which say where its cells lie: take by_cell")
    grid = np.array([positive("grid", side) for side in data.grid])
    if (grid < blocks).any():
        raise ValueError(f"the die has {grid[0]} x {grid[1]} gcells, fewer than {blocks} blocks a side: take fewer")
    at = np.clip(np.floor(data.pos.cpu().numpy()).astype(np.int64), 0, grid - 1) * blocks // grid
    _, block, cells = np.unique(at @ (blocks, 1), return_inverse=True, return_counts=True)
    if len(cells) < len(_PARTS):
        raise ValueError(f"the cells lie in {len(cells)} of the {blocks**2} blocks and 3 are needed: take more blocks")
    order = np.random.default_rng(seed).permutation(len(cells))
    part = np.zeros(len(cells), np.int64)
    begin = 0
    for number, later in ((2, 2), (1, 1)):  # test and validation, each leaving blocks for those after it
        reached = cells[order[begin : len(order) - later]].cumsum()
        end = begin + 1 + int(np.abs(reached - held * len(at)).argmin())
        part[order[begin:end]] = number
        begin = end
    return _with_masks(data, [torch.from_numpy(part[block] == number) for number in range(len(_PARTS))])


def leave_one_out(
    names: Iterable[str], family: Callable[[str], str] = lambda name: name.partition("/")[0]
) -> dict[str, tuple[list[str], list[str]]]:
    """For each family of circuits ``(names of the others, its own names)``: to train on, and to test on.

    family: of a name; default is what stands before its first slash, "riscv" of "riscv/ibex". ``family=str`` leaves out
    one circuit at a time, and for the items of a `LayoutDataset` their ``design`` is the name to give.

    Raises ValueError unless there are two families or more.
    """
    families: dict[str, list[str]] = {}
    for name in names:
        families.setdefault(family(name), []).append(name)
    if len(families) < 2:
        raise ValueError(f"{', '.join(families) or 'nothing'}: give names of two families or more")
    return {
        held: ([name for other, of in families.items() if other != held for name in of], own)
        for held, own in families.items()
    }


def masks_by_cell(num_cells: int, share: float, seed: int = 0) -> tuple[Tensor, ...]:
    """Train, validation and test masks, bool ``[N]``: ``share`` each to the last two, the same at every call."""
    order = np.random.default_rng(seed).permutation(num_cells)
    held = round(share * num_cells)
    masks = torch.zeros(len(_PARTS), num_cells, dtype=torch.bool)
    for mask, part in zip(masks, (order[2 * held :], order[:held], order[held : 2 * held]), strict=True):
        mask[torch.from_numpy(part)] = True
    return masks.unbind()


def _held(share):
    if isinstance(share, bool) or not isinstance(share, (int, float, np.floating)) or not 0 < share < 0.5:
        raise ValueError(f"the share held out is {shown(share)}: it takes a number above 0 and below 1/2")
    return float(share)


def _with_masks(data, masks):
    out = copy.copy(data)
    for name, mask in zip(_PARTS, masks, strict=True):
        if (count := int(mask.sum())) < 2:
            raise ValueError(f"{name} would have {count} of {len(mask)} cells and 2 are needed: hold out another share")
        out[name] = mask.to(data.x.device) if data.x is not None else mask
    return out
