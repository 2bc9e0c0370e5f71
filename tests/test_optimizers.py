"""Optimizers as pure functions, and at the border. Their numbers: `test_optimizers_peers.py`."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peers import optimizers_cases as cases
from peers.optimizers_cases import slopes, start

from rnnkit import optimizers, schedules, trees
from rnnkit.optimizers import SGD, Adagrad, Adam, AdamW, Nadam, RMSprop

OPTIONS = [
    SGD(),
    SGD(0.1, momentum=0.9, nesterov=True, clipvalue=0.5),
    RMSprop(),
    RMSprop(momentum=0.5, centered=True, global_clipnorm=1.0),
    Adam(clipnorm=1.0),
    Adam(amsgrad=True, weight_decay=0.01),
    AdamW(),
    Nadam(),
    Adagrad(schedules.ExponentialDecay(0.1, 50, 0.9)),
]
EACH = pytest.mark.parametrize("opt", OPTIONS, ids=str)
EVERY = pytest.mark.parametrize("rule", optimizers.ALL)


def test_the_table_has_every_optimizer():
    assert {type(opt) for opt in OPTIONS} == set(optimizers.ALL)


@EACH
def test_a_nesting_does_not_change_a_step(opt):
    params, grads = ([tree["W"], ({"b": tree["b"]}, [])] for tree in (start(), slopes(1)))
    got, state = opt.step(params, grads, opt.init(params))
    want, _ = opt.step(start(), slopes(1), opt.init(start()))
    trees.same_structure(got, params, *(state[name] for name in opt.slots))
    np.testing.assert_array_equal(got[0], want["W"])
    np.testing.assert_array_equal(got[1][0]["b"], want["b"])


@EACH
def test_gradients_are_matched_by_key_not_by_order(opt):
    turned = dict(reversed(slopes(1).items()))
    got, _ = opt.step(start(), turned, opt.init(start()))
    want, _ = opt.step(start(), slopes(1), opt.init(start()))
    assert list(got) == ["W", "b"]
    trees.map(np.testing.assert_array_equal, got, want)


@EACH
@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from([np.float32, np.float64]))
def test_a_step_writes_into_nothing_it_was_given(opt, seed, dtype):
    rng = np.random.default_rng(seed)
    params = [rng.normal(size=(2, 3)).astype(dtype), {"b": rng.normal(size=3).astype(dtype)}]
    grads = [rng.normal(size=(2, 3)).astype(dtype), {"b": rng.normal(size=3).astype(dtype)}]
    _, state = opt.step(params, grads, opt.init(params))
    before = copy.deepcopy((params, grads, state))
    for leaf in trees.leaves((params, grads, [state[name] for name in opt.slots])):
        leaf.setflags(write=False)
    new, after = opt.step(params, grads, state)
    trees.map(np.testing.assert_array_equal, before, (params, grads, state))
    assert not any(np.shares_memory(a, b) for a in trees.leaves(new) for b in trees.leaves((params, grads)))
    again, _ = opt.step(params, grads, state)
    trees.map(np.testing.assert_array_equal, new, again)
    assert after["iterations"] == 2
    assert after.keys() == state.keys() == opt.init(params).keys()
    for name in opt.slots:
        trees.same_structure(params, after[name])


@pytest.mark.parametrize(("kind", "options"), cases.OPTIMIZERS, ids=str)
def test_float32_parameters_stay_float32_and_near_float64(kind, options):
    # NumPy scalars would promote, were they not read as floats; so would float64 gradients.
    def of_numpy(value):
        return value if isinstance(value, bool) else np.float64(value)

    options = {name: value for name, value in options.items() if not isinstance(value, tuple)}
    plain = getattr(optimizers, kind)(**options)
    opt = getattr(optimizers, kind)(**{name: of_numpy(value) for name, value in options.items()})
    assert opt == plain
    want, params = start(), trees.map(lambda leaf: leaf.astype(np.float32), start())
    wide, state = plain.init(want), opt.init(params)
    for t in range(5):
        want, wide = plain.step(want, slopes(t), wide)
        params, state = opt.step(params, slopes(t), state)
        kept = [part for part in state.values() if isinstance(part, dict)]
        assert {leaf.dtype for leaf in trees.leaves((params, kept))} == {np.dtype("float32")}
    for name, leaf in params.items():
        # A dozen roundings of 6e-8 in each of five steps; 1 - rho and v - a^2 lose another digit.
        np.testing.assert_allclose(leaf, want[name], rtol=1e-5, atol=1e-6)


def test_clipping_scales_only_what_is_too_long():
    grads = {"W": np.array([3.0, 4.0]), "b": np.array([0.0, 12.0]), "z": np.zeros(2)}
    params = trees.map(np.zeros_like, grads)

    def clipped(**options):
        opt = SGD(1.0, **options)
        return trees.map(np.negative, opt.step(params, grads, opt.init(params))[0])

    assert trees.map(list, clipped(clipnorm=6.0)) == {"W": [3, 4], "b": [0, 6], "z": [0, 0]}
    assert trees.map(list, clipped(global_clipnorm=6.5)) == {"W": [1.5, 2], "b": [0, 6], "z": [0, 0]}
    assert trees.map(list, clipped(global_clipnorm=13.5)) == {"W": [3, 4], "b": [0, 12], "z": [0, 0]}
    assert trees.map(list, clipped(clipvalue=3.5)) == {"W": [3, 3.5], "b": [0, 3.5], "z": [0, 0]}


def test_the_two_biases_of_a_gru_are_clipped_as_the_one_array_that_keras_has():
    grads = [{"W": np.array([6.0]), "b": np.array([3.0]), "b_h": np.array([4.0])}, {"b": np.array([3.0])}]
    grads.append({"forward.b": np.array([6.0]), "forward.b_h": np.array([8.0]), "backward.b": np.array([4.0])})
    params, opt = trees.map(np.zeros_like, grads), SGD(1.0, clipnorm=2.5)
    moved, _ = opt.step(params, grads, opt.init(params))
    assert trees.map(lambda p: -p.item(), moved) == [
        {"W": 2.5, "b": 1.5, "b_h": 2.0},
        {"b": 2.5},
        {"forward.b": 1.5, "forward.b_h": 2.0, "backward.b": 2.5},
    ]


@pytest.mark.parametrize("clipping", ["clipnorm", "global_clipnorm"])
def test_a_float32_gradient_whose_square_overflows_is_still_clipped(clipping):
    params, grads = [np.zeros(2, np.float32)], [np.array([3e30, 4e30], np.float32)]
    opt = SGD(1.0, **{clipping: 1.0})
    np.testing.assert_allclose(opt.step(params, grads, opt.init(params))[0][0], [-0.6, -0.8], rtol=1e-6)


@EVERY
def test_the_state_is_plain(rule):
    opt = rule(gradient_accumulation_steps=2)
    params = [start(), {}]
    state = opt.init(params)
    for t in range(4):
        assert state["iterations"] == t
        trees_kept = {name for name, part in state.items() if isinstance(part, list)}
        assert trees_kept == {*opt.slots, "gradient_accumulator"}
        assert {type(part) for name, part in state.items() if name not in trees_kept} <= {int, float}
        params, state = opt.step(params, [slopes(t), {}], state)
    assert params[1] == {}


@EVERY
def test_a_rate_can_be_replaced_between_two_steps(rule):
    params = start()
    opt = rule(0.5, gradient_accumulation_steps=3)
    _, state = opt.step(params, slopes(0), opt.init(params))
    slower = dataclasses.replace(opt, learning_rate=0.25)
    assert slower == rule(0.25, gradient_accumulation_steps=3)
    assert set(slower.init(params)) == set(state)
    with pytest.raises(dataclasses.FrozenInstanceError):
        opt.learning_rate = 0.25


@EVERY
def test_with_a_rate_of_zero_nothing_moves(rule):
    params = start()
    opt = rule(schedules.Constant(0.0))
    moved, _ = opt.step(params, slopes(0), opt.init(params))
    trees.map(np.testing.assert_array_equal, moved, params)


@EVERY
@pytest.mark.parametrize("clipping", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_accumulated_gradients_make_one_step_along_their_mean(rule, clipping):
    options = {"learning_rate": 0.1, "weight_decay": 0.01, clipping: 0.5}
    opt, single = rule(**options, gradient_accumulation_steps=3), rule(**options)
    params = want = start()
    state, one = opt.init(params), single.init(want)
    for step in range(3):
        grads = [slopes(3 * step + k) for k in range(3)]
        for g in grads[:2]:
            before = {name: state[name] for name in (*opt.slots, *opt.numbers)}
            moved, state = opt.step(params, g, state)
            trees.map(np.testing.assert_array_equal, moved, params)
            assert all(state[name] is before[name] for name in before)
        params, state = opt.step(params, grads[2], state)
        want, one = single.step(want, trees.map(lambda a, b, c: (a + b + c) / 3, *grads), one)
        assert not any(leaf.any() for leaf in trees.leaves(state["gradient_accumulator"]))
    # The sum of three is rounded in another order: an eps of 2e-16 each, times what a quotient of small numbers adds.
    trees.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), params, want)
    assert (state["iterations"], one["iterations"]) == (9, 3)


def test_a_schedule_counts_every_batch_and_is_asked_when_the_parameters_move():
    asked = []
    opt = SGD(lambda n: asked.append(n) or 0.1, gradient_accumulation_steps=2)
    params, state = start(), opt.init(start())
    for t in range(6):
        params, state = opt.step(params, slopes(t), state)
    assert asked == [1, 3, 5]


def test_a_rate_of_numpy_from_a_schedule_does_not_promote():
    opt, params = SGD(lambda n: np.float64(0.1)), [np.ones(2, np.float32)]
    assert opt.step(params, params, opt.init(params))[0][0].dtype == np.float32


def test_the_root_of_amsgrad_never_shrinks():
    opt, params = Adam(amsgrad=True, beta_2=0.5), [np.zeros(3)]
    state, largest = opt.init(params), np.zeros(3)
    for t in range(8):
        params, state = opt.step(params, [np.array([1.0, -2.0, 3.0]) / (t + 1)], state)
        largest = np.maximum(largest, state["velocity"][0])
        np.testing.assert_array_equal(state["velocity_hat"][0], largest)
    assert (largest > state["velocity"][0]).all()


def test_a_centered_variance_that_rounds_below_zero_stays_finite():
    opt = RMSprop(centered=True, rho=0.5)
    params, grads = [np.zeros(50, np.float32)], [np.linspace(1e3, 2e3, 50, dtype=np.float32)]
    state = opt.init(params)
    for _ in range(60):  # a constant gradient: v and a^2 meet
        params, state = opt.step(params, grads, state)
    assert np.isfinite(params[0]).all()


@EACH
def test_a_quadratic_is_descended(opt):
    params = trees.map(lambda leaf: leaf.copy(), start())
    state, length = opt.init(params), lambda: sum(float(np.square(p).sum()) for p in trees.leaves(params))
    before = length()
    for _ in range(200):
        params, state = opt.step(params, params, state)
    assert length() < before
