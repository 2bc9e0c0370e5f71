"""Truncated BPTT: pieces, states carried on, gradients cut; and what `fit(tbptt=)` does with them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import example

from rnnkit import Context, Sequential, gradcheck, layers
from rnnkit.batches import checked
from rnnkit.layers import GRU, LSTM, Activation, Dense, Dropout, SimpleRNN
from rnnkit.optimizers import SGD
from rnnkit.truncation import pieces

FEW = settings(max_examples=15, deadline=None, derandomize=True)


def data(T=7, B=3, F=2, out=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((B, T, F)), rng.standard_normal((B, T, out))


def stepwise_model(**options):
    stack = [LSTM(3, return_sequences=True), GRU(2, return_sequences=True), Dense(1)]
    model = Sequential(stack, dtype="float64", seed=1, **options)
    model.compile(SGD(0.1), "mse")
    model.build((None, None, 2))
    return model


@pytest.mark.parametrize("name", [n for n, kind in layers.ALL.items() if issubclass(kind, layers.Recurrent)])
@pytest.mark.parametrize("length", [1, 3, 7, 20])
def test_the_truncated_gradient_is_that_of_the_truncated_objective(name, length):
    x, y = data()
    model = Sequential([example(name, return_sequences=True), Dense(1)], dtype="float64", seed=1)
    mask = np.random.default_rng(2).random(x.shape[:2]) < 0.8
    report = gradcheck(model, x, y, mask=mask, tbptt=length, elements=60)
    assert report, report


def test_a_gradient_that_was_not_cut_fails_that_check():
    x, y = data()
    model = stepwise_model()

    class Leaky(Sequential):
        """Hands a piece's first state on with its gradient still attached: what truncation must not do."""

        def run(self, x, ctx, carried=None):
            y, mask, back = super().run(x, ctx, carried)
            return y, mask, lambda dy: ([{k: 1.01 * w for k, w in p.items()} for p in back(dy)[0]], back(dy)[1])

    wrong = Leaky(model.layers, dtype="float64", seed=1)
    assert not gradcheck(wrong, x, y, tbptt=3, elements=60)


def test_cut_and_whole_gradients_differ_and_a_piece_as_long_as_the_sequence_is_the_whole():
    x, y = data()
    runs = {}
    for length in (None, 7, 50, 3):
        model = stepwise_model()
        model.fit(x, y, batch_size=3, verbose=0, tbptt=length)
        runs[length] = model.get_weights()
    for length in (7, 50):
        for a, b in zip(runs[None], runs[length], strict=True):
            np.testing.assert_array_equal(a, b)
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(runs[None], runs[3], strict=True))


def test_each_piece_is_a_step_of_the_optimizer_from_the_state_the_one_before_ended_in():
    x, y = data()
    model, hand = stepwise_model(), stepwise_model()
    model.fit(x, y, batch_size=3, shuffle=False, verbose=0, tbptt=3)
    assert model.optimizer_state["iterations"] == 3
    carried, rate = {}, 0.1
    for steps in (slice(0, 3), slice(3, 6), slice(6, 7)):
        out, _, back = hand.run(x[:, steps], Context(), carried)
        _, dy = hand.loss(out, y[:, steps])
        hand.params = [
            {k: w - rate * g[k] for k, w in p.items()} for p, g in zip(hand.params, back(dy)[0], strict=True)
        ]
    for a, b in zip(model.get_weights(), hand.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


def test_with_one_target_a_sequence_only_its_last_piece_learns():
    x, y = data()
    model = Sequential([SimpleRNN(3), Dense(1)], dtype="float64", seed=1)
    model.compile(SGD(0.1), "mse")
    model.fit(x, y[:, 0], batch_size=3, verbose=0, tbptt=3)
    assert model.optimizer_state["iterations"] == 1
    other = Sequential([SimpleRNN(3), Dense(1)], dtype="float64", seed=1)
    other.build((None, None, 2))
    carried = {}
    other.run(x[:, :6], Context(), carried)
    out, _, back = other.run(x[:, 6:], Context(), carried)
    dparams, _ = back(2 * (out - y[:, 0]) / out.size)
    for layer, p, d in zip(model.params, other.params, dparams, strict=True):
        for k in layer:
            np.testing.assert_allclose(layer[k], p[k] - 0.1 * d[k], rtol=1e-13, atol=1e-15)


@FEW
@given(length=st.integers(1, 9), T=st.integers(1, 8), seed=st.integers(0, 99))
def test_the_pieces_are_the_batch(length, T, seed):
    x, y = data(T, seed=seed)
    rng = np.random.default_rng(seed)
    mask, weight = rng.random((3, T)) < 0.6, rng.random((3, T))
    model = stepwise_model()
    batch = checked(model.form, x, y, mask=mask, sample_weight=weight, reset=~mask)
    cut = list(pieces(model, batch, length))
    for name in ("x", "y", "mask", "reset", "sample_weight"):
        np.testing.assert_array_equal(np.concatenate([getattr(p, name) for p in cut], axis=1), getattr(batch, name))
    assert all(p.x.shape[1] <= length for p in cut)


def test_the_loss_of_an_epoch_counts_every_step_once():
    x, y = data()
    model = stepwise_model()
    model.compile(SGD(0.0), "mse", ["mae"])
    whole = model.evaluate(x, y)
    history = model.fit(x, y, batch_size=3, verbose=0, tbptt=3).history
    assert history["loss"][0] == pytest.approx(whole["loss"], rel=1e-12)
    assert history["mae"][0] == pytest.approx(whole["mae"], rel=1e-12)


@pytest.mark.parametrize("length", [1, 3, 5])
def test_with_a_mask_the_loss_of_an_epoch_counts_every_real_step_once(length):
    x, y = data()
    mask = np.arange(7) < np.array([2, 7, 4])[:, None]
    model = stepwise_model()
    model.compile(SGD(0.0), "mse", ["mae"])
    whole = model.evaluate(x, y, mask=mask)
    history = model.fit(x, y, mask=mask, batch_size=3, verbose=0, tbptt=length).history
    assert history["loss"][0] == pytest.approx(whole["loss"], rel=1e-12)
    assert history["mae"][0] == pytest.approx(whole["mae"], rel=1e-12)
    nothing = model.fit(x, y, mask=np.zeros_like(mask), verbose=0, tbptt=length).history
    assert nothing["loss"] == [0.0]


@pytest.mark.parametrize("stateful", [False, True])
def test_what_stands_behind_the_end_of_time_reads_the_end_of_the_last_piece_alone(stateful):
    x, _ = data()
    y = np.random.default_rng(4).standard_normal((3, 2, 1))
    decoder = [layers.RepeatVector(2), GRU(3, return_sequences=True, stateful=stateful), Dense(1)]
    model = Sequential([LSTM(3), *decoder], dtype="float64", seed=1)
    model.compile(SGD(0.0), "mse")
    losses = {k: model.fit(x, y, verbose=0, tbptt=k).history["loss"] for k in (None, 3) if not model.reset_states()}
    assert losses[3] == pytest.approx(losses[None], rel=1e-12)
    model.reset_states()
    assert gradcheck(model, x, y, tbptt=3, elements=60)


def test_running_statistics_see_every_piece():
    x, y = data(6)
    model = Sequential([layers.BatchNormalization(momentum=0.5), SimpleRNN(2), Dense(1)], dtype="float64", seed=1)
    model.compile(SGD(0.1), "mse")
    model.fit(x, y[:, 0], verbose=0, shuffle=False, tbptt=2)
    mean = np.zeros(2)
    for steps in (slice(0, 2), slice(2, 4), slice(4, 6)):
        mean = 0.5 * mean + 0.5 * x[:, steps].mean(axis=(0, 1))
    np.testing.assert_allclose(model.params[0]["moving_mean"], mean, rtol=1e-12)


def test_a_piece_that_overflows_is_named_with_its_step():
    x, y = data(6)
    x = np.zeros_like(x)
    x[1, 3] = 1e200
    model = Sequential([SimpleRNN(3, "linear"), Dense(1)], dtype="float64", seed=1)
    model.compile("sgd", "mse")
    model.build((None, 6, 2))
    model.set_weights([1e200 * (w != 0) for w in model.get_weights()])
    before = model.params
    where = (
        r"batch 1, piece 2, first in layer 0 SimpleRNN, .* sample 1 of the batch, step 1, .* as the piece before left"
    )
    with pytest.raises(FloatingPointError, match=where):
        model.fit(x, y[:, 0], shuffle=False, verbose=0, tbptt=2)
    for now, old in zip(model.params, before, strict=True):
        for name in old:
            np.testing.assert_array_equal(now[name], old[name])


def test_a_weight_for_each_row_holds_for_all_its_pieces():
    x, y = data()
    weight = np.array([0.5, 2.0, 1.0])
    found = []
    for given_weight in (weight, weight[:, None], np.repeat(weight[:, None], 7, axis=1)):
        model = stepwise_model()
        model.fit(x, y, sample_weight=given_weight, batch_size=3, shuffle=False, verbose=0, tbptt=3)
        found.append(model.get_weights())
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


def test_stateful_layers_go_on_over_batches_and_others_begin_anew():
    x, y = data(6)
    stack = [GRU(3, return_sequences=True, stateful=True), SimpleRNN(2, return_sequences=True), Dense(1)]
    model = Sequential(stack, dtype="float64", seed=1)
    model.compile(SGD(0.0), "mse")
    model.fit(x, y, batch_size=3, verbose=0, tbptt=2)
    assert list(model.states) == [0]
    fresh = Sequential(stack, dtype="float64", seed=1)
    fresh.predict(x)
    np.testing.assert_allclose(model.states[0]["h"], fresh.states[0]["h"], rtol=1e-13)


def test_what_cannot_be_cut_is_refused_by_name():
    x, y = data()
    for stack, sentence in [
        ([LSTM(2, return_sequences=True, go_backwards=True), Dense(1)], "layer 0 LSTM looks beyond a piece"),
        ([Dense(2), layers.Conv1D(2, 3, padding="causal"), Dense(1)], "layer 1 Conv1D looks beyond a piece"),
    ]:
        model = Sequential(stack)
        model.compile("sgd", "mse")
        with pytest.raises(ValueError, match=sentence):
            model.fit(x, y, verbose=0, tbptt=3)
    model = stepwise_model()
    with pytest.raises(ValueError, match="tbptt is a whole number from 1 up, got 0"):
        model.fit(x, y, verbose=0, tbptt=0)
    with pytest.raises(ValueError, match=r"tbptt needs a target for each of the 7 steps; got y \(3, 1\)"):
        model.fit(x, y[:, 0], verbose=0, tbptt=3)
    dense = Sequential([Dense(1)])
    dense.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"tbptt cuts sequences in pieces; x \(3, 2\) has no steps"):
        dense.fit(x[:, 0], y[:, 0], verbose=0, tbptt=2)


def test_layers_that_treat_each_step_by_itself_may_stand_between():
    x, y = data()
    stack = [Activation("tanh"), SimpleRNN(3, return_sequences=True), Dropout(0.2), Dense(1)]
    model = Sequential(stack, seed=0)
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(x, y, verbose=0, tbptt=2).history["loss"]).all()


def test_a_piece_without_a_real_step_moves_nothing():
    x, y = data()
    runs = []
    for inputs, target in ((x, y), (np.concatenate([x, 0 * x], axis=1), np.concatenate([y, y], axis=1))):
        model = stepwise_model()
        model.compile(SGD(0.1, momentum=0.9, weight_decay=0.1), "mse", ["mae"])
        options = {"lengths": [7, 7, 7], "epochs": 2, "batch_size": 3, "shuffle": False, "verbose": 0}
        history = model.fit(inputs, target, tbptt=7, **options)
        runs.append((model.optimizer_state["iterations"], model.get_weights(), history.history))
    assert runs[0][0] == runs[1][0] == 2
    for a, b in zip(runs[0][1], runs[1][1], strict=True):
        np.testing.assert_array_equal(a, b)
    for name, values in runs[0][2].items():
        assert values == pytest.approx(runs[1][2][name], rel=1e-12)
