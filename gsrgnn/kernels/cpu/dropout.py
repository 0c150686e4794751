"""Dropout of the kept entries: its mask is computed wherever it is asked for, and stored nowhere."""

import numba
import numpy as np

from gsrgnn.kernels.cpu.threads import inner, threaded


def dropout(values: np.ndarray, indices: np.ndarray, start: int, seed: np.ndarray, p: float, out: np.ndarray) -> None:
    """``values [N, k]`` times `reference.dropout_mask` at their places, column 0 being ``start`` of the mask.

    ``seed`` is int64 ``[1]``. ``out [N, k]`` may be ``values``.
    """
    _dropout(values, indices, start, seed.view(np.uint64), int(p * 2**31), out.dtype.type(1 / (1 - p)), out)


@threaded
def _dropout(values, indices, start, seed, fewest, factor, out):
    for i in numba.prange(len(indices)):
        row = _split_mix(seed[0], i)
        for t in range(indices.shape[1]):
            kept = _split_mix(row, start + indices[i, t]) >> np.uint64(33) >= np.uint64(fewest)
            out[i, t] = values[i, t] * factor if kept else factor * 0


@inner
def _split_mix(state, number):
    """`reference.split_mix`."""
    z = state + (np.uint64(number) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
