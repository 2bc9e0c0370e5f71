"""Metrics: figures of merit that add up exactly over batches, whatever the size of the last one.

    total, count = metric(y, target, *, sample_weight=None, mask=None)      metric.result(sum of totals, sum of counts)

A total and a count are numbers, or arrays that add as numbers do; a result is a number, or a dict of them where a
metric has several.
"""

from __future__ import annotations

from .accuracy import (
    Accuracy,
    AccuracyByShape,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from .base import Average, Metric
from .functions import FromFunction, mean_absolute_error, mean_squared_error
from .means import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    LogCoshError,
    Mean,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    RootMean,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
)
from .names import ALL, CLASSES, accuracy, get, huber, last_step_mse, mae, mape, mse, r2, rmse
from .r2 import R2Score
from .sequences import ExactMatch
from .steps import LastStep, PerHorizon

__all__ = [
    "ALL",
    "CLASSES",
    "Accuracy",
    "AccuracyByShape",
    "Average",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "ExactMatch",
    "FromFunction",
    "LastStep",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "PerHorizon",
    "R2Score",
    "RootMean",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "accuracy",
    "get",
    "huber",
    "last_step_mse",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_squared_error",
    "mse",
    "r2",
    "rmse",
]
