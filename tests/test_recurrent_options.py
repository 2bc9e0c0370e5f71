"""The options of the recurrent layers: differentiated in every layer, held against loops written again, and refused
where they make no sense."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
from recurrent_cases import (
    CONDITION,
    EACH,
    MAKERS,
    MASK,
    PROJECTED,
    RESET,
    all_options,
    same,
    same_bits,
    started,
    with_c,
)

from rnnkit import Context, Sequential, bptt, constraints, gradcheck, layers, regularizers
from rnnkit_kernels import cells

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
        y, pullback = layer(params, x, Context("numpy", mask=MASK, rng=np.random.default_rng(5), reset=reset))
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
