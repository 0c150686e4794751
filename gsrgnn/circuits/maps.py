"""Maps over the gcells of a die, in `.npy` files, read without trusting them."""

import os
import warnings
from math import prod
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

MAX_SIDE = 1024  # gcells; CircuitNet-N28 has about 300
MAX_VALUE = 1e6  # overflow over capacity is a few at most
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_map(path: str | os.PathLike[str]) -> NDArray[np.float64]:
    """float64 [W, H], the map that `numpy.save` wrote: floats, each finite and from 0 to `MAX_VALUE`.

    FileNotFoundError if there is no such file; ValueError naming the file if it is anything else. The header is
    checked against the file's size before its numbers are read, and objects are never unpickled.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: get it from CircuitNet's download (routability features)")
    with path.open("rb") as file:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                shape, fortran, dtype = _HEADERS[npy.read_magic(file)](file)
        except OSError:
            raise
        except Exception as error:  # damaged bytes can fail anywhere in NumPy's parser
            reason = f"{type(error).__name__}: {error}"[:200]
            raise ValueError(f"{path} is damaged or not an .npy file ({reason}): download it again") from error
        require(dtype.kind == "f" and dtype.itemsize in (2, 4, 8), path, f"{dtype}, needed floats")
        sized = len(shape) == 2 and all(type(side) is int and 1 <= side <= MAX_SIDE for side in shape)
        require(sized, path, f"shape {shape}, needed [W, H] of 1 to {MAX_SIDE} gcells each")
        there, needed = path.stat().st_size - file.tell(), prod(shape) * dtype.itemsize
        require(there == needed, path, f"{there:,} bytes of numbers, needed {needed:,} for {shape} of {dtype}")
        values = np.frombuffer(file.read(needed), dtype).reshape(shape, order="F" if fortran else "C")
    with np.errstate(invalid="ignore"):
        values = values.astype(np.float64)
    require(np.isfinite(values).all(), path, "a NaN or an infinity")
    require(values.min() >= 0, path, f"{values.min():g}: an overflow is 0 or more, 0 where there is none")
    require(values.max() <= MAX_VALUE, path, f"{values.max():g}, of {MAX_VALUE:g} allowed")
    return values


def require(condition: bool | np.bool_, path: str | os.PathLike[str], found: str) -> None:
    """Raises ValueError, saying what the file at `path` holds, unless `condition` does."""
    if not condition:
        raise ValueError(f"{path} holds {found}: download it again")
