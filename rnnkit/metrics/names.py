"""Metrics by name."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields, replace
from typing import Any

from rnnkit_kernels.sentences import unknown

from .. import losses
from ..losses import MAE, MSE, Huber, spelling
from .accuracy import (
    Accuracy,
    AccuracyByShape,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from .base import Metric
from .functions import FromFunction
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
from .r2 import R2Score
from .steps import LastStep, PerHorizon

__all__ = ["ALL", "CLASSES", "accuracy", "get", "huber", "last_step_mse", "mae", "mape", "mse", "r2", "rmse"]

mse = Mean("mse", MSE())
mae = Mean("mae", MAE())
mape = Mean("mape", losses.MAPE())
huber = Mean("huber", Huber())
rmse = RootMean("rmse", MSE())
accuracy = AccuracyByShape()
last_step_mse = LastStep()
r2 = R2Score(name="r2")

CLASSES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Accuracy,
        AccuracyByShape,
        BinaryAccuracy,
        BinaryCrossentropy,
        CategoricalAccuracy,
        CategoricalCrossentropy,
        FromFunction,
        LastStep,
        LogCoshError,
        Mean,
        MeanAbsoluteError,
        MeanAbsolutePercentageError,
        MeanSquaredError,
        MeanSquaredLogarithmicError,
        PerHorizon,
        R2Score,
        RootMean,
        RootMeanSquaredError,
        SparseCategoricalAccuracy,
        SparseCategoricalCrossentropy,
        SparseTopKCategoricalAccuracy,
        TopKCategoricalAccuracy,
    )
}

_MADE: tuple[Any, ...] = (
    BinaryAccuracy(),
    CategoricalAccuracy(),
    SparseCategoricalAccuracy(),
    TopKCategoricalAccuracy(),
    SparseTopKCategoricalAccuracy(),
    R2Score(),
    LastStep(),
)

ALL: dict[str, Any] = {
    **{name: Mean(loss.names[0], loss) for loss in losses.ALL for name in loss.names},
    **{metric.name: metric for metric in _MADE},
    "rmse": rmse,
    "root_mean_squared_error": rmse,
    "log_cosh_error": LogCoshError(),
    "accuracy": accuracy,
    "acc": accuracy,
    "r2": r2,
}


def get(given: Any) -> Metric:
    """The metric of a name, class or function, or the object itself.

    A name ("mae", "mean_absolute_error", "MeanAbsoluteError", "rmse", "acc", ...) becomes the metric's own name, so
    that the history has the key that the user wrote. A function of (y_true, y_pred) becomes a `FromFunction`.
    Raises ValueError for an unknown name, TypeError for what is no metric.
    """
    if isinstance(given, str):
        table = {spelling(name): metric for name, metric in ALL.items()}
        if spelling(given) not in table:
            raise unknown("metric", given, ALL)
        return replace(table[spelling(given)], name=given)
    if isinstance(given, type) and given in CLASSES.values() and all(f.default is not MISSING for f in fields(given)):
        return given()
    if inspect.isroutine(given):
        return FromFunction(given)
    if isinstance(given, type) or not (callable(given) and hasattr(given, "result") and hasattr(given, "name")):
        raise TypeError(f"{given!r} is no metric: expected a name such as 'mae' or an object such as metrics.mae.")
    return given
