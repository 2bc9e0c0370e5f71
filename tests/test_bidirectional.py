"""Bidirectional: two layers run by hand from both ends; masks, dropout, restarts, gradients, refusals."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wrapper_cases import MASK, MERGES, rng_of, same, started

from rnnkit import Context, Sequential, gradcheck, layers
from rnnkit_kernels import cells

FEW = settings(max_examples=10, deadline=None, derandomize=True)
MODES = pytest.mark.parametrize("mode", MERGES)

# A recurrent layer of every kind, to be read in both directions.
INNER = {
    "SimpleRNN": (layers.SimpleRNN, (3,)),
    "LSTM": (layers.LSTM, (3,)),
    "GRU": (layers.GRU, (3,)),
    "PeepholeLSTM": (layers.PeepholeLSTM, (3,)),
    "LayerNormSimpleRNN": (layers.LayerNormSimpleRNN, (3,)),
    "LayerNormLSTM": (layers.LayerNormLSTM, (3,)),
    "LayerNormGRU": (layers.LayerNormGRU, (3,)),
    "RNN": (layers.RNN, (cells.MGU(), 3)),
}
EACH = pytest.mark.parametrize("name", INNER)
# A norm over a row that is all but zero multiplies its rounding by 1 / sqrt(epsilon), 316, as in tests/test_layers.py.
CONDITION = {"LayerNormLSTM": 3e-10, "LayerNormGRU": 3e-10}


def inner(name, **options):
    kind, arguments = INNER[name]
    return kind(*arguments, **options)


def merged(mode, f, b):
    """What the two outputs become, written down once more."""
    if mode == "concat":
        return np.concatenate([f, b], axis=-1)
    return {"sum": f + b, "mul": f * b, "ave": (f + b) / 2}[mode]


@EACH
@pytest.mark.parametrize("sequences", [False, True])
def test_every_recurrent_layer_in_both_directions_passes_the_gradient_check(name, sequences):
    layer = layers.Bidirectional(inner(name, return_sequences=sequences, dropout=0.3, recurrent_dropout=0.3))
    report = gradcheck(layer, shape=(3, 4, 2), mask=MASK, dropout=True, tolerance=CONDITION.get(name))
    assert report, report


@MODES
@pytest.mark.parametrize("options", [{}, {"return_sequences": True}], ids=["last step", "all steps"])
@pytest.mark.parametrize("state", [False, True], ids=["", "with states"])
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
def test_every_way_to_merge_passes_it(mode, options, state, mask):
    layer = layers.Bidirectional(layers.LSTM(2, return_state=state, **options), mode)
    report = gradcheck(layer, shape=(3, 4, 2), mask=mask)
    assert report, report


def test_two_layers_of_different_widths_pass_it():
    wide, narrow = layers.LSTM(3, return_sequences=True), layers.GRU(2, return_sequences=True, go_backwards=True)
    for mode in ("concat", None):
        report = gradcheck(layers.Bidirectional(wide, mode, backward_layer=narrow), mask=MASK)
        assert report, report


def by_hand(layer, params, x, mask):
    """Outputs of the two layers, in the order of the sequence, zero where masked; and all the states."""
    f, b = layer.parts.values()
    split = layer.split(params)
    (yf, *sf), (yb, *sb) = f(split["forward"], x, Context(mask=mask))[0], b(split["backward"], x, Context(mask=mask))[0]
    if f.return_sequences:
        yb = yb[:, ::-1]
        if mask is not None:
            yf, yb = (np.where(mask[..., None], y, 0) for y in (yf, yb))
    return yf, yb, [*sf, *sb]


@MODES
@pytest.mark.parametrize("sequences", [False, True])
@FEW
@given(st.integers(1, 3), st.integers(1, 5), st.integers(0, 2**32 - 1), st.booleans())
def test_two_layers_are_run_one_from_each_end_and_merged(mode, sequences, B, T, seed, masked):
    rng = rng_of(seed)
    x, mask = rng.standard_normal((B, T, 2)), rng.random((B, T)) < 0.6 if masked else None
    options = {"return_sequences": sequences, "return_state": True}
    layer = layers.Bidirectional(
        layers.LSTM(2, **options), mode, backward_layer=layers.GRU(2, **options, go_backwards=True)
    )
    params = started(layer, x.shape)
    out, _ = layer(params, x, Context(mask=mask))
    yf, yb, states = by_hand(layer, params, x, mask)
    expected = [yf, yb] if mode is None else [merged(mode, yf, yb)]
    assert len(out) == len(expected) + 3  # h and c of the LSTM, h of the GRU
    for ours, theirs in zip(out, [*expected, *states], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)
    assert layer.plan(x.shape)[1] == out[0].shape


def test_a_bidirectional_gru_goes_back_through_both_layers():
    x, options = rng_of().standard_normal((3, 4, 2)), {"return_sequences": True}
    layer = layers.Bidirectional(layers.GRU(3, **options))
    params = started(layer, x.shape)
    y, pullback = layer(params, x)
    f, b = layers.GRU(3, **options), layers.GRU(3, **options, go_backwards=True)
    split = layer.split(params)
    assert not np.array_equal(split["forward"]["W"], split["backward"]["W"])
    (yf, back_f), (yb, back_b) = f(split["forward"], x), b(split["backward"], x)
    np.testing.assert_array_equal(y, np.concatenate([yf, yb[:, ::-1]], axis=-1))
    dy = rng_of(5).standard_normal(y.shape)
    (df, dxf), (db, dxb) = back_f(dy[..., :3]), back_b(dy[:, ::-1, 3:])
    dparams, dx = pullback(dy)
    same(dparams, {f"forward.{k}": g for k, g in df.items()} | {f"backward.{k}": g for k, g in db.items()})
    np.testing.assert_allclose(dx, dxf + dxb, rtol=1e-14)


@EACH
@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.sampled_from(MERGES), st.integers(1, 6), st.integers(0, 2**32 - 1), st.booleans())
def test_masked_steps_are_as_if_they_had_not_been_there(name, mode, steps, seed, sequences):
    rng = rng_of(seed)
    layer = layers.Bidirectional(inner(name, return_sequences=sequences), mode)
    x, real = rng.standard_normal((1, steps, 2)), rng.random(steps) < 0.6
    real[rng.integers(steps)] = True
    params = started(layer, x.shape)
    y, back = layer(params, np.where(real[:, None], x, np.nan), Context(mask=real[None]))
    z, back_short = layer(params, x[:, real])
    several = mode is None
    dz = [rng.standard_normal(a.shape) for a in (z if several else (z,))]
    dy = []
    for ours, short, d in zip(y if several else (y,), z if several else (z,), dz, strict=True):
        np.testing.assert_allclose(ours[:, real] if sequences else ours, short, rtol=1e-12, atol=1e-14)
        if sequences:
            assert not ours[:, ~real].any()
            dy.append(rng.standard_normal(ours.shape))  # what flows to a masked step goes nowhere
            dy[-1][:, real] = d
        else:
            dy.append(d)
    dparams, dx = back(tuple(dy) if several else dy[0])
    dparams_short, dx_short = back_short(tuple(dz) if several else dz[0])
    same(dparams, dparams_short, 1e-11)
    np.testing.assert_allclose(dx[:, real], dx_short, rtol=1e-11, atol=1e-13)
    assert not dx[:, ~real].any()


def test_a_layer_that_goes_backwards_has_a_partner_that_goes_forward():
    x, options = rng_of().standard_normal((2, 3, 2)), {"return_sequences": True}
    layer = layers.Bidirectional(layers.GRU(2, **options, go_backwards=True))
    turned = layers.Bidirectional(layers.GRU(2, **options))
    params = started(layer, x.shape)
    y, pullback = layer(params, x, Context(mask=MASK[:2, :3]))
    z, other = turned(params, x[:, ::-1], Context(mask=MASK[:2, 2::-1]))
    np.testing.assert_array_equal(y, z)
    np.testing.assert_array_equal(pullback(y)[1], other(z)[1][:, ::-1])
    np.testing.assert_array_equal(layer.next_mask(MASK, None), MASK[:, ::-1])
    explicit = layers.Bidirectional(layer.layer, backward_layer=layers.GRU(2, **options))
    np.testing.assert_array_equal(explicit(params, x, Context(mask=MASK[:2, :3]))[0], y)


def test_none_stands_for_a_cotangent_of_zeros():
    x = rng_of().standard_normal((2, 3, 2))
    for mode in ("mul", None):
        layer = layers.Bidirectional(layers.LSTM(2, return_state=True), mode)
        params = started(layer, x.shape)
        y, pullback = layer(params, x)
        dy = [rng_of(k).standard_normal(a.shape) for k, a in enumerate(y)]
        for missing in range(len(y)):
            short = tuple(None if k == missing else d for k, d in enumerate(dy))
            zeros = tuple(0 * d if k == missing else d for k, d in enumerate(dy))
            same(pullback(short)[0], pullback(zeros)[0])
            np.testing.assert_allclose(pullback(short)[1], pullback(zeros)[1], rtol=1e-13, atol=1e-15)


def test_dropout_is_drawn_for_the_forward_layer_then_for_the_backward_one():
    x = rng_of().standard_normal((2, 5, 3))
    layer = layers.Bidirectional(layers.GRU(2, dropout=0.5, recurrent_dropout=0.5))
    params = started(layer, x.shape)
    y, _ = layer(params, x, Context(rng=rng_of(7)))
    rng, split = rng_of(7), layer.split(params)
    both = [part(split[name], x, Context(rng=rng))[0] for name, part in layer.parts.items()]
    np.testing.assert_array_equal(y, np.concatenate(both, axis=-1))


@pytest.mark.parametrize("initial", ["zeros", "learned"])
@pytest.mark.parametrize("kind", [layers.SimpleRNN, layers.LSTM, layers.GRU])
@FEW
@given(st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_what_restarts_in_mid_sequence_is_as_if_each_piece_were_alone(kind, initial, steps, seed):
    rng = rng_of(seed)
    layer = layers.Bidirectional(kind(2, return_sequences=True, initial_state=initial))
    x, reset = rng.standard_normal((1, steps, 2)), rng.random((1, steps)) < 0.4
    params = started(layer, x.shape)
    y, pullback = layer(params, x, Context(reset=reset))
    dy = rng.standard_normal(y.shape)
    dparams, dx = pullback(dy)
    edges = [0, *(int(t) for t in np.flatnonzero(reset) if t), steps]
    total = {k: np.zeros_like(w) for k, w in params.items()}
    for begin, end in pairwise(edges):
        piece, back = layer(params, x[:, begin:end])
        np.testing.assert_allclose(y[:, begin:end], piece, rtol=1e-12, atol=1e-14)
        part, dx_piece = back(dy[:, begin:end])
        np.testing.assert_allclose(dx[:, begin:end], dx_piece, rtol=1e-11, atol=1e-13)
        total = {k: total[k] + part[k] for k in total}
    same(dparams, total, 1e-11)


@pytest.mark.parametrize(
    "options",
    [{"projection": 2}, {"zoneout": 0.3}, {"initial_state": "learned"}, {"recurrent_regularizer": "l2"}],
    ids=lambda options: " ".join(options),
)
def test_the_options_of_the_layer_inside_hold_in_both_directions(options):
    layer = layers.Bidirectional(layers.LSTM(3, return_sequences=True, **options), "mul")
    report = gradcheck(layer, mask=MASK, dropout=True)
    assert report, report


def test_weights_are_those_of_the_forward_layer_then_those_of_the_backward_one():
    layer = layers.Bidirectional(layers.LSTM(3), backward_layer=layers.GRU(4, go_backwards=True))
    params, shape = layer.init(rng_of(), (None, None, 2))
    assert shape == (None, 7)
    names = "forward.W forward.U forward.b backward.W backward.U backward.b backward.b_h"
    assert " ".join(params) == names
    listed = layer.to_list(params)
    assert [w.shape for w in listed] == [(2, 12), (3, 12), (12,), (2, 12), (4, 12), (2, 12)]
    again = layer.from_list([w + 1 for w in listed], params)
    assert list(again) == list(params)
    for k, w in params.items():
        np.testing.assert_array_equal(again[k], w + 1)


def test_the_mask_goes_on_with_sequences_and_ends_without():
    sequences = layers.Bidirectional(layers.GRU(2, return_sequences=True))
    np.testing.assert_array_equal(sequences.next_mask(MASK, None), MASK)
    assert sequences.next_mask(None, None) is None
    assert layers.Bidirectional(layers.GRU(2)).next_mask(MASK, None) is None


def test_two_bidirectional_layers_in_a_model_learn():
    stack = [layers.Bidirectional(layers.GRU(3, return_sequences=True)), layers.Bidirectional(layers.GRU(2))]
    model = Sequential([*stack, layers.Dense(1)], dtype="float64", seed=0)
    x, y = rng_of().standard_normal((8, 5, 2)), rng_of(1).standard_normal((8, 1))
    model.compile("adam", "mse")
    losses = model.fit(x, y, epochs=20, verbose=0, mask=rng_of(2).random((8, 5)) < 0.8).history["loss"]
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("wrong", [3, "LSTM", layers.Dense(3), layers.LSTM, None])
def test_what_is_no_recurrent_layer_is_refused(wrong):
    with pytest.raises(TypeError, match=r"Bidirectional: layer is a recurrent layer, such as LSTM\(32\); got"):
        layers.Bidirectional(wrong)
    if wrong is not None:
        with pytest.raises(TypeError, match="Bidirectional: backward_layer is a recurrent layer"):
            layers.Bidirectional(layers.LSTM(3), backward_layer=wrong)


def test_layers_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match="unknown merge_mode 'concatt'; did you mean 'concat'"):
        layers.Bidirectional(layers.LSTM(3), "concatt")
    with pytest.raises(
        ValueError, match=r"opposite directions; both have go_backwards=False: give .* go_backwards=True"
    ):
        layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3))
    for option in ("return_sequences", "return_state"):
        other = layers.LSTM(3, go_backwards=True, **{option: True})
        with pytest.raises(ValueError, match=f"layer has {option}=False and backward_layer True; expected the same"):
            layers.Bidirectional(layers.LSTM(3), backward_layer=other)
    for mode in ("sum", "mul", "ave"):
        uneven = layers.Bidirectional(layers.LSTM(3), mode, backward_layer=layers.LSTM(4, go_backwards=True))
        with pytest.raises(ValueError, match=f"merge_mode '{mode}' needs outputs of one size; got 3 forward and 4"):
            uneven.plan((None, 5, 2))


def test_several_outputs_are_said_and_a_model_refuses_them():
    assert layers.Bidirectional(layers.LSTM(3)).several_outputs is None
    assert layers.Bidirectional(layers.LSTM(3), None).several_outputs == "merge_mode=None"
    assert layers.Bidirectional(layers.LSTM(3, return_state=True)).several_outputs == "return_state=True"
    for layer in (layers.Bidirectional(layers.LSTM(3), None), layers.Bidirectional(layers.LSTM(3, return_state=True))):
        with pytest.raises(ValueError, match=r"Bidirectional.* has several outputs and Sequential hands on one"):
            Sequential([layer])
        with pytest.raises(ValueError, match="TimeDistributed takes a layer of one output; Bidirectional has several"):
            layers.TimeDistributed(layer)


def test_the_backward_direction_cannot_be_streamed():
    layer = layers.Bidirectional(layers.LSTM(3, return_sequences=True))
    assert layer.reach == (np.inf, 1)
    with pytest.raises(ValueError, match="its backward direction begins at the end of the sequence"):
        layer.stream({}, 1)
