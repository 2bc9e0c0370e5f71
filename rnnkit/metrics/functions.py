"""A user's own function as a metric, and functions to write one with; arguments in Keras' order, targets first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit_kernels.devices import number
from rnnkit_kernels.types import Array

from ..losses import MAE, MSE, compare
from ..losses.comparison import array

__all__ = ["FromFunction", "mean_absolute_error", "mean_squared_error"]


@dataclass(frozen=True)
class FromFunction:
    """The mean of what a function of (y_true, y_pred) returns, over all batches.

        def last_time_step_mse(y_true, y_pred):
            return metrics.mean_squared_error(y_true[:, -1], y_pred[:, -1])

    function  gets arrays as the model has them, NumPy's or, on a GPU, CuPy's, and returns a value for each row (B,),
              for each step (B, T), or an array (B, T, ...) of them. A single number counts as the mean of its batch,
              once for each of its rows, so that a small last batch has a small say (in Keras every batch has the same).
    name      the key in a history; the function's unless given
    Raises TypeError for what is no function, or has no name where none is given.
    With a mask, values must be one for each step at least, and masked ones count for nothing: the function has already
    mixed the others. Raises ValueError for values that do not go with rows, mask or weights; TypeError for no numbers.
    """

    function: Callable[[Any, Any], Any]
    name: str = ""

    def __post_init__(self) -> None:
        name = self.name or getattr(self.function, "__name__", "")
        if not callable(self.function) or not name:
            raise TypeError(
                f"{self.function!r} is no function with a name: expected a function of (y_true, y_pred), and where it "
                "has no name of its own, a partial one for example, name='...'."
            )
        object.__setattr__(self, "name", name)

    def __call__(
        self, y: Array, target: Array, *, sample_weight: Array | None = None, mask: Array | None = None
    ) -> tuple[float, float]:
        """One batch: (sum of the weighed values, sum of their weights, which are 1 unless given)."""
        values = array(self.function(target, y))
        if values.dtype.kind not in "biuf":
            raise TypeError(f"{self.name} returned {values.dtype}, expected real numbers, one for each row or step.")
        rows = len(y)
        if values.ndim == 0 and mask is None and sample_weight is None:
            return number(values.astype(np.float64)) * rows, float(rows)
        if values.shape[:1] != (rows,):
            beside = "" if values.ndim else "; a single number can be neither weighed nor masked"
            raise ValueError(
                f"{self.name} returned values of shape {values.shape} for {rows} rows: expected ({rows},) or "
                f"({rows}, steps){beside}."
            )
        if mask is not None and values.shape[: mask.ndim] != mask.shape:
            raise ValueError(
                f"{self.name} returned values of shape {values.shape} and the output has a mask {mask.shape}: return "
                "one for each step, or write a metric, an object that is called with the mask."
            )
        values = values.astype(np.float64)
        pair = compare(values, values, sample_weight=sample_weight, mask=mask)
        count = pair.count() if pair.weight is None else pair.total(np.ones_like(pair.y))
        return number(pair.total(pair.y)), number(count)

    def result(self, total: float, count: float) -> float:
        """The mean over all batches so far; 0 where nothing was counted."""
        return float(total / count) if count else 0.0


def mean_squared_error(y_true: Any, y_pred: Any) -> Array:
    """(y_true - y_pred)^2, averaged over the last axis: (B, T, D) -> (B, T). Shapes: as `rnnkit.losses.compare`."""
    pair = compare(y_pred, y_true)
    return np.mean(MSE().terms(pair.y, pair.target)[0], axis=-1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Array:
    """|y_true - y_pred|, averaged over the last axis: (B, T, D) -> (B, T). Shapes: as `rnnkit.losses.compare`."""
    pair = compare(y_pred, y_true)
    return np.mean(MAE().terms(pair.y, pair.target)[0], axis=-1)
