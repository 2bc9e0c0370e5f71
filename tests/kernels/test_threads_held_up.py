"""Threads that do not come, because other processes hold the cores: their parts are done all the same, and once."""

import ctypes
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

numba = pytest.importorskip("numba", reason="the team of threads needs the extra numba")

import thread_jobs as jobs  # noqa: E402

from rnnkit_kernels import cells  # noqa: E402
from rnnkit_kernels.numba_cpu import backward, recurrence  # noqa: E402
from rnnkit_kernels.numba_cpu.convolution import passes  # noqa: E402
from rnnkit_kernels.numba_cpu.parallel import atomics, crew, sharing, threads  # noqa: E402
from rnnkit_kernels.numba_cpu.pooling import CompiledPooling  # noqa: E402
from rnnkit_kernels.numba_cpu.split import Split  # noqa: E402
from rnnkit_kernels.textbook.convolution import Window  # noqa: E402

new_lock = ctypes.PYFUNCTYPE(ctypes.c_void_p)(("PyThread_allocate_lock", ctypes.pythonapi))
acquire_lock = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)(
    ("PyThread_acquire_lock", ctypes.pythonapi)
)


@pytest.fixture(autouse=True)
def three_threads(monkeypatch):
    monkeypatch.setenv("RNNKIT_NUM_THREADS", "3")


class Absent(crew.Crew):
    """A crew whose threads are in that state and never do anything."""

    def __init__(self, size, state):
        super().__init__()
        self.size, self.complete = size, True
        self.states = self.memory[crew.STATE // 8 :: crew.BYTES // 8][1:size]
        self.locks = [new_lock() for _ in range(1, size)]
        for lock in self.locks:
            acquire_lock(lock, 1)
        self.memory[crew.LOCK // 8 :: crew.BYTES // 8][1:size] = self.locks
        self.states[:] = state

    def ends(self, function, *arguments):
        """Whether the call ends within a minute; one that does not is let go."""
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        thread.start()
        thread.join(60)
        ended = not thread.is_alive()
        while thread.is_alive():
            self.states[:] = crew.IDLE
            thread.join(0.01)
        return ended


@pytest.mark.parametrize("state", [crew.IDLE, crew.ASLEEP], ids=["looking", "asleep"])
@pytest.mark.parametrize(("size", "parts"), [(2, 2), (3, 3), (3, 2), (3, 8)])
def test_a_call_ends_though_no_thread_comes_and_every_part_is_done_once(monkeypatch, size, parts, state):
    absent = Absent(size, state)
    monkeypatch.setattr(threads, "_crew", absent)
    memory, table = jobs.words()

    def call():
        with threads.team(size) as t:
            assert t.size == size
            for _ in range(50):
                t.run(jobs.count().address, table, parts, before=jobs.delayed().address)

    assert absent.ends(call)
    np.testing.assert_array_equal(memory[: 16 * jobs.LINE : jobs.LINE], [100] * parts + [0] * (16 - parts))
    called = min(size, parts) - 1
    assert set(absent.states[:called]) == {crew.IDLE}
    free = [acquire_lock(lock, 0) for lock in absent.locks]  # a sleeper was woken when it was called, if only once
    assert free == [int(state == crew.ASLEEP)] * called + [0] * (size - 1 - called)


def test_a_part_that_a_thread_has_begun_is_waited_for_and_not_done_again():
    held = Absent(2, crew.IDLE)
    memory, table = jobs.words()
    begun = threading.Event()

    def call():
        begun.set()
        sharing.dispatch(held.base, 2, held.release, 0, jobs.delayed().address, table, 2)

    sharing.dispatch(held.base, 2, held.release, 0, jobs.delayed().address, table, 2)  # compiled before it is timed
    memory[[0, jobs.LINE]] = 0
    memory[1] = 20_000_000  # the caller's own part: about half a second
    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    begun.wait()
    while held.states[0] != crew.CALLED:
        time.sleep(1e-4)
    held.states[0] = crew.WORKING
    while memory[0] == 0:
        time.sleep(1e-3)
    caller.join(0.2)
    waits = caller.is_alive()
    held.states[0] = crew.IDLE
    caller.join(60)
    assert waits
    assert not caller.is_alive()
    assert memory[[0, jobs.LINE]].tolist() == [1, 0]


def test_every_part_is_done_once_whatever_comes_first_the_thread_or_the_end_of_the_callers_part():
    def work(seed):
        rng = np.random.default_rng(seed)
        memory, table = jobs.words()
        own = memory.reshape(-1, jobs.LINE)[:5]
        for k in range(1, 3001):
            parts = int(rng.integers(2, 6))
            own[:, 0] = k
            own[:, 1] = rng.integers(0, 40, 5) ** 2 * rng.integers(0, 2)
            with threads.team(3) as t:
                t.run(jobs.delayed().address, table, parts)
            if own[:, 0].tolist() != [k + 1] * parts + [k] * (5 - parts):
                return own[:, 0].tolist(), k, parts
            if k % 50 == 0:
                time.sleep(rng.random() * 1e-3)
        time.sleep(0.01)
        return own[:parts, 0].tolist() == [k + 1] * parts

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, range(3))) == [True] * 3


@numba.njit(nogil=True)
def _many(base, release, job, table, times):
    """So many calls of two parts, the caller's with pauses that differ; how many left another count than their own."""
    amiss = 0
    for k in range(times):
        atomics.store(table + 8, k % 7)
        sharing.dispatch(base, 2, release, 0, job, table, 2)
        for part in range(2):
            amiss += atomics.load_acquire(table + 128 * part) != k + 1
    return amiss


def test_of_a_thread_and_a_caller_who_reach_for_a_part_at_the_same_time_one_gets_it():
    _, table = jobs.words()
    with threads.team(2) as t:
        assert _many(t._crew.base, t._crew.release, jobs.delayed().address, table, 500_000) == 0


def test_what_is_to_be_done_before_is_done_for_all_parts_before_the_first():
    memory, table = jobs.words()
    rng = np.random.default_rng(0)
    own = memory.reshape(-1, jobs.LINE)[:3]
    with threads.team(3) as t:
        for k in range(2000):
            own[:, 1] = rng.integers(0, 40, 3) ** 2
            t.run(jobs.behind(3).address, table, 3, before=jobs.delayed().address)
            assert own[:, 0].tolist() == [k + 1] * 3
    assert memory[(jobs.BARRIER + 128) // 8] == 0
    threads.ALONE.run(jobs.behind(3).address, table, 3, before=jobs.count().address)
    assert (own[0, 0], memory[(jobs.BARRIER + 128) // 8]) == (2001, 0)


def _convolved():
    rng = np.random.default_rng(3)
    weights = {"W": rng.standard_normal((3, 5, 7)).astype("f4"), "b": rng.standard_normal(7).astype("f4")}
    y, tape = passes.forward(weights, rng.standard_normal((9, 40, 5)).astype("f4"), Window(3), parts=3)
    grads, dx = passes.backward(tape, rng.standard_normal(y.shape).astype("f4"))
    return y, dx, grads["W"], grads["b"]


def _recurred():
    rng = np.random.default_rng(4)
    cell, (T, B, F, H) = cells.LSTM(), (12, 10, 5, 9)
    weights = {name: rng.standard_normal(s).astype("f4") for name, s in cell.weight_shapes(F, H).items()}
    x, state = rng.standard_normal((T, B, F)).astype("f4"), {name: np.zeros((B, H), "f4") for name in cell.state}
    h, _, tape = recurrence.forward(cell, weights, x, state, split=Split(3, False, "asked for"))
    made = backward.backward(tape, rng.standard_normal(h.shape).astype("f4"))
    return h, made.x, *made.weights.values(), *made.state0.values()


def _pooled():
    rng = np.random.default_rng(5)
    pooling = CompiledPooling()
    y, tape = pooling.forward("largest", rng.standard_normal((9, 40, 5)).astype("f4"), Window(3), parts=3)
    return y, pooling.backward(tape, rng.standard_normal(y.shape).astype("f4"))


@pytest.mark.parametrize("kernel", [_convolved, _recurred, _pooled])
@pytest.mark.parametrize("state", [crew.IDLE, crew.ASLEEP], ids=["looking", "asleep"])
def test_a_kernel_whose_threads_do_not_come_gives_the_bits_it_gives_where_they_do(monkeypatch, kernel, state):
    expected = kernel()
    absent = Absent(3, state)
    monkeypatch.setattr(threads, "_crew", absent)
    found = []
    assert absent.ends(lambda: found.extend(kernel()))
    assert set(absent.states) == {crew.IDLE}
    assert absent.memory[crew.PARTS // 8 :: crew.BYTES // 8][1:3].tolist() == [3, 3]  # so they were called
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a.view(np.uint32), b.view(np.uint32))


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux which processors a thread may use")
def test_what_a_thread_may_use_is_kept_in_mind_however_often_it_is_called_in_vain():
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        pytest.skip("needs two processors")
    end, began, number = threading.Event(), threading.Event(), []

    def sleep():
        number.append(threading.get_native_id())
        began.set()
        end.wait()

    thread = threading.Thread(target=sleep)
    thread.start()
    began.wait()
    absent = Absent(2, crew.IDLE)
    absent._settle()
    own, system = absent.memory[crew.BYTES // 8 :], ctypes.CDLL(None)
    own[crew.THREAD // 8] = number[0]
    own[crew.LOOKUP // 8] = ctypes.cast(system.sched_getaffinity, ctypes.c_void_p).value
    seen = []
    callers = [allowed[0], allowed[0], allowed[1], allowed[0]]
    for here in callers:
        own[crew.STATE // 8], own[crew.PROCESSOR // 8] = crew.IDLE, here
        sharing.rouse(absent.base + crew.BYTES, absent.release, here)
        seen.append(sorted(os.sched_getaffinity(number[0])))
    end.set()
    thread.join()
    assert seen == [[p for p in allowed if p != here] for here in callers]
    mask = own.view(np.uint64)[crew.MASK // 8 :][: crew.MASK_BYTES // 8]
    assert [p for p in range(64 * len(mask)) if int(mask[p // 64]) >> p % 64 & 1] == allowed
