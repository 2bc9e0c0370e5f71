"""Means of losses, and Keras' classes of them by their names and arguments."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

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

    def __post_init__(self) -> None:
        self.measure()  # refuses wrong arguments where the metric is made, not where it is first asked

    @abstractmethod
    def measure(self) -> Averaged:
        """The loss that gives the values."""

    def pair(self, y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> Comparison:
        return self.measure().pair(y, target, sample_weight=sample_weight, mask=mask)

    def values(self, y: Array, target: Array) -> Array:
        return self.measure().terms(y, target)[0]


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

    def measure(self) -> Averaged:
        return self.loss


@dataclass(frozen=True)
class RootMean(_Root, Mean):
    """The square root of a `Mean`, taken once over all batches, not per batch."""


@dataclass(frozen=True)
class MeanSquaredError(_OfLoss):
    """Mean of (y - target)^2."""

    name: str = "mean_squared_error"

    def measure(self) -> Averaged:
        return losses.MSE()


@dataclass(frozen=True)
class MeanAbsoluteError(_OfLoss):
    """Mean of |y - target|."""

    name: str = "mean_absolute_error"

    def measure(self) -> Averaged:
        return losses.MAE()


@dataclass(frozen=True)
class MeanAbsolutePercentageError(_OfLoss):
    """Mean of `losses.MAPE`, in percent."""

    name: str = "mean_absolute_percentage_error"

    def measure(self) -> Averaged:
        return losses.MAPE()


@dataclass(frozen=True)
class MeanSquaredLogarithmicError(_OfLoss):
    """Mean of `losses.MSLE`."""

    name: str = "mean_squared_logarithmic_error"

    def measure(self) -> Averaged:
        return losses.MSLE()


@dataclass(frozen=True)
class LogCoshError(_OfLoss):
    """Mean of `losses.LogCosh`."""

    name: str = "logcosh"

    def measure(self) -> Averaged:
        return losses.LogCosh()


@dataclass(frozen=True)
class RootMeanSquaredError(_Root):
    """Root of the mean of (y - target)^2, taken once over all batches; of the real values where there is a mask.

    (Keras 3.15 takes no notice of a mask here, as in its R2Score, and averages over masked steps too.)
    """

    name: str = "root_mean_squared_error"

    def measure(self) -> Averaged:
        return losses.MSE()


@dataclass(frozen=True)
class BinaryCrossentropy(_OfLoss):
    """Mean of `losses.BinaryCrossentropy`, which explains the arguments."""

    name: str = "binary_crossentropy"
    from_logits: bool = False
    label_smoothing: float = 0.0

    def measure(self) -> Averaged:
        return losses.BinaryCrossentropy(self.from_logits, self.label_smoothing)


@dataclass(frozen=True)
class CategoricalCrossentropy(_OfLoss):
    """Mean of `losses.CategoricalCrossentropy`, which explains the arguments."""

    name: str = "categorical_crossentropy"
    from_logits: bool = False
    label_smoothing: float = 0.0

    def measure(self) -> Averaged:
        return losses.CategoricalCrossentropy(self.from_logits, self.label_smoothing)


@dataclass(frozen=True)
class SparseCategoricalCrossentropy(_OfLoss):
    """Mean of `losses.SparseCategoricalCrossentropy`, which explains the arguments.

    Rows of `ignore_class` are not counted, with weights and without. Keras 3.15 leaves them out of the count only
    beside sample weights; without any it counts them as rows that cost nothing.
    """

    name: str = "sparse_categorical_crossentropy"
    from_logits: bool = False
    ignore_class: int | None = None

    def measure(self) -> Averaged:
        return losses.SparseCategoricalCrossentropy(self.from_logits, self.ignore_class)
