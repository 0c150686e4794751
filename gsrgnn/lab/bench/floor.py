"""The floor: the least that a training step of GSR-GNN can take on this machine."""

import math

import torch

from gsrgnn.lab import measure
from gsrgnn.memory import free_memory


def floor(nodes: int, features: int, hidden: int, layers: int, pins: int, device: str = "cpu") -> dict[str, float]:
    """The least a training step of GSR-GNN can take on this machine, whatever k and however well its kernels do.

    Its dense products and its streams, measured apart, added; `side_by_side.run` takes the lowest of one a round. With
    N nodes, F features, width D, d = D / 2 and L layers, each with two blocks:

    products
        A block multiplies ``[N, d] @ [d, d]`` three times, forward, recomputed going back, and for the gradient
        of its input, and ``[d, N] @ [N, d]`` once, for the gradient of its weight: 8 products a layer. The encoder
        adds ``[N, F] @ [F, D]`` and, for its weight, ``[F, N] @ [N, D]``; the head's are N D each and left out. Each
        is timed with ``torch.mm(..., out=)``, which reads its operands and writes its result.
    streams
        Bytes that pass through memory at least once beside those, over the speed of a large copy. Both groups of
        the stream are read and written once a layer going forward (2 N D) and once going back, with their
        gradients (4 N D); Adam reads parameter, gradient and two moments and writes three of them (7 a
        parameter); the features are read once and so are the pins, 4 bytes each, by net and by cell. CBSR, which
        depends on k, is not counted, nor is a second pass over anything.

    Returns a dict of ``products_seconds``, ``multiplications`` in them, ``streamed_bytes``,
    ``copy_bytes_per_second`` and ``seconds``, the floor itself.
    """
    d = hidden // 2
    shapes = {
        (nodes, d, d): 6 * layers,
        (d, nodes, d): 2 * layers,
        (nodes, features, hidden): 1,
        (features, nodes, hidden): 1,
    }
    products = sum(times * measure.product_seconds(*shape, device=device) for shape, times in shapes.items())
    multiplications = sum(times * math.prod(shape) for shape, times in shapes.items())
    parameters = layers * 2 * (d * d + 3 * d) + hidden * (features + 1) + 3 * hidden + 1
    streamed = 4 * (6 * nodes * hidden * layers + 7 * parameters + nodes * features + 2 * pins)
    size = min(2**30, free_memory(torch.device(device)) // 8) if device == "cuda" else 2**27
    speed = measure.copy_speed(size, device=device)
    return {
        "products_seconds": products,
        "multiplications": multiplications,
        "streamed_bytes": streamed,
        "copy_bytes_per_second": speed,
        "seconds": products + streamed / speed,
    }
