"""What forecasts from many origins came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.checks import count
from .figure import BLUE, COLOURS, ORANGE, TRUTH, bars, legend, new_figure, style, time_axis

if TYPE_CHECKING:
    from ..forecast import Backtest

__all__ = ["backtest"]


def backtest(made: Backtest, *, target: str | int = 0, step: int = 1) -> Any:
    """Forecasts of one step ahead beside the truth, and the mean absolute error of every step beside the baselines.

    target   name or position; step: 1 .. horizon, counted after the lead
    raises   ValueError for a target or step that there is not; ImportError where matplotlib is missing
    """
    from ..forecast.plan import columns

    K, H, _ = made.truth.shape
    if not 1 <= count("step", step) <= H:
        raise ValueError(f"the steps of this forecast are 1 to {H}; got {step}")
    place = columns(target, made.targets)[0]
    at = (slice(None), step - 1)
    x = made.origins + made.lead + step - 1 if made.dates is None else made.dates[at]
    name, unit = made.targets[place], made.units[place] or "value"
    figure = new_figure(13.3, 7.6 if H > 1 else 6.8)
    grid = figure.add_gridspec(2, 2, width_ratios=(1.5, 1), height_ratios=(1.25, 1))
    above = figure.add_subplot(grid[0, :])
    above.plot(x, made.truth[at][:, place], color=TRUTH, linewidth=1.6 if K <= 2000 else 0.6, label="truth")
    above.plot(x, made.forecast[at][:, place], color=BLUE, linewidth=1.6 if K <= 2000 else 0.6, label="model", zorder=3)
    best = _best(made, place)
    above.plot(x, made.forecasts[best][at][:, place], color=ORANGE, linewidth=1.1, linestyle=(0, (4, 2)), label=best)
    ahead = made.lead + step
    style(above, f"{name}: {ahead} step{'s' * (ahead > 1)} ahead, and the best baseline", "", unit)
    legend(above)
    time_axis(above, np.asarray(x))
    _by_step(figure.add_subplot(grid[1, 0]), made, place, unit)
    _from_one(figure.add_subplot(grid[1, 1]), made, place, unit)
    return figure


def _by_step(axes: Any, made: Backtest, place: int, unit: str) -> None:
    H = made.truth.shape[1]
    if H == 1:
        errors = {name: float(scores.mae[0, place]) for name, scores in made.scores.items()}
        bars(axes, errors, "model", "Mean absolute error", unit)
        return
    ahead = made.lead + 1 + np.arange(H)
    colours = iter(COLOURS[1:])
    for name, scores in made.scores.items():
        look = {"color": BLUE, "linewidth": 2, "zorder": 3} if name == "model" else {"color": next(colours)}
        axes.plot(ahead, scores.mae[:, place], marker="o", markersize=3.2, label=name, **look)
    axes.set_ylim(bottom=0)
    style(axes, "Error by step", "steps ahead of the last known row", f"mean absolute error, {unit}")
    legend(axes)


def _from_one(axes: Any, made: Backtest, place: int, unit: str) -> None:
    """The horizon from one origin; where it is a single step, forecast against truth."""
    K, H, _ = made.truth.shape
    if H == 1:
        truth, forecast = made.truth[:, 0, place], made.forecast[:, 0, place]
        there = truth[~np.isnan(truth)]
        if len(there):
            axes.plot([there.min(), there.max()], [there.min(), there.max()], color=TRUTH, linewidth=1)
        axes.plot(truth, forecast, ".", color=BLUE, markersize=4)
        style(axes, "Forecast against truth", f"truth, {unit}", f"forecast, {unit}")
        return
    k = K - 1
    ahead = made.lead + 1 + np.arange(H)
    axes.plot(ahead, made.truth[k, :, place], color=TRUTH, marker="o", markersize=3.4, label="truth")
    axes.plot(ahead, made.forecast[k, :, place], color=BLUE, marker="o", markersize=3.4, label="model", zorder=3)
    best = _best(made, place)
    axes.plot(ahead, made.forecasts[best][k, :, place], color=ORANGE, linewidth=1.1, linestyle=(0, (4, 2)), label=best)
    style(axes, "From the last origin", "steps ahead", unit)
    legend(axes)


def _best(made: Backtest, place: int) -> str:
    """The baseline with the smallest mean absolute error."""
    return min((name for name in made.scores if name != "model"), key=lambda n: made.scores[n].over_all(place)["mae"])
