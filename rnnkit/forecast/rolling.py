"""A rolling origin: where it starts, and training anew on the way."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from ..data.checks import count
from ..model import Sequential
from .backtest import Backtest
from .learning import Learnt, learn, put_back, snapshot
from .methods import Method
from .plan import Plan
from .rows import Rows

__all__ = ["refitted", "starts"]


def starts(table: Rows, start: Any, stride: int, method: Method, default: int) -> Array:
    """The origins (K,), from `start` to the last whose whole horizon lies in the table; for `start` see `backtest`.

    default  the origin that None stands for
    raises   ValueError for a start with less than a window before it or less than a horizon after it, or for a date
             where there are none
    """
    first = default if start is None else _row(table, start)
    last = len(table) - method.span
    if not method.window <= first <= last:
        raise ValueError(
            f"origins lie between row {method.window}, after the first window, and row {last}, before the last lead "
            f"and horizon of {len(table)} rows; got {'the end of validation,' if start is None else 'start ='} {first}"
        )
    return np.arange(first, last + 1, stride)


def refitted(model: Sequential, plan: Plan, table: Rows, origins: Array, fitted: Learnt, every: int) -> Backtest:
    """The backtest with training anew at every `every`-th origin, from where `fitted` began, on the rows before it.

    They train and validate in the proportion of `fitted`. The model is left as it is.
    """
    parts: list[Backtest] = []
    now = snapshot(model)
    cuts = fitted.cuts
    try:
        for k in range(0, len(origins), every):
            some = origins[k : k + every]
            put_back(model, fitted.before)
            rows = int(some[0])
            learnt = learn(model, plan, table.until(rows), (rows * cuts[0] // cuts[1], rows), fitted.settings)
            parts.append(learnt.backtest(model, table, some))
    finally:
        put_back(model, now)
    shared = [name for name in parts[0].forecasts if all(name in part.forecasts for part in parts)]
    first = parts[0]
    times = {1: "at every origin", 2: "at every second origin"}.get(every, f"once for {every} origins each")
    return Backtest(
        origins,
        np.concatenate([part.truth for part in parts]),
        {name: np.concatenate([part.forecasts[name] for part in parts]) for name in shared},
        first.targets,
        first.units,
        first.lead,
        None if table.dates is None else np.concatenate([part.dates for part in parts if part.dates is not None]),
        (f"The model was trained anew {times}, {len(parts)} times.",),
    )


def _row(table: Rows, start: Any) -> int:
    """The row of a start that is a row, a share of the rows, or a date."""
    if isinstance(start, float):
        if not 0 <= start <= 1:
            raise ValueError(f"start is a row, a share of the rows in [0, 1], or a date; got {start!r}")
        return int(start * len(table) + 1e-9)
    if not isinstance(start, (str, np.datetime64)):
        return count("start", start, least=0)
    if table.dates is None:
        raise ValueError(f"start is the date {start}, and the series has no dates; give a row, or pass dates=")
    try:
        when = np.datetime64(start)
    except ValueError:
        raise ValueError(f"start is a row, a share of the rows, or a date such as 2009-01-31; got {start!r}") from None
    return int(np.searchsorted(table.dates, when))
