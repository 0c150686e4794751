from gsrgnn.book.carried import CARRIED, lay_out


def test_records_are_laid_out_once_and_nothing_is_replaced(tmp_path):
    carried = tmp_path / "carried"
    (carried / "speed").mkdir(parents=True)
    (carried / "speed" / "a.json").write_text("{}")
    folder = tmp_path / "results"
    assert lay_out(folder, carried) == f"{folder}: 1 files of records, which came with gsrgnn"
    (folder / "speed" / "a.json").write_text("mine")
    assert lay_out(folder, carried) == f"{folder}: left as it is"
    assert (folder / "speed" / "a.json").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["carried", "results"]


def test_without_records_it_says_what_brings_them(tmp_path):
    assert lay_out(tmp_path / "results", tmp_path / "none").endswith(
        "no records came with this gsrgnn; the book's wheel brings them"
    )
    assert not (tmp_path / "results").exists()
    assert not CARRIED.exists()  # in a checkout they are where they are made
