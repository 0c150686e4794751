from gsrgnn.lab import measure
from gsrgnn.lab.bench.contenders import rows
from gsrgnn.lab.bench.floor import floor, floors, speeds

SIZES = {"nodes": 100, "features": 7, "hidden": 16, "layers": 3, "nets": 20, "entries": 500}


def test_the_floor_counts_products_sums_and_what_passes_through_memory():
    model = rows(16, [4], "GSR k=4 nets")[0].make(7, 16, 3)
    group, kept = 4 * 100 * 8, 100 * 4 * 5
    assert floor(**SIZES, k=4) == {
        "multiplications": {"products": 6 * 4 * 100 * 4 * 8, "encoder": 2 * 100 * 7 * 16, "sums": 6 * 3 * 500 * 8},
        "bytes": {
            "crossing": 6 * 6 * group,
            "nets": 6 * 6 * 4 * 20 * 8,
            "groups": 3 * 6 * group,
            "kept": 3 * 4 * kept,
            "ends": 7 * group + 2 * 4 * 100 * 7 + 4 * 500,
            "optimizer": 4 * 7 * sum(p.numel() for p in model.parameters()),
        },
    }


def test_what_k_the_residual_and_the_values_change():
    def terms(**options):
        counted = floor(**SIZES, **options)
        return counted["multiplications"] | counted["bytes"]

    def changed(one, other):
        return {name: other[name] / one[name] for name in one if one[name] != other[name]}

    assert changed(terms(k=4), terms(k=8)) == {"products": 2, "kept": 2}
    assert terms(k=8)["products"] == 8 * 3 * 100 * 8 * 8  # k = d: the dense products
    assert changed(terms(k=4), terms(k=4, values="bfloat16")) == {"kept": 3 / 5}
    assert changed(terms(k=4), terms(k=4, residual="dense")) == {
        "groups": 2,
        "kept": 0,
        "ends": 26800 / 30000,
    }


def test_the_speeds_are_the_best_measured(monkeypatch):
    taken = {(100, 8, 8): 0.5, (8, 100, 8): 0.25}
    monkeypatch.setattr(measure, "product_seconds", lambda *shape, device: taken[shape])
    monkeypatch.setattr(measure, "copy_speed", lambda size, device: 1000.0)
    assert speeds(100, 16) == {"multiplications": 100 * 8 * 8 / 0.25, "bytes": 1000.0}


def test_rows_of_gsr_gnn_have_floors(record):
    least = floors(record)
    assert list(least) == [row["name"] for row in record["rows"] if row["ours"]]
    assert least["GSR k=4 edges"] == least["GSR k=4 nets"]
    counted = floor(
        nodes=64,
        features=record["graph"]["features"],
        hidden=16,
        layers=2,
        k=4,
        nets=record["graph"]["summed_nets"],
        entries=record["graph"]["entries"],
        residual="dense",
    )
    assert least["GSR dense k=4 nets"]["crossing"] == counted["bytes"]["crossing"] / record["speeds"]["bytes"]
