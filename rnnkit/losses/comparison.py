"""y and target brought together, with weight and mask laid over them: the one place where shapes are checked."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike

from rnnkit_kernels.devices import is_here
from rnnkit_kernels.types import Array

__all__ = ["Comparison", "array", "compare", "compare_rows"]

_SEQUENCES = "; does the last recurrent layer return sequences where it should not?"


@dataclass(frozen=True)
class Comparison:
    """y and target in shapes that go together, with weight and mask laid over them.

    y, target  y's dtype, labels float64; zero where masked, so that nothing is computed with what lies behind a mask
    size       the number of values: of entries of y, or of rows where a row is judged as a whole
    weight     y's dtype, broadcasts over y, zero where masked; or None
    mask       bool, broadcasts over y, True where an entry is real; or None
    """

    y: Array
    target: Array
    size: int
    weight: Array | None
    mask: Array | None

    def weighed(self, values: Array) -> Array:
        """Values, or slopes, times weight; exactly zero where masked, whatever stood there."""
        if self.weight is not None:
            values = values * self.weight
        return values if self.mask is None else np.where(self.mask, values, 0)

    def total(self, values: Array) -> Array:
        """The sum of `weighed(values)`, a float64 scalar."""
        return cast(Array, self.weighed(values).sum(dtype=np.float64))

    def count(self) -> Array:
        """The number of real values, an int scalar; 0 where every one is masked."""
        if self.mask is None:
            return cast(Array, np.int64(self.size))
        return cast(Array, self.mask.sum() * (self.size // max(self.mask.size, 1)))

    def only(self, mask: Array) -> Comparison:
        """The part that `mask` leaves too: bool, broadcasts over y, with one entry for one value or for several."""
        mask = mask if self.mask is None else self.mask & mask
        # A selection, never a product: 0 * NaN is NaN.
        return replace(
            self,
            y=np.where(mask, self.y, 0),
            target=np.where(mask, self.target, 0),
            weight=None if self.weight is None else np.where(mask, self.weight, 0),
            mask=mask,
        )

    def without(self, bad: Array, sentence: Callable[[], str]) -> Comparison:
        """This, where no entry is `bad`: bool, in the target's shape. Raises ValueError with the sentence where one is.

        On a device, where a look would wait, what is bad gets a y of NaN instead, and the loss tells that it is there.
        """
        if not is_here(bad):
            return replace(self, y=np.where(bad, self.y.dtype.type(math.nan), self.y))
        if bad.any():
            raise ValueError(sentence())
        return self


def compare(y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> Comparison:
    """Brings y, target, weight and mask together, entry by entry.

    y              S, float
    target         S, or S with a last axis of 1 more or less: y (B, 1) against (B,), y (B, T, 1) against (B, T) and the
                   reverse; any real dtype, cast to y's
    sample_weight  the leading axes of S, one at least: (B,), (B, T), up to all of S; a last axis of 1 more is dropped
    mask           bool, shaped like a sample_weight
    raises         ValueError for any other shape, TypeError for any other dtype
    """
    y, target = _numbers(y, target)
    shape = _common(y.shape, target.shape)
    return _laid(y.reshape(shape), target.reshape(shape), shape, sample_weight, mask)


def compare_rows(y: Any, target: Any, *, labels: bool, sample_weight: Any = None, mask: Any = None) -> Comparison:
    """Brings y, target, weight and mask together, row by row: a row is the last axis of y, one number for each class.

    y              (..., C), float, two axes at least
    target         (..., C), cast to y's dtype; with `labels` (...) or (..., 1), which comes back as (..., 1),
                   in float64: above 2^24 float32 has no odd numbers
    sample_weight  the leading axes of the rows (...), one at least; a last axis of 1 more is dropped
    mask           bool, shaped like a sample_weight
    raises         ValueError for any other shape, TypeError for any other dtype
    """
    y, target = _numbers(y, target, np.dtype(np.float64) if labels else None)
    rows = y.shape[:-1]
    if not rows:
        raise ValueError(f"y {y.shape} has no axis of classes: expected (batch, classes) or (batch, time, classes).")
    if labels and target.shape not in (rows, (*rows, 1)):
        hint = "; for one-hot rows take the categorical one, not the sparse one." if target.shape == y.shape else "."
        if target.ndim < len(rows):
            hint = _SEQUENCES
        raise ValueError(
            f"target {target.shape} does not match y {y.shape}: expected one label for each row, {rows} or "
            f"{(*rows, 1)}{hint}"
        )
    if not labels and target.shape != y.shape:
        hint = "; for labels take the sparse one." if target.shape in (rows, (*rows, 1)) else "."
        raise ValueError(
            f"target {target.shape} does not match y {y.shape}: expected a number for each class, {y.shape}{hint}"
        )
    return _laid(y, target.reshape((*rows, 1)) if labels else target, rows, sample_weight, mask)


def array(given: Any) -> Array:
    """Numbers and nested lists as NumPy arrays; what is an array on any device already stays as it is."""
    return cast(Array, given if hasattr(given, "dtype") else np.asarray(given))


def _numbers(y: Any, target: Any, dtype: DTypeLike | None = None) -> tuple[Array, Array]:
    """y and target as arrays; target in y's dtype, or in the one given."""
    y, target = array(y), array(target)
    if y.dtype.kind != "f":
        raise TypeError(f"y is {y.dtype}; a loss has a slope only on floats: pass y as float32 or float64.")
    if target.dtype.kind not in "biuf":
        raise TypeError(f"target is {target.dtype}, expected real numbers: cast it to {y.dtype}.")
    return y, target.astype(y.dtype if dtype is None else dtype, copy=False)


def _laid(y: Array, target: Array, values: tuple[int, ...], sample_weight: Any, mask: Any) -> Comparison:
    """Lays weight and mask over values of that shape, which is y's or that of its rows."""
    if sample_weight is not None:
        sample_weight = _over("sample_weight", array(sample_weight), values, y).astype(y.dtype, copy=False)
    size = 1
    for length in values:
        size *= length
    pair = Comparison(y, target, size, sample_weight, None)
    if mask is None:
        return pair
    mask = array(mask)
    if mask.dtype.kind != "b":
        raise TypeError(f"mask is {mask.dtype}, expected bool, True where a step is real: pass `mask != 0`.")
    return pair.only(_over("mask", mask, values, y))


def _common(y: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...]:
    """The one shape of y and target; Keras' `squeeze_or_expand_to_same_rank`, without its broadcasting afterwards."""
    if y in (target, (*target, 1)):
        return y
    if target == (*y, 1):
        return target
    hint = "."
    if len(y) == 2 and target == y[:1]:
        hint = f"; the last layer has {y[1]} units, and there is one number for each sample."
    elif len(y) > max(len(target), 2):
        hint = _SEQUENCES
    raise ValueError(
        f"target {target} does not match y {y}: expected the same shape, or one that differs by a last axis of 1{hint}"
    )


def _over(name: str, given: Array, values: tuple[int, ...], y: Array) -> Array:
    """`given` with axes of 1 at its end until it broadcasts over y from the left, sample by sample."""
    size = given.shape
    if size[-1:] == (1,) and size[:-1] and size[:-1] == values[: len(size) - 1]:
        size = size[:-1]
    if not size or size != values[: len(size)]:
        expected = " or ".join(str(values[:rank]) for rank in range(1, len(values) + 1))
        raise ValueError(
            f"{name} {given.shape} does not lie over y {y.shape}: expected the leading axes of y, {expected}."
        )
    return given.reshape(size + (1,) * (len(y.shape) - len(size)))
