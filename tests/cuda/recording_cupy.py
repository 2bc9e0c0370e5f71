"""What CuPy's streams, events, graphs and modules do, written down: kernels "run" by being noted, in stream order.

Names, arguments and refusals are those of CuPy 14.2 (`cupy/cuda/stream.pyx`, `graph.pyx`, `_core/raw.pyx`): a stream
that records runs nothing, `end_capture` gives a graph, `launch` runs what was recorded. Within a recording, allocating,
copying to or from main memory and waiting raise, as on a GPU they would break it or be baked into it.
"""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np

__all__ = ["RecordingCupy"]


class RecordingCupy:
    """log: what was asked of the GPU, in order. ran: the kernels that ran, (name, step, grid, shared memory), once for
    each table that they read."""

    int64 = np.int64

    def __init__(self, fails: str | None = None) -> None:
        self.log: list[str] = []
        self.ran: list[tuple[str, int, tuple[int, int, int], int]] = []
        self.fails, self.device, self.made, self.pause = fails, 0, 0, 0.0
        self.tables: list[Any] = []  # that came as arguments
        self.null = _Stream(self, null=True)
        self.current = self.null
        self.cuda = SimpleNamespace(
            Stream=lambda **given: _Stream(self, **given),
            Event=lambda **given: _Event(self, **given),
            get_current_stream=lambda: self.current,
            runtime=SimpleNamespace(getDevice=lambda: self.device),
            Device=self._current,
            driver=SimpleNamespace(
                funcSetAttribute=lambda function, which, value: self.note(f"{function} has attribute {which} = {value}")
            ),
        )

    def RawModule(self, *, code: str, options: tuple[str, ...], backend: str) -> _Module:
        assert isinstance(options, tuple)
        assert backend == "nvrtc"
        self.note("module")
        return _Module(self, code)

    def empty(self, shape: int, dtype: Any) -> _Table:
        self.note("allocate")
        return _Table(self, shape)

    def _current(self) -> SimpleNamespace:
        self.note("device")
        attributes = {
            "MultiProcessorCount": 132 - self.device,
            "MaxSharedMemoryPerBlockOptin": (227 - self.device) << 10,
        }
        return SimpleNamespace(id=self.device, attributes=attributes, compute_capability="90")

    def note(self, what: str) -> None:
        assert not self.current.recording, f"{what} within a recording"
        self.log.append(what)


class _Stream:
    def __init__(self, cupy: RecordingCupy, null: bool = False, non_blocking: bool = False) -> None:
        cupy.made += 1
        self.cupy, self.ptr, self.recording, self.nodes = cupy, 0 if null else cupy.made, False, []  # type: ignore[var-annotated]
        self.non_blocking = non_blocking

    def __enter__(self) -> _Stream:
        self.before, self.cupy.current = self.cupy.current, self
        return self

    def __exit__(self, *_: Any) -> None:
        self.cupy.current = self.before

    def begin_capture(self, mode: Any = None) -> None:
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        assert self.non_blocking, "a stream that waits for the null stream breaks its recording"
        assert not self.recording
        self.cupy.log.append("record")
        self.recording, self.nodes = True, []

    def end_capture(self) -> _Graph:
        assert self.recording
        self.recording = False
        if self.cupy.fails == "end_capture":
            raise RuntimeError("cudaErrorStreamCaptureInvalidated")
        return _Graph(self.cupy, self.nodes)

    def is_capturing(self) -> bool:
        return self.recording

    def wait_event(self, event: _Event) -> None:
        self.cupy.note(f"stream {self.ptr} waits for {event.on}" if event.on is not None else "nothing to wait for")


class _Event:
    def __init__(self, cupy: RecordingCupy, disable_timing: bool = False) -> None:
        self.cupy, self.on = cupy, None
        assert disable_timing, "an event that measures time costs time"

    def record(self, stream: _Stream) -> None:
        self.cupy.note("event")
        self.on: int | None = stream.ptr

    def synchronize(self) -> None:
        self.cupy.note("synchronize")


class _Graph:
    def __init__(self, cupy: RecordingCupy, nodes: list[Any]) -> None:
        self.cupy, self.nodes = cupy, nodes

    def launch(self, stream: _Stream) -> None:
        assert not stream.recording
        self.cupy.note(f"replay on {stream.ptr}")
        time.sleep(self.cupy.pause)
        for node in self.nodes:
            node()


class _Table:
    """64-bit words on the device: of one table, or of several one behind the other. The first of each is the step that
    kernels read, the second how many there are."""

    def __init__(self, cupy: RecordingCupy, size: int) -> None:
        self.cupy, self.words = cupy, np.full(size, -1)

    def set(self, words: np.ndarray, stream: _Stream) -> None:
        assert type(words) is np.ndarray
        assert words.dtype == np.int64
        assert words.shape == self.words.shape
        assert not stream.recording, "what is copied from main memory is baked into a recording"
        if stream.is_capturing():  # somebody else's recording
            raise RuntimeError("the current stream is capturing, so H2D transfers are disallowed")
        self.cupy.note(f"table on {stream.ptr}")
        self.words[:] = words


def _tables(cupy: RecordingCupy, given: Any, calls: int) -> Any:
    """Of each call. A NumPy array of one number, whatever its size, goes to a kernel as it is
    (`cupy/cuda/function.pyx`)."""
    if isinstance(given, _Table):
        return given.words.reshape(calls, -1)
    assert type(given) is np.ndarray
    assert given.size == 1, "CuPy passes by value what is one number"
    found = given.view(np.int64).reshape(2, -1)[:calls]
    cupy.tables += list(found)
    return found


class _Module:
    def __init__(self, cupy: RecordingCupy, code: str) -> None:
        self.cupy, self.code = cupy, code

    def get_function(self, name: str) -> _Kernel:
        self.cupy.note(f"load {name}")
        assert name in self.code
        return _Kernel(self.cupy, name)


class _Kernel:
    def __init__(self, cupy: RecordingCupy, name: str) -> None:
        self.cupy, self.name, self._most = cupy, name, 48 * 1024
        self.kernel = SimpleNamespace(ptr=name)

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        return self._most

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, size: int) -> None:
        self.cupy.note(f"{self.name} may have {size}")
        self._most = size

    def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0) -> None:
        assert all(type(n) is int for n in (*grid, *block))
        table, place = args
        words = _tables(self.cupy, table, grid[2])
        assert type(place) is np.int32, "a Python number goes to a kernel as 64 bits"
        assert shared_mem <= self._most, "a launch with more shared memory than was asked for"
        if self.cupy.fails == "launch":
            raise RuntimeError("CUDA_ERROR_LAUNCH_FAILED")

        def run() -> None:
            for own in words:
                if self.name.endswith("_advance"):
                    own[0] += place
                    continue
                step = own[0] + place * (-1 if self.name.startswith("backward") else 1)
                if 0 <= step < own[1]:
                    self.cupy.ran.append((self.name, int(step), tuple(grid), shared_mem))

        if self.cupy.current.recording:
            self.cupy.current.nodes.append(run)
        else:
            run()
