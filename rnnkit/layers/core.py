"""Dense, Dropout, Activation and Input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rnnkit_kernels import activations
from rnnkit_kernels.replay import back
from rnnkit_kernels.textbook.functions import Arrays
from rnnkit_kernels.types import Array

from ..border import whole
from ..context import DETERMINISTIC, Context
from ..foreign import ANYTHING
from .base import Layer, Params, Pullback, Shape, check_cotangent, feature_count
from .weighted import Weighted

__all__ = ["Activation", "Dense", "Dropout", "Input"]

_F = Arrays()


def activate(activation: Any, a: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Any]:
    """f(a), and the pullback dy -> dy f'(a)."""
    if activation is None or activation == "linear":
        return a, lambda dy: dy
    if activation == "relu":
        kernels = ctx.kernels.elementwise
        rectified = kernels.relu(a)
        return rectified, lambda dy: kernels.relu_back(rectified, dy)
    with np.errstate(over="ignore"):  # sigmoid's exp may reach infinity on its way to 0
        y = activations.expand(activation, _F, a)

    def pullback(dy: Array) -> Array:
        with np.errstate(over="ignore"):
            return back(_F, activation, y, a, dy)

    return y, pullback


@dataclass(frozen=True, repr=False)
class Input(Layer):
    """The shape of one sample, first in a model: `Input((24, 1))` for 24 steps of 1 feature, (None, 1) for any number.

    As in Keras it is no layer of the model: `model.layers` begins with what follows.
    """

    shape: tuple[int | None, ...] = ()

    stepwise = True
    aside: ClassVar[dict[str, tuple[Any, ...]]] = {"dtype": ANYTHING}  # x becomes what the first layer takes

    def __post_init__(self) -> None:
        sizes = self.shape if isinstance(self.shape, (tuple, list)) else ()
        if not sizes or any(n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1) for n in sizes):
            raise ValueError(f"Input takes the shape of one sample, such as (24, 1) or (None, 1); got {self.shape!r}")

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        return x, lambda dy: ({}, dy)


@dataclass(frozen=True, repr=False)
class Dense(Weighted):
    """y = f(x W + b), over the last axis: at every step alike where there are steps.

    x (..., F) -> y (..., units). Weights [W (F, units), b (units,)]; W Glorot uniform, b zeros, as in Keras.
    """

    units: int
    activation: Any = None
    use_bias: bool = True

    stepwise = True
    spares_dx = True

    def __post_init__(self) -> None:
        whole("Dense: units", self.units, least=1)
        activations.check(self.activation)
        self.check_options()

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        features = feature_count("Dense", shape)
        sizes: dict[str, tuple[int, ...]] = {"W": (features, self.units)}
        if self.use_bias:
            sizes["b"] = (self.units,)
        return sizes, (*shape[:-1], self.units)

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        W, b = params["W"], params.get("b")
        if x.shape[-1] != W.shape[0]:
            raise ValueError(f"Dense was built for {W.shape[0]} features; got x of shape {x.shape}")
        flat = x.reshape(-1, W.shape[0])  # one product, whatever stands before the features
        a = flat @ W
        if b is not None:
            a += b
        y, through = activate(self.activation, a, ctx)

        def pullback(dy: Array) -> tuple[Params, Array | None]:
            check_cotangent("Dense", dy, (*x.shape[:-1], W.shape[1]))
            da = through(dy.reshape(a.shape))
            dparams = {"W": flat.T @ da}
            if b is not None:
                dparams["b"] = da.sum(axis=0)
            return dparams, (da @ W.T).reshape(x.shape) if ctx.dx else None

        return y.reshape(*x.shape[:-1], W.shape[1]), pullback


@dataclass(frozen=True, repr=False)
class Activation(Layer):
    """An activation by itself: a name, or an object with a value and a derivative. x, y: any shape."""

    activation: Any = None

    stepwise = True

    def __post_init__(self) -> None:
        activations.check(self.activation)

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        y, through = activate(self.activation, x, ctx)
        return y, lambda dy: ({}, through(dy))


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """Sets a share `rate` of x to zero and scales the rest by 1 / (1 - rate).

    x, y: any shape. Without `ctx.rng` the layer is the identity. Raises ValueError unless 0 <= rate < 1.
    Source: Srivastava et al. 2014, JMLR 15, section 4, with the scale moved from prediction to training.
    """

    rate: float = 0.5

    stepwise = True

    def __post_init__(self) -> None:
        check_rate("rate", self.rate)

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        if ctx.rng is None or self.rate == 0:
            return x, lambda dy: ({}, dy)
        scale, kernels = dropout_scale(self.rate, x.shape, x, ctx), ctx.kernels.elementwise
        return kernels.product(x, scale), lambda dy: ({}, kernels.product(dy, scale))


def dropout_scale(rate: float, shape: tuple[int, ...], like: Array, ctx: Context) -> Array:
    """0 for a share `rate`, 1 / (1 - rate) for the rest, drawn from `ctx.rng`."""
    assert ctx.rng is not None
    return ctx.kernels.elementwise.dropout(ctx.rng, shape, rate, like.dtype)


def is_number(value: Any) -> bool:
    """Whether it is a single real number, of Python or of NumPy; True and False are none."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def check_rate(name: str, rate: Any) -> None:
    if not is_number(rate) or not 0 <= rate < 1:
        raise ValueError(f"{name} is the share dropped, in [0, 1); got {rate!r}")
