import numpy as np
from sample_figures import SOURCE, axes_of, drawn

from gsrgnn.book import figures


def test_congestion_map_lies_as_the_die_does_and_shows_its_macros():
    axes = axes_of("die.congestion_map")
    np.testing.assert_array_equal(axes.images[0].get_array(), [[0, 0, 0, 2], [0.5, 0, 0, 0]])
    assert axes.images[0].get_extent() == [0, 4, 0, 2]
    assert axes.images[0].get_clim() == (0, 2)
    (macro,) = axes.patches
    assert (macro.get_xy(), macro.get_width(), macro.get_height()) == ((2, 0), 2, 2)


def test_agreement_has_a_line_for_each_design_the_first_on_top():
    axes = axes_of("die.agreement")
    assert [text.get_text() for text in axes.get_yticklabels()] == ["r2g/one", "r2g/two"]
    assert axes.get_yticks().tolist() == [1, 0]
    overflow, wires = axes.lines
    np.testing.assert_array_equal(overflow.get_xdata(), [0.4, np.nan])
    np.testing.assert_array_equal(wires.get_xdata(), [0.8, -0.1])
    assert axes.get_xlim()[0] < -0.1


def test_wires_are_drawn_between_gcell_centres_and_counted_above_capacity():
    axes = axes_of("die.routes")
    lines = {(*line.get_xdata(), *line.get_ydata()): line.get_linestyle() for line in axes.lines}
    assert lines == {(0.5, 1.5, 0.5, 0.5): "-", (1.5, 2.5, 0.5, 0.5): "--", (2.5, 2.5, 0.5, 1.5): "-"}
    assert [text.get_text() for text in axes.texts] == ["A", "B", "2"]


def test_a_map_of_the_cells_means_each_gcell_and_leaves_others_open():
    figure = figures.die.cell_map([[0.5, 0.5], [0.2, 0.9], [2.5, 1.5]], (3, 2), [1.0, 3.0, 5.0], SOURCE)
    shown = figure.axes[0].images[0].get_array().filled(np.nan)
    np.testing.assert_array_equal(shown, [[2, np.nan, np.nan], [np.nan, np.nan, 5]])


def test_the_comparison_shares_one_scale():
    true, guess, difference = (figure.axes[0].images[0] for figure in drawn("die.comparison"))
    assert true.get_clim() == guess.get_clim()
    assert difference.get_clim()[0] == -difference.get_clim()[1]


def test_a_prediction_lies_beside_the_truth_in_one_scale_or_alone():
    (figure,) = drawn("die.prediction")
    predicted, true, bar = figure.axes
    assert [axes.get_title() for axes in (predicted, true)] == ["predicted", "true"]
    shown = predicted.images[0].get_array().filled(np.nan)
    np.testing.assert_array_equal(shown, [[0.1, 0, 0, 1.5], [0.4, np.nan, 0, 0.2]])
    assert predicted.images[0].get_clim() == true.images[0].get_clim()
    assert predicted.images[0].get_extent() == [0, 4, 0, 2]
    assert bar.get_xlabel() == "label"
    alone = figures.die.prediction(np.full((4, 2), 3.0), SOURCE, title="GSR-GNN")
    assert [axes.get_title() for axes in alone.axes] == ["GSR-GNN", ""]
