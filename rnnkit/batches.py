"""Batches for training and evaluation: cut from arrays, or taken from any iterable, and checked at the border."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from .border import check_lengths, to_array, to_finite, to_mask, whole

__all__ = ["Batch", "Source", "source"]


@dataclass(frozen=True, eq=False)
class Batch:
    """x (B, ...), y (B, ...) or None, sample_weight and mask (B, T) or None."""

    x: Array
    y: Array | None = None
    sample_weight: Array | None = None
    mask: Array | None = None


@dataclass(frozen=True, eq=False)
class Source:
    """Batches that can be gone through again and again. `batches` makes one pass; `length` is their number if known."""

    batches: Callable[[np.random.Generator | None], Iterator[Batch]]
    length: int | None


def source(
    x: Any,
    y: Any = None,
    *,
    batch_size: int = 32,
    sample_weight: Any = None,
    mask: Any = None,
    dtype: Any,
    labelled: bool = True,
) -> Source:
    """A source of batches from arrays x and y, or from an iterable x of batches.

    An iterable gives (x, y), (x, y, sample_weight) or, where no labels are needed, x. Raises ValueError or TypeError
    for what does not fit together, is empty, or is not finite.
    """
    if y is None and isinstance(x, Iterable) and not _is_array(x):
        return _from_iterable(x, dtype, labelled, sample_weight, mask)
    if labelled and y is None:
        raise ValueError("y is missing: pass targets beside the array x, or an iterable of batches (x, y)")
    return _from_arrays(x, y, batch_size, sample_weight, mask, dtype)


def _is_array(x: Any) -> bool:
    """Whether x is an array, or nested lists of numbers; a list of arrays is a list of batches."""
    if hasattr(x, "__array__"):
        return True
    while isinstance(x, (list, tuple)) and len(x):
        x = x[0]
    return isinstance(x, (int, float))


def _from_arrays(x: Any, y: Any, batch_size: int, sample_weight: Any, mask: Any, dtype: Any) -> Source:
    batch_size = whole("batch_size", batch_size, least=1)
    data = _checked(x, y, sample_weight, mask, dtype)
    count = len(data.x)

    def batches(order: np.random.Generator | None) -> Iterator[Batch]:
        rows = np.arange(count) if order is None else order.permutation(count)
        for start in range(0, count, batch_size):
            part = rows[start : start + batch_size] if order is not None else slice(start, start + batch_size)
            yield Batch(*(None if a is None else a[part] for a in (data.x, data.y, data.sample_weight, data.mask)))  # type: ignore[arg-type]

    return Source(batches, -(-count // batch_size))


def _from_iterable(given: Any, dtype: Any, labelled: bool, sample_weight: Any, mask: Any) -> Source:
    for name, extra in (("sample_weight", sample_weight), ("mask", mask)):
        if extra is not None:
            raise ValueError(
                f"{name} goes with arrays; an iterable of batches brings its own, as (x, y, sample_weight)"
            )
    passes = 0

    def batches(order: np.random.Generator | None) -> Iterator[Batch]:
        nonlocal passes
        count = 0
        for item in given:
            count += 1
            yield _item(item, dtype, labelled)
        passes += 1
        if count == 0:
            if passes > 1:
                raise ValueError(
                    "the batches ran out after one pass: a generator can be gone through once; "
                    "pass a list, or an object whose __iter__ starts anew"
                )
            raise ValueError("the data set is empty: it gave no batch")

    try:
        length = len(given)
    except TypeError:
        length = None
    if length == 0:
        raise ValueError("the data set is empty: it gave no batch")
    return Source(batches, length)


def _item(item: Any, dtype: Any, labelled: bool) -> Batch:
    parts = item if isinstance(item, (tuple, list)) else (item,)
    if not 1 <= len(parts) <= 3 or (labelled and len(parts) == 1):
        wanted = "(x, y) or (x, y, sample_weight)" if labelled else "x, (x, y) or (x, y, sample_weight)"
        raise ValueError(f"a batch is {wanted}; got {len(parts)} part(s)")
    x, y, sample_weight = (*parts, None, None)[:3]
    return _checked(x, y, sample_weight, None, dtype)


def _checked(x: Any, y: Any, sample_weight: Any, mask: Any, dtype: Any) -> Batch:
    x = to_array("x", x, dtype)
    y = None if y is None else to_array("y", y, dtype)
    sample_weight = None if sample_weight is None else to_array("sample_weight", sample_weight, dtype)
    mask = None if mask is None else to_mask(mask, x)
    check_lengths(x=x, y=y, sample_weight=sample_weight, mask=mask)
    x = to_finite("x", x, mask)
    if y is not None:
        to_finite("y", y, mask if mask is not None and y.shape[:2] == mask.shape else None)
    if sample_weight is not None:
        to_finite("sample_weight", sample_weight)
    return Batch(x, y, sample_weight, mask)
