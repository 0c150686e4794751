import pytest
import torch
from hypothesis import settings

# Kernels compile at their first call, and CI draws the same examples every time.
settings.register_profile("gsrgnn", deadline=None, derandomize=True)
settings.load_profile("gsrgnn")


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
