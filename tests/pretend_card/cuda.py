"""Stands in for what of `torch.cuda` the project asks, and notes what only a real card would do."""

import time
from contextlib import contextmanager
from threading import local
from types import SimpleNamespace

import torch

from pretend_card import capture, memory
from pretend_card.placed import wait
from pretend_card.shown import is_card

_thread = local()
_handles = iter(range(1, 10**9))


class Stream:
    """Work is done when it is launched: streams have an identity and no order of their own."""

    def __init__(self, device=None, priority=0, cuda_stream=None):
        self.cuda_stream = next(_handles) if cuda_stream is None else cuda_stream
        self.device = memory.CARD

    def __eq__(self, other):
        return isinstance(other, Stream) and self.cuda_stream == other.cuda_stream

    def __hash__(self):
        return hash(self.cuda_stream)

    def wait_stream(self, stream):
        assert isinstance(stream, Stream)

    def wait_event(self, event):
        assert isinstance(event, Event)

    def record_event(self, event=None):
        event = event or Event()
        event.record(self)
        return event

    def query(self):
        return True

    def synchronize(self):
        wait("Stream.synchronize")


DEFAULT = Stream(cuda_stream=0)


class Event:
    def __init__(self, enable_timing=False, blocking=False, interprocess=False):
        self.timing, self.at = enable_timing, None

    def record(self, stream=None):
        self.at = time.perf_counter()

    def wait(self, stream=None):
        pass

    def query(self):
        return self.at is not None

    def synchronize(self):
        wait("Event.synchronize")

    def elapsed_time(self, end):
        if not (self.timing and end.timing):
            raise RuntimeError("Both events must be created with argument 'enable_timing=True'.")
        if self.at is None or end.at is None:
            raise RuntimeError("Both events must be recorded before calculating elapsed time.")
        return 1e3 * (end.at - self.at)


def current_stream(device=None):
    _check(device)
    return getattr(_thread, "stream", DEFAULT)


@contextmanager
def stream(chosen):
    before, _thread.stream = current_stream(), chosen or DEFAULT
    try:
        yield
    finally:
        _thread.stream = before


@contextmanager
def device(chosen):
    _check(chosen)
    yield


@contextmanager
def graph(cuda_graph, pool=None, stream=None, capture_error_mode="global"):
    wait("synchronize before a capture")
    with torch.cuda.stream(stream or Stream()):
        cuda_graph.capture_begin()
        try:
            yield
        finally:
            cuda_graph.capture_end()


def memory_stats(device=None):
    _check(device)
    parts = {"allocated": memory.allocated, "active": memory.allocated, "reserved": memory.allocated}
    return {f"{name}_bytes.all.current": now() for name, now in parts.items()} | {
        f"{name}_bytes.all.peak": memory.highest() for name in parts
    }


def _check(device):
    if device is not None and not is_card(device):
        raise ValueError(f"Expected a cuda device, but got: {device}")


def _answer(value):
    def function(device=None):
        _check(device)
        return value() if callable(value) else value

    return function


def _sleep(clocks):
    assert clocks > 0


PROPERTIES = SimpleNamespace(
    name="pretend card",
    major=9,
    minor=0,
    total_memory=memory.TOTAL,
    multi_processor_count=1,
    max_threads_per_multi_processor=2048,
    L2_cache_size=2**20,
    warp_size=32,
)
STANDS_IN = {
    "is_available": lambda: True,
    "is_initialized": lambda: True,
    "init": lambda: None,
    "_lazy_init": lambda: None,
    "device_count": lambda: 1,
    "current_device": lambda: 0,
    "set_device": _check,
    "get_device_name": _answer(PROPERTIES.name),
    "get_device_capability": _answer((9, 0)),
    "get_device_properties": _answer(PROPERTIES),
    "device": device,
    "Stream": Stream,
    "Event": Event,
    "stream": stream,
    "current_stream": current_stream,
    "default_stream": _answer(DEFAULT),
    "synchronize": _answer(lambda: wait("torch.cuda.synchronize")),
    "empty_cache": lambda: None,
    "memory_allocated": _answer(memory.allocated),
    "max_memory_allocated": _answer(memory.highest),
    "memory_reserved": _answer(memory.allocated),
    "max_memory_reserved": _answer(memory.highest),
    "reset_peak_memory_stats": _answer(memory.forget_peak),
    "memory_stats": memory_stats,
    "mem_get_info": _answer(lambda: (memory.TOTAL - memory.allocated(), memory.TOTAL)),
    "get_rng_state": _answer(torch.get_rng_state),  # the CPU's numbers are the card's
    "set_rng_state": lambda state, device=None: torch.set_rng_state(state),
    "is_current_stream_capturing": lambda: capture.current() is not None,
    "get_rng_state_all": lambda: [torch.get_rng_state()],
    "set_rng_state_all": lambda states: torch.set_rng_state(*states),
    "CUDAGraph": capture.Graph,
    "graph": graph,
    "_sleep": _sleep,
}


def install() -> None:
    torch.version.cuda = "13.0"
    for name, value in STANDS_IN.items():
        setattr(torch.cuda, name, value)
