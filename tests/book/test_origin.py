from sample_record import RECORD

from gsrgnn.book import origin


def source(what, machine="Z80, 2 cores", dates=("2026-01-02",), codes=("a",), stale=0):
    return origin.Source(what, machine, dates, codes, stale)


def test_each_machine_has_one_sentence_with_counts_dates_code_and_what_is_stale():
    found = [
        source("the experiment depth", dates=("2026-01-03", "2026-01-01"), codes=("a", "b"), stale=1),
        source("the experiment speed"),
        source("the experiment speed", "H100", stale=1),
    ]
    first, second = origin.sentences(found)
    assert first.startswith("2 records of the experiment depth, 1 of the experiment speed: measured on Z80, 2 cores, ")
    assert "2026-01-01 to 2026-01-03, by 2 versions of the code; 1 is stale: what it depends on" in first
    assert second.startswith("1 record of the experiment speed: measured on H100, 2026-01-02, by code a; it is stale")


def test_what_is_not_stale_not_known_or_not_there_is_said():
    assert "and nothing that they depend on has changed" in origin.sentences([source("x")])[0]
    assert origin.sentences([source("x", stale=None)]) == [
        "1 record of x: measured on Z80, 2 cores, 2026-01-02, by code a."
    ]
    assert origin.sentences(origin.of_files("gsrgnn bench", [])) == ["There is no record of gsrgnn bench yet."]


def test_records_of_files_come_machine_by_machine():
    other = {"provenance": RECORD["provenance"] | {"GPU": "H100"}}
    found = origin.of_files("x", [RECORD, other, RECORD])
    assert [(each.machine, len(each.dates)) for each in found] == [("Z80, 2 cores", 2), ("H100", 1)]


def test_a_notebook_hands_over_what_the_page_says(monkeypatch):
    shown = []
    monkeypatch.setattr(origin, "display", lambda data, raw: shown.append(data))
    origin.hand_over([source("x")], "the counts")
    assert shown[0][origin.MIME]["computed"] == "the counts"
    assert len(shown[0][origin.MIME]["records"]) == 1
