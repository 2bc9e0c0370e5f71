"""A series cut in order of time."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from rnnkit_kernels.types import Array

from .checks import count, numbers

__all__ = ["chronological_split"]


def chronological_split(values: ArrayLike, train: float = 0.7, validation: float = 0.15) -> tuple[Array, Array, Array]:
    """The oldest part for training, the next for validation and the rest for testing, nothing shuffled.

    values      (N, ...), real, oldest first
    train       a float is a share of N, in (0, 1], rounded down; an int is a number of rows
    validation  likewise, and may be 0; the test part is what is left, possibly nothing
    returns     three views of `values`
    raises      ValueError for a share outside its range, an empty training part or more rows than there are;
                TypeError for what is not a number
    """
    array = numbers("values", values, ranks=())
    n = len(array)
    first, second = _rows("train", train, n), _rows("validation", validation, n)
    if first == 0:
        raise ValueError(f"train = {train!r} of {n} rows leaves nothing to train on")
    if first + second > n:
        raise ValueError(f"train = {train!r} and validation = {validation!r} take {first + second} rows of {n}")
    return array[:first], array[first : first + second], array[first + second :]


def _rows(name: str, part: float, n: int) -> int:
    if not isinstance(part, float):
        return count(name, part, least=0)
    if not 0 <= part <= 1:
        raise ValueError(f"{name} is a share in [0, 1] or a whole number of rows; got {part!r}")
    return math.floor(part * n + 1e-9)  # 0.29 * 100 is a hair below 29
