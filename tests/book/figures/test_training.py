import numpy as np
import pandas as pd
from sample_figures import GUESS, HISTORY, MEASURES, SOURCE, TRUE, drawn

from gsrgnn.book import figures


def test_a_measure_has_a_figure_and_a_model_a_curve_in_it():
    for figure, measure in zip(drawn("training.curves"), MEASURES, strict=True):
        (axes,) = figure.axes
        courses = [list(line.get_ydata()) for line in axes.lines if len(line.get_xdata())]
        assert courses == [list(HISTORY[HISTORY["model"] == model][measure]) for model in "ab"]
        assert axes.get_ylabel() == MEASURES[measure]


def test_splits_differ_by_their_lines_and_models_by_their_colours():
    history = pd.concat([HISTORY.assign(split=split) for split in ("train", "test")])
    axes = figures.training.curves(history, {"loss": "loss"}, SOURCE)[0].axes[0]
    curves = [line for line in axes.lines if len(line.get_xdata())]
    assert len(curves) == 4
    assert len({line.get_color() for line in curves}) == 2
    assert len({str(line._unscaled_dash_pattern) for line in curves}) == 2


def test_a_scatter_counts_every_cell():
    first, second = drawn("training.prediction_scatter")
    for figure, guess in ((first, GUESS), (second, TRUE)):
        bins = figure.axes[0].collections[0]
        assert bins.get_array().sum() == len(TRUE)
        (diagonal,) = figure.axes[0].lines
        ends = np.r_[TRUE, GUESS].min(), np.r_[TRUE, GUESS].max()
        assert tuple(diagonal.get_xdata()) == tuple(diagonal.get_ydata()) == ends
        assert figure.axes[0].get_title() == ("a" if guess is GUESS else "b")
