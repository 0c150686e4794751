import copy

import pytest

from gsrgnn.lab.bench.floor import floors
from gsrgnn.lab.bench.report import best_peer, report, table


def test_the_table_is_arithmetic_on_the_record(record):
    record = copy.deepcopy(record)
    for row, step in zip(record["rows"], (8.0, 4.0, 2.0, 2.5, 3.0, 0.5, 0.25, 1.0), strict=True):
        row["seconds"] = {"forward": 0.1, "backward": 0.2, "step": step}
    least = sum(floors(record)["GSR k=4 nets"].values())
    record["speeds"] = {kind: speed * least / 0.125 for kind, speed in record["speeds"].items()}
    record["rows"][6]["memory"]["4"] = {"before": 10 * 10**6, "peak": 25 * 10**6}
    shown = table(record)
    assert best_peer(record)["name"] == "FusedRevGNN csr"
    assert list(shown["RevGNN edge_index / this"]) == [1, 2, 4, 3.2, 8 / 3, 16, 32, 8]
    assert shown.loc["GSR k=4 nets", "best peer / this"] == 8
    assert shown.loc["GSR k=4 nets", "this / floor"] == pytest.approx(2)
    assert shown["this / floor"].isna().tolist() == [not row["ours"] for row in record["rows"]]
    assert shown.loc["GSR k=4 nets", "growth MB, 4 layers"] == 15
    assert shown.loc["GSR k=4 nets", "step ms"] == 250
    text = report(record)
    for part in ("best peer  FusedRevGNN csr, 2,000.0 ms", "synthetic/64: 64 cells", "GSR k=4 nets 125.0"):
        assert part in text
