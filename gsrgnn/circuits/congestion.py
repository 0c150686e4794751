"""Simulated congestion: routing demand estimated from the nets' bounding boxes."""

import numpy as np


def rudy(net, pin_gcell, grid):
    """RUDY, the rectangular uniform wire density of a placement: float64 [W, H], wire length per gcell.

    A net whose pins span w by h gcells (w, h >= 1) asks for (w + h) / (w h) in each gcell of that box; a
    net of one pin asks for nothing. net: int64 [P]; pin_gcell: int64 [P, 2], column and row; grid: (W, H).

    Source: Spindler and Johannes, "Fast and Accurate Routing Demand Estimation for Efficient
    Routability-driven Placement", DATE 2007, with wires one gcell wide and sides counted in gcells.
    """
    order = np.argsort(net, kind="stable")
    starts = np.flatnonzero(np.diff(net[order], prepend=-1))
    pins = np.diff(starts, append=len(net))
    low = np.minimum.reduceat(pin_gcell[order], starts)[pins > 1]
    high = np.maximum.reduceat(pin_gcell[order], starts)[pins > 1] + 1
    span = high - low
    demand = span.sum(axis=1) / span.prod(axis=1)
    corners = np.zeros((grid[0] + 1, grid[1] + 1))
    for x, y, sign in ((low, low, 1), (high, high, 1), (low, high, -1), (high, low, -1)):
        np.add.at(corners, (x[:, 0], y[:, 1]), sign * demand)
    return corners.cumsum(axis=0).cumsum(axis=1)[:-1, :-1].clip(min=0)


def box_mean(values, box):
    """float64 [N], the mean of `values` [W, H] over each box [N, 4] (left, bottom, right, top, inclusive)."""
    integral = np.pad(values, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    left, bottom, right, top = box.T + np.array([[0], [0], [1], [1]])
    total = integral[right, top] - integral[left, top] - integral[right, bottom] + integral[left, bottom]
    return total / ((right - left) * (top - bottom))
