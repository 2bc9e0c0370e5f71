"""What the benchmarks ask of CuPy and of PyTorch on a GPU, written down by doubles of both."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from gpu_benchmark_cases import NoPlace

from benchmarks.gpu.device import CudaDevice, the_gpu
from rnnkit_kernels.backends import Backend

NAMES = ("Event", "get_elapsed_time", "get_current_stream", "runtime", "Device")


class FakeCupy:
    """CuPy as far as it is used: everything is written to `log`, and the device needs 3 ms between two events."""

    nan, float32, __version__ = np.nan, np.float32, "14.2.0"

    def __init__(self):
        self.log = []
        stream = SimpleNamespace(synchronize=lambda: self.log.append("stream waits"))
        self.cuda = SimpleNamespace(
            Event=lambda: _Event(self.log),
            get_elapsed_time=lambda begin, end: 3.0 if (begin.number, end.number) == (0, 1) else None,
            get_current_stream=lambda: stream,
            runtime=SimpleNamespace(
                getDeviceProperties=lambda number: {"name": b"A GPU"},
                driverGetVersion=lambda: 13020,
                runtimeGetVersion=lambda: 13000,
            ),
            Device=lambda: SimpleNamespace(id=0, attributes={"ClockRate": 1980000}),
        )

    def get_default_memory_pool(self):
        return SimpleNamespace(free_all_blocks=lambda: self.log.append("pool is freed"))

    def full(self, size, value, dtype):
        self.log.append(("full", size, value, dtype))


class _Event:
    def __init__(self, log):
        self.log, self.number = log, None

    def record(self):
        self.number = sum(entry == "event" for entry in self.log)
        self.log.append("event")

    def synchronize(self):
        self.log.append(f"wait for event {self.number}")


@pytest.fixture
def device():
    place = NoPlace()
    place.xp = FakeCupy()
    return CudaDevice(Backend("cuda", "a test", place))


def test_calls_stand_between_two_events_that_are_waited_for(device):
    log = device.backend.xp.log
    seconds, asked = device.timed(lambda: log.append("call"), 3)
    assert log == ["stream waits", "event", "call", "call", "call", "event", "wait for event 1"]
    assert seconds == pytest.approx(1e-3)
    assert 0 < asked < 1e-2


def test_memory_is_given_back_before_what_comes_next_is_full_of_nan(device):
    device.fresh(4000)
    freed, filled = device.backend.xp.log
    assert freed == "pool is freed"
    assert filled[1] > 1000
    assert np.isnan(filled[2])
    device.fresh(1 << 60)
    assert device.backend.xp.log[-1][1] < 1 << 32


def test_what_a_figure_was_measured_on_is_described(device):
    found = device.described()
    assert (found["gpu"], found["processors"], found["capability"]) == ("A GPU", 132, 90)
    assert (found["driver"], found["runtime"], found["cupy"], found["clock_kHz"]) == (13020, 13000, "14.2.0", 1980000)


def test_work_is_done_on_another_stream_before_it_is_recorded_and_is_then_replayed(device, monkeypatch):
    torch = pytest.importorskip("torch", reason="needs the extra bench")
    log = []

    @contextmanager
    def within(name):
        log.append(f"begin {name}")
        yield
        log.append(f"end {name}")

    def stream(name):
        return SimpleNamespace(wait_stream=lambda other: log.append(f"{name} waits"))

    monkeypatch.setattr(torch.cuda, "Stream", lambda: stream("side"))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream("here"))
    monkeypatch.setattr(torch.cuda, "stream", lambda side: within("side"))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay=lambda: log.append("replay")))
    monkeypatch.setattr(torch.cuda, "graph", lambda graph: within("graph"))
    replay = device.recorded(lambda: log.append("work") or "result")
    warm = ["side waits", "begin side", "work", "work", "work", "end side", "here waits"]
    assert log == [*warm, "begin graph", "work", "end graph"]
    assert replay() == replay() == "result"
    assert log[-2:] == ["replay", "replay"]


def test_a_function_is_compiled_for_the_sizes_that_it_meets(device, monkeypatch):
    torch = pytest.importorskip("torch", reason="needs the extra bench")
    monkeypatch.setattr(torch, "compile", lambda function, dynamic: (function, dynamic))
    assert device.compiled(len) == (len, False)


def test_the_names_are_those_of_cupy_and_pytorch():
    cupy = pytest.importorskip("cupy", reason="needs CuPy")
    for name in NAMES:
        assert hasattr(cupy.cuda, name)
    assert callable(cupy.cuda.Event.record)
    assert hasattr(cupy.cuda.Device, "attributes")
    assert callable(cupy.get_default_memory_pool().free_all_blocks)
    torch = pytest.importorskip("torch", reason="needs the extra bench")
    assert all(hasattr(torch.cuda, name) for name in ("CUDAGraph", "graph", "stream", "Stream", "empty_cache"))


def test_where_the_backend_cannot_run_the_device_says_so():
    if pytest.importorskip("cupy", reason="needs CuPy").cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises((RuntimeError, ImportError), match="backend 'cuda' cannot run"):
        the_gpu()
