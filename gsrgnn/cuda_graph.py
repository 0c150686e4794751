"""A whole training step as one CUDA graph: its launches are recorded once and replayed with one call."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gsrgnn.reversible import ReversibleStack

WARM_UP = 3


def captured(step: Callable[[], Tensor], model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[], Tensor]:
    """``step`` recorded as a CUDA graph; a function that replays it and returns what ``step`` returned, a tensor.

    ``step`` runs `WARM_UP` times before, which compiles kernels and makes every buffer; the model and the optimizer's
    state are then set back, so that the first replay is the first step. The tensor is written anew by each replay.

    Args:
        step: callable without arguments that zeroes gradients, computes a loss, and steps ``optimizer``.
        optimizer: made with ``capturable=True``.

    Raises RuntimeError, the state being what it was, where no GPU holds the model or the step cannot be captured.
    """
    if not next(model.parameters()).is_cuda:
        raise RuntimeError("the model is on the CPU: a CUDA graph needs it, the data and the graph on a GPU")
    before = [tensor.detach().clone() for tensor in _state(model)]
    current, side = torch.cuda.current_stream(), torch.cuda.Stream()
    try:
        side.wait_stream(current)
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                step()
        current.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side):
            out = step()
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        raise RuntimeError(f"the step cannot be captured: {error}") from error
    finally:
        _set_back(model, optimizer, before)
    written = [module.buffers_in_use() for module in model.modules() if isinstance(module, ReversibleStack)]

    def replay(_written=written):  # by the graph, for as long as it is replayed
        graph.replay()
        return out

    return replay


def _state(model):
    return [*model.parameters(), *model.buffers()]


@torch.no_grad()
def _set_back(model, optimizer, before):
    for tensor, value in zip(_state(model), before, strict=True):
        tensor.copy_(value)
    for state in optimizer.state.values():  # Adam's is zero before the first step
        for value in state.values():
            value.zero_()
