"""Training: histories, callbacks, interruptions, seeds, what goes wrong and how it is told."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit import Sequential, losses, trees
from rnnkit.callbacks import Callback
from rnnkit.layers import GRU, LSTM, Activation, Dense, Dropout, SimpleRNN
from rnnkit.optimizers import SGD, Adam, RMSprop

FEW = settings(max_examples=8, deadline=None, derandomize=True)


def data(rows=10, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, 4, 2)), rng.standard_normal((rows, 1))


def made(optimizer="adam", loss="mse", metrics=("mae",), seed=0, stack=None, **options):
    """A small compiled model in float64."""
    stack = stack or [LSTM(3), Dense(1)]
    model = Sequential(stack, **({"dtype": "float64", "seed": seed} | options))
    model.compile(optimizer, loss, metrics)
    return model


def equal(a, b):
    trees.map(np.testing.assert_array_equal, a, b)


class Diary(Callback):
    """Writes down what is called, and raises or stops where it is told to."""

    def __init__(self, at=None, stop=None):
        self.pages, self.at, self.stop = [], at, stop

    def write(self, entry, logs=None):
        self.pages.append(entry)
        if entry == self.at:
            raise KeyboardInterrupt
        if entry == self.stop:
            self.model.stop_training = True

    def on_train_begin(self, logs=None):
        self.write("begin")

    def on_epoch_begin(self, epoch, logs=None):
        self.write(f"epoch {epoch}")

    def on_train_batch_end(self, batch, logs=None):
        assert set(logs) == {"loss", "mae"}
        self.write(f"batch {batch}")

    def on_epoch_end(self, epoch, logs=None):
        self.logs = dict(logs)
        self.write(f"end of {epoch}")

    def on_train_end(self, logs=None):
        self.write("end")


# Histories


def test_a_history_has_keras_keys_in_keras_order():
    x, y = data()
    history = made().fit(x, y, epochs=3, validation_data=(x, y), verbose=0)
    assert list(history.history) == ["loss", "mae", "val_loss", "val_mae"]
    assert {len(v) for v in history.history.values()} == {3}
    assert history.epoch == [0, 1, 2]
    assert not history.interrupted
    named = made(metrics=["mean_absolute_error", "mse"]).fit(x, y, verbose=0)
    assert list(named.history) == ["loss", "mean_absolute_error", "mse"]
    assert repr(named).startswith("History(1 epochs: loss ")


def test_the_loss_of_an_epoch_is_weighted_by_rows():
    x, y = data(10)
    model = made(SGD(0.0))  # nothing moves, so that every batch meets the same model
    history = model.fit(x, y, batch_size=4, verbose=0).history
    out = model.predict(x)
    assert history["loss"][0] == pytest.approx(np.mean((out - y) ** 2), rel=1e-12)
    assert history["mae"][0] == pytest.approx(np.mean(np.abs(out - y)), rel=1e-12)
    assert model.evaluate(x, y, batch_size=3) == pytest.approx({k: v[0] for k, v in history.items()}, rel=1e-12)


def test_metrics_and_losses_count_real_steps_only():
    rng = np.random.default_rng(1)
    x, y, mask = rng.standard_normal((5, 4, 2)), rng.standard_normal((5, 4, 1)), rng.random((5, 4)) < 0.6
    y[~mask] = np.nan
    model = made(stack=[GRU(3, return_sequences=True), Dense(1)])
    out = model.predict(x, mask=mask)
    numbers = model.evaluate(x, y, mask=mask)
    assert numbers["mae"] == pytest.approx(np.abs(out - y)[mask].mean(), rel=1e-12)
    assert numbers["loss"] == pytest.approx(((out - y)[mask] ** 2).mean(), rel=1e-12)
    assert np.isfinite(model.fit(x, y, mask=mask, epochs=2, verbose=0).history["loss"]).all()


def test_training_goes_on_from_an_initial_epoch():
    x, y = data()
    one, two = made(), made()
    whole = one.fit(x, y, epochs=4, verbose=0)
    first, second = two.fit(x, y, epochs=2, verbose=0), two.fit(x, y, initial_epoch=2, epochs=4, verbose=0)
    assert first.epoch + second.epoch == whole.epoch == [0, 1, 2, 3]
    assert first.history["loss"] + second.history["loss"] == whole.history["loss"]
    equal(one.params, two.params)
    equal(one.optimizer_state, two.optimizer_state)
    assert one.optimizer_state["iterations"] == 4
    assert two.fit(x, y, initial_epoch=4, epochs=4, verbose=0).epoch == []


def test_compiling_again_begins_the_optimizer_anew_and_keeps_the_weights():
    x, y = data()
    model = made()
    model.fit(x, y, epochs=2, verbose=0)
    weights = model.get_weights()
    model.compile("adam", "mse")
    assert model.optimizer_state is None
    equal(model.get_weights(), weights)
    model.fit(x, y, verbose=0)
    assert model.optimizer_state["iterations"] == 1


# The same batches, however they come


@FEW
@given(rows=st.integers(1, 9), size=st.integers(1, 5), seed=st.integers(0, 99))
def test_arrays_and_an_iterable_of_their_batches_train_alike(rows, size, seed):
    x, y = data(rows, seed)
    weight = np.random.default_rng(seed).random(rows)
    batches = [(x[k : k + size], y[k : k + size], weight[k : k + size]) for k in range(0, rows, size)]
    by_array, by_batches = made(), made()
    options = {"epochs": 2, "verbose": 0}
    first = by_array.fit(x, y, sample_weight=weight, batch_size=size, shuffle=False, **options)
    second = by_batches.fit(batches, **options)
    assert first.history == second.history
    equal(by_array.params, by_batches.params)
    assert by_array.evaluate(x, y, batch_size=size, sample_weight=weight) == by_batches.evaluate(batches)


@FEW
@given(rows=st.integers(4, 12), share=st.sampled_from([0.1, 0.25, 0.5]), shuffle=st.booleans())
def test_validation_split_holds_out_the_last_share(rows, share, shuffle):
    x, y = data(rows)
    weight, at = np.arange(1.0, rows + 1), int(rows * (1 - share))
    split, given_ = made(), made()
    options = {"epochs": 2, "batch_size": 3, "shuffle": shuffle, "verbose": 0}
    first = split.fit(x, y, validation_split=share, sample_weight=weight, **options)
    held_out = x[at:], y[at:], weight[at:]
    second = given_.fit(x[:at], y[:at], sample_weight=weight[:at], validation_data=held_out, **options)
    assert first.history == second.history
    equal(split.params, given_.params)


@pytest.mark.parametrize("shape", [(8,), (8, 4)])
def test_weights_of_one_are_no_weights(shape):
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((8, 4, 2)), rng.standard_normal((8, 4, 1))
    stack = [GRU(3, return_sequences=True), Dense(1)]
    plain, weighted = made(stack=stack), made(stack=stack)
    first = plain.fit(x, y, epochs=2, batch_size=3, verbose=0)
    second = weighted.fit(x, y, epochs=2, batch_size=3, verbose=0, sample_weight=np.ones(shape))
    assert first.history == second.history
    equal(plain.params, weighted.params)


def test_a_sample_of_weight_zero_has_no_part_in_the_gradient():
    x, y = data(5)
    model = made()
    weight = np.array([1.0, 1.0, 0.0, 1.0, 1.0])

    def gradient(x, y, weight=None):
        out, pullback = model.forward(x)
        return pullback(losses.MSE()(out, y, sample_weight=weight)[1])[0]

    kept = weight > 0
    weighted, without = gradient(x, y, weight), gradient(x[kept], y[kept])
    # The loss divides by the number of rows, five and four, as Keras does.
    trees.map(lambda a, b: np.testing.assert_allclose(a, b * 4 / 5, rtol=1e-11, atol=1e-15), weighted, without)


def test_validation_data_comes_as_arrays_or_as_batches():
    x, y = data()
    expected = None
    for given_ in ((x, y), [x, y], (x, y, np.ones(10)), [(x, y)], [(x[:5], y[:5]), (x[5:], y[5:])]):
        history = made().fit(x, y, validation_data=given_, verbose=0).history
        expected = expected or history["val_loss"][0]
        assert history["val_loss"][0] == pytest.approx(expected, rel=1e-12)
    lists = made().fit(x.tolist(), y.tolist(), validation_data=(x.tolist(), y.tolist()), verbose=0).history
    assert lists["val_loss"][0] == pytest.approx(expected, rel=1e-12)


def test_one_batch_is_one_step_and_tells_the_loss_before_it():
    x, y = data()
    model, other = made(), made()
    before = model.evaluate(x, y)
    assert model.train_on_batch(x, y) == pytest.approx(before, rel=1e-12)
    other.fit(x, y, batch_size=10, shuffle=False, verbose=0)
    equal(model.params, other.params)
    assert model.evaluate(x, y)["loss"] < before["loss"]


# Seeds


def test_a_seed_decides_a_whole_run_and_another_seed_another():
    x, y = data()
    stack = [LSTM(3, dropout=0.2, recurrent_dropout=0.2, return_sequences=True), Dropout(0.3), GRU(2), Dense(1)]

    def run(seed, dtype="float64"):
        model = made(stack=stack, seed=seed, dtype=dtype)
        return model.fit(x, y, batch_size=3, epochs=3, verbose=0).history, model.get_weights()

    (first, weights), (second, again), (third, _) = run(5), run(5), run(6)
    assert first == second
    equal(weights, again)
    assert first != third
    # In float32 the same order and the same masks, so the same run within a thousand roundings of 6e-8.
    np.testing.assert_allclose(run(5, "float32")[0]["loss"], first["loss"], rtol=6e-5)


def test_shuffling_changes_the_order_of_samples_from_epoch_to_epoch_and_nothing_else():
    x, y = data(6)
    seen = []

    class Peek(Activation):
        def __call__(self, params, x, ctx=None):
            seen.append(x[:, 0, 0].copy())
            return super().__call__(params, x)

    model = made(stack=[Peek(), LSTM(2), Dense(1)])
    model.fit(x, y, epochs=2, batch_size=4, verbose=0)
    epochs = np.concatenate(seen).reshape(2, 6)
    for order in epochs:
        assert sorted(order) == sorted(x[:, 0, 0])
    assert (epochs[0] != epochs[1]).any()
    seen.clear()
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0)
    np.testing.assert_array_equal(np.concatenate(seen), x[:, 0, 0])
    assert [len(s) for s in seen] == [4, 2]


# Callbacks, and the end of a run


def test_callbacks_are_called_in_order_with_the_numbers():
    x, y = data(5)
    diary = Diary()
    model = made()
    history = model.fit(x, y, epochs=2, batch_size=3, callbacks=[diary], verbose=0, validation_data=(x, y))
    batches = ["batch 0", "batch 1"]
    assert diary.pages == ["begin", "epoch 0", *batches, "end of 0", "epoch 1", *batches, "end of 1", "end"]
    assert diary.model is model
    assert diary.params == {"epochs": 2, "initial_epoch": 0, "steps": 2}
    assert diary.logs == {k: v[-1] for k, v in history.history.items()}


def test_a_callback_stops_training_after_its_epoch_or_within_it():
    x, y = data(9)
    diary = Diary(stop="end of 1")
    model = made()
    assert model.fit(x, y, epochs=9, callbacks=[diary], verbose=0).epoch == [0, 1]
    diary = Diary(stop="batch 1")
    history = model.fit(x, y, epochs=9, batch_size=2, callbacks=diary, verbose=0)
    assert history.epoch == [0]
    assert diary.pages == ["begin", "epoch 0", "batch 0", "batch 1", "end of 0", "end"]
    assert model.fit(x, y, epochs=2, callbacks=None, verbose=0).epoch == [0, 1]  # the wish is not kept


@pytest.mark.parametrize(("at", "epochs", "steps"), [("batch 1", 0, 2), ("end of 0", 1, 3), ("epoch 1", 1, 3)])
def test_an_interruption_keeps_model_and_history(at, epochs, steps):
    x, y = data(9)
    diary, model, other = Diary(at=at), made(), made()
    history = model.fit(x, y, epochs=5, batch_size=3, shuffle=False, callbacks=[diary], verbose=0)
    assert history.interrupted
    assert len(history.epoch) == epochs
    assert diary.pages[-1] == "end"
    for k in range(steps):
        other.train_on_batch(x[3 * k : 3 * k + 3], y[3 * k : 3 * k + 3])
    equal(model.params, other.params)
    equal(model.optimizer_state, other.optimizer_state)
    assert not model.fit(x, y, verbose=0).interrupted


def test_an_error_in_a_batch_leaves_the_model_as_the_batch_before_left_it():
    x, y = data(6)

    class Broken:
        names = ("broken",)
        calls = 0

        def __call__(self, y, target, *, sample_weight=None, mask=None):
            self.calls += 1
            if self.calls == 3:
                raise RuntimeError("broken")
            return losses.MSE()(y, target)

    stack = [GRU(3, stateful=True), Dense(1)]
    model, other = made(loss=Broken(), stack=stack), made(stack=stack)
    diary = Diary()
    with pytest.raises(RuntimeError, match="broken"):
        model.fit(x, y, batch_size=2, shuffle=False, callbacks=[diary], verbose=0)
    assert diary.pages[-1] == "end"
    for k in (0, 2):
        other.train_on_batch(x[k : k + 2], y[k : k + 2])
    equal(model.params, other.params)
    equal(model.optimizer_state, other.optimizer_state)
    equal(model.states[0], other.states[0])


# Numbers that stop being finite


def fails(model, x, y, sentence, **options):
    """Trains until it breaks; the message fits, and nothing has changed since the batch before."""
    parameters = []

    class Keep(Callback):
        def on_train_begin(self, logs=None):
            model.accept(np.shape(x))
            self.on_train_batch_end(-1)

        def on_train_batch_end(self, batch, logs=None):
            parameters[:] = [(model.params, model.optimizer_state)]

    with pytest.raises(FloatingPointError, match=sentence):
        model.fit(x, y, callbacks=[Keep()], verbose=0, shuffle=False, **options)
    assert model.params is parameters[0][0]
    assert model.optimizer_state is parameters[0][1]
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_a_number_that_overflows_on_the_way_forward_is_named():
    x, y = data(6)
    x = np.abs(x)
    x[4, 2, 1] = 1e300  # overflows in a product with a weight of 1e10
    stack = [SimpleRNN(2, return_sequences=True), SimpleRNN(3, "relu"), Dense(1)]
    model = made(stack=[Dense(2), *stack[1:]], metrics=())
    model.build((None, 4, 2))
    model.set_weights([np.full_like(w, 1e10) if w.shape == (2, 3) else np.ones_like(w) for w in model.get_weights()])
    sentence = (
        "inf in epoch 1, batch 2, first in layer 1 SimpleRNN, state h, sample 1 of the batch, step 2, unit 0 "
        r"\(forward\)\. The weights are as before this batch; try a smaller learning rate or clipnorm\."
    )
    fails(model, x, y, sentence, batch_size=3)
    gates = made(stack=[GRU(2, "exponential"), Dense(1)], metrics=())
    gates.build((None, 4, 2))
    gates.set_weights([1000 * np.ones_like(w) for w in gates.get_weights()])
    fails(gates, x[:3], y[:3], r"inf in epoch 1, batch 1, first in layer 0 GRU, gate n, sample 0 of the batch, step 0")


def test_what_overflows_before_a_recurrence_is_not_blamed_on_it():
    x, y = data(4)
    x[3, 1, 0] = 1e5
    model = made(stack=[Dense(2, "exponential", kernel_initializer="ones"), LSTM(2), Dense(1)])
    fails(
        model,
        x,
        y,
        r"inf in epoch 1, batch 1, first in layer 1 LSTM, its input, sample 3 of the batch, step 1, feature 0",
    )


def test_a_gradient_that_overflows_on_the_way_back_is_named():
    x, y = data(4)
    model = made(stack=[SimpleRNN(2, "linear"), Dense(1)], loss="mae", metrics=())
    model.build((None, 4, 2))
    W, _, b, V, a = model.get_weights()
    # Forward the unit that grows stays zero; on the way back it is met at every step.
    model.set_weights([0 * W, np.array([[1e200, 0], [0, 0]]), b, np.ones_like(V), a])
    at = r"gate h, sample 0 of the batch, step 1, unit 0 \(backward\)"
    fails(model, x, y, rf"-?inf in epoch 1, batch 1, first in layer 0 SimpleRNN, {at}")


def test_a_gradient_of_a_layer_without_steps_is_named_too():
    x, y = np.full((3, 2), 1e200), np.zeros((3, 1))
    model = made(stack=[Dense(2, "tanh"), Dense(1)], loss="mae", metrics=())
    model.build((None, 2))
    W, b, V, a = model.get_weights()
    model.set_weights([0 * W, b, np.full_like(V, 1e200), a])
    fails(model, x, y + 1, r"the gradient of W of layer 0 Dense stopped being finite in epoch 1, batch 1 \(backward\)")


def test_a_learning_rate_that_is_far_too_large_ends_in_a_sentence():
    x, y = data()
    for dtype in ("float32", "float64"):
        model = made(SGD(1e200), stack=[SimpleRNN(3, "relu", return_sequences=True), LSTM(2), Dense(1)], dtype=dtype)
        with pytest.raises(FloatingPointError, match=r"in epoch \d+, batch 1.*try a smaller learning rate or clipnorm"):
            model.fit(x, y, epochs=50, verbose=0)


def test_the_loss_itself_may_be_what_overflows():
    x, y = data(4)
    fails(made(metrics=()), x, y * 1e200, r"the loss became inf in epoch 1, batch 1 \(forward\)\. The weights")


def test_behind_a_mask_there_may_be_anything():
    x, y = data(6)
    mask = np.array([[True, True, False, False]] * 6)
    spoiled = np.where(mask[..., None], x, np.nan)
    for first in (
        Dense(2, "tanh"),
        Dropout(0.2),
        LSTM(2, dropout=0.2, return_sequences=True),
        Activation("exponential"),
    ):
        runs = []
        for given_ in (spoiled, np.where(mask[..., None], x, 0)):
            model = made(stack=[first, GRU(3), Dense(1)])
            history = model.fit(given_, y, mask=mask, epochs=2, verbose=0).history
            runs.append((history, model.get_weights()))
        assert runs[0][0] == runs[1][0]
        equal(runs[0][1], runs[1][1])


# What is said, and where


def test_a_run_says_nothing_a_bar_or_a_line_an_epoch_on_standard_error(capsys):
    x, y = data()

    def said(verbose):
        made().fit(x, y, epochs=2, verbose=verbose, validation_data=(x, y))
        out, err = capsys.readouterr()
        assert out == ""
        return err

    assert said(0) == said("auto") == ""  # nobody watches
    assert "epoch 2/2" in said(1)
    lines = said(2).splitlines()
    assert [line.split()[:2] for line in lines] == [["epoch", "1/2"], ["epoch", "2/2"]]
    assert all(re.search(r"loss \S+ mae \S+ val_loss \S+ val_mae \S+$", line) for line in lines)
    model = made()
    for verbose, silent in ((0, True), (1, False)):
        model.predict(x, verbose=verbose)
        model.evaluate(x, y, verbose=verbose)
        out, err = capsys.readouterr()
        assert out == ""
        assert (err == "") == silent


# Refusals


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "sentence"),
    [
        ("x y", {"epochs": 1.5}, ValueError, "epochs is a whole number from 0 up, got 1.5"),
        ("x y", {"epochs": -1}, ValueError, "epochs is a whole number from 0 up, got -1"),
        ("x y", {"initial_epoch": "0"}, ValueError, "initial_epoch is a whole number from 0 up, got '0'"),
        ("x y", {"batch_size": 0}, ValueError, "batch_size is a whole number from 1 up, got 0"),
        ("x y", {"batch_size": True}, ValueError, "batch_size is a whole number from 1 up, got True"),
        ("x y", {"verbose": 7}, ValueError, "verbose is 'auto', 0, 1 or 2; got 7"),
        ("x y", {"callbacks": [3]}, TypeError, r"made from rnnkit\.callbacks\.Callback; got 3"),
        ("x y", {"callbacks": [Callback]}, TypeError, "write it with its brackets"),
        ("x y", {"validation_split": 1.0}, ValueError, r"validation_split is a share in \[0, 1\), got 1.0"),
        ("x y", {"validation_split": 0.95}, ValueError, "validation_split 0.95 of 6 samples leaves none to train on"),
        ("batches", {"validation_split": 0.2}, ValueError, "validation_split needs arrays x and y"),
        ("x y", {"validation_data": ([], [])}, ValueError, "the data set is empty"),
        ("x y", {"validation_data": []}, ValueError, "the data set is empty: it gave no batch"),
        ("x y", {"validation_data": ("x",)}, ValueError, r"a batch is \(x, y\) or \(x, y, sample_weight\)"),
        ("batches", {"sample_weight": np.ones(6)}, ValueError, "sample_weight goes with arrays; an iterable"),
        ("batches", {"mask": np.ones((6, 4), bool)}, ValueError, "mask goes with arrays; an iterable"),
        ("x y", {"mask": np.ones((6, 3), bool)}, ValueError, r"the mask is \(batch, time\) = \(6, 4\).*got \(6, 3\)"),
        ("x y", {"mask": np.ones((6, 4))}, TypeError, "mask is made of float64, expected bool"),
        ("x y", {"sample_weight": np.ones(5)}, ValueError, "one row a sample; got x: 6, y: 6, sample_weight: 5"),
        ("x y", {"sample_weight": np.ones((6, 4))}, ValueError, r"sample_weight \(6, 4\) does not lie over y \(6, 1\)"),
        ("x y", {"sample_weight": np.full(6, np.nan)}, ValueError, "sample_weight has nan at sample 0"),
        ("x", {}, ValueError, "y is missing: pass targets beside the array x, or an iterable of batches"),
        ("x 3", {}, ValueError, "y is a single number; expected an array whose first axis runs over samples"),
        ("x short", {}, ValueError, "every array has one row a sample; got x: 6, y: 4"),
        ("x words", {}, TypeError, "y is made of <U1, expected real numbers"),
        ("x infinite", {}, ValueError, r"y has inf at sample 2, feature 0 \(1 of 6 values are not finite\)"),
        ("spoiled y", {}, ValueError, r"x has nan at sample 1, step 2, feature 1 .*: fill or drop them, or mask"),
        ("none none", {}, ValueError, "the data set is empty: x, y have no samples"),
        ("flat y", {}, ValueError, r"got shape \(None, 4\); add the feature axis with x\[\.\.\., None\]"),
        ("x wide", {}, ValueError, r"target \(6, 3\) does not match y \(6, 1\)"),
        ("empty", {}, ValueError, "the data set is empty: it gave no batch"),
        ("alone", {}, ValueError, r"a batch is \(x, y\) or \(x, y, sample_weight\); got 1 part"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_on_is_refused_in_a_sentence(arguments, options, kind, sentence):
    x, y = data(6)
    spoiled, infinite = x.copy(), y.copy()
    spoiled[1, 2, 1], infinite[2] = np.nan, np.inf
    words = {"x": x, "y": y, "batches": [(x, y)], "short": y[:4], "words": list("abcdef"), "infinite": infinite}
    words |= {"spoiled": spoiled, "none": x[:0], "flat": x[:, :, 0], "wide": np.ones((6, 3)), "empty": [], "3": 3.0}
    words |= {"alone": [(x,)]}
    if options.get("validation_data") == ("x",):
        options = {"validation_data": (x,)}
    model = made()
    with pytest.raises(kind, match=sentence):
        model.fit(*(words[name] for name in arguments.split()), **({"verbose": 0} | options))
    if model.built and "validation_data" not in options:  # batches for validation are looked at after an epoch
        fresh = made()
        fresh.build((None, 4, 2))
        equal(model.params, fresh.params)


def test_a_generator_that_is_used_up_is_named_as_that():
    x, y = data()
    model = made()
    with pytest.raises(ValueError, match="the batches ran out after one pass: a generator can be gone through once"):
        model.fit(((x, y) for _ in range(3)), epochs=2, verbose=0)
    assert model.optimizer_state["iterations"] == 3
    assert made().fit(((x, y) for _ in range(3)), verbose=0).epoch == [0]


def test_an_uncompiled_model_says_what_it_needs():
    x, y = data()
    model = Sequential([LSTM(2), Dense(1)])
    for call in (model.fit, model.evaluate, model.train_on_batch):
        with pytest.raises(ValueError, match=r"does not know its loss; call model\.compile\(optimizer, loss\) first"):
            call(x, y)
    model.compile("adam")
    with pytest.raises(ValueError, match="does not know its loss"):
        model.fit(x, y)


def test_bad_batches_of_an_iterable_are_refused_when_they_come():
    x, y = data()
    spoiled = y.copy()
    spoiled[3] = np.nan
    model = made()
    with pytest.raises(ValueError, match="y has nan at sample 3, feature 0"):
        model.fit([(x, y), (x, spoiled)], verbose=0)
    assert model.optimizer_state["iterations"] == 1


@pytest.mark.parametrize("optimizer", [SGD(0.1, momentum=0.5), RMSprop(0.01), Adam(0.05)], ids=str)
def test_every_optimizer_learns_to_remember_a_first_step(optimizer):
    x = np.random.default_rng(0).choice([-1.0, 1.0], size=(64, 5, 1))
    model = made(optimizer, stack=[GRU(8), Dense(1)], dtype="float32", metrics=())
    history = model.fit(x, x[:, 0], epochs=25, batch_size=8, verbose=0).history["loss"]
    assert history[-1] < 0.3 * history[0]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"epochs": -1}, "epochs is"), ({"tbptt": 0, "epochs": 0}, "tbptt is"), ({"verbose": 7}, "7")],
)
def test_a_wrong_option_is_refused_before_anything_begins(wrong, sentence):
    x, y = data()
    model, diary = made(), Diary()
    kept = model.fit(x, y, verbose=0)
    with pytest.raises(ValueError, match=sentence):
        model.fit(x, y, callbacks=[diary], **({"verbose": 0} | wrong))
    assert diary.pages == []
    assert model.history is kept


def test_a_batch_without_targets_is_refused():
    with pytest.raises(ValueError, match="y is missing"):
        made().train_on_batch(data()[0], None)


def test_a_reader_from_the_end_names_the_step_as_its_input_has_it():
    x, y = np.zeros((3, 5, 2)), np.zeros((3, 1))
    x[1, 3] = 1e200
    model = made(stack=[SimpleRNN(2, "linear", go_backwards=True), Dense(1)], metrics=())
    model.build((None, 5, 2))
    model.set_weights([1e200 * (w != 0) for w in model.get_weights()])
    with pytest.raises(FloatingPointError, match=r"sample 1 of the batch, step 3, unit 0 \(forward\)"):
        model.fit(x, y, shuffle=False, verbose=0)
