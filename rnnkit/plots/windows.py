"""What the windows of a series are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rnnkit_kernels.types import Array

from ..data.checks import count, numbers
from .figure import BLUE, GREY, ORANGE, TRUTH, legend, new_figure, style, time_axis

__all__ = ["windows"]

_PARTS = (("train", "#e8eef4"), ("validation", "#f7ecd9"), ("test", "#f6e1dd"))


def windows(
    steps: ArrayLike,
    values: ArrayLike,
    window: int,
    horizon: int,
    lead: int = 0,
    *,
    parts: tuple[int, int] | None = None,
    every_step: bool = False,
    name: str = "",
    unit: str = "",
) -> Any:
    """The series with its parts and the first and last window of each, and below one window with lead and horizon.

    steps       (N,) dates (datetime64) or numbers;  values (N,), NaN leaves a gap
    window, horizon, lead   in rows
    parts       rows at which the training and the validation part end; None draws no parts
    every_step  mark that an answer is learnt at every step of the window
    raises      ValueError unless a window with its forecast fits into the first part; ImportError where matplotlib is
                missing
    """
    x, y = np.asarray(steps), numbers("values", values, ranks=(1,)).astype(np.float64)
    window, horizon, lead = count("window", window), count("horizon", horizon), count("lead", lead, least=0)
    if x.shape != y.shape:
        raise ValueError(f"steps has one entry for each of the {len(y)} values; got shape {x.shape}")
    span = window + lead + horizon
    ends = [0, *(parts or ()), len(y)]
    if ends[1] < span:
        raise ValueError(f"{ends[1]} rows are too few for a window of {window} + {lead} left out + {horizon}")
    figure = new_figure(13.3, 7.2)
    above, below = figure.subplots(2, 1, height_ratios=(1, 1.1))
    above.plot(x, y, color=TRUTH, linewidth=1.2 if len(y) <= 2000 else 0.6)
    for (part, colour), begin, end in zip(_PARTS, ends, ends[1:], strict=False):
        if parts is None or end == begin:
            continue
        above.axvspan(x[begin], x[end - 1], color=colour, zorder=0, linewidth=0)
        label = f"{part}, {end - begin:,} rows"
        above.annotate(label, (x[begin], 1), (4, -4), ("data", "axes fraction"), "offset points", va="top", color=GREY)
        for at in {begin, end - span} if end - begin >= span else ():
            _bar(above, x, at, (window, lead, horizon))
    above.margins(y=0.16)
    kinds = "the first and the last window of each part" if parts else "the series"
    style(above, f"{name or 'Series'}: {kinds}; none lies in two", "", unit or "value")
    time_axis(above, x)

    begin = ends[1] - span
    _one(below, x, y, begin, (window, lead, horizon))
    left_out = f", {lead} left out" if lead else ""
    learnt = "; the horizon is learnt after every step of the window" if every_step else ""
    title = f"One window: {window} steps in{left_out}, {horizon} forecast{learnt}"
    style(below, title, "date" if x.dtype.kind == "M" else "row", unit or "value")
    below.margins(y=0.16)
    legend(below)
    time_axis(below, x[begin : begin + span])
    return figure


def _bar(axes: Any, x: Array, begin: int, sizes: tuple[int, int, int]) -> None:
    """A window and its horizon as a bar along the bottom of the panel."""
    window, lead, horizon = sizes
    ends = begin + window, begin + window + lead
    for first, last, colour in ((begin, ends[0] - 1, BLUE), (ends[1], ends[1] + horizon - 1, ORANGE)):
        cap = "butt" if last > first else "round"  # a single row is still to be seen
        axes.plot(
            x[[first, last]], [0.035, 0.035], color=colour, linewidth=5, solid_capstyle=cap,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip


def _one(axes: Any, x: Array, y: Array, begin: int, sizes: tuple[int, int, int]) -> None:
    """The rows of one window, those left out and those forecast."""
    window, lead, horizon = sizes
    first, last = begin + window, begin + window + lead
    dots = {"marker": "o", "markersize": 4 if window + horizon <= 200 else 1.5}
    axes.plot(x[begin : last + horizon], y[begin : last + horizon], color="#d5dae0", linewidth=1)
    axes.plot(x[begin:first], y[begin:first], color=BLUE, linewidth=1.4, label=f"window, {window}", **dots)
    if lead:
        axes.plot(x[first:last], y[first:last], color=TRUTH, linewidth=0, label=f"left out, {lead}", **dots)
    axes.plot(
        x[last : last + horizon],
        y[last : last + horizon],
        color=ORANGE,
        linewidth=1.4,
        label=f"forecast, {horizon}",
        **dots,
    )
    axes.axvline(x[first - 1], color=GREY, linewidth=1, linestyle=(0, (3, 2)))
    axes.annotate(
        "the origin: nothing after it is known", (x[first - 1], 0.02), (-5, 2), ("data", "axes fraction"),
        "offset points", ha="right", color=GREY, fontsize=9,
    )  # fmt: skip
