"""`Sequential`: listings of the course, building, forward and pullback, masks, states, weights, seeds, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import an_input, example
from test_layers import RECURRENT, Leaky, same

from rnnkit import Context, Sequential, gradcheck, layers, metrics, optimizers
from rnnkit.data import timeseries_dataset_from_array, windowed_dataset
from rnnkit.layers import GRU, LSTM, RNN, Activation, Dense, Dropout, Input, SimpleRNN
from rnnkit.optimizers import SGD, Adam, RMSprop

FEW = settings(max_examples=8, deadline=None, derandomize=True)


def wave(n=60):
    return np.sin(np.arange(n) / 5) + np.arange(n) / 100


def weights_equal(a, b):
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


# The course's listings, with their imports changed


def test_a_stack_on_windows_of_a_series_trains_with_huber_and_momentum():
    dataset = windowed_dataset(wave(), window_size=8, batch_size=16, shuffle_buffer=20)
    valid_dataset = windowed_dataset(wave(30), window_size=8, batch_size=16, shuffle_buffer=0)
    model = Sequential([SimpleRNN(100, return_sequences=True, input_shape=[None, 1]), SimpleRNN(100), Dense(1)], seed=0)
    assert sum(w.size for w in model.get_weights()) == 100 + 100 * 100 + 100 + 2 * 100 * 100 + 100 + 101
    optimizer = SGD(learning_rate=1.5e-6, momentum=0.9)
    model.compile(loss="huber", optimizer=optimizer, metrics=["mae"])
    history = model.fit(dataset, epochs=2, validation_data=valid_dataset, verbose=0)
    assert list(history.history) == ["loss", "mae", "val_loss", "val_mae"]
    assert history.epoch == [0, 1]
    assert history.history["loss"][1] < history.history["loss"][0]


def test_a_table_cut_by_keras_function_trains_a_gru_with_dropout():
    table = np.stack([wave(), np.cos(wave())], axis=1)
    options = {"sequence_length": 6, "batch_size": 8}
    train = timeseries_dataset_from_array(table[:40], table[6:40, 0], shuffle=True, seed=1, **options)
    valid = timeseries_dataset_from_array(table[40:], table[46:, 0], **options)
    model = Sequential(seed=0)
    model.add(Input(shape=(6, 2)))
    model.add(GRU(24, activation="swish", return_sequences=True))
    model.add(GRU(100, dropout=0.1, recurrent_dropout=0.1))
    model.add(Dense(1))
    assert model.output_shape == (None, 1)
    model.compile(optimizer=RMSprop(), loss="mae")
    history = model.fit(train, epochs=2, validation_data=valid, verbose=0)
    assert list(history.history) == ["loss", "val_loss"]
    scores = model.evaluate(valid)
    assert scores["loss"] == pytest.approx(history.history["val_loss"][-1], rel=1e-6)
    x, _ = next(iter(valid))
    assert model.predict(x, verbose=0).shape == (len(x), 1)


def test_an_array_of_windows_trains_an_lstm_and_learns():
    series = wave(120)
    x = np.stack([series[k : k + 24] for k in range(90)])[..., None]
    y = series[24:114]
    model = Sequential([Input((24, 1)), LSTM(8), Dense(1)], seed=0)
    model.compile("adam", "mse", metrics=["mae"])
    history = model.fit(x, y, epochs=15, batch_size=16, validation_split=0.2, verbose=0)
    assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]
    assert Sequential([LSTM(8, input_shape=(24, 1)), Dense(1)]).input_shape == model.input_shape == (None, 24, 1)


def test_a_users_cell_trains_inside_a_model():
    x, y = np.random.default_rng(0).standard_normal((20, 5, 2)), np.ones((20, 1))
    model = Sequential([RNN(Leaky(), 6), Dense(1)], seed=0)
    model.compile(Adam(0.05), "mse")
    losses = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


# Building


def test_a_model_is_built_by_an_input_a_first_layer_or_by_data():
    stack = [LSTM(3, return_sequences=True), Dense(2)]
    x = np.zeros((4, 7, 2), np.float32)
    by_input, by_data, by_hand = Sequential([Input((7, 2)), *stack]), Sequential(stack), Sequential(stack)
    assert by_input.built
    assert not by_data.built
    by_data.predict(x)
    by_hand.build((None, 7, 2))
    for model in (by_input, by_data, by_hand):
        assert model.built
        assert model.output_shape == (None, 7, 2)
        assert [w.shape for w in model.get_weights()] == [(2, 12), (3, 12), (12,), (3, 2), (2,)]
        assert len(model.layers) == 2
    by_data.predict(x[:, :3])  # built from data, the number of steps stays free
    with pytest.raises(ValueError, match=r"the model was built for inputs \(None, 7, 2\); got \(4, 3, 2\)"):
        by_input.predict(x[:, :3])


def test_build_takes_a_shape_with_the_batch_or_without():
    for shape in ((None, 7, 2), (32, 7, 2), (7, 2), [None, 2]):
        model = Sequential([LSTM(3)])
        model.build(shape)
        assert model.input_shape == (None, None, 2)


def test_a_failed_build_leaves_no_trace():
    x = np.zeros((4, 7, 2))
    tried, fresh = (Sequential([GRU(3, return_sequences=True), GRU(2)], seed=3) for _ in range(2))
    with pytest.raises(ValueError, match="add the feature axis"):
        tried.predict(x[:, :, 0])
    tried.add(GRU(2))
    with pytest.raises(ValueError, match=r"layer 2 GRU takes .* the layer before it should return sequences"):
        tried.predict(x)
    assert not tried.built
    tried.layers.pop()
    tried.predict(x)
    fresh.predict(x)
    weights_equal(tried.get_weights(), fresh.get_weights())


def test_a_layer_that_does_not_fit_is_not_added():
    model = Sequential([Input((5, 2)), LSTM(3)], seed=0)
    with pytest.raises(ValueError, match="layer 1 LSTM takes"):
        model.add(LSTM(2))
    assert len(model.layers) == len(model.params) == 1
    model.add(Dense(1))
    assert model.predict(np.zeros((4, 5, 2))).shape == (4, 1)
    weights_equal(model.get_weights(), Sequential([Input((5, 2)), LSTM(3), Dense(1)], seed=0).get_weights())


def test_a_summary_counts_what_keras_counts():
    model = Sequential([GRU(3, return_sequences=True, name="below"), LSTM(2), Dense(1)])
    assert "not built" in repr(model.summary())
    model.build((None, 5, 2))
    text = str(model.summary())
    assert [line.split()[-1] for line in text.splitlines()[2:5]] == ["63", "48", "3"]
    assert "0 below" in text
    assert "(?, 5, 3)" in text
    assert "114 parameters" in text


# Forward and back


def test_the_pullback_of_a_model_is_its_derivative():
    rng = np.random.default_rng(0)
    stack = [Dense(3, "tanh"), LSTM(3, return_sequences=True), Activation("softplus"), GRU(2), Dense(2)]
    model = Sequential(stack, dtype="float64", seed=0)
    x, y = rng.standard_normal((3, 4, 2)), rng.standard_normal((3, 2))
    mask = np.array([[True, True, False, False], [False, True, True, True], [True, True, True, True]])
    report = gradcheck(model, x, y, "mse", mask=mask, sample_weight=np.array([1.0, 0.5, 2.0]))
    assert report, report


def test_forward_gives_gradients_nested_like_params_and_going_back_twice_the_same():
    rng = np.random.default_rng(1)
    model = Sequential([GRU(3, return_sequences=True), Dropout(0.5), LSTM(2), Dense(1)], dtype="float64", seed=0)
    x = rng.standard_normal((4, 5, 2))
    y, pullback = model.forward(x, rng=np.random.default_rng(2))
    dy = rng.standard_normal(y.shape)
    (dparams, dx), (again, dx2) = pullback(dy), pullback(dy)
    np.testing.assert_array_equal(dx, dx2)
    for grads, other, params in zip(dparams, again, model.params, strict=True):
        assert grads.keys() == params.keys()
        same(grads, other, 0)
    listed = model.get_weights(dparams)
    assert [g.shape for g in listed] == [w.shape for w in model.get_weights()]
    np.testing.assert_array_equal(listed[2], np.stack([dparams[0]["b"], dparams[0]["b_h"]]))
    np.testing.assert_array_equal(model.forward(x)[0], model.predict(x))
    repeated, _ = model.forward(x, rng=np.random.default_rng(2))
    np.testing.assert_array_equal(repeated, y)
    assert (model.forward(x, rng=np.random.default_rng(3))[0] != y).any()


def test_predict_does_not_depend_on_the_batches():
    x = np.random.default_rng(2).standard_normal((7, 4, 2))
    model = Sequential([LSTM(3), Dense(2)], dtype="float64", seed=0)
    whole = model.predict(x)
    np.testing.assert_allclose(model.predict(x, batch_size=3), whole, rtol=1e-12)
    np.testing.assert_allclose(model.predict([x[:4], x[4:]]), whole, rtol=1e-12)
    np.testing.assert_allclose(model.predict([(x[:4], np.ones(4)), (x[4:], np.ones(3))]), whole, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(x.tolist()), whole)
    assert model.predict(x.astype(np.float32)).dtype == np.float64
    assert Sequential([LSTM(3)]).predict(x.astype(int)).dtype == np.float32


def test_what_a_model_is_given_stays_as_it_was():
    rng = np.random.default_rng(3)
    x, y, mask = rng.standard_normal((6, 4, 2)), rng.standard_normal((6, 1)), rng.random((6, 4)) < 0.8
    x[~mask] = np.nan
    kept = x.copy(), y.copy(), mask.copy()
    for a in (x, y, mask):
        a.setflags(write=False)
    model = Sequential([Dense(2), Dropout(0.2), GRU(3), Dense(1)], dtype="float64", seed=0)
    model.compile("adam", "mse")
    model.fit(x, y, mask=mask, epochs=2, verbose=0)
    model.predict(x, mask=mask)
    for a, b in zip(kept, (x, y, mask), strict=True):
        np.testing.assert_array_equal(a, b)


# Masks


@pytest.mark.parametrize("name", RECURRENT)
@FEW
@given(seed=st.integers(0, 2**32 - 1))
def test_a_masked_sequence_is_the_shorter_one_for_a_model_too(name, seed):
    rng = np.random.default_rng(seed)
    model = Sequential(
        [Dense(2, "tanh"), example(name, return_sequences=True), Dropout(0.3), example(name), Dense(1)],
        dtype="float64",
        seed=1,
    )
    real = rng.random(6) < 0.6
    real[rng.integers(6)] = True
    x = np.where(real[:, None], rng.standard_normal((1, 6, 2)), np.inf)
    y, pullback = model.forward(x, mask=real[None])
    short, other = model.forward(x[:, real])
    np.testing.assert_allclose(y, short, rtol=1e-11)
    (dparams, dx), (dparams_short, dx_short) = pullback(np.ones_like(y)), other(np.ones_like(y))
    for grads, expected in zip(dparams, dparams_short, strict=True):
        same(grads, expected, 1e-10)
    np.testing.assert_allclose(dx[:, real], dx_short, rtol=1e-9, atol=1e-12)


def test_a_mask_ends_with_time_and_turns_with_the_sequence():
    mask = np.array([[True, True, False], [True, False, False]])
    x = np.random.default_rng(0).standard_normal((2, 3, 1))
    for last, left in [
        (LSTM(2), None),
        (LSTM(2, return_sequences=True), mask),
        (LSTM(2, return_sequences=True, go_backwards=True), mask[:, ::-1]),
    ]:
        model = Sequential([GRU(2, return_sequences=True), Dense(2), last], dtype="float64")
        model.build(x.shape)
        _, remaining, _ = model.run(x, Context(mask=mask))
        assert (remaining is None) == (left is None)
        if left is not None:
            np.testing.assert_array_equal(remaining, left)


# States


@pytest.mark.parametrize("name", RECURRENT)
def test_stateful_batches_are_one_long_pass(name):
    x = np.random.default_rng(4).standard_normal((3, 12, 2))
    stack = [example(name, return_sequences=True, stateful=True), example(name, stateful=True), Dense(1)]
    plain = [example(name, return_sequences=True), example(name), Dense(1)]
    model, whole = Sequential(stack, dtype="float64", seed=0), Sequential(plain, dtype="float64", seed=0)
    for part in (x[:, :5], x[:, 5:6], x[:, 6:]):
        out = model.predict(part)
    np.testing.assert_allclose(out, whole.predict(x), rtol=1e-11)
    model.reset_states()
    np.testing.assert_allclose(model.predict(x[:, :5]), whole.predict(x[:, :5]), rtol=1e-12)
    # Another number of rows begins anew.
    np.testing.assert_allclose(model.predict(x[:2, :5]), whole.predict(x[:2, :5]), rtol=1e-12)


def test_states_go_on_through_training_and_stay_where_they_are_in_evaluation():
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((2, 4, 1)), rng.standard_normal((2, 1))
    model = Sequential([GRU(3, stateful=True), Dense(1)], dtype="float64", seed=0)
    model.compile(SGD(0.0), "mse")  # weights stay, so that only the states move
    first, second = model.train_on_batch(x, y)["loss"], model.train_on_batch(x, y)["loss"]
    assert first != second
    states = {k: v.copy() for k, v in model.states[0].items()}
    model.evaluate(x, y)
    same(model.states[0], states, 0)
    model.reset_states()
    assert model.train_on_batch(x, y)["loss"] == first


# Weights


def test_weights_are_copies_and_come_back_to_where_they_were():
    model = Sequential([GRU(3), Dense(2)], seed=0)
    model.build((None, 4, 2))
    weights = model.get_weights()
    x = np.ones((1, 4, 2), np.float32)
    before = model.predict(x)
    for w in weights:
        w += 1
    np.testing.assert_array_equal(model.predict(x), before)
    model.set_weights(weights)
    weights_equal(model.get_weights(), weights)
    assert (model.predict(x) != before).any()
    weights[0][:] = np.nan
    assert np.isfinite(model.predict(x)).all()
    other = Sequential([GRU(3), Dense(2)], seed=1)
    other.build((None, 4, 2))
    other.set_weights([w.astype(np.float64).tolist() for w in model.get_weights()])
    np.testing.assert_array_equal(other.predict(x), model.predict(x))


def test_weights_that_do_not_fit_are_refused_and_none_is_taken():
    model = Sequential([LSTM(3), Dense(1)], seed=0)
    with pytest.raises(ValueError, match=r"set_weights needs a built model: call model\.build"):
        model.set_weights([])
    with pytest.raises(ValueError, match="get_weights needs a built model"):
        model.get_weights()
    model.build((None, 4, 2))
    before = model.get_weights()
    fresh = [w + 1 for w in before]
    for wrong, kind, sentence in [
        (fresh[:2], ValueError, "the model has 5 weight arrays, got 2"),
        ([*fresh, fresh[0]], ValueError, "the model has 5 weight arrays, got 6"),
        ([*fresh[:3], fresh[3].T, fresh[4]], ValueError, r"layer 1 Dense: weight 0 has shape \(3, 1\); got \(1, 3\)"),
        ([*fresh[:4], ["a"]], TypeError, "layer 1 Dense: weight 1 is made of <U1, expected real numbers"),
    ]:
        with pytest.raises(kind, match=sentence):
            model.set_weights(wrong)
        weights_equal(model.get_weights(), before)


# Seeds


def test_a_seed_decides_the_weights_in_both_dtypes_and_another_seed_others():
    def made(seed, dtype="float64"):
        model = Sequential([LSTM(4), Dense(2)], seed=seed, dtype=dtype)
        model.build((None, 5, 2))
        return model.get_weights()

    weights_equal(made(7), made(7))
    assert all((a != b).any() for a, b in zip(made(7), made(8), strict=True) if a.ndim > 1)
    weights_equal([w.astype(np.float32) for w in made(7)], made(7, "float32"))


def test_a_model_without_a_seed_tells_the_one_it_drew():
    model = Sequential([LSTM(2)])
    assert model.seed != Sequential([LSTM(2)]).seed
    again = Sequential([LSTM(2)], seed=model.seed)
    for m in (model, again):
        m.build((None, 3, 1))
    weights_equal(model.get_weights(), again.get_weights())


# Refusals


@pytest.mark.parametrize("dtype", ["float16", "int32", "complex64", "abc", None, int])
def test_a_dtype_is_float32_or_float64(dtype):
    with pytest.raises(ValueError, match="dtype is 'float32' or 'float64', got"):
        Sequential([LSTM(2)], dtype=dtype)


@pytest.mark.parametrize("wrong", [LSTM, 3, "LSTM", None])
def test_what_is_no_layer_is_refused(wrong):
    hint = "LSTM'>: write it with its brackets" if wrong is LSTM else ""
    with pytest.raises(TypeError, match=f"Sequential takes layers; got .*{hint}"):
        Sequential([wrong])


def test_layers_in_a_wrong_place_are_refused():
    with pytest.raises(ValueError, match=r"LSTM\(return_state=True\) has several outputs and Sequential hands on one"):
        Sequential([LSTM(2, return_state=True)])
    with pytest.raises(ValueError, match="Input stands first in a model"):
        Sequential([LSTM(2), Input((4, 1))])
    with pytest.raises(
        ValueError, match=r"layer 1 GRU takes .*got shape \(None, 2\); the layer before it should return"
    ):
        Sequential([LSTM(2, input_shape=(4, 1)), GRU(2)])
    with pytest.raises(
        ValueError, match=r"layer 0 LSTM takes .*got shape \(None, 4\); add the feature axis with x\[\.\.\., None"
    ):
        Sequential([LSTM(2, input_shape=(4,))])
    model = Sequential([LSTM(2)])
    model.predict(np.zeros((1, 3, 1)))
    with pytest.raises(ValueError, match="the model has been built from data; add layers before the first use"):
        model.add(Dense(1))
    with pytest.raises(ValueError, match="a model needs at least one layer"):
        Sequential().predict(np.zeros((1, 3, 1)))
    with pytest.raises(ValueError, match="unknown initializer 'glorot_unifrom'; did you mean 'glorot_uniform'"):
        Sequential([LSTM(2, kernel_initializer="glorot_unifrom", input_shape=(4, 1))])
    for shape in (4, (4, -1), (4, 1.5)):
        with pytest.raises(ValueError, match="takes the shape of one sample, such as"):
            Sequential([LSTM(2, input_shape=shape)])


def test_names_that_are_not_known_are_refused_with_the_nearest():
    model = Sequential([LSTM(2)])
    for arguments, sentence in [
        (("addam", "mse"), "unknown optimizer 'addam'; did you mean 'adam'"),
        (("adam", "msee"), "unknown loss 'msee'; did you mean 'mse'"),
        (("adam", "mse", ["maee"]), "unknown metric 'maee'; did you mean 'mae'"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            model.compile(*arguments)
    with pytest.raises(TypeError, match="3 is no optimizer"):
        model.compile(3, "mse")
    with pytest.raises(ValueError, match="unknown backend 'nunpy'; did you mean 'numpy'"):
        Sequential([LSTM(2)], backend="nunpy")
    model.compile("adam", "mse", "mae")  # one name alone is a name, not a list of letters
    assert [m.name for m in model.metrics] == ["mae"]


def test_inputs_that_do_not_fit_are_refused_with_what_to_do():
    model = Sequential([LSTM(2), Dense(1)], seed=0)
    x = np.zeros((6, 5, 2))
    with pytest.raises(
        ValueError, match=r"LSTM takes \(batch, time, features\); got shape \(None, 5\); add the feature axis"
    ):
        model.predict(x[:, :, 0])
    model.predict(x)
    with pytest.raises(
        ValueError, match=r"built for inputs \(None, None, 2\); got \(6, 5\); add the feature axis with x\["
    ):
        model.predict(x[:, :, 0])
    with pytest.raises(ValueError, match=r"built for inputs \(None, None, 2\); got \(6, 5, 1\)$"):
        model.predict(x[:, :, :1])
    with pytest.raises(ValueError, match="LSTM needs at least one step"):
        model.predict(x[:, :0])
    with pytest.raises(ValueError, match="the data set is empty"):
        model.predict(x[:0])
    x[4, 3, 1] = np.nan
    for call in (model.predict, model.forward):
        with pytest.raises(ValueError, match=r"x has nan at sample 4, step 3, feature 1 \(1 of 60 values"):
            call(x)
    for call in (model.predict, model.forward):
        with pytest.raises(ValueError, match=r"the mask is \(batch, time\) = \(6, 5\) for x of shape .*; got \(6, 4\)"):
            call(x, mask=np.ones((6, 4), bool))
        with pytest.raises(TypeError, match=r"mask is made of float64, expected bool.*pass mask != 0"):
            call(x, mask=np.ones((6, 5)))
    with pytest.raises(TypeError, match="x is made of complex128, expected real numbers"):
        model.predict(x + 1j)
    with pytest.raises(TypeError, match="x is not an array: its rows differ in length; pad them"):
        model.predict([[[1.0, 2.0]], [[1.0]]])
    with pytest.raises(ValueError, match="a mask goes with x"):
        Sequential([Dense(1)]).predict(np.zeros((6, 2)), mask=np.ones((6, 2), bool))


def test_numbers_too_large_for_float32_are_named_at_the_border():
    x = np.zeros((2, 3, 1))
    x[1, 2, 0] = 1e300
    with pytest.raises(ValueError, match="x has inf at sample 1, step 2, feature 0"):
        Sequential([LSTM(2)]).predict(x)
    assert np.isfinite(Sequential([LSTM(2)], dtype="float64", seed=0).predict(x)).all()


def test_every_layer_can_stand_in_a_model():
    for name in sorted(layers.ALL.keys() - {"Input"}):
        layer = example(name)
        model = Sequential([layer], seed=0)
        y = model.predict(an_input(layer, np.random.default_rng(0)))
        assert y.shape == (3, *model.output_shape[1:])


def test_a_frozen_layer_does_not_move_by_a_bit_and_the_others_learn():
    rng = np.random.default_rng(0)
    for name in sorted(layers.ALL.keys() - {"Input"}):
        layer = example(name, trainable=False)
        x = an_input(layer, rng)
        model = Sequential([layer, layers.Flatten(), Dense(1)], seed=0)
        model.compile(optimizers.AdamW(0.1, weight_decay=0.1), "mse")
        model.predict(x)
        frozen = {k: w.copy() for k, w in model.params[0].items()}
        last = model.params[2]["W"].copy()
        model.fit(x, rng.standard_normal((3, 1)), epochs=3, verbose=0)
        assert not model.layers[0].learned(model.params[0])
        for k, w in model.params[0].items():
            np.testing.assert_array_equal(w, frozen[k], err_msg=f"{name} {k}")
        assert (model.params[2]["W"] != last).all()


def test_a_trained_layer_moves_every_weight_that_it_learns():
    rng = np.random.default_rng(0)
    for name in sorted(layers.ALL.keys() - {"Input"}):
        layer = example(name)
        x = an_input(layer, rng)
        model = Sequential([layer, layers.Flatten(), Dense(1)], seed=0)
        model.compile(optimizers.SGD(0.1), "mse")
        model.predict(x)
        before = {k: w.copy() for k, w in model.params[0].items()}
        model.fit(x, rng.standard_normal((3, 1)), verbose=0)
        for k in layer.learned(before):
            assert (model.params[0][k] != before[k]).any(), f"{name} {k}"


def test_a_layer_that_cannot_be_added_leaves_no_shape_behind():
    model = Sequential(seed=1)
    with pytest.raises(ValueError, match="needs to know the size of the last axis"):
        model.add(Dense(3, input_shape=(None,)))
    model.add(Dense(3, input_shape=(4,)))
    assert model.input_shape == (None, 4)
    for a, b in zip(model.get_weights(), Sequential([Dense(3, input_shape=(4,))], seed=1).get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_build_that_is_interrupted_was_not_tried():
    def interrupted(rng, shape, dtype):
        if calls.append(shape) or len(calls) == 1:
            raise KeyboardInterrupt
        return np.zeros(shape, dtype)

    calls = []
    model = Sequential([Dense(2), Dense(3, kernel_initializer=interrupted)], seed=1)
    with pytest.raises(KeyboardInterrupt):
        model.build((None, 4))
    assert not model.built
    assert model.params == []
    model.build((None, 4))
    first = Sequential([Dense(2)], seed=1)
    first.build((None, 4))
    np.testing.assert_array_equal(model.params[0]["W"], first.params[0]["W"])


def test_a_layer_added_after_training_begins_the_optimizer_anew():
    rng = np.random.default_rng(0)
    model = Sequential([layers.Input((3,)), Dense(2)], seed=1)
    model.compile("adam", "mse")
    model.fit(rng.standard_normal((4, 3)), rng.standard_normal((4, 2)), verbose=0)
    model.add(Dense(1))
    model.fit(rng.standard_normal((4, 3)), rng.standard_normal((4, 1)), verbose=0)
    assert model.optimizer_state["iterations"] == 1


def test_compile_takes_everything_or_nothing_and_a_metric_by_itself():
    model = Sequential([layers.Input((3,)), Dense(2)], seed=1)
    model.compile("adam", "mse", metrics=metrics.get("mae"))
    before = dict(vars(model))
    for wrong in ({"loss": "nonsense"}, {"loss": "mae", "metrics": ["nonsense"]}):
        with pytest.raises(ValueError, match="nonsense"):
            model.compile("sgd", **wrong)
        assert all(vars(model)[name] is value for name, value in before.items())


def test_predictions_that_overflow_leave_the_states_as_they_were():
    x = np.ones((2, 3, 1))
    model = Sequential([layers.SimpleRNN(2, "linear", stateful=True), Dense(1)], dtype="float64", seed=1)
    model.predict(x)
    before = model.states[0]["h"].copy()
    model.set_weights([1e200 * np.ones_like(w) for w in model.get_weights()])
    with pytest.raises(FloatingPointError):
        model.predict(x)
    np.testing.assert_array_equal(model.states[0]["h"], before)


def test_outputs_of_different_length_are_refused_in_a_sentence():
    model = Sequential([layers.GRU(2, return_sequences=True)], seed=1)
    with pytest.raises(ValueError, match=r"outputs of \(3, 2\) and \(5, 2\), which do not go into one array"):
        model.predict([np.ones((2, 5, 1)), np.ones((2, 3, 1))])


def test_a_tree_that_is_no_gradient_is_refused_by_get_weights():
    model = Sequential([layers.Input((3,)), Dense(2)])
    with pytest.raises(ValueError, match="expected the same nesting"):
        model.get_weights([{"W": np.ones((3, 2))}])


@pytest.mark.parametrize("end", [layers.GlobalAveragePooling1D(), layers.GlobalMaxPooling1D(), layers.Flatten()])
def test_what_ends_time_across_a_new_beginning_is_refused(end):
    model = Sequential([layers.GRU(2, return_sequences=True), end], seed=1)
    reset = np.array([[False, False, True]])
    with pytest.raises(ValueError, match="looks across the steps where a row begins anew"):
        model.forward(np.ones((1, 3, 1)), reset=reset)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_stateful_layer_begins_anew_when_the_number_of_rows_changes(rows):
    x = np.random.default_rng(0).standard_normal((5, 4, 2))
    model = Sequential([GRU(3, stateful=True)], dtype="float64", seed=1)
    fresh = model.predict(x[:3])
    model.predict(x[:rows])
    np.testing.assert_array_equal(model.predict(x[:3]), fresh)
