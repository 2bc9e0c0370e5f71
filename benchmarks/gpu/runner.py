"""A contender on a GPU, ready for one workload, and why one does not take part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..validation import Verdict, compare
from ..workload import Runner

__all__ = ["Absent", "GpuRunner"]


class Absent(Exception):
    """A contender that does not take part in a row, and why, in words."""


def _nothing() -> None:
    return


def _unnamed() -> str:
    return ""


@dataclass(frozen=True)
class GpuRunner(Runner):
    """before     what is set before it is called, outside of the time
    checked    the call that is validated; `run` where it is None
    kernel     what that call launched, in words
    tolerance  what its numbers may be off, relative to the largest of an array
    repeats    the contender whose launches it repeats, where it makes nothing that could be compared
    judge      how it is validated where not by `checked` beside the row's right answer
    """

    before: Callable[[], None] = _nothing
    checked: Callable[[], object] | None = None
    kernel: Callable[[], str] = _unnamed
    tolerance: float = 0.0
    repeats: str = ""
    judge: Callable[[], Verdict] | None = None

    def verdict(self, expected: Callable[[], Mapping[str, Any]]) -> Verdict:
        """Of one call; where it repeats another contender's launches, which is validated, there is nothing to find."""
        self.before()
        if self.judge is not None:
            return self.judge()
        found = (self.checked or self.run)()
        if self.repeats:
            return Verdict("nothing", 0.0, self.tolerance)
        return compare(self.arrays(found), expected(), self.tolerance)
