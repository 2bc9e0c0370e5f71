"""Compiled pooling beside the layers' own: windows, strides, paddings, equal numbers, NaN, every width of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs the extra numba")

from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit.context import Context
from rnnkit.layers import AveragePooling1D, GlobalAveragePooling1D, GlobalMaxPooling1D, MaxPooling1D
from rnnkit_kernels.backends import backend
from rnnkit_kernels.numba_cpu import memory
from rnnkit_kernels.numba_cpu.emit.vec import Lanes
from rnnkit_kernels.numba_cpu.pooling import CompiledPooling
from rnnkit_kernels.numba_cpu.pooling.whole import pooled
from rnnkit_kernels.textbook.convolution import Window

FORMS = tuple(Lanes("float32", count) for count in (16, 8, 4)) + tuple(Lanes("float64", count) for count in (8, 4))
SOME = settings(max_examples=25, deadline=None, derandomize=True)
KERNEL = CompiledPooling()


@pytest.fixture(autouse=True, scope="module")
def poisoned() -> Any:
    """What is to be written holds NaN before, so that a place left out shows. Two threads, on any machine."""
    fresh = memory.empty

    def empty(shape: Any, dtype: Any) -> Any:
        array = fresh(shape, dtype)
        array.reshape(-1).view(np.uint8).fill(0xFF)
        return array

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "empty", empty)
        patch.setenv("RNNKIT_NUM_THREADS", "2")
        yield


def sequences(rows: int, steps: int, features: int, seed: int, dtype: Any = np.float64) -> Any:
    """Few different numbers, so that some in a window are equal."""
    return np.random.default_rng(seed).integers(-3, 4, (rows, steps, features)).astype(dtype)


def close(found: Any, right: Any, terms: int) -> None:
    """A sum of so many terms of both sides' sizes, and a division."""
    assert found.shape == right.shape
    eps = np.finfo(found.dtype).eps
    np.testing.assert_allclose(found, right, rtol=(terms + 2) * eps, atol=8 * (terms + 2) * eps)


@pytest.mark.parametrize("lanes", FORMS, ids=str)
@SOME
@given(
    how=st.sampled_from(("largest", "mean")),
    rows=st.integers(1, 5),
    steps=st.integers(1, 40),
    features=st.sampled_from((1, 3, 4, 8, 15, 16, 17, 33)),
    size=st.integers(1, 7),
    stride=st.integers(1, 5),
    padding=st.sampled_from(("same", "valid")),
    parts=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_it_is_what_the_layers_compute_by_themselves(
    lanes: Lanes, how: str, rows: int, steps: int, features: int, size: int, stride: int, padding: str, parts: int,
    seed: int,
) -> None:  # fmt: skip
    x = sequences(rows, max(steps, size), features, seed)
    layer = (MaxPooling1D if how == "largest" else AveragePooling1D)(size, stride, padding)
    y, back = layer({}, x, Context("numpy"))
    dy = np.random.default_rng(seed).standard_normal(y.shape).astype(np.float32).astype(np.float64)
    found, tape = KERNEL.forward(how, x.astype(lanes.dtype), layer.sliding.window(x.shape[1]), lanes=lanes, parts=parts)
    assert found.dtype == lanes.dtype
    close(found, y.astype(lanes.dtype), size if how == "mean" else 0)
    dx = KERNEL.backward(tape, dy.astype(lanes.dtype))
    close(dx, back(dy)[1].astype(lanes.dtype), size)


@pytest.mark.parametrize("lanes", FORMS, ids=str)
@SOME
@given(
    how=st.sampled_from(("largest", "mean")),
    rows=st.integers(1, 5),
    steps=st.integers(1, 40),
    features=st.sampled_from((1, 3, 8, 16, 17, 33)),
    parts=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_over_all_steps_too(
    lanes: Lanes, how: str, rows: int, steps: int, features: int, parts: int, seed: int
) -> None:
    x = sequences(rows, steps, features, seed)
    layer = (GlobalMaxPooling1D if how == "largest" else GlobalAveragePooling1D)(keepdims=True)
    y, back = layer({}, x, Context("numpy"))
    found, compiled_back = pooled(how, x.astype(lanes.dtype), lanes=lanes, parts=parts)
    close(found, y.astype(lanes.dtype), steps)
    dy = np.random.default_rng(seed).standard_normal(y.shape).astype(np.float32).astype(np.float64)
    close(compiled_back(dy.astype(lanes.dtype)), back(dy)[1].astype(lanes.dtype), 1)


@pytest.mark.parametrize(
    "layer",
    [
        MaxPooling1D(3, 2),
        MaxPooling1D(3, 1, "same"),
        AveragePooling1D(2),
        GlobalMaxPooling1D(),
        GlobalAveragePooling1D(),
    ],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["x", "dy"])
def test_nan_and_infinity_come_out_where_the_layers_have_them(layer: Any, value: float, where: str) -> None:
    x = sequences(2, 9, 5, 0)
    if where == "x":
        x[0, 0, 0] = x[0, 4, 1] = x[1, 8, 4] = x[1, :, 2] = value
    results = []
    for name in ("numpy", "numba"):
        y, back = layer({}, x, Context(name))
        dy = sequences(2, y.size // 10, 5, 1).reshape(y.shape)
        if where == "dy":
            dy[0, ..., 0] = dy[1, ..., 2] = value
        results.append((y, back(dy)[1]))
    np.testing.assert_allclose(results[1][0], results[0][0], rtol=1e-14)
    np.testing.assert_allclose(results[1][1], results[0][1], rtol=1e-14)


def test_it_does_not_matter_how_arrays_lie_in_memory_and_one_may_go_back_twice() -> None:
    x, dy = sequences(3, 12, 17, 0), sequences(3, 6, 17, 1)
    for layer, owed in ((MaxPooling1D(2), dy), (AveragePooling1D(2), dy), (GlobalMaxPooling1D(), dy[:, 0])):
        y, back = layer({}, x, Context("numba"))
        dx = back(owed)[1]
        np.testing.assert_array_equal(back(owed)[1], dx)
        for axes in ((1, 0, 2), (2, 1, 0)):
            lying = x.transpose(axes).copy().transpose(np.argsort(axes))
            y2, back2 = layer({}, lying, Context("numba"))
            np.testing.assert_array_equal(y2, y)
            np.testing.assert_array_equal(back2(np.asfortranarray(owed))[1], dx)
    np.testing.assert_array_equal(x, sequences(3, 12, 17, 0))
    np.testing.assert_array_equal(dy, sequences(3, 6, 17, 1))


def test_layers_pool_by_themselves_what_the_kernel_does_not_take() -> None:
    assert backend("numpy").pooling() is None
    kernel = backend("numba").pooling()
    assert kernel is not None
    window = MaxPooling1D(2).sliding.window(8)
    assert kernel.takes(sequences(2, 8, 3, 0), window)
    assert not kernel.takes(sequences(2, 8, 3, 0, complex), window)
    assert not kernel.takes(sequences(0, 8, 3, 0), window)
    mask = np.arange(8) < np.array([[8], [3]])
    for layer in (MaxPooling1D(2), AveragePooling1D(2), GlobalMaxPooling1D(), GlobalAveragePooling1D()):
        x = sequences(2, 8, 3, 0)
        right, found = (layer({}, x, Context(name, mask=mask))[0] for name in ("numpy", "numba"))
        np.testing.assert_array_equal(found, right)


def test_a_window_that_begins_before_the_sequence_has_fewer_steps_wherever_the_others_end() -> None:
    y, tape = KERNEL.forward("mean", np.ones((1, 6, 2)), Window(2, stride=3, left=1))
    np.testing.assert_array_equal(y, np.ones((1, 2, 2)))
    np.testing.assert_array_equal(KERNEL.backward(tape, y)[0, :, 0], [1, 0, 0.5, 0.5, 0, 0])
