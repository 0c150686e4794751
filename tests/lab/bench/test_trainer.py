import shutil

import pytest
import torch

from gsrgnn import baselines, circuits, memory
from gsrgnn.lab import measure
from gsrgnn.lab.bench import trainer
from gsrgnn.lab.bench.contenders import rows
from gsrgnn.lab.bench.report import table

WIDE = 1024  # weights of MB, which the allocator asks the system for: a small model fits into what compiling has freed


def test_kept_bytes_are_counted_in_the_allocators_mode_of_their_row(run, tmp_path, monkeypatch):
    modes, counted = [], {}
    monkeypatch.setattr(trainer, "LARGE", 1000)
    monkeypatch.setattr(memory, "keep_freed_memory", modes.append)
    monkeypatch.setattr(measure, "kept_bytes", lambda make, apart: counted.setdefault(len(counted), modes[-1]) and 0)
    monkeypatch.setattr(measure, "peak_memory", lambda *given: measure.Peak(10, 30))
    run(tmp_path, only="RevGNN edge_index,GSR k=4 nets", gradient_layers=())
    assert list(counted.values()) == [False, True]


@pytest.fixture
def compiles(monkeypatch):
    """Compiling without a C++ compiler: what is traced runs as it is."""
    compiled = baselines._compiled
    monkeypatch.setattr(baselines, "_compiled", lambda function, on_gpu: compiled(function, on_gpu, "eager"))
    yield
    torch._dynamo.reset()


def test_a_compiled_row_may_compile_in_its_first_step_alone(compiles):
    data = circuits.load("synthetic/64")
    inputs = {"x": data.x, "y": data.y, "cell": data.cell, "net": data.net}
    (row,) = rows(16, [4], "RevGNN compiled csr")
    its = trainer.Trainer(row, inputs, trainer.graphs_of(inputs), 16, 2)
    for _ in range(2):
        assert its.timed_step()["step"] > 0
    torch._dynamo.reset()
    with pytest.raises(RuntimeError, match="recompile"):
        its.timed_step()


def test_what_a_compiled_row_keeps_is_what_the_plain_one_does(compiles, run, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "peak_memory", lambda *given: measure.Peak(10, 30))
    record = run(tmp_path, only="RevGNN csr,RevGNN compiled csr", gradient_layers=())
    kept = table(record)["kept MB"]
    assert kept["RevGNN compiled csr"] == kept["RevGNN csr"] > 0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_the_compiled_row(run, tmp_path):
    (row,) = run(tmp_path, only="RevGNN compiled csr", hidden=WIDE, memory_layers=[2, 4], gradient_layers=())["rows"]
    assert row["state"] == "measured", row["note"]
    for layers, measured in row["memory"].items():
        weights = int(layers) * WIDE**2 * 4
        assert measured["peak"] - measured["before"] > 3 * weights  # with gradients and two moments, four times that


@pytest.mark.slow
def test_where_nothing_can_be_compiled_the_row_says_so_and_the_others_go_on(run, tmp_path, monkeypatch):
    from torch._inductor import config

    monkeypatch.setattr(config.cpp, "cxx", ("no-such-compiler",))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(measure, "peak_memory", lambda *given: measure.Peak(10, 30))
    compiled, other = run(tmp_path, only="RevGNN compiled csr,GSR k=4 nets", gradient_layers=())["rows"]
    assert compiled["state"] == "failed"
    assert "No working C++ compiler" in compiled["note"]
    assert len(compiled["note"]) < 200
    assert other["state"] == "measured"
