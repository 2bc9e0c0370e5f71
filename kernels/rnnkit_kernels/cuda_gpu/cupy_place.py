"""The `Place` on a GPU: CuPy's arrays, modules compiled by NVRTC, steps recorded once and replayed."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any

import numpy as np

from ..types import Array
from .clusters import NON_PORTABLE, large_clusters
from .graphs import FEW, Recorded, cut
from .place import Launch
from .products import products
from .source import assembled
from .words import Rounding

__all__ = ["CupyModule", "CupyPlace", "cupy_place"]

_OPTIONS = ("-std=c++17",)
_UNASKED = 48 * 1024  # bytes of shared memory that a block may have unasked, on every GPU
_PORTABLE = 8  # blocks of a cluster that every GPU with clusters takes unasked
_GRAPHS = 64  # kept for each module: one for each stream, batch size, state size and length of a run


class CupyPlace:
    """cupy: the module, or what stands for it in a test.

    Everything runs on the current device and the current stream, in the stream's order, and waits for nothing. So the
    arrays of a call, which the caller may drop as soon as it returns, are not used again before it is done: CuPy hands
    freed memory on along the same stream. Whoever changes streams between two calls orders them, as with CuPy itself.
    """

    def __init__(self, cupy: Any) -> None:
        self.xp = cupy
        self._modules: dict[tuple[str, str, str, str], CupyModule] = {}
        self._processors: dict[int, tuple[int, int]] = {}
        self._rooms: dict[int, int] = {}
        self._large: dict[int, int] = {}
        self._aside: dict[tuple[int, int], Any] = {}

    def module(self, real: str, skeleton: str, printed: str, prefix: str) -> CupyModule:
        """Compiled for each device when a kernel of it is first launched there; CuPy keeps the binary on disk."""
        key = real, skeleton, printed, prefix
        if key not in self._modules:
            self._modules[key] = CupyModule(self.xp, assembled(real, skeleton, printed), prefix)
        return self._modules[key]

    def processors(self) -> tuple[int, int]:
        """Of the current device."""
        device = self.xp.cuda.Device()
        if device.id not in self._processors:
            found = device.attributes["MultiProcessorCount"], device.compute_capability
            self._processors[device.id] = int(found[0]), int(found[1])
        return self._processors[device.id]

    def room(self) -> int:
        """On the current device, for those that ask, as `CupyModule` does."""
        device = self.xp.cuda.Device()
        if device.id not in self._rooms:
            self._rooms[device.id] = int(device.attributes["MaxSharedMemoryPerBlockOptin"])
        return self._rooms[device.id]

    def large_clusters(self) -> int:
        """Of the current device, found out once; 0 while the current stream records, in which nothing can be."""
        device = self.xp.cuda.runtime.getDevice()
        if device not in self._large:
            if self.xp.cuda.get_current_stream().is_capturing():
                return 0
            self._large[device] = large_clusters(self.xp, self.processors()[0])
        return self._large[device]

    def products(self, rounding: Rounding) -> AbstractContextManager[Any]:
        """See `products.products`."""
        return products(self.xp, rounding)

    @contextmanager
    def beside(self) -> Iterator[AbstractContextManager[Any]]:
        """See `Backend.beside`: another stream, behind all that the current one has to do at the beginning, and before
        all that it gets to do after the end. Memory of either may be freed at any time: what uses it again stands
        behind the one or the other of these two orders."""
        cupy = self.xp
        here = cupy.cuda.get_current_stream()
        key = cupy.cuda.runtime.getDevice(), here.ptr  # of its own: nobody else's work is ordered behind this stream's
        if key not in self._aside:
            self._aside[key] = cupy.cuda.Stream(non_blocking=True)
        aside = self._aside[key]
        self._behind(aside, here)
        try:
            yield aside
        finally:
            self._behind(here, aside)

    def _behind(self, later: Any, sooner: Any) -> None:
        """What a stream gets to do from now on waits for all that the other one has to do."""
        done = self.xp.cuda.Event(disable_timing=True)
        done.record(sooner)
        later.wait_event(done)

    def address(self, array: Array) -> int:
        """Raises ValueError for an array on another device than the current one, or with gaps: kernels see neither."""
        given: Any = array
        here = self.xp.cuda.runtime.getDevice()
        if given.device.id != here:
            raise ValueError(
                f"an array lies on GPU {given.device.id} and the current one is GPU {here}: keep a model's arrays on "
                "one device, and call it within `with cupy.cuda.Device(...)` of that"
            )
        if not given.flags.c_contiguous:
            raise ValueError(
                f"kernels take C-contiguous arrays; got one of shape {given.shape}, strides {given.strides}"
            )
        return int(given.data.ptr)

    def table(self, words: Sequence[int]) -> Any:
        """Still on this side: `CupyModule.repeat` brings them to where its kernels read."""
        return tuple(words)


class CupyModule:
    """A text's kernels, with the graphs that have been recorded of them."""

    def __init__(self, cupy: Any, text: str, prefix: str) -> None:
        self._cupy, self._prefix = cupy, prefix
        self._module = cupy.RawModule(code=text, options=_OPTIONS, backend="nvrtc")
        self._functions: dict[tuple[int, str], Any] = {}
        self._room: dict[tuple[int, str], int] = {}
        self._recording: dict[int, Any] = {}
        self._graphs: OrderedDict[tuple[Any, ...], Recorded] = OrderedDict()
        self._records = True
        self._one_at_a_time = threading.Lock()  # a graph has one table

    def repeat(self, launches: Sequence[Launch], table: Sequence[int], steps: int) -> None:
        """See `place.Module`. Graphs where there are steps enough; else, and with a RuntimeWarning once where a graph
        cannot be made, a launch at a time: the same kernels, the same bits. While somebody records the current stream
        CuPy raises RuntimeError: no table can go up then, nor can cuBLAS be called; that recording is left alone."""
        if launches[0].as_argument:
            self._launch(launches, _argument(table, launches[0].together), steps)
            return
        stream = self._cupy.cuda.get_current_stream()
        if steps >= FEW and self._records and not stream.is_capturing():
            run, runs = cut(steps)
            with self._one_at_a_time:
                graph = self._graph(stream, tuple(launches), run, len(table))
                if graph is not None:
                    graph.replay(table, runs, stream)
                    return
        there = self._cupy.empty(len(table), np.int64)
        there.set(np.array(table, np.int64), stream)
        self._launch(launches, there, steps)

    def _launch(self, launches: Sequence[Launch], table: Any, steps: int) -> None:
        functions = [(self._function(launch), launch) for launch in launches]
        for place in range(steps):
            for function, launch in functions:
                function(launch.grid, (launch.threads,), (table, np.int32(place)), shared_mem=launch.shared)

    def _graph(self, stream: Any, launches: tuple[Launch, ...], run: int, words: int) -> Recorded | None:
        """One for each stream, so that two of them can replay the same steps side by side."""
        device = self._cupy.cuda.runtime.getDevice()
        key = device, stream.ptr, launches, run, words
        if key in self._graphs:
            self._graphs.move_to_end(key)
            return self._graphs[key]
        for launch in launches:  # compiled and loaded before anything is recorded
            self._function(launch)
        on = Launch(f"{self._prefix}_advance", (1, 1), 1, 0, together=launches[0].together)
        advance = self._function(on)
        moved = np.int32(-run if self._prefix == "backward" else run)

        def whole(table: Any) -> None:
            self._launch(launches, table, run)
            advance(on.grid, (1,), (table, moved), shared_mem=0)

        if device not in self._recording:
            self._recording[device] = self._cupy.cuda.Stream(non_blocking=True)
        try:
            made = Recorded(self._cupy, whole, words, self._recording[device])
        except RuntimeError as error:
            self._records = False
            warnings.warn(
                f"steps could not be recorded as a CUDA graph ({error}): they are launched one by one, which is slower",
                RuntimeWarning,
                stacklevel=2,
            )
            return None
        self._graphs[key] = made
        if len(self._graphs) > _GRAPHS:
            self._graphs.popitem(last=False)[1].close()
        return made

    def _function(self, launch: Launch) -> Any:
        """The kernel on the current device, with leave to use what the launch uses. CUDA refuses what there is not."""
        key = self._cupy.cuda.runtime.getDevice(), launch.kernel
        if key not in self._functions:
            self._functions[key], self._room[key] = self._module.get_function(launch.kernel), _UNASKED
            if launch.cluster > _PORTABLE:
                self._cupy.cuda.driver.funcSetAttribute(self._functions[key].kernel.ptr, NON_PORTABLE, 1)
        if launch.shared > self._room[key]:
            self._functions[key].max_dynamic_shared_size_bytes = launch.shared
            self._room[key] = launch.shared
        return self._functions[key]


def _argument(table: Sequence[int], together: int) -> Any:
    """Two tables as one number of many bytes, which CuPy hands to a kernel as they are; one stands for both."""
    words = np.array(table if together == 2 else (*table, *table), np.int64)
    return words.view(f"V{words.nbytes}")


@lru_cache(maxsize=1)
def cupy_place() -> CupyPlace:
    """The place, made once. Raises ImportError where CuPy is not installed."""
    import cupy

    return CupyPlace(cupy)
