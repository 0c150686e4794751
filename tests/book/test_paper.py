import shutil

import pytest

from gsrgnn.book import paper


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_values_are_numbers_by_id_with_what_they_are_of():
    line = paper.reported().loc["fig1_rev80"]
    assert dict(line) == {
        "where": "figure 1 text",
        "quantity": "Pearson",
        "value": 0.4277,
        "unit": "",
        "conditions": "RevGNN 80 layers",
    }


def test_table_2_has_the_printed_digits():
    table = paper.table2()
    assert list(table.index) == [4, 8, 16, 32, 64]
    assert table.loc[16, "forward"] == "0.40"
    assert table["total"].astype(float).tolist() == [1.52, 1.54, 1.64, 2.09, 3.07]


def test_errata_are_the_package_s_own_or_those_of_a_file():
    own = paper.errata()
    assert own["4.1-values"]["printed"] == [0.86]
    shutil.copy(paper.ERRATA, "other.yml")
    assert paper.errata("other.yml") == own
