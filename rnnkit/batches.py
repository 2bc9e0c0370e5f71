"""Batches for training and evaluation: cut from arrays, or taken from any iterable, and checked at the border."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from .border import check_lengths, to_array, to_finite, to_lengths, to_mask, whole
from .ragged import as_list, beside, is_ragged, is_samples, pad
from .weighing import by_class

__all__ = ["Batch", "Form", "Source", "checked", "from_arrays", "source"]


@dataclass(frozen=True)
class Form:
    """What a model takes: the dtype of x (whole numbers where its first layer chooses by index), that of everything
    else, how many axes x has with the batch, where that is known, and what raises for targets that are none, where
    they are looked at before they leave main memory."""

    x: np.dtype[Any]
    dtype: np.dtype[Any]
    rank: int | None = None
    targets: Callable[[Array], Any] | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """x (B, ...), y (B, ...) or None, sample_weight (B,) or (B, T), mask and reset (B, T), or None."""

    x: Array
    y: Array | None = None
    sample_weight: Array | None = None
    mask: Array | None = None
    reset: Array | None = None

    def part(self, rows: Any) -> Batch:
        """The rows that a slice or an array of numbers chooses."""
        arrays = self.x, self.y, self.sample_weight, self.mask, self.reset
        if isinstance(rows, slice):
            return Batch(*[None if a is None else a[rows] for a in arrays])  # type: ignore[arg-type]
        return Batch(*[None if a is None else _chosen(a, rows) for a in arrays])  # type: ignore[arg-type]


def _chosen(a: Array, rows: Array) -> Array:
    """a[rows]. `take` is three times as fast, but would first copy all of a view such as that of windows."""
    return a.take(rows, 0) if a.flags.c_contiguous else a[rows]


@dataclass(frozen=True, eq=False)
class Source:
    """Batches that can be gone through again and again. `batches` makes one pass; `length` is their number if known."""

    batches: Callable[[np.random.Generator | None], Iterator[Batch]]
    length: int | None


def source(x: Any, y: Any = None, *, form: Form, batch_size: int = 32, labelled: bool = True, **beside: Any) -> Source:
    """A source of batches from arrays x and y, or from an iterable x of batches.

    An iterable gives (x, y), (x, y, sample_weight) or, where no labels are needed, x.
    beside: what goes with arrays, see `checked`.
    Raises ValueError or TypeError for what does not fit together, is empty, or is not finite.
    """
    if y is None and isinstance(x, Iterable) and not _is_array(x) and not is_samples(x, form.rank):
        for name, extra in beside.items():
            if extra is not None:
                raise ValueError(
                    f"{name} goes with arrays; an iterable of batches brings its own, as (x, y, sample_weight)"
                )
        return _from_iterable(x, form, labelled)
    if labelled and y is None:
        raise ValueError("y is missing: pass targets beside the array x, or an iterable of batches (x, y)")
    return from_arrays(checked(form, x, y, **beside), batch_size)


def _is_array(x: Any) -> bool:
    """Whether x is an array, or nested lists of numbers; a list of arrays is a list of batches."""
    if hasattr(x, "__array__"):
        return True
    while isinstance(x, (list, tuple)) and len(x):
        x = x[0]
    return isinstance(x, (int, float))


def from_arrays(data: Batch, batch_size: int) -> Source:
    """Batches of `batch_size` rows of what `checked` returned."""
    batch_size = whole("batch_size", batch_size, least=1)
    count = len(data.x)

    def batches(order: np.random.Generator | None) -> Iterator[Batch]:
        rows = np.arange(count) if order is None else order.permutation(count)
        for start in range(0, count, batch_size):
            yield data.part(rows[start : start + batch_size] if order is not None else slice(start, start + batch_size))

    return Source(batches, -(-count // batch_size))


def _from_iterable(given: Any, form: Form, labelled: bool) -> Source:
    passes = 0

    def batches(order: np.random.Generator | None) -> Iterator[Batch]:
        nonlocal passes
        count = 0
        for item in given:
            count += 1
            yield _item(item, form, labelled)
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


def _item(item: Any, form: Form, labelled: bool) -> Batch:
    parts = item if isinstance(item, (tuple, list)) else (item,)
    if not 1 <= len(parts) <= 3 or (labelled and len(parts) == 1):
        wanted = "(x, y) or (x, y, sample_weight)" if labelled else "x, (x, y) or (x, y, sample_weight)"
        raise ValueError(f"a batch is {wanted}; got {len(parts)} part(s)")
    x, y, sample_weight = (*parts, None, None)[:3]
    return checked(form, x, y, sample_weight=sample_weight)


def checked(
    form: Form,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    class_weight: Any = None,
    mask: Any = None,
    lengths: Any = None,
    reset: Any = None,
) -> Batch:
    """Everything through the border, as one batch of all samples.

    x              an array, or a list of arrays of different length, padded with zeros to the longest. What is not
                   finite behind a mask, in x and y, comes back as 0
    y              an array, or beside such a list one of targets at each step; sample_weight and reset likewise
    sample_weight  (B,), or (B, T) for outputs at each step;  class_weight: class -> weight of its samples, instead
    mask           (B, T) bool;  lengths: (B,) how many steps of each row are real, instead;  reset: (B, T) bool
    """
    x, y = as_list(x), as_list(y)
    if isinstance(x, Iterable) and not hasattr(x, "__array__") and not hasattr(x, "__getitem__"):
        raise TypeError(
            f"x is a {type(x).__name__}, expected an array or a list: an iterable of batches is passed alone, without "
            "y, and brings its targets, as (x, y)"
        )
    if is_ragged(x, form.rank):
        if mask is not None or lengths is not None:
            raise ValueError("x is a list of samples, whose lengths are known: pass no mask and no lengths")
        x, y, lengths = pad(x, y)
        sample_weight = beside("sample_weight", sample_weight, lengths)
        reset = beside("reset", reset, lengths)
    x = to_array("x", x, form.x)
    y = None if y is None else to_array("y", y, form.dtype)
    if y is not None and form.targets is not None:
        form.targets(y)
    if lengths is not None:
        if mask is not None:
            raise ValueError("mask and lengths both say which steps are real: pass one of them")
        mask = to_lengths(lengths, x)
    mask = None if mask is None else to_mask("mask", mask, x)
    if y is not None:
        y = to_finite("y", y, mask if mask is not None and y.shape[:2] == mask.shape else None)
    if class_weight is not None:
        if sample_weight is not None:
            raise ValueError("class_weight and sample_weight both weigh the samples: pass one of them")
        sample_weight = by_class(class_weight, y)
    sample_weight = None if sample_weight is None else to_array("sample_weight", sample_weight, form.dtype)
    reset = None if reset is None else to_mask("reset", reset, x)
    check_lengths(x=x, y=y, sample_weight=sample_weight, mask=mask)
    x = to_finite("x", x, mask)
    if sample_weight is not None:
        to_finite("sample_weight", sample_weight)
    return Batch(x, y, sample_weight, mask, reset)
