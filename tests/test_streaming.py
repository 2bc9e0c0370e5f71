"""Streams: a model fed step by step gives what the full pass gives, for every causal layer and stacks of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import example

from rnnkit import Sequential, layers
from rnnkit.layers import (
    GRU,
    LSTM,
    Activation,
    AveragePooling1D,
    Bidirectional,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    LayerNormalization,
    Masking,
    MaxPooling1D,
    Residual,
    SimpleRNN,
)

FEW = settings(max_examples=40, deadline=None, derandomize=True)


def a_model(*stack, **options):
    model = Sequential(stack, **({"dtype": "float64", "seed": 3} | options))
    model.build((None, None, 2))
    return model


def fed(model, x, mask=None):
    """All outputs of a stream that is fed x step by step, in the full pass' form where the model keeps time."""
    stream = model.stream(len(x))
    outputs = [stream.step(x[:, t], None if mask is None else mask[:, t]) for t in range(x.shape[1])]
    return [y for y in outputs if y is not None]


def streamable(name):
    """Whether the layer of that name, as the tables of tests make it, can be streamed."""
    layer = example(name, **({"return_sequences": True} if issubclass(layers.ALL[name], layers.Recurrent) else {}))
    try:
        a_model(layer).stream()
    except ValueError:
        return None
    return layer


def keeps_time(name):
    return len(a_model(example(name)).output_shape) > 2


CAUSAL = [
    name for name in layers.ALL if name not in ("Input", "Embedding", "Reshape", "RepeatVector") and streamable(name)
]


def test_every_layer_that_can_see_no_future_is_streamed():
    refused = {"Bidirectional", "Flatten"}
    assert refused <= set(layers.ALL) - set(CAUSAL)
    assert {"LSTM", "Dense", "TimeDistributed", "Residual", "WaveNetBlock", "GlobalMaxPooling1D"} <= set(CAUSAL)


@pytest.mark.parametrize("name", CAUSAL)
@FEW
@given(st.data())
def test_a_step_gives_what_the_full_pass_gives(name, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    x = rng.standard_normal((data.draw(st.integers(1, 3)), data.draw(st.integers(4, 9)), 2))
    model = a_model(streamable(name))
    mask = rng.random(x.shape[:2]) < 0.7 if data.draw(st.booleans()) else None
    outputs = fed(model, x, mask)
    if len(model.output_shape) > 2:
        np.testing.assert_allclose(np.stack(outputs, axis=1), model.predict(x, mask=mask), rtol=1e-12, atol=1e-13)
        return
    for t, y in enumerate(outputs):  # what the full pass gives if the sequence ends at this step
        part = None if mask is None else mask[:, : t + 1]
        np.testing.assert_allclose(y, model.predict(x[:, : t + 1], mask=part), rtol=1e-12, atol=1e-13)


STEPS = {
    "recurrent": st.sampled_from([LSTM, GRU, SimpleRNN]).map(lambda kind: kind(3, return_sequences=True)),
    "causal": st.builds(
        lambda k, s, d: Conv1D(4, k, strides=s, padding="causal", dilation_rate=d, activation="tanh"),
        st.integers(1, 3), st.integers(1, 2), st.integers(1, 3),
    ),
    "grouped": st.builds(
        lambda k, d: Conv1D(4, k, padding="causal", dilation_rate=d, groups=1, activation="relu"),
        st.integers(1, 3), st.integers(1, 3),
    ),
    "valid": st.builds(lambda k, s: Conv1D(2, k, strides=s), st.integers(1, 2), st.integers(1, 2)),
    "pooling": st.builds(
        lambda kind, size, s: kind(size, s),
        st.sampled_from([MaxPooling1D, AveragePooling1D]), st.integers(1, 2), st.integers(1, 2),
    ),
    "single": st.sampled_from([Dense(3, "tanh"), Dropout(0.5), Activation("swish"), LayerNormalization()]),
    "residual": st.integers(1, 3).map(
        lambda d: Residual([Conv1D(8, 2, padding="causal", dilation_rate=d), Activation("tanh")])
    ),
}  # fmt: skip


@st.composite
def stacks(draw):
    """Layers in a row, in front of one that ends time or of none."""
    kinds = draw(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=4))
    stack = []
    for kind in kinds:
        if kind == "residual":
            stack.append(Dense(8))
        stack.append(draw(STEPS[kind]))
    ends = [None, LSTM(2), GlobalMaxPooling1D(), GlobalAveragePooling1D()]
    end = draw(st.sampled_from(ends))
    return stack + ([] if end is None else [end, Dense(1)])


@settings(max_examples=80, deadline=None, derandomize=True)
@given(stack=stacks(), seed=st.integers(0, 99), masked=st.booleans())
def test_a_stack_drawn_at_random_gives_what_the_full_pass_gives(stack, seed, masked):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 40, 2))
    mask = rng.random((2, 40)) < 0.8 if masked else None
    model = a_model(*stack)
    outputs, whole = fed(model, x, mask), model.predict(x, mask=mask)
    if len(model.output_shape) > 2:
        np.testing.assert_allclose(np.stack(outputs, axis=1), whole, rtol=1e-11, atol=1e-12)
    else:
        np.testing.assert_allclose(outputs[-1], whole, rtol=1e-11, atol=1e-12)


def test_tokens_are_streamed_with_the_mask_that_they_make():
    model = Sequential([Embedding(7, 3, mask_zero=True), GRU(4), Dense(1)], dtype="float64", seed=1)
    model.build((None, 6))
    x = np.array([[0, 3, 0, 5, 6, 0], [1, 2, 3, 0, 0, 0]])
    stream = model.stream(2)
    for t in range(6):
        y = stream.step(x[:, t])
        np.testing.assert_allclose(y, model.predict(x[:, : t + 1]), rtol=1e-12)
    masked = a_model(Masking(0.0), LSTM(3))
    x = np.random.default_rng(0).standard_normal((1, 5, 2)) * np.array([1, 0, 1, 0, 0])[None, :, None]
    np.testing.assert_allclose(fed(masked, x)[-1], masked.predict(x), rtol=1e-12)


# State


@pytest.mark.parametrize("name", CAUSAL)
def test_a_stream_goes_on_from_a_state_that_was_kept_and_begins_anew_after_a_reset(name):
    x = np.random.default_rng(0).standard_normal((2, 9, 2))
    model = a_model(streamable(name))
    stream = model.stream(2)
    first = [stream.step(x[:, t]) for t in range(4)]
    kept = stream.state
    copies = [{k: a.copy() for k, a in part.items()} for part in kept]
    rest = [stream.step(x[:, t]) for t in range(4, 9)]
    for part, copy in zip(kept, copies, strict=True):
        for k, a in part.items():
            np.testing.assert_array_equal(a, copy[k], err_msg="a state that was handed out has changed")
    other = model.stream(2)
    other.state = kept
    same_steps([other.step(x[:, t]) for t in range(4, 9)], rest)
    stream.reset()
    same_steps([stream.step(x[:, t]) for t in range(4)], first)
    stream.state = kept
    for part in kept:
        for a in part.values():
            a[...] = 0  # what was taken over is a copy
    same_steps([stream.step(x[:, t]) for t in range(4, 9)], rest)


def same_steps(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(a, b)


def test_two_streams_of_a_model_do_not_know_of_each_other():
    x = np.random.default_rng(0).standard_normal((1, 6, 2))
    model = a_model(Conv1D(3, 2, padding="causal"), GRU(3))
    one, two = model.stream(), model.stream()
    for t in range(6):
        y = one.step(x[:, t])
        two.step(x[:, 5 - t])
    np.testing.assert_allclose(y, model.predict(x), rtol=1e-12)


def test_a_stream_has_the_models_dtype_and_its_weights_of_the_moment():
    model = a_model(LSTM(3), Dense(1), dtype="float32")
    stream = model.stream()
    before = stream.step(np.ones((1, 2)))
    assert before.dtype == np.float32
    model.set_weights([0 * w for w in model.get_weights()])
    stream.reset()
    np.testing.assert_array_equal(stream.step(np.ones((1, 2))), before)
    assert not model.stream().step(np.ones((1, 2))).any()


# The receptive field


def probed(model, steps):
    """How far back an input step still changes the last output step, by trying."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, steps, 2))
    last = model.predict(x)[:, -1]
    reach = 0
    for t in range(steps):
        other = x.copy()
        other[:, t] += 1 + rng.random(2)
        if (model.predict(other)[:, -1] != last).any():
            reach = max(reach, steps - t)
    return reach


@pytest.mark.parametrize(
    ("stack", "field"),
    [
        ([Dense(3)], 1),
        ([Conv1D(3, 4, padding="causal")], 4),
        ([Conv1D(3, 2, padding="causal", dilation_rate=d) for d in (1, 2, 4, 8)], 16),
        (
            [
                Conv1D(3, 3, padding="causal", dilation_rate=2),
                Dense(2),
                Conv1D(2, 2, padding="causal", dilation_rate=5),
            ],
            10,
        ),
        ([Residual([Dense(2), Conv1D(2, 3, padding="causal", dilation_rate=3)])], 7),
    ],
)
def test_the_receptive_field_is_what_changes_an_output(stack, field):
    model = a_model(*stack)
    assert model.receptive_field == field
    assert probed(model, 24) == field


@pytest.mark.parametrize("s", [2, 3])
def test_behind_a_stride_a_window_reaches_further(s):
    model = a_model(Conv1D(3, 3, strides=s, padding="causal"), AveragePooling1D(2, 1), Conv1D(2, 2, padding="causal"))
    assert model.receptive_field == 3 + s + s
    steps = 8 * s + 1  # the last output stands at the last step
    assert probed(model, steps) == model.receptive_field


def test_a_recurrence_sees_everything_before():
    assert math.isinf(a_model(Dense(3), GRU(2, return_sequences=True)).receptive_field)
    assert math.isinf(a_model(Bidirectional(GRU(2, return_sequences=True))).receptive_field)
    assert math.isinf(a_model(GlobalMaxPooling1D()).receptive_field)


# Refusals


@pytest.mark.parametrize(
    ("stack", "sentence"),
    [
        ([Dense(2), Bidirectional(LSTM(2))], "layer 1: Bidirectional.* cannot be streamed"),
        ([LSTM(2, go_backwards=True)], "layer 0: LSTM.* cannot be streamed"),
        ([Conv1D(2, 3, padding="same")], "layer 0: Conv1D.* cannot be streamed"),
        ([MaxPooling1D(2, padding="same")], "layer 0: MaxPooling1D.* cannot be streamed"),
        ([Residual([Dense(2), Bidirectional(GRU(1, return_sequences=True))])], "layer 0: .*cannot be streamed"),
    ],
)
def test_a_model_that_sees_the_future_is_refused_by_layer(stack, sentence):
    with pytest.raises(ValueError, match=sentence):
        a_model(*stack).stream()


def test_flatten_is_refused_over_time_and_not_after_it():
    model = Sequential([Flatten(), Dense(1)])
    model.build((None, 4, 2))
    with pytest.raises(ValueError, match=r"layer 0: Flatten.* cannot be streamed"):
        model.stream()
    model = a_model(LSTM(3), Flatten(), Dense(1))
    x = np.random.default_rng(0).standard_normal((1, 3, 2))
    np.testing.assert_allclose(fed(model, x)[-1], model.predict(x), rtol=1e-12)


def test_steps_that_do_not_fit_are_refused():
    model = a_model(LSTM(3))
    stream = model.stream(2)
    with pytest.raises(ValueError, match=r"a step is \(2, 2\), one row for each sequence; got \(1, 2\)"):
        stream.step(np.zeros((1, 2)))
    with pytest.raises(ValueError, match=r"x has nan at sample 1, feature 0"):
        stream.step([[0, 0], [np.nan, 0]])
    with pytest.raises(ValueError, match=r"the mask of a step is \(2,\) of bool"):
        stream.step(np.zeros((2, 2)), mask=np.ones((2, 1), bool))
    with pytest.raises(ValueError, match="batch_size is a whole number from 1 up, got 0"):
        model.stream(0)
    with pytest.raises(ValueError, match="stream needs a built model"):
        Sequential([LSTM(2)]).stream()
    with pytest.raises(ValueError, match=r"the state of this stream is .*take it from a stream of the same model"):
        stream.state = model.stream(3).state
    dense = Sequential([Dense(1)])
    dense.build((None, 2))
    with pytest.raises(ValueError, match="a model that is streamed takes sequences"):
        dense.stream()


def test_what_is_behind_a_mask_never_enters():
    model = a_model(GRU(3))
    stream, clean = model.stream(2), model.stream(2)
    mask = np.array([True, False])
    y = stream.step([[1.0, 2.0], [np.nan, np.inf]], mask)
    np.testing.assert_array_equal(y, clean.step([[1.0, 2.0], [0.0, 0.0]], mask))
    assert np.isfinite(y).all()


def test_a_stream_names_the_layer_whose_output_is_not_finite():
    model = a_model(SimpleRNN(2, "linear"), Dense(1))
    model.set_weights([1e200 * (w != 0) for w in model.get_weights()])
    stream = model.stream()
    stream.step(np.full((1, 2), 1e-300))
    with pytest.raises(FloatingPointError, match="the output of layer 0 is not finite at this step"):
        stream.step(np.full((1, 2), 1e200))


def test_what_is_no_state_is_refused_in_a_sentence():
    stream = a_model(GRU(2)).stream()
    for wrong in (5, None, [np.zeros((1, 2))]):
        with pytest.raises(TypeError, match="the state of a stream is a list with a dict of arrays for each layer"):
            stream.state = wrong


def test_a_state_of_another_precision_is_taken_in_the_stream_s_own():
    stream = a_model(GRU(2), dtype="float32").stream()
    stream.state = [{"h": np.full((1, 2), 0.5)}]
    assert stream.state[0]["h"].dtype == np.float32
    assert stream.step(np.ones((1, 2))).dtype == np.float32
