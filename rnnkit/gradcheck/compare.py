"""A gradient held against differences of the function: the engine under every check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

__all__ = ["Element", "Report", "Settings", "compare"]

Point = dict[str, Array]
Index = tuple[int, ...]

# Fourth-order central difference: error of order step^4, so that 1e-3 leaves about 1e-12. Where the interval straddles
# a kink the difference is wrong at this width and right at a smaller one; a wrong gradient is wrong at every width.
_WIDTHS = (1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 1e-6)
_TINY = 1e-30  # of a complex step: no subtraction, so no rounding


@dataclass(frozen=True)
class Settings:
    """What the user chose: see `gradcheck`."""

    method: str = "auto"
    tolerance: float | None = None
    elements: int = 2000
    seed: int = 0
    backend: str = "numpy"

    def __post_init__(self) -> None:
        if self.method not in ("auto", "complex", "difference"):
            raise ValueError(f"method is 'auto', 'difference' or 'complex'; got {self.method!r}")

    def method_for(self, smooth: bool) -> str:
        """The method for a function of arrays, which the complex step needs to be smooth."""
        if self.method == "complex" and not smooth:
            raise ValueError("the complex step needs a function without kinks; use method='difference'")
        return ("complex" if smooth else "difference") if self.method == "auto" else self.method

    def method_for_a_loss(self, kind: str) -> str:
        """The method where a loss has the last word: it takes real numbers."""
        if self.method == "complex":
            raise ValueError(
                f"{kind} is checked by differences: a loss takes real numbers; the complex step is for cells and layers"
            )
        return "difference"


@dataclass(frozen=True)
class Element:
    """One element of one array: where it is in words, both derivatives, and their relative error."""

    array: str
    index: Index
    where: str
    analytic: float
    numeric: float
    error: float


@dataclass(frozen=True)
class Report:
    """What a check found. True when nothing is wrong; as text, a table of the worst element of each array.

    error        the largest relative error, of the direction and of all elements
    directional  the relative error along one random direction through all arrays at once
    worst        the worst element;  rows: the worst of each array;  checked: how many elements were looked at
    suspect      for a recurrence that is wrong, where to look first, in words
    """

    target: str
    method: str
    tolerance: float
    directional: float
    rows: tuple[Element, ...]
    wrong: tuple[Element, ...]
    checked: int
    suspect: str | None = None

    @property
    def worst(self) -> Element:
        return max(self.rows, key=lambda row: row.error)

    @property
    def error(self) -> float:
        return max(self.directional, self.worst.error)

    @property
    def ok(self) -> bool:
        return bool(self.error <= self.tolerance)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        verdict = "right" if self.ok else "WRONG"
        lines = [
            f"{self.target}: {verdict}. {self.checked} elements by {self.method}, tolerance {self.tolerance:.0e}",
            f"along a random direction: relative error {self.directional:.1e}",
        ]
        width = max(len(row.array) for row in self.rows)
        lines += [f"  {row.array:<{width}}  worst {row.error:.1e}" for row in self.rows]
        if not self.ok:
            w = self.worst
            lines.append(f"worst: {w.where}: gradient {w.analytic:.10g}, {self.method} {w.numeric:.10g}")
        if self.suspect:
            lines.append(f"look first at: {self.suspect}")
        return "\n".join(lines)


def compare(
    target: str,
    value: Callable[[Point], Any],
    point: Point,
    gradient: Point,
    where: Callable[[str, Index], str],
    settings: Settings,
    method: str,
    suspect: Callable[[tuple[Element, ...]], str | None] = lambda wrong: None,
) -> Report:
    """value: the function, a number for a point of named arrays; gradient: what is claimed to be its derivative."""
    for name, array in point.items():
        if array.dtype != np.float64:
            raise ValueError(
                f"gradcheck needs float64 and {name} is {array.dtype}: in float32 a difference keeps three digits, too "
                "few to tell a right gradient from a wrong one; build with dtype='float64'"
            )
    limit = settings.tolerance if settings.tolerance is not None else (1e-12 if method == "complex" else 1e-7)
    slope = _complex_slope if method == "complex" else _difference
    rng = np.random.default_rng(settings.seed)
    direction = {name: rng.standard_normal(a.shape) for name, a in point.items()}
    claimed = float(sum((gradient[name] * direction[name]).sum() for name in point))
    length = np.sqrt(sum((gradient[name] ** 2).sum() for name in point)) + _TINY
    straight = slope(value, point, direction, claimed, length)
    rows, wrong, checked = [], [], 0
    total = sum(a.size for a in point.values())
    for name, array in point.items():
        # A sum is rounded to the size of its largest terms, not of its value: what is below a hundredth of the largest
        # element of its array is held to that scale.
        floor = 1e-2 * float(np.max(np.abs(gradient[name]), initial=0)) + _TINY
        share = array.size if total <= settings.elements else max(1, settings.elements * array.size // total)
        found = []
        for flat in rng.choice(array.size, size=share, replace=False) if share < array.size else range(array.size):
            index = tuple(int(k) for k in np.unravel_index(flat, array.shape))
            one = np.zeros_like(array)
            one[index] = 1
            analytic = float(gradient[name][index])
            numeric = slope(value, point, {name: one}, analytic, floor)
            found.append(Element(name, index, where(name, index), analytic, numeric, _error(analytic, numeric, floor)))
        checked += len(found)
        if found:
            rows.append(max(found, key=lambda e: e.error))
            wrong += [e for e in found if not e.error <= limit]
    directional = _error(claimed, straight, 1e-2 * float(length))
    words = {"complex": "complex step", "difference": "differences"}[method]
    return Report(target, words, limit, directional, tuple(rows), tuple(wrong), checked, suspect(tuple(wrong)))


def _moved(point: Point, direction: Point, step: Any) -> Point:
    return point | {name: point[name] + step * d for name, d in direction.items()}


def _complex_slope(value: Callable[[Point], Any], point: Point, direction: Point, analytic: float, floor: Any) -> float:
    whole = {name: array.astype(complex) for name, array in point.items()}
    return float(np.imag(value(_moved(whole, direction, 1j * _TINY)))) / _TINY


def _difference(value: Callable[[Point], Any], point: Point, direction: Point, analytic: float, floor: Any) -> float:
    best = np.nan
    for h in _WIDTHS:
        at = {k: float(np.real(value(_moved(point, direction, k * h)))) for k in (-2, -1, 1, 2)}
        numeric = (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * h)
        if not _error(analytic, best, floor) <= _error(analytic, numeric, floor):
            best = numeric
        if _error(analytic, best, floor) < 1e-8:
            break
    return best


def _error(a: float, b: float, floor: Any) -> float:
    scale = max(abs(a), abs(b), float(floor))
    return abs(a - b) / scale if np.isfinite(a) and np.isfinite(b) and scale > 0 else np.inf
