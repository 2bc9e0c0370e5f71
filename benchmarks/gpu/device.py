"""The GPU as the benchmarks use it: time between two events, memory without old results in it, recorded work."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rnnkit_kernels.backends import Backend
from rnnkit_kernels.backends import backend as backend_of

from .. import machine

__all__ = ["CudaDevice", "Device", "the_gpu"]

Run = Callable[[], Any]

_MOST = 8 << 30  # bytes that are filled with NaN at most


class Device(Protocol):
    """name: as PyTorch calls it, "cuda" or "cpu";  backend: rnnkit's, whose arrays lie there."""

    name: str
    backend: Backend

    def timed(self, run: Run, calls: int) -> tuple[float, float]:
        """Seconds a call: on the device, from its first work to its last, and on the host until all was asked for."""

    def fresh(self, size: int) -> None:
        """Gives memory back that nobody uses, and fills so many bytes of what is handed out next with NaN."""

    def recorded(self, run: Run) -> Run:
        """PyTorch's work of a call, recorded as a graph once: what replays it, into the same tensors."""

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """By PyTorch."""

    def prepared(self, asked: Sequence[dict[str, Any]]) -> int:
        """Compiles texts, arguments of `cupy.RawModule`, before they are needed. Returns how many."""

    def described(self) -> dict[str, Any]:
        """What has to be known about it to read its numbers."""


class CudaDevice:
    """Everything is on the stream that is current, for CuPy and for PyTorch the same one, CUDA's default stream."""

    name = "cuda"

    def __init__(self, backend: Backend) -> None:
        self.backend, self._cupy = backend, backend.xp

    def timed(self, run: Run, calls: int) -> tuple[float, float]:
        begin, end = self._cupy.cuda.Event(), self._cupy.cuda.Event()
        self._cupy.cuda.get_current_stream().synchronize()
        start = time.perf_counter()
        begin.record()
        for _ in range(calls):
            run()
        end.record()
        asked = time.perf_counter() - start
        end.synchronize()
        return 1e-3 * self._cupy.cuda.get_elapsed_time(begin, end) / calls, asked / calls

    def fresh(self, size: int) -> None:
        self._cupy.get_default_memory_pool().free_all_blocks()
        try:
            import torch
        except ImportError:
            pass
        else:
            torch.cuda.empty_cache()
        self._cupy.full(min(size, _MOST) // 4 + 1, self._cupy.nan, self._cupy.float32)

    def recorded(self, run: Run) -> Run:
        import torch

        side, here = torch.cuda.Stream(), torch.cuda.current_stream()
        side.wait_stream(here)
        with torch.cuda.stream(side):
            for _ in range(3):  # handles, workspaces and the choice of algorithms come before the recording
                run()
        here.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = run()

        def replay() -> Any:
            graph.replay()
            return result

        return replay

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        import torch

        return torch.compile(function, dynamic=False)  # for the sizes that it meets

    def prepared(self, asked: Sequence[dict[str, Any]]) -> int:
        from .ahead import compile_all

        return compile_all(asked, machine.cores())

    def described(self) -> dict[str, Any]:
        runtime, here = self._cupy.cuda.runtime, self._cupy.cuda.Device()
        name = runtime.getDeviceProperties(here.id)["name"]
        processors, capability = self.backend.place.processors()
        found = {
            "gpu": name.decode() if isinstance(name, bytes) else str(name),
            "processors": processors,
            "capability": capability,
            "clock_kHz": here.attributes.get("ClockRate"),
            "driver": runtime.driverGetVersion(),
            "runtime": runtime.runtimeGetVersion(),
            "cupy": self._cupy.__version__,
        }
        try:
            import torch
        except ImportError:
            return found
        return found | {"torch": torch.__version__, "cudnn": torch.backends.cudnn.version()}


def the_gpu() -> Device:
    """Raises ImportError or RuntimeError, with a sentence, where the CUDA backend cannot run."""
    return CudaDevice(backend_of("cuda"))
