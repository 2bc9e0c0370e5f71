"""No number is timed before it is right: every array of a contender against the textbook in float64."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Verdict", "compare", "tolerance"]

# A rounding is off by up to eps / 2 either way, 0.29 eps as a standard deviation; the largest of the 1e7 elements of an
# array is some 5.5 of them off, 1.6 eps.
_LARGEST = 2.0
_ACTIVATION = 5.0  # ULP, the error of a float32 tanh or sigmoid


@dataclass(frozen=True)
class Verdict:
    """The worst array: its name, its error, and the tolerance, both relative to its largest element."""

    name: str
    error: float
    tolerance: float

    @property
    def ok(self) -> bool:
        return self.error <= self.tolerance  # False for NaN

    def __str__(self) -> str:
        return f"{self.name} is off by {self.error:.1e} of its largest element, tolerance {self.tolerance:.1e}"


def tolerance(dtype: Any, terms: int, steps: int, rows: int) -> float:
    """What rounding may do to an array, relative to its largest element.

    terms  numbers that a product of one step adds: F + H for a recurrence, k C for a convolution
    steps  steps that follow on each other: T for a recurrence, 1 where there are none
    rows   rows over which a weight's gradient is summed: B T

    Rounding errors are near to independent, so a sum of n terms is off by about sqrt(n) eps (Higham & Mary 2019,
    SIAM J. Sci. Comput. 41), and so are n steps on one another where the recurrence does not amplify: a step adds
    (sqrt(terms) + an activation's ULP) eps, `steps` of them sqrt(steps) times that, a sum over rows sqrt(rows) eps.
    """
    eps = float(np.finfo(dtype).eps)
    return _LARGEST * eps * ((math.sqrt(terms) + _ACTIVATION) * math.sqrt(steps) + math.sqrt(rows))


def compare(found: Mapping[str, Any], expected: Mapping[str, Any], allowed: float) -> Verdict:
    """The array that is furthest off. One that is missing, has another shape or a NaN is infinitely off."""
    worst = Verdict("nothing", 0.0, allowed)
    for name, right in expected.items():
        error = _error(found.get(name), np.asarray(right))
        if error > worst.error:
            worst = Verdict(name, error, allowed)
    return worst


def _error(found: Any, right: Any) -> float:
    if found is None or np.shape(found) != right.shape or not np.isfinite(found).all():
        return math.inf
    difference = np.abs(np.asarray(found, np.float64) - right).max(initial=0.0)
    size = np.abs(right).max(initial=0.0)
    return float(difference / size) if size else (0.0 if difference == 0 else math.inf)
