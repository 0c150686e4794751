import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gsrgnn.book.walkthrough.layer_steps import algorithm2, backward, forward

PAPER_A = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0]])


def by_autograd(A, X, k, residual, reading, dY):
    """The same layer written for autograd, with dense products and masks instead of CBSR."""

    def gs(x):
        order = torch.argsort(-x, dim=1, stable=True)[:, :k].sort(dim=1).values
        return x.gather(1, order), order

    def block(values, indices):
        if reading == "neighbour":
            return A @ torch.zeros_like(X1).scatter(1, indices, values)
        return torch.zeros_like(X1).scatter(1, indices, A @ values)

    A, dY = torch.tensor(A, dtype=torch.float64), torch.tensor(dY)
    X = torch.tensor(X, requires_grad=True)
    X1, X2 = X.chunk(2, dim=1)
    s2 = gs(X2)
    Y1 = X1 + block(*s2)
    R2 = torch.zeros_like(X2).scatter(1, s2[1], s2[0]) if residual == "sparse" else X2
    Y = torch.cat([Y1, R2 + block(*gs(Y1))], dim=1)
    Y.backward(dY)
    return Y.detach().numpy(), X.grad.numpy()


@pytest.mark.parametrize("reading", ["neighbour", "own"])
@pytest.mark.parametrize("residual", ["sparse", "dense"])
@given(
    seed=st.integers(0, 2**32), nodes=st.integers(1, 6), half=st.integers(1, 4), symmetric=st.booleans(), data=st.data()
)
def test_the_layer_and_its_gradient_are_autograds(residual, reading, seed, nodes, half, symmetric, data):
    k = data.draw(st.integers(1, half))
    random = np.random.default_rng(seed)
    A = random.integers(-1, 3, (nodes, nodes)) * random.choice([1.0, 0.3])
    A = A + A.T if symmetric else A
    X, dY = random.normal(size=(2, nodes, 2 * half))
    Y, dX = by_autograd(A, X, k, residual, reading, dY)
    trace = forward(A, X, k, residual, reading)
    back = backward(A, trace, dY)
    np.testing.assert_allclose(trace["Y"], Y, atol=1e-12)
    np.testing.assert_allclose(back["dX"], dX, atol=1e-12)
    for name in ("X1", "V1", "M2", "R2", "V2", "M1"):
        np.testing.assert_allclose(back[name], trace[name], atol=1e-12)


def test_the_readings_are_one_operator_when_gs_keeps_every_column():
    X = np.random.default_rng(0).normal(size=(4, 4))
    np.testing.assert_allclose(*(forward(PAPER_A, X, 2, "sparse", reading)["Y"] for reading in ("neighbour", "own")))
    one, other = (forward(PAPER_A, X, 1, "sparse", reading)["Y"] for reading in ("neighbour", "own"))
    assert not np.allclose(one, other)


def test_section_4_3():
    X = [
        [0.37, 0.76, 0.45, 0.17],
        [0.38, 0.31, 0.21, 0.40],
        [0.86, 0.50, 0.73, 0.07],
        [0.14, 0.02, 0.15, 0.49],
    ]  # .86, .50: ours
    own = forward(PAPER_A, X, 1, "sparse", "own")
    assert [step.number for step in own] == list(range(1, 9))
    np.testing.assert_allclose(own["V2"].ravel(), [0.45, 0.40, 0.73, 0.49])
    np.testing.assert_array_equal(own["I2"].ravel(), [0, 1, 0, 1])
    np.testing.assert_allclose(own["M1"], [[1.18, 0], [0, 0.89], [0.94, 0], [0, 1.13]])
    np.testing.assert_allclose(own["V1"].ravel()[[0, 1, 3]], [1.55, 1.20, 1.15])
    np.testing.assert_allclose(own["Y2"][:2], [[3.80, 0], [0, 2.75]])
    neighbour = forward(PAPER_A, X, 1, "sparse", "neighbour")
    np.testing.assert_allclose(neighbour["M1"], [[1.18, 0], [0, 0.89], [0.45, 0.49], [0.73, 0.40]])


def test_section_4_4():
    row3 = [0.91, -0.13, 0.45, -0.76]  # -.13 and -.76 are ours
    G = [[0.37, -0.82, 0.15, -0.53], [-0.21, 0.68, -0.94, 0.07], row3, [-0.62, 0.29, -0.08, 0.83]]
    trace = algorithm2(PAPER_A, G, 1, "own", group2="left")
    np.testing.assert_allclose(trace["V2"].ravel(), [0.37, 0.68, 0.91, 0.29])
    np.testing.assert_allclose(trace["Z2"], [[1.28, 0], [0, 0.97], [0.66, 0], [0, 1.59]])
    np.testing.assert_allclose(trace["M1"][[0, 1, 3]], [[-1.13, -0.53], [-0.94, -0.90], [-0.08, -0.76]])
    np.testing.assert_allclose(trace["V1"].ravel(), [-0.53, -0.90, -0.21, -0.08])
    np.testing.assert_allclose(trace["Z1"], [[0, -0.74], [0, -0.98], [-0.61, 0], [-1.11, 0]])
    np.testing.assert_allclose(trace["G1_next"], [[0, -0.74], [0, -0.98], [-0.61, 0], [-1.11, 0]])
    np.testing.assert_allclose(trace["G2_next"], [[1.89, 0], [0, 1.95], [0.66, 0], [0, 3.18]])
    np.testing.assert_array_equal(trace["G_next"], np.hstack([trace["G2_next"], trace["G1_next"]]))


def test_a_tie_that_rounding_turns_is_said():
    for group1, said in ((0.5, True), (0, False)):
        trace = forward([[1]], [[group1, 0, 0.1, 0.1]], 1, "dense")
        back = backward([[1]], trace, np.ones((1, 4)))
        assert trace["I2"].tolist() == [[0]]
        assert back["I2"].tolist() == [[int(said)]]
        assert ("Rounding" in back.steps[6].sentence) == said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.zeros((4, 3))}, r"X has shape \[4, 3\]"),
        ({"A": np.zeros((4, 3))}, r"A has shape \[4, 3\] and X 4 rows"),
        ({"X": np.full((4, 4), np.nan)}, "finite"),
        ({"k": 3}, "k is 3 and a group has 2 columns"),
        ({"residual": "none"}, "residual 'none'"),
        ({"reading": "both"}, "reading 'both'"),
    ],
)
def test_wrong_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        forward(**{"A": PAPER_A, "X": np.zeros((4, 4)), "k": 1, **change})


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"dY has shape \[4, 2\]"):
        backward(PAPER_A, forward(PAPER_A, np.zeros((4, 4)), 1), np.zeros((4, 2)))
