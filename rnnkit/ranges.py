"""Numbers and flags that options take: read as plain Python values, or refused with what was expected."""

from __future__ import annotations

import math
from dataclasses import fields
from numbers import Real
from typing import Any

import numpy as np

__all__ = ["check_flags", "flag", "number", "steps"]


def number(name: str, given: Any, low: float = 0.0, high: float = math.inf, ends: str = "[)") -> float:
    """`given` as a float: a NumPy float64 would promote the float32 arrays that it meets.

    low, high  the range; `ends` says whether its limits are allowed: "[)", the default, allows the lower one alone
    Raises TypeError for what is no number, ValueError for a number out of range, NaN among them.
    """
    scalar = isinstance(given, np.ndarray) and given.ndim == 0 and given.dtype.kind in "iuf"
    if isinstance(given, bool) or not (isinstance(given, Real) or scalar):
        raise TypeError(f"{name} is {given!r}, expected a number.")
    value = float(given)
    if not (low < value < high or (ends[0] == "[" and value == low) or (ends[1] == "]" and value == high)):
        raise ValueError(f"{name} is {given}, expected a number in {ends[0]}{low:g}, {high:g}{ends[1]}.")
    return value


def steps(name: str, given: Any, least: int) -> int:
    """`given` as an int; a float such as 1e4 will do where it is a whole number.

    Raises TypeError for what is no number, ValueError for a fraction and for less than `least`.
    """
    value = number(name, given, -math.inf, ends="()")
    if value < least or not value.is_integer():
        raise ValueError(f"{name} is {given}, expected a whole number of steps from {least} up.")
    return int(value)


def flag(name: str, given: Any) -> bool:
    """`given` as a bool. Raises TypeError for anything else: "no" and 0.1 would both be taken for True."""
    if not isinstance(given, bool | np.bool_):
        raise TypeError(f"{name} is {given!r}, expected True or False.")
    return bool(given)


def check_flags(options: Any) -> None:
    """Reads every field of a dataclass that is True or False by default as a flag; for its `__post_init__`."""
    for entry in fields(options):
        if isinstance(entry.default, bool):
            object.__setattr__(options, entry.name, flag(entry.name, getattr(options, entry.name)))
