"""Batches of windows, cut from one array when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from rnnkit_kernels.types import Array

__all__ = ["Batches", "Order", "in_time", "permuted", "through_buffer"]

Order: TypeAlias = Callable[[np.random.Generator, int], Array]
"""order(rng, n) -> the numbers 0..n-1 in the order of one pass."""


def in_time(rng: np.random.Generator, n: int) -> Array:
    """0..n-1, oldest first."""
    return np.arange(n)


def permuted(rng: np.random.Generator, n: int) -> Array:
    """A uniform permutation of 0..n-1."""
    return rng.permutation(n)


def through_buffer(size: int) -> Order:
    """The order in which a shuffle buffer of `size` slots lets 0..n-1 out (tf.data.Dataset.shuffle).

    The buffer holds the first `size` numbers; a slot drawn at random leaves and the next number takes its place. So
    number k never leaves before place k - size + 1, and a buffer of one slot keeps the order.
    """

    def order(rng: np.random.Generator, n: int) -> Array:
        slots = list(range(min(size, n)))
        out = np.empty(n, np.int64)
        drawn = rng.integers(size, size=max(n - size, 0)).tolist()
        for place, slot in enumerate(drawn):
            out[place] = slots[slot]
            slots[slot] = place + size
        # With nothing left to come in, drawing until the buffer is empty is a permutation of what it holds.
        out[len(drawn) :] = rng.permutation(np.array(slots, np.int64))
        return out

    return order


class Batches:
    """Windows of an array in batches; every `iter()` starts a new pass, `len()` is the number of batches in one.

    data        (N, ...), time along the first axis; it is read, never copied as a whole
    starts      (K,) first row of each window
    offsets     (L,) rows of a window, counted from its first
    targets     (M, ...), read at the same rows as `starts`, or None
    batch_size  windows per batch, the last batch may be smaller; None for single windows without a batch axis
    order       the order of the windows in a pass
    seed        with `order` and the number of the pass it decides the shuffle; None draws one

    A pass yields (x, y), or x alone without targets: x (B, L, ...), y (B, ...), fresh arrays of the dtype of `data` and
    `targets`. `passes` counts the passes begun; set it to continue a run where another stopped.
    """

    def __init__(
        self,
        data: Array,
        starts: Array,
        offsets: Array,
        *,
        targets: Array | None = None,
        batch_size: int | None = None,
        order: Order = in_time,
        seed: int | None = None,
    ) -> None:
        self.batch_size = batch_size
        self.passes = 0
        self._data, self._starts, self._offsets, self._targets = data, starts, offsets, targets
        self._order = order
        self._entropy = np.random.SeedSequence(seed).entropy

    @property
    def samples(self) -> int:
        """The number of windows in a pass."""
        return len(self._starts)

    def __len__(self) -> int:
        return self.samples if self.batch_size is None else -(-self.samples // self.batch_size)

    def __repr__(self) -> str:
        size = "single" if self.batch_size is None else f"batches of {self.batch_size}"
        steps = "x".join(str(n) for n in (len(self._offsets), *self._data.shape[1:]))
        return f"Batches({self.samples} windows of {steps}, {size}, {'x' if self._targets is None else '(x, y)'})"

    def __iter__(self) -> Iterator[Array | tuple[Array, Array]]:
        # Not itself a generator, so that the pass is counted when it begins and not at its first batch.
        rng = np.random.default_rng((self._entropy, self.passes))  # type: ignore[arg-type]
        self.passes += 1
        return self._walk(self._starts[self._order(rng, self.samples)])

    def _walk(self, starts: Array) -> Iterator[Array | tuple[Array, Array]]:
        windows, single = self._windows(), self.batch_size is None
        for first in range(0, len(starts), self.batch_size or 1):
            rows = starts[first : first + (self.batch_size or 1)]
            x = self._data[np.add.outer(rows, self._offsets)] if windows is None else windows[rows]
            parts = [np.ascontiguousarray(x), *([] if self._targets is None else [self._targets[rows]])]
            if single:
                parts = [np.asarray(part[0]) for part in parts]
            yield parts[0] if self._targets is None else (parts[0], parts[1])

    def _windows(self) -> Array | None:
        """A view of the window that begins at each row, where steps are equally spaced: a window is then one run of
        memory to copy, ten times faster than row by row."""
        rate = int(self._offsets[1]) if len(self._offsets) > 1 else 1
        if rate < 1 or not np.array_equal(self._offsets, np.arange(len(self._offsets)) * rate):
            return None
        every = sliding_window_view(self._data, int(self._offsets[-1]) + 1, axis=0)
        return np.moveaxis(every, -1, 1)[:, ::rate]
