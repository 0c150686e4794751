from gsrgnn.book.origin import MIME
from gsrgnn.book.site import mark

MADE = [
    ["duration", "3 s"],
    ["date", "2026-11-29 10:00:00+00:00"],
    ["CPU", "Z80"],
    ["cores", "2, 1 usable"],
    ["GPU", "none"],
]


def notebook(*said):
    outputs = [{"data": {MIME: each}} for each in said] + [{"name": "stdout", "text": "x"}]
    cells = [{"cell_type": "markdown"}, {"cell_type": "code", "outputs": outputs}]
    return {"metadata": {"gsrgnn": {"made": MADE}}, "cells": cells}


def test_a_chapter_that_reads_no_record_was_computed_when_the_book_was_built():
    box = mark.mark(notebook())
    assert box["classes"] == ["gsr-mark", mark.COMPUTED]
    assert box.astext() == "Computed when this book was built: 2026-11-29, in 3 s, on Z80, 2 cores."


def test_a_chapter_of_records_says_of_which():
    box = mark.mark(notebook({"records": ["3 records of x.", "There is no record of y yet."], "computed": ""}))
    assert mark.RECORDS in box["classes"]
    assert "3 records of x." in box.astext()
    assert "There is no record of y yet." in box.astext()
    assert "Z80" not in box.astext()


def test_a_chapter_that_does_both_says_what_is_which():
    box = mark.mark(notebook({"records": ["3 records of x."], "computed": "the counts"}))
    assert mark.BOTH in box["classes"]
    assert "on Z80, 2 cores: the counts." in box.astext()
    assert "3 records of x." in box.astext()


def test_a_gpu_is_named_in_place_of_the_cores():
    made = notebook()
    made["metadata"]["gsrgnn"]["made"] = [*MADE[:-1], ["GPU", "H100 (driver 1)"]]
    assert "on H100 (driver 1)." in mark.mark(made).astext()
