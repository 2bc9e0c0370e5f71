"""Recurrent layers in pieces: a state handed on, and rows that begin anew, are the sequences run apart."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recurrent_cases import EACH, MAKERS, all_options, same, started

from rnnkit import Context, Sequential, layers

FEW = settings(max_examples=10, deadline=None, derandomize=True, database=None)


@EACH
@FEW
@given(at=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_with_all_options_a_sequence_in_pieces_is_the_whole_sequence(name, at, seed):
    rng = np.random.default_rng(seed)
    layer = MAKERS[name](3, **all_options(name))
    params, x = started(layer, rng), rng.standard_normal((2, 6, 2))
    mask, reset = rng.random((2, 6)) < 0.7, rng.random((2, 6)) < 0.3

    def ctx(steps):
        return Context(mask=mask[:, steps], reset=reset[:, steps])

    h, last, back = layer.scan(params, x, None, ctx(slice(None)))
    h1, middle, back1 = layer.scan(params, x[:, :at], None, ctx(slice(at)))
    h2, end, back2 = layer.scan(params, x[:, at:], middle, ctx(slice(at, None)))
    same({"h": np.concatenate([h1, h2], axis=1)} | end, {"h": h} | last)
    dh, dlast = rng.standard_normal(h.shape), {k: rng.standard_normal(v.shape) for k, v in last.items()}
    dparams, dx, _ = back(dh, dlast)
    later, dx2, dmiddle = back2(dh[:, at:], dlast)
    sooner, dx1, _ = back1(dh[:, :at], dmiddle)
    same({k: sooner[k] + later[k] for k in later} | {"x": np.concatenate([dx1, dx2], axis=1)}, dparams | {"x": dx})


@EACH
@pytest.mark.parametrize("go_backwards", [False, True])
@FEW
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_a_row_that_begins_anew_is_two_sequences_in_either_direction(name, go_backwards, data, seed):
    rng, steps, rows = np.random.default_rng(seed), data.draw(st.integers(1, 6)), data.draw(st.integers(1, 3))
    mask = rng.random((rows, steps)) < data.draw(st.sampled_from([0.6, 1.0]))
    reset = rng.random((rows, steps)) < data.draw(st.sampled_from([0.0, 0.3, 1.0]))
    learned = data.draw(st.sampled_from(["zeros", "learned"]))
    layer = MAKERS[name](3, initial_state=learned, return_sequences=True, go_backwards=go_backwards)
    params, x = started(layer, rng), rng.standard_normal((rows, steps, 2))
    y, pullback = layer(params, x, Context(mask=mask, reset=reset))
    dy = rng.standard_normal(y.shape)
    dparams, dx = pullback(dy)
    forth = slice(None, None, -1 if go_backwards else 1)  # the outputs in the order of time
    expected, dx_expected = np.empty_like(y), np.empty_like(dx)
    total = {k: np.zeros_like(w) for k, w in params.items()}
    for r in range(rows):
        seams = sorted({0, steps, *np.flatnonzero(reset[r])})
        for start, stop in pairwise(seams):
            part = slice(start, stop)
            alone, back = layer(params, x[r : r + 1, part], Context(mask=mask[r : r + 1, part]))
            expected[r, forth][part] = alone[0, forth]
            d, dx_expected[r, part] = back(dy[r, forth][part][None, forth])
            total = {k: v + d[k] for k, v in total.items()}
    same({"y": y, "x": dx} | dparams, {"y": expected, "x": dx_expected} | total)


def test_a_row_begins_anew_from_the_initial_state_and_not_from_the_one_handed_in():
    rng = np.random.default_rng(5)
    layer = layers.LSTM(3, initial_state="learned")
    params, x = started(layer, rng), rng.standard_normal((2, 4, 2))
    state = {k: rng.standard_normal((2, 3)) for k in ("h", "c")}
    reset = np.array([[False, False, True, False], [False] * 4])
    h, _, back = layer.scan(params, x, state, Context(reset=reset))
    same({"late": h[:1, 2:]}, {"late": layer.scan(params, x[:1, 2:])[0]})
    same({"row 1": h[1:]}, {"row 1": layer.scan(params, x[1:], {k: v[1:] for k, v in state.items()})[0]})
    dparams, _, dstate0 = back(np.ones_like(h) * [[[0], [0], [1], [1]], [[0], [0], [0], [0]]])
    assert not any(d.any() for d in dstate0.values())  # only the late part of row 0 is owed anything
    assert dparams["h_0"].any()


def test_a_masked_step_begins_anew_too_and_dropout_stays_the_same_after_it():
    rng = np.random.default_rng(6)
    layer = layers.SimpleRNN(3, recurrent_dropout=0.5, dropout=0.5, return_sequences=True, initial_state="learned")
    params, x = started(layer, rng), np.repeat(rng.standard_normal((1, 1, 2)), 4, axis=1)
    reset = np.array([[False, False, True, False]])
    y, _ = layer(params, x, Context(reset=reset, rng=np.random.default_rng(1)))
    np.testing.assert_allclose(y[:, :2], y[:, 2:], rtol=1e-14)
    held, _ = layer(params, x, Context(reset=reset, mask=~reset, rng=np.random.default_rng(1)))
    np.testing.assert_array_equal(held[0, 2], params["h_0"])


def test_a_model_trains_with_rows_that_begin_anew_from_a_learned_state():
    rng = np.random.default_rng(7)
    model = Sequential(
        [layers.LSTM(4, initial_state="learned", zoneout=0.1, cell_zoneout=0.1, projection=3, return_sequences=True,
                     stateful=True), layers.Dense(1)],
        dtype="float64", seed=0,
    )  # fmt: skip
    x, reset = rng.standard_normal((8, 6, 2)), rng.random((8, 6)) < 0.3
    model.compile("sgd", "mse")
    model.build((None, 6, 2))
    before = {k: w.copy() for k, w in model.params[0].items()}
    model.fit(x, x.sum(axis=2, keepdims=True), reset=reset, epochs=2, verbose=0)
    assert list(before) == ["W", "U", "b", "P", "h_0", "c_0"]
    assert all((model.params[0][k] != before[k]).any() for k in before)
    assert model.predict(x, reset=reset).shape == (8, 6, 1)
