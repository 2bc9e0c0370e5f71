"""Schedules: shape, range, equality, and what they refuse. Their numbers: `test_optimizers_peers.py`."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnkit
from rnnkit import schedules
from rnnkit.optimizers import SGD
from rnnkit.optimizers import schedules as as_in_keras

ARGUMENTS = {
    "Constant": {"learning_rate": 0.1},
    "PiecewiseConstantDecay": {"boundaries": [3, 8], "values": [0.1, 0.05, 0.01]},
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10},
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 10},
    "OneCycle": {"max_learning_rate": 0.1, "total_steps": 10},
}
EACH = pytest.mark.parametrize("schedule", [schedules.ALL[k](**v) for k, v in ARGUMENTS.items()], ids=repr)


def test_the_tables_have_every_schedule():
    assert set(ARGUMENTS) == set(schedules.ALL)
    assert all(kind.__name__ == name for name, kind in schedules.ALL.items())


def test_the_module_is_where_keras_has_it_with_the_same_classes():
    assert rnnkit.schedules is schedules
    assert as_in_keras.__all__ == schedules.__all__
    assert all(getattr(as_in_keras, name) is getattr(schedules, name) for name in schedules.__all__)


@EACH
@settings(max_examples=30, deadline=None, derandomize=True)
@given(iteration=st.integers(0, 10**7))
def test_a_rate_is_a_float_between_zero_and_the_highest(schedule, iteration):
    rate = schedule(iteration)
    assert type(rate) is float
    assert 0 <= rate <= 0.1
    assert schedule(np.int64(iteration)) == rate


@EACH
def test_a_schedule_is_a_frozen_value(schedule):
    again = type(schedule)(**{f.name: getattr(schedule, f.name) for f in dataclasses.fields(schedule)})
    assert again == schedule
    assert hash(again) == hash(schedule)
    with pytest.raises(dataclasses.FrozenInstanceError):
        schedule.learning_rate = 1.0


@EACH
def test_numbers_of_numpy_are_read_as_plain_numbers(schedule):
    def of_numpy(value):
        return [np.float64(v) for v in value] if isinstance(value, tuple) else np.float64(value)

    given_ = {name: getattr(schedule, name) for name in ARGUMENTS[type(schedule).__name__]}
    made = type(schedule)(**{name: of_numpy(value) for name, value in given_.items()})
    assert made == schedule
    assert type(made(3)) is float
    flat = [v for name in given_ for v in np.ravel(getattr(made, name)).tolist()]
    assert {type(v) for v in flat} <= {int, float}
    assert all(type(getattr(made, name)) in (int, float, tuple) for name in given_)


def test_piecewise_values_end_with_their_boundary():
    schedule = schedules.PiecewiseConstantDecay([2, 5], [3, 2, 1])
    assert [schedule(n) for n in range(8)] == [3, 3, 3, 2, 2, 2, 1, 1]
    assert schedules.PiecewiseConstantDecay([], [0.5])(7) == 0.5


def test_a_staircase_falls_once_a_period():
    for kind in (schedules.ExponentialDecay, schedules.InverseTimeDecay):
        rates = [kind(1.0, 4, 0.5, staircase=True)(n) for n in range(12)]
        smooth = [kind(1.0, 4, 0.5)(n) for n in range(12)]
        assert [len(set(rates[k : k + 4])) for k in (0, 4, 8)] == [1, 1, 1]
        assert rates[::4] == smooth[::4]
        assert all(a > b for a, b in pairwise(smooth))


def test_a_polynomial_decay_ends_or_begins_a_longer_path():
    assert schedules.PolynomialDecay(1.0, 10, 0.2)(25) == 0.2
    cycle = schedules.PolynomialDecay(1.0, 10, 0.2, cycle=True)
    assert cycle(0) == 1.0
    assert cycle(10) == cycle(20) == 0.2
    assert cycle(11) == pytest.approx(0.2 + 0.8 * 9 / 20, rel=1e-15)
    assert schedules.PolynomialDecay(1.0, 10, 0.2, power=0)(10) == 1.0


def test_a_warmup_leads_up_to_its_target_and_the_cosine_down_from_there():
    schedule = schedules.CosineDecay(0.0, 8, alpha=0.25, warmup_target=0.4, warmup_steps=4)
    assert [schedule(n) for n in range(5)] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4], rel=1e-15)
    assert schedule(8) == pytest.approx(0.4 * (0.75 / 2 + 0.25), rel=1e-15)
    assert schedule(12) == schedule(500) == 0.4 * 0.25


def test_one_cycle_has_its_peak_where_it_says_and_stays_at_its_end():
    schedule = schedules.OneCycle(1.0, 20, pct_start=0.3, div_factor=10, final_div_factor=100)
    rates = [schedule(n) for n in range(30)]
    assert rates[0] == pytest.approx(0.1, rel=1e-15)
    assert np.argmax(rates) == 5
    assert rates[5] == 1
    assert set(rates[19:]) == {0.1 / 100}
    assert schedules.OneCycle(1.0, 10, pct_start=0.1)(0) == 1  # a peak at iteration 0 has no way up
    assert schedules.OneCycle(1.0, 1)(0) == pytest.approx(1 / 25 / 1e4, rel=1e-12)


@pytest.mark.parametrize("name", schedules.ALL)
def test_a_number_out_of_range_is_refused(name):
    kind, good = schedules.ALL[name], ARGUMENTS[name]
    for field in dataclasses.fields(kind):
        if field.name in ("boundaries", "values", "staircase", "cycle"):
            continue
        for wrong in (-0.5, math.nan, math.inf):
            with pytest.raises(ValueError, match=rf"{field.name} is {wrong}, expected a (whole )?number"):
                kind(**good | {field.name: wrong})
        with pytest.raises(TypeError, match=f"{field.name} is 'much', expected a number"):
            kind(**good | {field.name: "much"})


@pytest.mark.parametrize("wrong", [0, 2.5])
def test_steps_are_whole_numbers_from_one_up(wrong):
    for make in (lambda n: schedules.ExponentialDecay(0.1, n, 0.5), lambda n: schedules.OneCycle(0.1, n)):
        with pytest.raises(ValueError, match=rf"_steps is {wrong}, expected a whole number of steps from 1 up"):
            make(wrong)
    assert schedules.CosineDecay(0.1, 1e4).decay_steps == 10_000


def test_what_is_no_number_or_no_flag_is_refused():
    for wrong in (None, True, "0.1"):
        with pytest.raises(TypeError, match=f"initial_learning_rate is {wrong!r}, expected a number"):
            schedules.ExponentialDecay(wrong, 100, 0.5)
        with pytest.raises(TypeError, match=f"decay_rate is {wrong!r}, expected a number"):
            schedules.ExponentialDecay(0.1, 100, wrong)
    with pytest.raises(TypeError, match="staircase is 'yes', expected True or False"):
        schedules.ExponentialDecay(0.1, 100, 0.5, "yes")
    with pytest.raises(TypeError, match="cycle is 2, expected True or False"):
        schedules.PolynomialDecay(0.1, 100, cycle=2)


@EACH
def test_the_number_of_an_iteration_may_be_one_of_numpy(schedule):
    for kind in (np.int32, np.uint32, np.int64, np.uint64):
        assert [schedule(kind(n)) for n in range(40)] == [schedule(n) for n in range(40)]


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValueError, match="2 boundaries and 2 values are given, expected one value more"):
        schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2])
    with pytest.raises(ValueError, match=r"boundaries are \[5.0, 5.0\], expected numbers that rise strictly"):
        schedules.PiecewiseConstantDecay([5, 5], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match=r"values\[1\] is -0.2, expected a number in \[0, inf\)"):
        schedules.PiecewiseConstantDecay([5], [0.1, -0.2])
    with pytest.raises(ValueError, match="warmup_steps is 10 and warmup_target is None: give the rate"):
        schedules.CosineDecay(0.1, 100, warmup_steps=10)
    with pytest.raises(ValueError, match=r"pct_start is 1.5, expected a number in \[0, 1\]"):
        schedules.OneCycle(0.1, 10, pct_start=1.5)
    for name in ("div_factor", "final_div_factor"):
        with pytest.raises(ValueError, match=rf"{name} is 0, expected a number in \(0, inf\)"):
            schedules.OneCycle(0.1, 10, **{name: 0})


@EACH
def test_an_optimizer_asks_its_schedule_with_the_steps_done_before(schedule):
    opt, params = SGD(schedule), [np.zeros(1)]
    state, rates = opt.init(params), []
    for _ in range(12):
        moved, state = opt.step(params, [-np.ones(1)], state)
        rates.append(float(moved[0][0]))
    assert rates == [schedule(n) for n in range(12)]
