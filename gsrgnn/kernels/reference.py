"""The paper's operators in plain NumPy, to be read and to be compared with. Slow on purpose: one loop a row.

Every array of node rows is ``[N, D]``; a CBSR matrix is its values ``V [N, k]`` and its ascending column
indices ``I [N, k]``.
"""

import numpy as np

from gsrgnn.kernels.adjacency import Adjacency

__all__ = [
    "Adjacency",
    "aggregate",
    "aggregate_backward",
    "aggregate_dense",
    "dropout_mask",
    "gather",
    "group_sparse",
    "layer_norm",
    "layer_norm_backward",
    "product",
    "product_backward",
    "scatter",
    "split_mix",
    "to_fixed",
]


def group_sparse(x: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """``GS(x, k) -> (V, I)``: the k largest entries of each row (section 4.1, Algorithm 1 lines 5 and 8).

    Entries are ordered by value, not by magnitude; of equal ones the lowest column is kept. Raises ValueError for k
    outside 1..D.
    """
    if not 1 <= k <= x.shape[1]:
        raise ValueError(f"k is {k} and a row has {x.shape[1]} columns: choose 1 <= k <= {x.shape[1]}")
    indices = np.sort(np.argsort(-x, axis=1, kind="stable")[:, :k], axis=1)
    return np.take_along_axis(x, indices, axis=1), indices


def scatter(values: np.ndarray, indices: np.ndarray, num_columns: int) -> np.ndarray:
    """The dense ``[N, num_columns]`` matrix of a CBSR matrix (Algorithm 1 line 10)."""
    dense = np.zeros((len(values), num_columns), dtype=values.dtype)
    np.put_along_axis(dense, indices.astype(np.int64), values, axis=1)
    return dense


def gather(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """``x[i, I[i, t]]``: the transpose of `scatter`, hence its backward."""
    return np.take_along_axis(x, indices.astype(np.int64), axis=1)


def dropout_mask(seed: int, num_rows: int, num_columns: int, p: float) -> np.ndarray:
    """Float64 ``[num_rows, num_columns]``: 0 with probability ``p``, ``1 / (1 - p)`` elsewhere.

    Nothing is drawn one after the other: entry ``(i, c)`` is number ``c`` of the `split_mix` sequence whose state is
    number ``i`` of the sequence of ``seed``, and is kept where that lies above a share ``p`` of all numbers. So any
    entry is known without the others.
    """
    rows = split_mix(np.uint64(seed), np.arange(num_rows))
    numbers = split_mix(rows[:, None], np.arange(num_columns))
    return np.where(numbers >> np.uint64(33) >= int(p * 2**31), 1 / (1 - p), 0.0)


def split_mix(state: np.ndarray | np.uint64, number: np.ndarray) -> np.ndarray:
    """The ``number``-th 64 bits, from 0, of a SplitMix64 sequence (Steele, Lea and Flood, 2014), uint64."""
    z = state + (number.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def aggregate(adjacency: Adjacency, values: np.ndarray, indices: np.ndarray, num_columns: int) -> np.ndarray:
    """``A @ scatter(V, I)``, made from the kept entries alone (equation 10)."""
    out = np.zeros((len(values), num_columns), dtype=values.dtype)
    for i in range(len(out)):
        for e in range(adjacency.indptr[i], adjacency.indptr[i + 1]):
            j = adjacency.indices[e]
            out[i, indices[j]] += adjacency.weight[e] * adjacency.in_scale[j] * values[j]
        out[i] *= adjacency.out_scale[i]
    return out


def aggregate_backward(transposed: Adjacency, grad: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """``dV[i, t] = (A^T grad)[i, I[i, t]]``: of ``A^T grad`` only the kept positions (equation 11).

    ``transposed`` is the `Adjacency` of ``A^T``.
    """
    dvalues = np.zeros(indices.shape, dtype=grad.dtype)
    for i in range(len(indices)):
        for e in range(transposed.indptr[i], transposed.indptr[i + 1]):
            j = transposed.indices[e]
            dvalues[i] += transposed.weight[e] * transposed.in_scale[j] * grad[j, indices[i]]
        dvalues[i] *= transposed.out_scale[i]
    return dvalues


def aggregate_dense(adjacency: Adjacency, x: np.ndarray) -> np.ndarray:
    """``A @ x`` for a dense ``x [N, D]`` (SpMM)."""
    out = np.zeros_like(x)
    for i in range(len(out)):
        for e in range(adjacency.indptr[i], adjacency.indptr[i + 1]):
            j = adjacency.indices[e]
            out[i] += adjacency.weight[e] * adjacency.in_scale[j] * x[j]
        out[i] *= adjacency.out_scale[i]
    return out


def product(values: np.ndarray, indices: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """``scatter(V, I) @ matrix``, ``[N, C]`` for a dense ``matrix [D, C]``: k of its rows for each row."""
    return np.einsum("nk,nkc->nc", values, matrix[indices])


def product_backward(
    values: np.ndarray, indices: np.ndarray, matrix: np.ndarray, grad: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of `product` for the incoming ``grad [N, C]``: of the values ``[N, k]`` and of ``matrix [D, C]``."""
    return gather(grad @ matrix.T, indices), scatter(values, indices, len(matrix)).T @ grad


def to_fixed(x: np.ndarray, scale: float | np.ndarray) -> np.ndarray:
    """``x`` as integers, multiples of ``1 / scale``, one number or ``[N, D]``: int32 for float32, int64 for float64.

    Integers add without rounding, so that ``(x + f) - f`` is ``x`` to the last bit, which for floats it is not.
    """
    return np.rint(x * np.asarray(scale, x.dtype)).astype({4: np.int32, 8: np.int64}[x.itemsize])


def layer_norm(z: np.ndarray, gain: np.ndarray, bias: np.ndarray, eps: float) -> np.ndarray:
    """Each row of ``z [N, D]`` to mean 0 and variance 1, times ``gain [D]`` plus ``bias [D]``."""
    centred = z - z.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + eps) * gain + bias


def layer_norm_backward(
    z: np.ndarray, gain: np.ndarray, eps: float, grad: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `layer_norm` with respect to ``z [N, D]``, ``gain [D]`` and ``bias [D]``."""
    centred = z - z.mean(axis=1, keepdims=True)
    rstd = 1 / np.sqrt((centred**2).mean(axis=1, keepdims=True) + eps)
    normal = centred * rstd
    scaled = grad * gain
    dz = rstd * (scaled - scaled.mean(axis=1, keepdims=True) - normal * (scaled * normal).mean(axis=1, keepdims=True))
    return dz, (grad * normal).sum(axis=0), grad.sum(axis=0)
