from gsrgnn.lab import measure
from gsrgnn.lab.bench.contenders import rows
from gsrgnn.lab.bench.floor import floor


def test_the_floor_counts_the_products_and_the_streams(monkeypatch):
    shapes = []
    monkeypatch.setattr(measure, "product_seconds", lambda *shape, device: shapes.append(shape) or 0.5)
    monkeypatch.setattr(measure, "copy_speed", lambda *size, device: 1000.0)
    least = floor(nodes=100, features=7, hidden=16, layers=3, pins=50)
    model = rows(16, [4], "GSR k=4 nets")[0].make(7, 16, 3)
    parameters = sum(p.numel() for p in model.parameters())
    assert shapes == [(100, 8, 8), (8, 100, 8), (100, 7, 16), (7, 100, 16)]
    assert least["products_seconds"] == 0.5 * (3 * 8 + 2)
    assert least["multiplications"] == 3 * 8 * 100 * 8 * 8 + 2 * 100 * 7 * 16
    assert least["streamed_bytes"] == 4 * (3 * 6 * 100 * 16 + 7 * parameters + 100 * 7 + 2 * 50)
    assert least["seconds"] == least["products_seconds"] + least["streamed_bytes"] / 1000
