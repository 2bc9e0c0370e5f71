"""What a fitted forecaster knows beside the weights of its model: enough to forecast, and to be scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnkit_kernels.types import Array

from ..layers.base import Shape
from ..model import Sequential
from .backtest import Backtest
from .methods import Method
from .rivals import Rivals
from .rows import Rows
from .scale import Scale
from .seen import Seen, seen

__all__ = ["AT_ONCE", "Fitted"]

AT_ONCE = 256  # windows that go through the model together


@dataclass(frozen=True, eq=False)
class Fitted:
    """What forecasts are made with.

    table            what was learnt from: its names, steps and dates are asked for
    method, answer   how windows are turned into horizons, and the shape of one answer of the model
    scale, rivals    from the training part
    cuts             the rows at which the training part and the validation part end
    """

    table: Rows
    method: Method
    answer: Shape
    scale: Scale
    rivals: Rivals
    cuts: tuple[int, int]

    def horizons(self, model: Sequential, past: Seen, origins: Array) -> Array:
        """The forecasts (K, horizon, T) in original units from a table in original units."""
        made = []
        for first in range(0, len(origins), AT_ONCE):
            x = self.scale.forward(past.past(origins[first : first + AT_ONCE], self.method.window))
            made.append(self.scale.back(self.method.forecast(model, x.astype(model.dtype)), self.method.targets))
        return np.concatenate(made)

    def backtest(self, model: Sequential, table: Rows, origins: Array, notes: tuple[str, ...] = ()) -> Backtest:
        """The forecasts at the origins (K,), with what came and the baselines beside them."""
        past, method = seen(table), self.method
        rows, targets = np.add.outer(origins, method.lead + np.arange(method.horizon)), list(method.targets)
        rivals = self.rivals.forecasts(past, origins)
        if self.rivals.period is not None and "seasonal naive" not in rivals:
            notes = (*notes, "The seasonal baseline is left out: the first origins have no whole season before them.")
        return Backtest(
            origins,
            table.values[rows][..., targets],
            {"model": self.horizons(model, past, origins), **rivals},
            tuple(table.names[k] for k in targets),
            tuple(table.units[k] for k in targets),
            method.lead,
            None if table.dates is None else table.dates[rows],
            notes,
        )
