"""How training went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .figure import BLUE, ORANGE, legend, new_figure, style

if TYPE_CHECKING:
    from ..history import History

__all__ = ["draw_curve", "learning_curves", "quantities"]

_LOGARITHMIC_FROM = 8  # the largest value over the smallest, from where on a linear axis hides the end of a run


def learning_curves(history: History) -> Any:
    """A panel for each quantity, training and validation together, by epoch; a loss of wide range on a log axis.

    Raises ValueError for a history without an epoch, ImportError where matplotlib is missing.
    """
    names = quantities(history)
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    figure = new_figure(max(7.0, 5.0 * columns), 3.8 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, name in zip(panels, names, strict=False):
        draw_curve(panel, history, name)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    return figure


def quantities(history: History) -> list[str]:
    """The names of what was measured, without those of validation."""
    if not history.epoch:
        raise ValueError("the history has no epoch to draw; train for at least one")
    return [name for name in history.history if not name.startswith("val_")]


def draw_curve(axes: Any, history: History, name: str, title: str | None = None, mark: int | None = None) -> None:
    """One quantity over the epochs; mark: the epoch, from 1, that a ring is drawn around."""
    drawn: list[float] = []
    for key, label, colour in ((name, "training", BLUE), (f"val_{name}", "validation", ORANGE)):
        values = history.history.get(key)
        if not values:
            continue
        epochs = np.asarray(history.epoch[-len(values) :]) + 1
        axes.plot(epochs, values, color=colour, linewidth=1.8, label=label, **_dots(values))
        drawn += [value for value in values if np.isfinite(value)]
    measured = history.history.get(f"val_{name}")
    if measured and mark is not None and mark - 1 in history.epoch:
        at = measured[history.epoch.index(mark - 1)]
        axes.plot([mark], [at], "o", markersize=8, markerfacecolor="white", markeredgecolor=ORANGE, markeredgewidth=1.8)
    if "loss" in name and drawn and min(drawn) > 0 and max(drawn) > _LOGARITHMIC_FROM * min(drawn):
        axes.set_yscale("log")
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    style(axes, name if title is None else title, "epoch", name)
    legend(axes)


def _dots(values: Sequence[float]) -> dict[str, Any]:
    return {"marker": "o", "markersize": 5} if len(values) < 3 else {}
