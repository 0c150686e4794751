import pytest
import torch

from gsrgnn import CircuitGraph, aggregate, circuits
from gsrgnn.baselines import csr_matrix
from gsrgnn.kernels.gpu import gpu_missing
from gsrgnn.lab import kernel_table, limits, records
from gsrgnn.lab.window import Closed, Window

RECORD = {
    "format": kernel_table.FORMAT,
    "complete": True,
    "rows": [
        {
            "circuit": "synthetic/20",
            "width": 128,
            "k": 4,
            "name": "top-k",
            "seconds": 3e-3,
            "bound": 2e-3,
            "by": "issue",
        },
        {"circuit": "synthetic/20", "width": 128, "k": 4, "name": "torch.topk", "note": "out of memory"},
    ],
}


@pytest.mark.skipif(gpu_missing() is None, reason="there is a GPU here")
def test_without_a_gpu_it_says_what_is_missing():
    with pytest.raises(ValueError, match=f"the kernel table needs a GPU: {gpu_missing()}"):
        kernel_table.run()


def test_the_table_of_a_record(tmp_path):
    records.write(RECORD, tmp_path / "record.json")
    shown = kernel_table.table(kernel_table.read(tmp_path / "record.json")).set_index("kernel")
    assert shown.loc["top-k", "over bound"] == pytest.approx(1.5)
    assert shown.loc["torch.topk", "note"] == "out of memory"


@pytest.mark.parametrize("text", ["{", "[]", '{"format": "another"}'])
def test_no_record(tmp_path, text):
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(ValueError, match=r"record\.json is n.*run gsrgnn bench --device cuda again"):
        kernel_table.read(tmp_path / "record.json")


def test_the_peer_computes_what_ours_does_and_nothing_of_what_was_there():
    graph, x = CircuitGraph.from_data(circuits.load("synthetic/64")), torch.randn(64, 16)
    out = torch.full_like(x, torch.nan)
    assert kernel_table.into(out, csr_matrix(graph), x) is out
    torch.testing.assert_close(out, aggregate(graph, x))


@pytest.mark.gpu
@pytest.mark.skipif(gpu_missing() is not None, reason=str(gpu_missing()))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_cusparse_replayed(dtype):
    graph = CircuitGraph.from_data(circuits.load("synthetic/2000")).to("cuda")
    x = torch.randn(2000, 64, device="cuda", dtype=dtype)
    out, matrix = torch.full_like(x, torch.nan), csr_matrix(graph).to(dtype)
    call = kernel_table.replayed(lambda: kernel_table.into(out, matrix, x))
    for _ in range(2):
        out.fill_(torch.nan)
        call()
        x_sum = aggregate(graph, x.float())
        torch.testing.assert_close(out.float(), x_sum, **({"rtol": 2e-2, "atol": 2e-2} if x.itemsize == 2 else {}))


def test_calls_with_a_window_time_each_part_once(tmp_path, monkeypatch):
    timed, said, room = [], [], [0]

    class Narrow(Window):
        def need(self, seconds, what):
            if not room[0]:
                raise Closed(f"{what} would take longer")
            room[0] -= 1

    class Graph:
        from_data = staticmethod(lambda data: Graph())
        to = lambda self, device: self  # noqa: E731

    def rows(graph, width, k, *given):
        timed.append((width, k))
        yield {"name": "top-k", "seconds": 1e-3 * k}

    monkeypatch.setattr(kernel_table, "gpu_missing", lambda: None)
    monkeypatch.setattr(kernel_table, "measured_ceilings", lambda: limits.H200)
    monkeypatch.setattr(kernel_table, "CircuitGraph", Graph)
    monkeypatch.setattr(kernel_table, "_rows", rows)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "a card")

    def call(parts):
        room[0] = parts
        given = {"circuits_": ["synthetic/20"], "widths": (64, 128), "ks": (8, 4), "output": tmp_path / "record.json"}
        return kernel_table.run(**given, window=Narrow(60), say=said.append)

    assert not call(3)["complete"]
    assert said[-1] == "synthetic/20, width 128, k = 8 would take longer: the same command goes on"
    timed.clear()
    whole = call(9)
    assert whole["complete"]
    assert timed == [(128, 8)]
    assert kernel_table.read(tmp_path / "record.json") == whole == call(0)
    assert [(row["width"], row["k"]) for row in whole["rows"]] == [(64, 4), (64, 8), (128, 4), (128, 8)]
    assert [len(call["measured"]) for call in whole["calls"]] == [3, 1]


@pytest.mark.gpu
@pytest.mark.skipif(gpu_missing() is not None, reason=str(gpu_missing()))
def test_a_small_run_on_a_gpu(tmp_path):
    record = kernel_table.run(
        circuits_=("synthetic/2000",), widths=(64,), ks=(8,), repeats=3, output=tmp_path / "record.json"
    )
    shown = kernel_table.table(record)
    assert shown.ms.gt(0).all()
    assert shown.loc[shown["bound ms"].notna(), "over bound"].gt(0.5).all()
