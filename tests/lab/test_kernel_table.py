import pytest
import torch

from gsrgnn import CircuitGraph, aggregate, circuits
from gsrgnn.baselines import csr_matrix
from gsrgnn.kernels.gpu import gpu_missing
from gsrgnn.lab import kernel_table, records

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


@pytest.mark.gpu
@pytest.mark.skipif(gpu_missing() is not None, reason=str(gpu_missing()))
def test_a_small_run_on_a_gpu(tmp_path):
    record = kernel_table.run(
        circuits_=("synthetic/2000",), widths=(64,), ks=(8,), repeats=3, output=tmp_path / "record.json"
    )
    shown = kernel_table.table(record)
    assert shown.ms.gt(0).all()
    assert shown.loc[shown["bound ms"].notna(), "over bound"].gt(0.5).all()
