"""One table from a device to the module that holds its kernels; all modules offer the same functions.

`reference` says in NumPy what each computes, and `self_check` compares. Kernels work on arrays that the caller owns:
they know no graph beyond `adjacency`, no model, and make no result of their own.
"""

import importlib
from types import ModuleType

import numpy as np

from gsrgnn.kernels import forks  # noqa: F401 before any fork, not at the first kernel
from gsrgnn.kernels.adjacency import Adjacency, Incidence
from gsrgnn.kernels.fixed_point import Scale

__all__ = ["Adjacency", "Incidence", "Scale", "index_dtype", "on"]

_MODULES = {"cpu": "gsrgnn.kernels.cpu", "cuda": "gsrgnn.kernels.cuda.operators"}


def on(device_type: str) -> ModuleType:
    """The kernels of a device type, ``"cpu"`` or ``"cuda"``.

    Raises ValueError for a device that has none, ModuleNotFoundError for CUDA without numba-cuda.
    """
    if device_type not in _MODULES:
        raise ValueError(
            f"no kernels for device {device_type!r}: gsrgnn has them for {sorted(_MODULES)}; "
            "move the graph and the model there with .to(device)"
        )
    return importlib.import_module(_MODULES[device_type])


def index_dtype(num_columns: int) -> np.dtype:
    """The smallest NumPy integer type that holds a column index below ``num_columns``."""
    return np.dtype("uint8" if num_columns <= 256 else "int16" if num_columns <= 32768 else "int32")
