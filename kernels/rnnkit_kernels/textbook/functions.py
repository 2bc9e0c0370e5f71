"""The functions of a step, on arrays.

Everything is written with NumPy functions that dispatch on their argument (NEP 13 and 18), so the same lines run on
CuPy arrays. Complex arrays pass too, each function continued analytically from the real line: that is what the complex
step needs (Squire & Trapp 1998); comparisons look at real parts.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import activations, replay
from ..types import Array

__all__ = ["Arrays"]

# Chebyshev coefficients of log(erfc(x) exp(x^2) / t) in 2 t - 1, t = 2 / (2 + x), on x >= 0 (the form of Numerical
# Recipes, 3rd ed., section 6.2.2; coefficients computed to 60 digits). Error below 2e-16.
_ERFC = (
    -0.6513268598908547, 0.6419697923564902, 0.019476473204185836, -0.009561514786808632, -0.0009465953444820369,
    0.00036683949785276145, 4.252332480690777e-05, -2.0278578112534242e-05, -1.6242900046470254e-06,
    1.3036558355805232e-06, 1.5626441722066142e-08, -8.523809591492654e-08, 6.5290544390988515e-09,
    5.059343495551469e-09, -9.91364156493033e-10, -2.273651222931836e-10, 9.646791102015527e-11,
    2.3940380830391146e-12, -6.886027526497553e-12, 8.944879273090725e-13, 3.130921399342958e-13,
    -1.1270822361367252e-13, 3.810905255189232e-16, 7.106097613609237e-15, -1.5230282014571043e-15,
    -9.457494571291233e-17, 1.210237189224279e-16, -2.816663087747177e-17,
)  # fmt: skip

# erf(x) / x in x^2 (Abramowitz & Stegun 7.1.5); below x = 0.75 what is left out is under 1e-17.
_SERIES = tuple((-1) ** k * 1.1283791670955126 / (math.factorial(k) * (2 * k + 1)) for k in range(15))


def sigmoid(a: Array) -> Array:
    """1 / (1 + exp(-a)). exp may overflow to infinity, and 1 / infinity is the 0 that is wanted."""
    y = np.negative(a)
    np.exp(y, out=y)
    y += 1
    return np.reciprocal(y, out=y)


def relu(a: Array) -> Array:
    """max(a, 0) by selection; NaN passes, and the slope at 0 is 0."""
    return np.where(np.real(a) <= 0, 0, a).astype(a.dtype, copy=False)


def erf(a: Array) -> Array:
    """The error function, within 3e-16: near 0, where 1 - erfc would leave few digits, by its series."""
    flip = np.real(a) < 0
    x = np.where(flip, -a, a)
    close = np.real(x) < 0.75
    near = np.where(close, x, 0)
    square: Any = near * near
    series: Any = 0.0
    for coefficient in _SERIES[::-1]:
        series = square * series + coefficient
    t = 2 / (2 + x)
    u = 4 * t - 2
    high: Any = 0.0
    low: Any = 0.0
    for coefficient in _ERFC[:0:-1]:
        high, low = u * high - low + coefficient, high
    tail = t * np.exp(-x * x + (0.5 * u * high - low + _ERFC[0]))
    y = np.where(close, near * series, 1 - tail)
    return np.where(flip, -y, y)


def softplus(a: Array) -> Array:
    """log(1 + exp(a)), without overflow."""
    size = absolute(a)
    return np.where(np.real(a) < 0, 0, a) + np.log1p(np.exp(-size))


def softmax(a: Array) -> Array:
    """exp(a) over its sum along the units; the largest is taken out first."""
    e = np.exp(a - np.max(np.real(a), axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def absolute(a: Array) -> Array:
    return np.where(np.real(a) < 0, -a, a) if a.dtype.kind == "c" else np.abs(a)


def maximum(a: Array, b: Array) -> Array:
    return np.where(less(a, b), b, a) if _complex(a, b) else np.maximum(a, b)


def minimum(a: Array, b: Array) -> Array:
    return np.where(less(b, a), b, a) if _complex(a, b) else np.minimum(a, b)


def less(a: Array, b: Array) -> Array:
    return np.real(a) < np.real(b) if _complex(a, b) else np.less(a, b)


def _complex(*values: Any) -> bool:
    return any(getattr(v, "dtype", np.dtype(float)).kind == "c" for v in values)


def mean(*values: Array) -> Array:
    """The mean over the units of all arguments together, (..., 1)."""
    total = values[0].mean(axis=-1, keepdims=True)
    for v in values[1:]:
        total = total + v.mean(axis=-1, keepdims=True)
    return total / len(values)


def standardize(*values: Array, epsilon: float) -> tuple[tuple[Array, ...], Array]:
    """(a - mean) rstd for each argument, and rstd = (variance + epsilon)^(-1/2), over the units of all together.

    The squares are products, not |.|^2, so that a complex step passes.
    """
    middle = mean(*values)
    centred = [v - middle for v in values]
    rstd = 1 / np.sqrt(mean(*(v * v for v in centred)) + epsilon)
    return tuple(v * rstd for v in centred), rstd


class Arrays:
    """F, on arrays: see each function. `matmul` and `matmul_t` are the recurrence's: it owns U and the dropout mask."""

    sigmoid = staticmethod(sigmoid)
    relu = staticmethod(relu)
    erf = staticmethod(erf)
    softplus = staticmethod(softplus)
    softmax = staticmethod(softmax)
    abs = staticmethod(absolute)
    maximum = staticmethod(maximum)
    minimum = staticmethod(minimum)
    less = staticmethod(less)
    mean = staticmethod(mean)
    standardize = staticmethod(standardize)
    tanh = staticmethod(np.tanh)
    exp = staticmethod(np.exp)
    log = staticmethod(np.log)
    sqrt = staticmethod(np.sqrt)
    where = staticmethod(np.where)

    @staticmethod
    def rsqrt(a: Array) -> Array:
        return 1 / np.sqrt(a)

    @staticmethod
    def sum(a: Array) -> Array:
        return a.sum(axis=-1, keepdims=True)

    def apply(self, activation: Any, a: Array) -> Array:
        return activations.expand(activation, self, a)

    def back(self, activation: Any, y: Array, a: Array | None, d: Array) -> Array:
        return replay.back(self, activation, y, a, d)

    def matmul(self, a: Array, gate: str) -> Array:
        raise NotImplementedError("an inner product needs a recurrence: it owns U")

    matmul_t = matmul
