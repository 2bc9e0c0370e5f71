"""Means of losses, and Keras' classes of them by their names and arguments."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from rnnkit_kernels.types import Array

from .. import losses
from ..losses import Averaged, Comparison
from .base import Average

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "RootMean",
    "RootMeanSquaredError",
    "SparseCategoricalCrossentropy",
]


class _OfLoss(Average):
    """The mean of what a loss is the mean of."""

    if TYPE_CHECKING:  # a field, or made from the fields

        @property
        def loss(self) -> Averaged: ...

    def pair(self, y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> Comparison:
        return self.loss.pair(y, target, sample_weight=sample_weight, mask=mask)

    def values(self, y: Array, target: Array) -> Array:
        return self.loss.terms(y, target)[0]


class _Named(_OfLoss):
    """Keras' class of the mean of one loss: its fields beside the name are the arguments of that loss."""

    of: ClassVar[type[Averaged]]

    def __post_init__(self) -> None:
        _ = self.loss  # refuses wrong arguments where the metric is made, not where it is first asked

    @cached_property
    def loss(self) -> Averaged:
        return self.of(**{f.name: getattr(self, f.name) for f in fields(self) if f.name != "name"})  # type: ignore[arg-type]


class _Root(_OfLoss):
    def result(self, total: float, count: float) -> float:
        """The root of the mean for all batches so far; 0 where nothing was counted. Raises ValueError below 0."""
        mean = super().result(total, count)
        if mean < 0:
            raise ValueError(f"the mean is {mean:g}, which has no root: expected sample weights from 0 up.")
        return math.sqrt(mean)


@dataclass(frozen=True)
class Mean(_OfLoss):
    """The mean of a loss over all values of all batches; see `Average` for masks and weights.

    name: the key in a history.  loss: gives the values, one of `rnnkit.losses`.
    """

    name: str
    loss: Averaged


@dataclass(frozen=True)
class RootMean(_Root, Mean):
    """The square root of a `Mean`, taken once over all batches, not per batch."""


@dataclass(frozen=True)
class MeanSquaredError(_Named):
    """Mean of (y - target)^2."""

    name: str = "mean_squared_error"

    of = losses.MSE


@dataclass(frozen=True)
class MeanAbsoluteError(_Named):
    """Mean of |y - target|."""

    name: str = "mean_absolute_error"

    of = losses.MAE


@dataclass(frozen=True)
class MeanAbsolutePercentageError(_Named):
    """Mean of `losses.MAPE`, in percent."""

    name: str = "mean_absolute_percentage_error"

    of = losses.MAPE


@dataclass(frozen=True)
class MeanSquaredLogarithmicError(_Named):
    """Mean of `losses.MSLE`."""

    name: str = "mean_squared_logarithmic_error"

    of = losses.MSLE


@dataclass(frozen=True)
class LogCoshError(_Named):
    """Mean of `losses.LogCosh`."""

    name: str = "logcosh"

    of = losses.LogCosh


@dataclass(frozen=True)
class RootMeanSquaredError(_Root, _Named):
    """Root of the mean of (y - target)^2, taken once over all batches; of the real values where there is a mask.

    (Keras 3.15 takes no notice of a mask here, as in its R2Score, and averages over masked steps too.)
    """

    name: str = "root_mean_squared_error"

    of = losses.MSE


@dataclass(frozen=True)
class BinaryCrossentropy(_Named):
    """Mean of `losses.BinaryCrossentropy`, which explains the arguments."""

    name: str = "binary_crossentropy"
    from_logits: bool = False
    label_smoothing: float = 0.0

    of = losses.BinaryCrossentropy


@dataclass(frozen=True)
class CategoricalCrossentropy(_Named):
    """Mean of `losses.CategoricalCrossentropy`, which explains the arguments."""

    name: str = "categorical_crossentropy"
    from_logits: bool = False
    label_smoothing: float = 0.0

    of = losses.CategoricalCrossentropy


@dataclass(frozen=True)
class SparseCategoricalCrossentropy(_Named):
    """Mean of `losses.SparseCategoricalCrossentropy`, which explains the arguments.

    Rows of `ignore_class` are not counted, with weights and without. Keras 3.15 leaves them out of the count only
    beside sample weights; without any it counts them as rows that cost nothing.
    """

    name: str = "sparse_categorical_crossentropy"
    from_logits: bool = False
    ignore_class: int | None = None

    of = losses.SparseCategoricalCrossentropy
