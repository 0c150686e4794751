from gsrgnn.provenance import code_hash, provenance


def test_the_code_hash_follows_contents_and_names_and_no_caches(tmp_path):
    (tmp_path / "a.py").write_text("1")
    first = code_hash(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("compiled")
    assert code_hash(tmp_path) == first
    (tmp_path / "a.py").write_text("2")
    changed = code_hash(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({first, changed, code_hash(tmp_path)}) == 3


def test_provenance_is_words_for_every_question():
    made = provenance()
    assert all(isinstance(value, str) and value for value in made.values())
    assert made["code hash"] == code_hash()
    assert made["CPU"] != "none"
