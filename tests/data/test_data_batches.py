"""Passes over batches: every sample once, new orders, the same again from the same seed."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.data import timeseries_dataset_from_array, windowed_dataset


def course(n, batch, buffer, seed=0):
    return windowed_dataset(np.arange(n + 1.0), 1, batch, buffer, seed)


def keras(n, batch, shuffle, seed=0):
    return timeseries_dataset_from_array(np.arange(float(n)), np.arange(n), 1, 1, 1, batch, bool(shuffle), seed)


DATASETS = pytest.mark.parametrize("make", [course, keras])


def order(dataset):
    return np.concatenate([x for x, _ in dataset]).ravel().astype(int).tolist()


@DATASETS
@given(n=st.integers(2, 60), batch=st.integers(1, 20), buffer=st.integers(0, 70), seed=st.integers(0, 3))
def test_every_sample_comes_once_in_a_pass(make, n, batch, buffer, seed):
    dataset = make(n, batch, buffer, seed)
    for _ in range(2):
        assert sorted(order(dataset)) == list(range(n))


@DATASETS
@given(n=st.integers(2, 60), batch=st.integers(1, 20), buffer=st.integers(0, 70))
def test_all_batches_but_the_last_are_full(make, n, batch, buffer):
    dataset = make(n, batch, buffer)
    sizes = [len(x) for x, _ in dataset]
    assert len(sizes) == len(dataset) == -(-n // batch)
    assert sizes[:-1] == [batch] * (len(sizes) - 1)
    assert sum(sizes) == dataset.samples == n


@DATASETS
def test_every_pass_has_a_new_order_and_the_same_seed_repeats_them(make):
    one, two, other = make(200, 32, 200, 5), make(200, 32, 200, 5), make(200, 32, 200, 6)
    passes = [order(one) for _ in range(3)]
    assert passes[0] != passes[1] != passes[2] != passes[0]
    assert passes == [order(two) for _ in range(3)]
    assert order(other) != passes[0]


@DATASETS
def test_a_run_can_be_continued_at_a_later_pass(make):
    one, two = make(50, 8, 50), make(50, 8, 50)
    passes = [order(one) for _ in range(3)]
    two.passes = 2
    assert order(two) == passes[2]


@DATASETS
def test_without_a_seed_two_datasets_differ(make):
    assert order(make(200, 32, 200, None)) != order(make(200, 32, 200, None))


@DATASETS
def test_passes_that_run_at_the_same_time_do_not_disturb_each_other(make):
    expected = make(40, 8, 40)
    first, second = order(expected), order(expected)
    dataset = make(40, 8, 40)
    pairs = list(zip(dataset, dataset, strict=True))
    assert np.concatenate([x for (x, _), _ in pairs]).ravel().astype(int).tolist() == first
    assert np.concatenate([x for _, (x, _) in pairs]).ravel().astype(int).tolist() == second


@pytest.mark.parametrize("buffer", [0, None, 1])
def test_no_buffer_or_one_slot_keeps_the_order_of_time(buffer):
    assert order(course(30, 7, buffer)) == list(range(30))


@given(n=st.integers(1, 80), buffer=st.integers(1, 90), seed=st.integers(0, 5))
def test_a_sample_leaves_the_shuffle_buffer_only_after_it_came_in(n, buffer, seed):
    places = np.argsort(order(course(n, 8, buffer, seed)))
    assert (places >= np.arange(n) - buffer + 1).all()


def test_the_slots_of_the_shuffle_buffer_are_drawn_uniformly():
    # 4,000 first draws from 8 slots: each count is binomial with sd 20.9, so 120 away is below one chance in 10**7.
    dataset = course(20, 1, 8)
    firsts = [int(next(iter(dataset))[0][0, 0, 0]) for _ in range(4000)]
    counts = np.bincount(firsts, minlength=20)
    assert (abs(counts[:8] - 500) < 120).all()
    assert counts[8:].sum() == 0


def test_a_batch_is_the_callers_own():
    data, targets = np.zeros(20), np.zeros(20)
    for size in (4, None):
        for x, y in timeseries_dataset_from_array(data, targets, 3, batch_size=size):
            x += 1
            y += 1
    assert not data.any()
    assert not targets.any()


def test_windows_are_cut_batch_by_batch_and_never_all_at_once():
    data = np.zeros((20_000, 4))  # 640 kB; all windows of 500 steps would be 312 MB
    tracemalloc.start()
    for _ in timeseries_dataset_from_array(data, data[:, 0], 500, batch_size=16, shuffle=True):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6


def test_a_dataset_says_what_it_holds():
    assert repr(course(100, 32, 10)) == "Batches(100 windows of 1x1, batches of 32, (x, y))"
    assert (
        repr(timeseries_dataset_from_array(np.zeros(9), None, 4, batch_size=None))
        == "Batches(6 windows of 4, single, x)"
    )
