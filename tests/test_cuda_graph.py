"""What a capture leaves as it was; the capture itself needs a GPU (`kernels/test_cuda_gpu.py`)."""

import copy

import torch
from torch import nn

from gsrgnn.cuda_graph import _set_back, _state


def test_the_steps_before_a_capture_leave_a_new_and_a_resumed_training_as_it_was():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    optimizer = torch.optim.Adam(model.parameters())

    def step():
        optimizer.zero_grad()
        model(torch.randn(5, 3)).square().mean().backward()
        optimizer.step()

    for moments_before in (0, 3 * 4):  # of each parameter a count and two moments
        before = [(tensor, tensor.detach().clone()) for tensor in _state(model, optimizer)]
        state, moments = copy.deepcopy((model.state_dict(), optimizer.state_dict()["state"]))
        assert sum(map(len, moments.values())) == moments_before
        step()
        step()
        _set_back(_state(model, optimizer), before)
        assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
        for number, found in optimizer.state_dict()["state"].items():
            for name, value in found.items():
                assert torch.equal(value, moments[number][name] if moments else torch.zeros_like(value))
        step()
