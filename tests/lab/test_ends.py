import os
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

from gsrgnn.lab import ends, execution


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended with exit code 0"),
        (3, "ended with exit code 3"),
        (-9, "killed by SIGKILL from outside"),
        (-15, "killed by SIGTERM from outside"),
        (-11, "crashed with SIGSEGV"),
        (-6, "crashed with SIGABRT"),
        (-40, "killed by signal 40 from outside"),
    ],
)
def test_an_end_in_words(code, words):
    assert ends.in_words(code) == words


def test_only_a_kill_that_the_system_counted_is_lack_of_memory(monkeypatch):
    monkeypatch.setattr(ends, "oom_kills", lambda: 5)
    assert ends.killed_for_memory(-9, 4)
    assert not ends.killed_for_memory(-9, 5)
    assert not ends.killed_for_memory(-11, 4)
    assert not ends.killed_for_memory(-9, None)
    monkeypatch.setattr(ends, "oom_kills", lambda: None)
    assert not ends.killed_for_memory(-9, 4)


@pytest.mark.parametrize(
    ("kind", "message", "memory"),
    [
        ("MemoryError", "", True),
        ("_ArrayMemoryError", "Unable to allocate", True),
        ("OutOfMemoryError", "CUDA", True),
        ("RuntimeError", "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried", True),
        ("ValueError", "OutOfMemoryError", False),
        ("RuntimeError", "not enough memory slots", False),
        ("ValueError", "can't allocate memory", False),
        ("SharedMemoryError", "", False),
    ],
)
def test_only_the_exceptions_of_memory_speak_of_it(kind, message, memory):
    assert ends.speaks_of_memory(kind, message) == memory


@pytest.mark.parametrize(
    ("group", "mount", "counter"),
    [
        ("0::/job/step", "30 1 0:1 / {at} rw - cgroup2 cgroup2 rw", "job/step/memory.events"),
        ("0::/docker/abc", "30 1 0:1 /docker/abc {at} rw - cgroup2 cgroup2 rw", "memory.events"),
        (
            "4:cpu,memory:/slurm/step_0\n0::/",
            "30 1 0:1 / {at} rw - cgroup cgroup rw,cpu,memory",
            "slurm/step_0/memory.oom_control",
        ),
        ("0::/", "30 1 0:1 / {at} rw - cgroup2 cgroup2 rw", None),
        ("4:memory:/../elsewhere", "30 1 0:1 /here {at} rw - cgroup cgroup rw,memory", None),
        ("nonsense", "nonsense", None),
    ],
)
def test_the_counter_is_our_cgroup_s_or_the_machine_s(tmp_path, group, mount, counter):
    proc, at = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(f"{group}\n")
    (proc / "self" / "mountinfo").write_text(f"{mount.format(at=at)}\n")
    (proc / "vmstat").write_text("oom_kill_not 3\noom_kill 7\n")
    if counter:
        (at / counter).parent.mkdir(parents=True)
        (at / counter).write_text("oom 9\noom_kill 2\n")
    first = next(path for path in ends._counters(proc) if ends._count(path) is not None)
    assert first == (at / counter if counter else proc / "vmstat")
    assert ends._count(first) == (2 if counter else 7)


def test_what_was_started_with_a_mark_ends_with_it_however_detached(tmp_path):
    mark, marked = ends.mark()
    detach = (
        "import os, sys, time\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n"
        "  open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)\n os._exit(0)\n"
    )
    pid = tmp_path / "pid"
    subprocess.run([sys.executable, "-S", "-c", detach, pid], env=os.environ | marked, check=True)
    other = subprocess.Popen(["sleep", "60"], env=os.environ | ends.mark()[1])
    nested = subprocess.Popen(["sleep", "60"], start_new_session=True, env={ends.MARK: f"{mark} another"})
    bare = subprocess.Popen(["sleep", "60"], start_new_session=True, env={})
    try:
        while not (pid.exists() and pid.read_text()):
            time.sleep(0.01)
        ends.end_marked(mark, bare.pid)
        with suppress(psutil.NoSuchProcess):  # or still there until its parent asks after it
            assert psutil.Process(int(pid.read_text())).status() == psutil.STATUS_ZOMBIE
        assert [nested.wait(5), bare.wait(5), other.poll()] == [-9, -9, None]
    finally:
        for process in (other, nested, bare):
            process.kill()
            process.wait()


def test_a_kernel_that_is_killed_for_memory_and_takes_its_time_to_end(monkeypatch):
    """The count has risen and the kernel is still there, freeing its memory."""
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr(execution.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(ends, "oom_kills", lambda: 4)
    run = execution._Run({})
    for _ in range(10):
        run.seen_alive(4)
    run.seen_alive(5)
    run.seen_alive(5)
    assert run.oom_kills == 4
    for _ in range(5):  # somebody else's, long ago
        run.seen_alive(5)
    assert run.oom_kills == 5
