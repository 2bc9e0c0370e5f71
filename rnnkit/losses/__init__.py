"""Losses: how far y is from the target, and the slope of that distance with respect to y.

    loss(y, target, *, sample_weight=None, mask=None) -> (value, dL/dy)

    L = sum(w l) / N          dL/dy = w l' / N

with l and l' a loss's value and slope at one entry of y, w the sample weight there (1 without weights), N the number
of entries of y, and with a mask both sums over the real entries only. Where a loss judges a row of y as a whole, a
categorical crossentropy, l and w are those of a row and N is the number of rows. This is Keras 3's reduction
"sum_over_batch_size": it divides by the number of values, not by the sum of their weights.
Source: Keras 3, `keras/src/losses/loss.py`, `reduce_weighted_values` and `apply_mask`.
"""

from __future__ import annotations

from .base import Averaged, Loss, PerRow, PerValue
from .comparison import Comparison, compare, compare_rows
from .crossentropy import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from .names import ALL, get, spelling
from .regression import MAE, MAPE, MSE, MSLE, Huber, LogCosh, Quantile

MeanSquaredError = MSE
MeanAbsoluteError = MAE
MeanAbsolutePercentageError = MAPE
MeanSquaredLogarithmicError = MSLE
Pinball = Quantile

__all__ = [
    "ALL",
    "MAE",
    "MAPE",
    "MSE",
    "MSLE",
    "Averaged",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Comparison",
    "Huber",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "PerRow",
    "PerValue",
    "Pinball",
    "Quantile",
    "SparseCategoricalCrossentropy",
    "compare",
    "compare_rows",
    "get",
    "spelling",
]
