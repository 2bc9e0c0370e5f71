"""The team of threads runs every part once, together where it says so, and never hangs."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

numba = pytest.importorskip("numba", reason="the team of threads needs the extra numba")

import thread_jobs as jobs  # noqa: E402

from rnnkit_kernels.numba_cpu.parallel import atomics, crew, threads  # noqa: E402


@pytest.fixture(autouse=True)
def four_threads(monkeypatch):
    monkeypatch.setenv("RNNKIT_NUM_THREADS", "4")


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 5, 11])
@pytest.mark.parametrize("wanted", [1, 2, 3, 4])
def test_every_part_runs_once_a_call(wanted, parts):
    memory, table = jobs.words()
    with threads.team(wanted) as t:
        assert t.size == wanted
        for _ in range(300):
            t.run(jobs.count().address, table, parts)
    np.testing.assert_array_equal(memory[: 16 * jobs.LINE : jobs.LINE], [300] * parts + [0] * (16 - parts))


@pytest.mark.skipif(sys.platform == "win32", reason="asks POSIX for the thread's name")
def test_parts_beyond_the_size_are_dealt_out_in_stripes_and_in_order():
    memory, table = jobs.words()
    with threads.team(3) as t:
        t.run(jobs.trace(3).address, table, 11)
    who, when = memory[17 :: jobs.LINE][:11], memory[18 :: jobs.LINE][:11]
    assert sorted(when) == list(range(11))
    assert len(set(who[:3])) == 3
    assert who[0] == np.uint64(threading.get_ident()).astype(np.int64)
    for part in range(3, 11):
        assert who[part] == who[part - 3]
        assert when[part] > when[part - 3]


@pytest.mark.parametrize("participants", [2, 3, 4])
def test_nobody_leaves_a_barrier_before_all_have_come(participants):
    memory, table = jobs.words()
    with threads.team(participants) as t:
        assert t.size == participants
        for _ in range(2):  # the second job goes on with the barrier of the first
            t.run(jobs.rounds(participants).address, table, participants)
    assert memory[jobs.LINE] == 0
    assert memory[0] == 2 * 3000 * participants


def test_jobs_are_done_whether_threads_still_look_or_already_sleep():
    memory, table = jobs.words()
    times = 600
    with threads.team(3) as t:
        for k in range(times):
            t.run(jobs.count().address, table, 3)
            time.sleep(k % 30 * 1e-5)
    np.testing.assert_array_equal(memory[: 4 * jobs.LINE : jobs.LINE], [times] * 3 + [0])


def test_idle_threads_sleep():
    with threads.team(4) as t:
        memory = t._crew.memory
        t.run(jobs.count().address, jobs.words()[1], 4)
    states = memory[crew.STATE // 8 :: crew.BYTES // 8][1:4]
    for _ in range(1000):
        if set(states) == {crew.ASLEEP}:
            break
        time.sleep(0.01)
    assert set(states) == {crew.ASLEEP}


def test_a_team_inside_a_team_is_the_caller_alone():
    with threads.team(2) as outer:
        with threads.team(2) as inner:
            assert (outer.size, inner.size) == (2, 1)
            inner.run(jobs.count().address, jobs.words()[1], 2)
        assert outer.size == 2
    with threads.team(2) as again:
        assert again.size == 2


def test_a_team_is_free_again_after_an_error_in_its_block():
    with pytest.raises(KeyError), threads.team(2):
        raise KeyError("an error of the caller's")
    with threads.team(2) as t:
        assert t.size == 2


def test_of_many_python_threads_one_has_the_team_and_the_others_run_alone():
    busy, most, lock = [0], [0], threading.Lock()

    def work(k):
        memory, table = jobs.words()
        with threads.team(2) as t:
            if t.size > 1:
                with lock:
                    busy[0] += 1
                    most[0] = max(most[0], busy[0])
            for _ in range(20):
                t.run(jobs.count().address, table, 3)
            time.sleep(1e-4)
            if t.size > 1:
                with lock:
                    busy[0] -= 1
        return t.size, memory[: 3 * jobs.LINE : jobs.LINE].tolist()

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(work, range(120)))
    assert most[0] == 1
    assert {size for size, _ in results} == {1, 2}
    assert all(counts == [20, 20, 20] for _, counts in results)


def test_a_function_of_an_address_is_called_from_python():
    memory, table = jobs.words()
    threads.function(jobs.count().address)(table, 3)
    assert memory[3 * jobs.LINE] == 1
    assert threads.function(jobs.count().address) is threads.function(jobs.count().address)


def test_denormals_are_zero_between_flush_and_restore_only():
    @numba.cfunc("void(int64, int64)")
    def halve(table, part):
        numba.carray(atomics_address(table), 1)[0] *= 0.5

    @numba.njit
    def both(function, table, flush):
        old = atomics.flush_denormals() if flush else 0
        atomics.call(function, table, 0)
        if flush:
            atomics.restore_denormals(old)

    for flush, expected in ((True, 0.0), (False, 1e-310)):
        number = np.array([2e-310])
        both(halve.address, number.ctypes.data, flush)
        assert number[0] == expected
    assert np.array([2e-310])[0] * 0.5 == 1e-310


@numba.extending.intrinsic
def atomics_address(typingctx, address):
    """The address as a pointer to float64."""

    def generate(context, builder, sig, args):
        return builder.inttoptr(args[0], context.get_value_type(sig.return_type))

    return numba.types.CPointer(numba.types.float64)(numba.types.int64), generate
