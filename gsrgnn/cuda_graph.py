"""A whole training step as one CUDA graph: its launches are recorded once and replayed with one call."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from gsrgnn.reversible import ReversibleStack

WARM_UP = 3

Given = TypeVar("Given")


def captured(step: Callable[[], Given], model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[], Given]:
    """``step`` recorded as a CUDA graph; a function that replays it and returns what ``step`` returned.

    ``step`` runs `WARM_UP` times before, which compiles kernels and makes every buffer; the model, the optimizer's
    state and the random numbers are then set back, so that the first replay is the first step. The tensors that
    ``step`` returns are written anew by each replay: read them before the next.

    Args:
        step: callable without arguments that zeroes gradients, computes a loss and its gradients, and steps
            ``optimizer`` or leaves that to the caller.
        optimizer: made with ``capturable=True`` where ``step`` steps it.

    Raises RuntimeError, the state being what it was, where no GPU holds the model or the step cannot be captured.
    """
    device = next(model.parameters()).device
    if device.type != "cuda":
        raise RuntimeError("the model is on the CPU: a CUDA graph needs it, the data and the graph on a GPU")
    before = [(tensor, tensor.detach().clone()) for tensor in _state(model, optimizer)]
    random = torch.get_rng_state(), torch.cuda.get_rng_state(device)
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
    else:  # a dropout draws in the first replay what it would have drawn in the first step
        torch.set_rng_state(random[0])
        torch.cuda.set_rng_state(random[1], device)
    finally:
        _set_back(_state(model, optimizer), before)
    written = [module.buffers_in_use() for module in model.modules() if isinstance(module, ReversibleStack)]

    def replay(_written=written):  # by the graph, for as long as it is replayed
        graph.replay()
        return out

    return replay


def _state(model, optimizer):
    moments = (value for state in optimizer.state.values() for value in state.values())
    return [*model.parameters(), *model.buffers(), *moments]


@torch.no_grad()
def _set_back(state, before):
    for tensor in state:  # what was not there before is Adam's, which is zero before the first step
        tensor.zero_()
    for tensor, value in before:
        tensor.copy_(value)
