"""What callers give, read as what is meant: numbers, flags and arrays of integers; what is none is named."""

import math
import reprlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

TensorLike: TypeAlias = Tensor | ArrayLike | Sequence[Tensor | ArrayLike]
"""What is read as an array: a tensor, an array, a table's column, a list of numbers or of rows."""


def whole(value: Any) -> int | None:
    """``value`` as an int; None where it is not one whole number."""
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return int(value) if int(value) == value else None
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None


def positive(name: str, value: Any) -> int:
    """``value`` as an int. Raises ValueError unless it is a whole number, at least 1."""
    number = whole(value)
    if number is None or number < 1:
        raise ValueError(f"{name} is {shown(value)}: it takes a whole number, at least 1")
    return number


def natural(name: str, value: Any) -> int:
    """``value`` as an int. Raises ValueError unless it is an integer, at least 0."""
    number = None if isinstance(value, (float, np.floating)) else whole(value)
    if number is None or number < 0:
        raise ValueError(f"{name} is {shown(value)}: it takes a whole number, not below 0")
    return number


def probability(name: str, value: Any) -> float:
    """``value`` as a float. Raises ValueError unless it is a number, at least 0 and below 1."""
    try:
        number = math.nan if isinstance(value, (str, bool, np.bool_)) else float(value)
    except (TypeError, ValueError, RuntimeError):
        number = math.nan
    if not 0 <= number < 1:
        raise ValueError(f"{name} is {shown(value)}: it takes a number, at least 0 and below 1")
    return number


def flag(name: str, value: Any) -> bool:
    """``value`` as a bool. Raises ValueError unless it is True, False, 1 or 0."""
    if not isinstance(value, (bool, np.bool_)) and whole(value) not in (0, 1):
        raise ValueError(f"{name} is {shown(value)}: it takes True or False")
    return bool(value)


def integers(name: str, values: TensorLike) -> NDArray[np.int64]:
    """``values``, a tensor, array, table column or list, as int64 ``[P]``. Raises ValueError for anything else."""
    array = as_array(name, values, "a 1-D array of integers")
    if array.ndim != 1:
        given = f"has shape {array.shape}" if array.ndim else f"is {shown(values)}"
        raise ValueError(f"{name} {given}: it takes a 1-D array")
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in "iu":
        names = ", which numpy.unique(names, return_inverse=True)[1] gives names" if array.dtype.kind in "US" else ""
        raise ValueError(f"{name} has dtype {array.dtype}: it takes integers{names}")
    if array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name} holds {array.max()}: it takes integers below 2**63")
    return array.astype(np.int64, copy=False)


def as_array(name: str, values: TensorLike, takes: str) -> np.ndarray:
    """``values`` as a NumPy array, wherever they lie. Raises ValueError, which says what `name` ``takes``."""
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has masked entries: leave them out")
    try:
        if isinstance(values, torch.Tensor):
            values = values.cpu()
            return (values.double() if values.is_floating_point() else values).numpy()
        array = np.asarray(values)
        return np.array(array.tolist()) if array.dtype == object else array
    except (TypeError, ValueError, RuntimeError) as error:
        what = f"{values.layout} on {values.device}" if isinstance(values, torch.Tensor) else type(values).__name__
        raise ValueError(f"{name} ({what}) cannot be read as an array: it takes {takes}") from error


def shown(value: object) -> str:
    """``value`` as an error shows it: short, and on one line."""
    return " ".join(reprlib.repr(value).split())
