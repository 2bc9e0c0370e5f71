"""The scale of a table, taken from its training part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit_kernels.sentences import unknown
from rnnkit_kernels.types import Array

from ..data.scalers import MinMaxScaler, StandardScaler

__all__ = ["KINDS", "Scale", "check_scaler", "learnt"]

_BY_NAME: dict[str, Any] = {"standard": StandardScaler, "minmax": MinMaxScaler}
KINDS = (StandardScaler, MinMaxScaler)


@dataclass(frozen=True, eq=False)
class Scale:
    """z = (x - origin) / unit, column by column; origin, unit (D,); given: whether it was fitted elsewhere."""

    origin: Array
    unit: Array
    given: bool = False

    def forward(self, values: Array) -> Array:
        """(..., D) in units of the scale."""
        return np.asarray((values - self.origin) / self.unit)

    def back(self, values: Array, columns: tuple[int, ...]) -> Array:
        """(..., T) of those columns in their original units, float64."""
        at = list(columns)
        return np.asarray(values.astype(np.float64) * self.unit[at] + self.origin[at])


def check_scaler(scaler: Any) -> None:
    """Raises ValueError for an unknown name, TypeError for what is no scaler."""
    if isinstance(scaler, str) and scaler not in _BY_NAME:
        raise unknown("scaler", scaler, list(_BY_NAME))
    if not (scaler is None or isinstance(scaler, (str, *KINDS)) or scaler in KINDS):
        raise TypeError(
            "scaler is 'standard', 'minmax', None, or StandardScaler or MinMaxScaler of rnnkit.data, the class to have "
            f"it fitted or one that is; got {scaler!r}"
        )


def learnt(scaler: Any, train: Array) -> Scale:
    """The scale of the training part (N, D), no value missing; one that was fitted before stays as it is.

    raises   ValueError for a constant column, and for a fitted scaler of another number of columns
    """
    D = train.shape[1]
    if scaler is None:
        return Scale(np.zeros(D), np.ones(D))
    if isinstance(scaler, str):
        scaler = _BY_NAME[scaler]
    given = not isinstance(scaler, type)
    fitted = scaler if given else scaler.fit(train)
    return Scale(fitted.inverse(np.zeros(D)), fitted.inverse_error(np.ones(D)), given)
