"""Pickled object arrays in `.npy` files, read without running what they hold.

A pickle is a program: loading a hostile one runs it. Here it can build text, numbers, lists, dicts and
tuples, and name four things of NumPy's (`ndarray`, `dtype`, `_reconstruct`, `scalar`), each of which is an
inert stand-in. NumPy itself never sees the pickle, because a bent array or dtype state can corrupt memory.
The pure-Python unpickler is used because the C one allocates room up to whatever memo index a file asks
for.
"""

import io
import os
import pickle
import warnings
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any, ClassVar

from numpy.lib import format as npy

MAX_BYTES = 64 * 2**20
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_OPCODES = (
    *(pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK),
    *(pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.REDUCE),
    *(pickle.MEMOIZE, pickle.BINPUT, pickle.LONG_BINPUT, pickle.BINGET, pickle.LONG_BINGET),
    *(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.BINFLOAT),
    *(pickle.SHORT_BINUNICODE, pickle.BINUNICODE, pickle.SHORT_BINBYTES),
    *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
    *(pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS, pickle.EMPTY_DICT),
)


def read_objects(path: str | os.PathLike[str]) -> tuple[tuple[int, ...], list[Any]]:
    """The shape and the flat list of objects (C order) of an object array saved by `numpy.save`.

    The objects are str, int, float, or lists, tuples and dicts of them. FileNotFoundError if there is no such
    file; ValueError naming the file if it is larger than `MAX_BYTES`, truncated, not an object array, or
    asks for more.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: get it from CircuitNet's download (graph features)")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"{path} has {size:,} bytes, of {MAX_BYTES:,} allowed: get CircuitNet's own file")
    try:
        return _parse(io.BytesIO(path.read_bytes()))
    except OSError:
        raise
    except Exception as error:  # damaged bytes can fail anywhere in the two parsers
        reason = f"{type(error).__name__}: {error}"[:200]
        raise ValueError(f"{path} is damaged or not CircuitNet's ({reason}): download it again") from error


def _parse(file):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        version = npy.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"npy version {version}, needed one of {list(_HEADERS)}")
        shape, _, dtype = _HEADERS[version](file)
    if not dtype.hasobject or dtype.fields:
        raise ValueError(f"it holds {dtype}, needed an object array")
    array: Any = _Unpickler(file).load()
    if type(array) is not _Array or array.items is None:
        raise ValueError("the pickle holds no array")
    if array.shape != shape or len(array.items) != prod(shape):
        raise ValueError(f"header says {shape}, the pickle {array.shape} with {len(array.items)} objects")
    if trailing := len(file.read()):
        raise ValueError(f"{trailing} bytes after its end")
    return shape, array.items


class _Array:
    shape: tuple[int, ...] | None = None
    items: list[Any] | None = None

    def __init__(self, subtype, shape, typecode):
        if subtype is not _Array or shape != (0,):
            raise pickle.UnpicklingError("an array is made otherwise than by NumPy")

    def set_state(self, version, shape, dtype, _fortran, items):
        if type(dtype) is not _Dtype or dtype.code != "O8" or type(items) is not list:
            raise pickle.UnpicklingError("an array is not one of objects")
        if type(shape) is not tuple or not all(type(side) is int for side in shape):
            raise pickle.UnpicklingError("an array's shape is not integers")
        self.shape, self.items = shape, items


class _Dtype:
    codes = ("O8", *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)))
    order = "<"

    def __init__(self, code, align, copy):
        if code not in self.codes:
            raise pickle.UnpicklingError("a dtype is neither object nor integer")
        self.code = code

    def set_state(self, version, order, *rest):
        self.order = order


def _scalar(dtype, data):
    if dtype.code == "O8" or len(data) != int(dtype.code[1]):
        raise pickle.UnpicklingError("a number is not an integer of its own size")
    return int.from_bytes(data, "big" if dtype.order == ">" else "little", signed=dtype.code[0] == "i")


_NAMES: dict[tuple[str, str], Any] = {("numpy", "ndarray"): _Array, ("numpy", "dtype"): _Dtype}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _NAMES |= {(_module, "_reconstruct"): _Array, (_module, "scalar"): _scalar}


class _Unpickler(pickle._Unpickler):
    stack: list[Any]
    pop_mark: Callable[[], list[Any]]
    dispatch: ClassVar[dict[int, Any]] = {code[0]: pickle._Unpickler.dispatch[code[0]] for code in _OPCODES}

    def load(self):
        try:
            return super().load()
        except KeyError as error:
            raise pickle.UnpicklingError(f"it uses opcode {error}, which is refused") from None
        except EOFError:
            raise pickle.UnpicklingError("it ends too soon") from None

    def find_class(self, module, name):
        if (module, name) not in _NAMES:
            asked = f"{module}.{name}"[:80]
            raise pickle.UnpicklingError(f"it asks for {asked!r}, which is refused")
        return _NAMES[module, name]

    def load_build(self):
        state = self.stack.pop()
        target = self.stack[-1]
        if type(target) not in (_Array, _Dtype):
            raise pickle.UnpicklingError(f"it sets the state of a {type(target).__name__}")
        target.set_state(*state)

    def load_setitems(self):
        items = self.pop_mark()
        self._update(items[::2], items[1::2])

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        self._update([key], [value])

    def _update(self, keys, values):
        if not all(type(key) is str for key in keys):
            raise pickle.UnpicklingError("a dict has keys that are not text")
        target = self.stack[-1]
        size = len(target) + len(keys)
        target.update(zip(keys, values, strict=True))
        if len(target) != size:
            raise pickle.UnpicklingError("a dict has the same key twice")

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
