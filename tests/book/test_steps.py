import pandas as pd
import pytest

from gsrgnn.book import figures, steps
from gsrgnn.lab.bench.trainer import PHASES

MB = 1_000_000


def row(contender, depth, **values):
    return {
        "contender": contender,
        "ours": contender.startswith("GSR"),
        "num_layers": depth,
        "device": "cpu",
        "note": "",
    } | values


def on_cpu():
    return pd.DataFrame(
        [
            row("RevGNN edge_index", 10, memory_before=5 * MB, memory_peak=905 * MB),
            row("RevGNN edge_index", 100, memory_note="out of memory: not enough memory"),
            row("GSR k=4 nets", 10, memory_before=5 * MB, memory_peak=95 * MB),
            row("GSR k=4 nets", 10, memory_before=5 * MB, memory_peak=105 * MB),
            row(
                "GSR k=4 nets", 100, memory_note="a step of 100 layers would take about 200 s, over the limit of 120 s"
            ),
        ]
    )


def on_gpu():
    peaks = {f"memory_{name}": number * MB for number, name in enumerate(steps.ON_GPU, 1)}
    return pd.DataFrame(
        [
            row("RevGNN csr", 10, device="cuda", memory_before=MB, memory_peak=MB, **peaks),
            row("RevGNN csr", 40, device="cuda", memory_note="out of memory: CUDA out of memory"),
        ]
    )


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_memory_is_what_is_added_on_a_cpu_and_every_peak_on_a_gpu():
    memory = steps.memory(on_cpu())
    assert list(memory["value"].dropna()) == [900, 90, 100]
    assert list(memory["outcome"]) == ["measured", "out of memory", "measured", "measured", "left out"]
    memory = steps.memory(on_gpu())
    assert list(zip(memory["quantity"], memory["value"], strict=True))[:4] == list(
        zip(steps.ON_GPU, [1, 2, 3, 4], strict=True)
    )
    assert set(memory["outcome"][4:]) == {"out of memory"}
    assert list(steps.memory(on_cpu()[::-1])["num_layers"]) == [100, 10, 10, 100, 10]


def test_a_repeated_point_has_its_values_in_one_cell_and_a_lost_one_its_reason():
    memory = steps.memory(on_cpu())
    shown = steps.table(memory, ["contender"], lambda line: steps.megabytes(line["value"]), "MB").data
    assert list(shown.columns) == ["10 layers", "100 layers"]
    assert shown.to_numpy().tolist() == [["900", "out of memory"], ["90.0; 100", "left out"]]
    shown = steps.table(steps.memory(on_gpu()), ["contender", "quantity"], lambda line: "x", "MB").data
    assert list(shown.index) == [f"RevGNN csr, {name}" for name in steps.ON_GPU]


def test_the_figure_has_every_point_an_x_without_memory_and_the_paper_s_values():
    figure = figures.contenders.by_depth(
        steps.memory(on_cpu()), "MB", "simulated", [(100, 17910, "paper: reserved")], [(50, "paper: at best")]
    )
    (axes,) = figure.axes
    assert [len(container.lines[0].get_xdata()) for container in axes.containers] == [1, 2]
    crosses = [line for line in axes.lines if line.get_marker() == "X"]
    assert [line.get_xdata()[0] for line in crosses] == [100]
    assert texts(axes) == ["paper: reserved", "RevGNN edge_index"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "RevGNN edge_index",
        "GSR k=4 nets",
        "paper: at best",
    ]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["100", "10"]
    assert figure.get_supxlabel() == "label: simulated"


def test_the_figure_draws_where_nothing_was_measured():
    lost = steps.memory(on_gpu())
    figure = figures.contenders.by_depth(lost[lost["num_layers"] == 40], "MB", "simulated")
    assert "RevGNN csr" in texts(figure.axes[0])


def test_a_bound_has_an_arrow_and_a_time_its_bar():
    lines = steps.memory(on_cpu()).assign(bound=lambda rows: rows["contender"] == "GSR k=4 nets")
    (axes,) = figures.contenders.by_depth(lines, "ratio", "simulated").axes
    assert [container.has_yerr for container in axes.containers] == [False, False, True]
    seconds = {
        f"{phase}_{part}": value for phase in PHASES for part, value in (("seconds", 2.0), ("low", 1.5), ("high", 4.0))
    }
    times = steps.times(pd.DataFrame([row("RevGNN csr", 1, **seconds), row("RevGNN nets", 1, note="out of memory")]))
    assert list(times["outcome"]) == ["measured"] * 3 + ["out of memory"] * 3
    (axes,) = figures.contenders.by_depth(times[times["phase"] == "step"], "s", "simulated").axes
    (segment,) = axes.containers[0].lines[2][0].get_segments()
    assert segment[:, 1].tolist() == [1.5, 4.0]


def test_what_is_derived(tmp_path):
    assert steps.message_megabytes(1_000_000, 64) == 128
    assert steps.layer_megabytes("RevGNN nets", 1000, 64) == pytest.approx(16 * 4288 / 1e6)
    assert steps.layer_megabytes("GSR dense k=4 nets", 1000, 64) == pytest.approx(16 * 2240 / 1e6)
    assert steps.layer_megabytes("GSR k=4 nets", 1000, 64) == pytest.approx((16 * 2240 + 1000 * 4 * 5) / 1e6)
    assert steps.size("synthetic/356-R") == (49_000, 11_700_000)
    assert steps.size("synthetic/300") is None
    (tmp_path / "circuits.json").symlink_to("circuits.json")
    with pytest.warns(UserWarning, match="circuits.json cannot be read"):
        assert steps.size("synthetic/300", tmp_path / "circuits.json") is None
