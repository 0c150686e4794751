"""One training in several processes: torch's process group, in which every process is a rank.

The gradients of a step are summed over the ranks by one ``all_reduce``, after the last backward pass of the step. That
is simpler than a model wrapped in torch's ``DistributedDataParallel``, and exact. A step's loss is the mean over its
cells, of which each rank has others: the sum of what each rank adds to the gradient of this mean is the gradient, where
DDP takes the mean over ranks. A rank may have two circuits of a step or none, where DDP waits for as many backward
passes on every rank. And DDP sums during the backward pass, so that an error on one rank leaves the others waiting.
What it gains by that, sums beside computing, is little for models of a few megabytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist
from torch.utils._pytree import tree_map

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Ranks:
    """The processes of one training: this one's number, how many there are, and where its model is.

    The methods other than `share` are collective: every rank calls them in the same order. Alone they do nothing.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")

    @classmethod
    def here(cls, device: torch.device) -> "Ranks":
        """Those of the process group that was initialised here; a process without one is alone.

        Raises ValueError where the group's engine is NCCL and ``device`` is no GPU, or not this process's current one.
        """
        if not (dist.is_available() and dist.is_initialized()):
            return cls(device=device)
        if dist.get_backend() == "nccl":
            if device.type != "cuda":
                raise ValueError("the process group is NCCL's and the model on the CPU: move it, or take gloo")
            if device.index != torch.cuda.current_device():
                raise ValueError(f"the model is on {device}: call torch.cuda.set_device({device.index}) first")
        return cls(dist.get_rank(), dist.get_world_size(), device)

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which writes and shows."""
        return self.rank == 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """Around what can fail on one rank: where it does, it fails on all, and none waits for another.

        The rank raises what it met, the others a RuntimeError that says what and where.
        """
        met = None
        try:
            yield
        except BaseException as error:
            met = error
        said = self._failures(met) if self.size > 1 else []
        if met is not None:
            raise met
        if said:
            raise RuntimeError("; ".join(said))

    def _failures(self, met):
        failed = torch.tensor(float(met is not None), device=self.device)
        dist.all_reduce(failed)
        if not failed:
            return []
        said: list[Any] = [None] * self.size
        dist.all_gather_object(said, None if met is None else f"{type(met).__name__}: {met}")
        return [f"rank {rank} stopped: {what}" for rank, what in enumerate(said) if what is not None]

    def share(self, numbers: Iterable[int], sizes: Sequence[int]) -> list[int]:
        """Those of ``numbers`` that are this rank's: the largest first, each to the rank that has least so far."""
        loads, mine = [0] * self.size, []
        for number in sorted(numbers, key=lambda number: (-sizes[number], number)):
            rank = loads.index(min(loads))
            loads[rank] += sizes[number]
            if rank == self.rank:
                mine.append(number)
        return mine

    def gathered(self, found: dict[int, Kind]) -> dict[int, Kind]:
        """All ranks' dicts as one."""
        if self.size == 1:
            return found
        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, found)
        return {number: value for part in parts for number, value in part.items()}

    def same(self, value: Kind) -> Kind:
        """``value`` of rank 0; tensors in it come on the CPU."""
        if self.size == 1:
            return value
        box = [tree_map(lambda part: part.cpu() if isinstance(part, Tensor) else part, value) if self.first else None]
        dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]  # type: ignore[return-value]

    @torch.no_grad()
    def set_to_first(self, tensors: Iterable[Tensor]) -> None:
        """Give ``tensors`` the numbers that they have on rank 0."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor.data, src=0)

    @torch.no_grad()
    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Add up ``tensors`` over the ranks, in place: one call for all of a dtype."""
        if self.size == 1:
            return
        for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
            those = [tensor for tensor in tensors if tensor.dtype == dtype]
            flat = torch.cat([tensor.flatten() for tensor in those])
            dist.all_reduce(flat)
            for tensor, summed in zip(those, flat.split([tensor.numel() for tensor in those]), strict=True):
                tensor.copy_(summed.view_as(tensor))
