"""The kernels of a device against `reference` on a small random graph, as ``gsrgnn doctor`` runs them."""

import numpy as np
import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from gsrgnn.kernels import index_dtype, on, reference
from gsrgnn.kernels.adjacency import Adjacency, Incidence
from gsrgnn.kernels.fixed_point import Scale


def self_check(device_type: str = "cpu", seed: int = 0) -> list[tuple[str, bool, str]]:
    """Compile the kernels of a device and compare each with `reference` on a small random graph.

    Returns a list of ``(kernel, agrees, detail)``, the detail being the largest absolute difference.
    """
    kernels = on(device_type) if device_type == "cpu" else _OnArrays(on(device_type), device_type)
    rng = np.random.default_rng(seed)
    num_nodes, width, k = 40, 24, 5
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
    dvalues = np.empty_like(values)
    for route, (graph, matrix) in _graphs(rng, num_nodes).items():
        prepared = kernels.prepare(graph)
        nets = np.empty((len(graph.to_nets.out_scale) if isinstance(graph, Incidence) else 0, width), np.float32)
        kernels.aggregate(prepared, values, indices, out, nets)
        compare(f"aggregate {route}", (out, matrix @ reference.scatter(values, indices, width)))
        kernels.aggregate_backward(prepared, grad, indices, dvalues, nets)
        compare(f"aggregate_backward {route}", (dvalues, reference.gather(matrix @ grad, indices)))
        kernels.aggregate_dense(prepared, x, out, nets)
        compare(f"aggregate_dense {route}", (out, matrix @ x))
    want = reference.scatter(values + reference.gather(x, indices), indices, width)
    dvalues[:], out[:] = values, x
    kernels.scatter_over(dvalues, indices, out)
    compare("scatter_over", (out, want))
    out[:] = 0
    kernels.scatter_add(values, indices, out)
    compare("scatter_add", (out, reference.scatter(values, indices, width)))
    mask = reference.dropout_mask(seed=2**62 + 5, num_rows=num_nodes, num_columns=3 + width, p=0.4)[:, 3:]
    kernels.dropout(values, indices, 3, np.array([2**62 + 5]), 0.4, dvalues)
    compare("dropout", (dvalues, values * reference.gather(mask, indices)))
    matrix = rng.standard_normal((width, 7)).astype(np.float32)
    products = np.empty((num_nodes, 7), np.float32)
    kernels.product(values, indices, matrix, products)
    compare("product", (products, reference.product(values, indices, matrix)))
    dmatrix = np.empty((kernels.BLOCKS, width, 7), np.float32)
    kernels.product_backward(values, indices, matrix, products, dvalues, dmatrix)
    dvalues_want, dmatrix_want = reference.product_backward(values, indices, matrix, products)
    compare("product_backward", (dvalues, dvalues_want), (dmatrix.sum(0), dmatrix_want))
    row, column = np.empty(num_nodes, np.float32), np.empty(width, np.float32)
    kernels.magnitudes(x, row, column)
    compare("magnitudes", (row, np.abs(x).max(1)), (column, np.abs(x).max(0)))
    sizes = num_nodes, width, width
    scale = Scale(*(np.exp2(rng.integers(15, 20, size), dtype=np.float32) for size in sizes))
    steps = np.minimum(np.maximum(scale.row[:, None], scale.column), scale.reach)
    before = np.empty((num_nodes, width), np.int32)
    kernels.to_fixed(grad, 0, scale, before)
    compare("to_fixed", (before, reference.to_fixed(grad, steps)))
    kernels.from_fixed(before, scale, 0, out)
    compare("from_fixed", (out, before / steps))
    kernels.group_sparse_fixed(before, scale, values, indices)
    want_values, want_indices = reference.group_sparse(before / steps, k)
    compare("group_sparse_fixed", (values, want_values), (indices.astype(int), want_indices))
    fixed = np.empty_like(before)
    kernels.scatter_fixed(values, indices, scale, fixed)
    compare("scatter_fixed", (fixed / steps, reference.scatter(values, indices, width)))
    fixed = before.copy()
    kernels.add_layer_norm(x, bias, gain, bias, 1e-5, scale, fixed)
    compare("add_layer_norm", ((fixed - before) / steps, reference.layer_norm(x + bias, gain, bias, 1e-5)))
    sums = np.empty((3, kernels.BLOCKS, width), np.float32)
    dz = x.copy()
    kernels.undo_layer_norm(dz, bias, gain, bias, 1e-5, scale, fixed, grad, *sums)
    dz_want, dgain, dshift = reference.layer_norm_backward(x + bias, gain, 1e-5, grad)
    compare("undo_layer_norm", (dz, dz_want), *zip(sums.sum(axis=1), (dz_want.sum(0), dgain, dshift), strict=True))
    report.append(("undo_layer_norm is exact", bool((fixed == before).all()), "to the last bit"))
    return report


def _graphs(rng: np.random.Generator, num_nodes: int) -> dict[str, tuple[Adjacency | Incidence, np.ndarray]]:
    """Small graphs of each form that a kernel takes, with their dense matrices."""
    out_scale, in_scale = rng.random((2, num_nodes)).astype(np.float32)
    pins = rng.poisson(0.2, (num_nodes, 15)).astype(np.float32)
    few = rng.poisson(0.1, (num_nodes, num_nodes)).astype(np.float32)

    def scaled(matrix):
        return Adjacency(*_csr(matrix), out_scale, in_scale), out_scale[:, None] * matrix * in_scale

    ones = np.ones(pins.shape[1], np.float32)
    nets = Incidence(Adjacency(*_csr(pins.T), ones, in_scale), Adjacency(*_csr(pins), out_scale, ones), scaled(few)[0])
    return {
        "over edges": scaled(few),
        "over shared neighbours": scaled(pins @ pins.T),
        "through nets": (nets, scaled(pins @ pins.T + few)[1]),
    }


class _OnArrays:
    """A device's kernels for NumPy arrays, which are copied there and back at every call."""

    def __init__(self, kernels, device):
        self.kernels, self.device, self.BLOCKS = kernels, device, kernels.BLOCKS

    def prepare(self, graph):
        return graph

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


def _csr(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = np.nonzero(matrix)
    indptr = np.searchsorted(rows, np.arange(len(matrix) + 1))
    return indptr, columns.astype(np.int32), matrix[rows, columns]
