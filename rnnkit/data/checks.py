"""What the data functions refuse, and the sentences they refuse with."""

from __future__ import annotations

import operator

import numpy as np
from numpy.typing import ArrayLike

from rnnkit_kernels.types import Array

__all__ = ["count", "finite", "numbers", "place"]

_ROWS_AT_ONCE = 65_536


def count(name: str, value: object, least: int = 1) -> int:
    """`value` as an int of at least `least`.

    raises   TypeError if it is not a whole number, ValueError if it is too small
    """
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} is a whole number; got {value!r}") from None
    if number < least:
        raise ValueError(f"{name} is at least {least}; got {number}")
    return number


def numbers(name: str, values: ArrayLike, ranks: tuple[int, ...] = (1, 2)) -> Array:
    """`values` as an array of real numbers, of one of the allowed ranks (an empty tuple allows every rank from 1).

    raises   TypeError for anything but real numbers, ValueError for a wrong rank or no rows
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise TypeError(f"{name} is not an array of numbers: {error}") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} is an array of real numbers; got dtype {array.dtype}")
    if array.ndim == 0 or (ranks and array.ndim not in ranks):
        wanted = " or ".join(_RANKS[rank] for rank in ranks) if ranks else "an array with time along its first axis"
        raise ValueError(f"{name} is {wanted}; got shape {array.shape}")
    if len(array) == 0:
        raise ValueError(f"{name} is empty: shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} has no columns: shape {array.shape}")
    return array


_RANKS = {1: "one series (N,)", 2: "a table (N, D)"}


def finite(name: str, array: Array, first: int = 0, step: int = 1) -> None:
    """Refuses NaN and infinity, named by row and column.

    array         (N, ...); row k of it is called row first + k * step in the sentence
    raises        ValueError
    """
    if array.dtype.kind != "f":
        return
    for start in range(0, len(array), _ROWS_AT_ONCE):  # in parts: a mask of the whole array could be large
        part = array[start : start + _ROWS_AT_ONCE]
        wrong = ~np.isfinite(part)
        if not wrong.any():
            continue
        index = tuple(int(i[0]) for i in np.nonzero(wrong))
        what = "NaN" if np.isnan(part[index]) else "infinity"
        row = first + (start + index[0]) * step
        raise ValueError(
            f"{name} has {what} at {place((row, *index[1:]))}; fill it (rnnkit.data.fill_missing) or leave it out"
        )


def place(index: tuple[int, ...]) -> str:
    """Where a value stands, in words: (3,) is "row 3", (3, 1) is "row 3, column 1"."""
    if len(index) <= 2:
        return ", ".join(f"{axis} {i}" for axis, i in zip(("row", "column"), index, strict=False))
    return f"row {index[0]}, position {index[1:]}"
