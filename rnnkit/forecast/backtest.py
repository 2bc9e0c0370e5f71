"""Forecasts beside what came, and beside the baselines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from .plan import columns
from .scores import Scores
from .text import by_step, by_target, folded, verdict

__all__ = ["Backtest"]


@dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """Forecasts from many origins, in original units.

    origins    (K,) rows that were known at each; the forecast is of rows origin + lead + h, h = 0 .. horizon - 1
    truth      (K, horizon, T), NaN where a value is missing: it is not scored
    forecasts  name -> (K, horizon, T): "model", then "naive", "moving average" (of the window), "seasonal naive" where
               a period is known, "linear" (least squares on the window, fitted to the training part)
    targets    T names; units: of each, "" where none is known; lead: rows left out
    dates      (K, horizon) of what is forecast, or None
    scores     name -> `Scores`, by step and target
    notes      sentences on what to bear in mind

    It shows itself as a table; `plot` draws it.
    """

    origins: Array
    truth: Array
    forecasts: dict[str, Array]
    targets: tuple[str, ...]
    units: tuple[str, ...]
    lead: int
    dates: Array | None = None
    notes: tuple[str, ...] = ()
    scores: dict[str, Scores] = field(init=False)

    def __post_init__(self) -> None:
        made = {name: Scores.of(self.truth, forecast) for name, forecast in self.forecasts.items()}
        object.__setattr__(self, "scores", made)

    def __len__(self) -> int:
        return len(self.origins)

    @property
    def forecast(self) -> Array:
        """The model's own, (K, horizon, T)."""
        return self.forecasts["model"]

    def score(self, name: str = "model", target: str | int | None = None) -> dict[str, float]:
        """ "mae" and "rmse" of a forecast over all steps.

        target   a name or position; may be left out where there is one: errors of different quantities have no mean
        raises   KeyError for a forecast that there is not, ValueError for a target that there is not or left out
        """
        if name not in self.scores:
            raise KeyError(f"there is no forecast {name!r} among {', '.join(self.scores)}")
        if target is None and len(self.targets) > 1:
            raise ValueError(f"name one of the targets {', '.join(self.targets)}: their errors have no common mean")
        return self.scores[name].over_all(columns(target, self.targets)[0])

    def plot(self, path: Any = None, *, target: str | int = 0, step: int = 1) -> Any:
        """Draws the forecasts of one step beside the truth, and the error of every step; saves it if a path is given.

        step     1 .. horizon
        returns  the matplotlib figure; raises ValueError for a step or target that there is not
        """
        from ..plots import backtest, save_figure

        figure = backtest(self, target=target, step=step)
        return figure if path is None else save_figure(figure, path)

    def __repr__(self) -> str:
        K, H, _ = self.truth.shape
        first, last = int(self.origins[0]), int(self.origins[-1])
        unscored = int(np.isnan(self.truth).sum())
        lines = [f"{K:,} forecasts of {H} step{'s' * (H > 1)}, from origins {first} to {last}", "", by_target(self)]
        if H > 1:
            lines += ["", by_step(self)]
        lines += ["", verdict(self)]
        lines += [f"{unscored} of {self.truth.size} values are missing and not scored."] if unscored else []
        return "\n".join([*lines, *map(folded, self.notes)])
