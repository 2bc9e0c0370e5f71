"""The paper that every picture is drawn on: figures without global state, one look, whole files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from rnnkit_kernels.types import Array

from ..files import write_atomically

__all__ = [
    "BLUE",
    "COLOURS",
    "DPI",
    "GREY",
    "INK",
    "ORANGE",
    "TRUTH",
    "bars",
    "legend",
    "new_figure",
    "save_figure",
    "style",
    "time_axis",
]

DPI = 120

# Okabe & Ito 2008: told apart with every kind of colour vision, and by their lightness in grey.
BLUE, ORANGE = "#0072b2", "#d55e00"
COLOURS = (BLUE, ORANGE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
INK, GREY, _LINE, _GRID = "#262b33", "#5d6673", "#b9c0ca", "#e6e9ed"
TRUTH, _OTHERS = "#8b939e", "#c5cbd3"


def new_figure(width: float, height: float) -> Any:
    """An empty figure of that many inches at 120 dots each.

    Raises ImportError, naming the extra, where matplotlib is missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("pictures need matplotlib: pip install 'rnnkit[plot]'") from None
    figure: Any = Figure((width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1, wspace=0.03, hspace=0.04)
    figure._repr_png_ = lambda: _png(figure)  # what a notebook asks for
    return figure


def save_figure(figure: Any, path: str | PathLike[str]) -> Any:
    """Writes a figure as PNG, whole or not at all, and returns it. Raises OSError where the file cannot be written."""
    write_atomically(Path(path), _png(figure))
    return figure


def style(axes: Any, title: str = "", x: str = "", y: str = "") -> None:
    """The look of one panel: its title at the left, axis labels with units, a quiet grid, no box."""
    axes.set_title(title, loc="left", color=INK, fontsize=11, fontweight="bold", pad=9)
    axes.set_xlabel(x, color=GREY, fontsize=9.5)
    axes.set_ylabel(y, color=GREY, fontsize=9.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_LINE)
    axes.tick_params(which="both", color=_LINE, labelcolor=GREY, labelsize=9)
    axes.grid(True, color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def legend(axes: Any) -> None:
    """Names of the lines above the panel at its right, where there is nothing to cover."""
    handles, names = axes.get_legend_handles_labels()
    if len(names) > 1:
        axes.legend(
            handles, names, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(names), frameon=False, fontsize=9,
            labelcolor=INK, handlelength=1.6, columnspacing=1.4, borderaxespad=0.3, borderpad=0.1,
        )  # fmt: skip


def time_axis(axes: Any, steps: Array) -> None:
    """The x axis of a panel over dates or numbers: few short dates, hardly a margin."""
    axes.margins(x=0.01)
    if steps.dtype.kind == "M":
        from matplotlib import dates

        ticks: Any = dates  # only some of its functions have types
        locator = ticks.AutoDateLocator(maxticks=10)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ticks.ConciseDateFormatter(locator))


def bars(axes: Any, errors: Mapping[str, float], own: str, title: str, unit: str) -> None:
    """Errors by name as bars, the best on top, the bar of `own` in blue."""
    names = sorted(errors, key=lambda name: errors[name], reverse=True)
    axes.barh(
        names, [errors[name] for name in names], color=[BLUE if n == own else _OTHERS for n in names], height=0.62
    )
    for place, name in enumerate(names):
        axes.annotate(
            f"{errors[name]:.3g}", (errors[name], place), (4, 0), textcoords="offset points", va="center", color=INK,
            fontsize=9,
        )  # fmt: skip
    axes.margins(x=0.12)
    style(axes, title, f"lower is better, {unit}" if unit else "lower is better")
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_color(GREY)


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
