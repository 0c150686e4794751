import math

import pytest
import torch

from gsrgnn.lab import limits
from gsrgnn.lab.limits import H200, Bound

N, E, D = 69_800, 22_500_000, 192


def test_the_largest_of_the_four_binds():
    bound = Bound(hbm=1.0, l2=3.0, shared=2.0, issue=0.5)
    assert (bound.seconds, bound.by) == (3.0, "l2")


@pytest.mark.parametrize(("size", "touched"), [(4, 1), (32, 1), (48, 2), (64, 2), (5, 1.125), (768, 24)])
def test_sectors(size, touched):
    places = [start * size for start in range(32)]
    counted = [(place + size - 1) // 32 - place // 32 + 1 for place in places]
    assert limits.sectors(size) == sum(counted) / len(counted) == touched


def test_sampled_sectors():
    assert limits.sampled_sectors(192, 1) == pytest.approx(1)
    assert limits.sampled_sectors(192, 192) == 24
    assert 10 < limits.sampled_sectors(192, 16) < 16


@pytest.mark.parametrize(("k", "index", "touched"), [(4, 1, 1), (6, 1, 1), (8, 1, 2), (5, 2, 1), (32, 1, 5)])
def test_a_row_that_fits_a_sector_costs_one(k, index, touched):
    assert limits.kept_sectors(k, index) == touched
    pytest.importorskip("numba_cuda", reason="numba-cuda is not installed: pip install 'gsrgnn[cuda]'")
    from gsrgnn.kernels.cuda import sum_kept

    assert (limits.kept_sectors(k, index) == 1) == sum_kept.fits_sector(
        torch.empty(1, k), torch.empty(1, k, dtype={1: torch.uint8, 2: torch.int16}[index])
    )


def test_atomics_save_sectors_where_k_is_large():
    gather, scatter = (
        [bound(H200, N, E, D, k).l2 for k in (4, 64)]
        for bound in (limits.aggregate_backward, limits.aggregate_backward_atomic)
    )
    assert scatter[0] < gather[0]
    assert scatter[1] < gather[1] / 2


def test_conflicts():
    assert limits.conflicts(192, 1) >= 1
    assert limits.conflicts(32, 32) == 1  # every column, every bank once
    assert 2.5 < limits.conflicts(192, 32) < 3.8


def test_hbm_by_hand():
    assert limits.top_k(H200, N, D, 32).hbm == pytest.approx((N * (4 * D + 5 * 32)) / 4.8e12)
    assert limits.aggregate(H200, N, E, D, 8).hbm == pytest.approx((8 * E + 5 * N * 8 + 4 * N * D) / 4.8e12)
    assert limits.add_layer_norm(H200, N, D).hbm == pytest.approx(12 * N * D / 4.8e12)


def test_more_work_takes_longer_and_a_faster_chip_less():
    for bound in (
        lambda k: limits.aggregate(H200, N, E, D, k),
        lambda k: limits.aggregate_backward(H200, N, E, D, k),
        lambda k: limits.top_k(H200, N, D, k),
    ):
        seconds = [bound(k).seconds for k in (4, 8, 16, 32, 64)]
        assert seconds == sorted(seconds)
        assert all(math.isfinite(value) and value > 0 for value in seconds)
    fast = limits.Ceilings(*(2 * getattr(H200, name) for name in ("hbm", "l2", "shared", "issue", "l2_size")), "twice")
    assert limits.aggregate(fast, N, E, D, 8).seconds == pytest.approx(limits.aggregate(H200, N, E, D, 8).seconds / 2)
    assert limits.aggregate_dense(H200, N, E, D, 2).seconds < limits.aggregate_dense(H200, N, E, D).seconds
