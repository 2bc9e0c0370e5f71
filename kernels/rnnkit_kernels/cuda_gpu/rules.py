"""An optimizer's step on a GPU: one launch for all parameters, by a table of addresses and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..elementwise import Decay, Row
from .place import Launch, Place
from .words import REALS, word_of_double

__all__ = ["RULES", "moved"]

_BLOCK = 256 * 4  # numbers of a block, and
_NUMBERS = 8  # of a rule at most: as in sources/rules.cuh

# How many numbers and how many slots a rule has. The numbers, in the order of sources/rules.cuh: rate first (for Adam
# and amsgrad the corrected one), shares as 1 - beta. The slots are the optimizer's, in its order.
RULES = {
    "sgd": (1, 0),
    "momentum": (2, 1),
    "nesterov": (2, 1),
    "adagrad": (2, 1),
    "rmsprop": (4, 1),
    "rmsprop_momentum": (5, 2),
    "rmsprop_centered": (4, 2),
    "rmsprop_momentum_centered": (5, 3),
    "adam": (4, 2),
    "amsgrad": (4, 3),
    "nadam": (7, 2),
}


def moved(
    place: Place, rule: str, numbers: Sequence[float], rows: Sequence[Row], decay: Decay | None = None
) -> list[Row | None]:
    """See `Elementwise.moved`; rule, numbers: see `RULES`. Arrays with gaps are copied first.

    None for rows that are not of float32 or of float64 throughout. Raises ValueError for other counts of numbers and
    arrays than the rule has.
    """
    expected, slots = RULES[rule]
    if len(numbers) != expected:
        raise ValueError(f"the rule {rule!r} has {expected} numbers, got {len(numbers)}")
    if wrong := [len(row) for row in rows if len(row) != 2 + slots]:
        raise ValueError(f"the rule {rule!r} takes a parameter, its gradient and {slots} slots, got {wrong[0]} arrays")
    found: list[Row | None] = [None] * len(rows)
    for dtype in REALS:
        ours = {k: row for k, row in enumerate(rows) if all(a.dtype == dtype for a in row)}
        for k, new in zip(ours, _launched(place, rule, numbers, list(ours.values()), dtype, decay), strict=True):
            found[k] = new
    return found


def _launched(
    place: Place, rule: str, numbers: Sequence[float], rows: Sequence[Row], dtype: Any, decay: Decay | None
) -> list[Row]:
    """What rows of one dtype become, in one launch."""
    xp = place.xp
    given = [[xp.ascontiguousarray(a) for a in row] for row in rows]
    new = [tuple([xp.empty(row[0].shape, dtype) for _ in row[1:]]) for row in rows]
    blocks, words = 0, []
    for old, made in zip(given, new, strict=True):
        if size := made[0].size:
            words += [blocks, size, *map(place.address, (*old, *made))]
            blocks += -(-size // _BLOCK)
    if blocks:
        doubles = (*(decay or (0.0, 0.0)), *numbers, *[0.0] * (_NUMBERS - len(numbers)))
        parameters = sum(made[0].size > 0 for made in new)
        table = place.table([parameters, decay is not None, *map(word_of_double, doubles), *words])
        module = place.module(REALS[dtype], "rules.cuh", "", "step")
        module.repeat([Launch(f"step_{rule}", (blocks, 1), 256, 0)], table, 1)
    return new
