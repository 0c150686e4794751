"""gsrgnn: deep reversible, sparse graph networks for circuit graphs, reproduced (GSR-GNN, arXiv 2603.27156)."""

from gsrgnn import circuits
from gsrgnn.cbsr import CBSR, aggregate, group_sparse
from gsrgnn.graph import CircuitGraph
from gsrgnn.models import GSRGNN
from gsrgnn.version import __version__

__all__ = ["CBSR", "CircuitGraph", "GSRGNN", "__version__", "aggregate", "circuits", "group_sparse"]
