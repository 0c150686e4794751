"""Sweeps over a stub of a notebook: nothing finished is lost or run again, whatever ends a sweep."""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from gsrgnn.cli import app
from gsrgnn.lab import ends, experiments, records, sweep
from gsrgnn.lab.experiments import Experiment, Point
from gsrgnn.lab.window import Window
from gsrgnn.provenance import PACKAGE

STUB = """\
# %% [markdown]
# # A stub

# %% tags=["parameters"]
number = 0
act = ""
size = 1

# %%
import os
from IPython.display import display

with open("started", "a") as log:
    log.write(f"{number}\\n")
exec(act)

# %%
display({"application/vnd.gsrgnn.rows+json": {
    "rows": [{"square": number**2}], "made": {"label source": "none", "threads": "1"}}}, raw=True)
"""


def size(parameters):
    """What a stub is expected to take beside its start, in seconds."""
    return parameters.get("size", 1)


def grid(count, **options):
    """A profile: the stub `count` times."""
    given = {name: [value] for name, value in options.items()}
    return lambda: iter([("stub", {"number": list(range(count)), **given})])


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "experiments").mkdir(parents=True)
    (tmp_path / "notebooks" / "experiments" / "stub.py").write_text(STUB)
    monkeypatch.setitem(experiments.EXPERIMENTS, "stub", Experiment("stub", "nothing", "none", False, size))
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path, monkeypatch)


class Project:
    def __init__(self, root, monkeypatch):
        self.root, self.monkeypatch = root, monkeypatch
        self.places = sweep.Places(root, root / "results")

    def plan(self, *points):
        """The profile `tiny`: a point for each dict."""
        blocks = [("stub", {name: [value] for name, value in given.items()}) for given in points]
        self.monkeypatch.setitem(experiments.SWEEPS, "tiny", lambda: iter(blocks))

    def __call__(self, **options):
        said = []
        try:
            return {
                s.point.parameters["number"]: s
                for s in sweep.run("tiny", self.root, say=said.append, **{"timeout": 60} | options)
            }
        finally:
            self.said = said

    def survey(self):
        return [s.state for s in sweep.survey(experiments.points("tiny"), self.places)]

    def started(self):
        path = self.root / "started"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def finished(self):
        return {path.name: path.read_bytes() for path in (self.root / "results" / "stub").glob("*.json")}

    def edit(self, old, new):
        source = self.places.source(Point("stub", {}))
        assert old in source.read_text()
        source.write_text(source.read_text().replace(old, new))


def test_every_point_is_run_once_and_has_a_record(project):
    project.plan({"number": 1}, {"number": 2, "size": 3})
    assert project.survey() == ["to do", "to do"]
    assert [s.state for s in project().values()] == ["done", "done"]
    assert ["running" in words for words in project.said] == [True, False] * 2
    found, wrong = records.read_all(project.root / "results")
    assert wrong == []
    assert [record["rows"] for record in found] == [[{"square": 1}], [{"square": 4}]]
    assert [record["parameters"] for record in found] == [{"number": 1}, {"number": 2, "size": 3}]
    assert [record["defaults"] for record in found] == [{"act": "", "size": 1}, {"act": ""}]
    kept = project.finished()
    project()
    assert project.said == ["2 of 2 points are finished already"]
    assert project.finished() == kept
    assert project.started() == [1, 2]


def test_prose_reruns_nothing_and_code_makes_stale(project):
    project.plan({"number": 1}, {"number": 2})
    project()
    project.edit("# A stub", "# The stub")
    assert project.survey() == ["done", "done"]
    project.edit("number**2", "number**3")
    kept = project.finished()
    assert project.survey() == ["stale", "stale"]
    project(keep_stale=True)
    assert project.finished() == kept
    assert project.started() == [1, 2]
    listing = sweep.listing(sweep.survey(experiments.points("tiny"), project.places))
    assert "(the notebook's code changed since)" in listing
    assert "2 points: 2 stale; about " in listing
    project.plan({"number": 1}, {"number": 2}, {"number": 3})
    project()
    assert project.started() == [1, 2, 3, 1, 2]  # what has no record comes first
    assert project.survey() == ["done"] * 3


def package_of_modules(folder):
    files = {
        "__init__": "",
        "training": "import gsrgnn.kernels",
        "figures": "1",
        "kernels/__init__": "import gsrgnn.kernels.cuda.top_k",
        "kernels/cuda/__init__": "",
        "kernels/cuda/top_k": "1",
    }
    for name, code in files.items():
        path = folder / "gsrgnn" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    return folder / "gsrgnn"


def test_code_of_the_package_that_a_notebook_reaches_counts(project, tmp_path):
    package = package_of_modules(tmp_path)
    project.edit("import os", "import os\nfrom gsrgnn.training import train")
    source = project.places.source(Point("stub", {}))
    before = sweep.key(source, False, package)
    (package / "figures.py").write_text("2")
    assert sweep.key(source, False, package) == before
    (package / "kernels" / "__init__.py").write_text("import gsrgnn.kernels.cuda.top_k  # 2")
    after = sweep.key(source, False, package)
    assert after["notebook"] == before["notebook"]
    assert after["package"] != before["package"]


def test_the_cuda_kernels_count_for_a_point_on_a_gpu_alone(project, tmp_path):
    package = package_of_modules(tmp_path)
    project.edit("import os", "import os\nfrom gsrgnn.training import train")
    source = project.places.source(Point("stub", {}))
    before = [sweep.key(source, on_gpu, package) for on_gpu in (False, True)]
    (package / "kernels" / "cuda" / "top_k.py").write_text("2")
    after = [sweep.key(source, on_gpu, package) for on_gpu in (False, True)]
    assert before[0] == after[0]
    assert before[1] != after[1]
    real = PACKAGE.parent / "notebooks" / "experiments" / "speed.py"
    assert sweep.key(real, False)["package"] != sweep.key(real, True)["package"]
    assert [Point("depth", {"device": device}).on_gpu for device in ("cpu", "cuda")] == [False, True]


def test_a_point_that_fails_is_named_kept_to_be_read_and_tried_again(project):
    project.plan(
        {"number": 1}, {"number": 2, "act": "if not os.path.exists('mended'): raise KeyError('lost')"}, {"number": 3}
    )
    ended = project()
    assert [s.state for s in ended.values()] == ["done", "failed", "done"]
    assert "KeyError: 'lost'" in ended[2].note
    failed = project.places.failed(ended[2].point)
    assert str(failed.relative_to(project.root)) in sweep.summary(list(ended.values()))
    assert "KeyError" in failed.read_text()
    assert project.survey() == ["done", "failed", "done"]
    (project.root / "mended").touch()
    assert [s.state for s in project().values()] == ["done"] * 3
    assert project.started() == [1, 2, 3, 2]
    assert not failed.exists()


def test_memory_that_runs_out_is_a_result(project):
    project.plan({"number": 1, "act": "raise MemoryError('4 GB')"}, {"number": 2})
    ended = project()
    assert [s.state for s in ended.values()] == ["out of memory", "done"]
    record = records.read(project.places.record(ended[1].point))
    assert record["rows"] == []
    assert record["note"] == ended[1].note != ""
    project()
    assert project.started() == [1, 2]
    assert set(records.frame(records.read_all("results")[0])["record state"]) == {"out of memory", "measured"}


def test_a_kernel_that_the_system_counts_as_killed_for_memory_is_a_result(project):
    project.monkeypatch.setattr(ends, "oom_kills", lambda: int((project.root / "counted").exists()))
    point = Point("stub", {"number": 1, "act": "open('counted', 'w'); os.kill(os.getpid(), 9)"})
    ended = sweep.run_point(point, project.places, 60)
    assert (ended.state, ended.note) == ("out of memory", "out of memory: the system killed the kernel for it")
    assert records.read(project.places.record(point))["rows"] == []


@pytest.mark.parametrize(
    ("act", "note"),
    [
        ("os.kill(os.getpid(), 9)", "the kernel died: killed by SIGKILL from outside"),
        ("os.kill(os.getppid(), 9)", "its process ended without an answer: killed by SIGKILL from outside"),
    ],
)
def test_a_process_that_is_killed_from_outside_has_failed(project, act, note):
    project.plan({"number": 1, "act": act})
    ended = project()[1]
    assert ended.state == "failed"
    assert note in ended.note
    assert project.finished() == {}


def test_folders_of_results_have_locks_of_their_own(project):
    project.monkeypatch.setitem(experiments.SWEEPS, "tiny", lambda: iter([]))
    for folder in ("a/b", "a-b", "a/b/../b"):
        project(folder=project.root / folder)
    assert len(list((project.root / "_build" / "sweeps").glob("*.lock"))) == 2


def test_what_cannot_be_replaced_by_a_record_is_named_before_anything_runs(project):
    project.plan({"number": 1})
    (point,) = experiments.points("tiny")
    project.places.record(point).mkdir(parents=True)
    assert project.survey() == ["damaged"]
    assert "Is a folder, and a file is to be written there" in project()[1].note
    assert project.started() == []


def test_a_notebook_that_publishes_nothing_or_nonsense_has_failed(project):
    project.plan({"number": 1})
    project.edit("number**2", "{}")
    assert "does not fit the schema at $.rows[0].square" in project()[1].note
    project.edit("}, raw=True)", "} and {'text/plain': ''}, raw=True)")
    assert "calls records.publish 0 times" in project()[1].note
    assert project.finished() == {}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full, which answers as a full disk does")
def test_a_full_disk_ends_the_sweep_and_the_next_call_goes_on(project):
    project.plan(*({"number": number} for number in range(3)))
    _, second, _ = experiments.points("tiny")
    path = project.places.record(second)
    path.parent.mkdir(parents=True)
    following = [path.with_name(f".{path.name}.{os.getpid() + more}.tmp") for more in range(1, 3000)]
    for temporary in following:  # one of which is the name at which the point's own process writes
        temporary.symlink_to("/dev/full")
    with pytest.raises(RuntimeError, match="No space left on device.*make room and call this again"):
        project()
    for temporary in following:
        temporary.unlink(missing_ok=True)
    assert project.survey() == ["done", "to do", "to do"]
    assert [s.state for s in project().values()] == ["done"] * 3
    assert project.started() == [0, 1, 2]  # the executed notebook of the second was kept


@pytest.mark.slow
def test_two_points_at_a_time_give_the_records_of_one_at_a_time(project):
    project.plan(*({"number": number} for number in range(4)))

    def measured():
        found, wrong = records.read_all(project.root / "results")
        assert wrong == []
        return [
            {name: record[name] for name in ("experiment", "parameters", "defaults", "key", "state", "rows")}
            for record in found
        ]

    project()
    serial = measured()
    for folder in ("results", "runs"):
        (project.root / folder).rename(project.root / f"serial-{folder}")
    project(jobs=2)
    running = [words.endswith("running") for words in (line.partition(";")[0] for line in project.said)]
    assert running[:2] == [True, True]
    assert measured() == serial
    assert len(serial) == 4


def test_what_measures_time_runs_alone(project):
    project.monkeypatch.setitem(experiments.EXPERIMENTS, "stub", Experiment("stub", "", "", True, size))
    project.plan({"number": 1}, {"number": 2})
    project(jobs=2)
    assert ["running" in words for words in project.said] == [True, False, True, False]


@pytest.mark.parametrize("times", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_a_sweep_killed_at_random_moments_loses_nothing_and_repeats_nothing(project, times):
    moments, longest, count, kills = random.Random(7), 2.5, times + 2, 0
    while kills < times or not project.finished():
        kills += 1
        before, started = project.finished(), len(project.started())
        running = in_a_process(project, count)
        running.join(moments.uniform(0, longest))
        if running.is_alive():
            below = [child.pid for child in psutil.Process(running.pid).children(recursive=True)]
            os.kill(running.pid, signal.SIGKILL)
            wait_until(lambda pids=below: not any(map(running_still, pids)))
        running.join()
        after = project.finished()
        assert before.items() <= after.items()
        finished = {json.loads(text)["parameters"]["number"] for text in before.values()}
        assert not finished & set(project.started()[started:])
        longest *= 1 if after else 2  # seconds: on a busy machine a point takes longer
        assert longest < 300
    project.monkeypatch.setitem(experiments.SWEEPS, "tiny", grid(count))
    before = project.finished()
    assert before
    assert {s.state for s in project().values()} == {"done"}
    assert before.items() <= project.finished().items()
    assert len(project.finished()) == count
    assert records.read_all("results")[1] == []


def test_ctrl_c_ends_the_point_and_its_kernel_and_the_next_call_goes_on(project):
    act = (
        "import subprocess, time; again = os.path.exists('again')\n"
        "below = subprocess.Popen(['sleep', '60'], start_new_session=True, stdout=-3)\n"
        "open('pid', 'w').write(f'{os.getpid()} {below.pid}'); time.sleep(60 * (not again))"
    )
    running = in_a_process(project, 2, act=act)
    pid = project.root / "pid"
    wait_until(lambda: pid.exists() and pid.read_text())
    os.kill(running.pid, signal.SIGINT)
    running.join(10)
    assert running.exitcode == 130
    wait_until(lambda: not any(running_still(int(each)) for each in pid.read_text().split()), seconds=5)
    assert project.finished() == {}
    (project.root / "again").touch()
    project.monkeypatch.setitem(experiments.SWEEPS, "tiny", grid(2, act=act))
    assert project.survey() == ["to do", "to do"]
    assert {s.state for s in project().values()} == {"done"}


@pytest.fixture
def quick(monkeypatch):
    """No start: a stub is expected to take its size in seconds."""
    monkeypatch.setattr(sweep, "STARTUP", 0.0)
    monkeypatch.setattr(sweep, "FIRST", 0.0)


def test_a_window_begins_what_fits_in_order_and_the_next_call_goes_on(project, quick):
    project.plan({"number": 1, "size": 900}, {"number": 2, "size": 5000}, {"number": 3, "size": 300})
    # what the first took says that a size of 1 is quick: then the second fits as well
    assert [s.state for s in project(minutes=20).values()] == ["done"] * 3
    assert project.started() == [1, 2, 3]


def test_what_is_too_long_for_a_window_is_said_and_not_begun(project, quick):
    project.plan({"number": 1, "size": 5000}, {"number": 2, "size": 30, "act": "raise ValueError('no')"})
    for _ in range(2):  # what failed is tried again, what is too long is not
        ended = project(minutes=20)
        assert [s.state for s in ended.values()] == ["to do", "failed"]
        assert ended[1].note == "about 83 min expected: too long for any window of 20 min".replace(
            "83 min", "1 h 23 min"
        )
        assert project.said[-1].startswith(
            "the window of 20 min has no room for what remains (1 points, about 1 h 23 min"
        )
    assert project.started() == [2, 2]


def test_a_window_ends_what_overruns_and_remembers_it(project, quick, monkeypatch):
    pid = project.root / "pid"

    class Closing(Window):
        """Closes when the point is under way."""

        left = property(lambda self: 0.0 if pid.exists() and pid.read_text() else 1.0)

    act = (
        "import subprocess, time; below = subprocess.Popen(['sleep', '60'], start_new_session=True, stdout=-3)\n"
        "open('pid', 'w').write(f'{os.getpid()} {below.pid}'); time.sleep(60 * (not os.path.exists('again')))"
    )
    project.plan({"number": 1, "act": act}, {"number": 2})
    with monkeypatch.context() as patch:
        patch.setattr(sweep, "Window", Closing)
        ended = project(minutes=20)
    assert [s.state for s in ended.values()] == ["not finished", "to do"]
    wait_until(lambda: not any(running_still(int(each)) for each in pid.read_text().split()), seconds=5)
    assert project.finished() == {}
    assert "not finished: stub 1" in sweep.summary(list(ended.values()))
    assert project.survey() == ["not finished", "to do"]
    project.edit("number**2", "number**3")
    assert project.survey() == ["to do", "to do"]  # it was other code that took too long
    project.edit("number**3", "number**2")
    monkeypatch.setattr(sweep, "LONGER", 1e4)
    again = project(minutes=20)
    assert [s.state for s in again.values()] == ["not finished", "done"]
    assert "too long for any window of 20 min" in again[1].note
    assert project.started() == [1, 2]
    (project.root / "again").touch()
    assert [s.state for s in project().values()] == ["done"] * 2
    assert list((project.root / "_build" / "failed").rglob("*.json")) == []


def test_a_window_is_longer_than_nothing(project):
    project.plan({"number": 1})
    with pytest.raises(ValueError, match="--minutes 0: a window is longer than 0 minutes"):
        project(minutes=0)


def in_a_process(project, count, **options):
    """A sweep of the stub, `count` times, in a process that has just begun it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gsrgnn.lab.sweep", "gsrgnn.cli"])
    begun = project.root / "begun"
    begun.unlink(missing_ok=True)
    process = context.Process(target=_sweep, args=(project.root, count, options, begun))
    process.start()
    wait_until(begun.exists)
    return process


def _sweep(root, count, options, begun):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sweep.START_METHOD = "fork"  # a server of its own would import everything anew, each time
    experiments.EXPERIMENTS["stub"] = Experiment("stub", "nothing", "none", False, size)
    experiments.SWEEPS["tiny"] = grid(count, **options)
    begun.touch()
    try:
        sweep.run("tiny", root, minutes=60, say=lambda words: None)
    except KeyboardInterrupt:
        os._exit(130)


def running_still(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE  # one that nobody asks after
    except psutil.NoSuchProcess:
        return False


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_second_sweep_on_the_same_folder_waits_and_says_so(project):
    project.plan({"number": 1})
    project()
    (lock,) = (project.root / "_build" / "sweeps").glob("*.lock")
    code = f"from filelock import FileLock; import time\nwith FileLock({str(lock)!r}): print(flush=True); time.sleep(1)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        project()
    assert project.said[0] == "waiting for another process that is making the same"


def test_a_damaged_record_is_named_and_made_anew(project):
    project.plan({"number": 1})
    (ended,) = project().values()
    path = project.places.record(ended.point)
    path.write_text(path.read_text().replace('"square": 1', '"square": 2'))
    (now,) = sweep.survey(experiments.points("tiny"), project.places)
    assert now.state == "damaged"
    assert "was changed after it was written" in now.note
    assert records.read_all("results") == (
        [],
        [f"results/stub/{path.name} was changed after it was written (its checksum does not fit)"],
    )
    assert project()[1].state == "done"


def test_a_parameter_that_the_notebook_lacks_is_found_before_anything_runs(project):
    project.plan({"number": 1}, {"numbr": 2})
    with pytest.raises(ValueError, match="stub.py has no parameter numbr: it has number, act, size"):
        project()
    assert project.started() == []
    project.plan({"number": 1}, {"number": "two"})
    with pytest.raises(ValueError, match="stub.py: number is 'two': it takes a whole number, as its default 0"):
        project()
    assert project.started() == []
    with pytest.raises(ValueError, match="--jobs 0"):
        project(jobs=0)


def test_without_a_gpu_its_points_are_refused_at_once(project):
    project.monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    project.plan({"number": 1}, {"number": 2, "device": "cuda"})
    project.edit("size = 1", "size = 1\ndevice = 'cpu'")
    with pytest.raises(ValueError, match="1 points of tiny run on a GPU and PyTorch finds none"):
        project()
    assert project.started() == []


def test_time_left_is_in_proportion_to_the_estimates_from_what_is_finished(project, monkeypatch):
    def point(number, size, circuit="a"):
        return Point("stub", {"number": number, "size": size, "circuit": circuit})

    done = sweep.Status(point(1, 2), "done", seconds=sweep.STARTUP + 20)
    assert sweep.time_left([done], [point(2, 8)]) == f"about {sweep.STARTUP + 80:.0f} s left"
    assert sweep.time_left([done], [point(2, 8)], {("stub", point(2, 8).name): 60}) == "about 24 s left"
    faster = sweep.Status(point(3, 2, "b"), "stale", seconds=sweep.STARTUP + 2)
    assert sweep.time_left([done, faster], [point(2, 8, "b")]) == "about 12 s left"
    other = Point("depth", {"num_layers": 2})
    monkeypatch.setitem(experiments.EXPERIMENTS, "depth", Experiment("depth", "", "", False, lambda given: 70))
    assert sweep.time_left([done], [other]) == f"about {sweep.STARTUP + 70:.0f} s left, 1 points by estimate"
    assert sweep.time_left([done], [other, point(2, 60)]).endswith(" min left, 1 points by estimate")
    lost = sweep.Status(point(4, 2), records.OUT_OF_MEMORY, seconds=sweep.STARTUP)
    assert sweep.time_left([done, lost], [point(2, 8)]) == f"about {sweep.STARTUP + 80:.0f} s left"
    assert sweep.time_left([done], [point(n, 200) for n in range(4)]) == "about 2 h 14 min left"


def test_the_command(project, monkeypatch):
    (project.root / "_toc.yml").touch()
    project.plan({"number": 1}, {"number": 2, "act": "raise ValueError('no')"})
    gsrgnn = lambda *arguments: CliRunner().invoke(app, arguments)  # noqa: E731
    listed = gsrgnn("sweep", "tiny", "--list")
    assert listed.exit_code == 0
    assert listed.stdout.splitlines()[-1] == "2 points: 2 to do; about 10 s left, 2 points by estimate"
    assert project.started() == []
    narrow = gsrgnn("sweep", "tiny", "--minutes", "0.5")
    assert narrow.exit_code == 0
    assert "too long for any window of 0.5 min" in narrow.stdout
    assert "the same command goes on" in narrow.stdout
    assert narrow.stdout.splitlines()[-1] == "2 points: 2 to do"
    planned = gsrgnn("sweep", "tiny", "--list", "--minutes", "0.6")
    assert planned.stdout.splitlines()[-1] == "in all 1:10 min in 2 windows of 0.6 min, of each 30 s for its start"
    assert project.started() == []
    ran = gsrgnn("sweep", "tiny")
    assert ran.exit_code == 1
    assert ran.stdout.splitlines()[-1] == "2 points: 1 done, 1 failed"
    assert "  the notebook up to there: _build/failed/stub/" in ran.stdout
    one = gsrgnn("run", "stub", "-p", "number=1", "--results", "results")
    assert one.stdout.splitlines()[0].endswith("finished already, skipped")
    assert gsrgnn("run", "stub", "-p", "numbr=1", "--results", "results").stderr.startswith(
        "error: stub.py has no parameter numbr: it has number, act, size"
    )
    assert gsrgnn("run", "stub", "--results", "results", "--force").stderr.startswith("error: --results goes without")
    assert gsrgnn("run", "stab", "--results", "results").stderr.endswith("has stub\n")
    assert gsrgnn("sweep", "tinny").stderr == (
        "error: no profile is called 'tinny': use one of smoke, cpu, deep, gpu, paper, tiny\n"
    )
    assert gsrgnn("sweep", "tiny", "--only", "stub", "--only", "depht").stderr.startswith(
        "error: no experiment is called 'depht': use one of depth, profile, quality"
    )

    def interrupted(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "run", interrupted)
    stopped = gsrgnn("sweep", "tiny")
    assert stopped.exit_code == 130
    assert stopped.stdout.splitlines()[-1] == "2 points: 1 done, 1 failed"


def test_smoke_leaves_nothing_among_the_results():
    assert sweep.results_folder("smoke", Path("here")) == Path("here/_build/smoke")
    assert sweep.results_folder("cpu", Path("here")) == Path("here/results")
