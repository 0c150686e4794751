"""Whether this process was forked: the threads of the one that it came from did not come along.

OpenMP, whose threads Numba and PyTorch may share, waits for them for ever where any of the two had started them. So in
a forked process the kernels do without threads, and PyTorch gets one.
"""

import os

import torch

forked = False


def _mark():
    global forked
    forked = True
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_mark)
