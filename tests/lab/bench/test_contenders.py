import pytest

from gsrgnn.lab.bench.contenders import rows


def test_every_row_of_the_full_table():
    names = [row.name for row in rows(384, [64, 4, 8, 16, 32, 192, 4])]
    assert len(names) == len(set(names)) == 18 + 1 + 3 + 4 + 10 + 4
    assert {
        "GCN nets",
        "GraphSAGE segment_csr",
        "RevGNN edges",
        "FusedRevGNN nets",
        "CheckpointSAGE each layer nets",
        "GSR k=64 edges",
        "GSR dense k=16 nets",
        "GSR bfloat16 k=16 nets",
    } <= set(names)
    assert [r.options["k"] for r in rows(32, [4, 8, 16], "GSR k*nets")] == [4, 8]
    assert [row.name for row in rows(32, [4], "*GNN csr, GSR k=4 n")] == [
        "RevGNN csr",
        "FusedRevGNN csr",
        "GSR k=4 nets",
    ]
    with pytest.raises(ValueError, match="no row matches 'GAT': there are GCN edge_index, "):
        rows(32, [4], "GAT")


def test_sqrt_checkpoints_follow_the_depth():
    row = next(row for row in rows(16, [4]) if row.name == "CheckpointSAGE sqrt(L) csr")
    assert [row.make(5, 16, layers).segment for layers in (1, 10, 100)] == [1, 3, 10]
