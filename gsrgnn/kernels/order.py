"""Which of the two orders of a block's products is the cheaper: what each costs, counted."""

from typing import Any, Literal, TypeAlias

from gsrgnn.kernels.adjacency import Incidence

Order: TypeAlias = Literal["aggregate", "transform"]

# Two cores, a graph of 6 million pairs: adding a row to another, an entry to a scattered place, and the three
# products of kept entries with a matrix that a step makes; each for one number. The last is 6 where dense products are
# slow (an EPYC) and some 14 where they are fast (a Xeon).
COST = {"row": 6, "scattered": 50, "kept": 10}


def cheaper_order(operator: Any, num_rows: int, width: int, k: int) -> Order:
    """``"aggregate"`` or ``"transform"``: which of ``(A S) W^T`` and ``A (S W^T)`` makes the faster training step.

    ``S [num_rows, width]`` has k entries a row and ``W`` is square. A step makes either product twice, forward and
    recomputed, and differentiates it once. What is counted are multiplications, each kind at what it costs on a CPU
    beside one of a dense matrix product (`COST`).
    """
    if isinstance(operator, Incidence):
        nets, direct = len(operator.to_nets.indices), len(operator.direct.indices)
        rows, entries, read, sampled = 2 * nets + direct, nets + direct, nets, nets + direct
    else:
        by_row = getattr(operator, "adjacency", operator)  # of row groups, which share what they read
        rows = sampled = len(by_row.indices)
        entries, read = len(getattr(operator, "columns", by_row.indices)), 0
    aggregate = (
        COST["scattered"] * k * (2 * entries + sampled) + 3 * COST["row"] * width * read + 4 * num_rows * width * width
    )
    transform = 3 * COST["row"] * width * rows + COST["kept"] * num_rows * k * width
    return "transform" if transform < aggregate else "aggregate"
