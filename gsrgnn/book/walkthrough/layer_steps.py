"""The paper's reversible layer, step by step on small dense matrices (sections 4.3 and 4.4, Algorithms 1 and 2).

As in the paper's worked examples there is no Linear and no LayerNorm, so a block is its aggregation alone and
every number can be checked by hand::

    trace = forward(A, X, k=1)
    trace["Y"]                      # the layer's output
    for step in trace:
        print(step.number, step.name, step.sentence)
    backward(A, trace, dY)["dX"]    # the exact gradient
    algorithm2(A, G, k=1)["G_next"]   # what Algorithm 2 makes of the same gradient

The matrices carry these names, in all three functions and in the book's step-through page:

===============  =========================================================================================
``X``, ``Y``     the layer's input and output ``[N, D]``; ``X1``, ``X2``, ``Y1``, ``Y2`` their two groups of
                 columns ``[N, D / 2]``, left and right
``V2, I2``       GS of group 2 as CBSR: values ``[N, k]`` and ascending columns ``[N, k]``
``M1``           the first block's output, added to group 1
``V1, I1``       GS of the updated group 1
``M2``           the second block's output
``R2``           the residual that ``M2`` is added to: ``scatter(V2, I2)`` or ``X2``
``dX``, ...      the gradient of the loss with respect to the matrix of that name
===============  =========================================================================================

The paper's examples use two operators. With ``reading="neighbour"`` a block puts each neighbour's values at the
neighbour's columns, ``A @ scatter(V, I)``: equation 10, section 4.1's forward example, and what the package
computes. With ``reading="own"`` it adds the neighbours' values slot by slot and puts the sums at the row's own
columns, ``scatter(A @ V, I)``: the other examples. They are the same operator when k is the group's width.
"""

import numpy as np
from numpy.typing import ArrayLike

from gsrgnn.book.walkthrough.trace import Step, Trace
from gsrgnn.kernels import reference
from gsrgnn.kernels.adjacency import Adjacency

RESIDUALS: tuple[str, ...] = ("sparse", "dense")
READINGS: tuple[str, ...] = ("neighbour", "own")


def block(A: np.ndarray, V: np.ndarray, I: np.ndarray, width: int, reading: str = "neighbour") -> np.ndarray:  # noqa: E741
    """The aggregation of a CBSR matrix, ``[N, width]`` (equation 10); ``V`` and ``I`` are ``[N, k]``."""
    if reading == "neighbour":
        return reference.aggregate(_sparse(A), V, I, width)
    return reference.scatter(reference.aggregate_dense(_sparse(A), V), I, width)


def block_backward(A: np.ndarray, dM: np.ndarray, I: np.ndarray, reading: str = "neighbour") -> np.ndarray:  # noqa: E741
    """The gradient ``dV [N, k]`` of `block` for its incoming gradient ``dM [N, width]`` (equation 11)."""
    if reading == "neighbour":
        return reference.aggregate_backward(_sparse(A.T), dM, I)
    return reference.aggregate_dense(_sparse(A.T), reference.gather(dM, I))


def forward(A: ArrayLike, X: ArrayLike, k: int, residual: str = "sparse", reading: str = "neighbour") -> Trace:
    """One layer forward: Algorithm 1, the eight steps of section 4.3.

    Args:
        A: ``[N, N]``; row i holds the weights with which i adds its neighbours.
        X: ``[N, D]``, D even.
        k: entries that GS keeps of each row of a group, ``1 <= k <= D / 2``.
        residual: what group 2 keeps of itself, ``"sparse"`` (Algorithm 1 line 10) or ``"dense"`` (all of it).
        reading: ``"neighbour"`` or ``"own"`` column, see the module.

    Raises ValueError for shapes that do not fit, a number that is not finite, or another k, residual or reading.
    """
    A, X = _checked(A, X, "X", k, reading)
    if residual not in RESIDUALS:
        raise ValueError(f"residual {residual!r} is unknown; it is one of {', '.join(RESIDUALS)}")
    sparse = residual == "sparse"
    X1, X2 = _split(X)
    width = X1.shape[1]
    V2, I2 = reference.group_sparse(X2, k)
    M1 = block(A, V2, I2, width, reading)
    Y1 = X1 + M1
    V1, I1 = reference.group_sparse(Y1, k)
    M2 = block(A, V1, I1, width, reading)
    R2 = reference.scatter(V2, I2, width) if sparse else X2
    Y2 = R2 + M2
    rest = "what GS dropped from group 2 is gone" if sparse else "group 2 keeps all its entries"
    return Trace(
        k,
        residual,
        reading,
        (
            Step(
                1,
                4,
                "Split",
                {"X1": X1, "X2": X2},
                "The columns of X are split into two groups: X1 on the left, X2 on the right.",
            ),
            Step(
                2,
                5,
                "GS of group 2",
                {"V2": V2, "I2": I2},
                f"GS keeps the {_largest(k)} of each row of X2: values V2 and their columns I2.",
            ),
            Step(3, 6, "First block", {"M1": M1}, _block_sentence("first", "V2", reading)),
            Step(4, 7, "Add to group 1", {"Y1": Y1}, "The first block's output is added to group 1: Y1 = X1 + M1."),
            Step(
                5,
                8,
                "GS of the new group 1",
                {"V1": V1, "I1": I1},
                f"GS keeps the {_largest(k)} of each row of Y1: values V1 and their columns I1.",
            ),
            Step(6, 9, "Second block", {"M2": M2}, _block_sentence("second", "V1", reading)),
            Step(
                7,
                10,
                "Residual",
                {"R2": R2, "Y2": Y2},
                f"The second block's output is added to {'the scattered V2' if sparse else 'X2'}: Y2 = R2 + M2; "
                f"{rest}.",
            ),
            Step(
                8,
                11,
                "Concatenate",
                {"Y": np.hstack([Y1, Y2])},
                "The two groups side by side are the layer's output Y.",
            ),
        ),
    )


def backward(A: ArrayLike, trace: Trace, dY: ArrayLike) -> Trace:
    """The exact gradient of `forward`, from the layer's output: recompute, undo, differentiate.

    Of ``trace`` it uses the output ``Y`` and, with the sparse residual, the kept pair ``(V2, I2)``: all that a
    reversible layer stores. What it recomputes equals the forward's matrix of the same name up to rounding;
    with the dense residual that can turn a tie in GS of group 2 the other way, and the step says so.

    Args:
        A: ``[N, N]`` as given to `forward`.
        trace: what `forward` returned.
        dY: gradient of the loss with respect to ``Y``, ``[N, D]``.

    Raises ValueError if ``A`` or ``dY`` does not fit the trace.
    """
    k, reading, sparse = trace.k, trace.reading, trace.residual == "sparse"
    A, dY = _checked(A, dY, "dY", k, reading)
    if dY.shape != trace["Y"].shape:
        raise ValueError(
            f"dY has shape {list(dY.shape)} and the trace's Y {list(trace['Y'].shape)}: they must be equal"
        )
    Y1, Y2 = _split(trace["Y"])
    dY1, dY2 = _split(dY)
    width = Y1.shape[1]
    V1, I1 = reference.group_sparse(Y1, k)
    M2 = block(A, V1, I1, width, reading)
    R2 = Y2 - M2
    dV1 = block_backward(A, dY2, I1, reading)
    dX1 = dY1 + reference.scatter(dV1, I1, width)
    V2, I2 = (trace["V2"], trace["I2"]) if sparse else reference.group_sparse(R2, k)
    M1 = block(A, V2, I2, width, reading)
    X1 = Y1 - M1
    dV2 = block_backward(A, dX1, I2, reading)
    dR2 = reference.scatter(reference.gather(dY2, I2), I2, width) if sparse else dY2
    dX2 = dR2 + reference.scatter(dV2, I2, width)
    pair = (
        "V2 and I2 were kept by the forward pass, because R2 lacks what GS dropped."
        if sparse
        else "With the dense residual R2 is X2, and GS of it gives V2 and I2 again."
    )
    if not np.array_equal(I2, trace["I2"]):
        pair += " Rounding has turned a tie the other way: I2 differs from the forward pass."
    through = "only the kept positions" if sparse else "all"
    return Trace(
        k,
        trace.residual,
        reading,
        (
            Step(
                1,
                11,
                "Split",
                {"Y1": Y1, "Y2": Y2, "dY1": dY1, "dY2": dY2},
                "The output Y and the incoming gradient dY are split into the same two groups.",
            ),
            Step(
                2,
                8,
                "Recompute GS of group 1",
                {"V1": V1, "I1": I1},
                f"GS keeps the {_largest(k)} of each row of Y1, as in the forward pass: V1 and I1.",
            ),
            Step(3, 9, "Recompute the second block", {"M2": M2}, "The second block of V1 and I1 gives M2 again."),
            Step(4, 10, "Undo the second block", {"R2": R2}, "Subtracting it leaves the residual: R2 = Y2 − M2."),
            Step(5, 9, "Differentiate the second block", {"dV1": dV1}, _backward_sentence("dV1", "dY2", "I1", reading)),
            Step(
                6,
                8,
                "Gradient of group 1",
                {"dX1": dX1},
                "dV1, put back at the columns I1, is added to dY1: dX1 is the gradient of Y1, hence of X1.",
            ),
            Step(7, 5, "GS of group 2: kept" if sparse else "Recompute GS of group 2", {"V2": V2, "I2": I2}, pair),
            Step(8, 6, "Recompute the first block", {"M1": M1}, "The first block of V2 and I2 gives M1 again."),
            Step(
                9, 7, "Undo the first block", {"X1": X1}, "Subtracting it gives the layer's input back: X1 = Y1 − M1."
            ),
            Step(10, 6, "Differentiate the first block", {"dV2": dV2}, _backward_sentence("dV2", "dX1", "I2", reading)),
            Step(
                11,
                5,
                "Gradient of group 2",
                {"dR2": dR2, "dX2": dX2},
                f"The residual path passes {through} of dY2; dV2, put back at the columns I2, is added: dX2.",
            ),
            Step(
                12,
                4,
                "Concatenate",
                {"dX": np.hstack([dX1, dX2])},
                "The two groups side by side are the gradient dX that goes on to the layer before.",
            ),
        ),
    )


def algorithm2(A: ArrayLike, G: ArrayLike, k: int, reading: str = "neighbour", group2: str = "right") -> Trace:
    """Algorithm 2 taken literally: the gradient run through GS and the coupling as if it were the activation.

    This is not the gradient of Algorithm 1 (that is `backward`); it is what section 4.4's example computes.
    The matrices are ``G1``, ``G2``, ``V2, I2``, ``Z2`` (block of V2), ``M1``, ``V1, I1``, ``Z1``, ``M2``,
    ``G1_next``, ``G2_next`` and their concatenation ``G_next``. The paper's circled numbers after the sixth are
    not legible in our copy; 7 to 9 continue them.

    Args:
        A: ``[N, N]``.
        G: the incoming gradient ``[N, D]``, D even.
        k: entries that GS keeps, ``1 <= k <= D / 2``.
        reading: ``"neighbour"`` or ``"own"`` column, see the module.
        group2: the side of ``G`` that is group 2: ``"right"`` as in Algorithm 1, ``"left"`` as in section 4.4's text.

    Raises ValueError for shapes that do not fit, or another k, reading or side.
    """
    A, G = _checked(A, G, "G", k, reading)
    if group2 not in ("left", "right"):
        raise ValueError(f"group2 is {group2!r}; it is one of left, right")
    halves = _split(G)
    G1, G2 = halves if group2 == "right" else halves[::-1]
    width = G1.shape[1]
    V2, I2 = reference.group_sparse(G2, k)
    Z2 = block(A, V2, I2, width, reading)
    M1 = G1 - Z2
    V1, I1 = reference.group_sparse(M1, k)
    Z1 = block(A, V1, I1, width, reading)
    M2 = reference.scatter(V2, I2, width) - Z1
    G1_next = reference.scatter(block_backward(A, M1, I1, reading), I1, width)
    G2_next = reference.scatter(block_backward(A, M2, I2, reading), I2, width)
    pair = (G1_next, G2_next) if group2 == "right" else (G2_next, G1_next)
    return Trace(
        k,
        "sparse",
        reading,
        (
            Step(
                1, 4, "Split", {"G1": G1, "G2": G2}, "The columns of the incoming gradient are split into two groups."
            ),
            Step(
                2,
                4,
                "GS of group 2",
                {"V2": V2, "I2": I2},
                f"GS keeps the {_largest(k)} of each row of G2: values V2 and their columns I2.",
            ),
            Step(
                3,
                5,
                "First block",
                {"Z2": Z2, "M1": M1},
                "The block of V2 and I2 is subtracted from group 1: M1 = G1 − Z2.",
            ),
            Step(
                4,
                6,
                "GS of M1",
                {"V1": V1, "I1": I1},
                f"GS keeps the {_largest(k)} of each row of M1: values V1 and their columns I1.",
            ),
            Step(5, 6, "Second block", {"Z1": Z1}, "The block of V1 and I1 gives Z1."),
            Step(6, 7, "Subtract from group 2", {"M2": M2}, "Z1 is subtracted from the scattered V2: M2."),
            Step(
                7,
                8,
                "Backward block of group 1",
                {"G1_next": G1_next},
                "The backward block reads M1 and fills the positions I1 of the new group 1.",
            ),
            Step(
                8,
                8,
                "Backward block of group 2",
                {"G2_next": G2_next},
                "The backward block reads M2 and fills the positions I2 of the new group 2.",
            ),
            Step(
                9,
                9,
                "Concatenate",
                {"G_next": np.hstack(pair)},
                "The two groups side by side go on to the layer before.",
            ),
        ),
    )


def _checked(A: ArrayLike, X: ArrayLike, name: str, k: int, reading: str) -> tuple[np.ndarray, np.ndarray]:
    A, X = np.asarray(A, dtype=np.float64), np.asarray(X, dtype=np.float64)
    if X.ndim != 2 or X.shape[1] < 2 or X.shape[1] % 2:
        raise ValueError(f"{name} has shape {list(X.shape)} and the layer takes [N, D], D even: two groups")
    if A.shape != (len(X), len(X)):
        raise ValueError(f"A has shape {list(A.shape)} and {name} {len(X)} rows: A must be [{len(X)}, {len(X)}]")
    if not (np.isfinite(A).all() and np.isfinite(X).all()):
        raise ValueError(f"A and {name} must be finite numbers, and one of them has a NaN or an infinity")
    if k not in range(1, X.shape[1] // 2 + 1):
        raise ValueError(f"k is {k} and a group has {X.shape[1] // 2} columns: choose 1 <= k <= {X.shape[1] // 2}")
    if reading not in READINGS:
        raise ValueError(f"reading {reading!r} is unknown; it is one of {', '.join(READINGS)}")
    return A, X


def _split(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    half = x.shape[1] // 2
    return x[:, :half], x[:, half:]


def _sparse(A: np.ndarray) -> Adjacency:
    rows, columns = np.nonzero(A)
    ones = np.ones(len(A))
    indptr = np.searchsorted(rows, np.arange(len(A) + 1))
    return Adjacency(indptr, columns, A[rows, columns], ones, ones)


def _largest(k: int) -> str:
    return "largest entry" if k == 1 else f"{k} largest entries"


def _block_sentence(which: str, values: str, reading: str) -> str:
    place = "each value stays at its neighbour's column" if reading == "neighbour" else "the sum goes to its own column"
    return f"The {which} block adds up the {values} of each node's neighbours; {place}."


def _backward_sentence(made: str, grad: str, indices: str, reading: str) -> str:
    if reading == "neighbour":
        return f"The gradient of the block's input is Aᵀ {grad}, and of that only the kept positions {indices}: {made}."
    return f"The gradient of the block's input is Aᵀ times the entries of {grad} at the positions {indices}: {made}."
