"""Arrays whose memory is used again are arrays like any other."""

import copy
import gc
import io
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

memory = pytest.importorskip("rnnkit_kernels.numba_cpu.memory", reason="needs the extra numba")

LARGE = 80_000  # float32: more than 256 KiB


@pytest.fixture(autouse=True)
def nothing_held():
    gc.collect()
    memory.release()
    yield
    memory.release()


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    shape=st.one_of(
        st.integers(0, 300_000),
        st.lists(st.integers(0, 60), max_size=4).map(tuple),
        st.tuples(st.integers(1, 40), st.integers(200, 700), st.integers(1, 9)),
    ),
    dtype=st.sampled_from(["f4", "f8", "i8", "?", "c16", "f2", ">f4", "u1", "S3", "O", "f4,i8"]),
)
def test_an_array_is_what_numpy_would_give(shape, dtype):
    array, plain = memory.empty(shape, dtype), np.empty(shape, dtype)
    assert type(array) is np.ndarray
    assert (array.shape, array.dtype, array.strides) == (plain.shape, plain.dtype, plain.strides)
    for flag in ("C_CONTIGUOUS", "WRITEABLE", "ALIGNED"):
        assert array.flags[flag] == plain.flags[flag]
    if array.nbytes >= 1 << 18 and np.dtype(dtype).kind in "biufc":
        assert array.ctypes.data % 64 == 0
    zeros = memory.zeros(shape, dtype)
    np.testing.assert_array_equal(zeros, np.zeros(shape, dtype))


@pytest.mark.parametrize("shape", [(-1, 5), (-300, -300), -7, (2.5, 3), "ab"])
def test_shapes_that_are_none_are_refused_as_by_numpy(shape):
    with pytest.raises((ValueError, TypeError)) as numpys:
        np.empty(shape, np.float32)
    with pytest.raises(numpys.type):
        memory.empty(shape, np.float32)


def test_memory_is_used_again_after_the_last_view_is_gone():
    array = memory.empty((LARGE,), np.float32)
    where = array.ctypes.data
    view = array.reshape(200, -1)[3:, ::2].T
    view[...] = 5
    del array
    other = memory.empty((LARGE,), np.float32)
    assert other.ctypes.data != where
    assert memory.held() == 0
    other.fill(1)
    assert (view == 5).all()
    del view
    assert memory.held() > 0
    again = memory.empty((50, LARGE // 100), np.float64)
    assert again.ctypes.data == where
    assert memory.held() == 0


def test_zeros_are_zero_in_memory_that_was_used_before():
    array = memory.empty((LARGE,), np.float32)
    where = array.ctypes.data
    array.fill(3)
    del array
    zeros = memory.zeros((LARGE,), np.float32)
    assert zeros.ctypes.data == where
    assert not zeros.any()


def test_copies_and_files_of_an_array_are_numbers_only():
    array = memory.zeros((300, 300), np.float32)
    array[7, 9] = 4
    for other in (copy.copy(array), copy.deepcopy(array), np.array(array)):
        np.testing.assert_array_equal(other, array)
        assert other.flags.owndata
    file = io.BytesIO()
    np.save(file, array)
    file.seek(0)
    np.testing.assert_array_equal(np.load(file, allow_pickle=False), array)


def test_arrays_made_one_after_the_other_begin_at_all_lines_of_a_page():
    arrays = [memory.empty((LARGE,), np.float32) for _ in range(64)]
    assert sorted(array.ctypes.data % 4096 for array in arrays) == [64 * line for line in range(64)]


def test_arrays_alive_at_once_share_no_memory():
    rng = np.random.default_rng(3)
    alive = {}
    for k in range(400):
        array = memory.empty(int(rng.integers(16_384, 60_000)), np.float32)
        array.fill(k)
        alive[k] = array
        if len(alive) > 12:
            gone = int(rng.choice(list(alive)))
            assert (alive.pop(gone) == gone).all()
    assert all((array == k).all() for k, array in alive.items())


def test_a_block_serves_arrays_of_at_least_four_fifths_of_its_size():
    pool = memory.Pool(1 << 30)
    blocks = [pool.take(size * 4096) for size in (100, 110, 200)]
    for block in blocks:
        pool.give(*block)
    assert pool.take(79 * 4096)[1] not in {address for _, address in blocks}
    assert pool.take(101 * 4096)[1] == blocks[1][1]
    assert pool.take(80 * 4096)[1] == blocks[0][1]
    assert pool.take(159 * 4096)[1] != blocks[2][1]
    assert pool.take(160 * 4096)[1] == blocks[2][1]
    assert pool.held() == 0


def test_of_blocks_of_one_size_the_last_one_used_is_taken():
    pool = memory.Pool(1 << 30)
    first, last = pool.take(1 << 20), pool.take(1 << 20)
    pool.give(*first)
    pool.give(*last)
    assert pool.take(1 << 20)[1] == last[1]
    assert pool.take(1 << 20)[1] == first[1]


def test_no_more_than_the_limit_is_held_and_the_oldest_goes_first():
    pool = memory.Pool(10 * 4096)
    blocks = [pool.take(size * 4096) for size in (4, 5, 3, 11)]
    for block in blocks:
        pool.give(*block)
        assert pool.held() <= pool.limit
    assert pool.held() == 8 * 4096
    assert pool.take(5 * 4096)[1] == blocks[1][1]
    assert pool.take(3 * 4096)[1] == blocks[2][1]


def test_the_limit_of_this_process_is_a_quarter_gigabyte_at_most():
    assert 0 < memory._POOL.limit <= 256 << 20


def test_releasing_gives_everything_back():
    arrays = [memory.empty((LARGE + 5000 * k,), np.float32) for k in range(5)]
    del arrays
    assert memory.held() >= 5 * 4 * LARGE
    memory.release()
    assert memory.held() == 0


def test_an_array_that_dies_while_the_list_is_held_goes_to_it_afterwards():
    pool = memory.Pool(1 << 30)
    first, second = pool.take(1 << 20), pool.take(1 << 20)
    assert pool._lock.acquire(blocking=False)
    pool.give(*first)  # a finaliser in the very thread that holds the list
    inside = pool.take(1 << 20)  # and one that asks for memory
    pool._lock.release()
    assert inside[1] != first[1]
    assert pool.held() == 1 << 20
    pool.give(*second)
    assert {pool.take(1 << 20)[1], pool.take(1 << 20)[1]} == {first[1], second[1]}


def test_an_array_that_dies_while_another_is_made_is_not_left_over(monkeypatch):
    pool = memory.Pool(1 << 30)
    dying, find = [pool.take(1 << 20)], pool._find

    def interrupted(size):
        if dying:
            pool.give(*dying.pop())
        return find(size)

    monkeypatch.setattr(pool, "_find", interrupted)
    pool.take(1 << 21)
    assert not pool._given
    assert pool.held() == 1 << 20


def test_arrays_in_a_cycle_die_with_it():
    cycle = [memory.empty((LARGE,), np.float32)]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert memory.held() > 0


def test_many_threads_make_and_drop_arrays_and_nothing_is_lost():
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for k in range(300):
            array = memory.empty(int(rng.integers(16_384, 40_000)), np.float32)
            array.fill(seed * 1000 + k)
            copies = [array[1:], array[:5]]
            time.sleep(0)
            if not (array == seed * 1000 + k).all():
                wrong.append((seed, k))
            del array, copies

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool = memory._POOL
    assert not wrong
    assert not pool._given
    assert pool._bytes == sum(size for size, _ in pool._sizes) == sum(r.nbytes - 4096 for r, _ in pool._blocks.values())
