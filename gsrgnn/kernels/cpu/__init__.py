"""The operators in threaded Numba. Each writes into arrays that the caller owns and makes none of size N.

Work is cut into `BLOCKS` runs of rows, whatever the number of threads, and every sum is made inside one run in
row order: results do not depend on the thread count.
"""

from gsrgnn.kernels.cpu.aggregation import aggregate, aggregate_backward, aggregate_dense
from gsrgnn.kernels.cpu.dropout import dropout
from gsrgnn.kernels.cpu.entries import (
    from_fixed,
    magnitudes,
    scatter_add,
    scatter_fixed,
    scatter_over,
    to_fixed,
)
from gsrgnn.kernels.cpu.layer_norm import add_layer_norm, undo_layer_norm
from gsrgnn.kernels.cpu.products import product, product_backward
from gsrgnn.kernels.cpu.row_groups import prepare
from gsrgnn.kernels.cpu.threads import BLOCKS
from gsrgnn.kernels.cpu.top_k import group_sparse, group_sparse_fixed

__all__ = [
    "BLOCKS",
    "add_layer_norm",
    "aggregate",
    "aggregate_backward",
    "aggregate_dense",
    "dropout",
    "from_fixed",
    "group_sparse",
    "group_sparse_fixed",
    "magnitudes",
    "prepare",
    "product",
    "product_backward",
    "scatter_add",
    "scatter_fixed",
    "scatter_over",
    "to_fixed",
    "undo_layer_norm",
]
