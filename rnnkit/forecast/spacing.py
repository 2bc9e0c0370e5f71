"""Whether dates lie at equal steps, and where they do not."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from rnnkit_kernels.types import Array

__all__ = ["UNITS", "Spacing", "spacing", "spelled"]

Spacing: TypeAlias = tuple[int, str]
"""A step: how many "months" or "microseconds"."""

UNITS = ("months", "microseconds")
_NAMED = (("day", 86_400_000_000), ("hour", 3_600_000_000), ("minute", 60_000_000), ("second", 1_000_000))


def spacing(dates: Array) -> Spacing | None:
    """The step between dates, None for a single one.

    dates    (N,) datetime64, oldest first. Equal steps are equal times; or whole months, with the same day and time in
             each or with the last day of each
    raises   ValueError for NaT, and for steps that are not equal or do not go forward, with the first place
    """
    if np.isnat(dates).any():
        raise ValueError(f"the dates have NaT, no date at all, at row {int(np.argmax(np.isnat(dates)))}")
    if len(dates) < 2:
        return None
    months = np.diff(dates.astype("datetime64[M]").astype(np.int64))
    if months[0] > 0 and (months == months[0]).all() and _same_place_in_month(dates):
        return int(months[0]), "months"
    steps = np.diff(dates).astype("timedelta64[us]").astype(np.int64)
    kinds, times = np.unique(steps, return_counts=True)
    usual = int(kinds[np.argmax(times)])
    if len(kinds) == 1 and usual > 0:
        return usual, "microseconds"
    backwards = np.flatnonzero(steps <= 0)
    if len(backwards):
        at = int(backwards[0])
        raise ValueError(
            f"the dates do not go forward: row {at + 1} ({dates[at + 1]}) follows row {at} ({dates[at]}); sort the "
            "rows, oldest first, and keep one of each date"
        )
    wrong = np.flatnonzero(steps != usual)
    at, places = int(wrong[0]), f"the first of {len(wrong)} such places" if len(wrong) > 1 else "the only such place"
    raise ValueError(
        f"the dates are not at equal steps: the usual step is {spelled((usual, 'microseconds'))}, but "
        f"{spelled((int(steps[at]), 'microseconds'))} lie between row {at} ({dates[at]}) and row {at + 1} "
        f"({dates[at + 1]}), {places}. Put in the absent rows as NaN and choose missing='linear', cut the series "
        "there, or pass the values without dates if rows are to count as equal steps"
    )


def spelled(step: Spacing) -> str:
    """A step in words: "1 hour", "3 months"."""
    size, unit = step
    if unit == "microseconds":
        unit, scale = next(((f"{name}s", us) for name, us in _NAMED if size % us == 0), (unit, 1))
        size //= scale
    return f"{size} {unit[:-1] if size == 1 else unit}"


def _same_place_in_month(dates: Array) -> bool:
    """Whether all dates stand at one day and time of their month, or at one time of its last day."""
    month = dates.astype("datetime64[M]")
    inside = dates - month.astype(dates.dtype)
    left = (month + 1).astype(dates.dtype) - dates
    return bool((inside == inside[0]).all() or (left == left[0]).all())
