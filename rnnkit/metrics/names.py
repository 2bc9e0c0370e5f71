"""Metrics by name."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields, replace
from typing import Any

from rnnkit_kernels.sentences import unknown

from .. import losses
from ..losses import MAE, MSE, Huber, spelling
from . import accuracy as accuracies
from . import means, sequences, steps
from . import r2 as r2_score
from .base import Metric
from .functions import FromFunction

__all__ = ["ALL", "CLASSES", "accuracy", "get", "huber", "last_step_mse", "mae", "mape", "mse", "r2", "rmse"]

mse = means.Mean("mse", MSE())
mae = means.Mean("mae", MAE())
mape = means.Mean("mape", losses.MAPE())
huber = means.Mean("huber", Huber())
rmse = means.RootMean("rmse", MSE())
accuracy = accuracies.AccuracyByShape()
last_step_mse = steps.LastStep()
r2 = r2_score.R2Score(name="r2")

CLASSES: dict[str, type[Any]] = {
    **{
        name: getattr(module, name)
        for module in (accuracies, means, r2_score, sequences, steps)
        for name in module.__all__
    },
    "FromFunction": FromFunction,
}

_MADE: tuple[Any, ...] = (
    accuracies.BinaryAccuracy(),
    accuracies.CategoricalAccuracy(),
    accuracies.SparseCategoricalAccuracy(),
    accuracies.TopKCategoricalAccuracy(),
    accuracies.SparseTopKCategoricalAccuracy(),
    r2_score.R2Score(),
    steps.LastStep(),
    sequences.ExactMatch(),
)

ALL: dict[str, Any] = {
    **{name: means.Mean(loss.names[0], loss) for loss in losses.ALL for name in loss.names},
    **{metric.name: metric for metric in _MADE},
    "rmse": rmse,
    "root_mean_squared_error": rmse,
    "log_cosh_error": means.LogCoshError(),
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
