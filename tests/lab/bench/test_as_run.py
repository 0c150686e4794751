from gsrgnn import circuits
from gsrgnn.lab.bench.as_run import as_run
from gsrgnn.lab.bench.contenders import rows
from gsrgnn.lab.bench.trainer import graphs_of


def test_a_step_an_epoch_and_a_loop():
    data = circuits.load("synthetic/300", label="rudy")
    inputs = {"x": data.x, "y": data.y, "cell": data.cell, "net": data.net}
    (row,) = rows(16, [4], "GSR k=4 nets")
    found = as_run(row, data, inputs, graphs_of(inputs), 16, 2, 3)
    names = ["the bench's step", "an epoch of train", "a loop of one's own, freed memory kept", "a loop of one's own"]
    assert [entry["name"] for entry in found] == names
    assert all(entry["row"] == row.name and entry["seconds"] > 0 and entry["page_faults"] >= 0 for entry in found)
