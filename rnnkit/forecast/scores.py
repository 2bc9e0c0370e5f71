"""Errors of forecasts by step and target, in original units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from rnnkit_kernels.types import Array

__all__ = ["Scores"]


@dataclass(frozen=True, eq=False)
class Scores:
    """Mean absolute and root mean squared errors of K forecasts of `horizon` steps of T targets.

    mae, rmse  (horizon, T), in the unit of each target; NaN where nothing was measured
    count      (horizon, T), how many forecasts each is a mean of: what is missing in the truth is not scored
    """

    mae: Array
    rmse: Array
    count: Array

    @classmethod
    def of(cls, truth: Array, forecast: Array) -> Self:
        """truth, forecast (K, horizon, T); NaN in the truth is left out."""
        error = forecast - truth
        there = ~np.isnan(truth)
        count = there.sum(axis=0)
        parts = np.where(count > 0, count, np.nan)
        error[~there] = 0
        return cls(np.abs(error).sum(axis=0) / parts, np.sqrt(np.square(error).sum(axis=0) / parts), count)

    def over_all(self, target: int = 0) -> dict[str, float]:
        """ "mae" and "rmse" of one target over all steps."""
        n = self.count[:, target]
        if not n.any():
            return {"mae": float("nan"), "rmse": float("nan")}
        squares = np.nansum(np.square(self.rmse[:, target]) * n)
        return {
            "mae": float(np.nansum(self.mae[:, target] * n) / n.sum()),
            "rmse": float(np.sqrt(squares / n.sum())),
        }
