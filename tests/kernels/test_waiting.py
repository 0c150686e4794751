import os
import threading

import pytest

from gsrgnn.kernels.cpu import waiting as module
from gsrgnn.kernels.cpu.waiting import Waiting, counters

IDLE = "gsrgnn-idle"


@pytest.fixture
def machine(monkeypatch):
    """A function: half a second in which others use so many cores; and what waits there."""
    if not os.path.exists("/proc/self/task"):
        pytest.skip("threads are counted on Linux")
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    now = [0.0, 0.0, 0.0]
    monkeypatch.setattr(module, "counters", lambda: tuple(now))
    monkeypatch.setattr(module, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(module, "spare", lambda: 0)
    waiting = Waiting()
    waiting.look()

    def passes(others, own=1.0):
        for i, seconds in enumerate((0.5, 0.5 * (others + own), 0.5 * own)):
            now[i] += seconds
        waiting.look()
        return waiting.asleep

    yield passes
    passes(0)


def idle():
    return [thread for thread in threading.enumerate() if thread.name == IDLE]


def test_threads_sleep_while_others_compute(machine):
    assert not machine(0.0)
    assert machine(1.0)
    assert len(idle()) == 1
    assert machine(0.3)  # neither busy nor quiet: as it was
    (thread,) = idle()
    assert not machine(0.1)
    thread.join(5)
    assert not idle()
    assert not machine(0.3)
    assert machine(0.5)


def test_cores_that_it_has_no_thread_for_others_may_use(machine, monkeypatch):
    monkeypatch.setattr(module, "spare", lambda: 3)
    assert not machine(3.3)
    assert machine(3.5)


def test_its_own_use_of_the_cores_is_none_of_others(machine):
    assert not machine(0.0, own=64.0)


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_what_the_user_says_is_left_alone(machine, monkeypatch, name):
    monkeypatch.setenv(name, "0")
    assert not machine(2.0)
    monkeypatch.delenv(name)
    assert not machine(2.0)  # OpenMP has read it


def test_a_system_that_tells_nothing_costs_no_kernel_its_result(machine, monkeypatch):
    def refuse():
        raise PermissionError("/proc/stat")

    monkeypatch.setattr(module, "counters", refuse)
    assert not machine(2.0)


def test_it_looks_now_and_then(monkeypatch):
    monkeypatch.setattr(module, "counters", lambda: looks.append(1) or (0.0, 0.0, 0.0))
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    looks, waiting = [], Waiting()
    for _ in range(1000):
        waiting.look()
    assert len(looks) <= 1


def test_counters_go_forward():
    first, second = counters(), counters()
    assert all(later >= sooner for sooner, later in zip(first, second, strict=True))


@pytest.mark.parametrize("fault", ["start", "run"])
def test_where_there_can_be_no_thread_they_spin_on(machine, monkeypatch, fault):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short:
        short.setattr(threading, "excepthook", lambda _: None)
        short.setattr(*{"start": (threading.Thread, "start"), "run": (module.torch, "zeros")}[fault], refuse)
        machine(1.0)  # comes back
        assert not idle()
