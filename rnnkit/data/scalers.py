"""Scales for values, taken from the training part and undone on forecasts and scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from rnnkit_kernels.types import Array

from .checks import count, finite, numbers

__all__ = ["MinMaxScaler", "StandardScaler"]


@dataclass(frozen=True, eq=False)
class _Affine:
    """z = (x - origin) / unit, column by column along the last axis.

    A scale from one series (N,) takes values of any shape; one from a table (N, D) values (..., D).
    Results are float64.
    """

    def _parts(self) -> tuple[Array, Array]:
        raise NotImplementedError

    def _checked(self, name: str, values: ArrayLike) -> Array:
        array = np.asarray(values, np.float64)
        origin, _ = self._parts()
        if origin.ndim and array.shape[-1:] != origin.shape:
            raise ValueError(
                f"the scale has {len(origin)} columns; got {name} of shape {array.shape}; use .column(i) for one"
            )
        return array

    def transform(self, values: ArrayLike) -> Array:
        """Values in units of the scale; shape kept."""
        origin, unit = self._parts()
        return np.asarray((self._checked("values", values) - origin) / unit)

    def inverse(self, values: ArrayLike) -> Array:
        """Values in their original unit, from units of the scale; shape kept."""
        origin, unit = self._parts()
        return np.asarray(self._checked("values", values) * unit + origin)

    def inverse_error(self, error: ArrayLike) -> Array:
        """A difference, MAE or RMSE in the original unit: multiplied, not shifted (an MSE needs it applied twice)."""
        return np.asarray(self._checked("error", error) * self._parts()[1])


@dataclass(frozen=True, eq=False)
class StandardScaler(_Affine):
    """z = (x - mean) / std with the statistics of the training part (std over N, not N - 1).

    mean, std  () for a series, (D,) for a table; float64, read-only
    Raises ValueError unless both are finite, of one shape, and std > 0.
    """

    mean: Array
    std: Array

    def __post_init__(self) -> None:
        mean, std = _frozen(self, "mean", "std")
        if mean.shape != std.shape or mean.ndim > 1 or not (np.isfinite(mean).all() and np.isfinite(std).all()):
            raise ValueError(f"mean and std are finite and of one shape, () or (D,); got {self.mean} and {self.std}")
        if not (std > 0).all():
            raise ValueError(f"std is positive; got {self.std}")

    @classmethod
    def fit(cls, train: ArrayLike) -> Self:
        """The scale of the training part, (N,) or (N, D).

        raises   ValueError for a constant column (leave it out, it tells nothing), NaN, infinity, a wrong rank, no rows
        """
        array = _fittable(train)
        return cls(array.mean(axis=0), array.std(axis=0))

    def column(self, i: int) -> StandardScaler:
        """The scale of column `i` alone, for a forecast of that column."""
        return StandardScaler(_one(self.mean, i), _one(self.std, i))

    def _parts(self) -> tuple[Array, Array]:
        return self.mean, self.std


@dataclass(frozen=True, eq=False)
class MinMaxScaler(_Affine):
    """z = (x - low) / (high - low), so that the training part spans 0 to 1; later values may leave that range.

    low, high  () for a series, (D,) for a table; float64, read-only
    Raises ValueError unless both are finite, of one shape, and high > low.
    """

    low: Array
    high: Array

    def __post_init__(self) -> None:
        low, high = _frozen(self, "low", "high")
        if low.shape != high.shape or low.ndim > 1 or not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise ValueError(f"low and high are finite and of one shape, () or (D,); got {self.low} and {self.high}")
        if not (high > low).all():
            raise ValueError(f"high is larger than low; got {self.high} and {self.low}")

    @classmethod
    def fit(cls, train: ArrayLike) -> Self:
        """The scale of the training part, (N,) or (N, D).

        raises   ValueError for a constant column (leave it out, it tells nothing), NaN, infinity, a wrong rank, no rows
        """
        array = _fittable(train)
        return cls(array.min(axis=0), array.max(axis=0))

    def column(self, i: int) -> MinMaxScaler:
        """The scale of column `i` alone, for a forecast of that column."""
        return MinMaxScaler(_one(self.low, i), _one(self.high, i))

    def _parts(self) -> tuple[Array, Array]:
        return self.low, self.high - self.low


def _one(columns: Array, i: int) -> Array:
    i = count("column", i, least=0)
    if i >= columns.size:
        raise ValueError(f"the scale has {columns.size} columns, from 0; got column {i}")
    return np.asarray(columns.reshape(-1)[i])


def _frozen(scaler: _Affine, *names: str) -> tuple[Array, ...]:
    arrays = []
    for name in names:
        array = np.array(getattr(scaler, name), np.float64)
        array.flags.writeable = False
        object.__setattr__(scaler, name, array)
        arrays.append(array)
    return tuple(arrays)


def _fittable(train: ArrayLike) -> Array:
    array = numbers("the training part", train).astype(np.float64)
    finite("the training part", array)
    # Equal ends and not std == 0: the mean of equal values may be off by a rounding.
    constant = np.atleast_1d(array.min(axis=0) == array.max(axis=0))
    if constant.any():
        where = "the training part" if array.ndim == 1 else f"column {int(np.argmax(constant))} of the training part"
        raise ValueError(f"{where} is constant ({np.atleast_1d(array[0])[np.argmax(constant)]:g}) and has no scale")
    return array
