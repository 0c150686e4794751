"""gsrgnn: deep reversible, sparse graph networks for circuit graphs, reproduced (GSR-GNN, arXiv 2603.27156).

The library is what lies beside this file, with `kernels` and `circuits`. From `models` down to a kernel each module
imports only what is below it: `models`, `reversible`, `cbsr`, `graph`, `kernels`. Above stand `lab`, which measures,
`book`, which makes pages, and `cli`; nothing of the library imports them.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from gsrgnn.cbsr import CBSR, aggregate, group_sparse
from gsrgnn.graph import CircuitGraph
from gsrgnn.model_file import load_model, save_model
from gsrgnn.models import GSRGNN
from gsrgnn.version import __version__

if TYPE_CHECKING:
    from gsrgnn import circuits as circuits

__all__ = [
    "CBSR",
    "CircuitGraph",
    "GSRGNN",
    "__version__",
    "aggregate",
    "circuits",
    "group_sparse",
    "load_model",
    "save_model",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> ModuleType:
        """`circuits` when it is first asked for: what it needs takes as long to import as the rest."""
        if name == "circuits":
            return import_module("gsrgnn.circuits")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
