import numpy as np
from sample_figures import axes_of, drawn


def test_degree_distribution_is_the_share_at_or_above():
    line = axes_of("graphs.degree_distribution").lines[0]
    assert dict(zip(line.get_xdata(), line.get_ydata(), strict=True)) == {1: 0.8, 2: 0.4, 9: 0.2}


def test_net_size_distribution_is_the_share_at_or_above():
    line = axes_of("graphs.net_size_distribution").lines[0]
    assert dict(zip(line.get_xdata(), line.get_ydata(), strict=True)) == {2: 1.0, 3: 0.5, 9: 0.25}


def test_net_size_shares_sum_to_one():
    nets, edges = axes_of("graphs.net_size_shares").lines
    assert list(nets.get_xdata()) == [2, 3, 9]
    np.testing.assert_allclose(nets.get_ydata(), [0.5, 0.75, 1])
    np.testing.assert_allclose(edges.get_ydata(), np.array([4, 10, 82]) / 82)


def test_every_graph_is_named_once():
    (figure,) = drawn("graphs.sizes")
    assert [text.get_text() for text in figure.axes[0].texts] == ["1-R\n2-F", "3-R"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Table 1", "synthetic"]
