import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gsrgnn.circuits.congestion import box_mean, rudy

GRID = (6, 9)


@st.composite
def pins(draw):
    count = draw(st.integers(1, 30))
    net = draw(arrays(np.int64, count, elements=st.integers(0, 8)))
    column = draw(arrays(np.int64, count, elements=st.integers(0, GRID[0] - 1)))
    row = draw(arrays(np.int64, count, elements=st.integers(0, GRID[1] - 1)))
    return net, np.stack([column, row], axis=1)


@given(pins())
def test_rudy_is_the_demand_added_up_net_by_net(drawn):
    net, gcell = drawn
    expected = np.zeros(GRID)
    for one in np.unique(net):
        at = gcell[net == one]
        if len(at) > 1:
            (left, bottom), (right, top) = at.min(axis=0), at.max(axis=0)
            w, h = right - left + 1, top - bottom + 1
            for column in range(left, right + 1):
                for row in range(bottom, top + 1):
                    expected[column, row] += (w + h) / (w * h)
    np.testing.assert_allclose(rudy(net, gcell, GRID), expected, atol=1e-12)


@given(arrays(float, GRID, elements=st.floats(0, 100)), pins(), pins())
def test_box_mean_is_the_mean_over_each_box(values, one, other):
    count = min(len(one[1]), len(other[1]))
    corners = np.stack([one[1][:count], other[1][:count]])
    box = np.hstack([corners.min(axis=0), corners.max(axis=0)])
    expected = [values[left : right + 1, bottom : top + 1].mean() for left, bottom, right, top in box]
    np.testing.assert_allclose(box_mean(values, box), expected, atol=1e-9)
