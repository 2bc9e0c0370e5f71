"""How many clusters of 16 blocks run at once: counted on what stands for a GPU, of which the times are given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from on_cpu import NEEDS_A_COMPILER, SHIM, ModuleOnCpu, built
from recording_cupy import RecordingCupy

from rnnkit_kernels.cuda_gpu.clusters import large_clusters
from rnnkit_kernels.cuda_gpu.cupy_place import CupyPlace
from rnnkit_kernels.cuda_gpu.place import Launch
from rnnkit_kernels.cuda_gpu.source import part


class _Clusters(RecordingCupy):
    """times: when each cluster of the launch begins and ends."""

    def __init__(self, times: Any, fails: str | None = None) -> None:
        super().__init__(fails)
        self.times = np.array(times, np.int64)
        self.zeros, self.asnumpy, self.launched = np.zeros, np.asarray, 0
        device = self.cuda.Device
        self.cuda.Device = lambda: SimpleNamespace(**vars(device()), synchronize=lambda: self.note("synchronize"))

    def RawModule(self, *, code: str, options: tuple[str, ...], backend: str) -> Any:
        assert "__cluster_dims__(16, 1, 1)" in code
        self.note("module")
        return SimpleNamespace(get_function=self._function)

    def _function(self, name: str) -> Any:
        found = self._Function()
        found.owner, found.kernel = self, SimpleNamespace(ptr=name)
        return found

    class _Function:
        owner: Any
        kernel: Any
        max_dynamic_shared_size_bytes = 0

        def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int) -> None:
            assert "clusters_at_once has attribute 14 = 1" in self.owner.log
            assert shared_mem <= self.max_dynamic_shared_size_bytes
            assert shared_mem > 228 * 1024 // 2, "two blocks would share a multiprocessor"
            if self.owner.fails:
                raise RuntimeError("CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES")
            times, wait = args
            assert (grid, block) == ((16 * len(times),), (256,))
            assert type(wait) is np.int32
            assert 5_000 <= wait <= 1_000_000, "nanoseconds in which every cluster that can has begun, and no more"
            assert not times.any()
            times[:] = self.owner.times if self.owner.times.ndim == 2 else self.owner.times[self.owner.launched]
            self.owner.launched += 1


def _times(second_round: int) -> list[tuple[int, int]]:
    first = [(100 + k, 20_100 + k) for k in range(8 - second_round)]
    return first + [(20_200 + k, 40_200 + k) for k in range(second_round)]


@pytest.mark.parametrize("late", [0, 1, 5])
def test_clusters_that_begin_before_the_first_has_ended_run_at_once(late: int) -> None:
    cupy = _Clusters(_times(late))
    assert large_clusters(cupy, 132) == 8 - late
    assert cupy.log.count("synchronize") == cupy.launched


def test_a_cluster_that_begins_as_another_ends_did_not_run_beside_it() -> None:
    assert large_clusters(_Clusters([(100, 20_100)] * 7 + [(20_100, 40_100)]), 132) == 7


def test_of_several_tries_the_best_counts_for_something_else_may_have_run_in_one() -> None:
    cupy = _Clusters([_times(3), _times(0), _times(2)])
    assert large_clusters(cupy, 132) == 8
    assert cupy.launched == 3


def test_a_gpu_that_refuses_large_clusters_has_none_and_is_asked_once() -> None:
    cupy = _Clusters(_times(0), fails="launch")
    place = CupyPlace(cupy)
    assert [place.large_clusters(), place.large_clusters()] == [0, 0]
    assert cupy.log.count("module") == 1


def test_each_device_is_asked_and_none_while_a_stream_records() -> None:
    cupy = _Clusters(_times(0))
    place = CupyPlace(cupy)
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        assert place.large_clusters() == 0
        stream.end_capture()
    assert (place.large_clusters(), cupy.launched) == (8, 3)
    cupy.device, cupy.times = 1, np.array(_times(2))
    assert (place.large_clusters(), cupy.launched) == (6, 6)


def test_a_gpu_of_fewer_than_16_processors_is_not_asked() -> None:
    assert large_clusters(None, 14) == 0


@NEEDS_A_COMPILER
def test_the_kernel_writes_when_each_cluster_began_and_when_it_had_waited() -> None:
    """With a clock that counts how often it is read; the shim runs a cluster behind the other."""
    text, wait = part("clusters.cuh"), 100
    kernel = text[text.index('extern "C"') :]
    clock = "static long long readings = 0;\ninline long long now() { return ++readings; }\n"
    module = ModuleOnCpu(built(f"typedef float real;\n{SHIM}{clock}{kernel}"))
    times = np.zeros((2, 2), np.int64)
    module.launch(Launch("clusters_at_once", (32, 1), 32, 0, 16), times, wait)
    begin, end = times.T
    assert begin[0] == 1
    assert (end - begin >= wait).all()
    assert end[0] < begin[1]
