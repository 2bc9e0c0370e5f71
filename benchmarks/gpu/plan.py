"""What one run on a GPU was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any, TypeVar

from ..plan import Plan
from ..timing import Effort
from ..workload import Workload
from .answers import answer
from .device import Device
from .floors import Constants

__all__ = ["SHAPES", "SMALL", "GpuPlan"]

Case = TypeVar("Case")

# B, T, F, H: those of the design's floors, and one whose H is no power of 2
SHAPES = (
    (1, 1000, 64, 256),
    (32, 50, 1, 20),
    (64, 100, 128, 128),
    (64, 100, 256, 256),
    (128, 500, 32, 32),
    (256, 120, 14, 16),
    (64, 100, 160, 160),
    (64, 512, 512, 512),
    (128, 256, 1024, 1024),
)
SMALL = ((3, 7, 5, 9), (32, 50, 1, 20))


@dataclass(frozen=True, eq=False, kw_only=True)
class GpuPlan(Plan):
    """device     where it is measured
    ends       when nothing more is begun, by the clock `now`
    constants  of this GPU where they have been measured: for floors
    """

    device: Device
    effort: Effort
    ends: float = inf
    now: Callable[[], float] = time.monotonic
    constants: Constants | None = None
    late: list[str] = field(default_factory=list)
    _answers: dict[tuple[str, tuple[int, ...]], Any] = field(default_factory=dict)
    _last: list[tuple[Workload, dict[str, Any]]] = field(default_factory=list)

    def in_time(self, cases: Iterable[Case], tell: Callable[[Case], str]) -> Iterator[Case]:
        """The cases, until the time is up; those that are not begun are told to `late`."""
        for case in cases:
            if self.now() < self.ends:
                yield case
            else:
                self.late.append(tell(case))

    def late_notes(self) -> list[str]:
        """A sentence on what was left out for want of time, told once."""
        if not self.late:
            return []
        text = f"the time was up before {len(self.late)} of the rows: {', '.join(self.late)}"
        self.late.clear()
        return [text]

    def right_answer(self, work: Workload) -> dict[str, Any]:
        """`answer` of a plain workload, made once; its y is kept for the one without a way back."""
        key = work.cell, tuple(work.shape)
        if self._last and self._last[0][0] is work:
            return self._last[0][1]
        if not work.backward and key in self._answers:
            return {"y": self._answers[key]}
        found = answer(work, self.device.backend)
        self._answers[key] = found["y"]
        self._last[:] = [(work, found)]
        return found
