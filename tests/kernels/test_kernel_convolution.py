"""The convolution of the textbook: five loops say what it is, and its adjoint is the transpose of that."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from device_double import Device
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit_kernels.textbook import convolution
from rnnkit_kernels.textbook.convolution import Window

FEW = settings(max_examples=40, deadline=None, derandomize=True)


@st.composite
def cases(draw: Any) -> tuple[dict[str, Any], Any, Window, int]:
    """Weights, x, a window that fits and a number of groups."""
    window = Window(
        draw(st.integers(1, 4)),
        draw(st.integers(1, 4)),
        draw(st.integers(1, 3)),
        draw(st.integers(0, 4)),
        draw(st.integers(0, 4)),
    )
    least = max(1, window.span - window.left - window.right)
    groups, rng = draw(st.integers(1, 3)), np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    channels, filters = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    x = rng.standard_normal((draw(st.integers(1, 3)), least + draw(st.integers(0, 6)), channels))
    weights = {"W": rng.standard_normal((window.size, channels // groups, filters))}
    if draw(st.booleans()):
        weights["b"] = rng.standard_normal(filters)
    return weights, x, window, groups


def naive(weights: dict[str, Any], x: Any, window: Window, groups: int) -> Any:
    W, (B, T, C) = weights["W"], x.shape
    k, _, O = W.shape
    steps = T + window.left + window.right - (k - 1) * window.dilation
    y = np.zeros((B, (steps + window.stride - 1) // window.stride, O))
    for b in range(B):
        for n in range(y.shape[1]):
            for o in range(O):
                y[b, n, o] = weights["b"][o] if "b" in weights else 0
                first = (o // (O // groups)) * (C // groups)
                for j in range(k):
                    t = n * window.stride + j * window.dilation - window.left
                    if 0 <= t < T:
                        y[b, n, o] += x[b, t, first : first + C // groups] @ W[j, :, o]
    return y


@FEW
@given(cases())
def test_a_convolution_is_what_the_loops_say(case: Any) -> None:
    y, _ = convolution.forward(*case)
    np.testing.assert_allclose(y, naive(*case), rtol=1e-12, atol=1e-12)


@FEW
@given(cases(), st.integers(1, 300))
def test_the_way_back_is_the_transpose_whatever_the_size_of_a_block(case: Any, block: int) -> None:
    """y is linear in x and in each weight: <A u, v> = <u, A^T v>, with no difference taken anywhere."""
    weights, x, window, groups = case
    before = convolution.BLOCK_BYTES
    try:
        convolution.BLOCK_BYTES = 8 * block
        y, tape = convolution.forward(weights, x, window, groups)
        v = np.random.default_rng(0).standard_normal(y.shape)
        dweights, dx = convolution.backward(tape, v)
    finally:
        convolution.BLOCK_BYTES = before
    np.testing.assert_allclose(y, naive(*case), rtol=1e-12, atol=1e-12)
    assert dweights.keys() == weights.keys()
    bias = weights.get("b", 0.0)
    straight = ((y - bias) * v).sum()
    size = np.abs(y).sum() * np.abs(v).max() + 1
    for mine, other in ((dx, x), (dweights["W"], weights["W"])):
        assert mine.shape == other.shape
        assert (mine * other).sum() == pytest.approx(straight, abs=1e-13 * size)
    # the same for another x and another W, so that each element of dx and dW is weighed by itself
    rng = np.random.default_rng(1)
    other_x, other_W = rng.standard_normal(x.shape), rng.standard_normal(weights["W"].shape)
    by_x = (naive({"W": weights["W"]}, other_x, window, groups) * v).sum()
    assert (dx * other_x).sum() == pytest.approx(by_x, abs=1e-12 * size)
    by_W = (naive({"W": other_W}, x, window, groups) * v).sum()
    assert (dweights["W"] * other_W).sum() == pytest.approx(by_W, abs=1e-12 * size)
    if "b" in weights:
        np.testing.assert_allclose(dweights["b"], v.sum(axis=(0, 1)), rtol=1e-12, atol=1e-12)


@FEW
@given(cases())
def test_in_single_precision_only_digits_are_lost(case: Any) -> None:
    weights, x, window, groups = case
    single = {k: w.astype(np.float32) for k, w in weights.items()}
    y, tape = convolution.forward(single, x.astype(np.float32), window, groups)
    exact, exact_tape = convolution.forward(weights, x, window, groups)
    dy = np.ones_like(y)
    results = [y, *convolution.backward(tape, dy)[0].values(), convolution.backward(tape, dy)[1]]
    expected = convolution.backward(exact_tape, dy.astype(np.float64))
    terms = x.size + weights["W"].size  # no sum is longer, and each term is rounded a few times
    for got, full in zip(results, [exact, *expected[0].values(), expected[1]], strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, full, rtol=0, atol=4 * terms * 6e-8 * max(1, np.abs(full).max()))


@FEW
@given(cases())
def test_it_runs_on_another_place_s_arrays_with_the_same_numbers(case: Any) -> None:
    weights, x, window, groups = case
    y, tape = convolution.forward(weights, x, window, groups)
    dweights, dx = convolution.backward(tape, y)
    there = {k: Device(w) for k, w in weights.items()}
    y2, tape2 = convolution.forward(there, Device(x), window, groups)
    dweights2, dx2 = convolution.backward(tape2, y2)
    np.testing.assert_array_equal(y2.get(), y)
    np.testing.assert_array_equal(dx2.get(), dx)
    for k in dweights:
        np.testing.assert_array_equal(dweights2[k].get(), dweights[k])


@FEW
@given(cases())
def test_it_does_not_matter_how_arrays_lie_in_memory(case: Any) -> None:
    """A recurrent layer hands on a time-major array's view."""
    weights, x, window, groups = case
    y, tape = convolution.forward(weights, x, window, groups)
    expected, dx = convolution.backward(tape, y)
    for axes in ((1, 0, 2), (2, 1, 0), (0, 2, 1)):
        back = tuple(np.argsort(axes))

        def lying(a: Any, axes: Any = axes, back: Any = back) -> Any:
            return a.transpose(axes).copy().transpose(back)

        turned = {k: lying(w) if w.ndim == 3 else w for k, w in weights.items()}
        y2, tape2 = convolution.forward(turned, lying(x), window, groups)
        np.testing.assert_allclose(y2, y, rtol=1e-13, atol=1e-13)
        dweights, dx2 = convolution.backward(tape2, lying(y2))
        np.testing.assert_allclose(dx2, dx, rtol=1e-12, atol=1e-12)
        for k in expected:
            np.testing.assert_allclose(dweights[k], expected[k], rtol=1e-12, atol=1e-12)


def test_nothing_that_went_in_is_written_to() -> None:
    rng = np.random.default_rng(0)
    weights, x = {"W": rng.standard_normal((2, 3, 4)), "b": rng.standard_normal(4)}, rng.standard_normal((2, 6, 3))
    kept = {k: w.copy() for k, w in weights.items()}, x.copy()
    y, tape = convolution.forward(weights, x, Window(2))
    dy = rng.standard_normal(y.shape)
    first, second = convolution.backward(tape, dy), convolution.backward(tape, dy)
    np.testing.assert_array_equal(first[1], second[1])
    np.testing.assert_array_equal(first[0]["W"], second[0]["W"])
    np.testing.assert_array_equal(x, kept[1])
    for k, w in kept[0].items():
        np.testing.assert_array_equal(weights[k], w)


def test_arrays_that_do_not_belong_together_are_refused_in_a_sentence() -> None:
    W, x = np.zeros((3, 2, 4)), np.zeros((1, 5, 2))
    for sentence, weights, given_x, window, groups in [
        (r"x is \(B, T, C\) and W \(k, C / groups, O\); got \(5, 2\)", {"W": W}, x[0], Window(3), 1),
        (r"got \(3, 2, 4\) for x \(1, 5, 2\), 2 taps and 1 groups", {"W": W}, x, Window(2), 1),
        (r"got \(3, 2, 4\) for x \(1, 5, 2\), 3 taps and 2 groups", {"W": W}, x, Window(3), 2),
        (r"O a multiple of groups; got \(3, 1, 5\)", {"W": np.zeros((3, 1, 5))}, x, Window(3), 2),
        (r"b should have shape \(4,\); got \(3,\)", {"W": W, "b": np.zeros(3)}, x, Window(3), 1),
        (r"a window of 7 steps does not fit into x of shape \(1, 5, 2\)", {"W": W}, x, Window(3, dilation=3), 1),
    ]:
        with pytest.raises(ValueError, match=sentence):
            convolution.forward(weights, given_x, window, groups)
    _, tape = convolution.forward({"W": W}, x, Window(3))
    with pytest.raises(ValueError, match=r"dy is \(B, N, O\) = \(1, 3, 4\), as y; got \(1, 5, 4\)"):
        convolution.backward(tape, np.zeros((1, 5, 4)))
