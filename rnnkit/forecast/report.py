"""What fitting a forecaster came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..commands.tables import aligned
from ..history import History
from .backtest import Backtest
from .plan import Plan
from .text import by_step, folded, side_by_side, verdict

__all__ = ["ForecastReport", "Part"]


@dataclass(frozen=True)
class Part:
    """Rows [begin, end) of a series, how many windows lie in them, and what the first and last row are called."""

    name: str
    begin: int
    end: int
    windows: int
    first: str
    last: str


@dataclass(frozen=True, eq=False, repr=False)
class ForecastReport:
    """Scores of a fitted forecaster in original units, beside the baselines'.

    parts       train, validation, test: rows and windows, no window in two of them
    validation, test   a `Backtest` each, or None for a part without rows
    history     of the training, loss in units of the scale
    notes       what was decided on the way, in sentences
    It shows itself as a table; `plot` draws it.
    """

    plan: Plan
    parts: tuple[Part, ...]
    validation: Backtest | None
    test: Backtest | None
    history: History
    notes: tuple[str, ...] = ()

    @property
    def last(self) -> Backtest:
        """The test part's, or without one the validation part's. Raises ValueError where nothing was kept out."""
        found = self.test or self.validation
        if found is None:
            raise ValueError("all rows trained and none was kept out: there is no score")
        return found

    def plot(self, path: Any = None, *, target: str | int = 0, step: int = 1) -> Any:
        """Draws the forecasts of the test part, as `Backtest.plot` does."""
        return self.last.plot(path, target=target, step=step)

    def __repr__(self) -> str:
        plan = self.plan
        left_out = f", {plan.lead} left out" if plan.lead else ""
        lines = [f"{plan.method}: {plan.window} steps in{left_out}, {plan.horizon} forecast", ""]
        rows = [(p.name, f"{p.windows:,} windows", f"{p.first} to {p.last}") for p in self.parts]
        lines.append(aligned(rows, left=3))
        scored = {"validation": self.validation, "test": self.test}
        there = {name: part for name, part in scored.items() if part is not None}
        if there:
            name, last = list(there.items())[-1]
            lines += ["", side_by_side(there)]
            if plan.horizon > 1:
                lines += ["", f"{name} part:", by_step(last)]
            lines += ["", verdict(last, f" on the {name} part")]
        return "\n".join([*lines, *map(folded, self.notes)])
