"""A contender's training step: its model and Adam on a circuit that is there before."""

import time
from contextlib import nullcontext
from statistics import median

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from gsrgnn import baselines, memory
from gsrgnn.cuda_graph import captured
from gsrgnn.graph import CircuitGraph
from gsrgnn.lab import measure
from gsrgnn.lab.bench.contenders import Row

PHASES = ("forward", "backward", "step")
LARGE = 2**30  # bytes: freed memory is not kept for a row that makes larger arrays


def on(inputs: dict[str, Tensor], device: str) -> dict[str, Tensor]:
    """Features ``x`` and label ``y`` on the device; the pins ``cell`` and ``net`` stay where they are."""
    return {name: tensor.to(device) if name in ("x", "y") else tensor for name, tensor in inputs.items()}


def graphs_of(inputs: dict[str, Tensor]) -> dict[str, CircuitGraph]:
    """The graph of the pins, beside the features, by norm: "mean" and "sym"."""
    device = inputs["x"].device
    return {
        norm: CircuitGraph.from_pins(inputs["cell"], inputs["net"], len(inputs["x"]), norm=norm).to(device)
        for norm in ("mean", "sym")
    }


class Trainer:
    """A row's model with its optimiser on preallocated data.

    Attributes:
        x, y: features ``[N, F]`` and label.
        graph: as the row's model takes it.
        model: of the row, with ``layers`` layers of width ``hidden``.
        optimizer: Adam.
        keeps_freed: whether freed memory is kept for the next step, see `LARGE`.
        compiled: whether the model is one that ``torch.compile`` compiles, at its first step.
    """

    def __init__(
        self, row: Row, inputs: dict[str, Tensor], graphs: dict[str, CircuitGraph], hidden: int, layers: int
    ) -> None:
        self.x, self.y, self.graph = inputs["x"], inputs["y"], row.graph(graphs)
        self.keeps_freed = row.message_bytes(self.graph, hidden) <= LARGE
        self.model = row.make(self.x.shape[1], hidden, layers).to(self.x.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, capturable=self.x.is_cuda)
        self.compiled, self._stepped = isinstance(self.model, baselines.CompiledRevGNN), False

    def step(self) -> dict[str, float]:
        """One step; seconds of each of `PHASES`, the step being all of it."""
        measure.wait()
        start = time.perf_counter()
        self.optimizer.zero_grad()
        loss = mse_loss(self.model(self.x, self.graph), self.y)
        measure.wait()
        between = time.perf_counter()
        loss.backward()
        measure.wait()
        after = time.perf_counter()
        self.optimizer.step()
        measure.wait()
        return {"forward": between - start, "backward": after - between, "step": time.perf_counter() - start}

    def timed_step(self) -> dict[str, float]:
        """`step`, freed memory being kept or given back as the row needs it.

        Raises RuntimeError where anything is compiled in it, but for the first.
        """
        memory.keep_freed_memory(self.keeps_freed)
        with torch.compiler.set_stance("fail_on_recompile") if self.compiled and self._stepped else nullcontext():
            seconds = self.step()
        self._stepped = True
        return seconds

    def captured_seconds(self, rounds: int) -> float:
        """Median seconds of the step replayed as one CUDA graph. Raises RuntimeError where it cannot be captured."""

        def step():
            self.optimizer.zero_grad()
            loss = mse_loss(self.model(self.x, self.graph), self.y)
            loss.backward()
            self.optimizer.step()
            return loss.detach()

        replay, seconds = captured(step, self.model, self.optimizer), []
        for _ in range(rounds):
            measure.wait()
            start = time.perf_counter()
            replay()
            measure.wait()
            seconds.append(time.perf_counter() - start)
        return median(seconds)

    def make_moments(self) -> None:
        """Adam's state, as a first step would leave it."""
        for parameter in self.model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def kept(self) -> int:
        """Bytes that the forward pass leaves for the backward pass (`measure.kept_bytes`).

        A compiled model runs as it is: what compiled code makes cannot be seen, and what is kept is the same.
        """
        memory.keep_freed_memory(self.keeps_freed)
        apart = [self.x, *self.model.parameters(), *self.model.buffers(), *baselines.graph_tensors(self.graph)]
        with torch.compiler.set_stance("force_eager") if self.compiled else nullcontext():
            return measure.kept_bytes(lambda: self.model(self.x, self.graph), apart)
