"""Initializers: their distributions, their seeds, and at the border. Limits and deviations are Keras 3.15.1's."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit import initializers
from rnnkit.initializers import (
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Identity,
    LecunNormal,
    LecunUniform,
    Ones,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    Zeros,
)

DENSE, CONVOLUTION, BIAS = (300, 500), (5, 60, 100), (150_000,)
ALL = pytest.mark.parametrize("name", initializers.ALL)


def draw(initializer, shape, seed=0, dtype=np.float64):
    return initializer(np.random.default_rng(seed), shape, dtype)


@ALL
def test_one_seed_gives_the_same_numbers_in_both_dtypes(name):
    initializer = initializers.get(name)
    double, single = (draw(initializer, (7, 5), dtype=dtype) for dtype in ("float64", np.float32))
    assert (double.shape, double.dtype, single.dtype) == ((7, 5), np.float64, np.float32)
    np.testing.assert_array_equal(double.astype(np.float32), single)
    np.testing.assert_array_equal(double, draw(initializer, [7, 5]))
    assert double.flags.c_contiguous
    assert single.flags.writeable


@ALL
def test_what_is_random_follows_the_seed(name):
    fixed = name in ("zeros", "ones", "constant", "identity")
    initializer = initializers.get(name)
    assert np.array_equal(draw(initializer, (7, 5), seed=1), draw(initializer, (7, 5), seed=2)) == fixed


@pytest.mark.parametrize(
    ("shape", "fan_in", "fan_out"),
    [((), 1, 1), ((7,), 7, 7), ((3, 5), 3, 5), ((4, 3, 5), 12, 20), ((2, 4, 3, 5), 24, 40), ((0, 5), 0, 5)],
)
def test_fans_are_those_of_keras(shape, fan_in, fan_out):
    assert initializers.fans(shape) == (fan_in, fan_out)


@pytest.mark.parametrize(
    ("initializer", "shape", "limit"),
    [
        (RandomUniform(), DENSE, 0.05),
        (GlorotUniform(), DENSE, 0.08660254037844387),
        (HeUniform(), DENSE, 0.1414213562373095),
        (LecunUniform(), DENSE, 0.1),
        (GlorotUniform(), CONVOLUTION, 0.08660254037844387),
        (HeUniform(), CONVOLUTION, 0.1414213562373095),
        (LecunUniform(), CONVOLUTION, 0.1),
        (GlorotUniform(), BIAS, 0.004472135954999579),
        (VarianceScaling(3.0, "fan_out", "uniform"), DENSE, 0.1341640786499874),
    ],
    ids=str,
)
def test_uniform_numbers_fill_their_interval_evenly(initializer, shape, limit):
    x = draw(initializer, shape) / limit
    # The largest of n falls short of 1 by 1 / n on average, and by 20 / n with probability e^-10 on each side.
    assert 1 - 20 / x.size < x.max() < 1
    assert -1 <= x.min() < -1 + 20 / x.size
    moments(x, mean=0, variance=1 / 3, fourth=1 / 5)


@pytest.mark.parametrize(
    ("initializer", "shape", "deviation"),
    [(RandomNormal(), DENSE, 0.05), (VarianceScaling(2.0, "fan_avg", "untruncated_normal"), DENSE, math.sqrt(2 / 400))],
    ids=str,
)
def test_normal_numbers_have_their_deviation_and_their_tails(initializer, shape, deviation):
    x = draw(initializer, shape) / deviation
    moments(x, mean=0, variance=1, fourth=3)
    assert np.abs(x).max() > 3.5


# A standard normal cut at +-2: with c = 2 phi(2) / (2 Phi(2) - 1), variance 1 - 2 c, fourth moment 3 - 14 c.
CUT = 2 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2))


@pytest.mark.parametrize(
    ("initializer", "shape", "deviation"),
    [
        (TruncatedNormal(), DENSE, 0.05 * 0.87962566103423978),
        (GlorotNormal(), DENSE, 0.05),
        (HeNormal(), DENSE, 0.08164965809277261),
        (LecunNormal(), DENSE, 0.05773502691896258),
        (GlorotNormal(), CONVOLUTION, 0.05),
        (HeNormal(), CONVOLUTION, 0.08164965809277261),
        (LecunNormal(), CONVOLUTION, 0.05773502691896258),
        (VarianceScaling(), DENSE, 0.05773502691896258),
    ],
    ids=str,
)
def test_truncated_numbers_end_at_two_deviations_and_have_the_variance_after_the_cut(initializer, shape, deviation):
    x = draw(initializer, shape) * (0.87962566103423978 / deviation)
    assert 1.999 < np.abs(x).max() <= 2 * (1 + 1e-15)
    moments(x, mean=0, variance=1 - 2 * CUT, fourth=3 - 14 * CUT)


def moments(x, mean, variance, fourth):
    """Mean and variance within five standard errors, which a right generator misses once in a million seeds."""
    assert x.mean() == pytest.approx(mean, abs=5 * math.sqrt(variance / x.size))
    assert x.var() == pytest.approx(variance, abs=5 * math.sqrt((fourth - variance**2) / x.size))


def test_mean_and_bounds_are_shifted_as_told():
    assert draw(RandomNormal(3.0, 0.1), DENSE).mean() == pytest.approx(3, abs=5 * 0.1 / math.sqrt(150_000))
    assert draw(TruncatedNormal(3.0, 0.1), DENSE).min() >= 2.8 - 1e-12
    x = draw(RandomUniform(2.0, 5.0), DENSE)
    assert 2 <= x.min() < 2.01 < 4.99 < x.max() < 5
    np.testing.assert_array_equal(draw(RandomUniform(2.0, 2.0), (2,)), [2, 2])


@settings(max_examples=40, deadline=None)
@given(shape=st.lists(st.integers(1, 12), min_size=2, max_size=3), seed=st.integers(0, 2**32 - 1))
def test_an_orthogonal_kernel_keeps_lengths(shape, seed):
    u = draw(Orthogonal(), shape, seed)
    assert u.shape == tuple(shape)
    u = u.reshape(-1, shape[-1])
    rows, columns = u.shape
    product = u.T @ u if rows >= columns else u @ u.T
    # Householder QR: off by a small multiple of n eps, n <= 144.
    np.testing.assert_allclose(product, np.eye(min(rows, columns)), atol=1e-13)


def test_orthogonal_matrices_prefer_no_sign():
    """Without the fix of the signs LAPACK leaves entry (0, 0) of every square matrix on one side."""
    corners = np.array([draw(Orthogonal(), (3, 3), seed)[0, 0] for seed in range(400)])
    # Uniform on the sphere in three dimensions: each coordinate has mean 0 and variance 1 / 3.
    assert abs(corners.mean()) < 5 * math.sqrt(1 / 3 / 400)
    assert corners.var() == pytest.approx(1 / 3, abs=5 * math.sqrt((1 / 5 - 1 / 9) / 400))


def test_gains_and_constants_are_what_was_told():
    np.testing.assert_array_equal(draw(Orthogonal(gain=3.0), (4, 6)), 3 * draw(Orthogonal(), (4, 6)))
    np.testing.assert_array_equal(draw(Identity(gain=2.0), (2, 3)), [[2, 0, 0], [0, 2, 0]])
    np.testing.assert_array_equal(draw(Constant(1.5), (2,)), [1.5, 1.5])
    np.testing.assert_array_equal(draw(Constant(), (2,)), [0, 0])
    np.testing.assert_array_equal(draw(Zeros(), ()), 0)
    np.testing.assert_array_equal(draw(Ones(), (0, 3)), np.ones((0, 3)))


@pytest.mark.parametrize("initializer", [Orthogonal(), Identity()])
@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_shape_that_is_no_matrix_is_refused(initializer, shape):
    with pytest.raises(ValueError, match=r"got the shape \(.*\), expected two axes.*: take another initializer"):
        draw(initializer, shape)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: RandomUniform(1.0, 0.0), "minval is 1.0 and maxval 0.0, expected"),
        (lambda: RandomUniform(0.0, math.nan), "maxval is nan, expected a number in"),
        (lambda: RandomNormal(stddev=-1.0), r"stddev is -1.0, expected a number in \[0, inf\)"),
        (lambda: TruncatedNormal(mean=math.inf), "mean is inf"),
        (lambda: VarianceScaling(0.0), r"scale is 0.0, expected a number in \(0, inf\)"),
        (lambda: Constant(math.nan), "value is nan, expected a number in"),
        (lambda: Orthogonal(gain=math.inf), "gain is inf, expected a number in"),
        (lambda: GlorotUniform(seed=-1), "seed is a whole number from 0 up, got -1"),
        (lambda: VarianceScaling(1.0, "fan_im"), "unknown mode 'fan_im'; did you mean 'fan_in'"),
        (lambda: VarianceScaling(distribution="uniformly"), "unknown distribution 'uniformly'; did you mean 'uniform'"),
    ],
)
def test_numbers_that_describe_no_distribution_are_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


@ALL
def test_an_initializer_is_found_by_name_class_or_as_itself(name):
    found = initializers.get(name)
    assert found == initializers.get(type(found).__name__) == initializers.get(type(found))
    assert initializers.get(found) is found
    assert type(found)(**dataclasses.asdict(found)) == found


def test_a_function_can_be_an_initializer():
    def mine(rng, shape, dtype):
        return np.full(shape, 7, dtype)

    assert initializers.get(mine) is mine


def test_what_is_no_initializer_is_refused():
    with pytest.raises(ValueError, match="unknown initializer 'glorot'; did you mean 'glorot_"):
        initializers.get("glorot")
    for wrong in (1.0, int):
        with pytest.raises(TypeError, match="is no initializer: expected a name"):
            initializers.get(wrong)


@pytest.mark.parametrize("name", sorted(set(initializers.ALL) - {"orthogonal", "identity"}))
@pytest.mark.parametrize("shape", [(), (0, 3), (5,)])
def test_any_shape_gives_an_array_that_can_be_written_to(name, shape):
    made = initializers.get(name)(np.random.default_rng(0), shape, "float32")
    assert isinstance(made, np.ndarray)
    assert (made.shape, made.dtype) == (shape, np.float32)
    assert made.flags.writeable


@pytest.mark.parametrize(
    "make",
    [
        lambda wrong: Constant(wrong),
        lambda wrong: Identity(wrong),
        lambda wrong: Orthogonal(wrong),
        lambda wrong: RandomNormal(wrong),
        lambda wrong: RandomUniform(0.0, wrong),
        lambda wrong: VarianceScaling(wrong),
    ],
)
@pytest.mark.parametrize("wrong", ["1", None, True])
def test_what_is_no_number_is_refused(make, wrong):
    with pytest.raises(TypeError, match=f"is {wrong!r}, expected a number"):
        make(wrong)
