"""One table from a device to the module that holds its kernels; all modules offer the same functions."""

import importlib

import numpy as np
import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from gsrgnn.kernels.adjacency import Adjacency, Incidence

__all__ = ["Adjacency", "Incidence", "cheaper_order", "index_dtype", "on", "self_check"]

SCATTERED = 10  # on a CPU, for CBSR rows added up over 6 million pairs

_MODULES = {"cpu": "gsrgnn.kernels.cpu", "cuda": "gsrgnn.kernels.cuda"}


def on(device_type):
    """The kernels of a device type, ``"cpu"`` or ``"cuda"``.

    Raises ValueError for a device that has none, ModuleNotFoundError for CUDA without numba-cuda.
    """
    if device_type not in _MODULES:
        raise ValueError(f"no kernels for device {device_type!r}: gsrgnn has them for {sorted(_MODULES)}; "
                         "move the graph and the model there with .to(device)")
    return importlib.import_module(_MODULES[device_type])


def index_dtype(num_columns):
    """The smallest NumPy integer type that holds a column index below ``num_columns``."""
    return np.dtype("uint8" if num_columns <= 256 else "int16" if num_columns <= 32768 else "int32")


def cheaper_order(operator, num_rows, width, k):
    """``"aggregate"`` or ``"transform"``: which of ``(A S) W^T`` and ``A (S W^T)`` takes fewer operations.

    ``S [num_rows, width]`` has k entries a row and ``W`` is square. A multiplication that adds to a scattered
    position counts `SCATTERED` times one that runs along a row.
    """
    if isinstance(operator, Incidence):
        pins = len(operator.to_nets.indices)
        aggregate, aggregate_dense = pins * (SCATTERED * k + width), 2 * pins * width
    else:
        edges = len(operator.indices)
        aggregate, aggregate_dense = edges * SCATTERED * k, edges * width
    aggregate_first = aggregate + num_rows * width * width
    return "transform" if aggregate_dense + num_rows * k * width < aggregate_first else "aggregate"


def self_check(device_type="cpu", seed=0):
    """Compile the kernels of a device and compare each with `reference` on a small random graph.

    Returns a list of ``(kernel, agrees, detail)``, the detail being the largest absolute difference.
    """
    from gsrgnn.kernels import reference

    kernels = on(device_type) if device_type == "cpu" else _OnArrays(on(device_type), device_type)
    rng = np.random.default_rng(seed)
    num_nodes, width, k = 40, 24, 5
    counts = rng.integers(0, 7, num_nodes)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    adjacency = Adjacency(indptr, rng.integers(0, num_nodes, indptr[-1]).astype(np.int32),
                          *(rng.random(n).astype(np.float32) for n in (indptr[-1], num_nodes, num_nodes)))
    x, grad = rng.standard_normal((2, num_nodes, width)).astype(np.float32)
    gain, bias = rng.standard_normal((2, width)).astype(np.float32)
    values = np.empty((num_nodes, k), np.float32)
    indices = np.empty((num_nodes, k), index_dtype(width))
    out = np.empty_like(x)
    report = []

    def compare(name, *pairs):
        difference = max(float(np.abs(got - want).max()) for got, want in pairs)
        report.append((name, difference < 1e-4, f"largest difference {difference:.1e}"))

    kernels.group_sparse(x, values, indices)
    want_values, want_indices = reference.group_sparse(x, k)
    compare("group_sparse", (values, want_values), (indices.astype(int), want_indices))
    kernels.aggregate(adjacency, values, indices, out)
    compare("aggregate", (out, reference.aggregate(adjacency, values, indices, width)))
    dvalues = np.empty_like(values)
    kernels.aggregate_backward(adjacency, grad, indices, dvalues)
    compare("aggregate_backward", (dvalues, reference.aggregate_backward(adjacency, grad, indices)))
    kernels.aggregate_dense(adjacency, x, out)
    compare("aggregate_dense", (out, reference.aggregate_dense(adjacency, x)))

    pins = rng.poisson(0.2, (num_nodes, 15)).astype(np.float32)
    diagonal, out_scale, in_scale = rng.random((3, num_nodes)).astype(np.float32)
    matrix = out_scale[:, None] * (pins @ pins.T) * in_scale + np.diag(diagonal)
    ones = np.ones(pins.shape[1], np.float32)
    incidence = Incidence(Adjacency(*_csr(pins.T), ones, in_scale), Adjacency(*_csr(pins), out_scale, ones), diagonal)
    nets = np.empty((pins.shape[1], width), np.float32)
    kernels.aggregate(incidence, values, indices, out, nets)
    compare("aggregate through nets", (out, matrix @ reference.scatter(values, indices, width)))
    kernels.aggregate_backward(incidence, grad, indices, dvalues, nets)
    compare("aggregate_backward through nets", (dvalues, reference.gather(matrix @ grad, indices)))
    kernels.aggregate_dense(incidence, x, out, nets)
    compare("aggregate_dense through nets", (out, matrix @ x))

    kernels.gather(x, indices, dvalues)
    compare("gather", (dvalues, reference.gather(x, indices)))
    out[:] = 0
    kernels.scatter_add(values, indices, out)
    compare("scatter_add", (out, reference.scatter(values, indices, width)))
    matrix = rng.standard_normal((width, 7)).astype(np.float32)
    products = np.empty((num_nodes, 7), np.float32)
    kernels.product(values, indices, matrix, products)
    compare("product", (products, reference.product(values, indices, matrix)))
    dmatrix = np.empty((kernels.BLOCKS, width, 7), np.float32)
    kernels.product_backward(values, indices, matrix, products, dvalues, dmatrix)
    want = reference.product_backward(values, indices, matrix, products)
    compare("product_backward", (dvalues, want[0]), (dmatrix.sum(0), want[1]))
    scale = 2.0**20
    before = reference.to_fixed(grad, scale)
    kernels.group_sparse_fixed(before, scale, values, indices)
    want_values, want_indices = reference.group_sparse(before / np.float32(scale), k)
    compare("group_sparse_fixed", (values, want_values), (indices.astype(int), want_indices))
    fixed = np.empty_like(before)
    kernels.scatter_fixed(values, indices, scale, fixed)
    compare("scatter_fixed", (fixed / scale, reference.scatter(values, indices, width)))
    fixed = before.copy()
    kernels.add_layer_norm(x, bias, gain, bias, 1e-5, scale, fixed)
    compare("add_layer_norm", ((fixed - before) / scale, reference.layer_norm(x + bias, gain, bias, 1e-5)))
    sums = np.empty((3, kernels.BLOCKS, width), np.float32)
    dz = x.copy()
    kernels.undo_layer_norm(dz, bias, gain, bias, 1e-5, scale, fixed, grad, *sums)
    dz_want, dgain, dshift = reference.layer_norm_backward(x + bias, gain, 1e-5, grad)
    compare("undo_layer_norm", (dz, dz_want), *zip(sums.sum(axis=1), (dz_want.sum(0), dgain, dshift), strict=True))
    report.append(("undo_layer_norm is exact", bool((fixed == before).all()), "to the last bit"))
    return report


class _OnArrays:
    """A device's kernels for NumPy arrays, which are copied there and back at every call."""

    def __init__(self, kernels, device):
        self.kernels, self.device, self.BLOCKS = kernels, device, kernels.BLOCKS

    def __getattr__(self, name):
        def call(*arguments):
            arrays, spec = tree_flatten(arguments)
            there = [torch.from_numpy(a).to(self.device) if isinstance(a, np.ndarray) else a for a in arrays]
            result = getattr(self.kernels, name)(*tree_unflatten(there, spec))
            for array, tensor in zip(arrays, there, strict=True):
                if isinstance(array, np.ndarray):
                    array[...] = tensor.cpu().numpy()
            return result
        return call


def _csr(matrix):
    rows, columns = np.nonzero(matrix)
    indptr = np.searchsorted(rows, np.arange(len(matrix) + 1))
    return indptr, columns.astype(np.int32), matrix[rows, columns]
