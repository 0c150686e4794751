from sample_figures import GROWTH, axes_of

from gsrgnn.book import figures


def lines_and_points(axes):
    """Columns of numbers: of the lines, then of the points; what stands in the legend alone has none."""
    with_numbers = [line for line in axes.lines if len(line.get_xdata())]
    lines = [list(line.get_ydata()) for line in with_numbers if line.get_linestyle() != "None"]
    points = [list(line.get_ydata()) for line in with_numbers if line.get_linestyle() == "None"]
    return lines, points


def test_points_are_what_was_measured_and_lines_what_was_predicted():
    measured = GROWTH[["sparse"]]
    axes = figures.growth.by_depth(measured, "MB", 2 * measured).axes[0]
    assert lines_and_points(axes) == ([[2, 4, 8]], [[1, 2, 4]])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["sparse"]


def test_points_are_joined_where_nothing_was_predicted():
    axes = figures.growth.by_size(GROWTH[["sparse"]], "nodes", "MB").axes[0]
    assert lines_and_points(axes) == ([[1, 2, 4]], [[1, 2, 4]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("nodes", "MB")


def test_depths_are_whole_numbers():
    assert axes_of("growth.by_depth").xaxis.get_major_formatter()(1000) == "1,000"
