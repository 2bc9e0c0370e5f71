"""Masks, lengths, lists of samples of different length, and weights of classes, through fit, evaluate and predict."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit import Sequential
from rnnkit.batches import Form, checked
from rnnkit.layers import (
    GRU,
    LSTM,
    Bidirectional,
    Conv1D,
    Dense,
    Input,
    MaxPooling1D,
    Residual,
    SimpleRNN,
    TimeDistributed,
)
from rnnkit.optimizers import SGD

FEW = settings(max_examples=20, deadline=None, derandomize=True)
FORM = Form(np.dtype(float), np.dtype(float), 3)


def a_model(per_step=False, **options):
    stack = [LSTM(3, return_sequences=True), GRU(3, return_sequences=per_step), Dense(1)]
    model = Sequential(stack, dtype="float64", seed=1, **options)
    model.compile(SGD(0.1), "mse", ["mae"])
    return model


@st.composite
def ragged(draw):
    """Samples of different length, a target for each step and one for each sample."""
    lengths = draw(st.lists(st.integers(1, 6), min_size=2, max_size=5).filter(lambda n: len(set(n)) > 1))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    x = [rng.standard_normal((n, 2)) for n in lengths]
    return x, [rng.standard_normal((n, 1)) for n in lengths], rng.standard_normal((len(x), 1))


@FEW
@given(ragged())
def test_a_list_of_samples_gives_what_each_sample_gives_alone(case):
    x, _, _ = case
    model = a_model()
    together = model.predict(x)
    for k, sample in enumerate(x):
        np.testing.assert_allclose(together[k], model.predict(sample[None])[0], rtol=1e-12, atol=1e-14)


@FEW
@given(ragged())
def test_lists_lengths_and_masks_are_three_spellings_of_one_thing(case):
    x, y, last = case
    lengths = np.array([len(s) for s in x])
    T = lengths.max()
    mask = np.arange(T) < lengths[:, None]
    whole = np.full((len(x), T, 2), np.nan)
    targets = np.full((len(x), T, 1), np.nan)
    for k, n in enumerate(lengths):
        whole[k, :n], targets[k, :n] = x[k], y[k]
    for per_step, given_y, full_y in ((True, y, targets), (False, last, last)):
        runs = []
        for arguments in ((x, given_y, {}), (whole, full_y, {"lengths": lengths}), (whole, full_y, {"mask": mask})):
            model = a_model(per_step)
            history = model.fit(*arguments[:2], epochs=2, batch_size=2, verbose=0, **arguments[2]).history
            numbers = model.evaluate(*arguments[:2], **arguments[2])
            runs.append((history, numbers, model.get_weights()))
        for history, numbers, weights in runs[1:]:
            assert history == runs[0][0]
            assert numbers == runs[0][1]
            for a, b in zip(weights, runs[0][2], strict=True):
                np.testing.assert_array_equal(a, b)


@FEW
@given(ragged())
def test_loss_and_metrics_count_real_steps_only(case):
    x, y, _ = case
    model = a_model(per_step=True)
    numbers = model.evaluate(x, y)
    errors = np.concatenate([model.predict(s[None])[0] - t for s, t in zip(x, y, strict=True)])
    assert numbers["loss"] == pytest.approx(np.mean(errors**2), rel=1e-12)
    assert numbers["mae"] == pytest.approx(np.mean(np.abs(errors)), rel=1e-12)


def test_samples_of_one_length_are_samples_too_and_a_list_of_batches_stays_one():
    model = a_model()
    x = np.random.default_rng(0).standard_normal((3, 4, 2))
    np.testing.assert_array_equal(model.predict(list(x)), model.predict(x))
    np.testing.assert_array_equal(
        model.predict([x[:2], x[2:]]), np.concatenate([model.predict(x[:2]), model.predict(x[2:])])
    )
    assert (
        a_model().fit(list(x), np.ones((3, 1)), verbose=0).history
        == a_model().fit(x, np.ones((3, 1)), verbose=0).history
    )


def test_validation_split_and_batches_keep_lengths_with_their_rows():
    rng = np.random.default_rng(3)
    x = [rng.standard_normal((n, 2)) for n in (5, 2, 4, 1, 3)]
    y = [rng.standard_normal((len(s), 1)) for s in x]
    model = a_model(per_step=True)
    model.compile(SGD(0.0), "mse")
    history = model.fit(x, y, validation_split=0.4, verbose=0).history
    assert history["val_loss"][0] == pytest.approx(model.evaluate(x[3:], y[3:])["loss"], rel=1e-12)
    assert history["loss"][0] == pytest.approx(model.evaluate(x[:3], y[:3])["loss"], rel=1e-12)


def test_a_reset_begins_a_row_anew():
    model = a_model(per_step=True)
    x = np.random.default_rng(0).standard_normal((2, 6, 2))
    reset = np.zeros((2, 6), bool)
    reset[0, 3] = True
    y = model.predict(x, reset=reset)
    np.testing.assert_allclose(y[0, :3], model.predict(x[:1, :3])[0], rtol=1e-12)
    np.testing.assert_allclose(y[0, 3:], model.predict(x[:1, 3:])[0], rtol=1e-12)
    np.testing.assert_allclose(y[1], model.predict(x[1:])[0], rtol=1e-12)
    np.testing.assert_array_equal(model.forward(x, reset=reset)[0], y)
    targets = np.zeros((2, 6, 1))
    assert model.evaluate(x, targets, reset=reset)["loss"] == pytest.approx(np.mean(y**2), rel=1e-12)
    other = a_model(per_step=True)
    other.fit(x, targets, reset=reset, verbose=0)
    again = a_model(per_step=True)
    again.fit(x, targets, verbose=0)
    assert np.abs(other.get_weights()[0] - again.get_weights()[0]).max() > 1e-6


# Weights of classes


@pytest.mark.parametrize(
    "y",
    [np.array([0, 2, 1, 2]), np.array([[0], [2], [1], [2]]), np.eye(3)[[0, 2, 1, 2]]],
    ids=["(B,)", "(B, 1)", "one-hot"],
)
def test_a_class_weight_is_the_weight_of_its_samples(y):
    found = checked(FORM, np.zeros((4, 2, 1)), y, class_weight={0: 0.5, 2: 3.0}).sample_weight
    np.testing.assert_array_equal(found, [0.5, 3.0, 1.0, 3.0])


def test_labels_at_each_step_have_a_weight_at_each_step():
    y = np.array([[[0], [1]], [[1], [1]]])
    found = checked(FORM, np.zeros((2, 2, 1)), y, class_weight={1: 2.0}).sample_weight
    np.testing.assert_array_equal(found, [[1, 2], [2, 2]])


def test_fit_with_class_weights_is_fit_with_their_sample_weights():
    x, y = np.random.default_rng(0).standard_normal((4, 3, 2)), np.array([[0.0], [1.0], [1.0], [0.0]])
    runs = []
    for options in ({"class_weight": {1: 5.0}}, {"sample_weight": np.array([1.0, 5.0, 5.0, 1.0])}):
        model = a_model()
        model.fit(x, y, verbose=0, **options)
        runs.append(model.get_weights())
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_class_weights_do_not_weigh_what_validation_split_holds_out_and_sample_weights_do():
    x, y = np.random.default_rng(0).standard_normal((6, 3, 2)), np.array([[0.0], [1.0], [1.0], [0.0], [1.0], [1.0]])

    def held_out(**options):
        model = a_model()
        model.compile(SGD(0.0), "mse")
        return model.fit(x, y, verbose=0, validation_split=0.5, **options).history["val_loss"]

    assert held_out(class_weight={1: 5.0}) == held_out()
    assert held_out(sample_weight=np.full(6, 5.0))[0] == pytest.approx(5 * held_out()[0], rel=1e-12)


def test_weighted_metrics_see_the_sample_weights_and_metrics_do_not():
    x, y, weight = (
        np.random.default_rng(0).standard_normal((4, 3, 2)),
        np.arange(4.0)[:, None],
        np.array([1.0, 0, 0, 3]),
    )
    model = a_model()
    model.compile("sgd", "mse", ["mae"], weighted_metrics=["mae", "mse"])
    numbers = model.evaluate(x, y, sample_weight=weight)
    error = (model.predict(x) - y)[:, 0]
    assert list(numbers) == ["loss", "mae", "weighted_mae", "mse"]
    assert numbers["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-12)
    assert numbers["weighted_mae"] == pytest.approx((np.abs(error) * weight).sum() / 4, rel=1e-12)
    assert numbers["mse"] == pytest.approx((error**2 * weight).sum() / 4, rel=1e-12)
    assert numbers["loss"] == pytest.approx((error**2 * weight).sum() / 4, rel=1e-12)


# Refusals


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"lengths": [3, 2]}, r"lengths are whole numbers, one for each row of x \(4, 3, 2\); got \(2,\)"),
        ({"lengths": [1.0, 2, 3, 3]}, "lengths are whole numbers.*float64"),
        ({"lengths": [1, 2, 3, 4]}, "lengths go from 0 to the 3 steps of x; got 1 to 4"),
        ({"lengths": [1, 2, 3, -1]}, "lengths go from 0 to the 3 steps of x; got -1 to 3"),
        ({"lengths": [1, 2, 3, 3], "mask": np.ones((4, 3), bool)}, "mask and lengths both say which steps are real"),
        ({"class_weight": {0: 1.0}, "sample_weight": np.ones(4)}, "class_weight and sample_weight both weigh"),
        ({"class_weight": {0: 1.0}}, "class_weight needs labels that are whole numbers"),
        ({"reset": np.ones((4, 2), bool)}, r"the reset is \(batch, time\) = \(4, 3\)"),
    ],
)
def test_what_does_not_go_together_is_refused(options, sentence):
    x, y = np.zeros((4, 3, 2)), np.full((4, 1), 0.5)
    with pytest.raises(ValueError, match=sentence):
        a_model().fit(x, y, verbose=0, **options)


def test_class_weights_and_resets_of_the_wrong_kind_are_refused():
    x, y = np.zeros((4, 3, 2)), np.zeros((4, 1))
    with pytest.raises(TypeError, match="class_weight is a dict of class -> weight"):
        a_model().fit(x, y, verbose=0, class_weight=[1.0, 2.0])
    with pytest.raises(TypeError, match="reset is made of float64, expected bool, True where a row begins anew"):
        a_model().fit(x, y, verbose=0, reset=np.ones((4, 3)))


def test_lists_of_samples_are_refused_where_they_do_not_fit_together():
    x = [np.zeros((3, 2)), np.zeros((2, 2))]
    with pytest.raises(ValueError, match="sample 1 has 2 steps in x and 1 in y; expected a target for each step"):
        a_model(per_step=True).fit(x, [np.zeros((3, 1)), np.zeros((1, 1))], verbose=0)
    with pytest.raises(ValueError, match="x is a list of samples, whose lengths are known"):
        a_model().fit(x, np.zeros((2, 1)), verbose=0, lengths=[3, 2])
    with pytest.raises(ValueError, match=r"x: sample 1 has shape \(2, 3\), expected \(steps, 2\)"):
        a_model().predict([np.zeros((3, 2)), np.zeros((2, 3))])


def test_an_empty_sample_is_a_row_without_a_real_step():
    model = Sequential([SimpleRNN(2)], dtype="float64")
    y = model.predict([np.ones((2, 1)), np.ones((0, 1))])
    np.testing.assert_array_equal(y[1], [0, 0])


def test_two_metrics_of_one_name_are_told_apart():
    model = a_model()
    model.compile("sgd", "mse", ["mae", "mae", "mse"], weighted_metrics=["mae", "mae"])
    numbers = model.evaluate(np.zeros((2, 3, 2)), np.ones((2, 1)))
    assert list(numbers) == ["loss", "mae", "mae_1", "mse", "weighted_mae", "weighted_mae_1"]


# Where rows begin anew


def test_behind_a_layer_that_reads_backwards_rows_begin_anew_where_they_should():
    stack = [GRU(3, return_sequences=True, go_backwards=True), LSTM(2, return_sequences=True)]
    model = Sequential(stack, dtype="float64", seed=1)
    x = np.random.default_rng(0).standard_normal((1, 6, 2))
    reset = np.zeros((1, 6), bool)
    reset[0, 4] = True
    y = model.predict(x, reset=reset)
    np.testing.assert_allclose(y[:, :2], model.predict(x[:, 4:]), rtol=1e-12)
    np.testing.assert_allclose(y[:, 2:], model.predict(x[:, :4]), rtol=1e-12)


@pytest.mark.parametrize(
    "stack",
    [
        [Bidirectional(GRU(3, return_sequences=True)), LSTM(2, return_sequences=True)],
        [Residual([Dense(2), LSTM(2, return_sequences=True)]), Dense(3), SimpleRNN(2, return_sequences=True)],
        [TimeDistributed(Dense(3)), SimpleRNN(2, return_sequences=True)],
    ],
    ids=lambda stack: type(stack[0]).__name__,
)
def test_rows_that_begin_anew_are_sequences_of_their_own_through_layers_made_of_layers(stack):
    model = Sequential(stack, dtype="float64", seed=1)
    x = np.random.default_rng(0).standard_normal((1, 6, 2))
    reset = np.zeros((1, 6), bool)
    reset[0, [2, 5]] = True
    parts = [model.predict(x[:, s]) for s in (slice(0, 2), slice(2, 5), slice(5, 6))]
    np.testing.assert_allclose(model.predict(x, reset=reset), np.concatenate(parts, axis=1), rtol=1e-12)


def test_a_layer_that_looks_across_the_places_where_rows_begin_anew_is_refused():
    reset = np.zeros((2, 4), bool)
    for layer in (Conv1D(2, 2, padding="causal"), Residual([Conv1D(2, 2, padding="causal")]), MaxPooling1D(2)):
        model = Sequential([layer, LSTM(2)], seed=0)
        with pytest.raises(ValueError, match="looks across the steps where a row begins anew"):
            model.predict(np.zeros((2, 4, 2)), reset=reset)


@pytest.mark.parametrize(
    "first", [Dense(3), TimeDistributed(Dense(2)), Residual([SimpleRNN(2, return_sequences=True)])]
)
def test_a_list_of_samples_is_known_by_the_shape_the_model_was_built_for(first):
    rng = np.random.default_rng(0)
    x = [rng.standard_normal((n, 2)) for n in (2, 5)]
    model = Sequential([Input((None, 2)), first, GRU(3)], dtype="float64", seed=1)
    alone = np.concatenate([model.predict(sample[None]) for sample in x])
    np.testing.assert_allclose(model.predict(x), alone, rtol=1e-12)


def test_an_empty_sample_may_come_first():
    batch = checked(Form(np.dtype(np.int64), np.dtype(float), 2), [[], [1, 2]], [[], [[0.5], [0.25]]])
    np.testing.assert_array_equal(batch.mask, [[False, False], [True, True]])
    np.testing.assert_array_equal(batch.y, [[[0], [0]], [[0.5], [0.25]]])


def test_lists_that_do_not_go_together_are_refused_in_a_sentence():
    x = [np.ones((2, 1)), np.ones((3, 1))]
    with pytest.raises(ValueError, match="x has 2 samples and y 3: expected one for each"):
        checked(FORM, x, [*x, np.ones((9, 1))])
    with pytest.raises(TypeError, match="a sample is a list of steps that differ in length"):
        checked(FORM, [[[1, 2], [3]], [[1, 2]]])


def test_behind_a_mask_targets_may_be_anything_also_with_weights_of_classes():
    x, y = np.ones((2, 3, 1)), np.array([[[0.0], [1], [np.nan]], [[1], [np.inf], [np.nan]]])
    mask = np.isfinite(y[..., 0])
    batch = checked(FORM, x, y, mask=mask, class_weight={0: 2.0, 1: 3.0})
    assert np.isfinite(batch.y).all()
    np.testing.assert_array_equal(batch.sample_weight[mask], [2, 3, 3])


def test_new_beginnings_may_be_a_list_of_the_same_lengths():
    batch = checked(FORM, [np.ones((2, 1)), np.ones((3, 1))], reset=[[False, True], [True, False, True]])
    np.testing.assert_array_equal(batch.reset, [[False, True, False], [True, False, True]])
