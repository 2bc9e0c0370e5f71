"""Losses by name."""

from __future__ import annotations

import inspect
from typing import Any

from rnnkit_kernels.sentences import unknown

from .base import Averaged, Loss
from .crossentropy import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from .regression import MAE, MAPE, MSE, MSLE, Huber, LogCosh, Quantile

__all__ = ["ALL", "get", "spelling"]

ALL: tuple[Averaged, ...] = (
    MSE(),
    MAE(),
    MAPE(),
    MSLE(),
    Huber(),
    LogCosh(),
    Quantile(),
    BinaryCrossentropy(),
    CategoricalCrossentropy(),
    SparseCategoricalCrossentropy(),
)


def get(given: str | Loss | type[Loss]) -> Loss:
    """The loss of a name ("mse", "mean_squared_error", "MeanSquaredError", "huber", "bce", ...), class or object.

    An object is returned as it is, a class with its defaults.
    Raises ValueError for an unknown name, TypeError for what is no loss: a function of Keras' (y_true, y_pred) has no
    gradient to give, and nothing here derives one.
    """
    if isinstance(given, str):
        table = {spelling(name): loss for loss in ALL for name in loss.names}
        if spelling(given) not in table:
            raise unknown("loss", given, [name for loss in ALL for name in loss.names])
        return table[spelling(given)]
    found = given() if isinstance(given, type) else given
    if not callable(found):
        raise TypeError(f"{given!r} is no loss: expected a name such as 'mse' or an object such as losses.MSE().")
    if inspect.isfunction(found) and not _takes_all(found):
        raise TypeError(
            f"{found.__name__} is no loss: expected a function (y, target, *, sample_weight=None, mask=None) that "
            "returns the value and its gradient with respect to y, such as losses.MSE()."
        )
    return found


def _takes_all(function: Any) -> bool:
    """Whether a function can be called as a loss is."""
    try:
        inspect.signature(function).bind(None, None, sample_weight=None, mask=None)
    except TypeError:
        return False
    return True


def spelling(name: str) -> str:
    """A name without case and underscores, so that Keras' function names and class names meet."""
    return name.lower().replace("_", "")
