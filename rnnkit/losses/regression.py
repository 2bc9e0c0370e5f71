"""Losses of numbers: how far one value is from another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from ..ranges import number
from .base import PerValue
from .comparison import Comparison, array, compare

__all__ = ["EPSILON", "MAE", "MAPE", "MSE", "MSLE", "Huber", "LogCosh", "Quantile"]

EPSILON = 1e-7  # Keras' `backend.epsilon()`


@dataclass(frozen=True)
class MSE(PerValue):
    """Mean squared error: l = (y - target)^2."""

    names = ("mse", "mean_squared_error")

    def terms(self, y: Array, target: Array) -> tuple[Array, Array]:
        error = y - target
        return np.square(error), 2 * error


@dataclass(frozen=True)
class MAE(PerValue):
    """Mean absolute error: l = |y - target|. At y = target, where it has no derivative, the slope is 0."""

    names = ("mae", "mean_absolute_error")

    def terms(self, y: Array, target: Array) -> tuple[Array, Array]:
        error = y - target
        return np.abs(error), np.sign(error)


@dataclass(frozen=True)
class MAPE(PerValue):
    """Mean absolute percentage error: l = 100 |y - target| / max(|target|, 1e-7). At y = target the slope is 0.

    A target near 0 makes an error of any size immense: for series that come near 0 take another loss.
    """

    names = ("mape", "mean_absolute_percentage_error")

    def terms(self, y: Array, target: Array) -> tuple[Array, Array]:
        error = y - target
        percent = 100 / np.maximum(np.abs(target), EPSILON)
        return np.abs(error) * percent, np.sign(error) * percent


@dataclass(frozen=True)
class MSLE(PerValue):
    """Mean squared logarithmic error: l = (log(1 + max(y, 1e-7)) - log(1 + max(target, 1e-7)))^2.

    For targets that are not negative. Where y is below 1e-7 the slope is 0.
    """

    names = ("msle", "mean_squared_logarithmic_error")

    def terms(self, y: Array, target: Array) -> tuple[Array, Array]:
        floor = np.maximum(y, EPSILON)
        error = np.log1p(floor) - np.log1p(np.maximum(target, EPSILON))
        return np.square(error), np.where(y > EPSILON, 2 * error / (1 + floor), 0)


@dataclass(frozen=True)
class Huber(PerValue):
    """Quadratic near the target, linear far from it, with e = y - target:

        l = e^2 / 2  where |e| <= delta,  delta |e| - delta^2 / 2  elsewhere

    delta: the distance at which one becomes the other, in the unit of y; default 1.
    Raises ValueError unless delta is positive and finite.
    Source: Huber 1964, Ann. Math. Statist. 35(1); Keras 3 `losses.huber`.
    """

    names = ("huber",)
    delta: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "delta", number("delta", self.delta, ends="()"))

    def terms(self, y: Array, target: Array) -> tuple[Array, Array]:
        error = y - target
        distance = np.abs(error)
        near = np.minimum(distance, self.delta)
        return near * (distance - near / 2), np.clip(error, -self.delta, self.delta)


@dataclass(frozen=True)
class LogCosh(PerValue):
    """l = log(cosh(e)), e = y - target: about e^2 / 2 near the target, |e| - log 2 far from it; the slope is tanh(e).

    Written as |e| + log(1 + (exp(-2 |e|) - 1) / 2), which no error overflows. Keras' |e| + log(1 + exp(-2 |e|)) - log 2
    is the same but for rounding, in which, in float32, it loses itself below |e| = 0.001.
    """

    names = ("log_cosh", "logcosh")

    def terms(self, y: Array, target: Array) -> tuple[Array, Array]:
        error = y - target
        distance = np.abs(error)
        return distance + np.log1p(np.expm1(-2 * distance) / 2), np.tanh(error)


@dataclass(frozen=True)
class Quantile(PerValue):
    """The loss that is least where y is the quantile q of the target, also called pinball loss, with e = target - y:

        l = max(q e, (q - 1) e)

    quantile  q in (0, 1), 0.5 unless given: half the absolute error, so the median. Or several, such as
              (0.1, 0.5, 0.9): then the last axis of y has an output for each, compared with one and the same target,
              target (...) or (..., 1) for y (..., 3), and the value is the mean over all outputs.
    At y = target, where it has no derivative, the slope is 0.
    Raises ValueError for a number out of range, and where the last axis of y has another length.
    Source: Koenker & Bassett 1978, Econometrica 46(1), eq. 3.1.
    """

    names = ("quantile", "pinball")
    quantile: float | tuple[float, ...] = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        several = isinstance(self.quantile, tuple | list) or np.ndim(self.quantile) == 1
        given: Any = self.quantile if several else [self.quantile]
        if not len(given):
            raise ValueError("quantile is empty, expected a number between 0 and 1, or several of them.")
        read = tuple(number("quantile", q, 0, 1, "()") for q in given)
        object.__setattr__(self, "quantile", read if several else read[0])

    def pair(self, y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> Comparison:
        """See `compare`; with several quantiles, the target once for each."""
        if isinstance(self.quantile, tuple):
            y, target = array(y), array(target)
            count = len(self.quantile)
            if y.shape[-1:] != (count,) or len(y.shape) < 2:
                raise ValueError(f"y {y.shape} has no output for each of {count} quantiles: expected (..., {count}).")
            if target.shape in (y.shape[:-1], (*y.shape[:-1], 1)):
                target = np.broadcast_to(target.reshape((*y.shape[:-1], 1)), y.shape)
        return compare(y, target, sample_weight=sample_weight, mask=mask)

    def terms(self, y: Array, target: Array) -> tuple[Array, Array]:
        q = np.array(self.quantile, y.dtype, like=y)
        error = target - y
        return np.maximum(q * error, (q - 1) * error), np.where(error > 0, -q, np.where(error < 0, 1 - q, 0 * q))

    def example(self, rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Normal numbers; the last axis of y has an output for each quantile."""
        if isinstance(self.quantile, tuple):
            return rng.standard_normal((*shape[:-1], len(self.quantile))), rng.standard_normal(shape[:-1])
        return super().example(rng, shape)
