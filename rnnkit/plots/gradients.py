"""What vanishes, and what explodes, on the way back through time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..bptt.trace import LayerTrace, Trace
from .figure import COLOURS, new_figure, style

__all__ = ["gradient_norms"]

_GAP = 0.055  # between the names at the lines' ends, in heights of the panel


def gradient_norms(traces: Mapping[str, Trace | LayerTrace]) -> Any:
    """The length of dL/dh_t against the steps from the end of the sequence back to t, on a log axis.

    traces   name -> the trace of a layer, or of a model, of which the last recurrent layer is drawn
    Cells with a second state (an LSTM's c) have a dashed line for it: what a gradient keeps, it may keep there.
    Raises ValueError for no traces, ImportError where matplotlib is missing.
    """
    if not traces:
        raise ValueError("gradient_norms needs at least one trace, as {'LSTM': rnnkit.bptt.trace(model, x, y)}")
    figure = new_figure(13.3, 5.8)
    axes = figure.subplots()
    ends: list[tuple[float, float, str, str]] = []
    for (name, given), colour in zip(traces.items(), COLOURS * len(traces), strict=False):
        layer = given[len(given) - 1] if isinstance(given, Trace) else given
        norms = layer.norms()
        for state, values in norms.items():
            back = np.arange(len(values))
            line = np.where(values[::-1] > 0, values[::-1], np.nan)  # what has underflowed has no place on a log axis
            axes.plot(back, line, color=colour, **({"linewidth": 2.2} if state == "h" else {"linestyle": "--"}))
            known = np.flatnonzero(np.isfinite(line))
            if len(known):
                label = name if len(norms) == 1 else f"{name}, {state}"
                ends.append((float(back[known[-1]]), float(line[known[-1]]), label, colour))
    axes.set_yscale("log")
    axes.margins(x=0.01)
    length = "length of dL/dh  (dL/dc dashed)" if _second(ends) else "length of dL/dh"
    style(axes, "How far back the gradient reaches", "steps back from the end of the sequence", length)
    axes.xaxis.get_major_locator().set_params(integer=True)
    _names_at_the_ends(figure, axes, ends)
    return figure


def _second(ends: list[tuple[float, float, str, str]]) -> bool:
    return any("," in label for _, _, label, _ in ends)


def _names_at_the_ends(figure: Any, axes: Any, ends: list[tuple[float, float, str, str]]) -> None:
    """A name right of each line's end, moved apart where lines end close together."""
    figure.draw_without_rendering()
    to_panel = axes.transScale + axes.transLimits
    placed = sorted((float(to_panel.transform((x, y))[1]), label, colour) for x, y, label, colour in ends)
    height = -1.0
    for at, label, colour in placed:
        height = max(at, height + _GAP)
        axes.annotate(
            label, (1, at), (1.012, height), xycoords="axes fraction", textcoords="axes fraction", va="center",
            color=colour, fontsize=11, fontweight="bold", annotation_clip=False,
        )  # fmt: skip
