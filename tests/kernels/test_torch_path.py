"""The plain torch operators against the reference, and what the CUDA kernels leave to them."""

import numpy as np
import pytest
import torch

from gsrgnn import kernels
from gsrgnn.kernels import self_check, torch_path


def test_it_agrees_with_the_reference(monkeypatch):
    monkeypatch.setattr(self_check, "on", lambda device: self_check._OnArrays(torch_path, "cpu"))
    assert [check for check in self_check.self_check() if not check[1]] == []


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_it_names_the_first_row_that_is_not_finite(bad):
    x = torch.randn(6, 4)
    x[3, 1] = x[5, 0] = bad
    values, indices = torch.empty(6, 2), torch.empty(6, 2, dtype=torch.uint8)
    assert torch_path.group_sparse(x, values, indices) == 3
    flag = torch.tensor([2**31 - 1], dtype=torch.int32)
    assert torch_path.group_sparse(x, values, indices, bad=flag) == -1
    assert flag.item() == 3


def test_ties_go_to_the_lowest_column():
    values, indices = torch.empty(1, 2), torch.empty(1, 2, dtype=torch.uint8)
    torch_path.group_sparse(torch.tensor([[0.0, 1.0, 0.0, 0.0]]), values, indices)
    assert indices.tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("width", "k", "dtype", "why"),
    [
        (1024, 128, torch.float32, None),
        (1025, 4, torch.float32, "a width above 1024"),
        (192, 129, torch.float32, "a k above 128"),
        (192, 4, torch.float64, "float64"),
    ],
)
def test_what_no_cuda_kernel_serves(width, k, dtype, why, monkeypatch):
    pytest.importorskip("numba_cuda")
    from gsrgnn.kernels.cuda import operators

    x = torch.randn(3, width, dtype=dtype)
    values, indices = x.new_empty(3, k), torch.empty(3, k, dtype=getattr(torch, kernels.index_dtype(width).name))
    assert operators.refusal((x, values, indices)) == why
    if why:
        operators._warn.cache_clear()
        with pytest.warns(UserWarning, match=f"no CUDA kernel serves {why}"):
            operators.group_sparse(x, values, indices)
        assert torch.equal(values.sort(dim=1, descending=True).values, x.topk(k).values)
        monkeypatch.setenv("GSRGNN_STRICT", "1")
        with pytest.raises(ValueError, match="unset GSRGNN_STRICT"):
            operators.group_sparse(x, values, indices)
