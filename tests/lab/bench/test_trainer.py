from gsrgnn.lab import measure
from gsrgnn.lab.bench import trainer


def test_kept_bytes_are_counted_in_the_allocators_mode_of_their_row(run, tmp_path, monkeypatch):
    modes, counted = [], {}
    monkeypatch.setattr(trainer, "LARGE", 1000)
    monkeypatch.setattr(measure, "keep_freed_memory", modes.append)
    monkeypatch.setattr(measure, "kept_bytes", lambda make, apart: counted.setdefault(len(counted), modes[-1]) and 0)
    monkeypatch.setattr(measure, "peak_memory", lambda *given: measure.Peak(10, 30))
    run(tmp_path, only="RevGNN edge_index,GSR k=4 nets", gradient_layers=())
    assert list(counted.values()) == [False, True]
