import re
from pathlib import Path

import pytest

from gsrgnn import circuits
from gsrgnn.lab import programme
from gsrgnn.lab.sweep import FIRST
from gsrgnn.lab.window import plan

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(circuits, "available", lambda: [])  # or the paper's own circuits, where they are found
        return programme.parts(ROOT, tmp_path_factory.mktemp("no-records"))


def test_the_whole_fits_into_28_minutes_in_windows_of_9(parts):
    windows, too_long = plan([task for part in parts for task in part.tasks], 9, FIRST)
    assert too_long == []
    assert sum(FIRST + sum(task.seconds for task in window) for window in windows) <= 28 * 60
    assert parts[0].seconds <= 240


def test_it_is_in_the_order_of_worth(parts):
    assert [part.command.split()[-1] for part in parts] == ["gpu", "speed", "profile", "--kernels", "gpu"]
    assert [task.words.split("_")[0] for task in parts[1].tasks] == ["speed synthetic-356-R", "speed synthetic-5324-F"]
    assert "_100-" in parts[2].tasks[0].words


def test_contributing_has_its_commands_with_their_minutes(parts):
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("## A GPU for minutes at a time")[2]
    rows = re.findall(r"^\| (\d+) \| `\.venv/bin/(.*?)(?: --minutes 9)?` \|", text, re.MULTILINE)
    assert rows == [(str(round(part.seconds / 60)), part.command) for part in parts]
