"""Forecasts against what came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .curves import draw_curve
from .figure import BLUE, COLOURS, INK, TRUTH, bars, legend, new_figure, style, time_axis

if TYPE_CHECKING:
    from ..history import History

__all__ = ["forecast", "training_report"]

_ZOOM = (12, 120)  # points in the enlarged part: a quarter of all, within these


def forecast(
    steps: ArrayLike,
    truth: ArrayLike,
    forecast: ArrayLike,
    baselines: Mapping[str, ArrayLike] | None = None,
    unit: str = "",
    *,
    title: str = "Forecast and truth",
) -> Any:
    """A forecast against the truth, with other forecasts as thin dashed lines.

    steps      (K,) dates (datetime64) or numbers;  truth, forecast (K,);  baselines: name -> (K,);  unit of the values
    raises     ValueError unless all are (K,);  ImportError where matplotlib is missing
    """
    figure = new_figure(13.3, 4.6)
    _draw(figure.subplots(), np.asarray(steps), _lines(steps, truth, forecast, baselines or {}), title, unit)
    return figure


def training_report(
    history: History,
    steps: ArrayLike,
    truth: ArrayLike,
    forecast: ArrayLike,
    title: str = "",
    unit: str = "",
    scores: Mapping[str, Mapping[str, float]] | None = None,
    *,
    kept: int | None = None,
) -> Any:
    """One page on a training run: learning curves, scores beside the baselines, the forecast, its last part enlarged.

    history, steps, truth, forecast, unit  as in `learning_curves` and `forecast`; no curve for a run without an epoch
    scores   name -> {"mae": ...} as `score_baselines` gives them; the first is the network's own
    kept     the epoch, from 1, whose weights made the forecast
    """
    when = np.asarray(steps)
    lines = _lines(steps, truth, forecast, {})
    figure = new_figure(13.3, 10.4)
    grid = figure.add_gridspec(3, 2, height_ratios=(1, 1, 1.1), width_ratios=(1.15, 1) if scores else (1, 0.001))
    if title:
        figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=14, fontweight="bold")
    curve = figure.add_subplot(grid[0, 0] if scores else grid[0, :])
    if history.epoch:
        name = "Loss" if kept is None else f"Loss; the weights of epoch {kept} are kept"
        draw_curve(curve, history, "loss", name, kept)
    else:
        style(curve, "No epoch was finished")
    if scores:
        errors = {name: score["mae"] for name, score in scores.items()}
        panel = figure.add_subplot(grid[0, 1])
        bars(panel, errors, next(iter(errors)), "Mean absolute error, test part", unit)
    _draw(figure.add_subplot(grid[1, :]), when, lines, "Test part: forecast and truth", unit)
    last = min(len(when), max(_ZOOM[0], min(_ZOOM[1], len(when) // 4)))
    part = {name: values[-last:] for name, values in lines.items()}
    name = f"The last {last} forecasts" if last < len(when) else "The same, point by point"
    _draw(figure.add_subplot(grid[2, :]), when[-last:], part, name, unit, dots=True)
    return figure


def _lines(steps: ArrayLike, truth: ArrayLike, forecast: ArrayLike, others: Mapping[str, ArrayLike]) -> dict[str, Any]:
    lines = {name: np.asarray(values) for name, values in {"truth": truth, "forecast": forecast, **others}.items()}
    K = len(np.asarray(steps))
    for name, values in lines.items():
        if values.shape != (K,):
            raise ValueError(f"{name} is one value for each of the {K} steps; got shape {values.shape}")
    if K == 0:
        raise ValueError("there is no forecast to draw: steps is empty")
    return lines


def _draw(axes: Any, steps: Any, lines: dict[str, Any], title: str, unit: str, dots: bool = False) -> None:
    width = 1.6 if len(steps) <= 2000 else 0.6
    points = {"marker": "o", "markersize": 3.4} if dots else {}
    axes.plot(steps, lines["truth"], color=TRUTH, linewidth=width, label="truth", **points)
    axes.plot(steps, lines["forecast"], color=BLUE, linewidth=width, label="forecast", alpha=0.95, zorder=3)
    others = list(lines)[2:]
    for name, colour in zip(others, COLOURS[1:] * len(others), strict=False):
        axes.plot(steps, lines[name], color=colour, linewidth=1.1, linestyle=(0, (4, 2)), label=name)
    time_axis(axes, steps)
    style(axes, title, "date" if steps.dtype.kind == "M" else "step", unit or "value")
    legend(axes)
