"""How steps are launched on a GPU: what is recorded, what is replayed, and in which order. On a double of CuPy."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
from recording_cupy import RecordingCupy

from rnnkit_kernels.cuda_gpu import cupy_place
from rnnkit_kernels.cuda_gpu.cupy_place import CupyModule, CupyPlace
from rnnkit_kernels.cuda_gpu.graphs import FEW, LONGEST, cut
from rnnkit_kernels.cuda_gpu.place import Launch

LEVELS = Launch("forward_level0", (3, 2), 128, 1000), Launch("forward_level1", (1, 2), 128, 60_000)
BACK = (Launch("backward_level0", (3, 2), 128, 0),)


def module(cupy: RecordingCupy, prefix: str = "forward") -> CupyModule:
    return CupyModule(cupy, f"{prefix}_level0 {prefix}_level1 {prefix}_advance", prefix)


def forward(steps: int) -> tuple[int, ...]:
    return (0, steps, 7, 5, 111, 222)


def backward(steps: int) -> tuple[int, ...]:
    return (steps - 1, steps, 7, 5, 333)


@pytest.mark.parametrize("steps", [1, FEW - 1, FEW, 31, 32, 33, 50, 64, 65, 100, 1000])
def test_a_run_is_as_long_as_it_may_be_and_goes_hardly_beyond_the_end(steps: int) -> None:
    run, runs = cut(steps)
    assert runs == -(-steps // LONGEST)
    assert run <= LONGEST
    assert steps <= run * runs < steps + runs


@pytest.mark.parametrize("steps", [1, 3, 4, 5, 31, 32, 33, 50, 64, 100])
def test_every_step_s_kernels_run_once_in_the_order_of_time_and_of_their_levels(steps: int) -> None:
    cupy = RecordingCupy()
    module(cupy).repeat(LEVELS, forward(steps), steps)
    expected = [(level.kernel, t, level.grid, level.shared) for t in range(steps) for level in LEVELS]
    assert cupy.ran == expected


@pytest.mark.parametrize("steps", [2, 5, 32, 33, 100])
def test_the_way_back_begins_at_the_last_step_and_ends_at_the_first(steps: int) -> None:
    cupy = RecordingCupy()
    module(cupy, "backward").repeat(BACK, backward(steps), steps)
    assert [t for _, t, _, _ in cupy.ran] == list(reversed(range(steps)))


@pytest.mark.parametrize("steps", [2, 33, 100])
def test_launches_that_serve_two_calls_take_both_through_all_steps(steps: int) -> None:
    cupy = RecordingCupy()
    two = tuple(replace(level, together=2) for level in LEVELS)
    module(cupy).repeat(two, forward(steps) * 2, steps)
    expected = [(level.kernel, t, (*level.blocks, 2), level.shared) for t in range(steps) for level in two]
    assert cupy.ran[::2] == cupy.ran[1::2] == expected


@pytest.mark.parametrize("together", [1, 2])
def test_a_kernel_for_all_steps_gets_its_tables_as_an_argument_and_nothing_goes_up(together: int) -> None:
    cupy = RecordingCupy()
    persistent = Launch("forward_persistent", (4, 1), 64, 500, 2, together, as_argument=True)
    kernels = CupyModule(cupy, "forward_persistent", "forward")
    one, other = (0, 9, 7, 5, 2**40, -1), (0, 9, 7, 5, 2**41, -2)
    kernels.repeat([persistent], one if together == 1 else one + other, 1)
    assert cupy.log == ["module", "load forward_persistent"]
    assert cupy.ran == [("forward_persistent", 0, (4, 1, together), 500)] * together
    assert [tuple(table) for table in cupy.tables] == [one, other][:together]


def test_steps_are_recorded_once_and_replayed_with_other_arrays_and_nothing_waits() -> None:
    cupy = RecordingCupy()
    kernels = module(cupy)
    kernels.repeat(LEVELS, forward(100), 100)
    assert cupy.log == [
        "module", "load forward_level0", "load forward_level1", "forward_level1 may have 60000", "load forward_advance",
        "allocate", "record", "nothing to wait for", "table on 0", *["replay on 0"] * 4, "event",
    ]  # fmt: skip
    cupy.log.clear()
    kernels.repeat(LEVELS, (0, 100, 7, 5, 444, 555), 100)
    assert cupy.log == ["stream 0 waits for 0", "table on 0", *["replay on 0"] * 4, "event"]


def test_one_recording_serves_all_numbers_of_steps_that_are_cut_alike_and_no_other_batch() -> None:
    cupy = RecordingCupy()
    kernels = module(cupy)
    for steps in (32, 64, 96, 63):
        kernels.repeat(LEVELS, forward(steps), steps)
    assert cupy.log.count("record") == 1
    kernels.repeat(LEVELS[:1], forward(32), 32)
    assert cupy.log.count("record") == 2
    kernels.repeat((replace(LEVELS[0], together=2),), forward(32) * 2, 32)
    assert cupy.log.count("record") == 3
    cupy.device = 1
    kernels.repeat(LEVELS[:1], forward(32), 32)
    assert cupy.log.count("record") == 4
    assert cupy.log.count("load forward_level0") == 2


def test_another_stream_has_a_recording_and_a_table_of_its_own_and_waits_for_nobody() -> None:
    cupy = RecordingCupy()
    kernels, other = module(cupy), cupy.cuda.Stream(non_blocking=True)
    kernels.repeat(LEVELS, forward(32), 32)
    cupy.log.clear()
    with other:
        kernels.repeat(LEVELS, forward(32), 32)
    own = [f"table on {other.ptr}", f"replay on {other.ptr}", "event"]
    assert cupy.log == ["allocate", "record", "nothing to wait for", *own]
    cupy.log.clear()
    with other:
        kernels.repeat(LEVELS, forward(32), 32)
    assert cupy.log == [f"stream {other.ptr} waits for {other.ptr}", *own]


def test_a_few_steps_are_launched_one_by_one() -> None:
    cupy = RecordingCupy()
    module(cupy).repeat(LEVELS, forward(FEW - 1), FEW - 1)
    loaded = ["load forward_level0", "load forward_level1", "forward_level1 may have 60000"]
    assert cupy.log == ["module", "allocate", "table on 0", *loaded]


def test_within_somebody_else_s_recording_cupy_refuses_the_table_and_that_recording_is_left_alone() -> None:
    cupy = RecordingCupy()
    kernels = module(cupy)
    cupy.null.is_capturing = lambda: True  # type: ignore[method-assign]
    for steps in (1, 64):
        with pytest.raises(RuntimeError, match="the current stream is capturing"):
            kernels.repeat(LEVELS, forward(steps), steps)
    assert "record" not in cupy.log
    assert not any("waits" in line or "replay" in line for line in cupy.log)
    assert cupy.ran == []


def test_where_nothing_can_be_recorded_every_step_is_launched_and_a_warning_says_so_once() -> None:
    cupy = RecordingCupy(fails="end_capture")
    kernels = module(cupy)
    with pytest.warns(RuntimeWarning, match="launched one by one, which is slower"):
        kernels.repeat(LEVELS, forward(64), 64)
    assert len(cupy.ran) == 128
    kernels.repeat(LEVELS, forward(64), 64)
    assert len(cupy.ran) == 256
    assert cupy.log.count("record") == 1


def test_an_error_of_a_launch_while_recording_leaves_no_stream_recording() -> None:
    cupy = RecordingCupy(fails="launch")
    kernels = module(cupy)
    with pytest.warns(RuntimeWarning, match="CUDA_ERROR_LAUNCH_FAILED"), pytest.raises(RuntimeError, match="LAUNCH"):
        kernels.repeat(LEVELS, forward(64), 64)
    assert not any(stream.recording for stream in kernels._recording.values())
    assert cupy.current is cupy.null


def test_the_oldest_recordings_go_and_wait_until_nobody_reads_their_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cupy_place, "_GRAPHS", 2)
    cupy = RecordingCupy()
    kernels = module(cupy)
    for rows in (1, 2, 1, 3):
        kernels.repeat((Launch("forward_level0", (1, rows), 128, 0),), forward(32), 32)
    assert cupy.log.count("record") == 3
    assert cupy.log.count("synchronize") == 1
    kernels.repeat((Launch("forward_level0", (1, 1), 128, 0),), forward(32), 32)
    assert cupy.log.count("record") == 3


def test_a_cluster_that_not_every_gpu_takes_is_asked_for_once() -> None:
    cupy = RecordingCupy()
    kernels = module(cupy)
    for blocks in (8, 16, 16):
        name = "forward_level0" if blocks == 8 else "forward_level1"
        kernels.repeat((Launch(name, (blocks, 1), 128, 0, cluster=blocks),), forward(1), 1)
    assert [line for line in cupy.log if "attribute" in line] == ["forward_level1 has attribute 14 = 1"]


def test_two_threads_never_share_a_table_at_once() -> None:
    cupy = RecordingCupy()
    kernels, cupy.pause = module(cupy), 1e-3
    threads = [threading.Thread(target=kernels.repeat, args=(LEVELS, forward(64), 64)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [t for name, t, _, _ in cupy.ran if name == "forward_level0"] == list(range(64)) * 8


def array(device: int = 0, contiguous: bool = True) -> SimpleNamespace:
    return SimpleNamespace(
        device=SimpleNamespace(id=device), flags=SimpleNamespace(c_contiguous=contiguous), shape=(2, 3),
        strides=(4, 8), data=SimpleNamespace(ptr=1234),
    )  # fmt: skip


def test_a_place_knows_the_processors_of_the_current_device() -> None:
    cupy = RecordingCupy()
    place = CupyPlace(cupy)
    assert [place.processors(), place.processors()] == [(132, 90)] * 2
    cupy.device = 1
    assert place.processors() == (131, 90)


def test_a_place_knows_the_shared_memory_of_the_current_device() -> None:
    cupy = RecordingCupy()
    place = CupyPlace(cupy)
    assert [place.room(), place.room()] == [227 << 10] * 2
    cupy.device = 1
    assert place.room() == 226 << 10


def test_work_beside_waits_for_what_was_asked_before_and_is_waited_for_by_what_comes_after() -> None:
    cupy = RecordingCupy()
    place, kernels = CupyPlace(cupy), module(cupy)
    kernels.repeat(LEVELS, forward(32), 32)
    cupy.log.clear()
    with place.beside() as aside:
        with aside:
            assert cupy.current is aside
            cupy.note("one")
        assert cupy.current is cupy.null
        cupy.note("the other")
    assert cupy.log == [
        "event", f"stream {aside.ptr} waits for 0", "one", "the other", "event", f"stream 0 waits for {aside.ptr}",
    ]  # fmt: skip
    with place.beside() as again:
        assert again is aside


def test_each_stream_has_another_one_beside_it() -> None:
    """One that two streams shared would hand memory of the first, which is still in use there, to the second."""
    cupy = RecordingCupy()
    place = CupyPlace(cupy)
    with place.beside() as of_the_null_stream:
        pass
    with cupy.cuda.Stream(non_blocking=True), place.beside() as of_another:
        pass
    assert of_another is not of_the_null_stream
    with place.beside() as again:
        assert again is of_the_null_stream


def test_work_that_fails_is_waited_for_too() -> None:
    cupy = RecordingCupy()
    with pytest.raises(ValueError, match="lost"), CupyPlace(cupy).beside() as aside:
        raise ValueError("lost")
    assert cupy.log[-1] == f"stream 0 waits for {aside.ptr}"


def test_a_text_is_compiled_once() -> None:
    cupy = RecordingCupy()
    place = CupyPlace(cupy)
    assert place.module("float", "level.cuh", "a", "forward") is place.module("float", "level.cuh", "a", "forward")
    assert cupy.log == ["module"]
    place.module("double", "level.cuh", "a", "forward")
    assert cupy.log == ["module"] * 2


def test_an_address_is_asked_for_arrays_of_the_current_device_without_gaps() -> None:
    place = CupyPlace(RecordingCupy())
    assert place.address(array()) == 1234  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="an array lies on GPU 1 and the current one is GPU 0"):
        place.address(array(device=1))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"C-contiguous arrays; got one of shape \(2, 3\)"):
        place.address(array(contiguous=False))  # type: ignore[arg-type]
