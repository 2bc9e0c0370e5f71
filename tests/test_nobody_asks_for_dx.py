"""Where nobody asks for dL/dx a layer may spare it; all other gradients are the same bits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from layer_cases import an_input, example, started

import rnnkit
from rnnkit import Context, layers
from rnnkit.context import DETERMINISTIC
from rnnkit.layers import Dense


def gradients(layer: Any, ctx: Context, seed: int = 0) -> tuple[dict[str, Any], Any]:
    rng = np.random.default_rng(seed)
    x = an_input(layer, rng, dtype="float32")
    params = {k: w.astype("float32") for k, w in started(layer, rng, x).items()}
    y, pullback = layer(params, x, ctx)
    dy = tuple(np.cos(a) for a in y) if isinstance(y, tuple) else np.cos(y)
    return pullback(dy)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", sorted(name for name in layers.ALL if example(name).spares_dx))
def test_gradients_of_weights_are_the_same_bits_without_dx(name: str, backend: str) -> None:
    if backend == "numba":
        pytest.importorskip("numba")
    layer, ctx = example(name), Context(backend)
    with_dx, dx = gradients(layer, ctx)
    without, spared = gradients(layer, replace(ctx, dx=False))
    assert with_dx.keys() == without.keys()
    for weight, value in with_dx.items():
        np.testing.assert_array_equal(without[weight], value, err_msg=weight, strict=True)
    assert dx is not None
    assert spared is None


def test_a_layer_inside_another_is_asked_for_dx_again() -> None:
    assert Context(dx=False).inside("0").dx
    assert Context(dx=False, record=lambda name, value: None).inside("0").dx


class Asked(Dense):
    """Notes whether dL/dx was asked for."""

    seen: list[bool] = []  # noqa: RUF012 - one list of a test

    def __call__(self, params: Any, x: Any, ctx: Context = DETERMINISTIC) -> Any:
        self.seen.append(ctx.dx)
        return super().__call__(params, x, ctx)


class Unaware(Asked):
    spares_dx = False


def test_fit_asks_every_layer_but_the_first_and_forward_asks_all() -> None:
    model = rnnkit.Sequential([Asked(3), Asked(2), Asked(1)], seed=0)
    model.compile("sgd", "mse")
    x, y = np.ones((4, 5), "float32"), np.ones((4, 1), "float32")
    model.build(x.shape)
    Asked.seen.clear()
    model.fit(x, y, epochs=1, verbose=0)
    assert Asked.seen == [False, True, True]
    unaware = rnnkit.Sequential([Unaware(3), Asked(1)], seed=0)
    unaware.compile("sgd", "mse")
    unaware.build(x.shape)
    Asked.seen.clear()
    unaware.fit(x, y, epochs=1, verbose=0)
    assert Asked.seen == [True, True]
    Asked.seen.clear()
    _, dx = model.forward(x)[1](np.ones((4, 1), "float32"))
    assert Asked.seen == [True, True, True]
    assert dx.shape == x.shape
