"""What windows of a series are, drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from .plan import Plan, columns
from .rows import Rows

__all__ = ["draw"]


def draw(plan: Plan, table: Rows, cuts: tuple[int, int], target: str | int) -> Any:
    """The figure of `Forecaster.picture`; cuts: the rows at which the training part and the validation part end."""
    from ..plots import windows

    place = columns(target, table.names)[0]
    return windows(
        np.arange(len(table)) if table.dates is None else table.dates,
        table.values[:, place],
        plan.window,
        plan.horizon,
        plan.lead,
        parts=cuts,
        every_step=plan.method == "seq2seq",
        name=table.names[place],
        unit=table.units[place],
    )
