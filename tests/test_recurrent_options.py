"""The options of the recurrent layers: differentiated in every layer, held against sequences run apart and loops
written again, streamed, and refused where they make no sense."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit import Context, Sequential, bptt, constraints, gradcheck, layers, regularizers
from rnnkit.layers.recurrent import Recurrent
from rnnkit_kernels import cells

# Every recurrent layer, and every cell that has no layer of its own.
NAMED = {k: v for k, v in layers.ALL.items() if issubclass(v, Recurrent) and k != "RNN"}
MAKERS: dict[str, Any] = {
    k: (lambda kind: lambda units, **options: kind(units, **options))(v) for k, v in NAMED.items()
}
MAKERS |= {
    c.name: (lambda cell: lambda units, **options: layers.RNN(cell, units, **options))(c)
    for c in cells.ALL
    if type(c) not in {type(make(2).make_cell()) for make in MAKERS.values()}
}
EACH = pytest.mark.parametrize("name", MAKERS)
PROJECTED = pytest.mark.parametrize("name", [k for k, make in MAKERS.items() if make(2).make_cell().projectable])
FEW = settings(max_examples=10, deadline=None, derandomize=True, database=None)

# A norm over a row that is all but zero multiplies its rounding by 1 / sqrt(epsilon), 316.
CONDITION = {"LayerNormLSTM": 316e-12, "LayerNormGRU": 316e-12}

# Rows begin anew at real steps that follow real ones, and at masked ones; in the last row nothing is real.
MASK = np.array([[True, True, False, True], [False, True, True, True], [False, False, False, False]])
RESET = np.array([[False, True, True, False], [True, False, False, True], [False, False, True, False]])


def with_c(name):
    return "c" in MAKERS[name](2).make_cell().state


def all_options(name):
    """Everything that a layer of that name can have at once."""
    options: dict[str, Any] = {"zoneout": 0.3, "initial_state": "learned", "dropout": 0.3, "recurrent_dropout": 0.2}
    if with_c(name):
        options["cell_zoneout"] = 0.4
    if MAKERS[name](2).make_cell().projectable:
        options["projection"] = 2
    return options


def started(layer, rng, features=2):
    """Parameters away from their starting values."""
    params, _ = layer.init(rng, (None, None, features), "float64")
    return {k: w + 0.3 * rng.standard_normal(w.shape) for k, w in params.items()}


def same(got, expected, digits=1e-12):
    """Two dicts of arrays, up to the order in which sums are taken."""
    assert got.keys() == expected.keys()
    limit = digits * max([1.0, *(float(np.abs(v).max(initial=0)) for v in expected.values())])
    for k in expected:
        np.testing.assert_allclose(got[k], expected[k], rtol=0, atol=limit, err_msg=k)


def same_bits(got, expected):
    assert got.keys() == expected.keys()
    for k in expected:
        np.testing.assert_array_equal(got[k], expected[k], err_msg=k, strict=True)


# Gradients


@EACH
@pytest.mark.parametrize(
    "spelling",
    [
        {"return_sequences": True},
        {"return_state": True},
        {"go_backwards": True, "return_sequences": True, "return_state": True},
    ],
    ids=lambda options: " ".join(options),
)
def test_every_layer_passes_the_check_with_all_options_in_all_spellings(name, spelling):
    layer = MAKERS[name](3, **all_options(name), **spelling)
    tolerance = CONDITION.get(name)
    for dropout in (True, False):
        report = gradcheck(layer, mask=MASK, reset=RESET, dropout=dropout, tolerance=tolerance, elements=80)
        assert report, report
    assert {e.array for e in report.rows} >= {"W", "U", "h_0"}


@EACH
def test_every_layer_passes_the_check_with_each_option_by_itself(name):
    for option, value in all_options(name).items():
        report = gradcheck(MAKERS[name](3, **{option: value}), dropout=True, elements=60, tolerance=CONDITION.get(name))
        assert report, (option, report)


def test_under_a_limit_what_comes_back_is_no_gradient_and_the_check_says_so():
    assert not gradcheck(layers.LSTM(3, gradient_clip=1e-3))
    assert gradcheck(layers.LSTM(3, gradient_clip=1e3))


# What is not asked for


@EACH
def test_options_that_are_off_change_no_bit(name):
    rng = np.random.default_rng(0)
    plain = MAKERS[name](3, dropout=0.3, recurrent_dropout=0.4, return_sequences=True)
    params, x = started(plain, rng), rng.standard_normal((3, 4, 2))
    off = {"zoneout": 0.0, "initial_state": "zeros", "gradient_clip": 1e300, "projection": None}
    dy = rng.standard_normal((3, 4, 3))

    def numbers(layer, reset=None):
        y, pullback = layer(params, x, Context(mask=MASK, rng=np.random.default_rng(5), reset=reset))
        dparams, dx = pullback(dy)
        return dparams | {"y": y, "x": dx}

    expected = numbers(plain)
    same_bits(numbers(replace(plain, **off)), expected)
    same_bits(numbers(plain, np.zeros((3, 4), bool)), expected)
    learned = replace(plain, initial_state="learned")
    params |= {f"{k}_0": np.zeros(3) for k in plain.make_cell().state}
    got = numbers(learned)
    same_bits({k: v for k, v in got.items() if not k.endswith("_0")}, expected)


def test_a_layer_as_it_comes_has_the_weights_that_it_had():
    for make in MAKERS.values():
        assert not make(3).plan((None, 4, 2))[0].keys() & {"P", "h_0", "c_0"}


# Zoneout


@EACH
def test_in_inference_zoneout_is_its_expectation(name):
    rng, z, zc = np.random.default_rng(1), 0.3, 0.6 if with_c(name) else 0.0
    layer = MAKERS[name](3, zoneout=z, cell_zoneout=zc, return_sequences=True)
    plain = MAKERS[name](3)
    params, x, share = started(layer, rng), rng.standard_normal((2, 5, 2)), {"h": z, "c": zc}
    state = {k: np.zeros((2, 3)) for k in layer.make_cell().state}
    expected = []
    for t in range(5):
        _, new, _ = plain.scan(params, x[:, t : t + 1], state)
        state = {k: share.get(k, 0) * v + (1 - share.get(k, 0)) * new[k] for k, v in state.items()}
        expected.append(state["h"])
    same({"y": layer(params, x)[0]}, {"y": np.stack(expected, axis=1)})


def test_in_training_the_share_of_units_that_keep_their_value_is_the_one_asked_for():
    rng, z = np.random.default_rng(2), 0.35
    layer = layers.GRU(40, zoneout=z, return_sequences=True)
    params, x = started(layer, rng), rng.standard_normal((20, 30, 2))
    y, _ = layer(params, x, Context(rng=rng))
    before = np.concatenate([np.zeros((20, 1, 40)), y[:, :-1]], axis=1)
    kept = y == before
    limit = 4 * np.sqrt(z * (1 - z) / kept.size)  # four standard deviations
    assert kept.mean() == pytest.approx(z, abs=limit)
    for axes in ((0, 1), (0, 2), (1, 2)):  # of each unit, step and row by itself: no mask is shared along an axis
        shares = kept.mean(axis=axes)
        limit = 5 * np.sqrt(z * (1 - z) * shares.size / kept.size)
        assert np.abs(shares - z).max() < limit
        assert shares.std() > 0


def test_one_step_of_zoneout_is_on_average_what_inference_gives():
    rng = np.random.default_rng(3)
    layer = layers.LSTM(3, zoneout=0.3, cell_zoneout=0.5)
    params, x = started(layer, rng), np.broadcast_to(rng.standard_normal((1, 1, 2)), (4000, 1, 2))
    state = {k: np.broadcast_to(rng.standard_normal(3), (4000, 3)) for k in ("h", "c")}
    _, drawn, _ = layer.scan(params, x, state, Context(rng=np.random.default_rng(0)))
    _, mean, _ = layer.scan(params, x, state)
    for k in drawn:
        spread = drawn[k].std(axis=0) / np.sqrt(4000)
        assert (np.abs(drawn[k].mean(axis=0) - mean[k][0]) < 4 * spread + 1e-12).all()
        assert len(np.unique(drawn[k][:, 0])) == 2


def test_a_seed_draws_the_same_units_and_a_row_that_is_masked_is_held():
    rng = np.random.default_rng(4)
    layer = layers.LSTM(3, zoneout=0.3, cell_zoneout=0.5, return_sequences=True)
    params, x = started(layer, rng), rng.standard_normal((3, 4, 2))
    first, second, third = (
        layer(params, x, Context(mask=MASK, rng=np.random.default_rng(seed)))[0] for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()
    np.testing.assert_array_equal(first[0, 2], first[0, 1])
    assert not first[2].any()


# Pieces, and rows that begin anew


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


# Learned initial states, weights


@EACH
def test_a_learned_state_is_where_every_row_begins_and_its_gradient_is_the_sum_over_rows(name):
    rng = np.random.default_rng(8)
    layer = MAKERS[name](3, initial_state="learned")
    params, x = started(layer, rng), rng.standard_normal((4, 3, 2))
    state = {k: np.tile(params[f"{k}_0"], (4, 1)) for k in layer.make_cell().state}
    h, last, back = layer.scan(params, x)
    h2, last2, back2 = layer.scan(params, x, state)
    same_bits({"h": h} | last, {"h": h2} | last2)
    dh = rng.standard_normal(h.shape)
    (dparams, _, dstate0), (handed, _, dstate) = back(dh), back2(dh)
    for k, d in dstate.items():
        np.testing.assert_allclose(dparams[f"{k}_0"], d.sum(axis=0), rtol=1e-13)
        np.testing.assert_array_equal(dstate0[k], d)
        assert not handed[f"{k}_0"].any()


def test_weights_are_listed_with_p_and_then_the_learned_states_last():
    def names(layer):
        params, _ = layer.init(np.random.default_rng(0), (None, None, 2), "float64")
        listed = layer.to_list({k: w + k.startswith("b_") for k, w in params.items()})
        again = layer.from_list(listed, params)
        assert list(again) == list(params)
        same_bits(again, {k: w + k.startswith("b_") for k, w in params.items()})
        return " ".join(params), [w.shape for w in listed]

    both = {"projection": 2, "initial_state": "learned"}
    assert names(layers.LSTM(3, **both)) == ("W U b P h_0 c_0", [(2, 12), (2, 12), (12,), (3, 2), (2,), (3,)])
    assert names(layers.PeepholeLSTM(3, use_bias=False, **both))[0] == "W U p_i p_f p_o P h_0 c_0"
    assert names(layers.GRU(3, initial_state="learned")) == ("W U b b_h h_0", [(2, 9), (3, 9), (2, 9), (3,)])
    assert names(layers.GRU(3, reset_after=False, initial_state="learned"))[0] == "W U b h_0"
    assert names(layers.SimpleRNN(3, projection=5))[1] == [(2, 3), (5, 3), (3,), (3, 5)]


def test_a_projection_starts_as_a_kernel_does_and_a_learned_state_from_zeros():
    layer = layers.LSTM(30, projection=20, initial_state="learned")
    params, out = layer.init(np.random.default_rng(0), (None, 4, 2), "float64")
    limit = np.sqrt(6 / 50)
    assert 0.95 * limit < np.abs(params["P"]).max() <= limit
    assert not params["h_0"].any()
    assert not params["c_0"].any()
    assert out == (None, 20)
    ones, _ = layers.LSTM(3, projection=2, kernel_initializer="ones").init(np.random.default_rng(0), (None, 4, 2))
    assert (ones["P"] == 1).all()


@PROJECTED
def test_a_projected_layer_in_a_stack_has_the_width_of_its_projection(name):
    model = Sequential([MAKERS[name](4, projection=2, return_sequences=True), layers.LSTM(3)], dtype="float64", seed=1)
    x = np.random.default_rng(9).standard_normal((2, 5, 3))
    assert model.forward(x)[0].shape == (2, 3)
    assert model.shapes[1][-1] == 2
    traced = bptt.trace(model, x, np.zeros((2, 3)))
    same({"P": traced[0].steps("P").sum(axis=0)}, {"P": traced.gradients[0]["P"]})
    assert {v.shape[-1] for v in traced[0].dgates.values()} == {4}


# The limit on the way back


def test_a_limit_is_put_on_every_gate_of_every_step():
    """An LSTM's way back written again, with the limit of Graves 2013."""
    rng, clip = np.random.default_rng(10), 0.05
    layer = layers.LSTM(3, gradient_clip=clip)
    params, x = started(layer, rng), rng.standard_normal((2, 5, 2))
    W, U, b = params["W"], params["U"], params["b"]
    h, c, kept = np.zeros((2, 3)), np.zeros((2, 3)), []
    for t in range(5):
        i, f, g, o = np.split(x[:, t] @ W + h @ U + b, 4, axis=1)
        i, f, g, o = 1 / (1 + np.exp(-i)), 1 / (1 + np.exp(-f)), np.tanh(g), 1 / (1 + np.exp(-o))
        kept.append((h, c, i, f, g, o))
        c = f * c + i * g
        h = o * np.tanh(c)
        kept[-1] += (np.tanh(c),)
    y, pullback = layer(params, x)
    np.testing.assert_allclose(y, h, rtol=1e-13)
    dh, dc = rng.standard_normal((2, 3)), np.zeros((2, 3))
    dparams, dx = pullback(dh)
    expected, dx_expected, met = {k: np.zeros_like(w) for k, w in params.items()}, np.empty_like(x), 0
    for t in reversed(range(5)):
        h, c, i, f, g, o, tc = kept[t]
        dc = dc + dh * o * (1 - tc * tc)
        gates = (dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g), dh * tc * o * (1 - o))
        da = np.concatenate(gates, axis=1)
        met += (np.abs(da) > clip).sum()
        da = np.clip(da, -clip, clip)
        expected["W"] += x[:, t].T @ da
        expected["U"] += h.T @ da
        expected["b"] += da.sum(axis=0)
        dx_expected[:, t], dh, dc = da @ W.T, da @ U.T, dc * f
    assert met > 5
    same(dparams | {"x": dx}, expected | {"x": dx_expected})


# Penalties and constraints


def test_penalties_and_constraints_go_by_role():
    twice = {f"{role}_regularizer": regularizers.L2(n) for n, role in enumerate(("kernel", "recurrent", "bias"), 1)}
    layer = layers.PeepholeLSTM(
        3, projection=2, initial_state="learned", vector_regularizer=regularizers.L2(4.0),
        vector_constraint=constraints.NonNeg(), kernel_constraint=constraints.NonNeg(), **twice,
    )  # fmt: skip
    params = started(layer, np.random.default_rng(11))
    role = {"W": 1, "P": 1, "U": 2, "b": 3}
    value, slopes = layer.penalty(params)
    assert value == pytest.approx(sum(role.get(k, 4) * (w * w).sum() for k, w in params.items()), rel=1e-12)
    same(slopes, {k: 2 * role.get(k, 4) * w for k, w in params.items()})
    after = layer.constrained(params)
    for k, w in params.items():
        np.testing.assert_array_equal(after[k], w if k in ("U", "b") else np.maximum(w, 0), err_msg=k)


def test_a_bias_constraint_of_a_gru_sees_both_biases_at_once():
    rng = np.random.default_rng(12)
    layer = layers.GRU(3, bias_constraint=constraints.UnitNorm(axis=0), recurrent_constraint=constraints.NonNeg())
    params = started(layer, rng)
    after = layer.constrained(params)
    np.testing.assert_allclose(after["b"] ** 2 + after["b_h"] ** 2, 1, rtol=1e-5)  # Keras' epsilon stands in the norm
    np.testing.assert_array_equal(after["U"], np.maximum(params["U"], 0))
    np.testing.assert_array_equal(after["W"], params["W"])
    before = replace(layer, reset_after=False, bias_constraint=constraints.NonNeg())
    params = started(before, rng)
    np.testing.assert_array_equal(before.constrained(params)["b"], np.maximum(params["b"], 0))


# Streams


@EACH
@pytest.mark.parametrize("return_sequences", [False, True])
def test_a_stream_gives_what_the_full_pass_gives_up_to_every_step(name, return_sequences):
    rng = np.random.default_rng(13)
    layer = MAKERS[name](3, **all_options(name), return_sequences=return_sequences)
    params, x = started(layer, rng), rng.standard_normal((3, 4, 2))
    h, last, _ = layer.scan(params, x, None, Context(mask=MASK))
    for ctx in (Context(), Context(rng=rng, mask=MASK)):  # a stream predicts, whatever the context says
        stream = layer.stream(params, 3, ctx)
        for t in range(4):
            y, mask = stream.step(x[:, t], MASK[:, t])
            same({"y": y}, {"y": h[:, t]})
            assert (mask is None) == (not return_sequences)
            if return_sequences:
                np.testing.assert_array_equal(mask, MASK[:, t])
            y *= 0  # what is handed out is the caller's own
        same(stream.state, last)
    assert layer.reach == (np.inf, 1)


def test_a_stream_goes_on_from_a_state_that_was_taken_and_begins_again():
    rng = np.random.default_rng(14)
    layer = layers.LSTM(3, initial_state="learned")
    params, x = started(layer, rng), rng.standard_normal((5, 2, 2))
    stream = layer.stream(params, 2)
    first = [stream.step(step, None)[0] for step in x[:2]]
    kept = stream.state
    for v in stream.state.values():
        v[:] = np.nan  # what is handed out is a copy
    rest = [stream.step(step, None)[0] for step in x[2:]]
    taken = {k: v.copy() for k, v in kept.items()}
    stream.state = kept
    for v in kept.values():
        v[:] = np.nan  # neither side holds the other's arrays
    np.testing.assert_array_equal([stream.step(step, None)[0] for step in x[2:]], rest)
    stream.reset()
    np.testing.assert_array_equal([stream.step(step, None)[0] for step in x[:2]], first)
    same_bits(stream.state, taken)
    stream.reset()
    stream.step(x[0], None)
    same_bits({k: v[0] for k, v in layer.stream(params, 2).state.items()}, {k: params[f"{k}_0"] for k in "hc"})


def test_what_a_stream_cannot_take_is_refused_in_a_sentence():
    layer = layers.LSTM(3)
    params, _ = layer.init(np.random.default_rng(0), (None, 4, 2), "float64")
    with pytest.raises(
        ValueError, match=r"LSTM\(go_backwards=True\) cannot be streamed: it reads a sequence from its end"
    ):
        replace(layer, go_backwards=True).stream(params, 1)
    with pytest.raises(ValueError, match=r"LSTM\(return_state=True\) has several outputs and a stream one"):
        replace(layer, return_state=True).stream(params, 1)
    stream = layer.stream(params, 2)
    for x in (np.zeros((3, 2)), np.zeros((2, 3)), np.zeros(2)):
        with pytest.raises(ValueError, match=r"this stream of LSTM takes a step as \(rows, features\) = \(2, 2\); got"):
            stream.step(x, None)
    with pytest.raises(ValueError, match=r"the mask of a step of LSTM is \(rows,\) = \(2,\); got \(3,\)"):
        stream.step(np.zeros((2, 2)), np.ones(3, bool))
    for state in ({"h": np.zeros((2, 3))}, {"h": np.zeros((2, 3)), "c": np.zeros((1, 3))}):
        with pytest.raises(ValueError, match=r"the state of this stream of LSTM is \{'h': \(2, 3\), 'c': \(2, 3\)\}"):
            stream.state = state


# Refusals


@pytest.mark.parametrize("share", [1.0, -0.1, True, "a", None, float("nan")])
def test_a_share_that_is_kept_is_below_one(share):
    for option in ("zoneout", "cell_zoneout"):
        with pytest.raises(
            ValueError, match=rf"^{option} is the share of units that keep their old value, in \[0, 1\)"
        ):
            layers.LSTM(3, **{option: share})


@dataclass(frozen=True)
class ReadsH(cells.LSTM):
    """An LSTM whose output gate looks at the old h."""

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        (h, c), kept = super().step(F, x, u, s, p)
        return (h + s.h, c), kept


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: layers.GRU(3, cell_zoneout=0.1), r"cell_zoneout keeps units of the state c, and GRU has only h"),
        (lambda: layers.RNN(cells.MGU(), 3, cell_zoneout=0.1), r"state c, and MGU has only h; use zoneout"),
        (lambda: layers.GRU(3, projection=2), r"GRU cannot be projected: its step reads the old h itself"),
        (lambda: layers.GRU(3, reset_after=False, projection=2), r"GRUBefore cannot be projected"),
        (lambda: layers.RNN(ReadsH(), 3, projection=2), r"ReadsH cannot be projected"),
        (lambda: layers.LSTM(3, projection=0), r"projection is a whole number from 1 up, got 0"),
        (lambda: layers.LSTM(3, projection=True), r"projection is a whole number from 1 up"),
        (lambda: layers.LSTM(3, initial_state="ones"), r"initial_state is 'zeros' or 'learned'; got 'ones'"),
        (lambda: layers.LSTM(3, initial_state=None), r"initial_state is 'zeros' or 'learned'; got None"),
        (lambda: layers.LSTM(3, gradient_clip=0), r"gradient_clip is a positive number, or None for no limit; got 0"),
        (lambda: layers.LSTM(3, gradient_clip=np.inf), r"gradient_clip is a positive number.*got inf"),
        (lambda: layers.LSTM(3, gradient_clip="1"), r"gradient_clip is a positive number.*got '1'"),
        (lambda: layers.LSTM(3, vector_regularizer="l3"), r"l3"),
        (lambda: layers.LSTM(3, recurrent_constraint="unit"), r"unit"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_when_the_layer_is_made(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_flags_and_states_that_do_not_fit_are_refused():
    layer = layers.LSTM(3, projection=2)
    params, _ = layer.init(np.random.default_rng(0), (None, 4, 2), "float64")
    x = np.zeros((5, 4, 2))
    with pytest.raises(ValueError, match=r"the reset of LSTM is \(batch, time\) = \(5, 4\); got \(5, 3\)"):
        layer(params, x, Context(reset=np.ones((5, 3), bool)))
    with pytest.raises(ValueError, match=r"state 'h' is \(B, H\) = \(5, 2\); got \(5, 3\)"):
        layer.scan(params, x, {"h": np.zeros((5, 3)), "c": np.zeros((5, 3))})


@EACH
def test_a_layer_is_made_again_from_its_configuration(name):
    options = all_options(name) | {"gradient_clip": 2.0, "vector_regularizer": regularizers.L2(0.1)}
    layer = MAKERS[name](3, **options)
    assert type(layer)(**layer.config()) == layer
    assert all(getattr(layer, k) == v for k, v in options.items())
    assert {f.name for f in fields(layer)} >= options.keys()
    assert "zoneout=0.3" in repr(layer)


def test_float32_stays_float32_with_all_options():
    layer = layers.LSTM(3, **all_options("LSTM"), gradient_clip=1.0, return_sequences=True)
    params, _ = layer.init(np.random.default_rng(0), (None, 4, 2), "float32")
    x = np.random.default_rng(1).standard_normal((3, 4, 2)).astype("float32")
    for rng in (None, np.random.default_rng(0)):
        y, pullback = layer(params, x, Context(reset=RESET, mask=MASK, rng=rng))
        dparams, dx = pullback(np.ones_like(y))
        assert {a.dtype for a in (y, dx, *dparams.values())} == {np.dtype("float32")}
        assert {k: d.shape for k, d in dparams.items()} == {k: w.shape for k, w in params.items()}
        assert list(dparams) == list(params)
    assert layer.stream(params, 3).step(x[:, 0], None)[0].dtype == np.float32
