"""Losses: how far y is from the target, and the slope of that distance with respect to y.

    loss(y, target, *, sample_weight=None, mask=None) -> (value, dL/dy)

    L = sum(w l) / N          dL/dy = w l' / N

with l and l' a loss's value and slope at one entry of y, w the sample weight there (1 without weights), N the number
of entries of y, and with a mask both sums over the real entries only. This is Keras 3's reduction
"sum_over_batch_size": it divides by the number of values, not by the sum of their weights.
Source: Keras 3, `keras/src/losses/loss.py`, `reduce_weighted_values` and `apply_mask`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, cast

import numpy as np

from rnnkit_kernels.sentences import unknown
from rnnkit_kernels.types import Array

__all__ = ["ALL", "MAE", "MSE", "Comparison", "Huber", "Loss", "MeanAbsoluteError", "MeanSquaredError", "PerValue"]
__all__ += ["compare", "get", "spelling"]


class Loss(Protocol):
    """What a model asks of a loss; any object that answers this call is one."""

    def __call__(
        self, y: Array, target: Array, *, sample_weight: Array | None = None, mask: Array | None = None
    ) -> tuple[float, Array]: ...


@dataclass(frozen=True)
class Comparison:
    """y and target in one shape S, with weight and mask laid over them.

    y, target  S, y's dtype; zero where masked, so that nothing is computed with what lies behind a mask
    weight     y's dtype, broadcasts over S, zero where masked; or None
    mask       bool, broadcasts over S, True where an entry is real; or None
    """

    y: Array
    target: Array
    weight: Array | None
    mask: Array | None

    def weighed(self, values: Array) -> Array:
        """values S -> values times weight, S; exactly zero where masked, whatever stood there."""
        if self.weight is not None:
            values = values * self.weight
        return values if self.mask is None else np.where(self.mask, values, 0)

    def total(self, values: Array) -> Array:
        """values S -> the sum of `weighed(values)`, a float64 scalar."""
        return cast(Array, self.weighed(values).sum(dtype=np.float64))

    def count(self) -> Array:
        """The number of real entries of y, an int scalar; 0 where every entry is masked."""
        if self.mask is None:
            return cast(Array, np.int64(self.y.size))
        return cast(Array, self.mask.sum() * (self.y.size // max(self.mask.size, 1)))


def compare(y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> Comparison:
    """Brings y, target, weight and mask together; the one place where losses and metrics check shapes.

    y              S, float
    target         S, or S with a last axis of 1 more or less: y (B, 1) against (B,), y (B, T, 1) against (B, T) and the
                   reverse; any real dtype, cast to y's
    sample_weight  the leading axes of S, one at least: (B,), (B, T), up to all of S; a last axis of 1 more is dropped
    mask           bool, shaped like a sample_weight
    raises         ValueError for any other shape, TypeError for any other dtype
    """
    y, target = _array(y), _array(target)
    if y.dtype.kind != "f":
        raise TypeError(f"y is {y.dtype}; a loss has a slope only on floats: pass y as float32 or float64.")
    if target.dtype.kind not in "biuf":
        raise TypeError(f"target is {target.dtype}, expected real numbers: cast it to {y.dtype}.")
    shape = _common(y.shape, target.shape)
    y, target = y.reshape(shape), target.reshape(shape).astype(y.dtype, copy=False)
    if sample_weight is not None:
        sample_weight = _laid_over("sample_weight", _array(sample_weight), shape).astype(y.dtype, copy=False)
    if mask is not None:
        mask = _array(mask)
        if mask.dtype.kind != "b":
            raise TypeError(f"mask is {mask.dtype}, expected bool, True where a step is real: pass `mask != 0`.")
        mask = _laid_over("mask", mask, shape)
        # A selection, never a product: 0 * NaN is NaN.
        y, target = np.where(mask, y, 0), np.where(mask, target, 0)
        sample_weight = None if sample_weight is None else np.where(mask, sample_weight, 0)
    return Comparison(y, target, sample_weight, mask)


def _array(given: Any) -> Array:
    """Numbers and nested lists as NumPy arrays; what is an array on any device already stays as it is."""
    return cast(Array, given if hasattr(given, "dtype") else np.asarray(given))


def _common(y: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...]:
    """The one shape of y and target; Keras' `squeeze_or_expand_to_same_rank`, without its broadcasting afterwards."""
    if y in (target, (*target, 1)):
        return y
    if target == (*y, 1):
        return target
    hint = "; does the last recurrent layer return sequences where it should not?" if len(y) > len(target) else "."
    raise ValueError(
        f"target {target} does not match y {y}: expected the same shape, or one that differs by a last axis of 1{hint}"
    )


def _laid_over(name: str, given: Array, shape: tuple[int, ...]) -> Array:
    """`given` with axes of 1 at its end until it broadcasts over `shape` from the left, sample by sample."""
    size = given.shape
    if size[-1:] == (1,) and size[:-1] and size[:-1] == shape[: len(size) - 1]:
        size = size[:-1]
    if not size or size != shape[: len(size)]:
        expected = " or ".join(str(shape[:rank]) for rank in range(1, len(shape) + 1))
        raise ValueError(
            f"{name} {given.shape} does not lie over y {shape}: expected the leading axes of y, {expected}."
        )
    return given.reshape(size + (1,) * (len(shape) - len(size)))


@dataclass(frozen=True)
class PerValue(ABC):
    """A loss that is a mean over single values; a subclass gives the value and the slope at one of them."""

    names: ClassVar[Sequence[str]]

    @abstractmethod
    def terms(self, y: Array, target: Array) -> tuple[Array, Array]:
        """y, target S -> (l, dl/dy), both S in y's dtype, neither summed nor weighed."""

    def __call__(
        self, y: Array, target: Array, *, sample_weight: Array | None = None, mask: Array | None = None
    ) -> tuple[float, Array]:
        """The mean and its gradient.

        y, target, sample_weight, mask: see `compare`.
        Returns the value as a float, summed in float64, and dL/dy in y's shape and dtype. Masked entries may hold NaN
        in y, target and weight: they count for nothing, their gradient is 0. With no real entry at all both are 0.
        Raises ValueError where shapes do not match, TypeError where dtypes do not.
        """
        y = _array(y)
        pair = compare(y, target, sample_weight=sample_weight, mask=mask)
        values, slopes = self.terms(pair.y, pair.target)
        count = np.maximum(pair.count(), 1)
        gradient = pair.weighed(slopes) / count.astype(y.dtype)
        return float(pair.total(values) / count), gradient.reshape(y.shape)


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
class Huber(PerValue):
    """Quadratic near the target, linear far from it, with e = y - target:

        l = e^2 / 2  where |e| <= delta,  delta |e| - delta^2 / 2  elsewhere

    delta: the distance at which one becomes the other, in the unit of y; default 1.
    Raises ValueError unless delta is positive and finite.
    Source: Huber 1964, Ann. Math. Statist. 35(1), section 2; Keras 3 `losses.huber`.
    """

    names = ("huber",)
    delta: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.delta < math.inf:
            raise ValueError(f"delta is {self.delta}, expected a positive finite distance, for example 1.0.")
        # A NumPy float64 would promote float32 values.
        object.__setattr__(self, "delta", float(self.delta))

    def terms(self, y: Array, target: Array) -> tuple[Array, Array]:
        error = y - target
        distance = np.abs(error)
        near = np.minimum(distance, self.delta)
        return near * (distance - near / 2), np.clip(error, -self.delta, self.delta)


MeanSquaredError = MSE
MeanAbsoluteError = MAE

ALL: tuple[PerValue, ...] = (MSE(), MAE(), Huber())


def get(given: str | Loss | type[Loss]) -> Loss:
    """The loss of a name ("mse", "mean_squared_error", "MeanSquaredError", "huber", ...), class or object.

    An object is returned as it is, a class with its defaults.
    Raises ValueError for an unknown name, TypeError for what is no loss.
    """
    if isinstance(given, str):
        table = {spelling(name): loss for loss in ALL for name in loss.names}
        if spelling(given) not in table:
            raise unknown("loss", given, [name for loss in ALL for name in loss.names])
        return table[spelling(given)]
    found = given() if isinstance(given, type) else given
    if not callable(found):
        raise TypeError(f"{given!r} is no loss: expected a name such as 'mse' or an object such as losses.MSE().")
    return found


def spelling(name: str) -> str:
    """A name without case and underscores, so that Keras' function names and class names meet."""
    return name.lower().replace("_", "")
