"""What is asked of a forecaster: sizes, method, scale and what to do about missing values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rnnkit_kernels.sentences import unknown

from ..data.checks import count
from .methods import METHODS, Method
from .rows import Rows

__all__ = ["MISSING", "Plan", "columns"]

MISSING = ("refuse", "linear")


@dataclass(frozen=True)
class Plan:
    """The arguments of `Forecaster`, checked; the meaning of each is told there."""

    window: int
    horizon: int
    lead: int
    targets: Any
    scaler: Any
    method: str
    missing: str
    period: int | None

    def __post_init__(self) -> None:
        count("window", self.window)
        count("horizon", self.horizon)
        count("lead", self.lead, least=0)
        if self.period is not None:
            count("period", self.period)
        if self.method not in METHODS:
            raise unknown("method", self.method, list(METHODS))
        if self.missing not in MISSING:
            raise unknown("missing", self.missing, MISSING)

    def on(self, names: Sequence[str]) -> Method:
        """The method for a table with columns of these names. Raises ValueError for targets that it does not have."""
        targets = columns(self.targets, names)
        return METHODS[self.method](self.window, self.horizon, self.lead, targets, len(names))

    def season(self, table: Rows) -> int | None:
        """Rows of a season: as given, else as the table says."""
        return table.period if self.period is None else self.period


def columns(targets: Any, names: Sequence[str]) -> tuple[int, ...]:
    """Positions of the targets, each a name or a position, one alone or several; None stands for all.

    raises   ValueError for a column that is not there or named twice; TypeError for what is neither name nor position
    """
    if targets is None:
        return tuple(range(len(names)))
    given = [targets] if isinstance(targets, str) or not hasattr(targets, "__len__") else list(targets)
    if not given:
        raise ValueError("targets is empty: name the columns to forecast, or leave it out to forecast all of them")
    found = []
    for target in given:
        if isinstance(target, str):
            if names.count(target) != 1:
                raise unknown("target", target, names)
            found.append(names.index(target))
            continue
        place = count("a target that is not a name", target, least=0)
        if place >= len(names):
            raise ValueError(f"the columns are 0 to {len(names) - 1}; got the target {place}")
        found.append(place)
    if len(set(found)) < len(found):
        raise ValueError(f"every target is named once; got {targets!r}")
    return tuple(found)
