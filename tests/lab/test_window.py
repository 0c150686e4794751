import time
from contextlib import suppress

import pytest

from gsrgnn.lab.window import ENDLESS, Closed, Task, Window, in_words, plan, programme

TASKS = [Task("a", 240), Task("b", 400), Task("c", 200), Task("d", 900), Task("e", 90)]


def test_a_plan_takes_the_next_that_fits_and_says_what_never_does():
    windows, too_long = plan(TASKS, 9)
    assert [[task.words for task in window] for window in windows] == [["a", "c", "e"], ["b"]]
    assert [task.words for task in too_long] == ["d"]
    assert plan([Task("a", 500), Task("a", 500)], 10) == ([[Task("a", 500)], [Task("a", 500)]], [])
    assert plan([Task("a", 540)], 9, first=1) == ([], [Task("a", 540)])
    assert plan([], 9) == ([], [])
    with pytest.raises(ValueError, match="--minutes -1"):
        plan(TASKS, -1)


def test_a_programme_adds_up():
    lines = programme(TASKS, 9, first=30).splitlines()
    assert [line.split() for line in lines[1:6]] == [
        ["1", "4:00", "4:30", "a"],
        ["1", "3:20", "7:50", "c"],
        ["2", "6:40", "15:00", "b"],
        ["2", "1:30", "16:30", "e"],
        ["none", "15:00", "d"],
    ]
    assert lines[6] == "in all 16:30 min in 2 windows of 9 min, of each 30 s for its start"
    assert lines[7].startswith("too long for any: 1")


def test_a_window_has_room_until_it_closes(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    window = Window(9)
    window.need(540, "all of it")
    now[0] += 500
    assert window.left == 40
    with pytest.raises(Closed, match="the times would take about 2 min, and 40 s are left"):
        window.need(120, "the times")
    with pytest.raises(Closed, match="about 10 min, more than a window of 9 min has, and 40 s are left"):
        window.need(600, "the times")
    now[0] += 500
    assert window.left == 0
    ENDLESS.need(1e9, "anything")
    assert in_words(7200) == "2 h 00 min"


def test_what_is_under_way_is_ended_when_the_window_closes():
    def contender():
        with suppress(Exception):
            time.sleep(30)

    with pytest.raises(Closed, match="is over"), Window(1e-3).closing():
        contender()
    with Window(1e-3).closing():
        pass
    time.sleep(0.1)  # no alarm is left behind
    for longer in (ENDLESS, Window(1e8), Window(1e300)):
        with longer.closing():
            pass
