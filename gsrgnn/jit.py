"""How the package's loops are compiled: by Numba, with its cache of machine code wherever that can be kept."""

import warnings
from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher

_warned: list[Exception] = []


def jit(**options: Any) -> Callable[[Callable[..., Any]], Dispatcher]:
    """Decorator: `numba.njit` without the GIL and with NumPy's division; `options` are further ones of `numba.njit`.

    Machine code is kept where Numba keeps it: in NUMBA_CACHE_DIR, beside the source or in the user's cache folder,
    the first of these that can be written. Without one, or where it fails later, functions are compiled anew in each
    process, and a RuntimeWarning says so once.
    """

    def decorate(function):
        compiled = numba.njit(nogil=True, error_model="numpy", **options)(function)
        try:
            compiled._cache = _Cache(function)  # `cache=True` puts Numba's own there
        except (OSError, RuntimeError) as error:
            _warn(error)
        return compiled

    return decorate


def cache_folder(compiled: Dispatcher) -> str | None:
    """Where the machine code of a function made with `jit` is kept; None where it is not."""
    return compiled._cache.cache_path


class _Cache(FunctionCache):
    """Numba's cache of one function. What goes wrong in it costs the time to compile, and nothing else."""

    def load_overload(self, sig, target_context):
        try:
            found = super().load_overload(sig, target_context)
        except Exception:  # cut short, or of other versions: unpickling it raises anything
            self._forget()
            return None
        # Two processes that compile at once may give two signatures one file.
        return found if found and tuple(found.signature.args) == tuple(sig) else None

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except Exception as error:
            self._fail(error)

    def _forget(self):
        try:
            self.flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error):
        self.disable()
        _warn(error)


def _warn(error: Exception) -> None:
    if not _warned:
        _warned.append(error)
        words = "every process compiles the kernels anew: set NUMBA_CACHE_DIR to a folder that can be written"
        warnings.warn(f"{words} ({error})", RuntimeWarning, stacklevel=1)
