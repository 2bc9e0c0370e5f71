"""Constraints: what they leave, what they make, and what they refuse. Numbers: `test_optimizers_peers.py`."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnkit
from rnnkit import constraints
from rnnkit.constraints import MaxNorm, MinMaxNorm, NonNeg, UnitNorm

MADE = [MaxNorm(), MaxNorm(0.7, axis=-1), NonNeg(), UnitNorm(), UnitNorm((0, 1)), MinMaxNorm()]
MADE += [MinMaxNorm(0.5, 0.9, axis=1)]
SLOW = MinMaxNorm(0.5, 0.9, rate=0.25)
EACH = pytest.mark.parametrize("constraint", [*MADE, SLOW], ids=repr)
SEEDS = settings(max_examples=15, deadline=None, derandomize=True)


def weight(seed, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=(4, 3)).astype(dtype)


def test_the_table_has_every_constraint_and_the_package_has_the_module():
    assert {type(made) for made in MADE} == set(constraints.ALL.values())
    assert all(kind.__name__ == name for name, kind in constraints.ALL.items())
    assert rnnkit.constraints is constraints


@EACH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_weight_is_not_written_to_and_the_new_one_is_like_it(constraint, dtype):
    w = weight(0, dtype)
    w.setflags(write=False)
    before = w.copy()
    new = constraint(w)
    assert new.dtype == dtype
    assert new.shape == w.shape
    assert not np.shares_memory(new, w)
    np.testing.assert_array_equal(w, before)


@pytest.mark.parametrize("constraint", MADE, ids=repr)
@SEEDS
@given(seed=st.integers(0, 10**6))
def test_what_has_been_put_back_stays(constraint, seed):
    once = constraint(weight(seed))
    # Dividing by norm + 1e-7 takes away 1e-7 / norm of an entry, at most 1e-7 where entries are below the norm.
    np.testing.assert_allclose(constraint(once), once, rtol=0, atol=1.01e-7)


@EACH
def test_zeros_stay_zeros(constraint):
    assert not constraint(np.zeros((4, 3), np.float32)).any()


@SEEDS
@given(seed=st.integers(0, 10**6), limit=st.floats(0.1, 4), axis=st.sampled_from([0, 1, (0, 1)]))
def test_no_vector_is_longer_than_the_limit_and_short_ones_are_kept(seed, limit, axis):
    w = weight(seed)
    new = MaxNorm(limit, axis)(w)
    before, after = (np.sqrt((a * a).sum(axis=axis, keepdims=True)) for a in (w, new))
    assert (after <= limit).all()
    # The direction is kept, and up to 1e-7 the length, or the limit where the length was above it.
    np.testing.assert_allclose(after, np.minimum(before, limit), rtol=0, atol=1.01e-7)
    np.testing.assert_allclose(new * before, w * after, rtol=1e-12, atol=1e-15)


def test_norms_are_taken_along_the_axis():
    w = np.array([[3.0, 0.0], [4.0, 2.0]])
    np.testing.assert_allclose(UnitNorm()(w), [[0.6, 0], [0.8, 1]], rtol=1e-7)
    np.testing.assert_allclose(UnitNorm(axis=1)(w), [[1, 0], [4 / 20**0.5, 2 / 20**0.5]], rtol=1e-6)
    np.testing.assert_allclose(UnitNorm(axis=[0, 1])(w), w / 29**0.5, rtol=1e-7)
    np.testing.assert_allclose(MinMaxNorm(3, 4)(w), [[2.4, 0], [3.2, 3]], rtol=1e-6)
    np.testing.assert_allclose(MinMaxNorm(3, 4, rate=0.5)(w), [[2.7, 0], [3.6, 2.5]], rtol=1e-6)
    np.testing.assert_array_equal(NonNeg()(np.array([-1.0, 0.0, 2.0])), [0, 0, 2])


def test_a_gentle_constraint_comes_closer_each_time():
    w = 5 * weight(1)
    for _ in range(100):
        w = SLOW(w)
    # The distance shrinks to 3/4 in each step, 1e-11 after a hundred; and each of them takes away up to 1e-7.
    np.testing.assert_allclose(np.sqrt((w * w).sum(axis=0)), 0.9, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("max_norm", MaxNorm(2, 0)),
        ("MaxNorm", MaxNorm()),
        ("non_neg", NonNeg()),
        ("NonNeg", NonNeg()),
        ("unit_norm", UnitNorm(0)),
        ("min_max_norm", MinMaxNorm(0, 1, 1, 0)),
    ],
)
def test_a_constraint_is_found_by_name(name, made):
    assert constraints.get(name) == made


def test_a_constraint_is_found_by_class_or_as_itself():
    for made in MADE:
        assert constraints.get(made) is made
        assert constraints.get(type(made)) == type(made)()
        again = type(made)(**dataclasses.asdict(made))
        assert again == made
        assert hash(again) == hash(made)
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.axis = 1
    assert constraints.get(np.tanh) is np.tanh
    assert UnitNorm([np.int64(0), 1]) == UnitNorm((0, 1))


def test_what_is_no_constraint_is_refused():
    with pytest.raises(ValueError, match="unknown constraint 'maxnrm'; did you mean 'maxnorm'"):
        constraints.get("maxnrm")
    for wrong in (2.0, None):
        with pytest.raises(TypeError, match="is no constraint: expected a name, an object or fn"):
            constraints.get(wrong)


@pytest.mark.parametrize("kind", [MaxNorm, UnitNorm, MinMaxNorm])
def test_a_wrong_axis_is_refused(kind):
    for wrong in (0.5, None, "in", (), True, (0, 1.0)):
        with pytest.raises(TypeError, match="expected a whole number, or a tuple of them"):
            kind(axis=wrong)
    with pytest.raises(ValueError, match=r"looks along an axis that a weight of shape \(3,\) does not have"):
        kind(axis=1)(np.ones(3))


def test_numbers_out_of_range_are_refused():
    for name in ("min_value", "max_value", "rate"):
        for wrong in (-1.0, math.nan, math.inf):
            with pytest.raises(ValueError, match=f"{name} is {wrong}, expected a number in"):
                MinMaxNorm(**{name: wrong})
    with pytest.raises(ValueError, match="max_value is -2, expected a number in"):
        MaxNorm(-2)
    with pytest.raises(ValueError, match=r"rate is 1.5, expected a number in \[0, 1\]"):
        MinMaxNorm(rate=1.5)
    with pytest.raises(ValueError, match=r"min_value is 2.0 and max_value 1.0, expected them in this order"):
        MinMaxNorm(2, 1)
    with pytest.raises(TypeError, match="max_value is 'two', expected a number"):
        MaxNorm("two")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("length", [1e-30, 1e19, 1e25, 1e38])
def test_a_vector_of_any_length_float32_can_hold_is_put_back(length, dtype):
    w = np.array([[0.6, 0], [0.8, 0]], dtype) * dtype(length)
    with np.errstate(over="raise", invalid="raise"):
        short, unit, half = MaxNorm(2.0)(w), UnitNorm()(w), MinMaxNorm(0.5, 1.0, rate=0.5)(w)
    assert short.dtype == unit.dtype == half.dtype == dtype
    if length > 1:
        np.testing.assert_allclose(short[:, 0], [1.2, 1.6], rtol=1e-6)
        np.testing.assert_allclose(unit[:, 0], [0.6, 0.8], rtol=1e-6)
        np.testing.assert_allclose(half[:, 0], np.array([0.3, 0.4]) * (1 + length), rtol=1e-6)
    assert not short[:, 1].any()
