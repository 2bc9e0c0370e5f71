"""Metrics: figures of merit that add up exactly over batches, whatever the size of the last one.

total, count = metric(y, target, *, sample_weight=None, mask=None)      metric.result(sum of totals, sum of counts)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from rnnkit_kernels.sentences import unknown
from rnnkit_kernels.types import Array

from .losses import MAE, MSE, Huber, PerValue, compare, spelling

__all__ = ["ALL", "Mean", "Metric", "RootMean", "get", "huber", "mae", "mse", "rmse"]


class Metric(Protocol):
    """What a model asks of a metric; any object with a name, this call and this result is one."""

    @property
    def name(self) -> str: ...

    def __call__(
        self, y: Array, target: Array, *, sample_weight: Array | None = None, mask: Array | None = None
    ) -> tuple[float, float]: ...

    def result(self, total: float, count: float) -> float: ...


@dataclass(frozen=True)
class Mean:
    """The mean of a loss over all values of all batches; with masks over the real ones.

    name: the key in a history.  loss: gives the value at one entry.
    With sample weights it is the weighted mean, divided by the sum of the weights: what Keras calls a weighted metric.
    (A loss divides by the number of values instead.)
    Source: Keras 3, `keras/src/metrics/reduction_metrics.py`, `Mean`.
    """

    name: str
    loss: PerValue

    def __call__(
        self, y: Array, target: Array, *, sample_weight: Array | None = None, mask: Array | None = None
    ) -> tuple[float, float]:
        """One batch: (sum of the weighed values, sum of their weights, which are 1 unless given).

        y, target, sample_weight, mask and what is raised: as `rnnkit.losses.compare`.
        """
        pair = compare(y, target, sample_weight=sample_weight, mask=mask)
        values, _ = self.loss.terms(pair.y, pair.target)
        count = pair.count() if pair.weight is None else pair.total(np.ones_like(pair.y))
        return float(pair.total(values)), float(count)

    def result(self, total: float, count: float) -> float:
        """The figure for all batches so far, from the sums of their totals and counts; 0 where nothing was counted."""
        return float(total / count) if count else 0.0


@dataclass(frozen=True)
class RootMean(Mean):
    """The square root of a `Mean`, taken once over all batches, not per batch."""

    def result(self, total: float, count: float) -> float:
        """The root of the mean for all batches so far; 0 where nothing was counted."""
        return math.sqrt(super().result(total, count))


mse = Mean("mse", MSE())
mae = Mean("mae", MAE())
huber = Mean("huber", Huber())
rmse = RootMean("rmse", MSE())

ALL: dict[str, Mean] = {
    **{name: metric for metric in (mse, mae, huber) for name in metric.loss.names},
    "rmse": rmse,
    "root_mean_squared_error": rmse,
}


def get(given: str | Metric) -> Metric:
    """The metric of a name, or the object itself.

    A name ("mae", "mean_absolute_error", "MeanAbsoluteError", "rmse", ...) becomes the metric's own name, so that the
    history has the key that the user wrote.
    Raises ValueError for an unknown name, TypeError for what is no metric.
    """
    if isinstance(given, str):
        table = {spelling(name): metric for name, metric in ALL.items()}
        if spelling(given) not in table:
            raise unknown("metric", given, ALL)
        return replace(table[spelling(given)], name=given)
    if isinstance(given, type) or not (callable(given) and hasattr(given, "result") and hasattr(given, "name")):
        raise TypeError(f"{given!r} is no metric: expected a name such as 'mae' or an object such as metrics.mae.")
    return given
