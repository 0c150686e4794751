import pytest
from sample_figures import RECORD, axes_of


def test_bars_are_the_steps_and_ours_are_filled():
    axes = axes_of("bench.steps")
    assert [bar.get_x() + bar.get_width() for bar in axes.patches] == pytest.approx([0.5, 0.02])
    assert [bar.get_facecolor()[3] for bar in axes.patches] == [0, 1]
    assert [label.get_text() for label in axes.get_yticklabels()] == [row["name"] for row in RECORD["rows"]]
    (floor,) = axes.collections
    assert floor.get_segments()[0][:, 0] == pytest.approx(0.01)
    assert {"500 ms", "20 ms", "left out"} == {text.get_text() for text in axes.texts}


def test_memory_is_what_the_step_added():
    axes = axes_of("bench.memory")
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_marker() != "None"]
    assert points == [(2, 0), (10, 0), (1, 1)]
    assert [text.get_text() for text in axes.texts] == ["left out"]
