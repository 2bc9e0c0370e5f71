"""One row of a GPU benchmark: every contender validated, those that are right timed in turn."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..results import Row
from ..validation import Verdict
from .plan import GpuPlan
from .runner import Absent, GpuRunner
from .timing import alternate

__all__ = ["PEERS", "GpuRow", "measured"]

PEERS = ("PyTorch", "loop")  # what the names of those that are not rnnkit's begin with
_WORK = 40  # arrays of (T, B, H) that a pass may take: so much memory is filled with NaN before one is validated


@dataclass(frozen=True)
class GpuRow(Row):
    """values   by contender: seconds of a call on the device, the median over its blocks
    host      by contender: seconds of the host until all of a call was asked for
    kernels   by contender: what was launched, in words
    left_out  by contender: why it took no part
    page      microseconds of a step that the design expects at the least: a prediction, of a way there alone
    floor     made from constants that were measured on this GPU: of the way there, and back where that is timed too
    steps     how many there are
    """

    host: dict[str, float] = field(default_factory=dict)
    kernels: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    page: float | None = None
    floor: float | None = None
    steps: int = 0

    def step(self, contender: str = "rnnkit") -> float | None:
        """Microseconds of a step."""
        seconds = self.values.get(contender)
        return None if seconds is None or not self.steps else 1e6 * seconds / self.steps

    def over(self, contender: str) -> float | None:
        """The contender's time over rnnkit's: above 1 rnnkit is faster."""
        ours, theirs = self.values.get("rnnkit"), self.values.get(contender)
        return None if ours is None or theirs is None else theirs / ours


def measured(
    label: str,
    shape: tuple[int, ...],
    makers: Mapping[str, Callable[[], GpuRunner]],
    expected: Callable[[], Mapping[str, Any]],
    plan: GpuPlan,
    **about: Any,
) -> GpuRow:
    """The row of a workload of (B, T, F, H). about: further fields of the row.

    One of `PEERS` that cannot be made or raises takes no part, and the row says why; one of rnnkit's that does so, and
    whoever makes wrong numbers, is FAILED.
    """
    B, T, _, H = shape
    right: dict[str, GpuRunner] = {}
    verdicts: dict[str, Verdict] = {}
    found: dict[str, dict[str, str]] = {"failed": {}, "left_out": {}, "kernels": {}}
    for name, make in makers.items():
        plan.device.fresh(4 * _WORK * B * T * H)
        try:
            runner = make()
            verdict = runner.verdict(expected)
        except Absent as reason:
            found["left_out"][name] = str(reason)
            continue
        except Exception as error:
            found["left_out" if name.startswith(PEERS) else "failed"][name] = f"{type(error).__name__}: {error}"
            continue
        found["kernels"][name] = getattr(runner, "details", "") or runner.kernel()
        if not verdict.ok:
            found["failed"][name] = str(verdict)
        elif runner.repeats and runner.repeats not in right:
            found["left_out"][name] = f"it repeats what {runner.repeats} launches, which is not right"
        else:
            right[name], verdicts[name] = runner, verdict
    if right:
        gc.collect()
    try:
        times = alternate(right, plan.effort, plan.device)
    except Exception as error:  # the rows before this one are not lost for it
        times, why = {}, f"a call of {', '.join(right)} raised while it was timed: {type(error).__name__}: {error}"
        found["failed"]["rnnkit"] = why
    ours = verdicts.get("rnnkit")
    return GpuRow(
        label,
        tuple(shape),
        {name: each.median for name, each in times.items()},
        origin=right["rnnkit"].kernel() if "rnnkit" in right else "",
        error=ours.error / ours.tolerance if ours is not None and ours.tolerance else None,
        host={name: each.asked for name, each in times.items()},
        steps=T,
        **found,
        **about,
    )
