"""What memory can still be had, asked before much of it is taken."""

import psutil
import torch


def free_memory(device: torch.device) -> int:
    """Bytes that can still be had there: of a GPU, what nobody holds and what torch holds and does not use."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    return psutil.virtual_memory().available


def check_memory(needed: float, what: str, instead: str, device: torch.device = torch.device("cpu")) -> None:  # noqa: B008
    """Raises MemoryError, which says for `what` and what to do `instead`, unless ``needed`` bytes can be had."""
    free = free_memory(device)
    if needed > free:
        raise MemoryError(f"{what} takes {needed / 1e9:,.1f} GB and {free / 1e9:,.1f} GB are free: {instead}")
