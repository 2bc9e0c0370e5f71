"""What every metric answers, and what those that are means share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Protocol

import numpy as np

from rnnkit_kernels.devices import number
from rnnkit_kernels.types import Array

from ..foreign import ANYTHING, UnderstandsKeras
from ..losses import Comparison

__all__ = ["Average", "Metric", "Result"]

Result = float | dict[str, float]


class Metric(Protocol):
    """What a model asks of a metric; any object with a name, this call and this result is one.

    A call gives two things that add up over batches, numbers or arrays: the figure is `result` of the two sums. Where
    a metric has several figures, `result` is a dict, and "name_key" is the name of each in a history.
    """

    @property
    def name(self) -> str: ...

    def __call__(
        self, y: Array, target: Array, *, sample_weight: Array | None = None, mask: Array | None = None
    ) -> tuple[Any, Any]: ...

    def result(self, total: Any, count: Any) -> Result: ...


class Average(metaclass=UnderstandsKeras):
    """The mean of values over all batches; with masks over the real ones.

    With sample weights it is the weighted mean, divided by the sum of the weights: what Keras calls a weighted metric.
    (A loss divides by the number of values instead.)
    Source: Keras 3, `keras/src/metrics/reduction_metrics.py`, `Mean`.
    """

    name: str
    aside: ClassVar[dict[str, tuple[Any, ...]]] = {"dtype": ANYTHING}  # sums are kept in float64

    @abstractmethod
    def pair(self, y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> Comparison:
        """y and target as `values` takes them; see `rnnkit.losses.compare` and `compare_rows`."""

    @abstractmethod
    def values(self, y: Array, target: Array) -> Array:
        """What is averaged: one number for each entry of y, or for each row (..., C) one, of shape (..., 1)."""

    def __call__(
        self, y: Array, target: Array, *, sample_weight: Array | None = None, mask: Array | None = None
    ) -> tuple[float, float]:
        """One batch: (sum of the weighed values, sum of their weights, which are 1 unless given), where y lies.

        y, target, sample_weight, mask and what is raised: as `rnnkit.losses.compare`, or `compare_rows` for classes.
        """
        pair = self.pair(y, target, sample_weight=sample_weight, mask=mask)
        values = self.values(pair.y, pair.target)
        count = pair.count() if pair.weight is None else pair.total(np.ones_like(values))
        return number(pair.total(values)), number(count)

    def result(self, total: float, count: float) -> float:
        """The figure for all batches so far, from the sums of their totals and counts; 0 where nothing was counted."""
        return float(total / count) if count else 0.0
