"""Times of several contenders, taken in turn: a machine that slows down slows all of them."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Effort", "alternate", "geometric_mean", "medians"]

_LOOK = 2e-3  # seconds between two looks at the clock, so that looking costs nothing


@dataclass(frozen=True)
class Effort:
    """How long to measure. block: seconds of one block; blocks: of each contender; rest: seconds between two blocks.

    tries: how often a row is measured at most, until other processes leave it in peace.
    In the rest the threads that the contender before left spinning go to sleep, and take no core from the next.
    """

    block: float = 0.25
    blocks: int = 5
    rest: float = 0.01
    tries: int = 1


def alternate(
    functions: Mapping[str, Callable[[], Any]],
    effort: Effort,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, list[float]]:
    """Seconds a call by name: for each block of each contender the mean over its calls.

    The order is A B C A B C ...; before that each is called twice, untimed, and the second call tells how many calls
    go between two looks at the clock. A block has at least one call.
    """
    between = {}
    for name, function in functions.items():
        function()
        start = clock()
        function()
        between[name] = max(1, int(_LOOK / max(clock() - start, 1e-9)))
    found: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(effort.blocks):
        for name, function in functions.items():
            sleep(effort.rest)
            calls, passed, start = 0, 0.0, clock()
            while passed < effort.block:
                for _ in range(between[name]):
                    function()
                calls += between[name]
                passed = clock() - start
            found[name].append(passed / calls)
    return found


def medians(blocks: Mapping[str, list[float]]) -> dict[str, float]:
    """The median over the blocks of each contender."""
    return {name: statistics.median(times) for name, times in blocks.items()}


def geometric_mean(ratios: Iterable[float]) -> float:
    """The mean of ratios, in which twice as fast and half as fast make one; NaN of none."""
    logs = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan
