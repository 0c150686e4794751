import errno
import gc
import os
from contextlib import contextmanager

# A thread that spins while it waits takes a core from those that compute: torch's and Numba's threads take turns.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest
import torch
from hypothesis import settings

# Kernels compile at their first call, and CI draws the same examples every time.
settings.register_profile("gsrgnn", deadline=None, derandomize=True)
settings.load_profile("gsrgnn")


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture
def full_disk(monkeypatch):
    """A block in which there is no room on the disk for what is written."""

    def no_room(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextmanager
    def full():
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", no_room)
            yield

    return full


def pytest_collection_finish():
    """What was imported is no garbage: a collection that a test asks for need not look through it."""
    gc.freeze()
