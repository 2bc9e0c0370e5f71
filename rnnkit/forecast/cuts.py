"""Where windows may lie, and the batches that are cut from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rnnkit_kernels.types import Array

from ..data.batches import in_time, permuted
from ..layers.base import Shape
from .methods import Method
from .seen import Seen

__all__ = ["WindowBatches", "inside", "measured", "refuse_short"]


def inside(begin: int, end: int, window: int, reach: int) -> Array:
    """Origins whose window and the `reach` rows after it all lie in rows [begin, end), in order of time; maybe none."""
    return np.arange(begin + window, end - reach + 1)


def measured(origins: Array, values: Array, targets: Sequence[int], first: int, last: int) -> Array:
    """Those origins at which a target, if only one, is measured in rows origin + first .. origin + last.

    values  (N, D), NaN where one is missing
    """
    there = ~np.isnan(values[:, list(targets)]).all(axis=1)
    until = np.concatenate([[0], np.cumsum(there)])
    return origins[until[origins + last + 1] > until[origins + first]]


def refuse_short(part: str, rows: int, window: int, span: int) -> None:
    """Raises ValueError for a part that has rows, and no room for a window with its forecast."""
    if 0 < rows < window + span:
        raise ValueError(
            f"the {part} part has {rows} rows, and a window with its forecast takes {window + span}, all in one part; "
            "take a larger share for it, or none, and call backtest, whose windows may begin in another part"
        )


class WindowBatches:
    """Batches (x, y) of windows and what is to be answered, cut when they are asked for; every `iter` is a new pass.

    past     the table as it is seen, in units of the scale; truth: what to learn (N, D), in the same units
    origins  (K,);  answer: the shape of one y;  seed: decides the order of each pass, None keeps the order of time
    """

    def __init__(
        self, past: Seen, truth: Array, origins: Array, method: Method, answer: Shape, batch_size: int, seed: int | None
    ) -> None:
        self._past, self._truth, self._origins = past, truth, origins
        self._method, self._answer, self._batch_size, self._seed = method, answer, batch_size, seed
        self._passes = 0

    def __len__(self) -> int:
        return -(-len(self._origins) // self._batch_size)

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        rng = np.random.default_rng((self._seed or 0, self._passes))
        order = in_time if self._seed is None else permuted
        self._passes += 1
        return self._walk(self._origins[order(rng, len(self._origins))])

    def _walk(self, origins: Array) -> Iterator[tuple[Array, Array]]:
        for first in range(0, len(origins), self._batch_size):
            some = origins[first : first + self._batch_size]
            y = self._method.labels(self._truth, some)
            yield self._past.past(some, self._method.window), y.reshape(len(some), *self._answer)
