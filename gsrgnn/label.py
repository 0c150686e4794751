"""What is predicted of each cell: its values, its split, and the scale with which a model predicts in its units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gsrgnn.metrics import columns
from gsrgnn.modes import same_in_both_modes

if TYPE_CHECKING:
    from torch_geometric.data import Data

MASKS = ("train_mask", "val_mask", "test_mask")


@same_in_both_modes
class LabelScale(nn.Module):
    """``z * deviation + mean``: standardised values ``z [..., C]`` in the label's units.

    A model that ends with one predicts in the label's units, wherever it is copied to, saved or wrapped; `train` sets
    it. ``mean`` and ``deviation``, both ``[C]``, are buffers, 0 and 1 at first, and belong to the ``state_dict``.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(out_channels))
        self.register_buffer("deviation", torch.ones(out_channels))

    def forward(self, z: Tensor) -> Tensor:
        return z * self.deviation + self.mean

    @torch.no_grad()
    def fill(self, mean: Tensor, deviation: Tensor) -> None:
        self.mean.copy_(mean)
        self.deviation.copy_(deviation)


def moments(y: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each column of ``y [M, C]``, ``[C]`` each.

    Raises ValueError where a prediction in ``dtype`` could not tell values of ``y`` apart, or hold them.
    """
    mean, deviation = y.mean(0), y.std(0)
    check_resolved(mean, deviation, y.abs().amax(0), dtype)
    return mean, deviation


def check_resolved(mean: Tensor, deviation: Tensor, largest: Tensor, dtype: torch.dtype) -> None:
    """Raises ValueError where ``dtype`` could not tell apart, or hold, values of these moments, all three ``[C]``."""
    limits = torch.finfo(dtype)
    resolved = (deviation >= (8 * limits.eps * mean.abs()).clamp_min(limits.tiny)) & (largest <= limits.max)
    if not resolved.all():
        at = int((~resolved).nonzero()[0])
        raise ValueError(
            f"y[:, {at}] has mean {mean[at]:g} and deviation {deviation[at]:g} over the training cells, which "
            f"{dtype} does not resolve: shift or scale y, or train in a wider dtype"
        )


@dataclass(frozen=True)
class Spread:
    """Of the columns of a label over some cells: how many ``cells``, and ``[C]`` each, float64, the others.

    Attributes:
        mean: over the cells.
        squares: the sum of the squared differences to it.
        low, high: the smallest and the largest.
    """

    cells: int
    mean: Tensor
    squares: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, y: Tensor) -> Spread:
        """That of ``y [M, C]``."""
        mean = y.mean(0)
        return cls(len(y), mean, (y - mean).square().sum(0), y.amin(0), y.amax(0))

    def __add__(self, other: Spread) -> Spread:
        """That of the cells of both (Chan, Golub and LeVeque, 1979, eq. 1.5)."""
        cells = self.cells + other.cells
        between = other.mean - self.mean
        return Spread(
            cells,
            self.mean + between * (other.cells / cells),
            self.squares + other.squares + between.square() * (self.cells * other.cells / cells),
            torch.minimum(self.low, other.low),
            torch.maximum(self.high, other.high),
        )


def joint_moments(parts: Sequence[Spread], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """`moments` over the cells of all ``parts``. Raises ValueError also where a column is the same on all of them."""
    whole = reduce(Spread.__add__, parts)
    _check_varied(whole.low, whole.high, "every training cell of all circuits")
    deviation = (whole.squares / (whole.cells - 1)).sqrt()
    check_resolved(whole.mean, deviation, torch.maximum(whole.low.abs(), whole.high.abs()), dtype)
    return whole.mean, deviation


def label_scales(model: nn.Module, out_channels: int) -> Sequence[LabelScale | _Attached]:
    """What scales ``model``'s output of ``out_channels`` columns: the `LabelScale` modules in it, which `fill` sets.

    A model that has none is given the buffers ``label_mean`` and ``label_deviation``, through which its output goes
    from then on. Made anew, it needs this call again before ``load_state_dict``.
    """
    scales = [m for m in model.modules() if isinstance(m, LabelScale) and len(m.mean) == out_channels]
    if scales:
        return scales
    while _hands_on(model):
        model = getattr(model, "_orig_mod", None) or model.get_submodule("module")
    if not hasattr(model, "label_mean"):
        like = next(model.parameters())
        model.register_buffer("label_mean", like.new_zeros(out_channels))
        model.register_buffer("label_deviation", like.new_ones(out_channels))
        model.register_forward_hook(_in_label_units)
    return [_Attached(model)]


class _Attached:
    """The scale of a model that is not ours: buffers, as a further module would be called where all are called."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    @torch.no_grad()
    def fill(self, mean: Tensor, deviation: Tensor) -> None:
        self.model.get_buffer("label_mean").copy_(mean)
        self.model.get_buffer("label_deviation").copy_(deviation)


def _hands_on(model):
    """Whether ``model`` is a wrapper of torch's that gives what the module within gives."""
    return hasattr(model, "_orig_mod") or isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel))


def _in_label_units(model, inputs, output):
    return output * model.label_deviation + model.label_mean


def split_label(data: Data) -> tuple[Tensor, list[Tensor]]:
    """The label of PyG ``Data``, float64 ``[N, C]``, and the rows of its three parts, int64 each; all on the CPU.

    Raises ValueError unless ``y`` is ``[N]`` or ``[N, C]``, and finite where a mask is set; the masks are bool ``[N]``,
    hold two cells or more each and have none in common; and no column of ``y`` is the same on all training cells.
    """
    y = whole_label(data)
    rows = parts(data, y)
    _check_varied(y[rows[0]].amin(0), y[rows[0]].amax(0), "every cell of train_mask")
    return y, rows


def whole_label(data: Data) -> Tensor:
    """The label of PyG ``Data``, float64 ``[N, C]``, on the CPU. Raises ValueError unless ``y`` is it or ``[N]``."""
    if data.y is None:
        raise ValueError("data has no y: give it a label [N] or [N, C]")
    y, size = torch.from_numpy(columns(data.y, "y is")), len(data.x)
    if len(y) != size:
        raise ValueError(f"y has {len(y)} rows and x has {size}: give one row a cell")
    return y


def parts(data: Data, y: Tensor) -> list[Tensor]:
    """The rows of the three masks, int64 each, as `split_label` gives them and with its errors but for the last."""
    rows = [_rows(getattr(data, name, None), name, len(y)) for name in MASKS]
    for (one, first), (other, second) in combinations(zip(MASKS, rows, strict=True), 2):
        if shared := len(first) + len(second) - len(torch.cat([first, second]).unique()):
            raise ValueError(f"{one} and {other} have {shared} cells in common: give each cell to one of them")
    for name, part in zip(MASKS, rows, strict=True):
        check_finite(y, part, f"the cell is one of {name}: take it out of the mask, or give it a finite label")
    return rows


def check_finite(y: Tensor, rows: Tensor, then: str) -> None:
    """Raises ValueError, which ends with ``then``, unless ``y [N, C]`` is finite in ``rows``."""
    bad = (~torch.isfinite(y[rows])).nonzero()
    if len(bad):
        row, column = int(rows[bad[0, 0]]), int(bad[0, 1])
        raise ValueError(f"y[{row}, {column}] is {y[row, column].item()} and {then}")


def _check_varied(low, high, where):
    same = (low == high).nonzero().flatten().tolist()
    if same:
        raise ValueError(f"y[:, {same[0]}] is {low[same[0]].item():g} for {where}: there is nothing to learn")


def _rows(mask, name, size):
    if mask is None:
        raise ValueError(f"data has no {name}: give it one, bool [{size}]")
    mask = torch.as_tensor(mask)
    if mask.dtype != torch.bool or mask.shape != (size,):
        raise ValueError(
            f"{name} is {mask.dtype} {list(mask.shape)} and must be torch.bool [{size}]: make a 0/1 mask "
            "one with .bool(), and of several splits choose one with [:, i]"
        )
    rows = mask.nonzero().flatten().cpu()
    if len(rows) < 2:
        raise ValueError(f"{name} has {len(rows)} cells: it takes 2 or more")
    return rows
