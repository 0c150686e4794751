"""The floor: the least that a training step of GSR-GNN can be held to on this machine."""

from typing import TypeAlias

import torch

from gsrgnn.kernels import index_dtype
from gsrgnn.lab import measure
from gsrgnn.lab.bench.contenders import rows
from gsrgnn.memory import free_memory

Terms: TypeAlias = dict[str, int]


def floor(
    *,
    nodes: int,
    features: int,
    hidden: int,
    layers: int,
    k: int,
    nets: int,
    entries: int,
    residual: str = "sparse",
    values: str = "full",
) -> dict[str, Terms]:
    """What a training step of GSR-GNN multiplies and what it moves at least: ``multiplications`` and ``bytes``.

    With N nodes, F features, width D, d = D / 2, L layers of two blocks, M = ``nets`` that are summed and E =
    ``entries``, rows added in one sum over the neighbours. Each of the two has its terms.

    multiplications, each with an addition:

    products
        Of the k kept entries of a row with ``[d, d]``: forward, recomputed going back, for the gradient of the values
        and for that of the weight. 4 N k d a block; at k = d these are the dense products.
    encoder
        Forward and for its weight's gradient: 2 N F D. The head's are N D each and left out.
    sums
        Forward, recomputed, and of the gradient: 3 E d additions a block. A multiplication's time counts for one.

    bytes, where arrays of N d or M d numbers, 4 bytes each, do not stay in a cache from one pass to the next. What
    needs nothing but its own row is one pass. Other rows are needed by the sums alone: of what is summed, and of the
    nets' sums; each is gathered, so that no two threads write to one row, and has to be written before it is read.

    crossing
        What is summed, written and read: of each block, forward, recomputed, and the gradient. 6 N d a block.
    nets
        Their sums, the same way: 6 M d a block.
    groups
        Group 1 read and written once a layer going forward, and going back with its gradient: 6 N d a layer. With the
        dense residual group 2 as well. With the sparse one it is what GS kept of it, and its gradient that of as many
        entries, which goes on from one layer to the next within a row.
    kept
        With the sparse residual, what GS keeps of group 2: written, read by the residual, and going back read to
        recompute the block and to differentiate it. 4 N k (4 + 1) a layer, 4 being 2 for values of bfloat16 and 1 being
        2 where d is above 256.
    ends
        Group 1 is written by the encoder and read by the head, forward and back; its gradient is written by the head
        and read by the encoder. Group 2 is written once and read, with the dense residual written by the encoder.
        That is 7 N d, or 6. The features are read twice and the places of the E entries once.
    optimizer
        Adam reads parameter, gradient and two moments and writes three of them: 7 a parameter.

    Selection, normalisation and rounding are counted as nothing. With a cache that holds all of it, a step may take
    less than the bytes say.
    """
    d, blocks = hidden // 2, 2 * layers
    group, sums = 4 * nodes * d, 4 * nets * d
    kept = nodes * k * ((2 if values == "bfloat16" else 4) + index_dtype(d).itemsize)
    parameters = blocks * (d * d + 3 * d) + hidden * (features + 1) + 3 * hidden + 1
    dense = residual == "dense"
    return {
        "multiplications": {
            "products": blocks * 4 * nodes * k * d,
            "encoder": 2 * nodes * features * hidden,
            "sums": blocks * 3 * entries * d,
        },
        "bytes": {
            "crossing": blocks * 6 * group,
            "nets": blocks * 6 * sums,
            "groups": layers * 6 * group * (1 + dense),
            "kept": 0 if dense else layers * 4 * kept,
            "ends": (6 if dense else 7) * group + 8 * nodes * features + 4 * entries,
            "optimizer": 28 * parameters,
        },
    }


def speeds(nodes: int, hidden: int, device: str = "cpu") -> dict[str, float]:
    """What this machine does in a second at best: ``multiplications`` of a dense product, ``bytes`` of a large copy.

    The products are the dense ones of a block, ``[N, d] @ [d, d]`` and ``[d, N] @ [N, d]`` by ``torch.mm(..., out=)``,
    and the faster counts. The bytes are those read and written by a copy that no cache holds.
    """
    d = hidden // 2
    shapes = (nodes, d, d), (d, nodes, d)
    size = min(2**30, free_memory(torch.device(device)) // 8) if device == "cuda" else 2**27
    return {
        "multiplications": nodes * d * d / min(measure.product_seconds(*s, device=device) for s in shapes),
        "bytes": measure.copy_speed(size, device=device),
    }


def floors(record: dict) -> dict[str, dict[str, float]]:
    """Seconds of each term of the `floor` at the speeds of a record, by the name of each row of GSR-GNN.

    The floor of a row is their sum. It is the model's, whichever route and order the row takes.
    """
    parameters, graph, speeds = record["parameters"], record["graph"], record["speeds"]
    found = {}
    for row in rows(parameters["hidden"], parameters["k"], parameters["only"]):
        if row.ours:
            options = {name: value for name, value in row.options.items() if name != "first"}
            counted = floor(
                nodes=graph["nodes"],
                features=graph["features"],
                hidden=parameters["hidden"],
                layers=parameters["layers"],
                nets=graph["summed_nets"],
                entries=graph["entries"],
                **options,
            )
            found[row.name] = {
                name: amount / speeds[kind] for kind, terms in counted.items() for name, amount in terms.items()
            }
    return found
