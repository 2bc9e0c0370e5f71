"""WaveNetBlock and WaveNet: the paper's equation, its two ways out, its stack; streamed, probed, refused."""

from __future__ import annotations

import numpy as np
import pytest
from sliding_cases import assert_streams, seen, weights

from rnnkit import Context, Sequential, gradcheck, load
from rnnkit.layers import Conv1D, Dense, Input, WaveNet, WaveNetBlock

MASK = np.array([[1, 1, 0, 1, 1, 1, 0, 0, 1], [0, 0, 1, 1, 0, 1, 1, 1, 0]], bool)
LAYERS = {
    "residual": WaveNetBlock(3, 2),
    "residual of projected x": WaveNetBlock(4, 2, 3),
    "skip": WaveNetBlock(3, 2, output="skip", skip_filters=5),
    "both": WaveNetBlock(4, output="both", skip_filters=2),
    "without bias": WaveNetBlock(3, 2, use_bias=False),
    "a stack": WaveNet(4, (1, 2, 1), skip_filters=2, activation="tanh"),
    "a stack of one": WaveNet(3, (2,), 3, activation=None),
}
EACH = pytest.mark.parametrize("name", LAYERS)


def dense(params, part, z):
    return z @ params[f"{part}.W"] + params.get(f"{part}.b", 0)


def paper(params, x, dilation):
    """Equation 2 step by step: z, and the x that the residual is added to."""
    k, B, T = len(params["filter.W"]), *x.shape[:2]
    z = np.zeros((B, T, params["filter.W"].shape[2]))
    for t in range(T):
        a = {part: np.zeros_like(z[:, t]) + params.get(f"{part}.b", 0) for part in ("filter", "gate")}
        for j in range(k):
            if (past := t - (k - 1 - j) * dilation) >= 0:
                for part in a:
                    a[part] += x[:, past] @ params[f"{part}.W"][j]
        z[:, t] = np.tanh(a["filter"]) / (1 + np.exp(-a["gate"]))
    return z, x @ params["project.W"] if "project.W" in params else x


@EACH
def test_every_way_out_passes_the_gradient_check(name):
    for mask in (None, MASK):
        report = gradcheck(LAYERS[name], shape=(2, 9, 3), mask=mask, elements=20)
        assert report, report


@pytest.mark.parametrize("features", [3, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_a_block_is_the_paper_s_equation(features, bias):
    rng = np.random.default_rng(0)
    block = WaveNetBlock(3, 2, 3, output="both", skip_filters=4, use_bias=bias)
    params, x = weights(block, features, rng), rng.standard_normal((2, 8, features))
    z, carried = paper(params, x, 2)
    (residual, skip), _ = block(params, x)
    np.testing.assert_allclose(residual, dense(params, "residual", z) + carried, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(skip, dense(params, "skip", z), rtol=1e-12, atol=1e-13)
    assert block.plan((None, None, features))[1] == ((None, None, 3), (None, None, 4))
    for output, expected in (("residual", residual), ("skip", skip)):
        one = WaveNetBlock(3, 2, 3, output=output, skip_filters=4, use_bias=bias)
        sizes, shape = one.plan(x.shape)
        y, _ = one({name: params[name] for name in sizes}, x)
        np.testing.assert_array_equal(y, expected)
        assert shape == y.shape


def test_one_of_two_cotangents_may_be_left_out():
    rng = np.random.default_rng(0)
    block, x = WaveNetBlock(3, output="both"), rng.standard_normal((2, 8, 3))
    params = weights(block, 3, rng)
    (residual, skip), pullback = block(params, x)
    dy = rng.standard_normal(residual.shape)
    for given, zeros in (((dy, None), (dy, 0 * skip)), ((None, dy), (0 * residual, dy))):
        (dparams, dx), (expected, dx_expected) = pullback(given), pullback(zeros)
        np.testing.assert_array_equal(dx, dx_expected)
        for name in expected:
            np.testing.assert_array_equal(dparams[name], expected[name])


def test_a_stack_adds_up_the_skips_along_the_residuals():
    rng = np.random.default_rng(0)
    layer, x = WaveNet(4, (1, 2, 4), 3, skip_filters=5), rng.standard_normal((2, 9, 2))
    params = weights(layer, 2, rng)
    total, here = 0, x
    for part, dilation in enumerate((1, 2, 4)):
        inner = {k.partition(".")[2]: v for k, v in params.items() if k.startswith(f"{part}.")}
        z, carried = paper(inner, here, dilation)
        total = total + dense(inner, "skip", z)
        if part < 2:
            here = dense(inner, "residual", z) + carried
    np.testing.assert_allclose(layer(params, x)[0], np.maximum(total, 0), rtol=1e-12, atol=1e-13)
    assert layer.plan(x.shape)[1] == (2, 9, 5)
    assert not [name for name in params if name.startswith("2.residual")]
    assert [name for name in params if "project" in name] == ["0.project.W"]


@EACH
def test_it_streams(name):
    rng, layer = np.random.default_rng(0), LAYERS[name]
    params, x = weights(layer, 3, rng), rng.standard_normal((2, 9, 3))
    if layer.several_outputs is None:
        for mask in (None, MASK):
            assert_streams(layer, params, x, mask)
        return
    stream, ys = layer.stream(params, 2), layer(params, x)[0]
    for t in range(9):
        for got, y in zip(stream.step(x[:, t], None)[0], ys, strict=True):
            np.testing.assert_allclose(got, y[:, t], rtol=1e-12, atol=1e-12)


@EACH
def test_reach_is_what_probing_finds_and_nothing_comes_from_later(name):
    layer, rng = LAYERS[name], np.random.default_rng(0)
    if layer.several_outputs is not None:
        layer = WaveNetBlock(4, skip_filters=2)
    params, x = weights(layer, 3, rng), rng.standard_normal((1, 12, 3))
    if isinstance(layer, WaveNet):
        params = {k: 0.3 * w for k, w in params.items()}  # away from where the gates are shut
    steps = seen(layer, params, x, 9)
    assert steps[-1] == 9
    assert 9 - steps[0] + 1 == layer.reach[0]


def test_three_stacks_of_the_paper_s_dilations_train_and_stream_in_a_model():
    dilations = tuple(2**k for k in range(10)) * 3
    model = Sequential([Input((None, 1)), WaveNet(3, dilations), Dense(1)], dtype="float64", seed=0)
    assert model.layers[0].reach == (1 + 3 * 1023, 1)
    x = np.random.default_rng(0).standard_normal((2, 8, 1))
    layer, params = model.layers[0], model.params[0]
    assert_streams(layer, params, x)
    model.compile("adam", "mse")
    before = model.evaluate(x, 0.5 * x)["loss"]
    model.fit(x, 0.5 * x, epochs=2, verbose=0)
    assert model.evaluate(x, 0.5 * x)["loss"] < before


def test_blocks_follow_one_another_in_a_model_and_come_back_from_a_file(tmp_path):
    model = Sequential([Input((None, 1)), WaveNetBlock(4, 1), WaveNetBlock(4, 2), WaveNet(4, [1, 2]), Dense(1)])
    assert model.output_shape == (None, None, 1)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.layers == model.layers
    x = np.random.default_rng(0).standard_normal((2, 9, 1)).astype(np.float32)
    y = model.predict(x)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(again.predict(x), y)
    with pytest.raises(ValueError, match=r"WaveNetBlock\(output='both'\) has several outputs"):
        Sequential([WaveNetBlock(4, output="both")])


def test_what_is_said_of_the_weights_is_said_of_those_of_every_part():
    rng = np.random.default_rng(0)
    for layer in (
        WaveNetBlock(3, kernel_initializer="ones", bias_initializer="ones"),
        WaveNet(3, (1, 2), kernel_initializer="ones", bias_initializer="ones"),
    ):
        params, _ = layer.init(rng, (None, None, 2))
        assert all((w == 1).all() for w in params.values())
    block = WaveNetBlock(3, kernel_regularizer="l2")
    params = weights(block, 2, rng)
    value, slopes = block.penalty(params)
    assert slopes.keys() == {name for name in params if name.endswith("W")}
    assert value == pytest.approx(0.01 * sum((params[name] ** 2).sum() for name in slopes))
    block = WaveNetBlock(3, 2, output="both")
    assert [w.shape for w in block.to_list(block.init(rng, (None, None, 2))[0])] == [
        (2, 2, 3), (3,), (2, 2, 3), (3,), (3, 3), (3,), (3, 3), (3,), (2, 3),
    ]  # fmt: skip
    params = weights(block, 2, rng)
    again = block.from_list(block.to_list(params), params)
    assert all(again[name] is params[name] for name in params)
    assert WaveNet(3, (1,), trainable=False).learned(params) == ()


def test_masked_steps_never_enter_a_block():
    rng = np.random.default_rng(0)
    block, x = WaveNetBlock(3, 2), rng.standard_normal((2, 9, 3))
    params = weights(block, 3, rng)
    y, _ = block(params, x, Context(mask=MASK))
    other, _ = block(params, np.where(MASK[:, :, None], x, 100.0), Context(mask=MASK))
    np.testing.assert_array_equal(y[MASK], other[MASK])
    np.testing.assert_array_equal(block.next_mask(MASK, x), MASK)


def test_a_block_is_made_of_the_convolutions_that_it_names():
    rng = np.random.default_rng(0)
    block, x = WaveNetBlock(3, 2, output="skip"), rng.standard_normal((2, 9, 2))
    params = weights(block, 2, rng)
    taps = {"padding": "causal", "dilation_rate": 2}
    parts = block.split(params)
    f, _ = Conv1D(3, 2, activation="tanh", **taps)(parts["filter"], x)
    g, _ = Conv1D(3, 2, activation="sigmoid", **taps)(parts["gate"], x)
    np.testing.assert_array_equal(block(params, x)[0], Dense(3)(parts["skip"], f * g)[0])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: WaveNetBlock(0), "WaveNetBlock: filters is a whole number from 1 up, got 0"),
        (lambda: WaveNetBlock(3, 0), "WaveNetBlock: dilation_rate is a whole number from 1 up, got 0"),
        (lambda: WaveNetBlock(3, output="z"), "WaveNetBlock: output is 'residual', 'skip' or 'both', got 'z'"),
        (lambda: WaveNetBlock(3, skip_filters=0), "WaveNetBlock: skip_filters is a whole number from 1 up, got 0"),
        (lambda: WaveNet(3, ()), r"WaveNet: dilations is a tuple with one for each block; got \(\)"),
        (lambda: WaveNet(3, 4), "WaveNet: dilations is a tuple with one for each block; got 4"),
        (lambda: WaveNet(3, (1, 0)), "WaveNet: a dilation is a whole number from 1 up, got 0"),
        (lambda: WaveNet(0), "filters is a whole number from 1 up, got 0"),
        (lambda: WaveNet(3, activation="rleu"), "unknown activation 'rleu'; did you mean 'relu'"),
        (lambda: WaveNetBlock(3).plan((None, 4, 2, 2)), r"WaveNetBlock takes \(batch, time, features\)"),
    ],
)
def test_what_means_nothing_is_refused_in_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
