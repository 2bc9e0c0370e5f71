"""The paper that every picture is drawn on: figures without global state, one look, whole files."""

from __future__ import annotations

import io
from os import PathLike
from pathlib import Path
from typing import Any

from ..files import write_atomically

__all__ = ["BLUE", "COLOURS", "DPI", "GREY", "INK", "ORANGE", "legend", "new_figure", "save_figure", "style"]

DPI = 120

# Okabe & Ito 2008: told apart with every kind of colour vision, and by their lightness in grey.
BLUE, ORANGE = "#0072b2", "#d55e00"
COLOURS = (BLUE, ORANGE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
INK, GREY, _LINE, _GRID = "#262b33", "#5d6673", "#b9c0ca", "#e6e9ed"


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


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
