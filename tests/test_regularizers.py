"""Regularizers: slopes against complex steps, dtypes, and what is refused. Numbers: `test_optimizers_peers.py`."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnkit
from rnnkit import layers, regularizers
from rnnkit.regularizers import L1, L1L2, L2, Orthogonality, OrthogonalRegularizer

MADE = [L1(0.3), L2(0.2), L1L2(0.1, 0.4), OrthogonalRegularizer(0.5), OrthogonalRegularizer(0.5, "columns")]
MADE += [Orthogonality(0.7)]
EACH = pytest.mark.parametrize("regularizer", MADE, ids=repr)
SEEDS = settings(max_examples=15, deadline=None, derandomize=True)


def kernel(seed, rows=3, gates=2, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=(rows, gates * rows)).astype(dtype)


def test_the_table_has_every_regularizer_and_the_package_has_the_module():
    assert {type(made) for made in MADE} == set(regularizers.ALL.values())
    assert all(kind.__name__ == name for name, kind in regularizers.ALL.items())
    assert rnnkit.regularizers is regularizers


@EACH
@SEEDS
@given(seed=st.integers(0, 10**6), rows=st.integers(1, 4), gates=st.integers(1, 4))
def test_a_slope_is_the_derivative_of_the_value(regularizer, seed, rows, gates):
    w = kernel(seed, rows, gates)
    _, slope = regularizer(w)
    # A complex step has no difference to lose digits in: its error is that of the formula, a few dozen roundings.
    for place in np.ndindex(w.shape):
        step = w.astype(np.complex128)
        step[place] += 1e-30j
        value, _ = regularizer(step)
        assert slope[place] == pytest.approx(value.imag / 1e-30, rel=1e-12, abs=1e-13)


@EACH
@SEEDS
@given(seed=st.integers(0, 10**6))
def test_a_slope_is_the_limit_of_differences(regularizer, seed):
    w, h = kernel(seed), 1e-6
    direction = np.random.default_rng(seed + 1).normal(size=w.shape)
    # Central differences: h^2 and eps / h, 1e-10 both, times derivatives of some tens; no entry is near a kink.
    w = np.where(np.abs(w) < 1e-3, 0.1, w)
    difference = (regularizer(w + h * direction)[0] - regularizer(w - h * direction)[0]) / (2 * h)
    assert (regularizer(w)[1] * direction).sum() == pytest.approx(difference, rel=1e-7, abs=1e-8)


@EACH
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_the_weight_is_not_written_to_and_the_slope_has_its_dtype(regularizer, dtype):
    w = kernel(3, dtype=dtype)
    w.setflags(write=False)
    before = w.copy()
    value, slope = regularizer(w)
    assert type(value) is (complex if dtype is np.complex128 else float)
    assert slope.dtype == dtype
    assert slope.shape == w.shape
    assert not np.shares_memory(slope, w)
    np.testing.assert_array_equal(w, before)


@EACH
def test_a_value_of_float32_weights_is_summed_in_float64(regularizer):
    w = kernel(4, rows=4, dtype=np.float32)
    assert regularizer(w)[0] == regularizer(w.astype(np.float64))[0]


def test_a_square_beyond_float32_is_still_a_number():
    assert L2(1.0)(np.full(3, 1e30, np.float32))[0] == pytest.approx(3e60, rel=1e-6)


def test_orthogonal_blocks_have_no_penalty_and_no_slope():
    rng = np.random.default_rng(0)
    blocks = [np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(3)]
    value, slope = Orthogonality(1.0)(np.concatenate(blocks, axis=1))
    assert value == pytest.approx(0, abs=1e-28)
    np.testing.assert_allclose(slope, 0, atol=1e-14)
    doubled, slope = Orthogonality(0.5)(np.concatenate([2 * blocks[0], blocks[1]], axis=1))
    assert doubled == pytest.approx(0.5 * 4 * 9, rel=1e-12)  # 2 Q: U^T U - I = 3 I, four entries of 9
    np.testing.assert_allclose(slope, np.concatenate([12 * blocks[0], 0 * blocks[1]], axis=1), atol=1e-13)


def test_steps_down_the_slope_of_orthogonality_make_a_kernel_orthogonal():
    U = np.random.default_rng(1).normal(size=(3, 6)) * 0.5
    for _ in range(4000):
        U = U - Orthogonality(0.01)(U)[1]
    for block in (U[:, :3], U[:, 3:]):
        np.testing.assert_allclose(block.T @ block, np.eye(3), atol=1e-6)


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_rows_of_zeros_and_single_rows_have_a_slope_of_zero(mode):
    w = np.array([[1.0, 2.0, -1.0], [0.0, 0.0, 0.0], [0.5, -1.0, 3.0]])
    w = w if mode == "rows" else w.T
    value, slope = OrthogonalRegularizer(1.0, mode)(w)
    assert value > 0
    assert np.isfinite(slope).all()
    assert not (slope[1] if mode == "rows" else slope[:, 1]).any()
    one = w[:1] if mode == "rows" else w[:, :1]
    value, slope = OrthogonalRegularizer(1.0, mode)(one)
    assert value == 0
    assert not slope.any()


def test_a_short_row_is_scaled_by_a_constant():
    short = np.array([[3e-9, 4e-9], [1.0, 2.0]])  # of length 5e-9, so that 1e-7 stands for it
    value, slope = OrthogonalRegularizer(1.0)(short)
    other = short[1] / np.sqrt(5)
    assert value == pytest.approx((short[0] / 1e-7) @ other, rel=1e-12)
    np.testing.assert_allclose(slope[0], other / 1e-7, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("l1", L1(0.01)),
        ("L2", L2(0.01)),
        ("l1l2", L1L2(0.01, 0.01)),
        ("l1_l2", L1L2(0.01, 0.01)),
        ("orthogonal_regularizer", OrthogonalRegularizer(0.01, "rows")),
        ("OrthogonalRegularizer", OrthogonalRegularizer()),
        ("orthogonality", Orthogonality(0.01)),
    ],
)
def test_a_regularizer_is_found_by_name(name, made):
    assert regularizers.get(name) == made


def test_a_regularizer_is_found_by_class_or_as_itself():
    for made in MADE:
        assert regularizers.get(made) is made
        assert regularizers.get(type(made)) == type(made)()
        assert type(made)(**dataclasses.asdict(made)) == made
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.l1 = 1.0
    assert L1L2() == L1L2(0.0, 0.0)

    def own(weight):
        return 0.0, 0 * weight

    assert regularizers.get(own) is own


def test_what_is_no_regularizer_is_refused():
    with pytest.raises(ValueError, match="unknown regularizer 'l2l'; did you mean 'l"):
        regularizers.get("l2l")
    for wrong in (0.01, None):
        with pytest.raises(TypeError, match="is no regularizer: expected a name, an object or fn"):
            regularizers.get(wrong)


@pytest.mark.parametrize("kind", regularizers.ALL.values())
def test_a_strength_out_of_range_is_refused(kind):
    for name in {field.name for field in dataclasses.fields(kind)} - {"mode"}:
        for wrong in (-0.1, math.nan, math.inf):
            with pytest.raises(ValueError, match=rf"{name} is {wrong}, expected a number in \[0, inf\)"):
                kind(**{name: wrong})
        with pytest.raises(TypeError, match=f"{name} is 'much', expected a number"):
            kind(**{name: "much"})


def test_weights_of_the_wrong_shape_are_refused():
    with pytest.raises(ValueError, match="mode is 'both', expected 'rows' or 'columns'"):
        OrthogonalRegularizer(mode="both")
    with pytest.raises(ValueError, match=r"takes a matrix, two axes; got a weight of shape \(3,\)"):
        OrthogonalRegularizer()(np.zeros(3))
    for shape in ((3, 4), (4, 2), (3,), (0, 0), (2, 2, 2)):
        with pytest.raises(ValueError, match=r"takes a recurrent kernel \(H, G H\), square blocks side by side"):
            Orthogonality()(np.zeros(shape))


FROZEN = {
    "a kernel": layers.Dense(2, kernel_regularizer="l2", trainable=False),
    "a recurrent kernel": layers.GRU(2, recurrent_regularizer="l1", bias_regularizer="l2", trainable=False),
    "a gain": layers.BatchNormalization(gamma_regularizer="l2", trainable=False),
    "all within": layers.Bidirectional(layers.LSTM(2, kernel_regularizer="l2"), trainable=False),
    "what is frozen within": layers.TimeDistributed(layers.Dense(2, kernel_regularizer="l2", trainable=False)),
}


@pytest.mark.parametrize("layer", FROZEN.values(), ids=FROZEN)
def test_what_does_not_learn_costs_nothing(layer):
    params, _ = layer.init(np.random.default_rng(0), (None, 3, 2), "float64")
    assert layer.penalty({name: w + 1 for name, w in params.items()}) == (0.0, {})


def test_a_half_that_learns_costs_what_it_costs_beside_one_that_does_not():
    learns, rests = (layers.GRU(2, kernel_regularizer="l2", trainable=t) for t in (True, False))
    layer = layers.Bidirectional(learns, backward_layer=dataclasses.replace(rests, go_backwards=True))
    params, _ = layer.init(np.random.default_rng(0), (None, 3, 2), "float64")
    value, slopes = layer.penalty(params)
    assert value == pytest.approx(0.01 * (params["forward.W"] ** 2).sum(), rel=1e-12)
    assert list(slopes) == ["forward.W"]
