"""One row: every contender validated, those that are right timed in turn."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .machine import Others
from .results import BUSY, Row
from .timing import Effort, alternate, medians
from .validation import Verdict, compare
from .workload import Runner

__all__ = ["measured", "prepared", "validated"]


def prepared(makers: Mapping[str, Callable[[], Runner | None]]) -> dict[str, Runner]:
    """The contenders, ready to run, without those that say None. One that raises will do so again when it is run."""
    found = {name: _made(make) for name, make in makers.items()}
    return {name: runner for name, runner in found.items() if runner is not None}


def _made(make: Callable[[], Runner | None]) -> Runner | None:
    try:
        return make()
    except Exception as error:
        return Runner(partial(_raise, error), lambda _: {})


def _raise(error: Exception) -> Any:
    raise error


def validated(
    runners: Mapping[str, Runner], expected: Mapping[str, Any], allowed: float
) -> tuple[dict[str, Verdict], dict[str, str]]:
    """Runs each once. Returns the verdicts of those that are right, and what is wrong with the others.

    An error that a contender raises is what is wrong with it: the row says so, and the run does not end well.
    """
    right, failed = {}, {}
    for name, runner in runners.items():
        try:
            verdict = compare(runner.arrays(runner.run()), expected, allowed)
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"
            continue
        if verdict.ok:
            right[name] = verdict
        else:
            failed[name] = str(verdict)
    return right, failed


def measured(
    label: str,
    shape: tuple[int, ...],
    runners: Mapping[str, Runner],
    check: Callable[[], tuple[dict[str, Verdict], dict[str, str]]],
    effort: Effort,
    flops: float = 0.0,
    peak: float = 0.0,
    **about: Any,
) -> Row:
    """The row of a workload. check: `validated`, of all runners; flops, peak: of the row's products and of the machine,
    for the share; about: further fields of the row."""
    right, failed = check()
    gc.collect()
    values, others = _quietest({name: runners[name].run for name in right}, effort)
    ours = next((name for name in ("rnnkit", "NumPy", "option") if name in values), None)
    return Row(
        label,
        shape,
        values,
        failed=failed,
        origin=next((runner.origin for runner in runners.values() if runner.origin), ""),
        share=flops / values[ours] / peak if ours and flops and peak else None,
        error=right[ours].error / right[ours].tolerance if ours else None,
        others=others,
        **about,
    )


def _quietest(functions: Mapping[str, Callable[[], Any]], effort: Effort) -> tuple[dict[str, float], float | None]:
    """The medians, and the cores that others took: of the first try they left in peace, or of the quietest."""
    best: tuple[dict[str, float], float | None] = {}, None
    for number in range(effort.tries):
        watch = Others()
        values = medians(alternate(functions, effort))
        others = watch.cores()
        if number == 0 or (others is not None and best[1] is not None and others < best[1]):
            best = values, others
        if others is None or others <= BUSY:
            break
    return best
